/* Routes of what goes on while a container runs: wait, logs, attach, exec. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "api/handlers.h"
#include "api/websocket.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

#define TYPE_RAW         "application/vnd.docker.raw-stream"
#define TYPE_MULTIPLEXED "application/vnd.docker.multiplexed-stream"

/* Clients before 1.42 know one content type only. */
static const char *streams_type(const struct request *r, int tty)
{
    return tty || r->version < 1042 ? TYPE_RAW : TYPE_MULTIPLEXED;
}

/* Those that take a connection without an upgrade aren't told either. */
static const char *streams_taken_type(const struct request *r, int tty)
{
    return request_wants_upgrade(r) ? streams_type(r, tty) : TYPE_RAW;
}

/* The client must see the header as soon as the wait has begun: it starts the container then. */
int route_containers_wait(struct request *r, struct err *err)
{
    const char *condition = r->version >= 1030 ? request_query(r, "condition") : NULL;
    _cleanup_json_ json_t *result = NULL;
    _cleanup_free_ char *text = NULL;
    const struct engine_sink *sink;
    struct engine_wait *wait;
    int status;

    wait = engine_container_wait_begin(r->engine, r->wildcard, str_empty(condition) ? NULL : condition, err);
    if (!wait)
        return -1;
    sink = reply_stream(r, "application/json");
    reply_begin(r);
    status = engine_container_wait_finish(wait, r->fd, &result, err);
    if (status < 0)
        return -1;
    text = json_text(result);
    sink->write(sink->arg, text, strlen(text));
    return 0;
}

static int streams_query_time(const struct request *r, const char *key, int64_t *ret, struct err *err)
{
    const char *text = request_query(r, key);

    *ret = 0;
    if (str_empty(text) || str_eq(text, "0"))
        return 0;
    if (clock_parse_since(text, clock_now(), ret) < 0)
        return err_set(err, ERR_INVALID, "invalid value for \"%s\": %s", key, text);
    return 0;
}

int route_containers_logs(struct request *r, struct err *err)
{
    const char *tail = request_query(r, "tail");
    struct engine_logs_options o = {
        .stdout_too = request_query_bool(r, "stdout"),
        .stderr_too = request_query_bool(r, "stderr"),
        .follow = request_query_bool(r, "follow"),
        .timestamps = request_query_bool(r, "timestamps"),
        .details = request_query_bool(r, "details"),
        .tail = -1,
    };
    int tty;

    if (!o.stdout_too && !o.stderr_too)
        return err_set(err, ERR_INVALID, "Bad parameters: you must choose at least one stream");
    if (streams_query_time(r, "since", &o.since, err) < 0 ||
        streams_query_time(r, "until", &o.until, err) < 0)
        return -1;
    if (tail && str_to_i64(tail, &o.tail) < 0)
        o.tail = -1; /* "all", and whatever isn't a number, as Docker has it */
    tty = engine_container_has_tty(r->engine, r->wildcard, err);
    if (tty < 0)
        return -1;
    return engine_container_logs(r->engine, r->wildcard, &o, reply_stream(r, streams_type(r, tty)), err);
}

/* ---- attach ---- */

/* Strings belong to the request, which outlives the hand-over. */
static struct engine_attach_options streams_attach_options(const struct request *r)
{
    const char *keys = request_query(r, "detachKeys");

    return (struct engine_attach_options){
        .logs = request_query_bool(r, "logs"),
        .stream = request_query_bool(r, "stream"),
        .stdin_too = request_query_bool(r, "stdin"),
        .stdout_too = request_query_bool(r, "stdout"),
        .stderr_too = request_query_bool(r, "stderr"),
        .detach_keys = str_empty(keys) ? NULL : keys,
    };
}

/* From here on the request is about the container that was looked at. Returns as engine_container_attach_check. */
static int containers_attach_check(struct request *r, const struct engine_attach_options *o, struct err *err)
{
    char *id = NULL;
    int tty = engine_container_attach_check(r->engine, r->wildcard, o, &id, err);

    if (tty < 0)
        return -1;
    free(r->wildcard);
    r->wildcard = id;
    return tty;
}

static void containers_attach_stream(struct request *r, const struct engine_stream *stream)
{
    const struct engine_attach_options o = streams_attach_options(r);
    struct err err = {0};

    if (engine_container_attach(r->engine, r->wildcard, &o, stream, &err) < 0)
        log_debug("attach to %s: %s", r->wildcard, err.message);
}

