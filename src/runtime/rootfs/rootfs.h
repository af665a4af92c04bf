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

struct rootfs {
    const struct spec *spec;
    const struct runtime_create_options *options;
    struct cgroup *cgroup; /* NULL: none */
    int procfs;            /* checked, the host's */
    bool foreign_user;     /* in another user namespace than the host: no mknod */
    int tree;              /* the root, not yet placed */
    int *sources;          /* per mount: what it binds, else -EBADF */
    int *mappings;         /* per mount: the user namespace it is mapped by, else -EBADF */
    int root;              /* the root's descriptor, once mounted */
};

void rootfs_init(struct rootfs *r);
void rootfs_finish(struct rootfs *r);

/* Opens what comes from the host's side: layers or root.path, and the sources of binds. In the caller of
 * runtime_create() when the container has a user namespace of its own (which may not see them), else in init;
 * before propagation is cut. */
int rootfs_open_host(struct rootfs *r, struct err *err);
/* Makes the mappings of idmapped mounts; in the caller of runtime_create(). */
int rootfs_open_mappings(struct rootfs *r, struct err *err);
/* Cuts propagation and puts the root in place. */
int rootfs_mount_root(struct rootfs *r, struct err *err);
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

/* Opens (and if it is missing, makes) what a mount goes on: a directory or an empty file. With `plain` the
 * last component must not be a symlink. O_PATH descriptor or -1. */
int rootfs_open_target(struct rootfs *r, const char *path, bool directory, bool plain, struct err *err);
/* type "cgroup" and "cgroup2". */
int rootfs_mount_cgroup(struct rootfs *r, const struct spec_mount *m, struct err *err);
/* Copies the content of one directory into another: tmpcopyup. */
int rootfs_copy_up(int from, int to, struct err *err);

#endif
