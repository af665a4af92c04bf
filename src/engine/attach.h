/* Attaching: clients that came before their container's start wait here, then go to its monitor. */
#ifndef KEG_ENGINE_ATTACH_H
#define KEG_ENGINE_ATTACH_H

#include "engine/container.h"

/* Closes the connections of clients that wait for a start that won't come. Takes the container's lock. */
void container_drop_pending(struct container *c);
/* Hands all of them to the monitor on `sock`, as "attach" requests whose replies are read. */
int container_send_pending(struct container *c, int sock, struct err *err);
/* The "attach" member of requests to a monitor. */
json_t *attach_request(const struct engine_attach_options *o, bool framed,
                       const struct engine_stream *stream);

#endif
