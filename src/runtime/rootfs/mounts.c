/* `mounts`: each in its turn. Binds are in binds.c, where they go in targets.c. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "runtime/rootfs/rootfs.h"
#include "sys/mount.h"

/* tmpfs takes the mode of the directory it covers, unless told otherwise. */
static int inherit_mode(int target, char ***options)
{
    struct stat st;

    for (char **option = *options; option && *option; option++)
        if (str_starts(*option, "mode="))
            return 0;
    if (fstat(target, &st) < 0)
        return -errno;
    strv_push_take(options, xasprintf("mode=%o", st.st_mode & 07777));
    return 0;
}

/* A filesystem that shows a namespace belongs to whoever owns that: in a user namespace that shares the host's (say its
 * network) it can't be mounted anew, and the host's own mount, where these always are, is bound instead. */
static const struct {
    const char *type, *source;
    enum namespace_kind shows;
} host_mounts[] = {
    {"sysfs", "/sys", NAMESPACE_NETWORK},
    {"mqueue", "/dev/mqueue", NAMESPACE_IPC},
    {"proc", "/proc", NAMESPACE_PID},
};

/* NULL: a refusal is an error. So it is for processes of a namespace that the container makes, since the host's procfs would
 * show others; and for what it makes without a user namespace, where no owner is in the way. */
static const char *host_mount_of(const struct rootfs *r, const struct spec_mount *m)
{
    for (size_t i = 0; i < ARRAY_SIZE(host_mounts); i++) {
        bool own = spec_makes(r->spec, host_mounts[i].shows);

        if (!str_eq(m->type, host_mounts[i].type))
            continue;
        if (own && (host_mounts[i].shows == NAMESPACE_PID || !spec_makes(r->spec, NAMESPACE_USER)))
            return NULL;
        return host_mounts[i].source;
    }
    return NULL;
}

static int bind_host_mount(struct rootfs *r, const struct spec_mount *m, const char *source,
                           const struct mount_request *like, struct err *err)
{
    _cleanup_close_ int tree = mount_tree_open(AT_FDCWD, source, /* recursive= */ true);
    struct mount_request request = {.tree = tree,
                                    .recursive = true,
                                    .set = like->set,
                                    .propagation = MS_SLAVE | MS_REC,
                                    .target = like->target,
                                    .root = r->root,
                                    .path = like->path};
    int mounted;

    if (tree < 0)
        return err_errno(err, tree, "mount %s on %s: open %s", m->type, m->destination, source);
    mounted = rootfs_place_host_tree(r, &request);
    return mounted < 0 ? err_errno(err, mounted, "mount %s on %s", m->type, m->destination) : mounted;
}

void rootfs_take_mount(struct rootfs *r, struct rootfs_mount *known, int mounted)
{
    if (str_eq(known->target, "/proc") || str_eq(known->target, "/sys")) {
        known->guarded = mounted;
        return;
    }
    if (!str_eq(known->target, "/")) {
        close_fd(&mounted);
        return;
    }
    close_fd(&r->root);
    r->root = mounted;
}

/* procfs and sysfs go nowhere but where they are said to be: a symlink there is an attempt to have them elsewhere. */
static int open_target(struct rootfs *r, const struct spec_mount *m, const char *path, char ***options,
                       struct err *err)
{
    bool plain = str_eq(m->type, "proc") || str_eq(m->type, "sysfs");
    _cleanup_close_ int target = -EBADF;
    int result;

    if (!str_eq(m->type, "tmpfs"))
        return rootfs_open_target(r, path, TARGET_DIRECTORY | (plain ? TARGET_PLAIN : 0), err);
    target = path_open_in_root(r->root, path, O_PATH | O_DIRECTORY, 0);
    if (target == -ENOENT || target == -ENOTDIR || target == -ELOOP)
        return rootfs_open_target(r, path, TARGET_DIRECTORY, err);
    result = target < 0 ? target : inherit_mode(target, options);
    return result < 0 ? err_errno(err, result, "open the mount point %s", path) : take_fd(&target);
}

/* Something has yet to be made in there, so it stays writable until rootfs_seal(). */
static bool seals_later(const struct spec_mount *m, const char *path)
{
    return m->set & MOUNT_ATTR_RDONLY && (str_eq(m->type, "tmpfs") || str_eq(path, "/dev"));
}

static int make_filesystem(struct rootfs *r, const struct spec_mount *m, struct mount_request *request,
                           struct err *err)
{
    char log[MOUNT_LOG_SIZE] = "";
    int mounted;

    request->log = log;
    mounted = mount_place(request);
    if (mounted == -EPERM && host_mount_of(r, m))
        return bind_host_mount(r, m, host_mount_of(r, m), request, err);
    if (mounted < 0)
        return rootfs_mount_error(m, mounted, log, err);
    if (str_eq(m->type, "tmpfs") && m->copy_up && rootfs_copy_up(request->target, mounted, err) < 0) {
        close_fd(&mounted);
        return err_wrap(err, "copy the content of %s", m->destination);
    }
    return mounted;
}

static int filesystem(struct rootfs *r, const struct spec_mount *m, struct rootfs_mount *known,
                      struct err *err)
{
    bool later = seals_later(m, known->target);
    _cleanup_close_ int target = -EBADF;
    _cleanup_strv_ char **options = NULL;
    int mounted;

    for (char **option = m->options; option && *option; option++)
        strv_push(&options, *option);
    target = open_target(r, m, known->target, &options, err);
    if (target < 0 || rootfs_check_target(target, known->target, m, -EBADF, err) < 0)
        return -1;
    mounted = make_filesystem(r, m,
                              &(struct mount_request){
                                  .type = m->type,
                                  .source = str_empty(m->source) ? m->type : m->source,
                                  .options = options,
                                  .set = later ? m->set & ~(uint64_t)MOUNT_ATTR_RDONLY : m->set,
                                  .recursive_set = m->recursive_set,
                                  .propagation = m->propagation,
                                  .target = target,
                                  .root = r->root,
                                  .path = known->target,
                              },
                              err);
    if (mounted < 0)
        return -1;
    if (later)
        known->read_only = fcntl(mounted, F_DUPFD_CLOEXEC, 3);
    rootfs_take_mount(r, known, mounted);
    return 0;
}

static int remount(struct rootfs *r, const struct spec_mount *m, const char *path, struct err *err)
{
    _cleanup_close_ int target = path_open_in_root(r->root, path, O_PATH, 0);
    int result =
        target < 0 ? target
                   : mount_set(target, m->set, m->cleared & ~m->set, m->propagation & ~(unsigned long)MS_REC,
                               /* recursive= */ false);

    return result < 0 ? err_errno(err, result, "remount %s", m->destination) : 0;
}

bool rootfs_is_cgroup(const struct spec_mount *m)
{
    return !m->bind && (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2"));
}

int rootfs_mount_range(struct rootfs *r, size_t first, size_t end, struct err *err)
{
    for (size_t i = first; i < end; i++) {
        const struct spec_mount *m = &r->spec->mounts[i];
        struct rootfs_mount *known = &r->mounts[i];
        int result;

        if (m->remount)
            result = remount(r, m, known->target, err);
        else if (m->bind)
            result = rootfs_bind(r, i, err);
        else if (rootfs_is_cgroup(m))
            result = rootfs_mount_cgroup(r, m, known->target, err);
        else
            result = filesystem(r, m, known, err);
        if (result < 0)
            return -1;
    }
    return 0;
}
