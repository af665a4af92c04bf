/* An HTTP/1.1 client for one daemon: kept alive between requests, bodies of
 * known length, chunked or until the end, both ways as streams, and the upgrade to a raw stream. */
#ifndef KEG_CLI_HTTP_H
#define KEG_CLI_HTTP_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct http; /* one connection */

/* Speaks over a connected stream socket, which is its own from now on. */
struct http *http_new(int fd);
void http_free(struct http *http);
DEFINE_CLEANUP_PTR(struct http, http_free)

struct http_request {
    const char *method;
    const char *target;       /* "/v1.51/containers/json?all=1" */
    const char *content_type; /* NULL: none */
    const char *headers;      /* more header lines, each ending in \r\n; or NULL */
    const void *body;
    size_t body_len;
    bool stream; /* the body follows by http_send_chunk() */
    bool upgrade;
};

/* Sends a request. 0, or -1 (ERR_UNAVAILABLE). */
int http_send(struct http *http, const struct http_request *request, struct err *err);
/* A piece of a streamed body; length 0 ends it. */
int http_send_chunk(struct http *http, const void *data, size_t len, struct err *err);

/* After an upgrade: hands over a descriptor, with one byte, and waits for one that says that it has come; then comes another
 * answer, head and all. 0 or -errno. */
int http_send_file(struct http *http, int file);

/* Reads the status line and the headers of the answer. The status, or -1. */
int http_read_head(struct http *http, struct err *err);
/* A header of the answer, NULL when missing. Valid until the next request. */
const char *http_header(const struct http *http, const char *name);
/* A piece of the answer's body: its length, 0 at the end, -1 on failure (ERR_SYSTEM). */
ssize_t http_read(struct http *http, void *data, size_t size, struct err *err);
/* The whole rest of the body. */
int http_read_all(struct http *http, struct buf *body, struct err *err);
/* Whether the connection can take another request: the body is read, and both sides keep it open. */
bool http_is_reusable(const struct http *http);

/* For poll(): readable means that http_read() gets on. http_pending() bytes are already here. */
int http_fd(const struct http *http);
size_t http_pending(const struct http *http);
/* After an upgrade: reads raw bytes, those that came with the head first. The length, 0 at the end, -errno. */
ssize_t http_raw_read(struct http *http, void *data, size_t size);

#endif
