/* Removes trees of any depth: container layers are hostile, and a path a container built step by step can be
 * deeper than a process may have descriptors. */
#ifndef KEG_STORAGE_TREE_REMOVE_H
#define KEG_STORAGE_TREE_REMOVE_H

#include <stdatomic.h>

/* Removes `name` below dirfd, whatever it is, without following symlinks or crossing into another mount. A
 * missing one is success. 0 or the first -errno (it goes on with the rest). */
int tree_remove(int dirfd, const char *name);
/* The same, given up with -ECANCELED once *stop is set. */
int tree_remove_until(int dirfd, const char *name, const atomic_bool *stop);
/* The same; a directory of another device (a subvolume, something mounted) is given to `other`. */
typedef int (*tree_remove_fn)(int dirfd, const char *name, const atomic_bool *stop);
int tree_remove_with(int dirfd, const char *name, const atomic_bool *stop, tree_remove_fn other);

#endif
