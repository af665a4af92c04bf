/* Networks as the API sees them, and what containers need of them. Definitions are in the database; bridges,
 * addresses and ports are src/network's. "bridge", "host" and "none" always exist, with ids that last as long
 * as the data. */
#ifndef KEG_ENGINE_NETWORKS_H
#define KEG_ENGINE_NETWORKS_H

#include <jansson.h>
#include <stdbool.h>

#include "engine/engine.h"
#include "network/network.h"

/* ---- for the rest of the engine ---- */

/* Called by engine_open() when database and network_host are open: makes the predefined networks, brings
 * every bridge back. Containers' endpoints are restored by the caller afterwards; then it calls
 * network_host_settle(). */
int engine_networks_open(struct engine *e, struct err *err);
/* Frees what open made; the host's network stays as it is. */
void engine_networks_close(struct engine *e);

/* One network, as it was found. */
struct network_entry;
struct engine_network {
    struct engine *engine;
    struct network_entry *entry;
    char id[65];
    char *name;
    char *driver; /* "bridge", "macvlan", "ipvlan", "host", "null" */
    struct network
        *network; /* NULL for host and none; it and what is of it are valid while the reference is held */
    const char *gateway, *gateway6; /* the way out; "" for none */
    char **own_subnets;             /* those that the user said */
    bool ipv4, ipv6, internal;
    bool publishes; /* its containers' ports can be published */
    char *host_ip,
        *iface_prefix; /* where ports are published that say no address; "eth" otherwise. NULL: not said */
};
void engine_network_finish(struct engine_network *n); /* gives the reference back */
#define _cleanup_engine_network_ _cleanup_(engine_network_finish)

/* By name, id, id prefix, or "default" (bridge). ERR_NOT_FOUND: "network x not found". While the reference is
 * held the network can't be removed: hold it from the lookup until the endpoint is in the container's record.
 */
int engine_network_find(struct engine *e, const char *ref, struct engine_network *ret, struct err *err);

/* The engine says which endpoints are up, so that inspect can show them and removal can be refused: after
 * network_attach()/network_restore(), and before network_detach(). line: what the network's zone says of it (zones.h),
 * NULL: nothing. Events "connect" and "disconnect" come
 * from here. */
void engine_network_connected(struct engine *e, const char *network_id,
                              const struct network_endpoint *endpoint, const char *container_name,
                              const char *line, bool quiet);
/* Its name has changed, and with it its line. */
void engine_network_renamed(struct engine *e, const char *network_id, const char *container_id,
                            const char *container_name, const char *line);
/* The id by which an endpoint is shown: 64 hexadecimal characters, the same for the same pair. */
void engine_network_endpoint_id(const char *network_id, const char *container_id, char ret[65]);
void engine_network_disconnected(struct engine *e, const char *network_id, const char *container_id);

/* ---- for the API ---- */

/* filters: driver, id, label, name, scope, type, dangling. ret: an array, without Containers. */
int engine_network_list(struct engine *e, const json_t *filters, json_t **ret, struct err *err);
int engine_network_inspect(struct engine *e, const char *ref, json_t **ret, struct err *err);
/* body: {"Name","Driver","IPAM",…}; ret: {"Id","Warning"}. */
int engine_network_create(struct engine *e, const json_t *body, json_t **ret, struct err *err);
int engine_network_remove(struct engine *e, const char *ref, struct err *err);
/* connect.c. body: {"Container","EndpointConfig"}, {"Container","Force"}. Of running containers and others. */
int engine_network_connect(struct engine *e, const char *ref, const json_t *body, struct err *err);
int engine_network_disconnect(struct engine *e, const char *ref, const json_t *body, struct err *err);
/* Whether an endpoint of the network can be had with these EndpointSettings. ERR_INVALID with Docker's words. */
int engine_network_check_settings(const struct engine_network *n, const json_t *settings, struct err *err);
/* ret: {"NetworksDeleted":[names]}. */
int engine_network_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err);

#endif
