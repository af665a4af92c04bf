/* What may be asked of a monitor: one row a request.
 *
 * To add a request: its row below, its handler (which replies once), and its line in monitor/protocol.h. */
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"
#include "sys/netlink.h"

enum { EARLY_MAX = MONITOR_PACKET_MAX / 2 };

/* --- members that several requests have --- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_decode(const char *text, struct buf *out)
{
    for (; *text; text += 2) {
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

        if (low < 0 || buf_putc(out, (char)(high << 4 | low)) < 0)
            return -EINVAL;
    }
    return 0;
}

int monitor_read_attach(const json_t *body, struct session_client_options *ret, struct buf *early,
                        struct err *err)
{
    struct detach keys;

    const char *websocket = json_str(body, "websocket");

    *ret = (struct session_client_options){.framing = str_eq(websocket, "text") ? SESSION_WEBSOCKET_TEXT
                                                      : websocket               ? SESSION_WEBSOCKET_BINARY
                                                      : json_bool_or(body, "framed", false) ? SESSION_HEADERS
                                                                                            : SESSION_RAW,
                                           .detach_keys = json_str(body, "detach_keys")};
    ret->streams = (json_bool_or(body, "stdin", false) ? SESSION_STDIN : 0u) |
                   (json_bool_or(body, "stdout", false) ? SESSION_STDOUT : 0u) |
                   (json_bool_or(body, "stderr", false) ? SESSION_STDERR : 0u);
    if (detach_parse(&keys, ret->detach_keys) < 0)
        return err_set(err, ERR_INVALID, "Invalid detach keys (%s) provided", ret->detach_keys);
    if (hex_decode(json_str_or(body, "input", ""), early) < 0)
        return err_set(err, ERR_INVALID, "attach: \"input\" is not hexadecimal, or longer than %d bytes",
                       EARLY_MAX);
    ret->early = early->data;
    ret->early_len = early->len;
    return 0;
}

void monitor_console_size(struct session *s, const json_t *body)
{
    const json_t *size = json_object_get(body, "console_size");
    json_int_t height = json_integer_value(json_array_get(size, 0));
    json_int_t width = json_integer_value(json_array_get(size, 1));

    if (s->tty && height > 0 && width > 0)
        session_resize(s, (unsigned)height, (unsigned)width, NULL);
}

/* The session a request means: an exec's, or the container's own. */
static struct session *request_session(struct monitor *m, const struct request *r, struct err *err)
{
    const char *exec_id = json_str(r->body, "exec_id");
    struct session *s = exec_id ? monitor_find_exec(m, exec_id) : m->main;

    if (!s)
        err_set(err, ERR_NOT_FOUND, "No such exec instance: %s", exec_id);
    return s;
}

/* --- handlers that answer at once: 0 with *ret_result (NULL: {}), or -1 --- */

static int request_attach(struct monitor *m, struct request *r, _unused_ json_t **ret_result, struct err *err)
{
    _cleanup_(buf_finish) struct buf early = BUF_INIT(EARLY_MAX);
    struct session_client_options options;
    struct session *s = request_session(m, r, err);

    if (!s || monitor_read_attach(r->body, &options, &early, err) < 0)
        return -1;
    if (r->nfds < 1)
        return err_set(err, ERR_INVALID, "attach without a client's stream");
    return session_attach(s, &r->fds[0], &options, err);
}

static int request_signal(struct monitor *m, struct request *r, _unused_ json_t **ret_result, struct err *err)
{
    json_int_t signal = json_int_or(r->body, "signal", -1);

    if (signal < 0 || signal > 64)
        return err_set(err, ERR_INVALID, "Invalid signal: %d", (int)signal);
    if (m->status == MONITOR_RESTARTING && json_bool_or(r->body, "manual", false)) {
        m->restarts.stopped = true;
        monitor_give_up(m);
        return 0;
    }
    if (m->status != MONITOR_RUNNING)
        return err_set(err, ERR_CONFLICT, "container is not running");
    if (json_bool_or(r->body, "manual", false))
        m->restarts.stopped = true;
    return stop_signal(m, (int)signal, json_bool_or(r->body, "all", false), err);
}

static int request_stop(struct monitor *m, struct request *r, _unused_ json_t **ret_result, struct err *err)
{
    json_int_t signal = json_int_or(r->body, "signal", SIGTERM),
               timeout = json_int_or(r->body, "timeout", -1);

    if (signal < 1 || signal > 64)
        return err_set(err, ERR_INVALID, "Invalid signal: %d", (int)signal);
    if (m->status != MONITOR_RUNNING && m->status != MONITOR_RESTARTING)
        return err_set(err, ERR_CONFLICT, "container is not running");
    m->restarts.stopped = true;
    if (m->status == MONITOR_RUNNING)
        return stop_begin(m, (int)signal, timeout, err);
    monitor_give_up(m);
    return 0;
}

static int request_restart(struct monitor *m, struct request *r, _unused_ json_t **ret_result,
                           struct err *err)
{
    json_int_t signal = json_int_or(r->body, "signal", SIGTERM),
               timeout = json_int_or(r->body, "timeout", -1);

