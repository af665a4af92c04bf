/* Paths: text operations, directories made and removed, and resolution confined to a root. */
#ifndef KEG_BASE_PATH_H
#define KEG_BASE_PATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

/* A program of ours: beside the running one, in ../libexec/keg or ../sbin from there; never by way of PATH. The caller frees;
 * NULL if it is in none of them. */
char *path_beside(const char *program);
/* "a" + "b" → "a/b", with exactly one slash between. The caller frees. */
char *path_join(const char *a, const char *b);
/* Lexical cleaning as Go's path.Clean: no "//", ".", and no ".." that could be resolved. The caller frees. */
char *path_clean(const char *path);
static inline bool path_is_absolute(const char *path)
{
    return path && path[0] == '/';
}

/* Opens `path` below the directory `root` as if root were "/": symlinks and ".." cannot leave it
 * (openat2 with RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS). O_CLOEXEC is added. Descriptor or -errno. */
int path_open_in_root(int root, const char *path, int flags, mode_t mode);
/* `path` with the symlinks in it replaced, also where what they lead to is missing: what is made under this name is found
 * under `path`. Only text: whoever renames in between changes what it leads to, so it is opened as any other path, by the
 * functions here. NULL with *ret_error (-ELOOP, -errno) when it can't be told. The caller frees it. */
char *path_resolve_in_root(int root, const char *path, int *ret_error);
/* Makes every missing directory of `path` below `root` (resolved likewise) and opens the last one O_PATH. New ones
 * get `mode` and belong to uid:gid. */
int path_mkdir_in_root(int root, const char *path, mode_t mode, uid_t uid, gid_t gid);

/* mkdir -p on an absolute path of our own (not inside a container). 0 or -errno. */
int path_mkdir_all(const char *path, mode_t mode);
/* Removes a tree below dirfd without following symlinks and without crossing into another mount. A missing path is
 * success. 0 or the first -errno (it goes on with the rest). */
int path_remove_all(int dirfd, const char *path);

#endif
