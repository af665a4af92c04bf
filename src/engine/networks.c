/* Networks: the table, the predefined ones, and who is connected. */
#include "engine/networks.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/networks_internal.h"
#include "engine/zones.h"

#define OPTION_BRIDGE "com.docker.network.bridge."

static const struct {
    const char *name, *driver;
} predefined[] = {{"bridge", "bridge"}, {"host", "host"}, {"none", "null"}};

bool networks_has_state(const struct network_entry *n)
{
    return !str_eq(n->driver, "host") && !str_eq(n->driver, "null");
}

bool networks_is_predefined(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(predefined); i++)
        if (str_eq(predefined[i].name, name))
            return true;
    return false;
}

/* ---- the table ---- */

struct network_entry *networks_add(struct engine *e, const char *id, json_t *row)
{
    struct network_entry *n = xcalloc(1, sizeof(*n)), **last = &e->networks->first;

    snprintf(n->id, sizeof(n->id), "%s", id);
    n->name = xstrdup(json_str_or(row, "Name", ""));
    n->driver = xstrdup(json_str_or(row, "Driver", ""));
    n->row = json_incref(row);
    n->containers = json_object();
    n->names = json_object();
    while (*last)
        last = &(*last)->next;
    *last = n;
    return n;
}

void networks_drop(struct engine *e, struct network_entry *n)
{
    struct network_entry **p = &e->networks->first;

    while (*p && *p != n)
        p = &(*p)->next;
    if (*p)
        *p = n->next;
    free(n->name);
    free(n->driver);
    json_decref(n->row);
    json_decref(n->containers);
    json_decref(n->names);
    free(n);
}

static int networks_load_row(void *arg, const char *key, const char *name _unused_, json_t *value)
{
    networks_add(arg, key, value);
    return 0;
}

struct network_entry *networks_lookup(struct engine *e, const char *ref, struct err *err)
{
    struct network_entry *found = NULL;
    size_t len = strlen(ref);

    for (struct network_entry *n = e->networks->first; n; n = n->next)
        if (str_eq(n->id, ref))
            return n;
    for (struct network_entry *n = e->networks->first; n; n = n->next)
        if (str_eq(n->name, ref))
            return n;
    for (struct network_entry *n = e->networks->first; n && len; n = n->next) {
        if (strncmp(n->id, ref, len) != 0)
            continue;
        if (found) {
            err_set(err, ERR_INVALID, "network %s is ambiguous (2 matches found based on ID prefix)", ref);
            return NULL;
        }
        found = n;
    }
    if (!found)
        err_set(err, ERR_NOT_FOUND, "network %s not found", ref);
    return found;
}

/* ---- bringing up ---- */

json_t *networks_document(const char *id, const char *name, const char *driver, json_t *config,
                          json_t *options, json_t *labels)
{
    char created[CLOCK_TEXT_SIZE];

    clock_format(clock_now(), created);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:{s:s, s:n, s:o}, s:b, s:b, s:b, s:{s:s}, s:b, s:{}, s:o, s:o}",
        "Name", name, "Id", id, "Created", created, "Scope", "local", "Driver", driver, "EnableIPv4", 1,
        "EnableIPv6", 0, "IPAM", "Driver", "default", "Options", "Config", config ? config : json_null(),
        "Internal", 0, "Attachable", 0, "Ingress", 0, "ConfigFrom", "Network", "", "ConfigOnly", 0,
        "Containers", "Options", options ? options : json_object(), "Labels",
        labels ? labels : json_object());
}

static struct network_entry *networks_by_name(struct engine *e, const char *name)
{
    struct network_entry *n = e->networks->first;

    while (n && !str_eq(n->name, name))
        n = n->next;
    return n;
}

static int networks_make_predefined(struct engine *e, const char *name, const char *driver, struct err *err)
{
    struct network_entry *n = networks_by_name(e, name);
    char id[65];
    json_t *row;

    if (!n) {
        random_hex(id, 32);
        row = networks_document(id, name, driver, NULL, NULL, NULL);
        n = networks_add(e, id, row);
        json_decref(row);
        if (db_put(e->db, DB_NETWORKS, id, name, n->row, DB_LAZY, err) < 0)
            return -1;
    }
    return str_eq(name, "bridge") ? networks_start_default(e, n, err) : 0;
}

int engine_networks_open(struct engine *e, struct err *err)
{
    struct engine_networks *networks = xcalloc(1, sizeof(*networks));
    struct err failed = {0};

    pthread_mutex_init(&networks->lock, NULL);
    e->networks = networks;
    if (db_each(e->db, DB_NETWORKS, networks_load_row, e, err) < 0)
        return err_wrap(err, "cannot read the networks");
    for (size_t i = 0; i < ARRAY_SIZE(predefined); i++)
        if ((e->network_host || !str_eq(predefined[i].name, "bridge")) &&
            networks_make_predefined(e, predefined[i].name, predefined[i].driver, err) < 0)
            return -1;
    for (struct network_entry *n = networks->first; n && e->network_host; n = n->next) {
        _cleanup_json_ json_t *chosen = networks_chosen(n);

        if (n->network || !networks_has_state(n))
            continue;
        n->network = networks_bring_up(e, n, chosen, &failed);
        if (!n->network)
            log_warn("network %s is unavailable: %s", n->name, failed.message);
    }
    return 0;
}

