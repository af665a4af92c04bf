/* The HTTP server: libmicrohttpd's callbacks, and what makes linear handlers of them. */
#include "api/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/handed.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

enum { TRIM_EVERY = 128 }; /* requests */

/* ---- a request's life ---- */

static struct exchange *exchange_new(struct server *s, struct MHD_Connection *connection, const char *url,
                                     const char *method, const char *version)
{
    struct exchange *x = xcalloc(1, sizeof(*x));
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    x->deadline = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    x->request = (struct request){
        .server = s,
        .engine = s->engine,
        .connection = connection,
        .method = method,
        .url = url,
        .http_1_0 = str_eq(version, "HTTP/1.0"),
        .fd = info->connect_fd,
        .body_fd = -EBADF,
        .sink = {.client_fd = info->connect_fd},
    };
    x->collected = (struct buf)BUF_INIT(SERVER_BODY_MAX);
    x->upload = -EBADF;
    x->started = clock_monotonic();
    return x;
}

/* Ends the upload (the handler reads its end) and waits for the handler. */
static void exchange_join(struct exchange *x)
{
    close_fd(&x->upload);
    if (x->working)
        pthread_join(x->worker, NULL);
    x->working = false;
    close_fd(&x->request.body_fd);
}

static void exchange_free(struct exchange *x)
{
    exchange_join(x);
    log_debug("%s %s: %d in %" PRId64 " us", x->request.method, x->request.url, x->request.reply.status,
              (clock_monotonic() - x->started) / 1000);
    buf_finish(&x->collected);
    json_decref(x->request.body);
    free(x->request.wildcard);
    free(x->request.clean_url);
    free(x->request.data);
    free(x->request.reply.document);
    free(x->request.reply.headers);
    free(x);
}

static void *exchange_work(void *arg)
{
    struct exchange *x = arg;

    route_run(&x->request);
    close_fd(&x->request.body_fd); /* what the handler didn't want is dropped from here on */
    return NULL;
}

/* The handler of an upload gets a pipe and a thread: not before the first piece of the body (or its end),
 * because a "100 Continue" may have to go out before the handler writes. */
static void exchange_start_worker(struct exchange *x)
{
    int ends[2], r;
    pthread_attr_t attr;

    MHD_set_connection_option(x->request.connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
    if (pipe2(ends, O_CLOEXEC) < 0) {
        err_errno(&x->refused, errno, "cannot make a pipe for the request's body");
        return;
    }
    (void)fcntl(ends[1], F_SETPIPE_SZ, SERVER_UPLOAD_PIPE_SIZE); /* a smaller one is only slower */
    x->request.body_fd = ends[0];
    x->upload = ends[1];
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, SERVER_STACK_SIZE);
    r = pthread_create(&x->worker, &attr, exchange_work, x);
    pthread_attr_destroy(&attr);
    x->working = r == 0;
    if (r != 0)
        err_errno(&x->refused, r, "cannot start a thread for the request");
}

static void exchange_take_body(struct exchange *x, const char *data, size_t len)
{
    if (x->refused.kind != ERR_NONE)
        return; /* drained, so that the client reads the answer */
    x->request.body_len += len;
    if (x->request.route->flags & ROUTE_UPLOAD) {
        if (!x->working)
            exchange_start_worker(x);
        if (x->upload >= 0 && fd_write_full(x->upload, data, len) < 0)
            close_fd(&x->upload); /* the handler has seen enough */
    } else if (buf_append(&x->collected, data, len) < 0) {
        err_set(&x->refused, ERR_INVALID, "http: request body too large: at most %d bytes are taken here",
                SERVER_BODY_MAX);
    }
}

static int exchange_decode(struct exchange *x)
{
    if (!(x->request.route->flags & ROUTE_JSON))
        return 0;
    return route_decode(&x->request, buf_str(&x->collected), x->collected.len, &x->refused);
}

/* Everything has arrived: answers. MHD_NO ends a connection that was written to directly. */
static enum MHD_Result exchange_answer(struct exchange *x)
{
    struct request *r = &x->request;

    bool without_body = x->refused.kind == ERR_NONE && (r->route->flags & ROUTE_UPLOAD) && !x->working;

    if (without_body && handed_is_wanted(r)) {
        handed_reply(r);
        deadline_release(r->server->deadlines, x->deadline);
        return reply_queue(x);
    }
    deadline_stop(r->server->deadlines, x->deadline);
    if (without_body)
        exchange_start_worker(x);
    if (x->working)
        exchange_join(x);
    else if (x->refused.kind == ERR_NONE && exchange_decode(x) == 0)
        route_run(r);
    if (x->refused.kind != ERR_NONE && r->reply.kind == REPLY_NONE)
        reply_error(r, &x->refused);

    if (r->reply.kind == REPLY_STREAM || r->reply.kind == REPLY_HIJACK)
        deadline_release(r->server->deadlines, x->deadline);
    if (r->reply.kind == REPLY_STREAM) {
        reply_finish(r);
        return MHD_NO;
    }
    if (r->reply.kind == REPLY_HIJACK && !request_wants_upgrade(r)) {
        reply_take(r);
        return MHD_NO;
    }
    return reply_queue(x);
}

/* ---- libmicrohttpd's callbacks ---- */

