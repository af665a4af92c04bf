/* A layer's tree, as entries of an archive write it.
 *
 * One thread, inside the sandbox, with the layer as its root directory: no name can lead anywhere else. Even
 * so each parent is opened by openat2 below the root, first without any symlinks; only where the archive
 * itself put a symlink to a directory on the way is it followed, inside the root. Everything else is one name
 * in an open directory. */
#ifndef KEG_STORAGE_WORKER_TREE_H
#define KEG_STORAGE_WORKER_TREE_H

#include <stdint.h>

#include "base/err.h"
#include "storage/worker/pending.h"
#include "tar/reader.h"

struct tree;

/* `root` stays the caller's. */
struct tree *tree_new(int root);
void tree_free(struct tree *t);
DEFINE_CLEANUP_PTR(struct tree, tree_free)

/* Adds one entry; a file's data is taken from `reader`. Errors name the entry: ERR_INVALID for what the
 * archive did wrong, ERR_SYSTEM for what the system refused. */
int tree_add(struct tree *t, const struct tar_entry *e, struct tar_reader *reader, struct err *err);
/* After the last entry: sets the directories' times, and gives what is left for the layers below. */
int tree_finish(struct tree *t, struct pending *ret, struct err *err);
/* Whether the archive described the root directory itself. */
bool tree_root_described(const struct tree *t);
/* Bytes of regular files so far. */
int64_t tree_size(const struct tree *t);

#endif
