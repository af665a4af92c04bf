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

static json_t *endpoint_to_json(const char *key, const char *network_id, const struct network_endpoint *e)
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

/* ---- attach ---- */

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

/* Joins one network and appends its row. Ports are published through the first. */
static int attach_one(struct container *c, const char *key, const json_t *asked, int netns, int inner,
                      json_t *rows, struct err *err)
{
    _cleanup_engine_network_ struct engine_network n = {0};
    struct network_endpoint e = {.ports = NULL};
    struct published ports = {0};
    size_t index = json_array_size(rows);
    if (engine_network_find(c->engine, key, &n, err) < 0)
        return err_wrap(err, "failed to set up container networking");
    if (!n.network)
        return err_set(err, ERR_INVALID,
                       "conflicting options: cannot attach both user-defined and non-user-defined "
                       "network-modes");
    int r = index == 0 ? published_wanted(c, &ports, err) : 0;
    const char *mac =
        json_str_or(asked, "MacAddress", index == 0 ? json_str_or(c->config, "MacAddress", "") : "");
    copy_text(e.container_id, sizeof(e.container_id), c->id);
    snprintf(e.interface, sizeof(e.interface), "eth%u", (unsigned)index % 1000);
    copy_text(e.mac, sizeof(e.mac), mac);
    copy_text(e.ip, sizeof(e.ip), json_str_or(json_object_get(asked, "IPAMConfig"), "IPv4Address", ""));
    if (r == 0)
        r = attach_with_ports(n.network, &e, &ports, netns, inner, err);
    if (r == 0) {
        json_array_append_new(rows, endpoint_to_json(key, n.id, &e));
        engine_network_connected(c->engine, n.id, &e, c->name, /* quiet= */ false);
    } else {
        err_wrap(err,
                 "failed to set up container networking: driver failed programming external connectivity on "
                 "endpoint %s",
                 c->name);
    }
    published_finish(&ports);
    return r;
}

int endpoints_attach(struct container *c, int netns, int inner, struct err *err)
{
    json_t *rows = json_array(), *asked;
    const char *mode = json_str_or(c->host_config, "NetworkMode", "bridge"), *key;
    int r = attach_one(c, mode, json_object_get(c->network_config, mode), netns, inner, rows, err);
    json_object_foreach (c->network_config, key, asked) {
        if (r == 0 && !str_eq(key, mode))
            r = attach_one(c, key, asked, netns, inner, rows, err);
    }
    set_endpoints(c, rows);
    if (r < 0)
        endpoints_detach(c);
    else
        note_network_ids(c);
    return r;
}

static void detach_one(struct container *c, const json_t *row)
{
    _cleanup_engine_network_ struct engine_network n = {0};
    struct published ports = {0};
    struct network_endpoint e;
    struct err err = {0};
    const char *id = json_str_or(row, "NetworkID", "");
    endpoint_from_json(c, row, &ports, &e);
    engine_network_disconnected(c->engine, id, c->id);
    if (engine_network_find(c->engine, id, &n, NULL) == 0 && n.network &&
        network_detach(n.network, &e, &err) < 0)
        log_debug("container %.12s: leave network %s: %s", c->id, n.name, err.message);
    published_finish(&ports);
}

void endpoints_detach(struct container *c)
{
    json_t *rows = json_incref(c->endpoints), *row;
    size_t i;
    json_array_foreach (rows, i, row)
        detach_one(c, row);
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
        if (engine_network_find(c->engine, json_str_or(row, "NetworkID", ""), &n, &err) < 0 || !n.network ||
            network_restore(n.network, &e, &err) < 0)
            log_warn("container %.12s: its place in network %s is lost: %s", c->id,
                     json_str_or(row, "Network", ""), err.message);
        else
            engine_network_connected(c->engine, n.id, &e, c->name, /* quiet= */ true);
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
        if (json_array_size(endpoints) > 0)
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

/* What resolves to the container in a network that users made: its name, its short id, its aliases. */
static json_t *dns_names(const struct container *c, const struct container_snapshot *s, const json_t *asked)
{
    json_t *names = json_array();
    const json_t *alias;
    size_t i;
    json_array_append_new(names, json_string(s->name));
    json_array_foreach (json_object_get(asked, "Aliases"), i, alias)
        json_array_append(names, (json_t *)alias);
    json_array_append_new(names, json_stringn(c->id, 12));
    return names;
}

json_t *endpoints_networks(const struct container *c, const struct container_snapshot *s)
{
    static const char *const members[] = {"NetworkID", "EndpointID",  "Gateway",
                                          "IPAddress", "IPPrefixLen", "MacAddress"};
    static const char *const predefined[] = {"bridge", "host", "none"};
    json_t *shown = json_object(), *asked;
    const char *key;
    json_object_foreach (s->network_config, key, asked) {
        json_t *settings = fields_expand(endpoint_fields, asked);
        const json_t *endpoint;
        size_t i, j;
        bool users = true;
        for (i = 0; i < ARRAY_SIZE(predefined); i++)
            users = users && !str_eq(predefined[i], key);
        json_array_foreach (s->endpoints, i, endpoint) {
            if (!str_eq(json_str(endpoint, "Network"), key))
                continue;
            for (j = 0; j < ARRAY_SIZE(members); j++)
                json_object_set(settings, members[j], json_object_get(endpoint, members[j]));
        }
        if (users && s->state.started_at)
            json_object_set_new(settings, "DNSNames", dns_names(c, s, asked));
        json_object_set_new(shown, key, settings);
    }
    return shown;
}
