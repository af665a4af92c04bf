/* Endpoints: between Docker's objects and src/network. */
#include "engine/endpoints.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/fields.h"
#include "engine/networks.h"
#include "engine/published.h"
#include "engine/zones.h"
#include "network/network.h"

bool endpoints_wanted(const struct container *c)
{
    const char *mode = json_str_or(c->host_config, "NetworkMode", "bridge");
    return !str_eq(mode, "host") && !str_eq(mode, "none") && !str_starts(mode, "container:");
}

/* ---- one endpoint ---- */

static void copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
}

static json_t *endpoint_to_json(const char *key, const char *network_id, int64_t priority,
                                const struct network_endpoint *e)
{
    char endpoint_id[65];
    engine_network_endpoint_id(network_id, e->container_id, endpoint_id);
    json_t *row = json_object();
    json_set_str(row, "Network", key);
    json_set_str(row, "NetworkID", network_id);
    json_set_str(row, "EndpointID", endpoint_id);
    json_set_str(row, "Interface", e->interface);
    json_set_str(row, "HostInterface", e->host_interface);
    json_set_str(row, "MacAddress", e->mac);
    json_set_str(row, "IPAddress", e->ip);
    json_set_int(row, "IPPrefixLen", e->prefix);
    json_set_str(row, "Gateway", e->gateway);
    if (*e->ip6) {
        json_set_str(row, "GlobalIPv6Address", e->ip6);
        json_set_int(row, "GlobalIPv6PrefixLen", e->prefix6);
        json_set_str(row, "IPv6Gateway", e->gateway6);
    }
    json_set_int(row, "Priority", priority);
    json_object_set_new(row, "Ports", published_to_json(e));
    return row;
}

/* `ports` is filled and must outlive *ret. */
static void endpoint_from_json(const struct container *c, const json_t *row, struct published *ports,
                               struct network_endpoint *ret)
{
    published_from_json(json_object_get(row, "Ports"), ports);
    *ret = (struct network_endpoint){.prefix = (int)json_int_or(row, "IPPrefixLen", 0),
                                     .prefix6 = (int)json_int_or(row, "GlobalIPv6PrefixLen", 0),
                                     .ports = ports->ports,
                                     .port_count = ports->count};
    copy_text(ret->container_id, sizeof(ret->container_id), c->id);
    copy_text(ret->interface, sizeof(ret->interface), json_str_or(row, "Interface", ""));
    copy_text(ret->host_interface, sizeof(ret->host_interface), json_str_or(row, "HostInterface", ""));
    copy_text(ret->mac, sizeof(ret->mac), json_str_or(row, "MacAddress", ""));
    copy_text(ret->ip, sizeof(ret->ip), json_str_or(row, "IPAddress", ""));
    copy_text(ret->gateway, sizeof(ret->gateway), json_str_or(row, "Gateway", ""));
    copy_text(ret->ip6, sizeof(ret->ip6), json_str_or(row, "GlobalIPv6Address", ""));
    copy_text(ret->gateway6, sizeof(ret->gateway6), json_str_or(row, "IPv6Gateway", ""));
}

static void set_endpoints(struct container *c, json_t *endpoints)
{
    pthread_mutex_lock(&c->lock);
    json_t *old = c->endpoints;
    c->endpoints = endpoints;
    pthread_mutex_unlock(&c->lock);
    json_decref(old);
}

/* Which networks they were stays known when the container has ended. */
static void note_network_ids(struct container *c)
{
    json_t *config = json_deep_copy(c->network_config);
    const json_t *row;
    size_t i;
    json_array_foreach (c->endpoints, i, row) {
        json_t *asked = json_object_get(config, json_str_or(row, "Network", ""));
        if (asked)
            json_object_set(asked, "NetworkID", json_object_get(row, "NetworkID"));
    }
    pthread_mutex_lock(&c->lock);
    json_t *old = c->network_config;
    c->network_config = config;
    pthread_mutex_unlock(&c->lock);
    json_decref(old);
}

