/* Reading the small files of a cgroup directory, and walking its children. */
#include "sys/cgroup_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

ssize_t cgroup_read(int dirfd, const char *file, char *buf, size_t size)
{
    _cleanup_close_ int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = fd_read_full(fd, buf, size - 1);
    if (n < 0)
        return n;
    while (n > 0 && buf[n - 1] == '\n')
        n--;
    buf[n] = '\0';
    return n;
}

int cgroup_read_u64(int dirfd, const char *file, uint64_t *ret)
{
    char text[64];
    ssize_t n = cgroup_read(dirfd, file, text, sizeof(text));
    if (n < 0)
        return (int)n;
    if (str_eq(text, "max")) {
        *ret = UINT64_MAX;
        return 0;
    }
    return str_to_u64(text, ret);
}

uint64_t cgroup_text_value(const char *text, const char *key, uint64_t otherwise)
{
    size_t len = strlen(key);
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
        if (strncmp(line, key, len) == 0 && line[len] == ' ')
            return strtoull(line + len + 1, NULL, 10);
    return otherwise;
}

/* The kernel's record of getdents64(2). */
struct directory_record {
    uint64_t ino;
    int64_t off;
    unsigned short reclen;
    unsigned char type;
    char name[];
};

int cgroup_each_child(int dirfd, int (*fn)(void *arg, int dirfd, const char *name), void *arg)
{
    /* An open of its own: the shared descriptor's position isn't ours to move. */
    _cleanup_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    _Alignas(struct directory_record) char block[2048];
    for (;;) {
        long n = syscall(SYS_getdents64, fd, block, sizeof(block));
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        for (long at = 0; at < n;) {
            const struct directory_record *e = (const void *)(block + at);
            at += e->reclen;
            if (e->type != DT_DIR || str_eq(e->name, ".") || str_eq(e->name, ".."))
                continue;
            int r = fn(arg, dirfd, e->name);
            if (r < 0)
                return r;
        }
    }
}
