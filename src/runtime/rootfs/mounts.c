/* `mounts`: targets are opened with care, then mounted on. */
#include <fcntl.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "runtime/rootfs/rootfs.h"
#include "sys/mount.h"

#define WRONG_TYPE_ADVICE                                                                                    \
    "Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path "     \
    "exists "                                                                                                \
    "and is the expected type"

static int make_file(struct rootfs *r, const char *path)
{
    _cleanup_free_ char *copy = xstrdup(path), *copy2 = xstrdup(path);
    _cleanup_close_ int parent = path_mkdir_in_root(r->root, dirname(copy), 0755, 0, 0);
    _cleanup_close_ int fd = -EBADF;

    if (parent < 0)
        return parent;
    fd = openat(parent, basename(copy2), O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0755);
    if (fd < 0 && errno != EEXIST)
        return -errno;
    return path_open_in_root(r->root, path, O_PATH | O_NOFOLLOW, 0);
}

/* Behind symlinks that lead to nothing too (an /etc/resolv.conf of systemd's is one), unless it is to be plain. */
static int make_target(struct rootfs *r, const char *path, bool directory, bool plain)
{
    int result = 0;
    _cleanup_free_ char *real = plain ? xstrdup(path) : path_resolve_in_root(r->root, path, &result);

    if (!real)
        return result;
    return directory ? path_mkdir_in_root(r->root, real, 0755, 0, 0) : make_file(r, real);
}

int rootfs_open_target(struct rootfs *r, const char *path, bool directory, bool plain, struct err *err)
{
    _cleanup_close_ int fd = path_open_in_root(r->root, path, O_PATH | (plain ? O_NOFOLLOW : 0), 0);
    struct stat st;

    if (fd == -ENOENT)
        fd = make_target(r, path, directory, plain);
    if (fd < 0)
        return err_errno(err, fd, "open the mount point %s", path);
    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "open the mount point %s", path);
    if (S_ISLNK(st.st_mode))
        return err_set(err, ERR_INVALID, "the mount point %s is a symbolic link: not in this root filesystem",
                       path);
    if (S_ISDIR(st.st_mode) != directory)
        return err_set(err, ERR_INVALID, "mount point %s: not a directory: " WRONG_TYPE_ADVICE, path);
    return take_fd(&fd);
}

/* Over /proc only procfs itself goes, and below it only these files: anything else could fake what the
 * runtime and the kernel's guards rely on. */
static int check_proc(int target, const char *path, const struct spec_mount *m, int tree, struct err *err)
{
    static const char *const allowed[] = {
        "/proc/cpuinfo",
        "/proc/diskstats",
        "/proc/meminfo",
        "/proc/stat",
        "/proc/swaps",
        "/proc/uptime",
        "/proc/loadavg",
        "/proc/slabinfo",
        "/proc/net/dev",
        "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/crypto/fips_enabled",
    };
    _cleanup_free_ char *clean = path_clean(path);

    for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
        if (str_eq(clean, allowed[i]))
            return 0;
    if (str_eq(clean, "/proc")) {
        if (str_eq(m->type, "proc") && !m->bind)
            return 0;
        return tree >= 0 && mount_is_type(tree, PROC_SUPER_MAGIC) == 1
                   ? 0
                   : err_set(err, ERR_INVALID, "mount %s: only procfs can be mounted there", path);
    }
    if (!str_starts(clean, "/proc/") && mount_is_type(target, PROC_SUPER_MAGIC) != 1)
        return 0;
    if (str_eq(m->type, "binfmt_misc"))
        return 0;
    return err_set(err, ERR_INVALID, "mount %s: inside /proc nothing can be mounted", path);
}

static int refused(const struct spec_mount *m, int result, const char *log, struct err *err)
{
    const char *what = m->source && m->bind ? m->source : m->type;

    if (result == -ENOTDIR)
        return err_set(err, ERR_INVALID, "mount %s on %s: not a directory: " WRONG_TYPE_ADVICE, what,
                       m->destination);
    if (result == -EOPNOTSUPP)
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "mount %s on %s: this kernel or filesystem can't do one of its options", what,
                       m->destination);
    return err_errno(err, result, "mount %s on %s%s%s", what, m->destination, *log ? ": " : "", log);
}

static unsigned long default_propagation(const struct rootfs *r)
{
    return r->spec->root_propagation ? r->spec->root_propagation | MS_REC : MS_SLAVE | MS_REC;
}

/* Mapped as the mount says, or as the container is. */
static int open_mapping(const struct rootfs *r, const struct spec_mount *m, struct err *err)
{
    bool own = m->uid_count;
    int fd;

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
        r->mappings[i] = open_mapping(r, &r->spec->mounts[i], err);
        if (r->mappings[i] < 0)
            return -1;
    }
    return 0;
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
static int place_host_tree(struct rootfs *r, const struct mount_request *request)
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