/* ---- attach, detach ---- */

/* The namespace, and a netlink socket in it. */
struct place {
    int netns, inner;
};

/* inner: of a namespace that lives on, or -EBADF. */
static void detach_one(struct container *c, const json_t *row, int inner)
{
    _cleanup_engine_network_ struct engine_network n = {0};
    struct published ports = {0};
    struct network_endpoint e;
    struct err err = {0};
    const char *id = json_str_or(row, "NetworkID", "");
    endpoint_from_json(c, row, &ports, &e);
    engine_network_disconnected(c->engine, id, c->id);
    int r = engine_network_find(c->engine, id, &n, NULL);
    if (r == 0 && n.network)
        r = inner >= 0 ? network_leave(n.network, &e, inner, &err) : network_detach(n.network, &e, &err);
    if (r < 0 && n.network)
        log_debug("container %.12s: leave network %s: %s", c->id, n.name, err.message);
    published_finish(&ports);
}

/* Of a range of host ports the first free one is taken. */
static int attach_with_ports(struct network *n, struct network_endpoint *e, struct published *ports,
                             int netns, int inner, struct err *err)
{
    const struct network_endpoint asked = *e;
    struct err why = {0};
    do {
        *e = asked;
        e->ports = ports->ports;
        e->port_count = ports->count;
        if (network_attach(n, e, netns, inner, &why) == 0)
            return 0;
    } while (published_move_on(ports, &why));
    return err_pass(err, &why);
}

/* "eth" and the lowest number that is free, unless the settings say a name. */
static void choose_interface(const json_t *asked, const char *prefix, const json_t *rows, char *out,
                             size_t size)
{
    const char *own =
        json_str_or(json_object_get(asked, "DriverOpts"), "com.docker.network.endpoint.ifname", "");
    const json_t *row;
    size_t i;
    if (*own) {
        copy_text(out, size, own);
        return;
    }
    for (unsigned n = 0;; n++) {
        bool taken = false;
        snprintf(out, size, "%.10s%u", prefix ? prefix : "eth", n % 1000);
        json_array_foreach (rows, i, row)
            taken = taken || str_eq(json_str(row, "Interface"), out);
        if (!taken || n > json_array_size(rows))
            return;
    }
}

/* Docker says more of ports that can't be had. */
static bool about_ports(const struct err *err)
{
    return err &&
           (str_starts(err->message, "Bind for ") || str_starts(err->message, "failed to bind host port") ||
            str_starts(err->message, "cannot publish "));
}

/* Which of a network's families are published there. */
struct ways {
    bool ipv4, ipv6;
    bool loud; /* it is the container's way out: what can't be published there can't be at all */
};

/* The ports that are published by way of a network. */
static int choose_ports(struct container *c, const struct engine_network *n, struct ways ways,
                        struct published *ret, struct err *err)
{
    if (!n->publishes || (!ways.ipv4 && !ways.ipv6))
        return 0;
    if (published_wanted(c, ret, err) < 0)
        return -1;
    published_choose(ret, ways.ipv4 && n->ipv4, ways.ipv6 && n->ipv6,
                     str_eq(n->host_ip, "0.0.0.0") ? NULL : n->host_ip, ways.loud && n->ipv4);
    return 0;
}

/* What is asked of an endpoint. */
static void read_asked(struct container *c, const struct engine_network *n, const json_t *asked,
                       const json_t *rows, struct network_endpoint *e)
{
    const json_t *ipam = json_object_get(asked, "IPAMConfig");
    const char *first = json_array_size(rows) == 0 ? json_str_or(c->config, "MacAddress", "") : "";
    copy_text(e->container_id, sizeof(e->container_id), c->id);
    choose_interface(asked, n->iface_prefix, rows, e->interface, sizeof(e->interface));
    copy_text(e->mac, sizeof(e->mac), json_str_or(asked, "MacAddress", first));
    copy_text(e->ip, sizeof(e->ip), json_str_or(ipam, "IPv4Address", ""));
    copy_text(e->ip6, sizeof(e->ip6), json_str_or(ipam, "IPv6Address", ""));
}

