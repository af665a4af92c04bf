/* Connections: packets in, packets out. */
#include "monitor/server.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "monitor/protocol.h"
#include "monitor/scratch.h"

enum { CONNECTIONS_MAX = 64, QUEUE_MAX = 256, QUEUE_BYTES_MAX = 1024 * 1024 };

struct packet {
    struct packet *next;
    size_t len;
    char data[];
};

struct connection {
    struct connection *next;
    struct server *server;
    struct loop_source source;
    bool watching;
    bool gone; /* freed when the server is next at rest */
    struct packet *queue, **queue_tail;
    size_t queue_count, queue_bytes;
};

struct server {
    struct loop *loop;
    server_handler *handler;
    server_gone *on_gone;
    void *arg;
    struct loop_source listener;
    struct connection *connections;
    size_t count;
};

static void connection_ready(struct loop_source *source, uint32_t events);
static void listener_ready(struct loop_source *source, uint32_t events);

struct server *server_new(struct loop *loop, server_handler *handler, server_gone *gone, void *arg)
{
    struct server *s = xcalloc(1, sizeof(*s));

    *s = (struct server){.loop = loop,
                         .handler = handler,
                         .on_gone = gone,
                         .arg = arg,
                         .listener = {.fd = -EBADF, .handler = listener_ready}};
    return s;
}

static void connection_drop_queue(struct connection *c)
{
    while (c->queue) {
        struct packet *p = c->queue;

        c->queue = p->next;
        free(p);
    }
    c->queue_tail = &c->queue;
    c->queue_count = c->queue_bytes = 0;
}

static void connection_free(struct connection *c)
{
    connection_drop_queue(c);
    loop_close(c->server->loop, &c->source);
    free(c);
}

struct server *server_free(struct server *s)
{
    if (!s)
        return NULL;
    while (s->connections) {
        struct connection *c = s->connections;

        s->connections = c->next;
        connection_free(c);
    }
    loop_close(s->loop, &s->listener);
    free(s);
    return NULL;
}

/* The connection is over; its memory stays until server_sweep(), for those that are just using it. */
static void connection_end(struct connection *c)
{
    if (c->gone)
        return;
    c->gone = true;
    c->watching = false;
    connection_drop_queue(c);
    loop_close(c->server->loop, &c->source);
}

void server_sweep(struct server *s)
{
    struct connection **link = &s->connections;

    while (*link) {
        struct connection *c = *link;

        if (c->gone) {
            *link = c->next;
            s->count--;
            s->on_gone(s->arg, c);
            connection_free(c);
        } else {
            link = &c->next;
        }
    }
    if (s->listener.fd >= 0 && s->count < CONNECTIONS_MAX)
        loop_set(s->loop, &s->listener, EPOLLIN);
}

static struct connection *server_add(struct server *s, int fd)
{
    struct connection *c = xcalloc(1, sizeof(*c));

    c->server = s;
    c->source = (struct loop_source){.fd = fd, .handler = connection_ready};
    c->queue_tail = &c->queue;
    c->next = s->connections;
    s->connections = c;
    s->count++;
    if (loop_set(s->loop, &c->source, EPOLLIN) < 0)
        connection_end(c);
    return c;
}

struct connection *server_adopt(struct server *s, int fd)
{
    struct connection *c = server_add(s, fd);

    connection_watch(c);
    return c;
}

int server_listen(struct server *s, const char *path, struct err *err)
{
    s->listener.fd = unix_listen(path, SOCK_SEQPACKET, 0600);
    if (s->listener.fd < 0) {
        int r = s->listener.fd;

        s->listener.fd = -EBADF;
        return err_errno(err, r, "listen on %s", path);
    }
    fd_set_nonblock(s->listener.fd, true);
    if (loop_set(s->loop, &s->listener, EPOLLIN) < 0)
        return err_errno(err, errno, "watch %s", path);
    return 0;
}

void server_stop_listening(struct server *s)
{
    loop_close(s->loop, &s->listener);
}

static void listener_ready(struct loop_source *source, _unused_ uint32_t events)
{
    struct server *s = LOOP_OWNER(source, struct server, listener);
    _cleanup_close_ int fd = -EBADF;
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (s->count >= CONNECTIONS_MAX) { /* the others wait in the backlog until one has gone */
        loop_remove(s->loop, source);
        return;
    }
    fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != geteuid())
        return;
    server_add(s, take_fd(&fd));
}

/* --- in --- */

