/* Descriptors, small files, unix sockets. */
#include "base/fd.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

ssize_t fd_read_full(int fd, void *data, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = read(fd, (char *)data + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int fd_write_full(int fd, const void *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data = (const char *)data + n;
        len -= (size_t)n;
    }
    return 0;
}

int fd_append_whole(int fd, const void *data, size_t len)
{
    struct stat before;
    int r = fstat(fd, &before) < 0 ? -errno : fd_write_full(fd, data, len);

    if (r == -ENOSPC || r == -EDQUOT || r == -EIO || r == -EFBIG)
        (void)!ftruncate(fd, before.st_size);
    return r;
}

int fd_read_all(int fd, struct buf *b)
{
    for (;;) {
        char extra;
        ssize_t n;

        if (b->len == b->max) { /* full: only the end of the file is acceptable now */
            do
                n = read(fd, &extra, 1);
            while (n < 0 && errno == EINTR);
            return n < 0 ? -errno : n ? -E2BIG : 0;
        }
        n = buf_read_fd(b, fd, 16384);
        if (n <= 0)
            return (int)n;
    }
}

int file_read(int dirfd, const char *path, struct buf *b)
{
    _cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    return fd_read_all(fd, b);
}

int file_write_at(int dirfd, const char *path, const char *value)
{
    _cleanup_close_ int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    size_t len = strlen(value);
    ssize_t n;

    if (fd < 0)
        return -errno;
    do
        n = write(fd, value, len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == len ? 0 : -EIO;
}

int file_replace(int dirfd, const char *path, const void *data, size_t len, mode_t mode, bool sync)
{
    char suffix[17];
    _cleanup_free_ char *temporary = NULL;
    _cleanup_close_ int fd = -EBADF;
    int r;

    random_hex(suffix, 8);
    temporary = xasprintf("%s.%s", path, suffix);
    fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;
    r = fd_write_full(fd, data, len);
    if (r == 0 && fchmod(fd, mode) < 0)
        r = -errno;
    if (r == 0 && sync && fsync(fd) < 0)
        r = -errno;
    if (r == 0 && renameat(dirfd, temporary, dirfd, path) < 0)
        r = -errno;
    if (r < 0) {
        unlinkat(dirfd, temporary, 0);
        return r;
    }
    if (sync) {
        _cleanup_free_ char *copy = xstrdup(path);
        _cleanup_close_ int parent = openat(dirfd, dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (parent < 0 || fsync(parent) < 0)
            return -errno;
    }
    return 0;
}

void fd_open_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", O_RDWR) != fd) { /* not close-on-exec: as a caller's */
            dprintf(STDERR_FILENO, "descriptor %d is closed, and /dev/null can't be opened for it\n", fd);
            _exit(EXIT_FAILURE);
        }
}

int fd_set_nonblock(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

int fd_set_cloexec(int fd, bool on)
{
    return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int fd_send_message(int sock, const void *data, size_t len, const int *fds, size_t nfds)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    if (nfds > FD_PASS_MAX)
        return -EINVAL;
    if (nfds) {
        struct cmsghdr *c;

        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
    }
    do
        n = sendmsg(sock, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == len ? 0 : -EIO;
}

ssize_t fd_receive_message(int sock, void *data, size_t size, int *fds, size_t max_fds, size_t *ret_nfds)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
    } control;
    struct iovec iov = {.iov_base = data, .iov_len = size};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control)};
    size_t kept = 0;
    ssize_t n;

    do
        n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (ret_nfds)
        *ret_nfds = 0;
    if (n < 0)
        return -errno;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        size_t count;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (kept < max_fds && !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
                fds[kept++] = fd;
            else
                close(fd);
        }
    }
    if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        for (size_t i = 0; i < kept; i++)
            close(fds[i]);
        return -EMSGSIZE;
    }
    if (ret_nfds)
        *ret_nfds = kept;
    return n;
}

/* Fills in an address for `path`, by way of its directory's descriptor when it is too long for sun_path. */
static int unix_address(const char *path, struct sockaddr_un *ret_address, int *ret_dirfd)
{
    _cleanup_free_ char *copy = xstrdup(path), *copy2 = xstrdup(path);
    _cleanup_close_ int dirfd = -EBADF;

    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) < sizeof(ret_address->sun_path)) {
        strcpy(ret_address->sun_path, path);
        return 0;
    }
    dirfd = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return -errno;
    if ((size_t)snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "/proc/self/fd/%d/%s", dirfd,
                         basename(copy2)) >= sizeof(ret_address->sun_path))
        return -ENAMETOOLONG;
    *ret_dirfd = take_fd(&dirfd);
    return 0;
}

/* A socket, and the address of `path` for it. */
static int unix_socket(const char *path, int type, struct sockaddr_un *ret_address, int *ret_dirfd)
{
    int result = unix_address(path, ret_address, ret_dirfd), fd;

    if (result < 0)
        return result;
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

int unix_listen(const char *path, int type, mode_t mode)
{
    struct sockaddr_un address;
    _cleanup_close_ int dirfd = -EBADF, fd = unix_socket(path, type, &address, &dirfd);

    if (fd < 0)
        return fd;
    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, mode) < 0 ||
        listen(fd, SOMAXCONN) < 0)
        return -errno;
    return take_fd(&fd);
}

int unix_connect(const char *path, int type)
{
    struct sockaddr_un address;
    _cleanup_close_ int dirfd = -EBADF, fd = unix_socket(path, type, &address, &dirfd);

    if (fd < 0)
        return fd;
    while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        if (errno != EINTR)
            return -errno;
    return take_fd(&fd);
}
