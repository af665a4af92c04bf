/* What the files of the check share. */
#ifndef KEG_ENGINE_CHECK_INTERNAL_H
#define KEG_ENGINE_CHECK_INTERNAL_H

#include "engine/check.h"
#include "engine/images_internal.h"
#include "engine/transfer.h"
#include "image/check.h"

struct container;

enum check_count {
    COUNT_IMAGES,
    COUNT_BLOBS,
    COUNT_LAYERS,
    COUNT_CONTAINERS,
    COUNT_VOLUMES,
    COUNT_BYTES,
    COUNT_COUNT
};

struct check {
    struct engine *e;
    const struct engine_check_options *o;
    struct transfer *transfer; /* NULL: nobody reads the progress */
    struct image_listener listener;
    struct image_check parts; /* how blobs and layers are looked at */
    json_t *findings;
    json_t *seen; /* {"blob sha256:…" or "layer sha256:…": its finding, or true} */
    int64_t counts[COUNT_COUNT];
};

/* A new finding; borrowed. id, name, why may be NULL. */
json_t *check_found(struct check *x, const char *object, const char *problem, const char *id,
                    const char *name, const struct err *why);
/* What became of the repair. r < 0: err says why. */
void check_repaired(json_t *finding, int r, const struct err *err);
/* Tells what is being looked at. -1: the client has gone. */
int check_tell(struct check *x, const char *id, const char *status, struct err *err);

/* The steps. 0, or -1 when the check can't go on. */
int check_images(struct check *x, struct err *err); /* check_images.c: rows, blobs, layers, names, orphans */
int check_containers(struct check *x, struct err *err); /* check_containers.c */
int check_volumes(struct check *x, struct err *err);

/* Keeps the containers that stand on a layer from being started. ERR_CONFLICT names one that runs or is busy; else give
 * *ret back to check_release(). */
int check_hold(struct engine *e, const char *chain_id, struct container ***ret, struct err *err);
void check_release(struct container **held);

#endif
