/* Pushing: the layers of an image in parallel, its configuration, then its manifest, byte for byte as they are
 * in the blob store: what was pulled keeps its digests. */
#ifndef KEG_IMAGE_PUSH_H
#define KEG_IMAGE_PUSH_H

#include "image/progress.h"
#include "image/pull.h"
#include "image/reference.h"
#include "image/store.h"

struct image_push_options {
    const struct reference *reference;     /* with a tag */
    const char *manifest;                  /* digest of the image's manifest */
    const struct registry_auth *auth;      /* NULL: none */
    const struct image_listener *listener; /* NULL: quiet */
    /* Paths of other repositories of this registry that may hold some of the blobs, which are then mounted
     * from there instead of sent. NULL: none. */
    char *const *sources;
};

struct image_pushed {
    char digest[DIGEST_SIZE]; /* of the manifest */
    int64_t size;             /* of the manifest */
};

/* Blocks. The caller holds a lease on the image's blobs. Errors: ERR_UNAUTHORIZED, ERR_FORBIDDEN ("denied:
 * requested access to the resource is denied"), ERR_UNAVAILABLE, ERR_NOT_FOUND (a blob isn't here any more),
 * ERR_INVALID (the registry refuses it), ERR_CANCELLED. */
int image_push(struct image_store *store, const struct image_push_options *options, struct image_pushed *ret,
               struct err *err);

#endif
