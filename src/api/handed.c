/* Uploads by descriptor. */
#include "api/handed.h"

#include <fcntl.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/internal.h"
#include "base/fd.h"

enum { HANDED_WAIT_MS = 30 * 1000 };

bool handed_is_wanted(const struct request *r)
{
    const char *protocol = request_wants_upgrade(r) ? request_header(r, "Upgrade") : NULL;

    return protocol && strcasecmp(protocol, HANDED_PROTOCOL) == 0;
}

/* A worker reads it, who shall not be able to do more with it than that. */
static bool is_fit(int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_ACCMODE) == O_RDONLY && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* The client's file, or -1: it didn't come. */
static int receive(const struct engine_stream *stream)
{
    struct pollfd p = {.fd = stream->fd, .events = POLLIN};
    _cleanup_close_ int fd = -EBADF;
    size_t n = 0;
    char byte;

    if (stream->input_len > 0 || poll(&p, 1, HANDED_WAIT_MS) <= 0 ||
        fd_receive_message(stream->fd, &byte, 1, &fd, 1, &n) <= 0 || n == 0 || !is_fit(fd))
        return -1;
    return take_fd(&fd);
}

static void serve(struct request *r, const struct engine_stream *stream)
{
    close_fd(&r->body_fd);
    r->body_fd = receive(stream);
    if (r->body_fd < 0 || send(stream->fd, "", 1, MSG_NOSIGNAL) != 1)
        return;
    r->reply = (struct reply){0};
    r->fd = stream->fd;
    route_run(r);
    reply_send(r);
}

void handed_reply(struct request *r)
{
    reply_hijack(r, NULL, serve);
    r->reply.protocol = HANDED_PROTOCOL;
}
