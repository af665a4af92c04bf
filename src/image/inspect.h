/* An image's configuration in the shapes of Docker's API. */
#ifndef KEG_IMAGE_INSPECT_H
#define KEG_IMAGE_INSPECT_H

#include "image/store.h"

/* GET /images/{name}/json (API 1.51), without what only the engine knows: it adds Metadata.LastTagTime.
 * repo_tags and repo_digests: in familiar form, NULL for none. A new object. */
json_t *image_inspect_json(const struct image *image, const struct image_config *config,
                           char *const *repo_tags, char *const *repo_digests);
/* GET /images/{name}/history, newest first: [{Id,Created,CreatedBy,Tags,Size,Comment}], nothing named yet. layer sizes come from
 * the layer store; an entry beyond the layers has size 0. */
json_t *image_history_json(struct image_store *store, const struct image_config *config);
/* Bytes of the layers of `image` that `shared(arg, chain_id)` says other images have too (SharedSize). */
int64_t image_shared_size(struct image_store *store, const struct image *image,
                          bool (*shared)(void *arg, const char *chain_id), void *arg);

#endif
