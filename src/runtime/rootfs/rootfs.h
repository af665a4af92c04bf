/* What the container stands on. All of it happens in the container's own mount namespace, before
 * pivot_root(2) and by descriptors: the root is opened once, every path below it is resolved as if it were
 * "/" (openat2 with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS), and mounts are put on what was opened.
 * Nothing here trusts anything in the root.
 *
 * The steps, in order: rootfs_open_mappings, rootfs_open_host, rootfs_mount_root, rootfs_mount_range, rootfs_make_devices,
 * rootfs_make_console, rootfs_mask, rootfs_seal, rootfs_pivot. Errors name the path as the configuration has
 * it. */
#ifndef KEG_RUNTIME_ROOTFS_ROOTFS_H
#define KEG_RUNTIME_ROOTFS_ROOTFS_H

#include <stdbool.h>

#include "base/err.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"

struct cgroup;
struct mount_request;

struct rootfs {
    const struct spec *spec;
    const struct runtime_create_options *options;
    struct cgroup *cgroup;       /* NULL: none */
    int procfs;                  /* checked, the host's */
    bool foreign_user;           /* in another user namespace than the host: no mknod */
    char *directory;             /* what is bound as the root, clean; NULL when an overlay is */
    int tree;                    /* the root, not yet placed */
    struct rootfs_mount *mounts; /* the configuration's, in its order */
    int *nodes;                  /* per linux.devices: made on the host's side, else -EBADF */
    int root;                    /* the root's descriptor, once mounted */
    int caller;                  /* in init: the socket of who is outside (sync.h); else -EBADF */
};

/* What is known of a mount besides what the configuration says. */
struct rootfs_mount {
    char *target;  /* its destination as the container sees it, clean */
    int source;    /* what it binds, when that was opened before its turn; else -EBADF */
    int mapping;   /* the user namespace it is mapped by, else -EBADF */
    char *link;    /* copy-symlink: what the source points to, else NULL */
    int read_only; /* becomes so at the end, when nothing needs to be made in it any more; else -EBADF */
    int guarded; /* /proc and /sys: the mount itself, as by now their names may lead elsewhere; else -EBADF */
};

void rootfs_init(struct rootfs *r);
void rootfs_finish(struct rootfs *r);

/* Opens what comes from the host's side and can't wait for its turn: layers or root.path, with a user namespace (which may
 * not see them, nor make devices) the sources of binds and the devices, and what is to share its mounts with the host. In
 * the caller of runtime_create() when the container has a user namespace of its own, else in init; before propagation is
 * cut. */
int rootfs_open_host(struct rootfs *r, struct err *err);
/* Makes the mappings of idmapped mounts; in the caller of runtime_create(). */
int rootfs_open_mappings(struct rootfs *r, struct err *err);
/* Cuts propagation and puts the root in place. */
int rootfs_mount_root(struct rootfs *r, struct err *err);
/* Mounts layers at `place` of the caller's mount namespace, for others than ourselves to use. For a process that ends then: it
 * may leave descriptors open, and be in another directory. */
int rootfs_mount_layers(const struct runtime_overlay *overlay, const char *place, struct err *err);
/* Those of `mounts` from `first` on and before `end`, in order. */
int rootfs_mount_range(struct rootfs *r, size_t first, size_t end, struct err *err);
/* Whether a mount shows the container's cgroup, so that it must be there first. */
bool rootfs_is_cgroup(const struct spec_mount *m);
/* The default devices, linux.devices and the usual links. */
int rootfs_make_devices(struct rootfs *r, struct err *err);
const struct spec_device *rootfs_default_devices(size_t *ret_count);
/* A pty of the container's devpts; its slave also becomes /dev/console. Both descriptors are the caller's. */
int rootfs_make_console(struct rootfs *r, const struct spec_process *process, int *ret_master, int *ret_slave,
                        struct err *err);
/* maskedPaths and readonlyPaths. */
int rootfs_mask(struct rootfs *r, struct err *err);
/* Makes the working directory if it is missing, and the root read-only if asked for. */
int rootfs_seal(struct rootfs *r, struct err *err);
/* The root becomes "/", the old one is gone; the working directory is "/". */
int rootfs_pivot(struct rootfs *r, struct err *err);

/* Inside the folder. */

enum {
    TARGET_FILE = 0,
    TARGET_DIRECTORY = 1,
    TARGET_PLAIN = 2,    /* must not be a symlink */
    TARGET_NOFOLLOW = 4, /* a symlink is itself what is mounted on */
};
/* Opens (and if it is missing, makes) what a mount goes on: a directory or an empty file. O_PATH descriptor or -1. */
int rootfs_open_target(struct rootfs *r, const char *path, int flags, struct err *err);
/* `path` as the container sees it: configurations may name what is in the root by its path on the host. Clean; the caller
 * frees. NULL when `only_inside` and it isn't in the root. */
char *rootfs_container_path(const struct rootfs *r, const char *path, bool only_inside);
/* Refuses mounts that could fake /proc. `target` is the open mount point, `path` its clean name, `tree` what is bound there
 * (-EBADF: a filesystem of its own). */
int rootfs_check_target(int target, const char *path, const struct spec_mount *m, int tree, struct err *err);
/* Takes over the descriptor of a new mount: one that covers the root is the root from then on. */
void rootfs_take_mount(struct rootfs *r, struct rootfs_mount *known, int mounted);
/* Sets *err for a mount that failed. */
int rootfs_mount_error(const struct spec_mount *m, int result, const char *log, struct err *err);
/* Whether the source of mounts[i] has to be opened by rootfs_open_host(). */
bool rootfs_opens_early(const struct rootfs *r, size_t i);
/* Opens (or with copy-symlink, reads) the source of mounts[i], for rootfs_bind(). */
int rootfs_open_source(struct rootfs *r, size_t i, struct err *err);
/* Maps the ids of a tree as mount i says; where that may be done. 0 or -errno. */
int rootfs_map_mount(const struct rootfs *r, size_t i, int tree);
/* Binds it. */
int rootfs_bind(struct rootfs *r, size_t i, struct err *err);
/* Places a tree of the host's; a /sys that is to be read-only is so with everything below. As mount_place(). */
int rootfs_place_host_tree(struct rootfs *r, const struct mount_request *request);
/* type "cgroup" and "cgroup2", on `path`. */
int rootfs_mount_cgroup(struct rootfs *r, const struct spec_mount *m, const char *path, struct err *err);
/* Copies the content of one directory into another: tmpcopyup. */
int rootfs_copy_up(int from, int to, struct err *err);
/* Makes the nodes of linux.devices for a container that may not; mode and owner (the host's ids of them) are right. */
int rootfs_open_devices(struct rootfs *r, struct err *err);
/* Takes away every procfs and sysfs of the host's that the container's mount namespace still holds. */
int rootfs_hide_host(struct rootfs *r, struct err *err);

#endif
