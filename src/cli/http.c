/* HTTP/1.1, the client's side. */
#include "cli/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

enum { HEAD_MAX = 64 * 1024, INPUT_SIZE = 32 * 1024 };

enum body_kind { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_TO_END };

struct http {
    int fd;
    char input[INPUT_SIZE]; /* bytes received and not yet used: [start, end) */
    size_t start, end;
    struct buf head; /* header lines, each NUL-terminated */
    bool is_head;    /* the request was HEAD: no body */
    bool closing;    /* the peer will close after this answer */
    bool finished;   /* the body was read to its end */
    enum body_kind kind;
    uint64_t left;   /* of the body, or of the current chunk */
    bool chunk_open; /* the CRLF behind the current chunk is still to come */
};

struct http *http_new(int fd)
{
    struct http *http = xmalloc(sizeof(*http));

    http->fd = fd;
    http->start = http->end = 0;
    http->head = (struct buf)BUF_INIT(HEAD_MAX);
    http->closing = false;
    http->finished = true;
    return http;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    close(http->fd);
    buf_finish(&http->head);
    free(http);
}

/* ---- sending ---- */

static int send_pieces(struct http *http, struct iovec *pieces, int count, struct err *err)
{
    while (count > 0) {
        ssize_t n = writev(http->fd, pieces, count);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err_errno(err, errno, "send to the daemon");
            if (err)
                err->kind = ERR_UNAVAILABLE;
            return -1;
        }
        while (count > 0 && (size_t)n >= pieces->iov_len) {
            n -= (ssize_t)pieces->iov_len;
            pieces++;
            count--;
        }
        if (count > 0) {
            pieces->iov_base = (char *)pieces->iov_base + n;
            pieces->iov_len -= (size_t)n;
        }
    }
    return 0;
}

int http_send(struct http *http, const struct http_request *request, struct err *err)
{
    _cleanup_(buf_finish) struct buf head = BUF_INIT(1024 * 1024);
    struct iovec pieces[2];

    buf_printf(&head, "%s %s HTTP/1.1\r\nHost: keg\r\nUser-Agent: keg/" KEG_VERSION " (linux)\r\n",
               request->method, request->target);
    if (request->content_type)
        buf_printf(&head, "Content-Type: %s\r\n", request->content_type);
    if (request->upgrade)
        buf_puts(&head, "Connection: Upgrade\r\nUpgrade: tcp\r\n");
    if (request->stream)
        buf_puts(&head, "Transfer-Encoding: chunked\r\n");
    else if (request->body_len || !str_eq(request->method, "GET"))
        buf_printf(&head, "Content-Length: %zu\r\n", request->body_len);
    if (request->headers)
        buf_puts(&head, request->headers);
    buf_puts(&head, "\r\n");
    if (buf_failed(&head))
        return err_set(err, ERR_INVALID, "the request is too large");
    http->is_head = str_eq(request->method, "HEAD");
    http->finished = false;
    pieces[0] = (struct iovec){head.data, head.len};
    pieces[1] = (struct iovec){(void *)request->body, request->body_len};
    return send_pieces(http, pieces, request->body_len ? 2 : 1, err);
}

int http_send_chunk(struct http *http, const void *data, size_t len, struct err *err)
{
    char size[32];
    int n = snprintf(size, sizeof(size), "%zx\r\n", len);
    struct iovec pieces[3] = {{size, (size_t)n}, {(void *)data, len}, {(char *)"\r\n", 2}};

    return send_pieces(http, pieces, 3, err);
}

int http_send_file(struct http *http, int file)
{
    int r = fd_send_message(http->fd, "", 1, &file, 1);
    char byte;

    if (r < 0)
        return r;
    return http_raw_read(http, &byte, 1) == 1 ? 0 : -EPIPE;
}

/* ---- receiving ---- */

/* Fills the input. The bytes now there, 0 at the end, -errno. */
static ssize_t fill_input(struct http *http)
{
    ssize_t n;

    if (http->start == http->end)
        http->start = http->end = 0;
    if (http->end == INPUT_SIZE) {
        memmove(http->input, http->input + http->start, http->end - http->start);
        http->end -= http->start;
        http->start = 0;
    }
    do
        n = read(http->fd, http->input + http->end, INPUT_SIZE - http->end);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    http->end += (size_t)n;
    return n;
}

static int lost(ssize_t n, struct err *err)
{
    if (n < 0)
        err_errno(err, (int)-n, "read from the daemon");
    else
        err_set(err, ERR_UNAVAILABLE, "the daemon closed the connection in the middle of its answer");
    if (err)
        err->kind = ERR_UNAVAILABLE;
    return -1;
}

