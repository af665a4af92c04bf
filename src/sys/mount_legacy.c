/* The older calls: every path given to mount(2) is /proc/self/fd/N of a descriptor that was resolved with
 * care. What it mounted is then opened again below the root and must be the root of another mount than
 * before. */
#include "sys/mount_legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"

enum { FD_PATH_SIZE = 40 };

static const struct {
    uint64_t attribute;
    unsigned long flag;
} flag_table[] = {
    {MOUNT_ATTR_RDONLY, MS_RDONLY},
    {MOUNT_ATTR_NOSUID, MS_NOSUID},
    {MOUNT_ATTR_NODEV, MS_NODEV},
    {MOUNT_ATTR_NOEXEC, MS_NOEXEC},
    {MOUNT_ATTR_NOATIME, MS_NOATIME},
    {MOUNT_ATTR_NODIRATIME, MS_NODIRATIME},
    {MOUNT_ATTR_STRICTATIME, MS_STRICTATIME},
    {MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW},
};

/* What fsconfig(2) takes by name and mount(2) as a flag: fs_context(7)'s words, as mount(8) has them. */
static const struct {
    const char *option;
    unsigned long set, clear;
} superblock_table[] = {
    {"sync", MS_SYNCHRONOUS, 0},  {"async", 0, MS_SYNCHRONOUS},   {"dirsync", MS_DIRSYNC, 0},
    {"lazytime", MS_LAZYTIME, 0}, {"nolazytime", 0, MS_LAZYTIME}, {"mand", MS_MANDLOCK, 0},
    {"nomand", 0, MS_MANDLOCK},   {"ro", MS_RDONLY, 0},
};

static const char *fd_path(int fd, char out[FD_PATH_SIZE])
{
    snprintf(out, FD_PATH_SIZE, "/proc/self/fd/%d", fd);
    return out;
}

static unsigned long flags_of(uint64_t set)
{
    unsigned long flags = 0;

    for (size_t i = 0; i < ARRAY_SIZE(flag_table); i++)
        if (set & flag_table[i].attribute)
            flags |= flag_table[i].flag;
    return flags;
}

/* A remount states all of them: what isn't mentioned is off. */
static int remount(int mount_fd, const char *path, uint64_t set, uint64_t clear)
{
    uint64_t have, want;
    int result = mount_attributes(mount_fd, &have);

    if (result < 0)
        return result;
    if ((set | clear) & MOUNT_ATTR__ATIME)
        clear |= MOUNT_ATTR__ATIME;
    want = (have & ~clear) | set;
    if (want == have)
        return 0;
    return mount(NULL, path, NULL,
                 MS_REMOUNT | MS_BIND | flags_of(want) | (want & MOUNT_ATTR__ATIME ? 0 : MS_RELATIME),
                 NULL) < 0
               ? -errno
               : 0;
}

int mount_legacy_set(int mount_fd, uint64_t set, uint64_t clear, unsigned long propagation, bool recursive)
{
    char path[FD_PATH_SIZE];

    fd_path(mount_fd, path);
    if (set || clear) {
        int result = recursive ? -EOPNOTSUPP : remount(mount_fd, path, set, clear);

        if (result < 0)
            return result;
    }
    if (propagation && mount(NULL, path, NULL, propagation | (recursive ? MS_REC : 0), NULL) < 0)
        return -errno;
    return 0;
}

static int mount_id(int fd, uint64_t *ret_id, bool *ret_is_root)
{
    struct statx stx;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
        return -errno;
    *ret_id = stx.stx_mnt_id;
    *ret_is_root = stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
    return 0;
}

/* Over the root itself there is no name below it to find the mount by, only that of the root. */
static int reopen_root(const struct mount_request *r)
{
    char link[FD_PATH_SIZE], path[4096];
    ssize_t n = readlink(fd_path(r->target, link), path, sizeof(path) - 1);
    int fd;

    if (n < 0)
        return -errno;
    path[n] = '\0';
    fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int open_place(const struct mount_request *r)
{
    int flags = O_PATH | (r->nofollow ? O_NOFOLLOW : 0), fd;

    if (r->root >= 0)
        return str_eq(r->path, "/") ? reopen_root(r) : path_open_in_root(r->root, r->path, flags, 0);
    fd = open(r->path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* A descriptor of what is now mounted at the target. */
static int reopen(const struct mount_request *r)
{
    _cleanup_close_ int fd = open_place(r);
    uint64_t before = 0, after = 0;
    bool is_root = false;
    int result;

    if (fd < 0)
        return fd;
    result = mount_id(r->target, &before, &is_root);
    if (result == 0)
        result = mount_id(fd, &after, &is_root);
    if (result < 0)
        return result;
    return before == after || !is_root ? -ELOOP : take_fd(&fd);
}

/* The options as one string, without those that are flags here. */
static char *join_options(char *const *options, unsigned long *flags)
{
    _cleanup_strv_ char **kept = NULL;

    for (; options && *options; options++) {
        size_t i = 0;

        while (i < ARRAY_SIZE(superblock_table) && !str_eq(superblock_table[i].option, *options))
            i++;
        if (i == ARRAY_SIZE(superblock_table))
            strv_push(&kept, *options);
        else
            *flags = (*flags & ~superblock_table[i].clear) | superblock_table[i].set;
    }
    return kept ? strv_join(kept, ",") : NULL;
}

static int mount_new(const struct mount_request *r, const char *target)
{
    unsigned long flags = flags_of(r->set);
    _cleanup_free_ char *data = join_options(r->options, &flags);

    return mount(r->source ? r->source : "none", target, r->type, flags, data) < 0 ? -errno : 0;
}

int mount_legacy_place(const struct mount_request *r)
{
    char source[FD_PATH_SIZE], target[FD_PATH_SIZE];
    _cleanup_close_ int fd = -EBADF;
    int result;

    if (r->target < 0 || r->recursive_set || r->recursive_clear)
        return -EOPNOTSUPP;
    fd_path(r->target, target);
    if (r->type)
        result = mount_new(r, target);
    else if (mount(fd_path(r->tree, source), target, NULL, MS_BIND | (r->recursive ? MS_REC : 0), NULL) < 0)
        result = -errno;
    else
        result = 0;
    if (result < 0)
        return result;
    fd = reopen(r);
    if (fd < 0)
        return fd;
    if (!r->type)
        result = mount_legacy_set(fd, r->set, r->clear, 0, false);
    if (result == 0 && r->propagation)
        result = mount_legacy_set(fd, 0, 0, r->propagation & ~MS_REC, r->propagation & MS_REC);
    return result < 0 ? result : take_fd(&fd);
}
