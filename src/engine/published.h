/* Published ports: from HostConfig.PortBindings to what src/network wants, and back. */
#ifndef KEG_ENGINE_PUBLISHED_H
#define KEG_ENGINE_PUBLISHED_H

#include "engine/container.h"
#include "network/network.h"

struct published {
    struct network_port *ports;
    uint16_t *last; /* of the range the user gave for a port; 0: no range */
    size_t count;
};

void published_finish(struct published *p);
#define _cleanup_published_ _cleanup_(published_finish)

/* What the container asks for; of a range, its first port. */
int published_wanted(const struct container *c, struct published *ret, struct err *err);
/* Leaves what is to be published by these families. A port that says no address (host_ip, if that says one: NULL or "") has
 * both, under one number. loud: what says an address of a family that isn't there stays, and will be refused. */
void published_choose(struct published *p, bool ipv4, bool ipv6, const char *host_ip, bool loud);
/* After an attach that failed with `why`: moves the port that was taken on in its range. False: that isn't the reason, or
 * the range is used up. */
bool published_move_on(struct published *p, const struct err *why);

/* [{"Protocol","HostIP","HostPort","ContainerPort"}] */
json_t *published_to_json(const struct network_endpoint *e);
void published_from_json(const json_t *list, struct published *ret);

/* "8080", "8000-8010" or "" → first and last (0, 0: any; last 0: no range). ERR_INVALID. */
int published_parse_host(const char *text, uint16_t *ret_first, uint16_t *ret_last, struct err *err);

#endif
