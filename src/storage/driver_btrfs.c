/* The btrfs driver. Beside LAYER/diff, whose files share their data with it, a layer has
 *
 *     LAYER/tree   a subvolume: the image up to this layer, a snapshot of the parent's with LAYER/diff put over it
 *     LAYER/base   a subvolume: a snapshot of LAYER/tree with the init layer put over it
 *
 * both made for the first container that needs them; a container's root is a snapshot of LAYER/base. Making a snapshot
 * commits what it was made of, so nothing has to be synced. */
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/internal.h"
#include "storage/quota.h"
#include "storage/tree_remove.h"
#include "storage/whole.h"

enum { SUBVOLUME_INO = 256 };

/* ---- Subvolumes ---- */

static int subvolume_create(int dir, const char *name)
{
    struct btrfs_ioctl_vol_args args = {};

    snprintf(args.name, sizeof(args.name), "%s", name);
    return ioctl(dir, BTRFS_IOC_SUBVOL_CREATE, &args) < 0 ? -errno : 0;
}

/* `from` is the subvolume's root. */
static int subvolume_snapshot(int from, int dir, const char *name)
{
    struct btrfs_ioctl_vol_args_v2 args = {.fd = from};

    snprintf(args.name, sizeof(args.name), "%s", name);
    return ioctl(dir, BTRFS_IOC_SNAP_CREATE_V2, &args) < 0 ? -errno : 0;
}

static int subvolume_destroy(int dir, const char *name)
{
    struct btrfs_ioctl_vol_args args = {};

    if (strlen(name) >= sizeof(args.name))
        return -ENAMETOOLONG;
    snprintf(args.name, sizeof(args.name), "%s", name);
    return ioctl(dir, BTRFS_IOC_SNAP_DESTROY, &args) < 0 ? -errno : 0;
}

/* A subvolume of the same mount, and no file system that is mounted there. */
static bool is_subvolume(int dir, const char *name)
{
    struct statx here, there;

    return statx(dir, "", AT_EMPTY_PATH, STATX_MNT_ID, &here) == 0 &&
           statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_INO | STATX_TYPE | STATX_MNT_ID,
                 &there) == 0 &&
           S_ISDIR(there.stx_mode) && there.stx_ino == SUBVOLUME_INO && here.stx_mnt_id == there.stx_mnt_id;
}

/* A container can have made subvolumes in its own: then all of it is emptied. */
static int remove_subvolume(int dir, const char *name, const atomic_bool *stop)
{
    int r;

    if (!is_subvolume(dir, name))
        return -EXDEV;
    r = subvolume_destroy(dir, name);
    return r == -ENOTEMPTY ? tree_remove_with(dir, name, stop, remove_subvolume) : r;
}

static int btrfs_remove(int dir, const char *name, const atomic_bool *stop)
{
    return is_subvolume(dir, name) ? remove_subvolume(dir, name, stop)
                                   : tree_remove_with(dir, name, stop, remove_subvolume);
}

/* ---- What layers have beside their trees ---- */

/* Makes `name` in the directory `dir` (below DATA/layers, `path`): a snapshot of `from` (NULL: empty), and over it the
 * layer `over`. */
