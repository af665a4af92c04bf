/* Attached clients. Sockets are used with MSG_DONTWAIT: their file status flags belong to whoever else holds
 * them. */
#include "monitor/client.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/websocket.h"
#include "monitor/scratch.h"

enum {
    INPUT_CHUNK = 16 * 1024,
    QUEUE_MAX = 8 * 1024 * 1024, /* only a program's last output comes anywhere near */
    EARLY_MAX = 64 * 1024,
    FAREWELL_MAX = 1024 * 1024, /* unread input taken off a stream before it is closed */
    FRAME_HEADER = 8,
    HEADER_MAX = WEBSOCKET_HEAD_MAX,
};

static void client_ready(struct loop_source *source, uint32_t events);

struct client *client_new(struct session *s, int *fd, const struct session_client_options *options,
                          struct err *err)
{
    struct client *c = xcalloc(1, sizeof(*c));
    int type;
    socklen_t len = sizeof(type);

    c->session = s;
    c->streams = options->streams;
    c->framing = options->framing;
    if (c->framing == SESSION_WEBSOCKET_TEXT || c->framing == SESSION_WEBSOCKET_BINARY)
        c->websocket = xcalloc(1, sizeof(*c->websocket));
    c->queue = (struct buf)BUF_INIT(QUEUE_MAX);
    c->early = (struct buf)BUF_INIT(EARLY_MAX);
    c->source = (struct loop_source){.fd = -EBADF, .handler = client_ready};
    if (getsockopt(*fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM) {
        err_set(err, ERR_INVALID, "an attached client must be a stream socket");
        return client_free(c);
    }
    if (detach_parse(&c->detach, options->detach_keys) < 0) {
        err_set(err, ERR_INVALID, "Invalid detach keys (%s) provided", options->detach_keys);
        return client_free(c);
    }
    if (options->early_len && buf_append(&c->early, options->early, options->early_len) < 0) {
        err_set(err, ERR_INVALID, "more than %d bytes of early input", EARLY_MAX);
        return client_free(c);
    }
    c->source.fd = take_fd(fd);
    return c;
}

struct client *client_free(struct client *c)
{
    ssize_t n = 1;

    if (!c)
        return NULL;
    if (c->source.fd >= 0 && !c->hung) {
        /* Closing a stream with unread input would reach the peer as a reset, maybe in front of our last
         * bytes. */
        shutdown(c->source.fd, SHUT_WR);
        for (size_t seen = 0; n > 0 && seen < FAREWELL_MAX; seen += (size_t)n)
            n = recv(c->source.fd, scratch_input(), SCRATCH_INPUT_SIZE, MSG_DONTWAIT);
    }
    loop_close(c->session->loop, &c->source);
    buf_finish(&c->queue);
    buf_finish(&c->early);
    free(c->websocket);
    free(c);
    return NULL;
}

/* Output can't reach the peer any more. */
static void client_hang_up(struct client *c)
{
    c->hung = true;
    c->deserts = !c->closing;
    buf_finish(&c->queue);
    c->queue_at = 0;
    loop_remove(c->session->loop, &c->source);
}

/* Returns the bytes sent, 0 when the socket is full or the peer has gone. */
static size_t client_transmit(struct client *c, const struct iovec *iov, size_t count)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = count};
    ssize_t n = sendmsg(c->source.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n >= 0)
        return (size_t)n;
    if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
        client_hang_up(c);
    return 0;
}

static void client_flush(struct client *c)
{
    while (c->queue.len > c->queue_at) {
        struct iovec iov = {c->queue.data + c->queue_at, c->queue.len - c->queue_at};
        size_t n = client_transmit(c, &iov, 1);

        if (n == 0)
            return;
        c->queue_at += n;
    }
    buf_finish(&c->queue);
    c->queue_at = 0;
}

void client_close(struct client *c)
{
    if (c->websocket && !c->closing && !c->hung) {
        websocket_close(&c->queue, WEBSOCKET_NORMAL);
        client_flush(c);
    }
    c->closing = true;
}

