/* The table of kegd's options, and how a member is set from it. */
#include "daemon/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "daemon/option_checks.h"
#include "daemon/option_values.h"

#define AT(member) offsetof(struct config, member)

/* clang-format off */
const struct option_row option_rows[] = {
    {"config-file", 0, NULL, OPTION_STRING, AT(config_file), "FILE", "Configuration file (default /etc/keg/daemon.json)"},
    {"data-root", 0, "data-root", OPTION_STRING, AT(data_root), "DIR", "Root directory of persistent state (default /var/lib/keg)"},
    {"exec-root", 0, "exec-root", OPTION_STRING, AT(exec_root), "DIR", "Root directory for execution state (default /run/keg)"},
    {"host", 'H', "hosts", OPTION_LIST, AT(hosts), "HOST", "Where to listen: unix://PATH, tcp://ADDRESS:PORT, fd:// (default unix://EXEC-ROOT/keg.sock)", check_host},
    {"group", 'G', "group", OPTION_STRING, AT(group), "GROUP", "Group for the unix socket (default keg, if it exists)"},
    {"tls", 0, "tls", OPTION_SWITCH, AT(tls), NULL, "Use TLS on tcp:// hosts; implied by --tlsverify"},
    {"tlsverify", 0, "tlsverify", OPTION_SWITCH, AT(tls_verify), NULL, "Use TLS, and serve only clients with a certificate of the CA"},
    {"tlscacert", 0, "tlscacert", OPTION_STRING, AT(tls_ca), "FILE", "The CA of clients' certificates (default ca.pem in $DOCKER_CERT_PATH or ~/.docker)"},
    {"tlscert", 0, "tlscert", OPTION_STRING, AT(tls_cert), "FILE", "The daemon's certificate (default cert.pem, likewise)"},
    {"tlskey", 0, "tlskey", OPTION_STRING, AT(tls_key), "FILE", "Its key (default key.pem, likewise)"},
    {"pidfile", 'p', "pidfile", OPTION_STRING, AT(pidfile), "FILE", "Path of a file for the daemon's pid"},
    {"debug", 'D', "debug", OPTION_BOOL, AT(debug), NULL, "Enable debug mode"},
    {"log-level", 'l', "log-level", OPTION_STRING, AT(log_level), "LEVEL", "debug, info, warn, error or fatal (default info)"},
    {"log-format", 0, "log-format", OPTION_STRING, AT(log_format), "FORMAT", "text or json (default text)"},
    {"validate", 0, NULL, OPTION_BOOL, AT(validate), NULL, "Validate the configuration and exit"},
    {"version", 'v', NULL, OPTION_BOOL, AT(version), NULL, "Print version information and quit"},
    {"help", 'h', NULL, OPTION_BOOL, AT(help), NULL, "Print this help and quit"},

    {"storage-driver", 's', "storage-driver", OPTION_STRING, AT(storage_driver), "NAME", "Storage driver: overlay2, erofs, btrfs, vfs"},
    {"storage-opt", 0, "storage-opts", OPTION_LIST, AT(storage_options), "DRIVER.OPTION=VALUE", "Setting of the storage driver: overlay2.size=10G (erofs, btrfs), btrfs.min_space=1G"},
    {"insecure-registry", 0, "insecure-registries", OPTION_LIST, AT(insecure_registries), "HOST", "Allow plain HTTP and unverified certificates with this registry or network", check_insecure},
    {"registry-mirror", 0, "registry-mirrors", OPTION_LIST, AT(registry_mirrors), "URL", "Preferred mirror of Docker Hub", check_mirror},
    {"max-concurrent-downloads", 0, "max-concurrent-downloads", OPTION_INT, AT(max_concurrent_downloads), "N", "Layers that a pull downloads at once (default 3)"},
    {"max-concurrent-uploads", 0, "max-concurrent-uploads", OPTION_INT, AT(max_concurrent_uploads), "N", "Layers that a push uploads at once (default 5)"},
    {"image-gc", 0, "image-gc", OPTION_MAP, AT(image_gc), "KEY=VALUE", "Remove images unused the longest when the disk fills: high=85 [low=80] [min-age=24h] [keep=NAME,…]"},

    {"bridge", 'b', "bridge", OPTION_STRING, AT(bridge), "NAME", "Default bridge: \"none\" for no networks but host and none"},
    {"bip", 0, "bip", OPTION_STRING, AT(bip), "ADDRESS", "IPv4 address of the default bridge, with its prefix length", check_bip},
    {"ipv6", 0, "ipv6", OPTION_BOOL, AT(ipv6), NULL, "Give the default bridge IPv6 (default false)"},
    {"bip6", 0, "bip6", OPTION_STRING, AT(bip6), "ADDRESS", "IPv6 address of the default bridge, with its prefix length", check_cidr6},
    {"fixed-cidr-v6", 0, "fixed-cidr-v6", OPTION_STRING, AT(fixed_cidr6), "SUBNET", "IPv6 subnet of the default bridge, or the part of it that containers get", check_cidr6},
    {"default-address-pool", 0, "default-address-pools", OPTION_POOLS, AT(default_address_pools), "POOL", "Pool for new networks: base=10.10.0.0/16,size=24"},
    {"dns", 0, "dns", OPTION_LIST, AT(dns), "ADDRESS", "DNS server of containers", check_dns},
    {"dns-search", 0, "dns-search", OPTION_LIST, AT(dns_search), "DOMAIN", "DNS search domain of containers", check_dns_search},
    {"dns-opt", 0, "dns-opts", OPTION_LIST, AT(dns_options), "OPTION", "DNS option of containers", check_not_empty},
    {"mtu", 0, "mtu", OPTION_INT, AT(mtu), "N", "MTU of networks (default: the default route's)", check_mtu},
    {"iptables", 0, "iptables", OPTION_BOOL, AT(iptables), NULL, "Write firewall rules (default true)"},
    {"ip6tables", 0, "ip6tables", OPTION_BOOL, AT(ip6tables), NULL, "Write firewall rules for IPv6 (default true)"},
    {"ip-forward", 0, "ip-forward", OPTION_BOOL, AT(ip_forward), NULL, "Enable net.ipv4.ip_forward, and IPv6's with the first network that has it (default true)"},
    {"ip-masq", 0, "ip-masq", OPTION_BOOL, AT(ip_masq), NULL, "Enable IP masquerading (default true)"},
    {"icc", 0, "icc", OPTION_BOOL, AT(icc), NULL, "Let containers on the default bridge reach each other (default true)"},

    {"log-driver", 0, "log-driver", OPTION_STRING, AT(log_driver), "NAME", "Default logging driver of containers (default json-file)"},
    {"log-opt", 0, "log-opts", OPTION_MAP, AT(log_options), "KEY=VALUE", "Default log driver options of containers"},
    {"default-ulimit", 0, "default-ulimits", OPTION_LIMITS, AT(default_ulimits), "NAME=SOFT[:HARD]", "Default ulimit of containers (default nofile=1024:524288)"},
    {"default-shm-size", 0, "default-shm-size", OPTION_SIZE, AT(default_shm_size), "BYTES", "Default size of /dev/shm (default 64M)"},
    {"add-runtime", 0, "runtimes", OPTION_RUNTIMES, AT(runtimes), "NAME=PATH", "Another OCI runtime, for --runtime NAME of containers: a program with runc's command line"},
    {"default-runtime", 0, "default-runtime", OPTION_STRING, AT(default_runtime), "NAME", "Runtime of containers that name none (default keg's own)"},
    {"cgroup-parent", 0, "cgroup-parent", OPTION_STRING, AT(cgroup_parent), "PATH", "Parent cgroup of all containers", check_cgroup_parent},
    {"seccomp-profile", 0, "seccomp-profile", OPTION_STRING, AT(seccomp_profile), "PROFILE", "builtin, unconfined, or a file (default builtin)", check_seccomp},
    {"default-ipc-mode", 0, "default-ipc-mode", OPTION_STRING, AT(default_ipc_mode), "MODE", "shareable or private (default private)"},
    {"default-cgroupns-mode", 0, "default-cgroupns-mode", OPTION_STRING, AT(default_cgroupns_mode), "MODE", "host or private (default private)"},
    {"cdi-spec-dir", 0, "cdi-spec-dirs", OPTION_LIST, AT(cdi_spec_dirs), "DIR", "Folder with CDI descriptions of devices, in JSON (default /etc/cdi and /var/run/cdi)", check_not_empty},
    {"label", 0, "labels", OPTION_LIST, AT(labels), "KEY=VALUE", "Label of the daemon", check_label},
    {"init", 0, "init", OPTION_BOOL, AT(init), NULL, "Run an init in each container that forwards signals and reaps processes"},
    {"no-new-privileges", 0, "no-new-privileges", OPTION_BOOL, AT(no_new_privileges), NULL, "Set no-new-privileges for new containers"},
    {"live-restore", 0, "live-restore", OPTION_BOOL, AT(live_restore), NULL, "Keep containers running without the daemon (always true)"},
    {"shutdown-timeout", 0, "shutdown-timeout", OPTION_INT, AT(shutdown_timeout), "SECONDS", "How long requests under way may keep the daemon from ending (default 15)"},

    {"allow-direct-routing", 0, "allow-direct-routing", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"authorization-plugin", 0, "authorization-plugins", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"bridge-accept-fwmark", 0, "bridge-accept-fwmark", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"builder", 0, "builder", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"containerd", 0, "containerd", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"containerd-namespace", 0, "containerd-namespace", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"containerd-plugins-namespace", 0, "containerd-plugins-namespace", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"cpu-rt-period", 0, "cpu-rt-period", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"cpu-rt-runtime", 0, "cpu-rt-runtime", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"cri-containerd", 0, NULL, OPTION_FIXED, 0, "false", NULL},
    {"default-gateway", 0, "default-gateway", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"default-gateway-v6", 0, "default-gateway-v6", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"default-network-opt", 0, "default-network-opts", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"exec-opt", 0, "exec-opts", OPTION_FIXED, 0, "native.cgroupdriver=cgroupfs", NULL},
    {"experimental", 0, "experimental", OPTION_FIXED, 0, "false", NULL},
    {"feature", 0, "features", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"fixed-cidr", 0, "fixed-cidr", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"host-gateway-ip", 0, "host-gateway-ips", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"http-proxy", 0, "proxies", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"https-proxy", 0, NULL, OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"init-path", 0, "init-path", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"ip", 0, "ip", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"ip-forward-no-drop", 0, "ip-forward-no-drop", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"max-download-attempts", 0, "max-download-attempts", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"metrics-addr", 0, "metrics-addr", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"network-control-plane-mtu", 0, "network-control-plane-mtu", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"no-proxy", 0, NULL, OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"node-generic-resource", 0, "node-generic-resources", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"raw-logs", 0, "raw-logs", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"rootless", 0, NULL, OPTION_FIXED, 0, "false", NULL},
    {"selinux-enabled", 0, "selinux-enabled", OPTION_FIXED, 0, "false", NULL},
    {"swarm-default-advertise-addr", 0, "swarm-default-advertise-addr", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"userland-proxy", 0, "userland-proxy", OPTION_FIXED, 0, "false", NULL},
    {"userland-proxy-path", 0, "userland-proxy-path", OPTION_UNSUPPORTED, 0, NULL, NULL},
    {"userns-remap", 0, "userns-remap", OPTION_UNSUPPORTED, 0, NULL, NULL},
};
/* clang-format on */
const size_t option_rows_count = ARRAY_SIZE(option_rows);

