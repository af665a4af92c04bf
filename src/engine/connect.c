/* Containers join networks and leave them. What is to be is in the record (network_config); a container that runs has the
 * monitor hand out its namespace, and follows at once. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/endpoints.h"
#include "engine/fields.h"
#include "engine/monitors.h"
#include "engine/netfiles.h"
#include "engine/zones.h"
#include "network/address.h"

#define INVALID_SETTINGS "invalid endpoint settings:\n"

/* ---- checks ---- */

/* What keeps an address from being had, a line each. */
static void check_address(const struct engine_network *n, int family, const char *text, struct buf *out)
{
    struct address address;
    struct subnet subnet;
    bool good = address_parse(text, &address) == 0 && address.family == family, any = false;
    if (!good)
        buf_printf(out, "* invalid IPv%d address: %s\n", family == AF_INET6 ? 6 : 4, text);
    if (networks_is_predefined(n->name))
        buf_puts(out, "* user specified IP address is supported on user defined networks only\n");
    for (char **own = n->own_subnets; own && *own; own++) {
        if (subnet_parse(*own, &subnet, NULL) < 0 || subnet.base.family != family)
            continue;
        if (good && subnet_contains(&subnet, &address))
            return;
        any = true;
    }
    if (any)
        buf_printf(out, "* no configured subnet or ip-range contain the IP address %s\n", text);
    else
        buf_puts(out, "* user specified IP address is supported only when connecting to networks with user "
                      "configured subnets\n");
}

/* Docker numbers nothing, but marks where there is more than one. */
static int refuse_settings(struct buf *why, struct err *err)
{
    const char *text = buf_str(why);
    size_t lines = 0;
    if (!why->len)
        return 0;
    for (size_t i = 0; i < why->len; i++)
        lines += text[i] == '\n';
    return err_set(err, ERR_INVALID, INVALID_SETTINGS "%.*s", (int)why->len - 1 - (lines == 1 ? 2 : 0),
                   text + (lines == 1 ? 2 : 0));
}

int engine_network_check_settings(const struct engine_network *n, const json_t *settings, struct err *err)
{
    const json_t *ipam = json_object_get(settings, "IPAMConfig");
    const char *four = json_str_or(ipam, "IPv4Address", ""), *six = json_str_or(ipam, "IPv6Address", "");
    _cleanup_(buf_finish) struct buf why = BUF_INIT(65536);
    if (json_array_size(json_object_get(ipam, "LinkLocalIPs")))
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "link-local addresses of containers are not implemented by keg yet");
    if (json_array_size(json_object_get(settings, "Aliases")) && networks_is_predefined(n->name))
        buf_puts(&why, "* network-scoped alias is supported only for containers in user defined networks\n");
    if (*four)
        check_address(n, AF_INET, four, &why);
    if (*six)
        check_address(n, AF_INET6, six, &why);
    return refuse_settings(&why, err);
}

static int check_mode(const struct container *c, const struct engine_network *n, struct err *err)
{
    const char *mode = json_str_or(c->host_config, "NetworkMode", "");
    if (str_eq(n->name, "host"))
        return err_set(
            err, ERR_INVALID,
            "cannot connect container to host network - container must be created in host network mode");
    if (str_starts(mode, "container:") || str_eq(mode, "host"))
        return err_set(
            err, ERR_INVALID,
            "container sharing network namespace with another container or host cannot be connected to "
            "any other network");
    if (json_object_get(c->network_config, "none") || str_eq(n->name, "none"))
        return err_set(
            err, ERR_INVALID,
            "container cannot be connected to multiple networks with one of the networks in private "
            "(none) mode");
    return 0;
}

/* ---- the namespace of one that runs; between two starts it has it, too, and what is in there the next one finds ---- */

struct joined {
    int netns, inner;
};

static void joined_finish(struct joined *j)
{
    close_fd(&j->netns);
    close_fd(&j->inner);
}
#define _cleanup_joined_ _cleanup_(joined_finish)

static int open_namespace(struct container *c, struct joined *ret, struct err *err)
{
    int fds[MONITOR_FDS_MAX];
    size_t nfds = 0;
    _cleanup_json_ json_t *request = json_pack("{s:s}", "op", "network");
    if (monitor_request_fds(c, request, fds, &nfds, err) < 0)
        return -1;
    for (size_t i = 2; i < nfds; i++)
        close(fds[i]);
    if (nfds < 2) {
        if (nfds)
            close(fds[0]);
        return err_set(err, ERR_SYSTEM, "the monitor sent no network namespace");
    }
    *ret = (struct joined){.netns = fds[0], .inner = fds[1]};
    return 0;
}

/* Files and names follow what c->endpoints and c->network_config say by now. */
static int follow(struct container *c, const json_t *before, struct err *err)
{
    if (netfiles_update_resolv(c, before, err) < 0 || zones_write_container(c, err) < 0)
        return -1;
    if (zones_served(before) || !zones_served(c->network_config))
        return 0;
    _cleanup_json_ json_t *request = json_pack("{s:s}", "op", "names");
    return monitor_request(c, request, NULL, 0, NULL, err);
}

static void set_network_config(struct container *c, json_t *config)
{
    pthread_mutex_lock(&c->lock);
    json_t *old = c->network_config;
    c->network_config = config;
    pthread_mutex_unlock(&c->lock);
    json_decref(old);
}

