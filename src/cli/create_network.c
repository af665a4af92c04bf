/* --network name or --network name=…,alias=…,ip=…, and the options that belong to the first network. */
#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "cli/create.h"

struct attachment {
    char *target;
    char **aliases, **links, **link_local;
    char *ip, *ip6, *mac;
    json_t *driver_opts;
    int64_t priority;
};

static void attachment_finish(struct attachment *a)
{
    free(a->target);
    strv_free(a->aliases);
    strv_free(a->links);
    strv_free(a->link_local);
    free(a->ip);
    free(a->ip6);
    free(a->mac);
    json_decref(a->driver_opts);
}

static int set_field(struct attachment *a, const char *key, const char *value, struct err *err)
{
    const char *equals;

    if (str_eq(key, "name")) {
        free(a->target);
        a->target = xstrdup(value);
    } else if (str_eq(key, "alias")) {
        strv_push(&a->aliases, value);
    } else if (str_eq(key, "ip")) {
        free(a->ip);
        a->ip = xstrdup(value);
    } else if (str_eq(key, "ip6")) {
        free(a->ip6);
        a->ip6 = xstrdup(value);
    } else if (str_eq(key, "mac-address")) {
        free(a->mac);
        a->mac = xstrdup(value);
    } else if (str_eq(key, "link-local-ip")) {
        strv_push(&a->link_local, value);
    } else if (str_eq(key, "gw-priority")) {
        if (str_to_i64(value, &a->priority) < 0)
            return err_set(err, ERR_INVALID, "invalid gw-priority (%s): invalid syntax", value);
    } else if (str_eq(key, "driver-opt")) {
        _cleanup_free_ char *name = NULL;

        equals = strchr(value, '=');
        if (!equals)
            return err_set(err, ERR_INVALID, "invalid key value pair format in driver options");
        name = xstrndup(value, (size_t)(equals - value));
        if (!a->driver_opts)
            a->driver_opts = json_object();
        json_set_str(a->driver_opts, name, equals + 1);
    } else {
        return err_set(err, ERR_INVALID, "invalid field key %s", key);
    }
    return 0;
}

/* "name=value" with a letter or digit at both sides of the sign: names of networks may have one elsewhere. */
static bool is_long_form(const char *text)
{
    for (const char *equals = strchr(text, '='); equals; equals = strchr(equals + 1, '='))
        if (equals > text && (isalnum((unsigned char)equals[-1]) || equals[-1] == '_') &&
            (isalnum((unsigned char)equals[1]) || equals[1] == '_'))
            return true;
    return false;
}

static int parse_network(const char *text, struct attachment *ret, struct err *err)
{
    _cleanup_strv_ char **fields = NULL;

    *ret = (struct attachment){0};
    if (!is_long_form(text)) {
        ret->target = xstrdup(text);
        return 0;
    }
    if (create_check_csv(text, err) < 0)
        return -1;
    fields = create_split_csv(text);
    for (char **f = fields; *f; f++) {
        char *equals = strchr(*f, '=');

        if (!equals)
            return err_set(err, ERR_INVALID, "invalid field %s", *f);
        *equals = '\0';
        for (char *c = *f; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        if (set_field(ret, *f, equals + 1, err) < 0)
            return -1;
    }
    if (!ret->target)
        return err_set(err, ERR_INVALID, "network name/id is not specified");
    return 0;
}

int create_check_network(const char *value, struct err *err)
{
    _cleanup_(attachment_finish) struct attachment a;

    return parse_network(value, &a, err);
}

static bool is_user_defined(const char *network)
{
    static const char *const own[] = {"default", "bridge", "host", "none"};

    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        if (str_eq(own[i], network))
            return false;
    return !str_starts(network, "container:");
}

/* --ip, --network-alias and the like are the first network's, unless it has said so itself. */
static int apply_options(const struct args *args, struct attachment *a, struct err *err)
{
    struct {
        const char *option, *what;
        char **text;
    } texts[] = {{"ip", "IPv4 address", &a->ip},
                 {"ip6", "IPv6 address", &a->ip6},
                 {"mac-address", "MAC address", &a->mac}};
    struct {
        const char *option, *shown, *what;
        char ***list;
        bool had;
    } lists[] = {
        {"network-alias", "network-alias", "alias", &a->aliases, a->aliases != NULL},
        {"net-alias", "network-alias", "alias", &a->aliases, a->aliases != NULL},
        {"link", "link", "links", &a->links, a->links != NULL},
        {"link-local-ip", "link-local-ip", "link-local IP addresses", &a->link_local, a->link_local != NULL}};
    static const char both[] = "conflicting options: cannot specify both --%s and per-network %s";

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (!*args_str(args, texts[i].option))
            continue;
        if (*texts[i].text)
            return err_set(err, ERR_INVALID, both, texts[i].option, texts[i].what);
        *texts[i].text = xstrdup(args_str(args, texts[i].option));
    }
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        char **values = args_list(args, lists[i].option);

        if (values && lists[i].had)
            return err_set(err, ERR_INVALID, both, lists[i].shown, lists[i].what);
        for (; values && *values; values++)
            strv_push(lists[i].list, *values);
    }
    return 0;
}