const struct option_row *option_by_name(const char *name, size_t len)
{
    for (size_t i = 0; i < option_rows_count; i++)
        if (strlen(option_rows[i].name) == len && strncmp(option_rows[i].name, name, len) == 0)
            return &option_rows[i];
    return NULL;
}

const struct option_row *option_by_letter(char letter)
{
    for (size_t i = 0; i < option_rows_count; i++)
        if (letter && option_rows[i].letter == letter)
            return &option_rows[i];
    return NULL;
}

const struct option_row *option_by_key(const char *key)
{
    for (size_t i = 0; i < option_rows_count; i++)
        if (str_eq(option_rows[i].key, key))
            return &option_rows[i];
    return NULL;
}

/* ---- from text ---- */

static int option_invalid(const struct option_row *row, const char *text, const struct err *why,
                          struct err *err)
{
    char letter[8] = "";

    if (row->letter)
        snprintf(letter, sizeof(letter), "-%c, ", row->letter);
    return err_set(err, ERR_INVALID, "invalid argument \"%s\" for \"%s--%s\" flag: %s. See 'kegd --help'.",
                   text, letter, row->name, why->message);
}

static int option_invalid_json(const struct option_row *row, const json_t *value, const struct err *why,
                               struct err *err)
{
    _cleanup_free_ char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

