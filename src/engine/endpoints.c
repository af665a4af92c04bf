/* Endpoints: between Docker's objects and src/network. */
#include "engine/endpoints.h"

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
    json_set_int(row, "Priority", priority);
    json_object_set_new(row, "Ports", published_to_json(e));
    return row;
}

/* `ports` is filled and must outlive *ret. */
static void endpoint_from_json(const struct container *c, const json_t *row, struct published *ports,
                               struct network_endpoint *ret)
{
    published_from_json(json_object_get(row, "Ports"), ports);
    *ret = (struct network_endpoint){
        .prefix = (int)json_int_or(row, "IPPrefixLen", 0), .ports = ports->ports, .port_count = ports->count};
    copy_text(ret->container_id, sizeof(ret->container_id), c->id);
    copy_text(ret->interface, sizeof(ret->interface), json_str_or(row, "Interface", ""));
    copy_text(ret->host_interface, sizeof(ret->host_interface), json_str_or(row, "HostInterface", ""));
    copy_text(ret->mac, sizeof(ret->mac), json_str_or(row, "MacAddress", ""));
    copy_text(ret->ip, sizeof(ret->ip), json_str_or(row, "IPAddress", ""));
    copy_text(ret->gateway, sizeof(ret->gateway), json_str_or(row, "Gateway", ""));
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

static void detach_one(struct container *c, const json_t *row, bool lives_on)
{
    _cleanup_engine_network_ struct engine_network n = {0};
    struct published ports = {0};
    struct network_endpoint e;
    struct err err = {0};
    const char *id = json_str_or(row, "NetworkID", "");
    endpoint_from_json(c, row, &ports, &e);
    engine_network_disconnected(c->engine, id, c->id);
    int (*detach)(struct network *, const struct network_endpoint *, struct err *) =
        lives_on ? network_leave : network_detach;
    if (engine_network_find(c->engine, id, &n, NULL) == 0 && n.network && detach(n.network, &e, &err) < 0)
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
           (str_starts(err->message, "Bind for ") || str_starts(err->message, "failed to bind host port"));
}

/* Joins one network and appends its row. */
static int attach_one(struct container *c, const char *key, bool publish, const struct place *at,
                      json_t *rows, struct err *err)
{
    _cleanup_engine_network_ struct engine_network n = {0};
    struct network_endpoint e = {.ports = NULL};
    struct published ports = {0};
    const json_t *asked = json_object_get(c->network_config, key);
    bool first = json_array_size(rows) == 0;
    if (engine_network_find(c->engine, key, &n, err) < 0)
        return err_wrap(err, "failed to set up container networking");
    if (!n.network)
        return err_set(err, ERR_INVALID,
                       "conflicting options: cannot attach both user-defined and non-user-defined "
                       "network-modes");
    int r = publish && !n.internal ? published_wanted(c, &ports, err) : 0;
    for (size_t i = 0; n.host_ip && !str_eq(n.host_ip, "0.0.0.0") && i < ports.count; i++)
        if (!*ports.ports[i].host_ip)
            copy_text(ports.ports[i].host_ip, sizeof(ports.ports[i].host_ip), n.host_ip);
    const char *mac = json_str_or(asked, "MacAddress", first ? json_str_or(c->config, "MacAddress", "") : "");
    copy_text(e.container_id, sizeof(e.container_id), c->id);
    choose_interface(asked, n.iface_prefix, rows, e.interface, sizeof(e.interface));
    copy_text(e.mac, sizeof(e.mac), mac);
    copy_text(e.ip, sizeof(e.ip), json_str_or(json_object_get(asked, "IPAMConfig"), "IPv4Address", ""));
    if (r == 0)
        r = attach_with_ports(n.network, &e, &ports, at->netns, at->inner, err);
    if (r == 0) {
        _cleanup_free_ char *line = zone_line(c, c->name, asked, e.ip);
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

/* True when a is to be preferred for the default route. */
static bool outweighs(const json_t *a, const json_t *b)
{
    int64_t x = json_int_or(a, "Priority", 0), y = json_int_or(b, "Priority", 0);
    return x != y ? x > y : strcmp(json_str_or(a, "Network", ""), json_str_or(b, "Network", "")) < 0;
}

const json_t *endpoints_gateway(const json_t *endpoints)
{
    const json_t *found = NULL, *row;
    size_t i;
    json_array_foreach (endpoints, i, row)
        if (*json_str_or(row, "Gateway", "") && (!found || outweighs(row, found)))
            found = row;
    return found;
}

/* The network that will have the default route, and publishes ports. The caller frees. */
static char *find_outward(struct container *c)
{
    _cleanup_json_ json_t *rows = json_array();
    const char *key;
    json_t *asked;
    json_object_foreach (c->network_config, key, asked) {
        _cleanup_engine_network_ struct engine_network n = {0};
        if (engine_network_find(c->engine, key, &n, NULL) == 0 && n.network && !n.internal)
            json_array_append_new(rows,
                                  json_pack("{s:s, s:s, s:I}", "Network", key, "Gateway", n.gateway,
                                            "Priority", (json_int_t)json_int_or(asked, "GwPriority", 0)));
    }
    return xstrdup(json_str(endpoints_gateway(rows), "Network"));
}

static int set_default_route(const json_t *rows, int inner, struct err *err)
{
    const json_t *gateway = endpoints_gateway(rows);
    return network_default_route(inner, json_str_or(gateway, "Interface", ""),
                                 json_str_or(gateway, "Gateway", ""), err);
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
    _cleanup_free_ char *outward = find_outward(c);
    int r = first ? attach_one(c, first, str_eq(first, outward), &at, rows, err) : 0;
    json_object_foreach (c->network_config, key, asked) {
        if (r == 0 && !str_eq(key, first))
            r = attach_one(c, key, str_eq(key, outward), &at, rows, err);
    }
    if (r == 0 && endpoints_gateway(rows))
        r = set_default_route(rows, inner, err);
    set_endpoints(c, rows);
    if (r < 0)
        endpoints_detach(c);
    else
        note_network_ids(c);
    return r;
}

static bool has_ports(const json_t *rows)
{
    const json_t *row;
    size_t i;
    json_array_foreach (rows, i, row)
        if (json_array_size(json_object_get(row, "Ports")) > 0)
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
    int r = attach_one(c, key, !has_ports(rows) && !endpoints_gateway(rows), &at, rows, err);
    if (r == 0 && set_default_route(rows, inner, err) < 0) {
        detach_one(c, json_array_get(rows, json_array_size(rows) - 1), /* lives_on= */ true);
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

/* Ports that went with their network are published by way of the new default route. */
static int move_ports(struct container *c, json_t *rows, const json_t *ports, struct err *err)
{
    _cleanup_engine_network_ struct engine_network n = {0};
    const json_t *gateway = endpoints_gateway(rows);
    struct published published = {0}, none = {0};
    struct network_endpoint e;
    if (!gateway || json_array_size(ports) == 0)
        return 0;
    if (engine_network_find(c->engine, json_str_or(gateway, "NetworkID", ""), &n, err) < 0)
        return -1;
    endpoint_from_json(c, gateway, &none, &e);
    published_from_json(ports, &published);
    e.ports = published.ports;
    e.port_count = published.count;
    int r = network_publish(n.network, &e, err);
    if (r == 0) {
        json_t *changed = json_copy((json_t *)gateway), *row;
        size_t i;
        json_object_set_new(changed, "Ports", published_to_json(&e));
        json_array_foreach (rows, i, row) {
            if (row == gateway) {
                json_array_set_new(rows, i, changed);
                break;
            }
        }
    }
    published_finish(&published);
    published_finish(&none);
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
    detach_one(c, keep, /* lives_on= */ true);
    int r = set_default_route(rows, inner, err);
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
        _cleanup_free_ char *line = zone_line(c, c->name, asked, json_str_or(row, "IPAddress", ""));
        engine_network_renamed(c->engine, json_str_or(row, "NetworkID", ""), c->id, c->name, line);
    }
}

void endpoints_detach(struct container *c)
{
    json_t *rows = json_incref(c->endpoints), *row;
    size_t i;
    json_array_foreach (rows, i, row)
        detach_one(c, row, /* lives_on= */ false);
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
            _cleanup_free_ char *line = zone_line(c, c->name, asked, e.ip);
            engine_network_connected(c->engine, n.id, &e, c->name, line, /* quiet= */ true);
        }
        published_finish(&ports);
    }
}

/* ---- shown ---- */

json_t *endpoints_ports(const json_t *config, const json_t *endpoints)
{
    json_t *shown = json_object(), *value;
    const json_t *endpoint, *port;
    const char *key;
    size_t i, j;
    json_object_foreach (json_object_get(config, "ExposedPorts"), key, value) {
        if (*json_str_or(json_array_get(endpoints, 0), "IPAddress", ""))
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
    static const char *const members[] = {"NetworkID", "EndpointID",  "Gateway",
                                          "IPAddress", "IPPrefixLen", "MacAddress"};
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
                json_object_set(settings, members[j], json_object_get(endpoint, members[j]));
        }
        if (!networks_is_predefined(key) && s->state.started_at)
            json_object_set_new(settings, "DNSNames", zone_names(c->id, s->name, s->config, asked));
        json_object_set_new(shown, key, settings);
    }
    return shown;
}
