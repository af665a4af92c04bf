/* Answers: documents through libmicrohttpd, streams and hand-overs straight to the socket. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api/internal.h"
#include "api/trim.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/system.h"

/* In every answer, as Docker's clients look for them; but for what isn't a path of the API. */
static const struct {
    const char *name, *value;
} common_headers[] = {
    {"Api-Version", ENGINE_API_VERSION},
    {"Docker-Experimental", "false"},
    {"Ostype", "linux"},
    {"Server", "keg/" KEG_VERSION " (linux)"},
};

/* ---- what handlers call ---- */

static int reply_document(struct request *r, int status, const char *type, char *text, size_t len)
{
    free(r->reply.document);
    r->reply.kind = REPLY_DOCUMENT;
    r->reply.status = status;
    r->reply.content_type = type;
    r->reply.document = text;
    r->reply.document_len = len;
    return 0;
}

bool reply_is_trimmed(const struct request *r)
{
    return r->route && trim_changes(r->route->pattern, r->version);
}

int reply_json_text(struct request *r, int status, char *text)
{
    size_t len = strlen(text);

    text = xrealloc(text, len + 2);
    memcpy(text + len, "\n", 2); /* as Docker's: one line */
    return reply_document(r, status, "application/json", text, len + 1);
}

int reply_json(struct request *r, int status, json_t *body)
{
    char *text;

    if (r->route && status < 300)
        trim_answer(r->route->pattern, r->version, body);
    text = json_text(body);
    json_decref(body);
    return reply_json_text(r, status, text);
}

int reply_status(struct request *r, int status)
{
    return reply_document(r, status, NULL, NULL, 0);
}

int reply_text(struct request *r, int status, const char *text)
{
    return reply_document(r, status, "text/plain; charset=utf-8", xstrdup(text), strlen(text));
}

int reply_error(struct request *r, const struct err *e)
{
    int status = err_kind_http_status(e->kind);
    json_t *body;

    log_write(e->kind == ERR_SYSTEM ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG, "%s %s: %s", r->method, r->url,
              e->message);

    if (status == 304)
        return reply_status(r, status);
    if (r->route && r->version < 1024) { /* who came before the oldest version knows errors as texts only */
        _cleanup_free_ char *text = xasprintf("%s\n", e->message);

        reply_header(r, "X-Content-Type-Options", "nosniff");
        return reply_text(r, status, text);
    }
    body = json_object();
    json_set_str(body, "message", e->message);
    return reply_json(r, status, body);
}

void reply_header(struct request *r, const char *name, const char *value)
{
    char *all = xasprintf("%s%s: %s\r\n", r->reply.headers ? r->reply.headers : "", name, value);

    free(r->reply.headers);
    r->reply.headers = all;
}

int reply_hijack(struct request *r, const char *content_type, hijack_fn fn)
{
    r->reply.kind = REPLY_HIJACK;
    r->reply.content_type = content_type;
    r->reply.hijacked = fn;
    return 0;
}

/* ---- straight to the socket ---- */

/* The socket is non-blocking: waits for room, and for the client to hang up. */
static int reply_write_socket(struct request *r, const char *data, size_t len)
{
    while (len && !r->reply.broken) {
        ssize_t n = send(r->fd, data, len, MSG_NOSIGNAL);

        if (n >= 0) {
            data += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = r->fd, .events = POLLOUT};

            poll(&p, 1, -1);
        } else if (errno != EINTR) {
            r->reply.broken = true;
        }
    }
    return r->reply.broken ? -1 : 0;
}

static int reply_write_head(struct request *r, bool chunked)
{
    _cleanup_(buf_finish) struct buf head = BUF_INIT(SERVER_POOL_SIZE);

    if (r->reply.kind != REPLY_DOCUMENT)
        r->reply.status = 200;
    buf_printf(&head, "HTTP/1.1 %d %s\r\n", r->reply.status,
               MHD_get_reason_phrase_for((unsigned)r->reply.status));
    for (size_t i = 0; i < ARRAY_SIZE(common_headers); i++)
        buf_printf(&head, "%s: %s\r\n", common_headers[i].name, common_headers[i].value);
    if (r->reply.content_type)
        buf_printf(&head, "Content-Type: %s\r\n", r->reply.content_type);
    buf_puts(&head, r->reply.headers ? r->reply.headers : "");
    if (chunked)
        buf_puts(&head, "Transfer-Encoding: chunked\r\n");
    if (r->reply.kind == REPLY_DOCUMENT)
        buf_printf(&head, "Content-Length: %zu\r\n", r->reply.document_len);
    if (r->reply.kind != REPLY_HIJACK)
        buf_puts(&head, "Connection: close\r\n");
    buf_puts(&head, "\r\n");
    return reply_write_socket(r, buf_str(&head), head.len);
}

int reply_begin(struct request *r)
{
    if (r->reply.begun)
        return r->reply.broken ? -1 : 0;
    r->reply.kind = REPLY_STREAM;
    r->reply.begun = true;
    r->reply.chunked = !r->http_1_0;
    return reply_write_head(r, r->reply.chunked);
}

