/* keg network. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/client.h"
#include "cli/config.h"
#include "cli/create.h"
#include "cli/format.h"
#include "cli/output.h"

/* ---- ls ---- */

static json_t *network_id(const struct format_row *row)
{
    const char *id = json_str_or(row->data, "Id", "");

    return row->truncate ? format_take(short_id(id)) : json_string(id);
}

static json_t *network_name(const struct format_row *row)
{
    return format_member(row, "Name");
}

static json_t *network_driver(const struct format_row *row)
{
    return format_member(row, "Driver");
}

static json_t *network_scope(const struct format_row *row)
{
    return format_member(row, "Scope");
}

/* Booleans are texts in these rows, as docker's are. */
static json_t *flag(const struct format_row *row, const char *key)
{
    return json_string(json_bool_or(row->data, key, false) ? "true" : "false");
}

static json_t *network_ipv4(const struct format_row *row)
{
    return flag(row, "EnableIPv4");
}

static json_t *network_ipv6(const struct format_row *row)
{
    return flag(row, "EnableIPv6");
}

static json_t *network_internal(const struct format_row *row)
{
    return flag(row, "Internal");
}

static json_t *network_labels(const struct format_row *row)
{
    return format_take(format_map(json_object_get(row->data, "Labels")));
}

/* Go's time.String() of an RFC 3339 time: "2006-01-02 15:04:05.999 +0000 UTC" */
static json_t *network_created_at(const struct format_row *row)
{
    char *text = xasprintf("%s", json_str_or(row->data, "Created", ""));
    char *zone = strchr(text, 'Z'), *t = strchr(text, 'T');
    json_t *shown;

    if (t)
        *t = ' ';
    if (zone)
        *zone = '\0';
    shown = format_take(xasprintf("%s%s", text, zone ? " +0000 UTC" : ""));
    free(text);
    return shown;
}

static const struct format_column network_columns[] = {
    {"CreatedAt", "CREATED AT", network_created_at},
    {"Driver", "DRIVER", network_driver},
    {"ID", "NETWORK ID", network_id},
    {"IPv4", "IPV4", network_ipv4},
    {"IPv6", "IPV6", network_ipv6},
    {"Internal", "INTERNAL", network_internal},
    {"Labels", "LABELS", network_labels},
    {"Name", "NAME", network_name},
    {"Scope", "SCOPE", network_scope},
    {NULL},
};
static const struct format_view network_view = {
    "*network.networkContext",
    "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
    "{{.ID}}",
    network_columns,
    "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n",
    "network_id: {{.ID}}"};

static const struct option_row list_options[] = {
    {"filter", 'f', OPTION_FILTER, "Show only what matches (name=value)"},
    {"format", 0, OPTION_STRING, format_help_table},
    {"no-trunc", 0, OPTION_BOOL, "Don't shorten anything"},
    {"quiet", 'q', OPTION_BOOL, "Print only IDs"},
    {NULL},
};

static int network_ls_run(struct cli *cli, const struct args *args, struct err *err)
{
    struct format_wish wish = {.format = args_str(args, "format"),
                               .quiet = args_bool(args, "quiet"),
                               .no_trunc = args_bool(args, "no-trunc")};
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_json_ json_t *networks = NULL, *sorted = NULL;

    wish.format = config_format(cli, "networksFormat", wish.format, wish.quiet);
    url_path(&url, "/networks", NULL);
    url_add_filters(&url, args_list(args, "filter"));
    networks = client_get(cli, &url, err);
    sorted = networks ? format_sorted(networks, "Name") : NULL;
    return sorted ? format_print(&network_view, &wish, sorted, err) : -1;
}

const struct command cmd_network_ls = {
    .paths = "network ls,network list",
    .summary = "List networks",
    .arguments = "[OPTIONS]",
    .options = {list_options},
    .run = network_ls_run,
};

/* ---- create ---- */

