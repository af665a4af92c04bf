/* Whole trees out: layers → tar streams, and stacks as a mount. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "storage/internal.h"
#include "storage/overlay.h"

void pack_take_result(const struct worker_report *report, struct storage_pack_result *ret)
{
    if (!ret)
        return;
    snprintf(ret->diff_id, sizeof(ret->diff_id), "sha256:%s", report->diff_hex);
    ret->size = report->tar_size;
    ret->entries = report->entries;
}

int pack_directory(struct storage *s, int dir, const char *name, int out, struct storage_pack_result *ret,
                   struct err *err)
{
    _cleanup_close_ int tree = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct worker_spec worker = WORKER_SPEC_INIT("pack");
    struct worker_report report;

    if (tree < 0)
        return err_errno(err, errno, "cannot open %s", name);
    worker.output = out;
    worker.tree = tree;
    if (worker_run(s, &worker, &report, err) < 0)
        return -1;
    pack_take_result(&report, ret);
    return 0;
}

/* Merges `lower`, topmost first; a whole tree is alone. */
static int export_merged(struct storage *s, char ***lower, bool whole, int out,
                         struct storage_pack_result *ret, struct err *err)
{
    struct worker_spec worker = WORKER_SPEC_INIT("export");
    struct worker_report report;
    int *fds, r;

    if (!whole)
        layer_add_empty(s, lower);
    if (open_dirs(*lower, &fds, &worker.n_lower, err) < 0)
        return -1;
    worker.output = out;
    worker.lower = fds;
    r = worker_run(s, &worker, &report, err);
    close_dirs(fds, worker.n_lower);
    if (r == 0)
        pack_take_result(&report, ret);
    return r;
}

int storage_layer_pack(struct storage *s, const char *chain_id, int out, struct storage_pack_result *ret,
                       struct err *err)
{
    _cleanup_free_ char *path = NULL;
    struct storage_layer layer;

    if (storage_layer_get(s, chain_id, &layer, err) < 0 || !(path = layer_path(s, &layer, err)))
        return -1;
    return pack_directory(s, AT_FDCWD, path, out, ret, err);
}

int storage_container_export(struct storage *s, const char *id, int out, struct storage_pack_result *ret,
                             struct err *err)
{
    _cleanup_(storage_rootfs_finish) struct storage_rootfs r = {};
    _cleanup_strv_ char **lower = NULL;

    if (storage_container_rootfs(s, id, &r, err) < 0)
        return -1;
    strv_push(&lower, r.root ? r.root : r.upper);
    for (char **l = r.lower; l && *l; l++)
        strv_push(&lower, *l);
    return export_merged(s, &lower, r.root != NULL, out, ret, err);
}

int storage_layer_export(struct storage *s, const char *chain_id, int out, struct storage_pack_result *ret,
                         struct err *err)
{
    _cleanup_(storage_rootfs_finish) struct storage_rootfs r = {};

    if (storage_layer_rootfs(s, chain_id, &r, err) < 0)
        return -1;
    return export_merged(s, &r.lower, /* whole= */ false, out, ret, err);
}

static int mount_whole(const char *root, struct err *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                          MOUNT_ATTR_NOEXEC,
                              .propagation = MS_PRIVATE};
    _cleanup_close_ int fd =
        open_tree(AT_FDCWD, root, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);

    if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
        return err_errno(err, errno, "cannot take hold of %s", root);
    return take_fd(&fd);
}

int storage_rootfs_mount(struct storage *s, const struct storage_rootfs *r, struct err *err)
{
    _cleanup_strv_ char **paths = NULL;
    size_t n;
    int *fds, fd;

    if (r->root)
        return mount_whole(r->root, err);
    if (r->upper)
        strv_push(&paths, r->upper);
    for (char **lower = r->lower; lower && *lower; lower++)
        strv_push(&paths, *lower);
    layer_add_empty(s, &paths);
    if (open_dirs(paths, &fds, &n, err) < 0)
        return -1;
    fd = overlay_mount(fds, n, -EBADF, -EBADF, err);
    close_dirs(fds, n);
    return fd;
}
