/* The queue, the socket, and how it comes back. */
#include "monitor/logsender.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "monitor/logger.h"
#include "monitor/logtls.h"
#include "monitor/loop.h"

enum {
    QUEUE_HIGH = 256 * 1024, /* above it the program is held back … */
    QUEUE_LOW = 64 * 1024,   /* … until it is below this */
    QUEUE_MAX = 1024 * 1024,
    CONNECT_MS = 5000,
    LINGER_MS = 1000,
    RETRY_S = 1,
    SEND_BUFFER = 1024 * 1024,
};

struct logsender {
    struct logger *log;
    struct loop *loop;
    struct loop_source socket, timer;
    json_t *tls;               /* of a server behind TLS; NULL: none */
    struct loop_source status; /* how its connecting goes … */
    int pending;               /* … which will be the socket */
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t address_len;
    int type;
    bool non_blocking, blocked;
    struct buf queue; /* messages, each behind its length */
    size_t sent;      /* of the first message, on a stream */
};

/* --- the peer --- */

static int parse_address(struct logsender *s, const json_t *socket, struct err *err)
{
    const char *path = json_str(socket, "path"), *text = json_str_or(socket, "address", "");
    uint16_t port = htons((uint16_t)json_int_or(socket, "port", 0));

    s->type = str_eq(json_str(socket, "type"), "stream") ? SOCK_STREAM : SOCK_DGRAM;
    s->tls = json_incref(json_object_get(socket, "tls"));
    if (s->tls) {
        s->address.any.sa_family = AF_UNIX; /* keg-tls stands in between */
    } else if (path) {
        if (strlen(path) >= sizeof(s->address.local.sun_path))
            return err_set(err, ERR_INVALID, "path of a socket is too long: %s", path);
        s->address.local.sun_family = AF_UNIX;
        strcpy(s->address.local.sun_path, path);
        s->address_len = sizeof(s->address.local);
    } else if (inet_pton(AF_INET, text, &s->address.v4.sin_addr) == 1) {
        s->address.v4.sin_family = AF_INET;
        s->address.v4.sin_port = port;
        s->address_len = sizeof(s->address.v4);
    } else if (inet_pton(AF_INET6, text, &s->address.v6.sin6_addr) == 1) {
        s->address.v6.sin6_family = AF_INET6;
        s->address.v6.sin6_port = port;
        s->address_len = sizeof(s->address.v6);
    } else {
        return err_set(err, ERR_INVALID, "invalid address of a log server: \"%s\"", text);
    }
    return 0;
}

/* Begins to connect. A non-blocking socket, maybe not connected yet, or -errno. */
static int dial(const struct logsender *s)
{
    int size = SEND_BUFFER;
    _cleanup_close_ int fd = socket(s->address.any.sa_family, s->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    if (connect(fd, &s->address.any, s->address_len) < 0 && errno != EINPROGRESS)
        return -errno;
    return take_fd(&fd);
}

/* Waits for the connection. 0 or -errno. */
static int await_connection(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof(error);

    if (poll(&p, 1, timeout_ms) <= 0)
        return -ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? -errno : -error;
}

/* --- the queue --- */

static int send_some(struct logsender *s, const char *data, size_t len)
{
    ssize_t n;

    if (s->socket.fd < 0)
        return -ENOTCONN;
    do
        n = send(s->socket.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : (int)n;
}

/* Sends what stands first in the queue, or some of it. 1: on to the next, 0, -EAGAIN or another -errno. */
static int send_first(struct logsender *s)
{
    uint32_t len;
    int n;

    memcpy(&len, s->queue.data, sizeof(len));
    n = send_some(s, s->queue.data + sizeof(len) + s->sent, len - s->sent);
    if (n < 0)
        return n;
    s->sent += (size_t)n;
    if (s->type == SOCK_STREAM && s->sent < len)
        return 0;
    buf_consume(&s->queue, sizeof(len) + len);
    s->sent = 0;
    return 1;
}

static void drop_first(struct logsender *s)
{
    uint32_t len;

    memcpy(&len, s->queue.data, sizeof(len));
    buf_consume(&s->queue, sizeof(len) + len);
    s->sent = 0;
}

static void lose_peer(struct logsender *s)
{
    struct itimerspec soon = {.it_value = {.tv_sec = RETRY_S}};

    loop_close(s->loop, &s->socket);
    s->sent = 0;
    timerfd_settime(s->timer.fd, 0, &soon, NULL);
    loop_set(s->loop, &s->timer, EPOLLIN);
}

/* A datagram that nobody takes is lost, as with Docker; on a stream it waits for the next connection. */
static void handle_failure(struct logsender *s, int error)
{
    bool refused = s->type == SOCK_DGRAM;

    if (refused && error != -ENOTCONN)
        drop_first(s);
    if (refused && error != -ECONNREFUSED && error != -ENOTCONN && error != -ECONNRESET)
        return; /* this message alone: it is too large, say */
    if (refused && s->address.any.sa_family != AF_UNIX)
        return; /* what a network answers to the one before */
    lose_peer(s);
}

static void update(struct logsender *s)
{
    bool was_blocked = s->blocked;

    if (s->queue.len == 0)
        buf_finish(&s->queue);
    if (s->socket.fd >= 0)
        loop_set(s->loop, &s->socket, EPOLLRDHUP | (s->queue.len ? EPOLLOUT : 0));
    s->blocked =
        !s->non_blocking && s->socket.fd >= 0 && s->queue.len > (s->blocked ? QUEUE_LOW : QUEUE_HIGH);
    if (was_blocked && !s->blocked)
        logger_unblocked(s->log);
}

static void send_queue(struct logsender *s)
{
    int r = 1;

    while (s->queue.len && r > 0) {
        r = send_first(s);
        if (r < 0 && r != -EAGAIN && s->socket.fd >= 0) {
            handle_failure(s, r);
            r = s->socket.fd >= 0;
        }
    }
}

static void socket_ready(struct loop_source *source, uint32_t events)
{
    struct logsender *s = LOOP_OWNER(source, struct logsender, socket);

    if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP) && s->type == SOCK_STREAM)
        lose_peer(s);
    else
        send_queue(s);
    update(s);
}

