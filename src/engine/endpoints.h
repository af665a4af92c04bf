/* A container's places in networks while it runs. c->endpoints is an array, one row a network:
 *     {"Network":key in network_config,"NetworkID","EndpointID","Interface","HostInterface","MacAddress","IPAddress",
 *      "IPPrefixLen","Gateway","Ports":[{"Protocol","HostIP","HostPort","ContainerPort"}]} */
#ifndef KEG_ENGINE_ENDPOINTS_H
#define KEG_ENGINE_ENDPOINTS_H

#include "engine/container.h"

/* Whether a container has a network namespace of its own with endpoints in it. */
bool endpoints_wanted(const struct container *c);
/* Joins every network of the container. netns and inner: what came with the monitor's "network" event. On success
 * c->endpoints has them; on failure nothing is left. */
int endpoints_attach(struct container *c, int netns, int inner, struct err *err);
/* Leaves them; c->endpoints is empty after. */
void endpoints_detach(struct container *c);
/* For a container that outlived the last kegd: takes addresses and ports again. */
void endpoints_restore(struct container *c);

/* Docker's NetworkSettings.Ports: {"80/tcp":[{"HostIp","HostPort"}],"443/tcp":null}. A new object. */
json_t *endpoints_ports(const json_t *config, const json_t *endpoints);
/* Docker's NetworkSettings.Networks: what was asked for with what is up. A new object. */
json_t *endpoints_networks(const struct container *c, const struct container_snapshot *s);

#endif
