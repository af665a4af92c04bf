/* What an image came with, as Docker's API tells it ("Manifests", API 1.48). */
#ifndef KEG_IMAGE_SUMMARY_H
#define KEG_IMAGE_SUMMARY_H

#include <jansson.h>
#include <stdbool.h>

#include "image/store.h"

struct image_summary {
    const char *manifest;     /* digest of the image's own */
    const char *index;        /* of the index it was chosen from; "": none */
    bool artifact;            /* no image */
    int64_t unpacked;         /* bytes of its layers' trees */
    const json_t *containers; /* ids of those made of it */
};

/* [{"ID","Descriptor","Available","Size","Kind","ImageData"|"AttestationData"}]: every manifest of the index, or the image's
 * own alone. *ret_target: {"mediaType","digest","size"} of what the name means; may be NULL. NULL on failure. */
json_t *image_summary_json(struct image_store *store, const struct image_summary *s, json_t **ret_target,
                           struct err *err);

#endif