static const struct option_row create_network_options[] = {
    {"attachable", 0, OPTION_BOOL, "Let containers be connected by hand"},
    {"aux-address", 0, OPTION_MAP, "Addresses that are in use otherwise", "map[]"},
    {"config-from", 0, OPTION_STRING, "Network whose configuration to take"},
    {"config-only", 0, OPTION_BOOL, "Keep only a configuration"},
    {"driver", 'd', OPTION_STRING, "Driver of the network", "bridge"},
    {"gateway", 0, OPTION_STRINGS, "Gateway of the subnet"},
    {"ingress", 0, OPTION_BOOL, "Make a routing mesh's network"},
    {"internal", 0, OPTION_BOOL, "Keep the network away from the outside"},
    {"ip-range", 0, OPTION_STRINGS, "Part of the subnet that containers get"},
    {"ipam-driver", 0, OPTION_STRING, "Driver that manages addresses", "default"},
    {"ipam-opt", 0, OPTION_MAP, "Options of that driver", "map[]"},
    {"ipv4", 0, OPTION_BOOL, "Give IPv4 addresses", "true"},
    {"ipv6", 0, OPTION_BOOL, "Give IPv6 addresses"},
    {"label", 0, OPTION_LABEL, "Set labels"},
    {"opt", 'o', OPTION_MAP, "Options of the network's driver", "map[]"},
    {"scope", 0, OPTION_STRING, "Scope of the network"},
    {"subnet", 0, OPTION_STRINGS, "Subnet in CIDR notation"},
    {NULL},
};

/* The network part of "10.1.0.0/16" or of a bare address: its bytes and the bits that count. False if it is none. */
static bool parse_net(const char *text, unsigned char bytes[16], int *ret_family, unsigned *ret_bits)
{
    _cleanup_free_ char *address = xstrndup(text, strcspn(text, "/"));
    const char *slash = strchr(text, '/');
    uint32_t bits = 0;

    memset(bytes, 0, 16);
    *ret_family = strchr(address, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(*ret_family, address, bytes) != 1)
        return false;
    *ret_bits = *ret_family == AF_INET ? 32 : 128;
    if (slash && (str_to_u32(slash + 1, &bits) < 0 || bits > *ret_bits))
        return false;
    if (slash)
        *ret_bits = bits;
    return true;
}

/* Whether an address, or another net's, lies in a subnet: 1 or 0; -1 with err set if either is none. */
static int subnet_holds(const char *subnet, const char *text, struct err *err)
{
    unsigned char net[16], other[16];
    int net_family, family;
    unsigned net_bits, bits;

    if (!parse_net(subnet, net, &net_family, &net_bits) || !strchr(subnet, '/'))
        return err_set(err, ERR_INVALID, "invalid CIDR address: %s", subnet);
    if (!parse_net(text, other, &family, &bits))
        return strchr(text, '/') || text[strspn(text, "0123456789.:")]
                   ? err_set(err, ERR_INVALID, "invalid CIDR address: %s", text)
                   : 0;
    if (family != net_family)
        return 0;
    for (unsigned i = 0; i < net_bits; i++)
        if (((net[i / 8] ^ other[i / 8]) >> (7 - i % 8)) & 1)
            return 0;
    return 1;
}

/* Gives a range, gateway or other address to the subnet it lies in. `key` NULL: an auxiliary one with that name. */
static int give_subnet(json_t *configs, const char *key, const char *name, const char *text, struct err *err)
{
    const char *what = !key ? "aux-address" : str_eq(key, "IPRange") ? "range" : "gateway";
    json_t *config;
    size_t i;

    json_array_foreach (configs, i, config) {
        const char *subnet = json_str_or(config, "Subnet", ""), *had = key ? json_str(config, key) : NULL;
        int holds = subnet_holds(subnet, text, err);

        if (holds < 0)
            return -1;
        if (!holds)
            continue;
        if (had)
            return err_set(err, ERR_INVALID, "cannot configure multiple %ss (%s, %s) %s the same subnet (%s)",
                           what, text, had, str_eq(what, "range") ? "on" : "for", subnet);
        if (!key && !json_object_get(config, "AuxiliaryAddresses"))
            json_object_set_new(config, "AuxiliaryAddresses", json_object());
        json_set_str(key ? config : json_object_get(config, "AuxiliaryAddresses"), key ? key : name, text);
        return 0;
    }
    return err_set(err, ERR_INVALID, "no matching subnet for %s %s", what, text);
}

