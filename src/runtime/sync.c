/* The messages of sync.h. */
#include "runtime/sync.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* Errors are long, everything else is only the head. */
static size_t length_of(const struct sync_message *m)
{
    return m->type == SYNC_ERROR ? sizeof(*m) : offsetof(struct sync_message, error);
}

static int send_message(int socket, const struct sync_message *m, int fd)
{
    return fd_send_message(socket, m, length_of(m), &fd, fd >= 0 ? 1 : 0);
}

int sync_send(int socket, enum sync_type type, int fd)
{
    return send_message(socket, &(struct sync_message){.type = type}, fd);
}

int sync_send_pid(int socket, int32_t pid)
{
    return send_message(socket, &(struct sync_message){.type = SYNC_PID, .number = pid}, -1);
}

int sync_send_map(int socket, int32_t mount, int tree)
{
    return send_message(socket, &(struct sync_message){.type = SYNC_MAP, .number = mount}, tree);
}

int sync_announce(int socket, struct err *err)
{
    int result = sync_send(socket, SYNC_EXECUTE, -1);

    return result < 0 && result != -EPIPE && result != -ECONNRESET
               ? err_errno(err, result, "tell the caller of the start")
               : 0;
}

int sync_send_cgroup(int socket, const int *fds, size_t count)
{
    struct sync_message m = {.type = SYNC_CGROUP};

    return fd_send_message(socket, &m, length_of(&m), fds, count);
}

int sync_receive_cgroup(int socket, int *fds, size_t max, size_t *ret_count, struct err *err)
{
    struct sync_message m = {0};
    ssize_t n = fd_receive_message(socket, &m, sizeof(m), fds, max, ret_count);

    if (n < 0 && n != -ECONNRESET)
        return err_errno(err, (int)n, "receive the cgroup");
    return n > 0 && m.type == SYNC_CGROUP ? 0 : err_set(err, ERR_SYSTEM, "the caller went away");
}

int sync_send_error(int socket, const struct err *error)
{
    struct sync_message m = {.type = SYNC_ERROR, .error = *error};

    /* a seccomp filter may be in force: the call that profiles allow most comes first */
    return write(socket, &m, sizeof(m)) == sizeof(m) ? 0 : send_message(socket, &m, -1);
}

enum sync_type sync_receive(int socket, int *ret_fd, int32_t *ret_number, struct err *err)
{
    struct sync_message m = {0};
    size_t count = 0;
    int fd = -EBADF;
    ssize_t n = fd_receive_message(socket, &m, sizeof(m), &fd, ret_fd ? 1 : 0, &count);

    if (n == -ECONNRESET) /* it went without reading our last message; its own are still there */
        n = fd_receive_message(socket, &m, sizeof(m), &fd, ret_fd ? 1 : 0, &count);
    if (ret_fd)
        *ret_fd = count ? fd : -EBADF;
    if (n < 0 && n != -ECONNRESET) {
        err_errno(err, (int)n, "receive a message of the other process");
        return SYNC_ERROR;
    }
    if (n < (ssize_t)offsetof(struct sync_message, error) || (size_t)n != length_of(&m))
        return SYNC_END;
    if (ret_number)
        *ret_number = m.number;
    if (m.type == SYNC_ERROR && err) {
        m.error.message[sizeof(m.error.message) - 1] = '\0';
        *err = m.error;
        if (err->kind <= ERR_NONE || err->kind >= ERR_KIND_COUNT)
            err->kind = ERR_SYSTEM;
    }
    return m.type;
}

int sync_expect(int socket, enum sync_type type, int *ret_fd, struct err *err)
{
    enum sync_type got = sync_receive(socket, ret_fd, NULL, err);

    if (got == type)
        return 0;
    if (got == SYNC_ERROR)
        return -1;
    return err_set(err, ERR_SYSTEM,
                   got == SYNC_END ? "the container's process ended while it was being set up"
                                   : "the container's process sent an unexpected message");
}