    return err_set(err, ERR_INVALID, "invalid value %.512s for \"%s\": %s", text ? text : "", row->key,
                   why->message);
}

/* An empty string stands for the default. */
static int option_check(const struct option_row *row, const char *text, struct err *why)
{
    return row->check && (*text || row->kind != OPTION_STRING) ? row->check(text, why) : 0;
}

/* A text of the kinds that have no parts. */
static int option_parse(void *member, const struct option_row *row, const char *text, struct err *why)
{
    bool on = false;

    switch (row->kind) {
    case OPTION_BOOL:
    case OPTION_SWITCH:
        if (str_to_bool(text, &on) < 0)
            return err_set(why, ERR_INVALID, "parsing \"%s\": invalid syntax: say true or false", text);
        if (row->kind == OPTION_BOOL)
            *(bool *)member = on;
        else
            *(enum config_switch *)member = on ? SWITCH_ON : SWITCH_OFF;
        return 0;
    case OPTION_INT:
        if (str_to_i64(text, member) < 0)
            return err_set(why, ERR_INVALID, "parsing \"%s\": invalid syntax: say a number", text);
        return 0;
    case OPTION_SIZE:
        if (str_to_bytes(text, member) < 0 || *(int64_t *)member < 0)
            return err_set(why, ERR_INVALID, "invalid size: '%s': say a number with b, k, m or g", text);
        return 0;
    case OPTION_STRING:
        if (!*text && *(char **)member)
            return 0; /* as dockerd has it: the default */
        free(*(char **)member);
        *(char **)member = xstrdup(text);
        return 0;
    default:
        strv_push(member, text);
        return 0;
    }
}

