/* Attaching to containers. */
#include "engine/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "base/websocket.h"
#include "engine/monitors.h"

#define DEFAULT_DETACH_KEYS "ctrl-p,ctrl-q"

enum { INPUT_MAX = 16 * 1024 };

struct pending_attach {
    int fd;
    json_t *request;
    struct pending_attach *next;
};

static struct pending_attach *pending_free(struct pending_attach *p)
{
    struct pending_attach *next = p->next;
    close(p->fd);
    json_decref(p->request);
    free(p);
    return next;
}

static struct pending_attach *take_pending(struct container *c)
{
    pthread_mutex_lock(&c->lock);
    struct pending_attach *list = take_ptr(&c->pending);
    pthread_mutex_unlock(&c->lock);
    return list;
}

void container_drop_pending(struct container *c)
{
    for (struct pending_attach *p = take_pending(c); p;)
        p = pending_free(p);
}

static bool has_hung_up(int fd)
{
    struct pollfd p = {.fd = fd};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* A client sees its upgrade before the server's thread is back here: it may ask for the start so quickly that its own
 * attach isn't noted yet. So the check announces it, and a start waits for what was announced. */
static void announced_came(struct container *c)
{
    if (c->announced > 0 && --c->announced == 0)
        pthread_cond_broadcast(&c->announced_done);
}

/* What doesn't come within a second never will: the client left in between. */
static struct pending_attach *await_announced(struct container *c)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&c->lock);
    while (c->announced > 0)
        if (pthread_cond_timedwait(&c->announced_done, &c->lock, &until) != 0)
            c->announced = 0;
    struct pending_attach *list = take_ptr(&c->pending);
    c->handed_over = true;
    pthread_mutex_unlock(&c->lock);
    return list;
}

int container_send_pending(struct container *c, int sock, struct err *err)
{
    int r = 0;
    for (struct pending_attach *p = await_announced(c); p; p = pending_free(p))
        if (r == 0 && !has_hung_up(p->fd))
            r = monitor_ask(sock, p->request, &p->fd, 1, NULL, err);
    return r;
}

json_t *attach_request(const struct engine_attach_options *o, bool framed, const struct engine_stream *stream)
{
    json_t *request = json_object();
    json_set_str(request, "op", "attach");
    json_set_bool(request, "stdin", o->stdin_too);
    json_set_bool(request, "stdout", o->stdout_too);
    json_set_bool(request, "stderr", o->stderr_too);
    json_set_bool(request, "framed", framed);
    if (o->websocket)
        json_set_str(request, "websocket", o->websocket == ENGINE_WEBSOCKET_TEXT ? "text" : "binary");
    json_set_str(request, "detach_keys", str_empty(o->detach_keys) ? DEFAULT_DETACH_KEYS : o->detach_keys);
    if (stream->input_len > 0 && stream->input_len <= INPUT_MAX) {
        _cleanup_free_ char *hex = xmalloc(2 * stream->input_len + 1);
        hex_encode(stream->input, stream->input_len, hex);
        json_set_str(request, "input", hex);
    }
    return request;
}

int engine_container_has_tty(struct engine *e, const char *ref, struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    return c ? c->tty : -1;
}

/* Whether an attach has to wait for a start; with c->lock held. */
static bool must_wait(const struct container *c)
{
    return !container_status_runs(c->state.status) && !(c->state.starting && c->handed_over);
}

int engine_container_attach_check(struct engine *e, const char *ref, const struct engine_attach_options *o,
                                  char **ret_id, struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    if (!c)
        return -1;
    pthread_mutex_lock(&c->lock);
    enum container_status status = c->state.status;
    bool removing = c->removing;
    if (o->stream && must_wait(c) && !removing)
        c->announced++;
    pthread_mutex_unlock(&c->lock);
    if (removing)
        return err_set(err, ERR_CONFLICT, "container %s is marked for removal and cannot be attached to",
                       c->id);
    if (status == CONTAINER_PAUSED)
        return err_set(err, ERR_CONFLICT, "container %s is paused, unpause the container before attach",
                       c->id);
    if (status == CONTAINER_RESTARTING)
        return err_set(err, ERR_CONFLICT, "container %s is restarting, wait until the container is running",
                       c->id);
    *ret_id = xstrdup(c->id);
    return c->tty;
}

