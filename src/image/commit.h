/* docker commit: what a container has changed becomes a layer on top of its image's. */
#ifndef KEG_IMAGE_COMMIT_H
#define KEG_IMAGE_COMMIT_H

#include <jansson.h>

#include "image/reference.h"
#include "image/store.h"

struct image_commit_options {
    const struct reference *reference; /* with a tag; NULL: untagged */
    const char *manifest;              /* digest of the manifest of the container's image */
    const json_t *config;              /* the new image's Config, Docker's names; only what belongs into an
                                          image is taken */
    const char *author, *comment;      /* NULL: none */
    const char *created_by;            /* the command whose work this is */
};

/* fd: the changes as a layer's tar, read to its end. An archive without entries makes an image with the same
 * layers. */
int image_commit(struct image_store *store, struct image_lease *lease, int fd,
                 const struct image_commit_options *options, struct image *ret, struct err *err);

#endif