static void request_handle(struct connection *c, struct request *request, const char *data, size_t len)
{
    struct err err = {0};

    request->from = c;
    request->body = json_parse(data, len, "request", &err);
    if (request->body && !json_str(request->body, "op"))
        err_set(&err, ERR_INVALID, "request without an \"op\"");
    if (err.kind)
        connection_reply_error(c, &err);
    else
        c->server->handler(c->server->arg, request);
    json_decref(request->body);
    for (size_t i = 0; i < request->nfds; i++)
        close_fd(&request->fds[i]);
}

static void connection_flush(struct connection *c);

static void connection_ready(struct loop_source *source, uint32_t events)
{
    struct connection *c = LOOP_OWNER(source, struct connection, source);
    struct request request = {0};
    ssize_t n = -EAGAIN;

    if (events & EPOLLOUT)
        connection_flush(c);
    if (!c->gone && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        n = fd_receive_message(c->source.fd, scratch_input(), MONITOR_PACKET_MAX, request.fds, FD_PASS_MAX,
                               &request.nfds);
    if (n > 0)
        request_handle(c, &request, scratch_input(), (size_t)n);
    else if (n == -EMSGSIZE)
        connection_reply_error(c, &(struct err){ERR_INVALID, EMSGSIZE, "request too large"});
    else if (n != -EAGAIN)
        connection_end(c);
}

/* --- out --- */

static int connection_send_now(struct connection *c, const void *data, size_t len)
{
    ssize_t n = send(c->source.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    return n >= 0 ? 0 : -errno;
}

static void connection_flush(struct connection *c)
{
    while (c->queue) {
        struct packet *p = c->queue;
        int r = connection_send_now(c, p->data, p->len);

        if (r == -EAGAIN || r == -ENOBUFS)
            return;
        if (r < 0) {
            connection_end(c);
            return;
        }
        c->queue = p->next;
        c->queue_count--;
        c->queue_bytes -= p->len;
        free(p);
    }
    c->queue_tail = &c->queue;
    loop_set(c->server->loop, &c->source, EPOLLIN);
}

static void connection_send(struct connection *c, const char *data, size_t len)
{
    struct packet *p;

    if (c->gone)
        return;
    if (!c->queue) {
        int r = connection_send_now(c, data, len);

        if (r == 0)
            return;
        if (r != -EAGAIN && r != -ENOBUFS) {
            connection_end(c);
            return;
        }
    }
    if (c->queue_count >= QUEUE_MAX || c->queue_bytes + len > QUEUE_BYTES_MAX) {
        connection_end(c);
        return;
    }
    p = xmalloc(sizeof(*p) + len);
    p->next = NULL;
    p->len = len;
    memcpy(p->data, data, len);
    *c->queue_tail = p;
    c->queue_tail = &p->next;
    c->queue_count++;
    c->queue_bytes += len;
    loop_set(c->server->loop, &c->source, EPOLLIN | EPOLLOUT);
}

static void connection_send_json(struct connection *c, const json_t *json)
{
    _cleanup_free_ char *text = json_text(json);

    if (text)
        connection_send(c, text, strlen(text));
}

void connection_reply(struct connection *c, json_t *result_take)
{
    _cleanup_json_ json_t *reply = json_object();

    json_object_set_new(reply, "ok", result_take ? result_take : json_object());
    connection_send_json(c, reply);
}

void connection_reply_error(struct connection *c, const struct err *err)
{
    _cleanup_json_ json_t *reply = json_object();
    json_t *error = json_object();

    json_set_str(error, "kind", err_kind_name(err->kind));
    json_set_int(error, "errno", err->errnum);
    json_set_str(error, "message", err->message);
    json_object_set_new(reply, "error", error);
    connection_send_json(c, reply);
}

int connection_event(struct connection *c, json_t *event_take, const int *fds, size_t nfds)
{
    _cleanup_json_ json_t *event = event_take;
    _cleanup_free_ char *text = json_text(event);

    if (c->gone || !text)
        return -ECONNRESET;
    return fd_send_message(c->source.fd, text, strlen(text), fds, nfds);
}

void connection_watch(struct connection *c)
{
    c->watching = !c->gone;
}

bool server_event(struct server *s, json_t *event_take)
{
    _cleanup_json_ json_t *event = event_take;
    bool heard = false;

    for (struct connection *c = s->connections; c; c = c->next) {
        if (!c->watching)
            continue;
        connection_send_json(c, event);
        heard |= c->watching;
    }
    return heard;
}

bool server_is_watched(const struct server *s)
{
    const struct connection *c = s->connections;

    while (c && !c->watching)
        c = c->next;
    return c != NULL;
}

bool server_flushed(const struct server *s)
{
    for (const struct connection *c = s->connections; c; c = c->next)
        if (c->queue)
            return false;
    return true;
}