/* 6, 8 or 20 bytes in hexadecimal. */
static bool is_mac(const char *text)
{
    size_t bytes = 0;

    for (const char *s = text;; s += 3) {
        if (!isxdigit((unsigned char)s[0]) || !isxdigit((unsigned char)s[1]))
            return false;
        bytes++;
        if (!s[2])
            return bytes == 6 || bytes == 8 || bytes == 20;
        if (s[2] != text[2] || !strchr(":-", s[2]))
            return false;
    }
}

/* What an attachment must not have, as docker's client says it. */
static int check_attachment(const struct attachment *a, struct err *err)
{
    if (strspn(a->target, " \t") == strlen(a->target))
        return err_set(err, ERR_INVALID, "no name set for network");
    if (a->aliases && !is_user_defined(a->target))
        return err_set(err, ERR_INVALID,
                       "network-scoped aliases are only supported for user-defined networks");
    if (!str_empty(a->mac) && !is_mac(a->mac))
        return err_set(err, ERR_INVALID, "%s is not a valid mac address", a->mac);
    return 0;
}

static json_t *endpoint(const struct attachment *a)
{
    json_t *ipam = NULL;

    if (a->ip || a->ip6 || a->link_local) {
        ipam = json_object();
        if (a->ip)
            json_set_str(ipam, "IPv4Address", a->ip);
        if (a->ip6)
            json_set_str(ipam, "IPv6Address", a->ip6);
        if (a->link_local)
            json_object_set_new(ipam, "LinkLocalIPs", json_from_strv(a->link_local));
    }
    return json_pack("{s:o, s:o, s:o, s:s, s:O?, s:I, s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:n}",
                     "IPAMConfig", ipam ? ipam : json_null(), "Links",
                     create_list(is_user_defined(a->target) ? a->links : NULL, true), "Aliases",
                     create_list(a->aliases, true), "MacAddress", a->mac ? a->mac : "", "DriverOpts",
                     a->driver_opts, "GwPriority", (json_int_t)a->priority, "NetworkID", "", "EndpointID", "",
                     "Gateway", "", "IPAddress", "", "IPPrefixLen", 0, "IPv6Gateway", "", "GlobalIPv6Address",
                     "", "GlobalIPv6PrefixLen", 0, "DNSNames");
}

/* Which kinds of networks were named. */
struct network_kinds {
    bool users, own;
};

static int add_network(const struct args *args, const char *text, bool first, json_t *host, json_t *endpoints,
                       struct network_kinds *kinds, struct err *err)
{
    _cleanup_(attachment_finish) struct attachment a;

    if (parse_network(text, &a, err) < 0)
        return -1;
    if (first && apply_options(args, &a, err) < 0)
        return -1;
    if (check_attachment(&a, err) < 0)
        return -1;
    if (first)
        json_set_str(host, "NetworkMode", a.target);
    *(is_user_defined(a.target) ? &kinds->users : &kinds->own) = true;
    if (json_object_get(endpoints, a.target))
        return err_set(err, ERR_INVALID, "network \"%s\" is specified multiple times", a.target);
    if (!str_starts(a.target, "container:"))
        json_object_set_new(endpoints, a.target, endpoint(&a));
    return 0;
}

int create_networks(const struct args *args, json_t *host, json_t **ret_endpoints, struct err *err)
{
    _cleanup_json_ json_t *endpoints = json_object();
    struct network_kinds kinds = {false, false};
    char **names = args_list(args, "network");
    bool first = true;

    if (!names)
        names = args_list(args, "net");
    if (!names && add_network(args, "default", true, host, endpoints, &kinds, err) < 0)
        return -1;
    for (; names && *names; names++, first = false)
        if (add_network(args, *names, first, host, endpoints, &kinds, err) < 0)
            return -1;
    if (kinds.users && kinds.own)
        return err_set(err, ERR_INVALID,
                       "conflicting options: cannot attach both user-defined and non-user-defined "
                       "network-modes");
    *ret_endpoints = take_ptr(&endpoints);
    return 0;
}
