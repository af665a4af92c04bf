/* What containers' name servers read (monitor/dns_names.h): a zone for each network of users, RUN/zones/<network id>, and
 * RUN/containers/<id>/MONITOR_NAMES for each container. All are replaced by rename. */
#ifndef KEG_ENGINE_ZONES_H
#define KEG_ENGINE_ZONES_H

#include "engine/container.h"
#include "engine/networks_internal.h"

/* The networks' lock is held. line: as zone_line() makes it; NULL: the container has left. Nothing is written before
 * zones_settle(). */
void zones_set(struct engine *e, struct network_entry *n, const char *container_id, const char *line);
/* The network has gone. */
void zones_drop(struct engine *e, const char *network_id);
/* Every container that outlived the last kegd has been asked: writes all zones, removes those of nobody. Until then the
 * last life's are good. */
void zones_settle(struct engine *e);

/* "172.18.0.2 web 0123456789ab alias …\n", for each address (either may be "") a line: what a container is called on a network; asked: its EndpointSettings as asked
 * for. The caller frees. */
char *zone_line(const struct container *c, const char *name, const json_t *asked, const char *ip,
                const char *ip6);
/* The same names as Docker shows them, a new array. */
json_t *zone_names(const char *id, const char *name, const json_t *config, const json_t *asked);

/* Whether a container with these networks has a name server of its own. */
bool zones_served(const json_t *network_config);
/* Writes the container's file, for c->endpoints. */
int zones_write_container(struct container *c, struct err *err);

#endif