void engine_networks_close(struct engine *e)
{
    if (!e->networks)
        return;
    while (e->networks->first)
        networks_drop(e, e->networks->first);
    pthread_mutex_destroy(&e->networks->lock);
    free(e->networks);
    e->networks = NULL;
}

/* ---- for containers ---- */

/* NULL: not said. The caller frees. */
static char *networks_option(const json_t *row, const char *key)
{
    const char *value = json_str_or(json_object_get(row, "Options"), key, "");

    return *value ? xstrdup(value) : NULL;
}

int engine_network_find(struct engine *e, const char *ref, struct engine_network *ret, struct err *err)
{
    struct network_entry *n;
    int r = -1;

    pthread_mutex_lock(&e->networks->lock);
    if (str_eq(ref, "default"))
        ref = e->network_host ? "bridge" : "none"; /* --bridge=none */
    n = networks_lookup(e, ref, err);
    if (n && networks_has_state(n) && !n->network) {
        err_set(err, ERR_UNAVAILABLE,
                "network %s is unavailable: see the daemon's log for what is in its way", n->name);
    } else if (n) {
        n->references++;
        *ret = (struct engine_network){
            .engine = e,
            .entry = n,
            .name = xstrdup(n->name),
            .driver = xstrdup(n->driver),
            .network = n->network,
            .gateway = n->network ? network_way_out(n->network, AF_INET) : "",
            .gateway6 = n->network ? network_way_out(n->network, AF_INET6) : "",
            .own_subnets = networks_own(n),
            .publishes = n->network && network_publishes(n->network),
            .ipv4 = json_bool_or(n->row, "EnableIPv4", true),
            .ipv6 = json_bool_or(n->row, "EnableIPv6", false),
            .internal = json_bool_or(n->row, "Internal", false),
            .host_ip = networks_option(n->row, OPTION_BRIDGE "host_binding_ipv4"),
            .iface_prefix = networks_option(n->row, "com.docker.network.container_iface_prefix"),
        };
        snprintf(ret->id, sizeof(ret->id), "%s", n->id);
        r = 0;
    }
    pthread_mutex_unlock(&e->networks->lock);
    return r;
}

void engine_network_finish(struct engine_network *n)
{
    if (n->entry) {
        pthread_mutex_lock(&n->engine->networks->lock);
        n->entry->references--;
        pthread_mutex_unlock(&n->engine->networks->lock);
    }
    free(n->name);
    free(n->driver);
    strv_free(n->own_subnets);
    free(n->host_ip);
    free(n->iface_prefix);
    *n = (struct engine_network){0};
}

void engine_network_endpoint_id(const char *network_id, const char *container_id, char ret[65])
{
    _cleanup_free_ char *both = xasprintf("%s/%s", network_id, container_id);

    sha256_of(both, strlen(both), ret);
}

static void networks_container_event(struct engine *e, const struct network_entry *n, const char *action,
                                     const char *container_id)
{
    _cleanup_json_ json_t *attributes =
        json_pack("{s:s, s:s, s:s}", "container", container_id, "name", n->name, "type", n->driver);

    events_add(e->events, "network", action, n->id, attributes);
}

void engine_network_connected(struct engine *e, const char *network_id,
                              const struct network_endpoint *endpoint, const char *container_name,
                              const char *line, bool quiet)
{
    struct network_entry *n;
    char id[65], address[64] = "", address6[64] = "";

    engine_network_endpoint_id(network_id, endpoint->container_id, id);
    if (endpoint->ip[0])
        snprintf(address, sizeof(address), "%s/%d", endpoint->ip, endpoint->prefix);
    if (endpoint->ip6[0])
        snprintf(address6, sizeof(address6), "%s/%d", endpoint->ip6, endpoint->prefix6);
    pthread_mutex_lock(&e->networks->lock);
    n = networks_lookup(e, network_id, NULL);
    if (n) {
        json_object_set_new(n->containers, endpoint->container_id,
                            json_pack("{s:s, s:s, s:s, s:s, s:s}", "Name", container_name, "EndpointID", id,
                                      "MacAddress", endpoint->mac, "IPv4Address", address, "IPv6Address",
                                      address6));
        if (line && !networks_is_predefined(n->name))
            zones_set(e, n, endpoint->container_id, line);
        if (!quiet)
            networks_container_event(e, n, "connect", endpoint->container_id);
    }
    pthread_mutex_unlock(&e->networks->lock);
}

void engine_network_disconnected(struct engine *e, const char *network_id, const char *container_id)
{
    struct network_entry *n;

    pthread_mutex_lock(&e->networks->lock);
    n = networks_lookup(e, network_id, NULL);
    if (n && json_object_del(n->containers, container_id) == 0) {
        zones_set(e, n, container_id, NULL);
        networks_container_event(e, n, "disconnect", container_id);
    }
    pthread_mutex_unlock(&e->networks->lock);
}

void engine_network_renamed(struct engine *e, const char *network_id, const char *container_id,
                            const char *container_name, const char *line)
{
    struct network_entry *n;

    pthread_mutex_lock(&e->networks->lock);
    n = networks_lookup(e, network_id, NULL);
    if (n && json_object_get(n->containers, container_id)) {
        json_t *row = json_copy(json_object_get(n->containers, container_id));

        json_set_str(row, "Name", container_name);
        json_object_set_new(n->containers, container_id, row);
        if (!networks_is_predefined(n->name))
            zones_set(e, n, container_id, line);
    }
    pthread_mutex_unlock(&e->networks->lock);
}