/* Subnets, and what belongs to each. NULL on failure. */
static json_t *ipam_config(const struct args *args, struct err *err)
{
    static const struct {
        const char *option, *key;
    } parts[] = {{"ip-range", "IPRange"}, {"gateway", "Gateway"}, {"aux-address", NULL}};
    char **subnets = args_list(args, "subnet");
    size_t count = strv_len(subnets);
    _cleanup_json_ json_t *configs = json_array();

    if (strv_len(args_list(args, "ip-range")) > count || strv_len(args_list(args, "gateway")) > count) {
        err_set(err, ERR_INVALID, "every ip-range or gateway must have a corresponding subnet");
        return NULL;
    }
    for (; subnets && *subnets; subnets++) {
        json_t *other;
        size_t i;

        json_array_foreach (configs, i, other) {
            const char *before = json_str_or(other, "Subnet", "");
            int holds = subnet_holds(before, *subnets, err);

            if (holds == 0)
                holds = subnet_holds(*subnets, before, err);
            if (holds > 0)
                err_set(err, ERR_INVALID, "multiple overlapping subnet configuration is not supported");
            if (holds)
                return NULL;
        }
        json_array_append_new(configs, json_pack("{s:s}", "Subnet", *subnets));
    }
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        for (char **v = args_list(args, parts[i].option); v && *v; v++) {
            const char *equals = parts[i].key ? NULL : strchr(*v, '=');
            _cleanup_free_ char *name = equals ? xstrndup(*v, (size_t)(equals - *v)) : xstrdup(*v);

            if (give_subnet(configs, parts[i].key, name,
                            parts[i].key ? *v
                            : equals     ? equals + 1
                                         : "",
                            err) < 0)
                return NULL;
        }
    return take_ptr(&configs);
}

static int network_create_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_strv_ char **labels = NULL;
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    _cleanup_json_ json_t *answer = NULL, *configs = NULL;
    const char *from = args_str(args, "config-from");
    json_t *body;

    configs = ipam_config(args, err);
    if (!configs || create_read_variables(args_list(args, "label"), NULL, false, &labels, err) < 0)
        return -1;
    body = json_pack("{s:s, s:s, s:s, s:{s:s, s:o, s:O}, s:b, s:b, s:b, s:b, s:o, s:o, s:o}", "Name",
                     args->rest[0], "Driver", args_str(args, "driver"), "Scope", args_str(args, "scope"),
                     "IPAM", "Driver", args_str(args, "ipam-driver"), "Options",
                     create_map(args_list(args, "ipam-opt")), "Config", configs, "Internal",
                     args_bool(args, "internal"), "Attachable", args_bool(args, "attachable"), "Ingress",
                     args_bool(args, "ingress"), "ConfigOnly", args_bool(args, "config-only"), "ConfigFrom",
                     *from ? json_pack("{s:s}", "Network", from) : json_null(), "Options",
                     create_map(args_list(args, "opt")), "Labels", create_map(labels));
    if (args_given(args, "ipv4"))
        json_set_bool(body, "EnableIPv4", args_bool(args, "ipv4"));
    if (args_given(args, "ipv6"))
        json_set_bool(body, "EnableIPv6", args_bool(args, "ipv6"));
    url_path(&url, "/networks/create", NULL);
    if (client_call(cli, "POST", &url, body, &answer, err) < 0)
        return -1;
    if (*json_str_or(answer, "Warning", ""))
        fprintf(stderr, "WARNING: %s\n", json_str(answer, "Warning"));
    puts(json_str_or(answer, "Id", ""));
    return 0;
}

const struct command cmd_network_create = {
    .paths = "network create",
    .summary = "Create a network",
    .arguments = "[OPTIONS] NETWORK",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = {create_network_options},
    .run = network_create_run,
};

/* ---- rm, connect, disconnect ---- */

static const struct option_row force_options[] = {
    {"force", 'f', OPTION_BOOL, "Go on where it would fail"},
    {NULL},
};