static int bind(struct rootfs *r, const struct spec_mount *m, int tree, int mapping, struct err *err)
{
    _cleanup_close_ int target = -EBADF, mounted = -EBADF;
    struct stat st;

    if (fstat(tree, &st) < 0)
        return err_errno(err, errno, "mount %s", m->source);
    target = rootfs_open_target(r, m->destination, S_ISDIR(st.st_mode), /* plain= */ false, err);
    if (target < 0 || check_proc(target, m->destination, m, tree, err) < 0)
        return -1;
    mounted = place_host_tree(r, &(struct mount_request){
                                     .tree = tree,
                                     .recursive = m->recursive,
                                     .set = m->set,
                                     .recursive_set = m->recursive_set,
                                     .recursive_clear = m->recursive_clear,
                                     .propagation = m->propagation ? m->propagation : default_propagation(r),
                                     .userns = mapping,
                                     .idmap_recursive = m->idmap_recursive,
                                     .target = target,
                                     .root = r->root,
                                     .path = m->destination,
                                 });
    return mounted < 0 ? refused(m, mounted, "", err) : 0;
}

/* tmpfs takes the mode of the directory it covers, unless told otherwise. */
static void inherit_mode(int target, char ***options)
{
    struct stat st;

    for (char **option = *options; option && *option; option++)
        if (str_starts(*option, "mode="))
            return;
    if (fstat(target, &st) == 0)
        strv_push_take(options, xasprintf("mode=%o", st.st_mode & 07777));
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

static const char *host_mount_of(const struct rootfs *r, const struct spec_mount *m)
{
    for (size_t i = 0; i < ARRAY_SIZE(host_mounts); i++)
        if (str_eq(m->type, host_mounts[i].type))
            return spec_makes(r->spec, host_mounts[i].shows) && host_mounts[i].shows == NAMESPACE_PID
                       ? NULL /* it would show other processes than the container's */
                       : host_mounts[i].source;
    return NULL;
}

static int bind_host_mount(struct rootfs *r, const struct spec_mount *m, const char *source, int target,
                           struct err *err)
{
    _cleanup_close_ int tree = mount_tree_open(AT_FDCWD, source, /* recursive= */ true), mounted = -EBADF;
    struct mount_request request = {.tree = tree,
                                    .recursive = true,
                                    .set = m->set,
                                    .propagation = MS_SLAVE | MS_REC,
                                    .target = target,
                                    .root = r->root,
                                    .path = m->destination};

    if (tree < 0)
        return err_errno(err, tree, "mount %s on %s: open %s", m->type, m->destination, source);
    mounted = place_host_tree(r, &request);
    return mounted < 0 ? err_errno(err, mounted, "mount %s on %s", m->type, m->destination) : 0;
}

static int filesystem(struct rootfs *r, const struct spec_mount *m, struct err *err)
{
    static const char *const plain_types[] = {"proc", "sysfs"};
    _cleanup_close_ int target = -EBADF, mounted = -EBADF;
    _cleanup_strv_ char **options = NULL;
    char log[MOUNT_LOG_SIZE] = "";
    bool plain = false, tmpfs = str_eq(m->type, "tmpfs");

    for (size_t i = 0; i < ARRAY_SIZE(plain_types); i++)
        plain |= str_eq(m->type, plain_types[i]);
    if (tmpfs) {
        target = path_open_in_root(r->root, m->destination, O_PATH | O_DIRECTORY, 0);
        for (char **option = m->options; option && *option; option++)
            strv_push(&options, *option);
        if (target >= 0)
            inherit_mode(target, &options);
    }
    if (target < 0)
        target = rootfs_open_target(r, m->destination, /* directory= */ true, plain, err);
    if (target < 0 || check_proc(target, m->destination, m, -EBADF, err) < 0)
        return -1;
    mounted = mount_place(&(struct mount_request){
        .type = m->type,
        .source = str_empty(m->source) ? m->type : m->source,
        .options = tmpfs ? options : m->options,
        .set = m->copy_up ? m->set & ~(uint64_t)MOUNT_ATTR_RDONLY : m->set,
        .propagation = m->propagation,
        .target = target,
        .root = r->root,
        .path = m->destination,
        .log = log,
    });
    if (mounted == -EPERM && host_mount_of(r, m))
        return bind_host_mount(r, m, host_mount_of(r, m), target, err);
    if (mounted < 0)
        return refused(m, mounted, log, err);
    if (tmpfs && m->copy_up) {
        if (rootfs_copy_up(target, mounted, err) < 0)
            return err_wrap(err, "copy the content of %s", m->destination);
        if (m->set & MOUNT_ATTR_RDONLY && mount_set(mounted, MOUNT_ATTR_RDONLY, 0, 0, false) < 0)
            return err_errno(err, errno, "make %s read-only", m->destination);
    }
    return 0;
}

static int remount(struct rootfs *r, const struct spec_mount *m, struct err *err)
{
    _cleanup_close_ int target = path_open_in_root(r->root, m->destination, O_PATH, 0);
    int result = target < 0 ? target : mount_set(target, m->set, 0, m->propagation & ~MS_REC, false);

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
        int result;

        if (m->remount)
            result = remount(r, m, err);
        else if (m->bind)
            result = bind(r, m, r->sources[i], r->mappings[i], err);
        else if (rootfs_is_cgroup(m))
            result = rootfs_mount_cgroup(r, m, err);
        else
            result = filesystem(r, m, err);
        if (result < 0)
            return -1;
        close_fd(&r->sources[i]);
    }
    return 0;
}
