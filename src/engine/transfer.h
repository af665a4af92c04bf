/* What the client of a pull, push, load or import reads: Docker's JSON lines. */
#ifndef KEG_ENGINE_TRANSFER_H
#define KEG_ENGINE_TRANSFER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "engine/engine.h"
#include "image/progress.h"
#include "image/pull.h"

struct transfer {
    const struct engine_sink *sink;
    bool begun; /* something was written: an error has to follow in the stream */
};

/* -1: the client has gone. */
int transfer_write(struct transfer *t, const json_t *line);
/* {key: text} */
int transfer_say(struct transfer *t, const char *key, const char *text);
/* An error behind the first line goes into the stream, where clients look for it. Returns -1. */
int transfer_fail(struct engine *e, struct transfer *t, struct err *err);

/* For struct image_listener; arg is the transfer. */
int transfer_report(void *arg, const struct image_progress *progress);
bool transfer_gone(void *arg);
/* The client has gone: what came through its pipe may be only a part. */
bool transfer_is_abandoned(const struct engine_sink *sink);

/* X-Registry-Auth decoded, for src/image; borrows from it. */
struct registry_auth transfer_auth(const json_t *auth);

#endif
