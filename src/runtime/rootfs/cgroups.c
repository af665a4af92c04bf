/* /sys/fs/cgroup: the container's own cgroup in every hierarchy, and nothing above it. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "runtime/rootfs/rootfs.h"
#include "sys/cgroup.h"
#include "sys/mount.h"

/* By path: the host's own mount, as it is seen in this mount namespace, not the descriptor of the caller's. */
static char *unified_directory(const struct rootfs *r)
{
    size_t count;
    const struct cgroup_hierarchy *hierarchies = cgroup_hierarchies(&count);

    for (size_t i = 0; r->cgroup && i < count; i++)
        if (hierarchies[i].v2)
            return cgroup_directory(r->cgroup, i);
    return NULL;
}

/* The container's own cgroup of the host's mount; without one, nothing, read-only. For a container that sees the host's
 * cgroups (no namespace of its own, or none it may mount in). */
static int own_or_nothing(struct rootfs *r, const struct spec_mount *m, int target)
{
    static char mode[] = "mode=755", size[] = "size=4k";
    char *options[] = {mode, size, NULL};
    struct mount_request request = {.set = m->set, .target = target, .root = r->root, .path = m->destination};
    _cleanup_free_ char *own = unified_directory(r);
    _cleanup_close_ int tree = -EBADF;

    if (own) {
        tree = mount_tree_open(AT_FDCWD, own, /* recursive= */ false);
        if (tree < 0)
            return tree;
        request.tree = tree;
        request.propagation = MS_SLAVE;
    } else {
        request.type = "tmpfs";
        request.source = "cgroup";
        request.options = options;
        request.set |= MOUNT_ATTR_RDONLY;
    }
    return mount_place(&request);
}

static int unified(struct rootfs *r, const struct spec_mount *m, int target, struct err *err)
{
    char log[MOUNT_LOG_SIZE] = "";
    _cleanup_close_ int mounted = -EBADF;

    if (r->spec->namespaces[NAMESPACE_CGROUP].wanted)
        mounted = mount_place(&(struct mount_request){.type = "cgroup2",
                                                      .source = "cgroup",
                                                      .options = m->options,
                                                      .set = m->set,
                                                      .target = target,
                                                      .root = r->root,
                                                      .path = m->destination,
                                                      .log = log});
    /* EBUSY: the host's came with /sys, and mount(2) refuses a filesystem on itself. */
    if (!r->spec->namespaces[NAMESPACE_CGROUP].wanted || mounted == -EPERM || mounted == -EBUSY)
        mounted = own_or_nothing(r, m, target);
    return mounted < 0
               ? err_errno(err, mounted, "mount cgroup2 on %s%s%s", m->destination, *log ? ": " : "", log)
               : 0;
}

/* "cpu,cpuacct" is also found as cpu and as cpuacct. */
static int link_names(int directory, const char *name, struct err *err)
{
    _cleanup_strv_ char **parts = strv_split(name, ',');

    for (char **part = parts; strv_len(parts) > 1 && *part; part++)
        if (symlinkat(name, directory, *part) < 0 && errno != EEXIST)
            return err_errno(err, errno, "link %s to %s", *part, name);
    return 0;
}

static int hierarchy(struct rootfs *r, const struct spec_mount *m, size_t i, const char *name, int directory,
                     struct err *err)
{
    _cleanup_free_ char *source = cgroup_directory(r->cgroup, i), *path = path_join(m->destination, name);
    _cleanup_close_ int tree = -EBADF, target = -EBADF, mounted = -EBADF;

    if (!source)
        return 0;
    if (mkdirat(directory, name, 0755) < 0)
        return err_errno(err, errno, "make %s", path);
    target = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    tree = mount_tree_open(AT_FDCWD, source, /* recursive= */ false);
    if (target < 0 || tree < 0)
        return err_errno(err, tree < 0 ? tree : errno, "mount %s on %s", source, path);
    mounted = mount_place(&(struct mount_request){.tree = tree,
                                                  .set = m->set,
                                                  .propagation = MS_PRIVATE,
                                                  .target = target,
                                                  .root = r->root,
                                                  .path = path});
    if (mounted < 0)
        return err_errno(err, mounted, "mount %s on %s", source, path);
    return link_names(directory, name, err);
}

static int legacy(struct rootfs *r, const struct spec_mount *m, int target, struct err *err)
{
    static char mode[] = "mode=755";
    char *options[] = {mode, NULL};
    size_t count;
    const struct cgroup_hierarchy *hierarchies = cgroup_hierarchies(&count);
    _cleanup_close_ int mounted =
        mount_place(&(struct mount_request){.type = "tmpfs",
                                            .source = "cgroup",
                                            .options = options,
                                            .set = m->set & ~(uint64_t)MOUNT_ATTR_RDONLY,
                                            .target = target,
                                            .root = r->root,
                                            .path = m->destination});
    int result;

    if (mounted < 0)
        return err_errno(err, mounted, "mount %s", m->destination);
    for (size_t i = 0; r->cgroup && i < count; i++)
        if (hierarchy(r, m, i, hierarchies[i].name, mounted, err) < 0)
            return -1;
    if (!(m->set & MOUNT_ATTR_RDONLY))
        return 0;
    result = mount_set(mounted, MOUNT_ATTR_RDONLY, 0, 0, /* recursive= */ false);
    return result < 0 ? err_errno(err, result, "make %s read-only", m->destination) : 0;
}

int rootfs_mount_cgroup(struct rootfs *r, const struct spec_mount *m, const char *path, struct err *err)
{
    _cleanup_close_ int target = rootfs_open_target(r, path, TARGET_DIRECTORY, err);
    enum cgroup_mode mode = cgroup_mode();

    if (target < 0)
        return -1;
    if (mode == CGROUP_MODE_UNIFIED || (str_eq(m->type, "cgroup2") && mode == CGROUP_MODE_HYBRID))
        return unified(r, m, target, err);
    return legacy(r, m, target, err);
}