static const json_t *find_row(const json_t *endpoints, const char *key)
{
    const json_t *row;
    size_t i;
    json_array_foreach (endpoints, i, row)
        if (str_eq(json_str(row, "Network"), key))
            return row;
    return NULL;
}

/* ---- connect ---- */

static int join_now(struct container *c, const char *key, const json_t *before, struct err *err)
{
    _cleanup_joined_ struct joined at = {-EBADF, -EBADF};
    if (open_namespace(c, &at, err) < 0 || endpoints_join(c, key, at.netns, at.inner, err) < 0)
        return -1;
    const json_t *row = find_row(c->endpoints, key);
    if (netfiles_add_address(c, row, err) == 0 && follow(c, before, err) == 0)
        return 0;
    endpoints_leave(c, row, at.inner, NULL);
    return -1;
}

static int connect_locked(struct container *c, const struct engine_network *n, json_t *settings,
                          struct err *err)
{
    _cleanup_json_ json_t *before = json_incref(c->network_config);
    const char *there = endpoints_key(c, before, n->id);
    if (c->removing)
        return err_set(err, ERR_CONFLICT,
                       "container is marked for removal and cannot be connected or disconnected");
    if (check_mode(c, n, err) < 0 || engine_network_check_settings(n, settings, err) < 0)
        return -1;
    if (there && container_status_runs(c->state.status))
        return err_set(err, ERR_FORBIDDEN, "endpoint with name %s already exists in network %s", c->name,
                       n->name);
    json_t *config = json_copy(before);
    json_set_bool(settings, ENDPOINTS_NAMED, true);
    json_object_set(config, there ? there : n->name, settings);
    set_network_config(c, config);
    int r = container_status_runs(c->state.status) ? join_now(c, n->name, before, err) : 0;
    if (r == 0)
        r = container_keep(c, err);
    if (r < 0)
        set_network_config(c, json_incref(before));
    return r;
}

int engine_network_connect(struct engine *e, const char *ref, const json_t *body, struct err *err)
{
    _cleanup_engine_network_ struct engine_network n = {0};
    const char *name = json_str_or(body, "Container", "");
    if (!*name)
        return err_set(err, ERR_INVALID, "invalid name or ID supplied: \"\"");
    if (engine_network_find(e, ref, &n, err) < 0)
        return -1;
    _cleanup_container_ struct container *c = containers_find(e, name, err);
    if (!c)
        return -1;
    _cleanup_json_ json_t *settings =
        fields_compact(endpoint_fields, json_object_get(body, "EndpointConfig"), "EndpointConfig", err);
    if (!settings)
        return -1;
    pthread_mutex_lock(&c->operation);
    int r = connect_locked(c, &n, settings, err);
    pthread_mutex_unlock(&c->operation);
    return r;
}

/* ---- disconnect ---- */

static int leave_now(struct container *c, const char *key, const json_t *before, struct err *err)
{
    _cleanup_joined_ struct joined at = {-EBADF, -EBADF};
    const json_t *row = find_row(c->endpoints, key);
    if (!row)
        return 0;
    if (!*json_str_or(row, "Interface", "")) { /* "none" */
        endpoints_detach(c);
        return 0;
    }
    if (open_namespace(c, &at, err) < 0)
        return -1;
    _cleanup_free_ char *four = xstrdup(json_str_or(row, "IPAddress", "")),
                        *six = xstrdup(json_str_or(row, "GlobalIPv6Address", ""));
    int r = endpoints_leave(c, row, at.inner, err);
    if (*four)
        netfiles_remove_address(c, four, NULL);
    if (*six)
        netfiles_remove_address(c, six, NULL);
    return follow(c, before, err) < 0 ? -1 : r;
}

static int disconnect_locked(struct container *c, const struct engine_network *n, struct err *err)
{
    _cleanup_json_ json_t *before = json_incref(c->network_config);
    const char *key = endpoints_key(c, before, n->id);
    if (c->removing)
        return err_set(err, ERR_CONFLICT,
                       "container is marked for removal and cannot be connected or disconnected");
    if (str_eq(n->name, "host") && key)
        return err_set(
            err, ERR_INVALID,
            "cannot disconnect container from host network - container was created in host network mode");
    if (!key)
        return err_set(err, ERR_SYSTEM, "container %s is not connected to %snetwork %s", c->id,
                       container_status_runs(c->state.status) ? "" : "the ", n->name);
    json_t *config = json_copy(before);
    json_object_del(config, key);
    set_network_config(c, config);
    int r = container_status_runs(c->state.status) ? leave_now(c, key, before, err)
                                                   : 0; /* it has left, whatever didn't work on the way */
    return container_keep(c, r == 0 ? err : NULL) < 0 ? -1 : r;
}

int engine_network_disconnect(struct engine *e, const char *ref, const json_t *body, struct err *err)
{
    _cleanup_engine_network_ struct engine_network n = {0};
    const char *name = json_str_or(body, "Container", "");
    if (engine_network_find(e, ref, &n, err) < 0)
        return -1;
    if (!*name)
        return err_set(err, ERR_INVALID, "invalid name or ID supplied: \"\"");
    _cleanup_container_ struct container *c = containers_find(e, name, err);
    if (!c)
        return json_bool_or(body, "Force", false) ? err_set(err, ERR_NOT_FOUND, "endpoint %s not found", name)
                                                  : -1;
    pthread_mutex_lock(&c->operation);
    int r = disconnect_locked(c, &n, err);
    pthread_mutex_unlock(&c->operation);
    return r;
}
