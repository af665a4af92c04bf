/* A blob that keg-archive makes of another. */
#ifndef KEG_IMAGE_TRANSFORM_H
#define KEG_IMAGE_TRANSFORM_H

#include "image/store.h"

/* `verb` is keg-archive's: "compress" or "expand" (archive_protocol.h). The new blob is leased and in the store, its digest
 * and size in *ret; ERR_INVALID when the old one isn't what its name says. */
int image_transform_blob(struct image_store *store, struct image_lease *lease, const char *verb,
                         const char *digest, struct descriptor *ret, struct err *err);

#endif