static bool option_is_fixed(const struct option_row *row, const char *text)
{
    bool on;

    return str_eq(text, row->value) || (str_eq(row->value, "false") && str_to_bool(text, &on) == 0 && !on);
}

static int option_refuse(const struct option_row *row, const char *text, struct err *err)
{
    return err_set(err, ERR_NOT_IMPLEMENTED,
                   "%s %s is not supported by keg: only %s, which is how it is anyway", row->name, text,
                   row->value);
}

int option_set_text(struct config *c, const struct option_row *row, const char *text, struct err *err)
{
    void *member = (char *)c + row->offset;
    struct err why = {0};
    int r;

    switch (row->kind) {
    case OPTION_POOLS:
        r = value_add_pool(member, text, &why);
        break;
    case OPTION_MAP:
        r = value_add_pair(member, text, &why);
        break;
    case OPTION_LIMITS:
        r = value_add_limit(member, text, &why);
        break;
    case OPTION_RUNTIMES:
        r = value_add_runtime(member, text, &why);
        break;
    case OPTION_FIXED:
        return option_is_fixed(row, text) ? 0 : option_refuse(row, text, err);
    case OPTION_UNSUPPORTED:
        return err_set(err, ERR_NOT_IMPLEMENTED, "--%s is not supported by keg yet", row->name);
    default:
        r = option_check(row, text, &why);
        if (r == 0)
            r = option_parse(member, row, text, &why);
        break;
    }
    return r < 0 ? option_invalid(row, text, &why, err) : 0;
}

/* ---- from the file ---- */

/* The rows' own checks, of each string. */
static int option_list_from_json(char ***list, const struct option_row *row, const json_t *value,
                                 struct err *why)
{
    json_t *item;
    size_t i;

    if (!json_is_array(value))
        return err_set(why, ERR_INVALID, "it must be an array of strings, not %s", value_type_name(value));
    json_array_foreach (value, i, item) {
        if (!json_is_string(item))
            return err_set(why, ERR_INVALID, "it must be an array of strings, not of %s",
                           value_type_name(item) + 2);
        if (row->check && row->check(json_string_value(item), why) < 0)
            return -1;
        strv_push(list, json_string_value(item));
    }
    return 0;
}

