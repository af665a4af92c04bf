/* Layers that are kept as plain tars (imported, committed, loaded from docker's archives) become gzip before they are pushed. */
#ifndef KEG_IMAGE_COMPRESS_H
#define KEG_IMAGE_COMPRESS_H

#include "image/progress.h"
#include "image/store.h"

/* Whether the manifest in the blob store has such a layer. */
bool image_is_plain(struct image_store *store, const char *manifest);

/* Makes the same image over compressed layers: blobs and a manifest that differs in them alone. Configuration, diff ids and
 * so the image's id are as before. The listener is asked whether it has gone. */
int image_compress(struct image_store *store, struct image_lease *lease, const char *manifest,
                   const struct image_listener *listener, struct image *ret, struct err *err);

#endif
