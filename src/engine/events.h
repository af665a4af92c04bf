/* Events: a ring of the last ones, in Docker's shape, and the streams that follow it. It outlives kegd. */
#ifndef KEG_ENGINE_EVENTS_H
#define KEG_ENGINE_EVENTS_H

#include <jansson.h>
#include <stdint.h>

#include "engine/engine.h"

struct events;

/* With what earlier lives wrote into `directory` (NULL: kept in memory only). */
struct events *events_new(const char *directory);
struct events *events_free(struct events *ev);
DEFINE_CLEANUP_PTR(struct events, events_free)
void events_interrupt(struct events *ev);

/* Records {Type, Action, Actor{ID, Attributes}, scope "local", time, timeNano} plus, for containers and
 * images, the old members status, id and from (the attribute "image"). type: "container", "image", "network",
 * "volume", "daemon"; attributes: an object of strings, borrowed (copied), NULL: none. Never blocks on a
 * subscriber. */
void events_add(struct events *ev, const char *type, const char *action, const char *id,
                const json_t *attributes);
/* "prune", of a type. */
void events_add_prune(struct events *ev, const char *type, int64_t reclaimed);
/* The same for what happened at another time (ns). */
void events_add_at(struct events *ev, int64_t time, const char *type, const char *action, const char *id,
                   const json_t *attributes);

/* How many follow. */
int events_listeners(struct events *ev);
/* The time of the last event in the ring that a monitor told of this container; 0: none. */
int64_t events_last_of(struct events *ev, const char *id);
/* While several monitors' journals are read, one after the other: what is added in between comes into the order of its time
 * at release. Before there are subscribers. */
void events_hold(struct events *ev);
void events_release(struct events *ev);

struct engine_events_options {
    int64_t since, until;  /* ns since 1970; 0: from now on / without end */
    const json_t *filters; /* type, event, container, image, network, volume, label, daemon, scope */
};
/* Writes one JSON object a line until `until` or the client has gone. A subscriber slower than the ring is
 * long loses the oldest events, never the newest. */
int engine_events(struct engine *e, const struct engine_events_options *o, const struct engine_sink *sink,
                  struct err *err);

#endif
