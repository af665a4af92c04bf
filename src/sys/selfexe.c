/* Running from where nobody can write. */
#include "sys/selfexe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/mount.h"
#include "sys/selfexe_entry.h"

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

extern char **environ;

bool selfexe_is_protected(void)
{
    _cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct statvfs st;
    int seals;

    if (fd < 0)
        return false;
    seals = fcntl(fd, F_GET_SEALS);
    if (seals >= 0 && (seals & SEALS) == SEALS)
        return true;
    return fstatvfs(fd, &st) == 0 && st.f_flag & ST_RDONLY;
}

bool selfexe_command_clones(const char *command)
{
    for (const char *word = SELFEXE_CLONING_COMMANDS; *word; word += strlen(word) + 1)
        if (strcmp(word, command) == 0)
            return true;
    return false;
}

/* When the last descriptor of a detached mount is closed, which execve() does, nobody can make it writable any more. */
static int open_read_only(void)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    _cleanup_close_ int fd = -EBADF;

    if (!mount_api_available())
        return -ENOSYS;
    fd = mount_tree_open(AT_FDCWD, "/proc/self/exe", /* recursive= */ false);
    if (fd < 0)
        return fd;
    if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
        return -errno;
    return take_fd(&fd);
}

static int open_copy(void)
{
    _cleanup_close_ int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int out = memfd_create("keg", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ssize_t n;

    if (in < 0 || out < 0)
        return -errno;
    while ((n = sendfile(out, in, NULL, 1 << 30)) > 0)
        ;
    if (n < 0 || fcntl(out, F_ADD_SEALS, SEALS) < 0)
        return -errno;
    return take_fd(&out);
}

int selfexe_protect(char **argv)
{
    static int (*const ways[])(void) = {open_read_only, open_copy};
    int result = 0;

    if (selfexe_is_protected())
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        _cleanup_close_ int fd = ways[i]();

        result = fd;
        if (fd < 0)
            continue;
        syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
        result = -errno;
    }
    return result;
}
