/* A container's tree becomes this process's root.
 *
 * Running: its mount namespace is entered; "/" is its root then, with every volume and tmpfs it has. At rest: its layers
 * are mounted here, and on them its volumes. Writable for what goes in; for what comes out an overlay of all of it, whose own
 * writable layer is a tmpfs: mount points that are missing are made there, and nothing is left of them. */
#include "storage/worker/place.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "storage/overlay.h"
#include "storage/worker/sandbox.h"

/* ---- The order ---- */

static int read_order(struct place *ret, const char **ret_mounts, struct err *err)
{
    struct buf b = BUF_INIT(WORKER_PLACE_MAX);

    if (fd_read_all(WORKER_FD_PENDING, &b) < 0 || b.len <= sizeof(*ret->order) || b.data[b.len - 1] != '\0')
        return err_set(err, ERR_SYSTEM, "keg-layer: no order");
    ret->order = (struct worker_place *)(void *)b.data; /* kept */
    ret->path = b.data + sizeof(*ret->order);
    ret->name = ret->path + strlen(ret->path) + 1;
    *ret_mounts = ret->name + strlen(ret->name) + 1;
    return 0;
}

/* ---- The tree of a container at rest ---- */

/* What can be written to, and is forgotten. */
static int mount_scratch(const int *lower, size_t n, struct err *err)
{
    _cleanup_close_ int tmpfs = sandbox_new_tmpfs(err), upper = -EBADF, work = -EBADF;
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

    if (tmpfs < 0)
        return -1;
    if (mkdirat(tmpfs, "upper", 0755) < 0 || mkdirat(tmpfs, "work", 0755) < 0 ||
        (upper = openat(tmpfs, "upper", flags)) < 0 || (work = openat(tmpfs, "work", flags)) < 0)
        return err_errno(err, errno, "cannot make a tmpfs's directories");
    return overlay_mount(lower, n, upper, work, err);
}

static int mount_tree(const struct worker_place *order, const int *lower, size_t n, struct err *err)
{
    struct stat st;
    int fd;

    if (order->writable && fstat(WORKER_FD_WORK, &st) == 0)
        return overlay_mount(lower, n, WORKER_FD_TREE, WORKER_FD_WORK, err);
    if (order->writable)
        return sandbox_clone_tree(lower[0], /* recursive= */ false, /* read_only= */ false, err);
    fd = mount_scratch(lower, n, NULL);
    if (fd >= 0)
        return fd;
    /* This kernel takes no layers that are mounted nowhere: without mount points that are missing, then. */
    return n == 1 ? sandbox_clone_tree(lower[0], /* recursive= */ false, /* read_only= */ true, err)
                  : overlay_mount(lower, n, -EBADF, -EBADF, err);
}

/* Opens where a mount goes, and makes it if it isn't there. */
static int open_target(const struct place *p, const char *target, int source)
{
    struct stat st;
    int fd = path_open_in_root(p->root, target, O_PATH, 0);
    _cleanup_close_ int dir = -EBADF;
    _cleanup_free_ char *parent = NULL;
    const char *name = strrchr(target, '/');

    if (fd != -ENOENT || fstat(source, &st) < 0)
        return fd;
    if (S_ISDIR(st.st_mode))
        return path_mkdir_in_root(p->root, target, 0755, 0, 0);
    parent = xstrndup(target, (size_t)(name - target));
    dir = path_mkdir_in_root(p->root, parent, 0755, 0, 0);
    if (dir < 0 || mknodat(dir, name + 1, S_IFREG | 0644, 0) < 0)
        return dir < 0 ? dir : -errno;
    return path_open_in_root(p->root, target, O_PATH, 0);
}

static int attach(const struct place *p, const int *mounts, const char *text, struct err *err)
{
    for (int64_t i = 0; i < p->order->n_mounts; i++, text += strlen(text) + 1) {
        _cleanup_close_ int at = open_target(p, text + 1, mounts[i]);

        if (at == -EROFS)
            continue;
        if (at < 0)
            return err_errno(err, at, "cannot make the mount point %s", text + 1);
        if (move_mount(mounts[i], "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
            return err_errno(err, errno, "cannot mount %s", text + 1);
    }
    return 0;
}

static int make_read_only(const struct place *p, int tree, struct err *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

    if (p->order->read_only && mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
        return err_errno(err, errno, "cannot make the root read-only");
    return 0;
}

/* Detached mounts first, in the namespace that the descriptors came from; then, in the new one, the root of them. */
static int make_tree(struct place *p, const int *lower, int64_t n, const char *text, struct err *err)
{
    int64_t layers = n - p->order->n_mounts;
    _cleanup_free_ int *mounts = xcalloc((size_t)p->order->n_mounts + 1, sizeof(*mounts));
    _cleanup_close_ int tree = -EBADF;
    const char *t = text;

    if (layers < 1)
        return err_set(err, ERR_SYSTEM, "keg-layer: no layers");
    for (int64_t i = 0; i < p->order->n_mounts; i++, t += strlen(t) + 1)
        if ((mounts[i] = sandbox_clone_tree(lower[layers + i], /* recursive= */ true, *t == 'r', err)) < 0)
            return err_wrap(err, "%s", t + 1);
    tree = mount_tree(p->order, lower, (size_t)layers, err);
    if (tree < 0 || sandbox_fork(err) < 0)
        return -1;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_errno(err, errno, "cannot make mounts private");
    if (sandbox_pivot(tree, err) < 0)
        return -1;
    p->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (p->root < 0)
        return err_errno(err, errno, "cannot open the root");
    return attach(p, mounts, text, err) < 0 ? -1 : make_read_only(p, tree, err);
}

/* ---- The tree of a running one ---- */

static int enter_namespace(struct err *err)
{
    if (sandbox_fork(err) < 0)
        return -1;
    if (setns(WORKER_FD_TREE, CLONE_NEWNS) < 0)
        return err_errno(err, errno, "cannot enter the container's mount namespace");
    return 0;
}

int place_enter(const struct worker_options *o, struct place *ret, struct err *err)
{
    int lower[WORKER_LOWER_MAX];
    const char *mounts;

    *ret = (struct place){.root = -EBADF};
    if (read_order(ret, &mounts, err) < 0)
        return -1;
    for (int64_t i = 0; i < o->n_lower; i++)
        lower[i] = WORKER_FD_LOWER + (int)i;
    if ((ret->order->namespace ? enter_namespace(err) : make_tree(ret, lower, o->n_lower, mounts, err)) < 0)
        return -1;
    close_fd(&ret->root);
    if (sandbox_confine(WORKER_FD_OUTPUT, err) < 0)
        return -1;
    ret->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return ret->root < 0 ? err_errno(err, errno, "cannot open the root") : 0;
}