    if (signal < 1 || signal > 64)
        return err_set(err, ERR_INVALID, "Invalid signal: %d", (int)signal);
    if (m->status != MONITOR_RUNNING && m->status != MONITOR_RESTARTING)
        return err_set(err, ERR_CONFLICT, "container is not running");
    return restart_by_hand(m, r->from, (int)signal, timeout, err);
}

static int request_update(struct monitor *m, struct request *r, _unused_ json_t **ret_result, struct err *err)
{
    restart_configure(m, json_object_get(r->body, "restart"));
    if (json_bool_or(r->body, "now", false) && m->status == MONITOR_RUNNING &&
        runtime_update(m->container, json_object_get(r->body, "resources"), err) < 0)
        return -1;
    if (json_object_get(r->body, "resources"))
        restart_set_resources(m, json_object_get(r->body, "resources"));
    return 0;
}

static int request_freeze(struct monitor *m, struct request *r, _unused_ json_t **ret_result, struct err *err)
{
    if (m->status != MONITOR_RUNNING)
        return err_set(err, ERR_CONFLICT, "container is not running");
    return runtime_freeze(m->container, json_bool_or(r->body, "on", false), err);
}

static int request_resize(struct monitor *m, struct request *r, _unused_ json_t **ret_result, struct err *err)
{
    json_int_t height = json_int_or(r->body, "height", 0), width = json_int_or(r->body, "width", 0);
    struct session *s = request_session(m, r, err);

    if (!s)
        return -1;
    if (height < 0 || height > UINT16_MAX || width < 0 || width > UINT16_MAX)
        return err_set(err, ERR_INVALID, "a terminal has 0 to 65535 rows and columns");
    return session_resize(s, (unsigned)height, (unsigned)width, err);
}

static int request_exec_left(struct monitor *m, struct request *r, json_t **ret_result, struct err *err)
{
    const char *id = json_str_or(r->body, "exec_id", "");
    struct exec_record *record = monitor_exec_record(m, id);

    if (!record)
        return err_set(err, ERR_NOT_FOUND, "No such exec instance: %s", id);
    if (json_bool_or(r->body, "end", false)) {
        exec_group_kill(m, record);
        if (record->running)
            kill(record->pid, SIGKILL); /* where it has no group */
    }
    exec_group_look(m);
    *ret_result = json_pack("{s:o}", "pids", exec_group_pids(m, record));
    return 0;
}

static int request_state(struct monitor *m, _unused_ struct request *r, json_t **ret_result,
                         _unused_ struct err *err)
{
    *ret_result = monitor_state_json(m);
    return 0;
}

static int request_watch(struct monitor *m, struct request *r, json_t **ret_result, _unused_ struct err *err)
{
    connection_watch(r->from);
    *ret_result = monitor_state_json(m);
    return 0;
}

/* Hands out the namespace once more: for networks that a running container joins or leaves. */
static int request_network(struct monitor *m, struct request *r, _unused_ json_t **ret_result,
                           struct err *err)
{
    _cleanup_close_ int socket = -EBADF;
    int result;

    if ((m->status != MONITOR_RUNNING && m->status != MONITOR_RESTARTING) || m->netns.fd < 0)
        return err_set(err, ERR_CONFLICT, "container has no network namespace that could be joined");
    socket = netlink_open();
    if (socket < 0)
        return err_errno(err, socket, "open netlink");
    result =
        connection_event(r->from, json_pack("{s:s}", "event", "network"), (int[]){m->netns.fd, socket}, 2);
    return result < 0 ? err_errno(err, result, "hand over the network namespace") : 0;
}

static int request_names(struct monitor *m, _unused_ struct request *r, _unused_ json_t **ret_result,
                         struct err *err)
{
    return monitor_open_dns(m, err);
}

/* --- the table --- */

static const struct {
    const char *op;
    int (*answer)(struct monitor *m, struct request *r, json_t **ret_result, struct err *err);
    void (*handle)(struct monitor *m, struct request *r); /* replies by itself */
} requests[] = {
    {"start", .handle = monitor_start},         {"network-ready", .handle = monitor_network_ready},
    {"attach", .answer = request_attach},       {"exec", .handle = monitor_exec},
    {"signal", .answer = request_signal},       {"resize", .answer = request_resize},
    {"state", .answer = request_state},         {"watch", .answer = request_watch},
    {"names", .answer = request_names},         {"network", .answer = request_network},
    {"stop", .answer = request_stop},           {"update", .answer = request_update},
    {"exec-left", .answer = request_exec_left}, {"restart", .answer = request_restart},
    {"freeze", .answer = request_freeze},
};

void monitor_request(void *arg, struct request *r)
{
    const char *op = json_str(r->body, "op");
    struct err err = {0};
    json_t *result = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        if (!str_eq(requests[i].op, op))
            continue;
        if (requests[i].handle)
            requests[i].handle(arg, r);
        else if (requests[i].answer(arg, r, &result, &err) < 0)
            connection_reply_error(r->from, &err);
        else
            connection_reply(r->from, result);
        return;
    }
    err_set(&err, ERR_NOT_IMPLEMENTED, "unknown request \"%s\"", op);
    connection_reply_error(r->from, &err);
}
