/* Names in archives become paths in a layer. */
#ifndef KEG_STORAGE_WORKER_LAYER_PATH_H
#define KEG_STORAGE_WORKER_LAYER_PATH_H

#include <stddef.h>

#include "base/err.h"
#include "tar/reader.h"

struct layer_path {
    char text[TAR_PATH_MAX + 1]; /* relative, no ".", "..", "//"; "" is the layer's root */
    size_t name;                 /* where its last component begins; the parent is text[0 .. name-1) */
};

/* Cleans a name as Go's path.Clean does: leading slashes, "." and "a/.." disappear. ERR_INVALID for a name
 * that leads out of the layer. */
int layer_path_set(struct layer_path *p, const char *archive_name, struct err *err);
/* The parent of `path` into `ret`: "" for the root's children. */
void layer_path_parent(const struct layer_path *path, char ret[TAR_PATH_MAX + 1]);

#endif
