/* Where mounts go: resolved with care, made where missing, and refused where a mount could deceive. */
#include <fcntl.h>
#include <libgen.h>
#include <linux/magic.h>
#include <string.h>
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

char *rootfs_container_path(const struct rootfs *r, const char *path, bool only_inside)
{
    _cleanup_free_ char *rooted = path_join("/", path), *clean = path_clean(rooted);
    size_t n = r->directory ? strlen(r->directory) : 0;

    if (path_is_absolute(path) && n > 1 && strncmp(clean, r->directory, n) == 0 &&
        (clean[n] == '/' || clean[n] == '\0'))
        return xstrdup(clean[n] ? clean + n : "/");
    return only_inside ? NULL : take_ptr(&clean);
}

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

int rootfs_open_target(struct rootfs *r, const char *path, int flags, struct err *err)
{
    bool directory = flags & TARGET_DIRECTORY, plain = flags & (TARGET_PLAIN | TARGET_NOFOLLOW);
    _cleanup_close_ int fd = path_open_in_root(r->root, path, O_PATH | (plain ? O_NOFOLLOW : 0), 0);
    struct stat st;

    if (fd == -ENOENT)
        fd = make_target(r, path, directory, plain);
    if (fd < 0)
        return err_errno(err, fd, "create mountpoint for %s", path);
    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "create mountpoint for %s", path);
    if (S_ISLNK(st.st_mode) && flags & TARGET_PLAIN)
        return err_set(err, ERR_INVALID,
                       "%s must be mounted on ordinary directory: in this root filesystem it is a symbolic "
                       "link",
                       path);
    if (S_ISDIR(st.st_mode) != directory)
        return err_set(err, ERR_INVALID, "create mountpoint for %s: not a directory: " WRONG_TYPE_ADVICE,
                       path);
    return take_fd(&fd);
}

/* Over /proc only procfs itself goes, and below it only these files: anything else could fake what the
 * runtime and the kernel's guards rely on. */
int rootfs_check_target(int target, const char *path, const struct spec_mount *m, int tree, struct err *err)
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

    for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
        if (str_eq(path, allowed[i]))
            return 0;
    if (str_eq(path, "/proc")) {
        if (str_eq(m->type, "proc") && !m->bind)
            return 0;
        return tree >= 0 && mount_is_type(tree, PROC_SUPER_MAGIC) == 1
                   ? 0
                   : err_set(err, ERR_INVALID,
                             "mount %s: \"%s\" cannot be mounted because it is not of type proc",
                             m->destination, path);
    }
    if (!str_starts(path, "/proc/")) {
        int result = mount_is_type(target, PROC_SUPER_MAGIC);

        if (result < 0)
            return err_errno(err, result, "mount %s: look at what is there", m->destination);
        if (result == 0)
            return 0;
    }
    if (str_eq(m->type, "binfmt_misc"))
        return 0;
    return err_set(err, ERR_INVALID, "mount %s: \"%s\" cannot be mounted because it is inside /proc",
                   m->destination, path);
}

int rootfs_mount_error(const struct spec_mount *m, int result, const char *log, struct err *err)
{
    const char *what = m->source && m->bind ? m->source : m->type;

    if (result == -ENOTDIR)
        return err_set(err, ERR_INVALID,
                       "error mounting \"%s\" to rootfs at \"%s\": not a directory: " WRONG_TYPE_ADVICE, what,
                       m->destination);
    if (result == -EOPNOTSUPP)
        return err_set(err, ERR_NOT_IMPLEMENTED, "error mounting \"%s\" to rootfs at \"%s\": %s", what,
                       m->destination,
                       mount_api_available() ? "this kernel or filesystem can't do one of its options"
                                             : "idmapped mounts and recursive options need Linux 5.12");
    return err_errno(err, result, "error mounting \"%s\" to rootfs at \"%s\"%s%s", what, m->destination,
                     *log ? ": " : "", log);
}
