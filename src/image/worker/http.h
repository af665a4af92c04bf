/* One HTTP exchange: redirects followed by hand so that credentials stay with the host they are for,
 * everything bounded, certificates verified unless told otherwise. */
#ifndef KEG_IMAGE_WORKER_HTTP_H
#define KEG_IMAGE_WORKER_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { HTTP_HEADERS_MAX = 128 * 1024, HTTP_ERROR_BODY_MAX = 64 * 1024, HTTP_REDIRECTS_MAX = 8 };

/* PEM texts for one registry; "" where there are none. */
struct http_certificates {
    struct buf ca, certificate, key;
};

/* A body from a file: bytes offset … offset + size - 1 of it. The descriptor's own position isn't used. */
struct http_upload {
    int fd;
    int64_t offset, size;
};

struct http_request {
    const char *method; /* "HEAD", "POST", "PUT", "PATCH"; NULL: GET, or POST with a form */
    const char *url;
    const char *authorization;        /* header value; sent to url's own origin only. NULL: none */
    const char *accept;               /* NULL: none */
    char *const *headers;             /* further ones, "Name: value", to url's own origin only; NULL: none */
    const char *form;                 /* POST this urlencoded form */
    int64_t offset;                   /* > 0: ask for the bytes from there on */
    const struct http_upload *upload; /* body of PUT and PATCH; NULL: an empty one */
    const char *content_type;         /* of the body; NULL: application/octet-stream */
    const char *content_range;        /* of the body, "0-99"; NULL: none */
    bool insecure;                    /* don't verify certificates, allow a redirect from https to http */
    bool no_proxy;
    unsigned stall_seconds; /* how long it may stand still; 0: for ever */
    bool document;          /* the answer's body is small: it may take four times that as a whole */
    unsigned connect_ms;    /* to connect, TLS included; 0: the usual time */
    const struct http_certificates *certificates;
    /* The body of a 2xx answer; -1 ends the exchange. start tells the answer's first byte's offset. */
    int (*body)(void *arg, int64_t start, const void *data, size_t len);
    bool (*cancelled)(void *arg); /* asked about every second; NULL: never */
    void (*sent)(void *arg,
                 int64_t bytes); /* so many bytes of the upload are on their way; NULL: nobody asks */
    void *arg;
};

struct http_response {
    long status;
    char *content_type, *content_digest, *challenge, *location, *link;
    bool subject;          /* it says OCI-Subject */
    int64_t start;         /* first byte's offset, from Content-Range; 0 */
    int64_t length;        /* Content-Length, -1 when unknown */
    int64_t range_end;     /* of an upload so far: its last byte's offset, from Range; -1 when absent */
    int64_t chunk_min;     /* OCI-Chunk-Min-Length; 0 */
    int retry_after;       /* seconds, -1 when absent */
    struct buf error_body; /* of an answer that is no 2xx */
    bool transient;        /* after -1: worth another try */
    bool unreachable;      /* after -1: no connection was made, or no TLS session on it */
    bool stalled;          /* after -1: it stood still */
};

void http_response_finish(struct http_response *r);
/* 0 when an answer came, whatever its status; -1 with ERR_UNAVAILABLE, ERR_CANCELLED, ERR_INVALID. */
int http_perform(const struct http_request *request, struct http_response *ret, struct err *err);
/* The method as Go's programs begin their messages with it: Get "https://…": … */
const char *http_method_word(const struct http_request *request);

#endif