/* Joins one network and appends its row. */
static int attach_one(struct container *c, const char *key, struct ways ways, const struct place *at,
                      json_t *rows, struct err *err)
{
    _cleanup_engine_network_ struct engine_network n = {0};
    struct network_endpoint e = {.ports = NULL};
    struct published ports = {0};
    const json_t *asked = json_object_get(c->network_config, key);
    if (engine_network_find(c->engine, key, &n, err) < 0)
        return err_wrap(err, "failed to set up container networking");
    if (!n.network)
        return err_set(err, ERR_INVALID,
                       "conflicting options: cannot attach both user-defined and non-user-defined "
                       "network-modes");
    read_asked(c, &n, asked, rows, &e);
    int r = choose_ports(c, &n, ways, &ports, err);
    if (r == 0)
        r = attach_with_ports(n.network, &e, &ports, at->netns, at->inner, err);
    if (r == 0) {
        _cleanup_free_ char *line = zone_line(c, c->name, asked, e.ip, e.ip6);
        json_array_append_new(rows, endpoint_to_json(key, n.id, json_int_or(asked, "GwPriority", 0), &e));
        engine_network_connected(c->engine, n.id, &e, c->name, line, /* quiet= */ false);
    } else if (about_ports(err)) {
        err_wrap(err,
                 "failed to set up container networking: driver failed programming external connectivity on "
                 "endpoint %s",
                 c->name);
    } else {
        err_wrap(err, "failed to set up container networking");
    }
    published_finish(&ports);
    return r;
}

/* ---- the way out ---- */

/* Where a row has its gateway, by family. */
static const struct {
    int family;
    const char *gateway, *address;
} families[] = {{AF_INET, "Gateway", "IPAddress"}, {AF_INET6, "IPv6Gateway", "GlobalIPv6Address"}};

/* True when a is to be preferred for the default route. */
static bool outweighs(const json_t *a, const json_t *b)
{
    int64_t x = json_int_or(a, "Priority", 0), y = json_int_or(b, "Priority", 0);
    return x != y ? x > y : strcmp(json_str_or(a, "Network", ""), json_str_or(b, "Network", "")) < 0;
}

static const json_t *find_gateway(const json_t *endpoints, const char *member)
{
    const json_t *found = NULL, *row;
    size_t i;
    json_array_foreach (endpoints, i, row)
        if (*json_str_or(row, member, "") && (!found || outweighs(row, found)))
            found = row;
    return found;
}

const json_t *endpoints_gateway(const json_t *endpoints)
{
    const json_t *found = find_gateway(endpoints, families[0].gateway);
    return found ? found : find_gateway(endpoints, families[1].gateway);
}

/* The networks that will have the default routes, as rows with what finding them needs. */
static json_t *foresee_gateways(struct container *c)
{
    json_t *rows = json_array(), *asked;
    const char *key;
    json_object_foreach (c->network_config, key, asked) {
        _cleanup_engine_network_ struct engine_network n = {0};
        if (engine_network_find(c->engine, key, &n, NULL) == 0 && n.network && !n.internal)
            json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:I}", "Network", key, "Gateway",
                                                  n.gateway, "IPv6Gateway", n.gateway6, "Priority",
                                                  (json_int_t)json_int_or(asked, "GwPriority", 0)));
    }
    return rows;
}

static struct ways ways_by(const json_t *gateways, const char *key)
{
    const json_t *four = find_gateway(gateways, families[0].gateway),
                 *six = find_gateway(gateways, families[1].gateway);
    return (struct ways){.ipv4 = str_eq(json_str(four, "Network"), key),
                         .ipv6 = str_eq(json_str(six, "Network"), key),
                         .loud = !six};
}