/* keg-tls has closed its status, or has said what is wrong. */
static void status_ready(struct loop_source *source, _unused_ uint32_t events)
{
    struct logsender *s = LOOP_OWNER(source, struct logsender, status);
    bool stands = logtls_wait(source->fd, 0, NULL) == 0;

    loop_close(s->loop, source);
    if (stands)
        s->socket.fd = take_fd(&s->pending);
    close_fd(&s->pending);
    if (s->socket.fd < 0)
        lose_peer(s);
    else
        send_queue(s);
    update(s);
}

static void dial_tls(struct logsender *s)
{
    int status;

    s->pending = logtls_dial(s->tls, &status);
    if (s->pending < 0) {
        lose_peer(s);
        return;
    }
    s->status.fd = status;
    loop_set(s->loop, &s->status, EPOLLIN);
}

static void timer_ready(struct loop_source *source, _unused_ uint32_t events)
{
    struct logsender *s = LOOP_OWNER(source, struct logsender, timer);

    loop_remove(s->loop, source);
    if (s->tls) {
        dial_tls(s);
    } else {
        s->socket.fd = dial(s);
        if (s->socket.fd < 0)
            lose_peer(s);
    }
    update(s);
}

/* --- for the drivers --- */

/* The first connection, which has to stand. 0, or -1. */
static int connect_first(struct logsender *s, struct err *err)
{
    _cleanup_close_ int status = -EBADF;
    int r = s->tls ? logtls_dial(s->tls, &status) : dial(s);

    s->socket.fd = r;
    if (r >= 0 && s->tls)
        return logtls_wait(status, CONNECT_MS, err);
    if (r >= 0)
        r = await_connection(r, CONNECT_MS);
    return r < 0 ? err_errno(err, r, "connect") : 0;
}

struct logsender *logsender_open(struct logger *log, struct loop *loop, const json_t *options,
                                 struct err *err)
{
    struct logsender *s = xcalloc(1, sizeof(*s));
    size_t max = (size_t)json_int_or(options, "max_buffer", QUEUE_MAX);

    *s = (struct logsender){.log = log,
                            .loop = loop,
                            .socket = {.fd = -EBADF, .handler = socket_ready},
                            .timer = {.fd = -EBADF, .handler = timer_ready},
                            .status = {.fd = -EBADF, .handler = status_ready},
                            .pending = -EBADF,
                            .non_blocking = json_bool_or(options, "non_blocking", false)};
    s->queue = (struct buf)BUF_INIT(s->non_blocking ? max : (size_t)QUEUE_MAX);
    if (parse_address(s, json_object_get(options, "socket"), err) < 0 || connect_first(s, err) < 0)
        goto failed;
    s->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (s->timer.fd >= 0) {
        update(s);
        return s;
    }
    err_errno(err, errno, "make a timer");
failed:
    logsender_close(s);
    return NULL;
}

void logsender_close(struct logsender *s)
{
    int64_t deadline = clock_monotonic() + LINGER_MS * 1000000LL;

    while (s->queue.len && s->socket.fd >= 0 && clock_monotonic() < deadline) {
        send_queue(s);
        if (s->queue.len && s->socket.fd >= 0)
            poll(&(struct pollfd){.fd = s->socket.fd, .events = POLLOUT}, 1, LINGER_MS);
    }
    loop_close(s->loop, &s->socket);
    loop_close(s->loop, &s->timer);
    loop_close(s->loop, &s->status);
    close_fd(&s->pending);
    json_decref(s->tls);
    buf_finish(&s->queue);
    free(s);
}

void logsender_send(struct logsender *s, const void *message, size_t len)
{
    uint32_t prefix = (uint32_t)len;

    if (s->queue.len + sizeof(prefix) + len > s->queue.max && s->queue.len)
        return; /* full: the newest is dropped */
    if (s->queue.len == 0 && s->type == SOCK_DGRAM && send_some(s, message, len) >= 0)
        return;
    buf_append(&s->queue, &prefix, sizeof(prefix));
    buf_append(&s->queue, message, len);
    if (buf_failed(&s->queue)) {
        buf_finish(&s->queue); /* one message larger than the buffer */
        return;
    }
    if (s->queue.len == sizeof(prefix) + len)
        send_queue(s);
    update(s);
}

bool logsender_is_blocked(const struct logsender *s)
{
    return s->blocked;
}
