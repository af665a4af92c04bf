/* maskedPaths and readonlyPaths. What covers a file is the container's null device (the host's, where it has none),
 * checked on the descriptor that is mounted, on a read-only mount, so that its mode can't be changed by way of it; what
 * covers a directory is one empty read-only tmpfs. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "runtime/rootfs/rootfs.h"
#include "sys/mount.h"

struct covers {
    int empty; /* the tmpfs, made when first needed */
};

/* 1, 0 or -errno. */
static int is_null(int fd)
{
    struct stat st;

    return fstat(fd, &st) < 0 ? -errno : S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static int open_null(const struct rootfs *r, struct err *err)
{
    _cleanup_close_ int own = path_open_in_root(r->root, "/dev/null", O_PATH | O_NOFOLLOW, 0), tree = -EBADF;
    int result = own == -ENOENT || own == -ENOTDIR || own == -ELOOP ? 0 : own < 0 ? own : is_null(own);

    if (result < 0)
        return err_errno(err, result, "look at the container's /dev/null");
    tree = result ? mount_tree_open(own, "", /* recursive= */ false)
                  : mount_tree_open(AT_FDCWD, "/dev/null", /* recursive= */ false);
    if (tree < 0)
        return err_errno(err, tree, "open /dev/null");
    return is_null(tree) == 1 ? take_fd(&tree) : err_set(err, ERR_SYSTEM, "/dev/null is not the null device");
}

static int cover_file(struct rootfs *r, const char *path, int target, struct err *err)
{
    _cleanup_close_ int tree = open_null(r, err), mounted = -EBADF;

    if (tree < 0)
        return -1;
    mounted = mount_place(&(struct mount_request){.tree = tree,
                                                  .set = MOUNT_ATTR_RDONLY,
                                                  .propagation = MS_PRIVATE,
                                                  .target = target,
                                                  .root = r->root,
                                                  .path = path});
    return mounted < 0 ? err_errno(err, mounted, "mask %s", path) : 0;
}

static int cover_directory(struct rootfs *r, struct covers *c, const char *path, int target, struct err *err)
{
    struct mount_request request = {.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                           MOUNT_ATTR_NOEXEC,
                                    .target = target,
                                    .root = r->root,
                                    .path = path};
    static char size[] = "size=4k", inodes[] = "nr_inodes=2", mode[] = "mode=755";
    char *options[] = {size, inodes, mode, NULL};
    _cleanup_close_ int again = -EBADF, mounted = -EBADF;

    if (c->empty < 0) {
        request.type = request.source = "tmpfs";
        request.options = options;
    } else {
        request.tree = again = mount_tree_open(c->empty, "", /* recursive= */ false);
        if (again < 0)
            return err_errno(err, again, "mask %s", path);
    }
    mounted = mount_place(&request);
    if (mounted < 0)
        return err_errno(err, mounted, "mask %s", path);
    if (c->empty < 0)
        c->empty = take_fd(&mounted);
    return 0;
}

/* What is in /proc or /sys is found by way of the mount: whoever can write the directory that is the root, from outside,
 * could have the name lead elsewhere for a moment, and the file would stay as it is. */
static int open_covered(const struct rootfs *r, const char *path)
{
    for (size_t i = r->spec->mount_count; i-- > 0;) {
        const struct rootfs_mount *known = &r->mounts[i];
        size_t n = known->guarded < 0 ? 0 : strlen(known->target);

        if (n && str_starts(path, known->target) && path[n] == '/')
            return path_open_in_root(known->guarded, path + n, O_PATH, 0);
    }
    return path_open_in_root(r->root, path, O_PATH, 0);
}

static int mask(struct rootfs *r, struct covers *c, const char *path, struct err *err)
{
    _cleanup_close_ int target = open_covered(r, path);
    struct stat st;

    if (target == -ENOENT || target == -ENOTDIR)
        return 0;
    if (target < 0 || fstat(target, &st) < 0)
        return err_errno(err, target < 0 ? target : errno, "mask %s", path);
    return S_ISDIR(st.st_mode) ? cover_directory(r, c, path, target, err) : cover_file(r, path, target, err);
}

static int make_read_only(struct rootfs *r, const char *path, struct err *err)
{
    _cleanup_close_ int target = open_covered(r, path), tree = -EBADF, mounted = -EBADF;
    bool whole_tree = mount_api_available();

    if (target == -ENOENT || target == -ENOTDIR)
        return 0;
    if (target < 0)
        return err_errno(err, target, "make %s read-only", path);
    tree = mount_tree_open(target, "", /* recursive= */ true);
    if (tree >= 0)
        mounted = mount_place(&(struct mount_request){.tree = tree,
                                                      .recursive = true,
                                                      .set = whole_tree ? 0 : MOUNT_ATTR_RDONLY,
                                                      .recursive_set = whole_tree ? MOUNT_ATTR_RDONLY : 0,
                                                      .target = target,
                                                      .root = r->root,
                                                      .path = path});
    return mounted < 0 ? err_errno(err, tree < 0 ? tree : mounted, "make %s read-only", path) : 0;
}

int rootfs_mask(struct rootfs *r, struct err *err)
{
    struct covers covers = {-EBADF};
    int result = 0;

    for (const char **path = r->spec->readonly_paths; result == 0 && path && *path; path++)
        result = make_read_only(r, *path, err);
    for (const char **path = r->spec->masked_paths; result == 0 && path && *path; path++)
        result = mask(r, &covers, *path, err);
    close_fd(&covers.empty);
    return result;
}