static size_t make_header(const struct client *c, enum session_stream stream, size_t len,
                          uint8_t header[HEADER_MAX])
{
    const uint8_t docker[FRAME_HEADER] = {stream == SESSION_STDERR ? 2 : 1, [4] = (uint8_t)(len >> 24),
                                          (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};

    switch (c->framing) {
    case SESSION_HEADERS:
        memcpy(header, docker, sizeof(docker));
        return sizeof(docker);
    case SESSION_WEBSOCKET_TEXT:
        return websocket_head(header, WEBSOCKET_TEXT, len);
    case SESSION_WEBSOCKET_BINARY:
        return websocket_head(header, WEBSOCKET_BINARY, len);
    default:
        return 0;
    }
}

void client_send(struct client *c, enum session_stream stream, const char *data, size_t len)
{
    uint8_t header[HEADER_MAX];
    size_t header_len = make_header(c, stream, len, header), sent = 0;

    if (c->hung || c->closing || !(c->streams & stream) || len == 0)
        return;
    if (c->queue.len == 0) {
        struct iovec iov[2] = {{header, header_len}, {(char *)data, len}};

        sent = client_transmit(c, iov, 2);
        if (c->hung || sent == header_len + len)
            return;
    }
    if (sent < header_len) {
        buf_append(&c->queue, header + sent, header_len - sent);
        sent = header_len;
    }
    if (buf_append(&c->queue, data + (sent - header_len), len - (sent - header_len)) < 0)
        client_hang_up(c); /* out of memory: better gone than with a hole */
}

/* Input from the client, which may hold its detach keys. */
static void client_feed(struct client *c, const char *data, size_t len)
{
    struct session *s = c->session;
    char *passed = scratch_output();
    bool detached;

    if (!s->tty) {
        session_input(s, data, len);
        return;
    }
    len = detach_filter(&c->detach, data, len, passed, &detached);
    if (len)
        session_input(s, passed, len);
    if (detached) {
        c->input_end = true;
        c->deserts = false;
        client_close(c);
        s->events->detached(s);
    }
}

static bool client_wants_input(const struct client *c)
{
    return (c->streams & SESSION_STDIN) && !c->input_end && !c->closing && c->session->begun &&
           !c->session->closed && c->session->input.source.fd >= 0;
}

/* A websocket is read though nobody wants its input: it may ask whether we are there, and say that it goes. */
static bool client_reads(const struct client *c)
{
    if (!c->websocket || client_wants_input(c))
        return client_wants_input(c) && session_wants_input(c->session) &&
               !(c->websocket && client_backlogged(c));
    return !c->input_end && !c->closing && c->session->begun && !client_backlogged(c);
}

static void client_end_input(struct client *c)
{
    c->input_end = true;
    if (c->streams & SESSION_STDIN)
        session_input_ended(c->session, c);
    if (c->websocket)
        c->closing = true; /* it has no half of it that could stay */
}

/* The client writes in frames: what they carry goes on, questions are answered, an end is an end. */
static void client_feed_frames(struct client *c, const char *bytes, size_t len)
{
    _cleanup_(buf_finish) struct buf data = BUF_INIT(EARLY_MAX);
    int r = websocket_read(c->websocket, bytes, len, &data, &c->queue);

    if (data.len && client_wants_input(c))
        client_feed(c, data.data, data.len);
    if (r != 0) { /* the answer to its end, or to what is none of the protocol, is queued */
        c->closing = true;
        client_end_input(c);
    }
    client_flush(c);
}

static void client_take(struct client *c, const char *bytes, size_t len)
{
    if (c->websocket)
        client_feed_frames(c, bytes, len);
    else
        client_feed(c, bytes, len);
}

/* Reads once. False when there is nothing more for now. */
static bool client_read(struct client *c)
{
    char *data = scratch_input();
    ssize_t n = recv(c->source.fd, data, INPUT_CHUNK, MSG_DONTWAIT);

    if (n > 0) {
        client_take(c, data, (size_t)n);
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (n < 0)
        client_hang_up(c);
    client_end_input(c);
    return false;
}

void client_pull(struct client *c)
{
    bool more = true;

    while (more && client_reads(c)) {
        if (c->early.len) {
            client_take(c, c->early.data, c->early.len);
            buf_finish(&c->early);
        } else {
            more = client_read(c);
        }
    }
}

static void client_ready(struct loop_source *source, uint32_t events)
{
    struct client *c = LOOP_OWNER(source, struct client, source);
    struct session *s = c->session;

    if (events & EPOLLOUT)
        client_flush(c);
    if (events & (EPOLLHUP | EPOLLERR))
        client_hang_up(c);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        client_pull(c);
    session_settle(s);
}

bool client_finished(const struct client *c)
{
    return (c->closing && c->queue.len == 0) || (c->hung && !client_wants_input(c) && c->session->begun) ||
           (c->hung && c->session->closed);
}

bool client_backlogged(const struct client *c)
{
    return c->queue.len > 0;
}

void client_update(struct client *c)
{
    uint32_t events = client_backlogged(c) ? EPOLLOUT : 0;

    if (c->hung)
        return; /* what it left behind is pulled as the program takes it: session_settle() */
    if (client_reads(c))
        events |= EPOLLIN;
    if (loop_set(c->session->loop, &c->source, events) < 0)
        client_hang_up(c);
}