int route_containers_attach(struct request *r, struct err *err)
{
    const struct engine_attach_options o = streams_attach_options(r);
    int tty = containers_attach_check(r, &o, err);

    if (tty < 0)
        return -1;
    return reply_hijack(r, streams_taken_type(r, tty), containers_attach_stream);
}

/* A browser's attach: raw bytes in frames, whether the container has a terminal or not. */
static void containers_attach_frames(struct request *r, const struct engine_stream *stream)
{
    struct engine_attach_options o = streams_attach_options(r);
    struct err err = {0};

    o.websocket = r->version < 1028 ? ENGINE_WEBSOCKET_TEXT : ENGINE_WEBSOCKET_BINARY;
    if (engine_container_attach(r->engine, r->wildcard, &o, stream, &err) < 0)
        log_debug("attach to %s: %s", r->wildcard, err.message);
}

int route_containers_attach_websocket(struct request *r, struct err *err)
{
    const struct engine_attach_options o = streams_attach_options(r);
    const char *protocol = request_header(r, "Sec-WebSocket-Protocol"),
               *upgrade = request_header(r, "Upgrade");
    char accept[WEBSOCKET_ACCEPT_SIZE];

    if (!request_wants_upgrade(r) || !upgrade || strcasecmp(upgrade, "websocket") != 0)
        return err_set(err, ERR_INVALID, "not websocket protocol");
    if (!str_eq(request_header(r, "Sec-WebSocket-Version"), "13"))
        return err_set(err, ERR_INVALID, "missing or bad WebSocket Version");
    if (websocket_accept(request_header(r, "Sec-WebSocket-Key"), accept) < 0)
        return err_set(err, ERR_INVALID, "missing or bad WebSocket-Key");
    if (containers_attach_check(r, &o, err) < 0)
        return -1;
    reply_header(r, "Sec-WebSocket-Accept", accept);
    if (protocol)
        reply_header(r, "Sec-WebSocket-Protocol", protocol);
    r->reply.protocol = "websocket";
    return reply_hijack(r, NULL, containers_attach_frames);
}

/* ---- exec ---- */

int route_execs_create(struct request *r, struct err *err)
{
    const json_t *body = request_body(r, err);
    json_t *ret = NULL;

    if (!body || engine_exec_create(r->engine, r->wildcard, body, &ret, err) < 0)
        return -1;
    return reply_json(r, 201, ret);
}

static struct engine_exec_start_options execs_options(const struct request *r)
{
    const json_t *size = json_object_get(r->body, "ConsoleSize"); /* [height, width] */

    return (struct engine_exec_start_options){
        .detach = json_bool_or(r->body, "Detach", false),
        .tty = json_bool_or(r->body, "Tty", false),
        .height = (unsigned)json_integer_value(json_array_get(size, 0)) & UINT16_MAX,
        .width = (unsigned)json_integer_value(json_array_get(size, 1)) & UINT16_MAX,
    };
}

static void execs_start_stream(struct request *r, const struct engine_stream *stream)
{
    const struct engine_exec_start_options o = execs_options(r);
    struct err err = {0};

    if (engine_exec_start(r->engine, r->wildcard, &o, stream, &err) < 0)
        log_debug("exec %s: %s", r->wildcard, err.message);
}

int route_execs_start(struct request *r, struct err *err)
{
    const struct engine_exec_start_options o = execs_options(r);
    int tty = engine_exec_start_check(r->engine, r->wildcard, &o, err);

    if (tty < 0)
        return -1;
    if (!o.detach)
        return reply_hijack(r, streams_taken_type(r, tty), execs_start_stream);
    if (engine_exec_start(r->engine, r->wildcard, &o, NULL, err) < 0)
        return -1;
    return reply_status(r, 200);
}

int route_execs_resize(struct request *r, struct err *err)
{
    unsigned height, width;

    if (request_query_size(r, &height, &width, err) < 0 ||
        engine_exec_resize(r->engine, r->wildcard, height, width, err) < 0)
        return -1;
    return reply_status(r, 200);
}

int route_execs_end(struct request *r, struct err *err)
{
    return engine_exec_end(r->engine, r->wildcard, err) < 0 ? -1 : reply_status(r, 204);
}

int route_execs_inspect(struct request *r, struct err *err)
{
    json_t *ret = NULL;

    if (engine_exec_inspect(r->engine, r->wildcard, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}