static int network_rm_run(struct cli *cli, const struct args *args, _unused_ struct err *err)
{
    int code = 0;

    for (size_t i = 0; i < args->rest_count; i++) {
        _cleanup_(buf_finish) struct buf url = URL_INIT;
        struct err why = {0};

        url_path(&url, "/networks/", args->rest[i], NULL);
        if (client_call(cli, "DELETE", &url, NULL, NULL, &why) == 0) {
            puts(args->rest[i]);
        } else if (!args_bool(args, "force") || why.kind != ERR_NOT_FOUND) {
            code = cli_complain(&why);
        }
    }
    return code;
}

const struct command cmd_network_rm = {
    .paths = "network rm,network remove",
    .summary = "Remove networks",
    .arguments = "NETWORK [NETWORK...]",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = {force_options},
    .run = network_rm_run,
};

static const struct option_row connect_options[] = {
    {"alias", 0, OPTION_STRINGS, "Another name of the container in the network"},
    {"driver-opt", 0, OPTION_STRINGS, "Options of the network's driver"},
    {"gw-priority", 0, OPTION_INT, "The network with the highest priority has the default route"},
    {"ip", 0, OPTION_STRING, "IPv4 address (172.30.100.104)"},
    {"ip6", 0, OPTION_STRING, "IPv6 address (2001:db8::33)"},
    {"link", 0, OPTION_LINK, "Make another container known (name[:alias])"},
    {"link-local-ip", 0, OPTION_STRINGS, "Link-local addresses"},
    {NULL},
};

static int network_connect_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;
    json_t *ipam;

    for (char **o = args_list(args, "driver-opt"); o && *o; o++)
        if (!strchr(*o, '=') || **o == '=')
            return err_set(err, ERR_INVALID, "invalid key/value pair format in driver options");
    if (*args->rest[0] && !*args->rest[1])
        return err_set(err, ERR_INVALID, "invalid container name or ID: value is empty");
    ipam = json_object();

    if (args_given(args, "ip"))
        json_set_str(ipam, "IPv4Address", args_str(args, "ip"));
    if (args_given(args, "ip6"))
        json_set_str(ipam, "IPv6Address", args_str(args, "ip6"));
    if (args_list(args, "link-local-ip"))
        json_object_set_new(ipam, "LinkLocalIPs", json_from_strv(args_list(args, "link-local-ip")));
    url_path(&url, "/networks/", args->rest[0], "/connect", NULL);
    return client_call(cli, "POST", &url,
                       json_pack("{s:s, s:{s:o, s:o, s:o, s:o, s:I}}", "Container", args->rest[1],
                                 "EndpointConfig", "IPAMConfig", ipam, "Links",
                                 create_list(args_list(args, "link"), true), "Aliases",
                                 create_list(args_list(args, "alias"), true), "DriverOpts",
                                 create_map(args_list(args, "driver-opt")), "GwPriority",
                                 (json_int_t)args_int(args, "gw-priority", 0)),
                       NULL, err);
}

const struct command cmd_network_connect = {
    .paths = "network connect",
    .summary = "Connect a container to a network",
    .arguments = "[OPTIONS] NETWORK CONTAINER",
    .min_arguments = 2,
    .max_arguments = 2,
    .options = {connect_options},
    .run = network_connect_run,
};

static int network_disconnect_run(struct cli *cli, const struct args *args, struct err *err)
{
    _cleanup_(buf_finish) struct buf url = URL_INIT;

    url_path(&url, "/networks/", args->rest[0], "/disconnect", NULL);
    return client_call(cli, "POST", &url,
                       json_pack("{s:s, s:b}", "Container", args->rest[1], "Force", args_bool(args, "force")),
                       NULL, err);
}

const struct command cmd_network_disconnect = {
    .paths = "network disconnect",
    .summary = "Disconnect a container from a network",
    .arguments = "[OPTIONS] NETWORK CONTAINER",
    .min_arguments = 2,
    .max_arguments = 2,
    .options = {force_options},
    .run = network_disconnect_run,
};
