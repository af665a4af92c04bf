/* Binds: what they show is opened on the host's side, by whoever may see it, and placed when their turn comes. */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "runtime/rootfs/rootfs.h"
#include "runtime/sync.h"
#include "sys/mount.h"
#include "sys/namespace.h"

/* What a user namespace that didn't make a mount may not take off it. */
#define LOCKABLE ((uint64_t)(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC))
#define ATIME    ((uint64_t)(MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME))

static unsigned long default_propagation(const struct rootfs *r)
{
    return r->spec->root_propagation ? r->spec->root_propagation | MS_REC : MS_SLAVE | MS_REC;
}

/* Mapped as the mount says, or as the container is. */
static int open_mapping(const struct rootfs *r, const struct spec_mount *m, struct err *err)
{
    const char *user = r->spec->namespaces[NAMESPACE_USER].path;
    bool own = m->uid_count;
    int fd;

    if (!own && user) {
        fd = namespace_open(user, NAMESPACE_USER);
        return fd < 0 ? err_errno(err, fd, "mount %s: open the user namespace %s", m->destination, user) : fd;
    }
    if (!own && !r->spec->uid_count)
        return err_set(err, ERR_INVALID, "mount %s: idmap needs mappings, its own or the container's",
                       m->destination);
    fd = own ? namespace_new_user(r->procfs, m->uids, m->uid_count, m->gids, m->gid_count)
             : namespace_new_user(r->procfs, r->spec->uids, r->spec->uid_count, r->spec->gids,
                                  r->spec->gid_count);
    return fd < 0 ? err_errno(err, fd, "mount %s: make the mappings", m->destination) : fd;
}

int rootfs_open_mappings(struct rootfs *r, struct err *err)
{
    for (size_t i = 0; i < r->spec->mount_count; i++) {
        if (!r->spec->mounts[i].idmap)
            continue;
        r->mounts[i].mapping = open_mapping(r, &r->spec->mounts[i], err);
        if (r->mounts[i].mapping < 0)
            return -1;
    }
    return 0;
}

/* A source in the root itself: a mount of the container's own. NULL when it isn't. */
static char *path_inside(const struct rootfs *r, const struct spec_mount *m)
{
    return path_is_absolute(m->source) ? rootfs_container_path(r, m->source, /* only_inside= */ true) : NULL;
}

static bool is_shared(const struct spec_mount *m)
{
    return (m->propagation & ~(unsigned long)MS_REC) == MS_SHARED;
}

bool rootfs_opens_early(const struct rootfs *r, size_t i)
{
    const struct spec_mount *m = &r->spec->mounts[i];
    _cleanup_free_ char *inside = m->bind && !m->remount ? path_inside(r, m) : NULL;

    if (!m->bind || m->remount || inside)
        return false;
    return r->foreign_user || m->copy_symlink || is_shared(m);
}

static int open_tree_of(const struct rootfs *r, const struct spec_mount *m, const char *path)
{
    _cleanup_free_ char *inside = path_inside(r, m);
    _cleanup_close_ int fd = -EBADF;

    if (!inside && is_shared(m) && r->options->host_mounts > 0 && mount_api_available())
        return mount_tree_open_in(r->options->host_mounts, path, m->recursive);
    if (!inside)
        return m->source_nofollow ? mount_tree_open_nofollow(AT_FDCWD, path, m->recursive)
                                  : mount_tree_open(AT_FDCWD, path, m->recursive);
    /* nothing in there may lead out of it */
    fd = path_open_in_root(r->root, inside, O_PATH | (m->source_nofollow ? O_NOFOLLOW : 0), 0);
    return fd < 0 ? fd : mount_tree_open(fd, "", m->recursive);
}

/* What a symlink points to; NULL when the path is none. */
static char *read_link(const char *path)
{
    char text[4096];
    ssize_t n = readlink(path, text, sizeof(text));

    return n > 0 && n < (ssize_t)sizeof(text) ? xstrndup(text, (size_t)n) : NULL;
}

int rootfs_map_mount(const struct rootfs *r, size_t i, int tree)
{
    return i >= r->spec->mount_count
               ? -EINVAL
               : mount_tree_map(tree, r->mounts[i].mapping, r->spec->mounts[i].idmap_recursive);
}

