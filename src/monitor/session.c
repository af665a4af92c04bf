/* Sessions: stdio of one program, and the flow between it, the log and the clients. */
#include "monitor/session.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "monitor/client.h"
#include "monitor/scratch.h"

enum {
    PIPE_SIZE = 1024 * 1024, /* what a busy output pipe is enlarged to */
    PIPE_SIZE_DEFAULT = 64 * 1024,
    CHUNK_ATTACHED = 64 * 1024, /* one reading while clients are attached: bounds their queues */
    INPUT_MAX = 1024 * 1024,
    PTY_SETTLE_MS = 10, /* the kernel delivers a pty's last bytes from a worker */
};

static void output_ready(struct loop_source *source, uint32_t events);
static void input_ready(struct loop_source *source, uint32_t events);

struct session *session_new(struct loop *loop, const char *id, const struct session_events *events,
                            void *owner)
{
    struct session *s = xcalloc(1, sizeof(*s));

    s->loop = loop;
    s->id = xstrdup(id);
    s->events = events;
    s->owner = owner;
    s->peer = -EBADF;
    s->input = (struct session_input){
        .session = s, .source = {.fd = -EBADF, .handler = input_ready}, .queue = BUF_INIT(INPUT_MAX)};
    for (int i = 0; i < LOG_STREAM_COUNT; i++)
        s->outputs[i] = (struct session_output){
            .session = s, .source = {.fd = -EBADF, .handler = output_ready}, .stream = (enum log_stream)i};
    return s;
}

static void input_close(struct session *s)
{
    loop_close(s->loop, &s->input.source);
    buf_finish(&s->input.queue);
}

struct session *session_free(struct session *s)
{
    if (!s)
        return NULL;
    while (s->clients) {
        struct client *c = s->clients;

        s->clients = c->next;
        client_free(c);
    }
    input_close(s);
    for (int i = 0; i < LOG_STREAM_COUNT; i++)
        loop_close(s->loop, &s->outputs[i].source);
    close_fd(&s->peer);
    free(s->id);
    free(s);
    return NULL;
}

int session_attach(struct session *s, int *fd, const struct session_client_options *options, struct err *err)
{
    struct client *c, **tail = &s->clients;

    if (s->closed)
        return err_set(err, ERR_CONFLICT, "the program has ended");
    c = client_new(s, fd, options, err);
    if (!c)
        return -1;
    while (*tail)
        tail = &(*tail)->next;
    *tail = c;
    s->events->attached(s);
    client_pull(c);
    session_settle(s);
    return 0;
}

/* --- setting up --- */

static int session_null(struct err *err)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);

    return fd < 0 ? err_errno(err, errno, "open /dev/null") : fd;
}

/* A pipe between the program (*child) and us (*ours, non-blocking). */
static int session_pipe(bool to_program, int *child, int *ours, struct err *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, errno, "pipe");
    *child = ends[to_program ? 0 : 1];
    *ours = ends[to_program ? 1 : 0];
    return fd_set_nonblock(*ours, true) < 0 ? err_errno(err, errno, "pipe") : 0;
}

int session_make_stdio(struct session *s, bool outputs, int child[3], struct err *err)
{
    child[0] = child[1] = child[2] = -EBADF;
    if (s->open_stdin ? session_pipe(true, &child[0], &s->input.source.fd, err) < 0
                      : (child[0] = session_null(err)) < 0)
        goto failed;
    for (int i = 0; i < LOG_STREAM_COUNT; i++)
        if (outputs ? session_pipe(false, &child[i + 1], &s->outputs[i].source.fd, err) < 0
                    : (child[i + 1] = session_null(err)) < 0)
            goto failed;
    return 0;
failed:
    for (int i = 0; i < 3; i++)
        close_fd(&child[i]);
    return -1;
}

