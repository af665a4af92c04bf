/* Descriptors: whole reads and writes, bounded files, passing descriptors over unix sockets. All return 0 or
 * more, or -errno. Every descriptor made here is close-on-exec. */
#ifndef KEG_BASE_FD_H
#define KEG_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/cleanup.h"

/* Reads until `len` bytes or the end. Returns the bytes read. */
ssize_t fd_read_full(int fd, void *data, size_t len);
/* Writes all of it (blocking descriptors). 0 or -errno. */
int fd_write_full(int fd, const void *data, size_t len);
/* Appends all of it to a regular file, or nothing: what a full disk took of it goes again. The file has no other writer.
 * 0 or -errno. */
int fd_append_whole(int fd, const void *data, size_t len);
/* Appends everything up to the end; -E2BIG past the buffer's maximum. */
int fd_read_all(int fd, struct buf *b);

/* Reads a whole regular file relative to dirfd (AT_FDCWD allowed) without following a final symlink's tricks:
 * O_NONBLOCK|O_NOCTTY, regular files only (-EINVAL), at most b->max bytes (-E2BIG). */
int file_read(int dirfd, const char *path, struct buf *b);
/* Writes to an existing kernel file (cgroup, /proc, sysctl) in one write(). */
int file_write_at(int dirfd, const char *path, const char *value);
/* Replaces a file by a new one: temporary name, write, optional fsync of file and directory, rename. */
int file_replace(int dirfd, const char *path, const void *data, size_t len, mode_t mode, bool sync);

/* Opens /dev/null for those of descriptors 0, 1, 2 that are closed, so that nothing opened later takes their place and is
 * read or written by mistake. For the beginning of a main(). */
void fd_open_standard(void);
int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);

enum { FD_PASS_MAX = 16 };
/* Sends one message with `nfds` descriptors (0..FD_PASS_MAX) on a SEQPACKET or STREAM unix socket. 0 or -errno. */
int fd_send_message(int sock, const void *data, size_t len, const int *fds, size_t nfds);
/* Receives one message and its descriptors; unasked ones are closed. Returns the length (0 at the end),
 * -EMSGSIZE for a truncated message. *ret_nfds is at most max_fds. */
ssize_t fd_receive_message(int sock, void *data, size_t size, int *fds, size_t max_fds, size_t *ret_nfds);

/* A unix socket of `type` (SOCK_STREAM, SOCK_SEQPACKET) bound to and listening on a path of any length (bound by
 * way of /proc/self/fd of its directory), with that mode; an old socket file is replaced. */
int unix_listen(const char *path, int type, mode_t mode);
/* Connects to it, likewise. */
int unix_connect(const char *path, int type);

#endif