static enum MHD_Result server_handle(void *arg, struct MHD_Connection *connection, const char *url,
                                     const char *method, const char *version, const char *data, size_t *len,
                                     void **state)
{
    struct exchange *x = *state;

    if (!x) {
        *state = x = exchange_new(arg, connection, url, method, version);
        route_find(&x->request, &x->refused); /* a refusal waits until the body is through */
        if (x->refused.kind == ERR_NONE && (x->request.route->flags & ROUTE_UPLOAD))
            deadline_stop(x->request.server->deadlines, x->deadline);
        return MHD_YES;
    }
    if (*len > 0) {
        exchange_take_body(x, data, *len);
        *len = 0;
        return MHD_YES;
    }
    return exchange_answer(x);
}

/* What a crowd of clients took is scattered over the heap; now and then the pages between go back to the kernel. */
static void give_back(void)
{
    static atomic_uint completed;

    if (atomic_fetch_add(&completed, 1) % TRIM_EVERY == TRIM_EVERY - 1)
        malloc_trim(0);
}

static void server_completed(void *arg _unused_, struct MHD_Connection *connection _unused_, void **state,
                             enum MHD_RequestTerminationCode why)
{
    struct exchange *x = *state;

    if (!x)
        return;
    if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        x->request.reply.broken = true;
    deadline_restart(x->request.server->deadlines, x->deadline);
    exchange_free(x);
    *state = NULL;
    give_back();
}

static void server_connection(void *arg, struct MHD_Connection *connection, void **context,
                              enum MHD_ConnectionNotificationCode what)
{
    struct server *s = arg;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = deadline_add(
            s->deadlines, MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    } else if (*context) {
        deadline_remove(s->deadlines, *context);
        *context = NULL;
    }
}

static void server_log(void *arg _unused_, const char *format, va_list ap)
{
    char line[512];

    if (log_get_level() > LOG_LEVEL_DEBUG)
        return;
    vsnprintf(line, sizeof(line), format, ap);
    if (strstr(line, "Application reported internal error"))
        return; /* that is how a connection ends that was written to directly */
    line[strcspn(line, "\n")] = '\0';
    log_debug("http: %s", line);
}

/* ---- the server ---- */

struct server *server_new(const struct server_options *options)
{
    struct server *s = xcalloc(1, sizeof(*s));

    s->engine = options->engine;
    s->connection_limit = options->connection_limit ? options->connection_limit : 4096;
    s->request_timeout_ms =
        options->request_timeout_ms ? options->request_timeout_ms : SERVER_IDLE_TIMEOUT_S * 1000;
    return s;
}

/* fd -1: connections are added to it. */
static struct MHD_Daemon *server_start(struct server *s, int fd, struct err *err)
{
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
                     MHD_ALLOW_UPGRADE | MHD_USE_ITC | MHD_USE_ERROR_LOG;
    const struct MHD_OptionItem listening[] = {{MHD_OPTION_LISTEN_SOCKET, fd, NULL},
                                               {MHD_OPTION_END, 0, NULL}};
    struct MHD_Daemon *daemon;

    if (!s->deadlines)
        s->deadlines = deadlines_new(s->request_timeout_ms, err);
    if (!s->deadlines)
        return NULL;
    if (fd < 0)
        flags |= MHD_USE_NO_LISTEN_SOCKET;
    daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, server_handle, s, MHD_OPTION_EXTERNAL_LOGGER, server_log, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, server_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, server_connection,
        s, MHD_OPTION_THREAD_STACK_SIZE, (size_t)SERVER_STACK_SIZE, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)SERVER_POOL_SIZE, MHD_OPTION_CONNECTION_LIMIT, s->connection_limit,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SERVER_IDLE_TIMEOUT_S, MHD_OPTION_ARRAY,
        fd < 0 ? listening + 1 : listening, MHD_OPTION_END);
    if (!daemon) {
        err_errno(err, errno, "cannot start the HTTP server");
        return NULL;
    }
    s->daemons = xreallocarray(s->daemons, s->n_daemons + 1, sizeof(struct MHD_Daemon *));
    s->daemons[s->n_daemons++] = daemon;
    return daemon;
}

int server_listen(struct server *s, int fd, struct err *err)
{
    if (server_start(s, fd, err))
        return 0;
    close(fd);
    return -1;
}

/* The plain end of a client who came by TLS. */
static void server_add(void *arg, int fd)
{
    const struct sockaddr_un nobody = {.sun_family = AF_UNIX};

    if (MHD_add_connection(arg, fd, (const struct sockaddr *)&nobody, sizeof(nobody)) != MHD_YES)
        log_debug("a client by TLS was refused: %m"); /* and closed */
}

int server_listen_tls(struct server *s, int fd, const struct front_tls *tls, struct err *err)
{
    struct MHD_Daemon *daemon = server_start(s, -1, err);
    struct front *front;

    if (!daemon) {
        close(fd);
        return -1;
    }
    front = front_new(fd, tls, server_add, daemon, err);
    if (!front)
        return -1;
    s->fronts = xreallocarray(s->fronts, s->n_fronts + 1, sizeof(struct front *));
    s->fronts[s->n_fronts++] = front;
    return 0;
}

int server_reload_tls(struct server *s, const struct front_tls *tls, struct err *err)
{
    for (size_t i = 0; i < s->n_fronts; i++)
        if (front_reload(s->fronts[i], tls, err) < 0)
            return -1;
    return 0;
}

struct server *server_free(struct server *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->n_fronts; i++)
        front_free(s->fronts[i]);
    free(s->fronts);
    for (size_t i = 0; i < s->n_daemons; i++) {
        int fd = MHD_quiesce_daemon(s->daemons[i]);

        close_fd(&fd);
    }
    for (size_t i = 0; i < s->n_daemons; i++)
        MHD_stop_daemon(s->daemons[i]);
    free(s->daemons);
    deadlines_free(s->deadlines);
    free(s);
    return NULL;
}
