/* The overlay driver. Layers are directories in overlay's own form; the runtime mounts them, so there is
 * little here. */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/internal.h"
#include "storage/tree_remove.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* As docker info names them. */
static const struct {
    unsigned int magic;
    const char *name;
} filesystems[] = {
    {EXT4_SUPER_MAGIC, "extfs"},
    {XFS_SUPER_MAGIC, "xfs"},
    {BTRFS_SUPER_MAGIC, "btrfs"},
    {TMPFS_MAGIC, "tmpfs"},
    {OVERLAYFS_SUPER_MAGIC, "overlayfs"},
    {F2FS_SUPER_MAGIC, "f2fs"},
    {NFS_SUPER_MAGIC, "nfs"},
};

static const char *filesystem_name(int fd)
{
    struct statfs st;

    if (fstatfs(fd, &st) == 0)
        for (size_t i = 0; i < ARRAY_SIZE(filesystems); i++)
            if ((unsigned int)st.f_type == filesystems[i].magic)
                return filesystems[i].name;
    return "<unknown>";
}

/* Opaque directories need trusted.* attributes, and another overlay can't hold an upper directory. */
static int overlay_probe(int layers_fd, struct err *err)
{
    char name[NAME_SIZE];
    _cleanup_close_ int fd = -EBADF;
    int r;

    if (str_eq(filesystem_name(layers_fd), "overlayfs") || str_eq(filesystem_name(layers_fd), "nfs"))
        return err_set(err, ERR_INVALID,
                       "the overlay driver can't keep layers on %s: choose a data root on ext4 or xfs",
                       filesystem_name(layers_fd));
    storage_random_name(name, TRASH_PREFIX);
    if (mkdirat(layers_fd, name, 0700) < 0)
        return err_errno(err, errno, "cannot write to the data root");
    fd = openat(layers_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0;
    tree_remove(layers_fd, name);
    return r < 0 ? err_errno(err, r, "the overlay driver needs trusted extended attributes on the data root")
                 : 0;
}

static void overlay_status(int layers_fd, char ***status)
{
    const char *const rows[] = {
        "Backing Filesystem",  filesystem_name(layers_fd),
        "Supports d_type",     "true",
        "Using metacopy",      "false",
        "Native Overlay Diff", "true",
        "userxattr",           "false",
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        strv_push(status, rows[i]);
}

static const char *const overlay_names[] = {"overlay2", "overlay", NULL};

const struct storage_driver overlay_driver = {
    .name = "overlay",
    .docker_name = "overlay2",
    .names = overlay_names,
    .probe = overlay_probe,
    .status = overlay_status,
};
