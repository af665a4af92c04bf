/* A tar stream becomes a layer and its blob at once: what import and commit share. */
#ifndef KEG_IMAGE_LAYER_TAKE_H
#define KEG_IMAGE_LAYER_TAKE_H

#include "image/store.h"

struct layer_taken {
    struct descriptor blob; /* media_type is a constant string */
    char diff_id[DIGEST_SIZE];
    bool empty; /* the archive had no entries: there is no layer, and no blob */
};

/* parent: chain id of the layer below, NULL: none. keep_empty: an archive without entries is a layer all the
 * same. Both digests are leased. */
int layer_take(struct image_store *store, struct image_lease *lease, int fd, const char *parent,
               bool keep_empty, struct layer_taken *ret, struct err *err);

#endif