int session_take_console(struct session *s, int *master, struct err *err)
{
    struct session_output *out = &s->outputs[LOG_STDOUT];

    out->source.fd = take_fd(master);
    out->enlarged = true;
    if (fd_set_nonblock(out->source.fd, true) < 0)
        return err_errno(err, errno, "prepare terminal");
    s->peer = ioctl(out->source.fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (s->open_stdin) {
        s->input.source.fd = fcntl(out->source.fd, F_DUPFD_CLOEXEC, 3);
        if (s->input.source.fd < 0)
            return err_errno(err, errno, "duplicate terminal");
    }
    return 0;
}

void session_begin(struct session *s)
{
    s->begun = true;
    for (struct client *c = s->clients; c; c = c->next)
        client_pull(c);
    session_settle(s);
}

int session_resize(struct session *s, unsigned height, unsigned width, struct err *err)
{
    struct winsize size = {.ws_row = (unsigned short)height, .ws_col = (unsigned short)width};

    if (!s->tty || s->outputs[LOG_STDOUT].source.fd < 0)
        return err_set(err, s->tty ? ERR_CONFLICT : ERR_INVALID,
                       "cannot resize: the program has no terminal");
    if (ioctl(s->outputs[LOG_STDOUT].source.fd, TIOCSWINSZ, &size) < 0)
        return err_errno(err, errno, "resize terminal");
    return 0;
}

/* --- input --- */

bool session_wants_input(const struct session *s)
{
    return s->begun && s->input.source.fd >= 0 && s->input.queue.len == 0 && !s->input.finishing;
}

void session_input(struct session *s, const char *data, size_t len)
{
    struct session_input *in = &s->input;

    while (len && in->source.fd >= 0 && in->queue.len == 0) {
        ssize_t n = write(in->source.fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) { /* the program has closed its stdin */
            input_close(s);
            return;
        }
        if (n <= 0)
            break;
        data += n;
        len -= (size_t)n;
    }
    if (len && in->source.fd >= 0)
        buf_append(&in->queue, data, len);
}

void session_input_ended(struct session *s, struct client *c)
{
    if (s->stdin_once && !s->tty) {
        s->input.finishing = true;
    } else {
        c->deserts = true;
        client_close(c);
    }
}

/* The program takes input again. */
static void input_ready(struct loop_source *source, _unused_ uint32_t events)
{
    struct session_input *in = LOOP_OWNER(source, struct session_input, source);
    struct session *s = in->session;
    ssize_t n = write(source->fd, in->queue.data, in->queue.len);

    if (n > 0)
        buf_consume(&in->queue, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        input_close(s);
    if (in->queue.len == 0) {
        buf_finish(&in->queue);
        for (struct client *c = s->clients; c; c = c->next)
            client_pull(c);
    }
    session_settle(s);
}

static void input_update(struct session *s)
{
    struct session_input *in = &s->input;

    if (in->source.fd < 0)
        return;
    if (in->queue.len)
        loop_set(s->loop, &in->source, EPOLLOUT);
    else if (in->finishing)
        input_close(s);
    else
        loop_remove(s->loop, &in->source);
}

/* --- output --- */

static void session_emit(struct session *s, enum log_stream stream, const char *data, size_t len)
{
    enum session_stream wanted = stream == LOG_STDERR ? SESSION_STDERR : SESSION_STDOUT;

    for (struct client *c = s->clients; c; c = c->next)
        client_send(c, wanted, data, len);
    if (s->log)
        logger_write(s->log, stream, data, len, clock_now());
    if (s->events->output)
        s->events->output(s, data, len);
}

static void output_close(struct session_output *out)
{
    struct session *s = out->session;

    loop_close(s->loop, &out->source);
    if (s->log)
        logger_finish(s->log, out->stream, clock_now());
}

/* Reads once, at most `max` bytes. Returns the bytes read, 0 at the end, or -EAGAIN. */
static ssize_t output_read(struct session_output *out, size_t max)
{
    char *data = scratch_input();
    ssize_t n;

    do
        n = read(out->source.fd, data, max);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? -EAGAIN : 0; /* EIO: nobody holds the terminal any more */
    if (n >= PIPE_SIZE_DEFAULT && !out->enlarged) {
        fcntl(out->source.fd, F_SETPIPE_SZ, PIPE_SIZE);
        out->enlarged = true;
    }
    if (n > 0)
        session_emit(out->session, out->stream, data, (size_t)n);
    return n;
}

static void output_ready(struct loop_source *source, _unused_ uint32_t events)
{
    struct session_output *out = LOOP_OWNER(source, struct session_output, source);
    struct session *s = out->session;

    if (output_read(out, s->clients ? CHUNK_ATTACHED : SCRATCH_INPUT_SIZE) == 0)
        output_close(out);
    session_settle(s);
}

/* What a pipe holds now is what the program wrote before its end; what others write into it after is not
 * waited for. */
static void drain_pipe(struct session_output *out)
{
    int left = 0;

    if (ioctl(out->source.fd, FIONREAD, &left) < 0)
        return;
    while (left > 0) {
        ssize_t n = output_read(out, MIN_OF((size_t)left, (size_t)SCRATCH_INPUT_SIZE));

        if (n <= 0)
            return;
        left -= (int)n;
    }
}

/* A pty says when its last holder has gone; one that stays is not waited for. */
static void drain_pty(struct session_output *out)
{
    struct pollfd p = {.fd = out->source.fd, .events = POLLIN};
    size_t seen = 0;
    ssize_t n = 1;

    while (n != 0 && seen < PIPE_SIZE) {
        n = output_read(out, SCRATCH_INPUT_SIZE);
        if (n > 0)
            seen += (size_t)n;
        else if (n == -EAGAIN && poll(&p, 1, PTY_SETTLE_MS) <= 0)
            break;
    }
}

void session_discard(struct session *s)
{
    input_close(s);
    close_fd(&s->peer);
    for (int i = 0; i < LOG_STREAM_COUNT; i++)
        loop_close(s->loop, &s->outputs[i].source);
}

void session_drain(struct session *s)
{
    input_close(s);
    close_fd(&s->peer);
    for (int i = 0; i < LOG_STREAM_COUNT; i++) {
        struct session_output *out = &s->outputs[i];

        if (out->source.fd < 0)
            continue;
        if (s->tty)
            drain_pty(out);
        else
            drain_pipe(out);
        output_close(out);
    }
}

void session_close(struct session *s)
{
    s->closed = true;
    for (struct client *c = s->clients; c; c = c->next)
        client_close(c);
    session_settle(s);
}

/* --- the balance --- */

static void notice_desertion(struct session *s)
{
    bool any = false;

    if (!s->events->deserted || !s->running || s->deserted)
        return;
    for (const struct client *c = s->clients; c; c = c->next) {
        any = any || c->deserts;
        if (!c->deserts && !c->closing)
            return;
    }
    s->deserted = any;
    if (any)
        s->events->deserted(s);
}

static void session_sweep(struct session *s)
{
    struct client **link = &s->clients;

    while (*link) {
        struct client *c = *link;

        if (client_finished(c)) {
            *link = c->next;
            client_free(c);
        } else {
            link = &c->next;
        }
    }
}

void session_settle(struct session *s)
{
    bool backlog = logger_is_blocked(s->log);

    /* what a client has sent before it went, and that it has gone */
    for (struct client *c = s->clients; c; c = c->next)
        if (c->hung)
            client_pull(c);
    notice_desertion(s);
    session_sweep(s);
    for (struct client *c = s->clients; c; c = c->next) {
        client_update(c);
        backlog |= client_backlogged(c);
    }
    input_update(s);
    for (int i = 0; i < LOG_STREAM_COUNT && s->begun; i++) {
        struct session_output *out = &s->outputs[i];

        if (out->source.fd < 0)
            continue;
        if (backlog)
            loop_remove(s->loop, &out->source);
        else
            loop_set(s->loop, &out->source, EPOLLIN);
    }
    if (s->closed && !s->clients)
        s->events->ended(s);
}
