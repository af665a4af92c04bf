/* A container's places in networks while it runs. c->endpoints is an array, one row a network:
 *     {"Network":key in network_config,"NetworkID","EndpointID","Interface","HostInterface","MacAddress","IPAddress",
 *      "IPPrefixLen","Gateway","GlobalIPv6Address","GlobalIPv6PrefixLen","IPv6Gateway","Priority","Ports":[{"Protocol","HostIP","HostPort","ContainerPort"}]} */
#ifndef KEG_ENGINE_ENDPOINTS_H
#define KEG_ENGINE_ENDPOINTS_H

#include "engine/container.h"

/* Of a member of network_config: the names are known, although the container never started. */
#define ENDPOINTS_NAMED "Named"

/* Whether a container has a network namespace of its own with endpoints in it. */
bool endpoints_wanted(const struct container *c);
/* Joins every network of the container. netns and inner: what came with the monitor's "network" event. On success
 * c->endpoints has them; on failure nothing is left. */
int endpoints_attach(struct container *c, int netns, int inner, struct err *err);
/* Networks without a driver's part, "host" and "none": only the record and those who watch hear of them. After a start. */
void endpoints_note_driverless(struct container *c);
/* A new container's {network as asked for: EndpointSettings} gets the networks' names for keys; what can't be had is
 * refused. Networks that aren't there (yet) stay as they are. */
int endpoints_settle(struct engine *e, json_t **config, struct err *err);
/* Joins one network more, of a container that runs; its settings are in c->network_config. Names aren't told. */
int endpoints_join(struct container *c, const char *key, int netns, int inner, struct err *err);
/* Leaves the network of a row, which c->endpoints has no more after; its ports move to another. */
int endpoints_leave(struct container *c, const json_t *row, int inner, struct err *err);
/* The row that has the default route (of IPv4, or else of IPv6): of those with a gateway the one of the highest priority,
 * and of equals the first by name. NULL: none. */
const json_t *endpoints_gateway(const json_t *endpoints);
/* The container has another name now. */
void endpoints_rename(struct container *c);
/* Its key in network_config: by name, id, or the beginning of an id. NULL: not there. */
const char *endpoints_key(const struct container *c, const json_t *network_config, const char *ref);
/* Leaves them; c->endpoints is empty after. */
void endpoints_detach(struct container *c);
/* For a container that outlived the last kegd: takes addresses and ports again. */
void endpoints_restore(struct container *c);

/* Docker's NetworkSettings.Ports: {"80/tcp":[{"HostIp","HostPort"}],"443/tcp":null}. A new object. */
json_t *endpoints_ports(const json_t *config, const json_t *endpoints);
/* Docker's NetworkSettings.Networks: what was asked for with what is up. A new object. */
json_t *endpoints_networks(const struct container *c, const struct container_snapshot *s);

#endif
