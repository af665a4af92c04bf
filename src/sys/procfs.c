/* A checked /proc. */
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sys/mount.h"

int procfs_open(void)
{
    _cleanup_close_ int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r;

    if (fd < 0)
        return -errno;
    r = mount_is_type(fd, PROC_SUPER_MAGIC);
    return r < 0 ? r : r ? take_fd(&fd) : -ELOOP;
}

int procfs_open_file(int procfs, const char *path, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)flags | O_CLOEXEC | O_NOFOLLOW,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    _cleanup_close_ int fd = -EBADF;
    int r;

    if (!str_starts(path, "self/"))
        how.resolve |= RESOLVE_NO_SYMLINKS;
    fd = (int)syscall(SYS_openat2, procfs, path, &how, sizeof(how));
    if (fd < 0)
        return -errno;
    r = mount_is_type(fd, PROC_SUPER_MAGIC);
    return r < 0 ? r : r ? take_fd(&fd) : -ELOOP;
}

int procfs_write(int procfs, const char *path, const char *value)
{
    _cleanup_close_ int fd = procfs_open_file(procfs, path, O_WRONLY);
    size_t len = strlen(value);
    ssize_t n;

    if (fd < 0)
        return fd;
    n = write(fd, value, len);
    return n < 0 ? -errno : (size_t)n == len ? 0 : -EIO;
}

static bool can_read(int procfs, const char *path)
{
    _cleanup_close_ int fd = procfs_open_file(procfs, path, O_RDONLY);
    char byte;

    return fd >= 0 && read(fd, &byte, 1) >= 0;
}

bool procfs_has_apparmor(int procfs)
{
    return can_read(procfs, "self/attr/apparmor/current") || /* before Linux 5.8, or of another such module */
           can_read(procfs, "self/attr/current");
}
