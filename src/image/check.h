/* Whether the parts of an image are what their names say, and how they come back when they aren't. */
#ifndef KEG_IMAGE_CHECK_H
#define KEG_IMAGE_CHECK_H

#include "image/progress.h"
#include "image/store.h"

struct storage_stage; /* storage/storage.h */

enum image_part_state {
    IMAGE_PART_GOOD,
    IMAGE_PART_MISSING,
    IMAGE_PART_DAMAGED,
    IMAGE_PART_UNKNOWN, /* a layer whose archive isn't there to be compared with, or that can't be unpacked now */
};

struct image_check {
    struct image_store *store;
    bool quick;                            /* look, don't read */
    const struct image_listener *listener; /* NULL: nobody waits */
    const json_t
        *others; /* credentials by server, as X-Registry-Config has them, for what is fetched; NULL: none */
};

/* A blob: is it there, has it its size (-1: any), and do its bytes hash to its name. *ret_why says what is wrong with it.
 * 0, or -1 with ERR_CANCELLED. */
int image_check_blob(const struct image_check *o, const char *digest, int64_t size,
                     enum image_part_state *ret, struct err *ret_why, struct err *err);

/* A layer of an image, as manifest and configuration describe it. */
struct image_layer_part {
    const char *chain_id, *parent; /* parent "": the lowest */
    const char *diff_id;
    const struct descriptor *blob; /* NULL: not known */
};
/* The layer's tree against its archive. *ret_stage: a good tree when it is damaged, for image_repair_layer(); else NULL. */
int image_check_layer(const struct image_check *o, const struct image_layer_part *part,
                      enum image_part_state *ret, struct storage_stage **ret_stage, struct err *ret_why,
                      struct err *err);
/* Makes a missing layer of its blob, or puts the stage (owned by the call) in the place of a damaged one. No container that
 * runs may stand on it. */
int image_repair_layer(struct image_store *store, const struct image_layer_part *part,
                       struct storage_stage *stage, struct err *err);

/* Fetches a blob from the repositories that the names ("docker.io/library/busybox@sha256:…") speak of, one after the
 * other, and puts it in its place. size -1: a manifest or an index. ERR_NOT_FOUND: there is nowhere to ask. */
int image_repair_blob(const struct image_check *o, char *const *names, const char *digest, int64_t size,
                      struct err *err);

/* Packs the layer's tree once more, which gives the bytes of a blob that was made here of it, and puts them in their place
 * if they are. ERR_INVALID: they aren't (another program's archive). */
int image_remake_blob(const struct image_check *o, const char *chain_id, const char *digest, struct err *err);

#endif