static int reply_stream_write(void *arg, const void *data, size_t len)
{
    struct request *r = arg;
    char frame[32];

    if (reply_begin(r) < 0)
        return -1;
    if (len == 0)
        return 0; /* an empty chunk would be the end */
    if (!r->reply.chunked)
        return reply_write_socket(r, data, len);
    snprintf(frame, sizeof(frame), "%zx\r\n", len);
    if (reply_write_socket(r, frame, strlen(frame)) < 0 || reply_write_socket(r, data, len) < 0)
        return -1;
    return reply_write_socket(r, "\r\n", 2);
}

const struct engine_sink *reply_stream(struct request *r, const char *content_type)
{
    r->reply.kind = REPLY_STREAM;
    r->reply.content_type = content_type;
    r->sink = (struct engine_sink){.write = reply_stream_write, .arg = r, .client_fd = r->fd};
    return &r->sink;
}

void reply_finish(struct request *r)
{
    if (!r->reply.begun)
        reply_begin(r); /* a stream without a piece */
    if (r->reply.chunked && !r->reply.broken)
        reply_write_socket(r, "0\r\n\r\n", 5);
}

void reply_send(struct request *r)
{
    if (r->reply.kind == REPLY_STREAM)
        reply_finish(r);
    else if (reply_write_head(r, /* chunked= */ false) == 0)
        reply_write_socket(r, r->reply.document, r->reply.document_len);
}

/* ---- hand-over ---- */

/* Whoever closes the server's descriptor from now on closes this harmless socket: the server shuts down what
 * it closes, and that would end the connection for its new owner as well. */
static void reply_detach(int fd)
{
    _cleanup_close_ int placeholder = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (placeholder < 0 || dup3(placeholder, fd, O_CLOEXEC) < 0)
        log_debug("cannot detach a connection: %m");
}

/* Some clients (docker-py) read the header through a buffer and then go on with the bare socket: what arrives in one
 * piece with the header is lost to them. So the client gets a moment to take the header first: usually some 50 us, never
 * more than 20 ms. */
static void reply_wait_for_reader(int fd)
{
    const struct timespec step = {.tv_nsec = 20000};
    int64_t deadline = clock_monotonic() + 20 * 1000000;
    int unread;

    while (ioctl(fd, SIOCOUTQ, &unread) == 0 && unread > 0 && clock_monotonic() < deadline)
        nanosleep(&step, NULL);
}

static void reply_hand_over(struct request *r, int fd, const void *input, size_t len)
{
    struct engine_stream stream = {.fd = fd, .input = input, .input_len = len};

    reply_wait_for_reader(fd);
    r->reply.hijacked(r, &stream);
    reply_detach(fd);
}

void reply_take(struct request *r)
{
    if (reply_write_head(r, /* chunked= */ false) == 0)
        reply_hand_over(r, r->fd, NULL, 0);
}

static void reply_upgraded(void *arg, struct MHD_Connection *connection _unused_, void *state _unused_,
                           const char *input, size_t len, MHD_socket fd,
                           struct MHD_UpgradeResponseHandle *handle)
{
    reply_hand_over(arg, fd, input, len);
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

/* ---- by way of libmicrohttpd ---- */

static void reply_add_further(struct MHD_Response *response, const char *headers)
{
    _cleanup_free_ char *copy = xstrdup(headers);
    char *rest = copy, *line;

    while (rest && (line = strsep(&rest, "\n"))) {
        char *value = strstr(line, ": ");

        line[strcspn(line, "\r")] = '\0';
        if (value) {
            *value = '\0';
            MHD_add_response_header(response, line, value + 2);
        }
    }
}

enum MHD_Result reply_queue(struct exchange *x)
{
    struct request *r = &x->request;
    struct MHD_Response *response;
    enum MHD_Result result;

    if (r->reply.kind == REPLY_HIJACK) {
        r->reply.status = MHD_HTTP_SWITCHING_PROTOCOLS;
        response = MHD_create_response_for_upgrade(reply_upgraded, r);
    } else {
        response =
            MHD_create_response_from_buffer(r->reply.document_len, r->reply.document, MHD_RESPMEM_MUST_FREE);
    }
    if (!response)
        return MHD_NO;
    if (r->reply.kind == REPLY_HIJACK)
        MHD_add_response_header(response, "Upgrade", r->reply.protocol ? r->reply.protocol : "tcp");
    else
        r->reply.document = NULL;
    for (size_t i = 0; r->route && i < ARRAY_SIZE(common_headers); i++)
        MHD_add_response_header(response, common_headers[i].name, common_headers[i].value);
    if (r->reply.content_type)
        MHD_add_response_header(response, "Content-Type", r->reply.content_type);
    if (r->reply.headers)
        reply_add_further(response, r->reply.headers);
    result = MHD_queue_response(r->connection, (unsigned)r->reply.status, response);
    MHD_destroy_response(response);
    return result;
}