/* Appends one line without its end, and a NUL, to out. The length without the NUL, or -1. */
static ssize_t read_line(struct http *http, struct buf *out, struct err *err)
{
    size_t before = out->len;

    for (;;) {
        char *from = http->input + http->start, *newline = memchr(from, '\n', http->end - http->start);
        size_t n = newline ? (size_t)(newline - from) : http->end - http->start;

        if (buf_append(out, from, n) < 0)
            return err_set(err, ERR_SYSTEM, "the daemon's answer has a header that is too long");
        http->start += n + (newline != NULL);
        if (newline) {
            if (out->len > before && out->data[out->len - 1] == '\r')
                out->len--;
            n = out->len - before;
            buf_putc(out, '\0');
            return (ssize_t)n;
        }
        ssize_t got = fill_input(http);
        if (got <= 0)
            return lost(got, err);
    }
}

static void choose_body(struct http *http, int status)
{
    const char *length = http_header(http, "Content-Length"),
               *coding = http_header(http, "Transfer-Encoding");
    const char *connection = http_header(http, "Connection");

    http->closing =
        (connection && strcasecmp(connection, "close") == 0) || str_starts(http->head.data, "HTTP/1.0");
    http->chunk_open = false;
    http->left = 0;
    if (http->is_head || status == 204 || status == 304) {
        http->kind = BODY_NONE;
    } else if (coding && strcasecmp(coding, "chunked") == 0) {
        http->kind = BODY_CHUNKED;
    } else if (length && str_to_u64(length, &http->left) == 0) {
        http->kind = BODY_LENGTH;
    } else {
        http->kind = BODY_TO_END;
        http->closing = true;
    }
    http->finished = http->kind == BODY_NONE || (http->kind == BODY_LENGTH && http->left == 0);
}

int http_read_head(struct http *http, struct err *err)
{
    int status;

    do {
        ssize_t n;

        buf_reset(&http->head);
        do {
            n = read_line(http, &http->head, err);
            if (n < 0)
                return -1;
        } while (n > 0);
        if (sscanf(http->head.data, "HTTP/1.%*d %3d", &status) != 1)
            return err_set(err, ERR_SYSTEM, "what answers there doesn't speak HTTP");
    } while (status == 100);
    choose_body(http, status);
    return status;
}

const char *http_header(const struct http *http, const char *name)
{
    const char *line = http->head.data, *end = line + http->head.len;
    size_t len = strlen(name);

    for (; line < end && *line; line += strlen(line) + 1)
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " \t");
    return NULL;
}

/* Gets to the next chunk's bytes. 1, 0 at the last chunk, -1. */
static int open_chunk(struct http *http, struct err *err)
{
    _cleanup_(buf_finish) struct buf line = BUF_INIT(4096);
    char *end;

    if (http->chunk_open && read_line(http, &line, err) < 0)
        return -1;
    buf_reset(&line);
    if (read_line(http, &line, err) < 0)
        return -1;
    http->left = strtoull(line.data, &end, 16);
    if (end == line.data)
        return err_set(err, ERR_SYSTEM, "the daemon's answer has a malformed chunk");
    http->chunk_open = true;
    if (http->left)
        return 1;
    do { /* trailers */
        buf_reset(&line);
        if (read_line(http, &line, err) < 0)
            return -1;
    } while (line.len > 1);
    http->finished = true;
    return 0;
}

ssize_t http_read(struct http *http, void *data, size_t size, struct err *err)
{
    size_t n;

    if (http->finished)
        return 0;
    if (http->kind == BODY_CHUNKED && http->left == 0) {
        int r = open_chunk(http, err);

        if (r <= 0)
            return r;
    }
    if (http->start == http->end) {
        ssize_t got = fill_input(http);

        if (got == 0 && http->kind == BODY_TO_END) {
            http->finished = true;
            return 0;
        }
        if (got <= 0)
            return lost(got, err);
    }
    n = MIN_OF(size, http->end - http->start);
    if (http->kind != BODY_TO_END) {
        n = (size_t)MIN_OF((uint64_t)n, http->left);
        http->left -= n;
        http->finished = http->kind == BODY_LENGTH && http->left == 0;
    }
    memcpy(data, http->input + http->start, n);
    http->start += n;
    return (ssize_t)n;
}

int http_read_all(struct http *http, struct buf *body, struct err *err)
{
    for (;;) {
        char *at = buf_reserve(body, 16 * 1024);
        ssize_t n;

        if (!at)
            return err_set(err, ERR_SYSTEM, "the daemon's answer is larger than %zu bytes", body->max);
        n = http_read(http, at, 16 * 1024, err);
        if (n <= 0)
            return (int)n;
        body->len += (size_t)n;
        body->data[body->len] = '\0';
    }
}

bool http_is_reusable(const struct http *http)
{
    return http->finished && !http->closing;
}

int http_fd(const struct http *http)
{
    return http->fd;
}

size_t http_pending(const struct http *http)
{
    return http->end - http->start;
}

ssize_t http_raw_read(struct http *http, void *data, size_t size)
{
    size_t n;

    if (http->start == http->end) {
        ssize_t got = fill_input(http);

        if (got <= 0)
            return got;
    }
    n = MIN_OF(size, http->end - http->start);
    memcpy(data, http->input + http->start, n);
    http->start += n;
    return (ssize_t)n;
}
