/* Mounting on descriptors: fsopen(2), open_tree(2), mount_setattr(2), move_mount(2), and mount(2) by way of
 * /proc/self/fd where the kernel lacks them.
 *
 * A mount is asked for as data (struct mount_request) and placed on an open target: nothing here resolves a
 * path of a container. All return 0 or more, or -errno, and need CAP_SYS_ADMIN over the mount namespace. */
#ifndef KEG_SYS_MOUNT_H
#define KEG_SYS_MOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>

/* Whether the descriptor calls are there (Linux 5.12). Asked once. */
bool mount_api_available(void);

/* Whether a filesystem is told its options one by one and refuses what it doesn't know at once. Where not (overlay before
 * Linux 6.5), an option is wrong only when all of them are. Needs what mounting it needs. */
bool mount_takes_options_singly(const char *type);

/* What to bind: with the descriptor calls a detached copy of the tree at dirfd/path ("" for dirfd itself),
 * else an O_PATH descriptor of it. */
int mount_tree_open(int dirfd, const char *path, bool recursive);
/* Likewise; a symlink at the end of the path is opened itself. */
int mount_tree_open_nofollow(int dirfd, const char *path, bool recursive);
/* The same as mount_tree_open(AT_FDCWD, …) of another mount namespace: a shared tree stays its peer. The caller is
 * single-threaded. -ENOTRECOVERABLE: it didn't find back to its own namespace. */
int mount_tree_open_in(int mount_namespace, const char *path, bool recursive);
/* Maps the ids of a tree that isn't placed yet by a user namespace. Needs CAP_SYS_ADMIN where its filesystem was mounted.
 * -EOPNOTSUPP without the descriptor calls, -EINVAL for filesystems that can't. */
int mount_tree_map(int tree, int userns, bool recursive);

enum { MOUNT_LOG_SIZE = 256 };

struct mount_request {
    /* A new filesystem … */
    const char *type;
    const char *source;
    char *const *options; /* "key=value" and "flag" for the filesystem; NULL: none */
    /* … or a bind, when type is NULL: from mount_tree_open(), which stays the caller's */
    int tree;
    bool recursive;
    /* MOUNT_ATTR_…; of `set` the atime bits replace what was there */
    uint64_t set, clear;
    uint64_t recursive_set, recursive_clear;
    /* MS_PRIVATE, MS_SLAVE, MS_SHARED or MS_UNBINDABLE, with MS_REC; 0 leaves it */
    unsigned long propagation;
    /* Where: an O_PATH descriptor (-EBADF: nowhere yet, the mount is placed later as a `tree`; descriptor
     * calls only), and how the kernel's older calls find the new mount: path below root (-EBADF: the caller's
     * own root) */
    int target;
    int root;
    const char *path;
    bool nofollow; /* … whose last name may be a symlink, mounted on or mounted itself */
    /* Why a filesystem refused, in its own words; may be NULL */
    char *log;       /* MOUNT_LOG_SIZE */
    bool older_call; /* by mount(2) in any case */
};

/* Does all of it; returns a descriptor of the new mount. -EOPNOTSUPP where mount(2) can't. */
int mount_place(const struct mount_request *request);

/* MOUNT_ATTR_… of the mount that fd is on. */
int mount_attributes(int fd, uint64_t *ret);
/* Changes a mount in place. `mount` is a descriptor of its root. */
int mount_set(int mount, uint64_t set, uint64_t clear, unsigned long propagation, bool recursive);
/* The propagation of a whole tree by path, for "/" of a new mount namespace. */
int mount_set_propagation(const char *path, unsigned long propagation);

/* Whether fd's filesystem has this magic (linux/magic.h). 1, 0 or -errno. */
int mount_is_type(int fd, long magic);

#endif
