/* What the files of the tree share. */
#ifndef KEG_STORAGE_WORKER_TREE_INTERNAL_H
#define KEG_STORAGE_WORKER_TREE_INTERNAL_H

#include <sys/stat.h>
#include <time.h>

#include "storage/worker/layer_path.h"
#include "storage/worker/tree.h"

#define WHITEOUT        ".wh."
#define WHITEOUT_META   ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

/* A directory's time, set when nothing more is put into it. In a buffer: this, then the path and a NUL. */
struct dir_time {
    struct timespec mtime;
    uint32_t path_len;
};

struct tree {
    int root;
    bool root_described;
    int64_t size;
    char parent_path[TAR_PATH_MAX + 1]; /* the directory opened last… */
    int parent;                         /* …O_PATH; -EBADF: none */
    struct buf times;
    struct buf links; /* hard links whose target wasn't there: path, NUL, target, NUL */
    struct pending pending;
};

/* Sets err from errno: "PATH: cannot WHAT". -1. */
int tree_refused(struct err *err, const char *path, const char *what);

/* openat2, close-on-exec; "" is `dir` itself. A descriptor or -errno. */
int tree_open_below(int dir, const char *path, int flags, uint64_t resolve);
/* The directory that holds an entry, made if it is missing: O_PATH, stays the tree's, good until the next call. -1 with
 * err set. */
int tree_open_parent(struct tree *t, const struct layer_path *path, struct err *err);

bool tree_is_whiteout(const struct stat *st);
/* Marks an open directory as hiding what the layers below have in it. 0 or -errno. */
int tree_set_opaque(int fd);
/* Takes away what an earlier entry of this archive left under the name. *ret_whiteout: it was one, so what comes now
 * hides the layers below. A directory is kept for a directory, which the result 1 tells; else 0 or -errno. */
int tree_clear_name(int parent, const char *name, bool for_dir, bool *ret_whiteout);

/* A hard link; to what isn't there (yet) it is kept for tree_finish_links. */
int tree_add_link(struct tree *t, const struct tar_entry *e, int parent, const struct layer_path *path,
                  struct err *err);
/* Links whose target came later in the archive are made now; the others become pending, for the layers below. */
int tree_finish_links(struct tree *t, struct err *err);

#endif