/* ---- output so far ---- */

struct logs_stream {
    int fd;
    enum engine_websocket websocket;
};

static int write_to_stream(void *arg, const void *data, size_t len)
{
    const struct logs_stream *s = arg;
    uint8_t head[WEBSOCKET_HEAD_MAX];
    enum websocket_opcode opcode = s->websocket == ENGINE_WEBSOCKET_TEXT ? WEBSOCKET_TEXT : WEBSOCKET_BINARY;
    if (s->websocket && fd_write_full(s->fd, head, websocket_head(head, opcode, len)) < 0)
        return -1;
    return fd_write_full(s->fd, data, len) < 0 ? -1 : 0;
}

static int send_logs(struct engine *e, struct container *c, const struct engine_attach_options *o, int fd,
                     struct err *err)
{
    const struct engine_logs_options logs = {
        .stdout_too = o->stdout_too, .stderr_too = o->stderr_too, .tail = -1, .raw = o->websocket};
    struct logs_stream stream = {.fd = fd, .websocket = o->websocket};
    const struct engine_sink sink = {.write = write_to_stream, .arg = &stream, .client_fd = -1};
    if (!o->logs || (!o->stdout_too && !o->stderr_too))
        return 0;
    fd_set_nonblock(fd, false);
    return engine_container_logs(e, c->id, &logs, &sink, err);
}

/* ---- attach ---- */

/* Keeps the client for the start to come: 1; 0 when it can go to the monitor. */
static int keep_pending(struct container *c, json_t *request, int fd, struct err *err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return err_errno(err, errno, "keep the client's connection");
    struct pending_attach *p = xcalloc(1, sizeof(*p));
    *p = (struct pending_attach){.fd = copy, .request = json_incref(request)};
    pthread_mutex_lock(&c->lock);
    bool wait = must_wait(c) && !c->gone;
    struct pending_attach **end = &c->pending;
    while (wait && *end)
        if (has_hung_up((*end)->fd))
            *end = pending_free(*end);
        else
            end = &(*end)->next;
    if (wait)
        *end = p;
    announced_came(c);
    pthread_mutex_unlock(&c->lock);
    if (!wait)
        pending_free(p);
    return wait;
}

/* To the monitor, once a start that is under way is over. */
static int attach_now(struct container *c, const json_t *request, int fd, struct err *err)
{
    pthread_mutex_lock(&c->operation);
    int r = monitor_request(c, request, &fd, 1, NULL, err);
    pthread_mutex_unlock(&c->operation);
    return r;
}

/* 1 when somebody else has the stream now, 0 when it is at its end. */
static int attach(struct container *c, const struct engine_attach_options *o,
                  const struct engine_stream *stream, struct err *err)
{
    if (send_logs(c->engine, c, o, stream->fd, err) < 0)
        return -1;
    if (!o->stream)
        return 0;
    struct engine_attach_options wanted = *o;
    wanted.stdin_too = o->stdin_too && c->open_stdin;
    _cleanup_json_ json_t *request = attach_request(&wanted, /* framed= */ !c->tty && !o->websocket, stream);
    int r = keep_pending(c, request, stream->fd, err);
    if (r == 0)
        r = attach_now(c, request, stream->fd, err);
    if (r < 0)
        return -1;
    container_event(c, "attach", NULL);
    return 1;
}

int engine_container_attach(struct engine *e, const char *ref, const struct engine_attach_options *o,
                            const struct engine_stream *stream, struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    int r = c ? attach(c, o, stream, err) : -1;
    if (r <= 0 && o->websocket) {
        _cleanup_(buf_finish) struct buf farewell = BUF_INIT(WEBSOCKET_CONTROL_MAX);
        websocket_close(&farewell, WEBSOCKET_NORMAL);
        (void)fd_write_full(stream->fd, farewell.data, farewell.len);
    }
    return r < 0 ? -1 : 0;
}
