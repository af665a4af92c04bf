/* A container's filesystem on its way out. */
#ifndef KEG_ENGINE_COMMIT_H
#define KEG_ENGINE_COMMIT_H

#include <jansson.h>
#include <stdbool.h>

#include "engine/engine.h"

/* Writes the whole tree (image and changes merged, without volumes) as a tar. */
int engine_container_export(struct engine *e, const char *ref, const struct engine_sink *sink,
                            struct err *err);

struct engine_commit_options {
    const char *repo, *tag; /* NULL: no name */
    const char *author, *comment;
    char *const *changes; /* Dockerfile instructions */
    const json_t *config; /* Docker's Config: members that are set go before the container's; NULL: none */
    bool pause;           /* freeze a running container meanwhile */
};
/* The container's changes as a layer on its image. ret: {"Id": "sha256:…"}. */
int engine_container_commit(struct engine *e, const char *ref, const struct engine_commit_options *o,
                            json_t **ret, struct err *err);

#endif
