/* In which order containers come up again when kegd starts. */
#ifndef KEG_ENGINE_START_ORDER_H
#define KEG_ENGINE_START_ORDER_H

#include "engine/container.h"

/* Calls `start` for each of the list (NULL-terminated), those first that others need: whose namespaces they share, to which they
 * are linked, or which compose's label com.docker.compose.depends_on names. What needs one that is to be healthy first
 * (service_healthy), and what needs that, is started by a thread that waits for it, two minutes at most. */
void start_order_run(struct engine *e, struct container **list, void (*start)(struct container *c));
/* Waits for that thread, which hurries when the engine closes. */
void start_order_finish(struct engine *e);

#endif
