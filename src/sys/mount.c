/* Mounts on descriptors. The older way (mount(2)) is in mount_legacy.c. */
#include "sys/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/mount_legacy.h"

bool mount_api_available(void)
{
    static int known = -1;

    if (known < 0) /* a call that can only fail tells whether it is there */
        known = syscall(SYS_mount_setattr, -EBADF, "", 0, NULL, 0) < 0 && errno != ENOSYS;
    return known;
}

static int tree_open(int dirfd, const char *path, bool recursive, bool follow)
{
    unsigned flags =
        (*path ? 0 : AT_EMPTY_PATH) | (recursive ? AT_RECURSIVE : 0) | (follow ? 0 : AT_SYMLINK_NOFOLLOW);
    int fd;

    if (mount_api_available())
        fd = open_tree(dirfd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
    else
        fd = *path ? openat(dirfd, path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW))
                   : fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : fd;
}

int mount_tree_open(int dirfd, const char *path, bool recursive)
{
    return tree_open(dirfd, path, recursive, /* follow= */ true);
}

int mount_tree_open_nofollow(int dirfd, const char *path, bool recursive)
{
    return tree_open(dirfd, path, recursive, /* follow= */ false);
}

/* Entering a mount namespace changes root and working directory with it. */
int mount_tree_open_in(int mount_namespace, const char *path, bool recursive)
{
    _cleanup_close_ int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int tree;

    if (own < 0 || root < 0 || cwd < 0 || setns(mount_namespace, CLONE_NEWNS) < 0)
        return -errno;
    tree = mount_tree_open(AT_FDCWD, path, recursive);
    if (setns(own, CLONE_NEWNS) < 0 || fchdir(root) < 0 || chroot(".") < 0 || fchdir(cwd) < 0) {
        close_fd(&tree);
        return -ENOTRECOVERABLE;
    }
    return tree;
}

/* What the filesystem said about its refusal: messages are "e text". */
static void read_log(int context, char *log)
{
    ssize_t n;

    if (!log)
        return;
    n = read(context, log, MOUNT_LOG_SIZE - 1);
    log[n > 0 ? n : 0] = '\0';
    if (n > 2 && log[1] == ' ')
        memmove(log, log + 2, strlen(log + 2) + 1);
    log[strcspn(log, "\n")] = '\0';
}

static int set_option(int context, const char *option)
{
    const char *value = strchr(option, '=');
    char key[64];

    if (!value)
        return fsconfig(context, FSCONFIG_SET_FLAG, option, NULL, 0);
    if ((size_t)(value - option) >= sizeof(key)) {
        errno = EINVAL;
        return -1;
    }
    memcpy(key, option, (size_t)(value - option));
    key[value - option] = '\0';
    return fsconfig(context, FSCONFIG_SET_STRING, key, value + 1, 0);
}

static int filesystem_new(const struct mount_request *r)
{
    _cleanup_close_ int context = fsopen(r->type, FSOPEN_CLOEXEC);
    int fd;

    if (context < 0)
        return -errno;
    if (r->source && fsconfig(context, FSCONFIG_SET_STRING, "source", r->source, 0) < 0)
        goto refused;
    for (char *const *option = r->options; option && *option; option++)
        if (set_option(context, *option) < 0)
            goto refused;
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        goto refused;
    fd = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)r->set);
    if (fd >= 0)
        return fd;
refused:
    fd = -errno;
    read_log(context, r->log);
    return fd;
}

static int attributes(int fd, uint64_t set, uint64_t clear, unsigned long propagation, bool recursive)
{
    struct mount_attr attr = {.attr_set = set, .attr_clr = clear, .propagation = propagation & ~MS_REC};

    if ((set | clear) & MOUNT_ATTR__ATIME) /* one field of several bits */
        attr.attr_clr |= MOUNT_ATTR__ATIME;
    if (!attr.attr_set && !attr.attr_clr && !attr.propagation)
        return 0;
    return mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr)) < 0
               ? -errno
               : 0;
}

bool mount_takes_options_singly(const char *type)
{
    _cleanup_close_ int fs = fsopen(type, FSOPEN_CLOEXEC);

    return fs >= 0 && fsconfig(fs, FSCONFIG_SET_FLAG, "no-such-option", NULL, 0) < 0;
}

int mount_tree_map(int tree, int userns, bool recursive)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns};

    if (!mount_api_available())
        return -EOPNOTSUPP;
    return mount_setattr(tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr)) < 0
               ? -errno
               : 0;
}

int mount_attributes(int fd, uint64_t *ret)
{
    static const struct {
        long statfs_flag;
        uint64_t attribute;
    } table[] = {
        {ST_RDONLY, MOUNT_ATTR_RDONLY},   {ST_NOSUID, MOUNT_ATTR_NOSUID},
        {ST_NODEV, MOUNT_ATTR_NODEV},     {ST_NOEXEC, MOUNT_ATTR_NOEXEC},
        {ST_NOATIME, MOUNT_ATTR_NOATIME}, {ST_NODIRATIME, MOUNT_ATTR_NODIRATIME},
        {0x2000, MOUNT_ATTR_NOSYMFOLLOW}, /* ST_NOSYMFOLLOW: the C library has no name for it */
    };
    struct statfs st;

    if (fstatfs(fd, &st) < 0)
        return -errno;
    *ret = st.f_flags & (ST_NOATIME | ST_RELATIME) ? 0 : MOUNT_ATTR_STRICTATIME;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (st.f_flags & table[i].statfs_flag)
            *ret |= table[i].attribute;
    return 0;
}

int mount_set(int mount, uint64_t set, uint64_t clear, unsigned long propagation, bool recursive)
{
    if (!mount_api_available())
        return mount_legacy_set(mount, set, clear, propagation, recursive);
    return attributes(mount, set, clear, propagation, recursive);
}

int mount_set_propagation(const char *path, unsigned long propagation)
{
    return mount(NULL, path, NULL, propagation, NULL) < 0 ? -errno : 0;
}

/* What goes as deep goes in one call. */
static int set_all(int fd, const struct mount_request *r)
{
    bool deep = r->propagation & MS_REC;
    uint64_t set = r->type ? 0 : r->set; /* fsmount() has done that */
    int result = attributes(fd, set, r->clear, deep ? 0 : r->propagation, /* recursive= */ false);

    if (result == 0)
        result = attributes(fd, r->recursive_set, r->recursive_clear, deep ? r->propagation : 0,
                            /* recursive= */ true);
    return result;
}

int mount_place(const struct mount_request *r)
{
    _cleanup_close_ int fd = -EBADF;
    int result;

    if (r->older_call || !mount_api_available())
        return mount_legacy_place(r);
    fd = r->type ? filesystem_new(r) : fcntl(r->tree, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return r->type ? fd : -errno;
    result = set_all(fd, r);
    if (result == 0 && r->target >= 0 &&
        move_mount(fd, "", r->target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        result = -errno;
    return result < 0 ? result : take_fd(&fd);
}

int mount_is_type(int fd, long magic)
{
    struct statfs st;

    if (fstatfs(fd, &st) < 0)
        return -errno;
    return (long)st.f_type == magic;
}
