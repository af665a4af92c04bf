/* --network name or --network name=…,alias=…,ip=…, and the options that belong to the first network. */
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
            return err_set(err, ERR_INVALID, "invalid gw-priority (%s)", value);
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

static int parse_network(const char *text, struct attachment *ret, struct err *err)
{
    _cleanup_strv_ char **fields = NULL;

    *ret = (struct attachment){0};
    if (!strchr(text, '=')) {
        ret->target = xstrdup(text);
        return 0;
    }
    fields = create_split_csv(text);
    for (char **f = fields; *f; f++) {
        char *equals = strchr(*f, '=');

        if (!equals)
            return err_set(err, ERR_INVALID, "invalid field %s", *f);
        *equals = '\0';
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

/* --ip, --network-alias and the like are the first network's. */
static void apply_options(const struct args *args, struct attachment *a)
{
    struct {
        const char *option;
        char **text;
    } texts[] = {{"ip", &a->ip}, {"ip6", &a->ip6}, {"mac-address", &a->mac}};
    struct {
        const char *option;
        char ***list;
    } lists[] = {{"network-alias", &a->aliases},
                 {"net-alias", &a->aliases},
                 {"link", &a->links},
                 {"link-local-ip", &a->link_local}};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (args_given(args, texts[i].option) && !*texts[i].text)
            *texts[i].text = xstrdup(args_str(args, texts[i].option));
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        for (char **v = args_list(args, lists[i].option); v && *v; v++)
            strv_push(lists[i].list, *v);
}

static bool is_user_defined(const char *network)
{
    static const char *const own[] = {"default", "bridge", "host", "none"};

    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        if (str_eq(own[i], network))
            return false;
    return !str_starts(network, "container:");
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

static int add_network(const struct args *args, const char *text, bool first, json_t *host, json_t *endpoints,
                       struct err *err)
{
    _cleanup_(attachment_finish) struct attachment a;

    if (parse_network(text, &a, err) < 0)
        return -1;
    if (first) {
        apply_options(args, &a);
        json_set_str(host, "NetworkMode", a.target);
    }
    if ((a.ip || a.ip6) && !is_user_defined(a.target) && !str_eq(a.target, "bridge") &&
        !str_eq(a.target, "default"))
        return err_set(err, ERR_INVALID,
                       "conflicting options: cannot attach both user-defined and non-user-defined "
                       "network-modes");
    if (a.aliases && !is_user_defined(a.target))
        return err_set(err, ERR_INVALID,
                       "network-scoped aliases are only supported for user-defined networks");
    if (json_object_get(endpoints, a.target))
        return err_set(err, ERR_INVALID, "network \"%s\" is specified multiple times", a.target);
    if (!str_starts(a.target, "container:"))
        json_object_set_new(endpoints, a.target, endpoint(&a));
    return 0;
}

int create_networks(const struct args *args, json_t *host, json_t **ret_endpoints, struct err *err)
{
    _cleanup_json_ json_t *endpoints = json_object();
    char **names = args_list(args, "network");
    bool first = true;

    if (!names)
        names = args_list(args, "net");
    if (!names && add_network(args, "default", true, host, endpoints, err) < 0)
        return -1;
    for (; names && *names; names++, first = false)
        if (add_network(args, *names, first, host, endpoints, err) < 0)
            return -1;
    *ret_endpoints = take_ptr(&endpoints);
    return 0;
}
