/* Mounts on descriptors. The older way (mount(2)) is in mount_legacy.c. */
#include "sys/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/mount_legacy.h"

bool mount_api_available(void)
{
    static int known = -1;

    if (known < 0) /* a call that can only fail tells whether it is there */
        known = !getenv("KEG_NO_MOUNT_API") && syscall(SYS_mount_setattr, -EBADF, "", 0, NULL, 0) < 0 &&
                errno != ENOSYS;
    return known;
}

int mount_tree_open(int dirfd, const char *path, bool recursive)
{
    unsigned empty = *path ? 0 : AT_EMPTY_PATH;
    int fd;

    if (!mount_api_available())
        fd = *path ? openat(dirfd, path, O_PATH | O_CLOEXEC) : fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
    else
        fd = open_tree(dirfd, path,
                       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | empty | (recursive ? AT_RECURSIVE : 0));
    return fd < 0 ? -errno : fd;
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

static int attributes(int fd, uint64_t set, uint64_t clear, unsigned long propagation, int userns,
                      bool recursive)
{
    struct mount_attr attr = {.attr_set = set, .attr_clr = clear, .propagation = propagation & ~MS_REC};

    if (set & MOUNT_ATTR__ATIME)
        attr.attr_clr |= MOUNT_ATTR__ATIME;
    if (userns > 0) {
        attr.attr_set |= MOUNT_ATTR_IDMAP;
        attr.userns_fd = (uint64_t)userns;
    }
    if (!attr.attr_set && !attr.attr_clr && !attr.propagation)
        return 0;
    return mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr)) < 0
               ? -errno
               : 0;
}

int mount_set(int mount, uint64_t set, uint64_t clear, unsigned long propagation, bool recursive)
{
    if (!mount_api_available())
        return mount_legacy_set(mount, set, clear, propagation, recursive);
    return attributes(mount, set, clear, propagation, -EBADF, recursive);
}

int mount_set_propagation(const char *path, unsigned long propagation)
{
    return mount(NULL, path, NULL, propagation, NULL) < 0 ? -errno : 0;
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
    if (r->type) { /* what fsmount() has set is done */
        result = attributes(fd, 0, 0, r->propagation, -EBADF, r->propagation & MS_REC);
    } else if (!(r->propagation & MS_REC) || r->set) {
        result = attributes(fd, r->set, 0, r->propagation & MS_REC ? 0 : r->propagation, -EBADF, false);
        if (result == 0 && r->propagation & MS_REC)
            result = attributes(fd, 0, 0, r->propagation, -EBADF, true);
    } else {
        result = attributes(fd, 0, 0, r->propagation, -EBADF, true);
    }
    if (result == 0)
        result = attributes(fd, r->recursive_set, r->recursive_clear, 0, -EBADF, true);
    if (result == 0 && r->userns > 0)
        result = attributes(fd, 0, 0, 0, r->userns, r->idmap_recursive);
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
