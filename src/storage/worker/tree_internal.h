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

/* Directories that are open, each below the one before it: those on the way to the last entry. Archives go through trees
 * depth first, so the next entry's is not far. It stays right whatever the archive replaces: an entry in a directory's
 * place has that directory's parent as its own, and going there closes what was open below. Where a symbolic link is on
 * the way, nothing but the place it leads to stays open: two names may mean one directory there. */
enum { TREE_OPEN_MAX = 64 };

struct tree_level {
    int fd;
    size_t len; /* of open_path, up to this directory */
};

struct tree {
    int root;
    bool root_described;
    int64_t size;
    char open_path[TAR_PATH_MAX + 1];
    struct tree_level open[TREE_OPEN_MAX];
    size_t n_open;
    struct buf times;
    struct buf links; /* hard links whose target wasn't there: path, NUL, target, NUL */
    struct pending pending;
};

/* Sets err from errno: "PATH: cannot WHAT". -1. */
int tree_refused(struct err *err, const char *path, const char *what);

/* Writes a file's data, as it comes from the reader, with its holes. */
int tree_write_data(int fd, const struct tar_entry *e, struct tar_reader *reader, struct err *err);
/* openat2, close-on-exec; "" is `dir` itself. A descriptor or -errno. */
int tree_open_below(int dir, const char *path, int flags, uint64_t resolve);
/* The directory that holds an entry, made if it is missing: stays the tree's, good until the next call. -1 with err
 * set. */
int tree_open_parent(struct tree *t, const struct layer_path *path, struct err *err);
/* `path`, a directory now in the one that tree_open_parent() gave last, is open as *fd, which is taken: what comes next
 * will often be in it. */
void tree_keep_open(struct tree *t, const struct layer_path *path, int *fd);
void tree_close_all(struct tree *t);

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
