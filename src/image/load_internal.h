/* What the two files of docker load share. */
#ifndef KEG_IMAGE_LOAD_INTERNAL_H
#define KEG_IMAGE_LOAD_INTERNAL_H

#include <jansson.h>

#include "image/progress.h"
#include "image/store.h"
#include "image/unpacked.h"

struct load {
    struct image_store *store;
    struct image_lease *lease;
    const struct image_listener *listener;
    struct platform platform;
    bool only; /* images of other platforms are passed over */
    struct unpacked files;
    struct ahead ahead;
    struct image *images;
    size_t n;
};

/* A file of the archive as JSON, in which no string has a NUL; NULL with err set. */
json_t *load_read_json(struct load *l, const char *name, size_t max, struct err *err);
/* Fills a layer's descriptor from the archive's file of that name; one that is compressed with xz or bzip2 becomes a plain
 * tar first, because no media type tells of those. */
int load_describe_layer(struct load *l, const char *name, struct descriptor *ret, struct err *err);
/* An image of which the archive holds no manifest gets one. 1: *ret is it, borrowed; 0: it is of another platform; -1. */
int load_make(struct load *l, const char *config_digest, int64_t config_size, const struct descriptor *layers,
              size_t n_layers, struct image **ret, struct err *err);
/* A name that the archive gives the image: ERR_INVALID unless it is a full reference with a tag. */
int load_add_tag(struct image *image, const char *text, struct err *err);

/* Archives of docker save before 1.10: "repositories", and a folder an image of one layer each. */
int load_v1(struct load *l, struct err *err);

#endif