/* Of an array, each element has to be it. */
static int option_fixed_from_json(const struct option_row *row, const json_t *value, struct err *err)
{
    _cleanup_free_ char *text = json_is_string(value) ? xstrdup(json_string_value(value)) : json_text(value);
    const json_t *item;
    size_t i;

    if (!json_is_array(value))
        return option_is_fixed(row, text) ? 0 : option_refuse(row, text, err);
    json_array_foreach (value, i, item)
        if (!option_is_fixed(row, json_string_value(item)))
            return option_refuse(row, text, err);
    return 0;
}

/* Of the kinds that have no parts: the text that stands for the value on the command line, or NULL with the reason. The
 * caller frees. */
static char *option_json_text(const struct option_row *row, const json_t *value, struct err *why)
{
    static const struct {
        enum option_kind kind;
        const char *wanted;
    } rows[] = {
        {OPTION_BOOL, "true or false"}, {OPTION_SWITCH, "true or false"},
        {OPTION_INT, "a whole number"}, {OPTION_SIZE, "a string such as \"64m\""},
        {OPTION_STRING, "a string"},
    };
    bool boolean = row->kind == OPTION_BOOL || row->kind == OPTION_SWITCH;

    if (boolean ? json_is_boolean(value)
                : json_is_integer(value) && (row->kind == OPTION_INT || row->kind == OPTION_SIZE))
        return json_dumps(value, JSON_ENCODE_ANY);
    if (json_is_string(value) && (row->kind == OPTION_STRING || row->kind == OPTION_SIZE))
        return xstrdup(json_string_value(value));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].kind == row->kind)
            err_set(why, ERR_INVALID, "it must be %s, not %s", rows[i].wanted, value_type_name(value));
    return NULL;
}

static int option_simple_from_json(void *member, const struct option_row *row, const json_t *value,
                                   struct err *why)
{
    _cleanup_free_ char *text = option_json_text(row, value, why);

    if (!text || option_check(row, text, why) < 0)
        return -1;
    return option_parse(member, row, text, why);
}

int option_set_json(struct config *c, const struct option_row *row, const json_t *value, struct err *err)
{
    void *member = (char *)c + row->offset;
    struct err why = {0};
    int r;

    if (json_is_null(value) && row->kind != OPTION_UNSUPPORTED)
        return 0; /* as if it weren't there */
    switch (row->kind) {
    case OPTION_LIST:
        r = option_list_from_json(member, row, value, &why);
        break;
    case OPTION_POOLS:
        r = value_add_pools_json(member, value, &why);
        break;
    case OPTION_MAP:
        r = value_take_map_json(member, value, &why);
        break;
    case OPTION_LIMITS:
        r = value_add_limits_json(member, value, &why);
        break;
    case OPTION_RUNTIMES:
        r = value_add_runtimes_json(member, value, &why);
        break;
    case OPTION_FIXED:
        return option_fixed_from_json(row, value, err);
    case OPTION_UNSUPPORTED:
        return err_set(err, ERR_NOT_IMPLEMENTED, "%s is not supported by keg yet", row->key);
    default:
        r = option_simple_from_json(member, row, value, &why);
        break;
    }
    return r < 0 ? option_invalid_json(row, value, &why, err) : 0;
}

/* ---- */

char *option_text(const struct config *c, const struct option_row *row)
{
    const void *member = (const char *)c + row->offset;
    _cleanup_free_ char *joined = NULL;

    switch (row->kind) {
    case OPTION_BOOL:
        return xstrdup(*(const bool *)member ? "true" : "false");
    case OPTION_SWITCH:
        return xstrdup(*(const enum config_switch *)member == SWITCH_ON ? "true" : "false");
    case OPTION_INT:
    case OPTION_SIZE:
        return xasprintf("%" PRId64, *(const int64_t *)member);
    case OPTION_STRING:
        return xstrdup(*(char *const *)member ? *(char *const *)member : "");
    case OPTION_LIST:
    case OPTION_POOLS:
        joined = strv_join(*(char **const *)member, " ");
        return xasprintf("[%s]", joined);
    case OPTION_MAP:
    case OPTION_LIMITS:
    case OPTION_RUNTIMES:
        return *(json_t *const *)member ? json_text(*(json_t *const *)member) : xstrdup("");
    case OPTION_FIXED:
        return xstrdup(row->value);
    case OPTION_UNSUPPORTED:
        break;
    }
    return xstrdup("");
}
