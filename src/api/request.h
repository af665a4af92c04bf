/* One HTTP request and its reply, as a handler sees them.
 *
 * A handler is linear and may block: it has a thread of its own. It reads what it needs (wildcard, query,
 * body), calls the engine, and answers in exactly one of these ways:
 *   - reply_json(), reply_status(), reply_text(): a document;
 *   - reply_stream(): pieces, as they come;
 *   - reply_hijack(): the connection leaves HTTP;
 *   - it returns -1 with err set: {"message": …} with the status of the error's kind. */
#ifndef KEG_API_REQUEST_H
#define KEG_API_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "engine/engine.h"

struct MHD_Connection;
struct route;
struct server;

/* Called once the connection belongs to nobody but the caller, after the header of the answer was sent. The
 * descriptor is closed afterwards, without shutdown(): whoever got a duplicate goes on with it. arg is the
 * request. */
struct request;
typedef void (*hijack_fn)(struct request *r, const struct engine_stream *stream);

enum reply_kind { REPLY_NONE, REPLY_DOCUMENT, REPLY_STREAM, REPLY_HIJACK };

struct reply {
    enum reply_kind kind;
    int status;
    const char *content_type;
    char *document; /* on the heap */
    size_t document_len;
    char *headers; /* further ones, "Name: value\r\n" each, or NULL */
    bool begun;    /* the header of a stream is written */
    bool chunked;
    bool broken;          /* the client has gone */
    hijack_fn hijacked;   /* what to do with the connection */
    const char *protocol; /* that it is upgraded to; NULL: "tcp" */
};

struct request {
    struct server *server;
    struct engine *engine;
    struct MHD_Connection *connection;
    const char *method;
    const char *url;  /* as asked for, decoded, without "//" and ".." */
    char *clean_url;  /* what holds it, if it wasn't asked for like that */
    const char *path; /* without the version prefix: part of url */
    unsigned version; /* of the API: 1051 for 1.51 */
    bool http_1_0;
    const struct route *route;
    char *wildcard; /* what the {…} of the route's pattern stands for, or NULL */
    int fd;         /* the client's socket: for hang-up detection; not to be read or closed */
    json_t *body;   /* of a ROUTE_JSON request; NULL when there was none */
    size_t body_len;
    int body_fd; /* of a ROUTE_UPLOAD request: the body as it arrives */
    struct engine_sink sink;
    struct reply reply;
    void *data; /* the handler's own, for its hijack function; freed with free() */
};

/* ---- what was asked ---- */

/* A query parameter, decoded; NULL when absent. Belongs to the request. */
const char *request_query(const struct request *r, const char *key);
/* Docker's reading of a boolean: absent, "", 0, no, false and none are false, all else is true. */
bool request_query_bool(const struct request *r, const char *key);
/* An absent parameter gives `otherwise`. ERR_INVALID when it is no number. */
int request_query_int(const struct request *r, const char *key, int64_t otherwise, int64_t *ret,
                      struct err *err);
/* A terminal's size, "h" and "w", which are 0 when absent. ERR_INVALID. */
int request_query_size(const struct request *r, unsigned *ret_height, unsigned *ret_width, struct err *err);
/* Every value of a repeated parameter, as a vector the caller frees with strv_free. */
char **request_query_all(const struct request *r, const char *key);
/* The parameter "filters", JSON. *ret is NULL when it is absent, empty or null, else a new reference. ERR_INVALID. */
int request_filters(const struct request *r, json_t **ret, struct err *err);
/* NULL when absent. */
const char *request_header(const struct request *r, const char *name);
/* X-Registry-Auth and its like: base64url JSON. *ret is NULL when absent, empty, or nothing that can be understood ("null"): as
 * without credentials, then. */
void request_auth(const struct request *r, const char *header, json_t **ret);
/* The body's object; ERR_INVALID when there is none. Borrowed. */
const json_t *request_body(const struct request *r, struct err *err);
/* The client asked to leave HTTP (Connection: Upgrade). */
bool request_wants_upgrade(const struct request *r);

/* ---- the answer: each returns 0, so that `return reply_…(…)` reads well ---- */

/* Takes the reference to body. */
int reply_json(struct request *r, int status, json_t *body);
/* The same with JSON that is text already, for requests whose answer isn't trimmed to an older version. Takes text. */
bool reply_is_trimmed(const struct request *r);
int reply_json_text(struct request *r, int status, char *text);
/* No content. */
int reply_status(struct request *r, int status);
int reply_text(struct request *r, int status, const char *text);
/* {"message": …} with the status of the error's kind. */
int reply_error(struct request *r, const struct err *e);
/* One more header, before the answer begins. */
void reply_header(struct request *r, const char *name, const char *value);

/* Where to write pieces: the header is sent with the first of them, so an error before that is still a proper
 * one. The sink's write blocks and returns -1 when the client has gone. */
const struct engine_sink *reply_stream(struct request *r, const char *content_type);
/* Sends the header now. 0, or -1 when the client has gone. */
int reply_begin(struct request *r);

/* After the handler: the header is sent (101 where the client asked for an upgrade, else 200), then `fn` is
 * called. */
int reply_hijack(struct request *r, const char *content_type, hijack_fn fn);

#endif