/* remove: there may be one that is no longer right. */
static int set_default_routes(const json_t *rows, int inner, bool remove, struct err *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++) {
        const json_t *row = find_gateway(rows, families[i].gateway);
        if (row || (remove && families[i].family == AF_INET))
            r = network_default_route(inner, families[i].family, json_str_or(row, "Interface", ""),
                                      json_str_or(row, families[i].gateway, ""), err);
        else if (remove) /* without IPv6 in the kernel there's none to be removed */
            network_default_route(inner, families[i].family, "", "", NULL);
    }
    return r;
}

const char *endpoints_key(const struct container *c, const json_t *network_config, const char *ref)
{
    _cleanup_engine_network_ struct engine_network n = {0};
    const char *key;
    json_t *asked;
    bool known;
    json_object_foreach ((json_t *)network_config, key, asked)
        if (str_eq(key, ref))
            return key;
    known = engine_network_find(c->engine, ref, &n, NULL) == 0;
    json_object_foreach ((json_t *)network_config, key, asked)
        if (known && (str_eq(key, n.name) || strncmp(n.id, key, MAX_OF(strlen(key), 12u)) == 0))
            return key;
    return NULL;
}

int endpoints_attach(struct container *c, int netns, int inner, struct err *err)
{
    const struct place at = {netns, inner};
    json_t *rows = json_array(), *asked;
    const char *mode = json_str_or(c->host_config, "NetworkMode", "bridge"), *key;
    const char *first = endpoints_key(c, c->network_config, mode);
    _cleanup_json_ json_t *gateways = foresee_gateways(c);
    int r = first ? attach_one(c, first, ways_by(gateways, first), &at, rows, err) : 0;
    json_object_foreach (c->network_config, key, asked) {
        if (r == 0 && !str_eq(key, first))
            r = attach_one(c, key, ways_by(gateways, key), &at, rows, err);
    }
    if (r == 0)
        r = set_default_routes(rows, inner, /* remove= */ false, err);
    set_endpoints(c, rows);
    if (r < 0)
        endpoints_detach(c);
    else
        note_network_ids(c);
    return r;
}

/* Whether ports are published by a family. */
static bool has_ports(const json_t *rows, int family)
{
    const json_t *row, *port;
    size_t i, j;
    json_array_foreach (rows, i, row)
        json_array_foreach (json_object_get(row, "Ports"), j, port)
            if ((strchr(json_str_or(port, "HostIP", ""), ':') != NULL) == (family == AF_INET6))
                return true;
    return false;
}

void endpoints_note_driverless(struct container *c)
{
    const char *mode = json_str_or(c->host_config, "NetworkMode", "");
    _cleanup_engine_network_ struct engine_network n = {0};
    struct network_endpoint e = {.prefix = 0};
    json_t *rows = json_array();
    if ((!str_eq(mode, "host") && !str_eq(mode, "none")) ||
        engine_network_find(c->engine, mode, &n, NULL) < 0) {
        json_decref(rows);
        return;
    }
    copy_text(e.container_id, sizeof(e.container_id), c->id);
    json_array_append_new(rows, endpoint_to_json(mode, n.id, 0, &e));
    set_endpoints(c, rows);
    note_network_ids(c);
    engine_network_connected(c->engine, n.id, &e, c->name, NULL, /* quiet= */ false);
}

int endpoints_settle(struct engine *e, json_t **config, struct err *err)
{
    json_t *settled = json_object(), *asked;
    const char *key;
    json_object_foreach (*config, key, asked) {
        _cleanup_engine_network_ struct engine_network n = {0};
        const char *name = key;
        if (engine_network_find(e, key, &n, NULL) == 0) {
            name = n.name;
            if (engine_network_check_settings(&n, asked, err) < 0) {
                json_decref(settled);
                return err_wrap(err, "invalid config for network %s", n.name);
            }
        }
        if (!json_object_get(settled, name) || json_object_size(asked))
            json_object_set(settled, name, asked);
    }
    json_decref(*config);
    *config = settled;
    return 0;
}