static int map_ids(const struct rootfs *r, size_t i, const char *path, struct err *err)
{
    const struct spec_mount *m = &r->spec->mounts[i];
    int tree = r->mounts[i].source, result = rootfs_map_mount(r, i, tree);

    if (result == -EPERM &&
        r->caller >= 0) { /* a mount in the root itself, of this user namespace's making */
        if (sync_send_map(r->caller, (int32_t)i, tree) < 0)
            return err_set(err, ERR_SYSTEM, "the caller went away");
        return sync_expect(r->caller, SYNC_GO, NULL, err);
    }
    if (result == -EINVAL)
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "error mounting \"%s\" to rootfs at \"%s\": its filesystem can't be idmapped, or is "
                       "already",
                       path, m->destination);
    return result < 0 ? rootfs_mount_error(m, result, "map its ids", err) : 0;
}

int rootfs_open_source(struct rootfs *r, size_t i, struct err *err)
{
    const struct spec_mount *m = &r->spec->mounts[i];
    struct rootfs_mount *known = &r->mounts[i];
    _cleanup_free_ char *path = path_is_absolute(m->source) || !r->options->bundle
                                    ? xstrdup(m->source)
                                    : path_join(r->options->bundle, m->source);

    if (!path_is_absolute(path))
        return err_set(err, ERR_INVALID, "mount %s: the source \"%s\" is relative and there is no bundle",
                       m->destination, m->source);
    if (m->copy_symlink && (known->link = read_link(path)))
        return 0;
    known->source = open_tree_of(r, m, path);
    if (known->source < 0)
        return err_errno(err, known->source, "error mounting \"%s\" to rootfs at \"%s\": open the source",
                         path, m->destination);
    return known->mapping < 0 ? 0 : map_ids(r, i, path, err);
}

/* The host's cgroups below a /sys that came with it: hidden by an empty directory, where the kernel can't make a whole tree
 * read-only. */
