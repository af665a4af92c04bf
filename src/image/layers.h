/* The layers of one image made in parallel, from a registry or from blobs that are here already. */
#ifndef KEG_IMAGE_LAYERS_H
#define KEG_IMAGE_LAYERS_H

#include "image/manifest.h"
#include "image/progress.h"
#include "image/registry.h"
#include "image/store.h"

struct ahead;

struct layers_job {
    struct image_store *store;
    struct registry *registry; /* NULL: every missing layer's blob must be in the blob store */
    const struct manifest *manifest;
    const struct image_config *config; /* agrees with manifest: image_config_check() */
    const struct image_listener *listener;
    struct ahead *ahead; /* layers that were begun while their archive was read; NULL: none */
    bool loading;        /* docker load's words instead of docker pull's */
};

/* Blocks until every layer (of an artifact: every blob) is in the layer store and its blob in the blob store, verified and on disk. The
 * caller holds a lease on all of them. Two jobs at once share the work on layers they have in common. */
int layers_make(const struct layers_job *job, struct err *err);

#endif