int endpoints_join(struct container *c, const char *key, int netns, int inner, struct err *err)
{
    const struct place at = {netns, inner};
    json_t *rows = json_copy(c->endpoints);
    const struct ways ways = {.ipv4 = !has_ports(rows, AF_INET) && !find_gateway(rows, families[0].gateway),
                              .ipv6 = !has_ports(rows, AF_INET6) && !find_gateway(rows, families[1].gateway)};
    int r = attach_one(c, key, ways, &at, rows, err);
    if (r == 0 && set_default_routes(rows, inner, /* remove= */ true, err) < 0) {
        detach_one(c, json_array_get(rows, json_array_size(rows) - 1), inner);
        r = -1;
    }
    if (r < 0) {
        json_decref(rows);
        return -1;
    }
    set_endpoints(c, rows);
    note_network_ids(c);
    return 0;
}

/* The ports of one family, to be published by way of its default route. *ret_row: what that row says from now on. */
static int move_family(struct container *c, const json_t *row, const struct published *ports,
                       json_t **ret_row, struct err *err)
{
    _cleanup_engine_network_ struct engine_network n = {0};
    struct published none = {0};
    struct network_endpoint e;
    if (engine_network_find(c->engine, json_str_or(row, "NetworkID", ""), &n, err) < 0)
        return -1;
    if (!n.publishes)
        return 0;
    endpoint_from_json(c, row, &none, &e);
    e.ports = ports->ports;
    e.port_count = ports->count;
    int r = network_publish(n.network, &e, err);
    if (r == 0) {
        _cleanup_json_ json_t *more = published_to_json(&e);
        *ret_row = json_copy((json_t *)row);
        json_t *all = json_copy(json_object_get(row, "Ports"));
        json_array_extend(all, more);
        json_object_set_new(*ret_row, "Ports", all);
    }
    published_finish(&none);
    return r;
}

/* Ports that went with their network are published by way of the new default routes. */
static int move_ports(struct container *c, json_t *rows, const json_t *ports, struct err *err)
{
    int r = 0;
    for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
        const json_t *gateway = find_gateway(rows, families[f].gateway), *row;
        _cleanup_published_ struct published p = {0};
        json_t *changed = NULL;
        size_t i;
        published_from_json(ports, &p);
        published_choose(&p, families[f].family == AF_INET, families[f].family == AF_INET6, "0.0.0.0", false);
        if (!gateway || p.count == 0)
            continue;
        if (move_family(c, gateway, &p, &changed, r == 0 ? err : NULL) < 0)
            r = -1;
        json_array_foreach (rows, i, row) {
            if (row == gateway && changed) {
                json_array_set_new(rows, i, changed);
                break;
            }
        }
    }
    return r;
}

int endpoints_leave(struct container *c, const json_t *left, int inner, struct err *err)
{
    _cleanup_json_ json_t *keep = json_incref((json_t *)left);
    json_t *rows = json_array(), *row;
    size_t i;
    json_array_foreach (c->endpoints, i, row)
        if (row != left)
            json_array_append(rows, row);
    detach_one(c, keep, inner);
    int r = set_default_routes(rows, inner, /* remove= */ true, err);
    if (move_ports(c, rows, json_object_get(keep, "Ports"), r == 0 ? err : NULL) < 0)
        r = -1;
    set_endpoints(c, rows);
    return r;
}

void endpoints_rename(struct container *c)
{
    const json_t *row;
    size_t i;
    json_array_foreach (c->endpoints, i, row) {
        const json_t *asked = json_object_get(c->network_config, json_str_or(row, "Network", ""));
        _cleanup_free_ char *line = zone_line(c, c->name, asked, json_str_or(row, "IPAddress", ""),
                                              json_str_or(row, "GlobalIPv6Address", ""));
        engine_network_renamed(c->engine, json_str_or(row, "NetworkID", ""), c->id, c->name, line);
    }
}