static int hide_cgroups(struct rootfs *r, int sysfs, const char *destination)
{
    static char mode[] = "mode=755", size[] = "size=4k";
    char *options[] = {mode, size, NULL};
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int target = openat(sysfs, "fs/cgroup", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                        mounted = -EBADF;

    if (target < 0)
        return errno == ENOENT ? 0 : -errno;
    path = path_join(destination, "fs/cgroup");
    mounted = mount_place(&(struct mount_request){.type = "tmpfs",
                                                  .source = "cgroup",
                                                  .options = options,
                                                  .set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
                                                         MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                                                  .target = target,
                                                  .root = r->root,
                                                  .path = path});
    return mounted < 0 ? mounted : 0;
}

/* A /sys of the host's holds its cgroups, of which some may be the user's own: what is asked to be read-only is so all the
 * way down. */
int rootfs_place_host_tree(struct rootfs *r, const struct mount_request *request)
{
    struct mount_request whole = *request;
    bool is_sys = r->foreign_user && request->recursive && request->set & MOUNT_ATTR_RDONLY &&
                  mount_is_type(request->tree, SYSFS_MAGIC) == 1;
    _cleanup_close_ int mounted = -EBADF;
    int result = 0;

    if (is_sys && mount_api_available())
        whole.recursive_set |= MOUNT_ATTR_RDONLY;
    mounted = mount_place(&whole);
    if (mounted >= 0 && is_sys && !mount_api_available())
        result = hide_cgroups(r, mounted, request->path);
    return mounted < 0 ? mounted : result < 0 ? result : take_fd(&mounted);
}

/* A new copy of what was opened before: mounts are listed in the order in which they were made. Kernels before 6.15 can't
 * copy what isn't placed yet, nor any what another mount namespace made. */
static void make_anew(struct rootfs_mount *known, const struct spec_mount *m)
{
    int again = mount_api_available() && known->mapping < 0 ? mount_tree_open(known->source, "", m->recursive)
                                                            : -EBADF;

    if (again < 0)
        return;
    close_fd(&known->source);
    known->source = again;
}

/* In a user namespace, mounts keep what the host's have been forbidden, as the kernel has it for those that it copies. */
static bool keeps_locked(const struct rootfs *r)
{
    return r->foreign_user || !namespace_user_is_initial();
}

/* A bind has its source's flags, or if any is named only the named ones, and what is locked. */
static int choose_flags(const struct rootfs *r, const struct spec_mount *m, int tree,
                        struct mount_request *request, struct err *err)
{
    uint64_t have, lost, wanted;
    int result = m->has_flags ? mount_attributes(tree, &have) : 0;

    if (!m->has_flags || result < 0)
        return result < 0 ? rootfs_mount_error(m, result, "read its flags", err) : 0;
    wanted = m->sets_atime ? m->set : (have & ATIME) | (m->set & ~ATIME);
    lost = have & ~wanted & LOCKABLE;
    if ((lost || (have ^ wanted) & ATIME) && keeps_locked(r)) {
        if (lost & m->cleared || (have ^ wanted) & ATIME)
            return rootfs_mount_error(
                m, -EPERM, "in a user namespace the flags of the host's mount can't be taken off", err);
        wanted |= lost;
    }
    request->set = wanted;
    request->clear = have & ~wanted;
    return 0;
}

/* copy-symlink: the container gets a symlink like the source. */
static int copy_link(struct rootfs *r, const struct rootfs_mount *known, const struct spec_mount *m,
                     struct err *err)
{
    char *slash = strrchr(known->target, '/'), text[4096];
    _cleanup_free_ char *parent = xstrndup(known->target, (size_t)(slash - known->target));
    _cleanup_close_ int directory = path_mkdir_in_root(r->root, parent, 0755, 0, 0);
    ssize_t n;

    if (directory < 0)
        return rootfs_mount_error(m, directory, "", err);
    if (symlinkat(known->link, directory, slash + 1) == 0)
        return 0;
    if (errno != EEXIST)
        return rootfs_mount_error(m, -errno, "", err);
    n = readlinkat(directory, slash + 1, text, sizeof(text));
    if (n >= 0 && (size_t)n == strlen(known->link) && memcmp(text, known->link, (size_t)n) == 0)
        return 0;
    return rootfs_mount_error(m, -EEXIST, "it is there, and not that symbolic link", err);
}

static int place(struct rootfs *r, const struct spec_mount *m, const struct rootfs_mount *known,
                 struct err *err)
{
    struct mount_request request = {
        .tree = known->source,
        .recursive = m->recursive,
        .recursive_set = m->recursive_set,
        .recursive_clear = m->recursive_clear,
        .propagation = m->propagation ? m->propagation : default_propagation(r),
        .root = r->root,
        .path = known->target,
        .nofollow = m->target_nofollow,
    };
    int flags = m->target_nofollow ? TARGET_NOFOLLOW : 0, mounted;
    _cleanup_close_ int target = -EBADF;
    struct stat st;

    if (fstat(known->source, &st) < 0)
        return rootfs_mount_error(m, -errno, "", err);
    flags |= S_ISDIR(st.st_mode) ? TARGET_DIRECTORY : TARGET_FILE;
    target = rootfs_open_target(r, known->target, flags, err);
    if (target < 0 || rootfs_check_target(target, known->target, m, known->source, err) < 0 ||
        choose_flags(r, m, known->source, &request, err) < 0)
        return -1;
    request.target = target;
    mounted = rootfs_place_host_tree(r, &request);
    return mounted < 0 ? rootfs_mount_error(m, mounted, "", err) : mounted;
}

int rootfs_bind(struct rootfs *r, size_t i, struct err *err)
{
    const struct spec_mount *m = &r->spec->mounts[i];
    struct rootfs_mount *known = &r->mounts[i];
    int mounted;

    if (known->source >= 0)
        make_anew(known, m);
    else if (!known->link && rootfs_open_source(r, i, err) < 0)
        return -1;
    if (known->link)
        return copy_link(r, known, m, err);
    mounted = place(r, m, known, err);
    close_fd(&known->source);
    if (mounted >= 0)
        rootfs_take_mount(r, known, mounted);
    return mounted < 0 ? -1 : 0;
}
