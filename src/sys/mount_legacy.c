/* The older calls: every path given to mount(2) is /proc/self/fd/N of a descriptor that was resolved with
 * care. What it mounted is then opened again below the root and must be the root of another mount than
 * before. */
#include "sys/mount_legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"

enum { FD_PATH_SIZE = 40 };

static const struct {
    uint64_t attribute;
    unsigned long flag;
    long statfs_flag;
} flag_table[] = {
    {MOUNT_ATTR_RDONLY, MS_RDONLY, 1},
    {MOUNT_ATTR_NOSUID, MS_NOSUID, 2},
    {MOUNT_ATTR_NODEV, MS_NODEV, 4},
    {MOUNT_ATTR_NOEXEC, MS_NOEXEC, 8},
    {MOUNT_ATTR_NOATIME, MS_NOATIME, 1024},
    {MOUNT_ATTR_NODIRATIME, MS_NODIRATIME, 2048},
    {MOUNT_ATTR_STRICTATIME, MS_STRICTATIME, 0},
    {MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW, 0x2000},
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

int mount_legacy_set(int mount_fd, uint64_t set, uint64_t clear, unsigned long propagation, bool recursive)
{
    char path[FD_PATH_SIZE];
    unsigned long flags = 0;
    struct statfs st;

    fd_path(mount_fd, path);
    if (set || clear) {
        if (recursive)
            return -EOPNOTSUPP;
        if (fstatfs(mount_fd, &st) < 0)
            return -errno;
        for (size_t i = 0; i < ARRAY_SIZE(flag_table); i++)
            if (st.f_flags & flag_table[i].statfs_flag && !(clear & flag_table[i].attribute))
                flags |= flag_table[i].flag;
        if (mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | flags | flags_of(set), NULL) < 0)
            return -errno;
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

/* A descriptor of what is now mounted at the target. */
static int reopen(const struct mount_request *r)
{
    _cleanup_close_ int fd =
        r->root >= 0 ? path_open_in_root(r->root, r->path, O_PATH, 0) : open(r->path, O_PATH | O_CLOEXEC);
    uint64_t before = 0, after = 0;
    bool is_root = false;
    int result;

    if (fd < 0)
        return r->root >= 0 ? fd : -errno;
    result = mount_id(r->target, &before, &is_root);
    if (result == 0)
        result = mount_id(fd, &after, &is_root);
    if (result < 0)
        return result;
    return before == after || !is_root ? -ELOOP : take_fd(&fd);
}

int mount_legacy_place(const struct mount_request *r)
{
    _cleanup_free_ char *data = r->options ? strv_join(r->options, ",") : NULL;
    char source[FD_PATH_SIZE], target[FD_PATH_SIZE];
    _cleanup_close_ int fd = -EBADF;
    int result = 0;

    if (r->target < 0 || r->userns > 0 || r->recursive_set || r->recursive_clear)
        return -EOPNOTSUPP;
    fd_path(r->target, target);
    if (r->type)
        result = mount(r->source ? r->source : "none", target, r->type, flags_of(r->set), data);
    else
        result = mount(fd_path(r->tree, source), target, NULL, MS_BIND | (r->recursive ? MS_REC : 0), NULL);
    if (result < 0)
        return -errno;
    fd = reopen(r);
    if (fd < 0)
        return fd;
    if (!r->type && r->set)
        result = mount_legacy_set(fd, r->set, 0, 0, false);
    if (result == 0 && r->propagation)
        result = mount_legacy_set(fd, 0, 0, r->propagation & ~MS_REC, r->propagation & MS_REC);
    return result < 0 ? result : take_fd(&fd);
}