void endpoints_detach(struct container *c)
{
    json_t *rows = json_incref(c->endpoints), *row;
    size_t i;
    json_array_foreach (rows, i, row)
        detach_one(c, row, -EBADF);
    set_endpoints(c, json_array());
    json_decref(rows);
}

void endpoints_restore(struct container *c)
{
    const json_t *row;
    size_t i;
    json_array_foreach (c->endpoints, i, row) {
        _cleanup_engine_network_ struct engine_network n = {0};
        struct published ports = {0};
        struct network_endpoint e;
        struct err err = {0};
        endpoint_from_json(c, row, &ports, &e);
        if (engine_network_find(c->engine, json_str_or(row, "NetworkID", ""), &n, &err) < 0 ||
            (n.network && network_restore(n.network, &e, &err) < 0))
            log_warn("container %.12s: its place in network %s is lost: %s", c->id,
                     json_str_or(row, "Network", ""), err.message);
        else {
            const json_t *asked = json_object_get(c->network_config, json_str_or(row, "Network", ""));
            _cleanup_free_ char *line = zone_line(c, c->name, asked, e.ip, e.ip6);
            engine_network_connected(c->engine, n.id, &e, c->name, line, /* quiet= */ true);
        }
        published_finish(&ports);
    }
}

/* ---- shown ---- */

/* Only there ports mean something. */
static bool has_bridge(const json_t *endpoints)
{
    const json_t *row;
    size_t i;
    json_array_foreach (endpoints, i, row)
        if (*json_str_or(row, "HostInterface", ""))
            return true;
    return false;
}

json_t *endpoints_ports(const json_t *config, const json_t *endpoints)
{
    json_t *shown = json_object(), *value;
    const json_t *endpoint, *port;
    const char *key;
    size_t i, j;
    json_object_foreach (json_object_get(config, "ExposedPorts"), key, value) {
        if (has_bridge(endpoints))
            json_object_set_new(shown, key, json_null());
    }
    json_array_foreach (endpoints, i, endpoint)
        json_array_foreach (json_object_get(endpoint, "Ports"), j, port) {
            _cleanup_free_ char *name = xasprintf("%lld/%s", (long long)json_int_or(port, "ContainerPort", 0),
                                                  json_str_or(port, "Protocol", ""));
            _cleanup_free_ char *host = xasprintf("%lld", (long long)json_int_or(port, "HostPort", 0));
            const char *ip = json_str_or(port, "HostIP", "");
            json_t *list = json_object_get(shown, name), *row = json_object();
            if (!json_is_array(list)) {
                list = json_array();
                json_object_set_new(shown, name, list);
            }
            json_set_str(row, "HostIp", *ip ? ip : "0.0.0.0");
            json_set_str(row, "HostPort", host);
            json_array_append_new(list, row);
        }
    return shown;
}

json_t *endpoints_networks(const struct container *c, const struct container_snapshot *s)
{
    static const char *const members[] = {"NetworkID",   "EndpointID",        "Gateway",
                                          "IPAddress",   "IPPrefixLen",       "MacAddress",
                                          "IPv6Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen"};
    json_t *shown = json_object(), *asked;
    const char *key;
    json_object_foreach (s->network_config, key, asked) {
        json_t *settings = fields_expand(endpoint_fields, asked);
        const json_t *endpoint;
        size_t i, j;
        json_array_foreach (s->endpoints, i, endpoint) {
            if (!str_eq(json_str(endpoint, "Network"), key))
                continue;
            for (j = 0; j < ARRAY_SIZE(members); j++)
                if (json_object_get(endpoint, members[j]))
                    json_object_set(settings, members[j], json_object_get(endpoint, members[j]));
        }
        if (!networks_is_predefined(key) &&
            (s->state.started_at || s->state.exit_code || json_bool_or(asked, ENDPOINTS_NAMED, false)))
            json_object_set_new(settings, "DNSNames", zone_names(c->id, s->name, s->config, asked));
        json_object_set_new(shown, key, settings);
    }
    return shown;
}