static int derive(struct storage *s, int dir, const char *path, const char *name, const char *from,
                  const char *over, struct err *err)
{
    _cleanup_close_ int source = from ? open(from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -EBADF;
    _cleanup_strv_ char **paths = NULL;
    char made[NAME_SIZE];
    int r;

    if (from && source < 0)
        return err_errno(err, errno, "cannot open %s", from);
    storage_random_name(made, MAKING_PREFIX);
    r = from ? subvolume_snapshot(source, s->layers_fd, made) : subvolume_create(s->layers_fd, made);
    if (r < 0)
        return err_errno(err, r, "cannot make a subvolume in %s", path);
    strv_push(&paths, over);
    return whole_name(s, made, dir, name, whole_copy(s, &paths, s->layers_fd, made, err), err);
}

/* Makes LAYER/<name>, if it isn't there. */
static int ensure(struct storage *s, const char *layer, const char *name, const char *from, const char *over,
                  struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", s->layers, layer);
    _cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return err_errno(err, errno, "cannot open %s", path);
    return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? 0
                                                                : derive(s, dir, path, name, from, over, err);
}

/* The trees of the stack that are missing, from the lowest on. *ret: that of `top`, NULL for the empty image. */
static int ensure_trees(struct storage *s, const char *top, char **ret, struct err *err)
{
    _cleanup_free_ struct storage_layer *layers = NULL;
    _cleanup_free_ char *below = NULL;
    size_t n = 0;
    int r = layer_stack(s, top, &layers, &n, err);

    for (size_t i = n; i-- > 0 && r == 0;) {
        const char *hex = storage_digest_hex(layers[i].chain_id, NULL);
        _cleanup_free_ char *diff = layer_path(s, &layers[i], err);

        r = diff ? ensure(s, hex, "tree", below, diff, err) : -1;
        free(below);
        below = xasprintf("%s/%s/tree", s->layers, hex);
    }
    *ret = take_ptr(&below);
    return r;
}

static int ensure_base(struct storage *s, const char *top, struct err *err)
{
    const char *layer = storage_base_name(top);
    _cleanup_free_ char *tree = NULL, *base = xasprintf("%s/%s/base", s->layers, layer);
    _cleanup_free_ char *init = xasprintf("%s/%s/init", s->layers, layer);

    if (access(base, F_OK) == 0)
        return 0;
    return ensure_trees(s, top, &tree, err) < 0 ? -1 : ensure(s, layer, "base", tree, init, err);
}

/* ---- Containers ---- */

static int btrfs_root_make(struct storage *s, int dir, const char *top, struct err *err)
{
    _cleanup_free_ char *base = xasprintf("%s/%s/base", s->layers, storage_base_name(top));
    _cleanup_close_ int from = -EBADF;
    int r;

    if (ensure_base(s, top, err) < 0)
        return -1;
    from = open(base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    r = from < 0 ? -errno : subvolume_snapshot(from, dir, "root");
    return r < 0 ? err_errno(err, r, "cannot make a snapshot of %s", base) : 0;
}

static int btrfs_root_origin(struct storage *s, const char *top, char ***paths, struct err *err)
{
    strv_push_take(paths, xasprintf("%s/%s/base", s->layers, storage_base_name(top)));
    return ensure_base(s, top, err);
}

static int btrfs_limit(int dir, int64_t bytes, struct err *err)
{
    _cleanup_close_ int root = openat(dir, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = root < 0 ? -errno : quota_subvolume_limit(root, (uint64_t)bytes);

    return r < 0 ? err_errno(err, r, "cannot limit a subvolume to %lld bytes", (long long)bytes) : 0;
}

/* ---- What it is ---- */

static int btrfs_probe(struct storage *s, struct err *err)
{
    const char *on = filesystem_name(s->layers_fd);
    int r;

    if (!str_eq(on, "btrfs"))
        return err_set(err, ERR_INVALID, "the btrfs driver needs its data root on btrfs; %s is on %s",
                       s->layers, on);
    r = driver_probe_overlay_form(s);
    return r < 0 ? err_errno(err, r, "the btrfs driver cannot write to its data root") : 0;
}

static void btrfs_status(const struct storage *s, char ***rows)
{
    strv_push(rows, "Backing Filesystem");
    strv_push(rows, filesystem_name(s->layers_fd));
}

static const char *const btrfs_names[] = {"btrfs", NULL};

const struct storage_driver btrfs_driver = {
    .name = "btrfs",
    .names = btrfs_names,
    .probe = btrfs_probe,
    .status = btrfs_status,
    .remove = btrfs_remove,
    .root_make = btrfs_root_make,
    .root_origin = btrfs_root_origin,
    .limit = btrfs_limit,
};
