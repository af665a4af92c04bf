/* Requests over endpoints: which one, how often, and what its answers mean. */
#include "image/worker/client_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "image/digest.h"
#include "image/manifest.h"
#include "image/worker/answers.h"
#include "image/worker/hosts.h"

enum { PROGRESS_ENOUGH = 1024 * 1024 };

static const char manifest_accept[] =
    MEDIA_OCI_INDEX ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST ", */*;q=0.1";

/* One request on its way. */
struct fetch {
    const struct client_watch *watch;
    struct buf *memory; /* where the bytes go: memory, or out */
    int out;
    const char *manifest;   /* what they must be the manifest of, a tag or a digest; NULL: no manifest */
    int64_t received, size; /* size -1: unknown */
    struct err err;         /* what the body callback found */
};

struct client *client_new(const json_t *open, struct err *err)
{
    const char *domain = json_str(open, "domain"), *path = json_str(open, "path");
    const json_t *auth = json_object_get(open, "auth");
    _cleanup_(client_free_p) struct client *c = NULL;

    if (!str_eq(json_str(open, "op"), "open") || str_empty(domain)) {
        err_set(err, ERR_INVALID, "keg-registry: the first packet must open a repository");
        return NULL;
    }
    c = xcalloc(1, sizeof(*c));
    c->path = xstrdup(path);
    c->name = xstrdup(json_str_or(open, "name", path));
    credentials_read(&c->credentials, auth);
    return hosts_add(c, open, domain, err) < 0 ? NULL : take_ptr(&c);
}

void client_free(struct client *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < ENDPOINTS_MAX; i++) {
        if (i < c->n_endpoints)
            endpoint_finish(&c->endpoints[i]);
        buf_finish(&c->certificates[i].ca);
        buf_finish(&c->certificates[i].certificate);
        buf_finish(&c->certificates[i].key);
        credentials_finish(&c->others[i]);
    }
    credentials_finish(&c->credentials);
    free(c->path);
    free(c->name);
    free(c);
}

static bool fetch_cancelled(void *arg)
{
    const struct fetch *f = arg;

    return f->watch && f->watch->cancelled(f->watch->arg);
}

static int take_bytes(struct fetch *f, const void *data, size_t len)
{
    int r;

    if (f->size >= 0 && (int64_t)len > f->size - f->received)
        return err_set(&f->err, ERR_INVALID, "the registry sent more than the %lld bytes announced",
                       (long long)f->size);
    r = f->memory ? buf_append(f->memory, data, len) : fd_write_full(f->out, data, len);
    if (f->memory && r == -E2BIG)
        return err_set(&f->err, ERR_INVALID, "the registry sent more than %zu bytes", f->memory->max);
    if (r == -EPIPE)
        return err_set(&f->err, ERR_CANCELLED, "the reader has gone");
    if (r < 0)
        return err_errno(&f->err, r, "write what the registry sent");
    f->received += (int64_t)len;
    if (f->watch)
        f->watch->progress(f->watch->arg, f->received);
    return 0;
}

/* A resumed download: passes on only bytes from f->received on. */
struct resumed {
    struct fetch *fetch;
    int64_t position; /* of the next byte of this answer; -1 before its first */
};

static int resumed_body(void *arg, int64_t start, const void *data, size_t len)
{
    struct resumed *x = arg;
    int64_t skip;

    if (x->position < 0)
        x->position = start;
    if (x->position > x->fetch->received)
        return err_set(&x->fetch->err, ERR_INVALID, "the registry resumed the download at the wrong byte");
    skip = MIN_OF(x->fetch->received - x->position, (int64_t)len);
    x->position += (int64_t)len;
    if (skip == (int64_t)len)
        return 0;
    return take_bytes(x->fetch, (const char *)data + skip, len - (size_t)skip);
}

static bool resumed_cancelled(void *arg)
{
    struct resumed *x = arg;

    return fetch_cancelled(x->fetch);
}

static int check_manifest(const struct buf *body, const char *reference, const char *header, struct err *err)
{
    char digest[DIGEST_SIZE];

    digest_of(buf_str(body), body->len, digest);
    if (digest_valid(reference) && !str_eq(reference, digest))
        return err_set(err, ERR_INVALID, "manifest verification failed for digest %s", reference);
    if (digest_valid(header) && !str_eq(header, digest))
        return err_set(err, ERR_INVALID, "manifest verification failed for digest %s: the bytes hash to %s",
                       header, digest);
    return 0;
}

/* An answer that looks like success, but isn't all. */
static int check_length(const struct fetch *f, const struct http_response *r, struct err *err)
{
    bool over = r->status == 416 && f->received > 0; /* there is nothing behind what we have */

    if (f->size < 0 || f->received == f->size || (r->status / 100 != 2 && !over))
        return 0;
    return err_set(err, ERR_UNAVAILABLE, "unexpected EOF: the registry sent %lld of %lld bytes",
                   (long long)f->received, (long long)f->size);
}

/* One GET with retries at one endpoint. 0: `ret` holds an answer that isn't worth another try. */
static int get(struct endpoint *e, const char *path, const char *accept, struct fetch *f,
               struct http_response *ret, struct err *err)
{
    for (int attempt = 0;; attempt++) {
        int64_t before = f->received;
        struct resumed x = {.fetch = f, .position = -1};
        struct http_request q = {.accept = accept,
                                 .offset = f->received,
                                 .document = f->memory != NULL,
                                 .body = resumed_body,
                                 .cancelled = resumed_cancelled,
                                 .arg = &x};
        struct err own = {0};
        bool again;
        int r = endpoint_perform(e, path, &q, ret, &own);

        if (f->err.kind != ERR_NONE)
            return err_set(err, f->err.kind, "%s", f->err.message);
        if (f->received - before >= PROGRESS_ENOUGH)
            attempt = 0; /* a long download over a bad line */
        again = r < 0 ? answer_is_missed(ret, e->answered, attempt) : answer_is_transient(ret);
        if (r == 0 && check_length(f, ret, &own) < 0) {
            again = ret->status != 416;
            r = -1;
        }
        if (!again || attempt + 1 >= ANSWER_ATTEMPTS) {
            if (r < 0 && err)
                *err = own;
            return r;
        }
        if (!answer_wait(attempt, ret->retry_after, f->watch))
            return err_set(err, ERR_CANCELLED, "cancelled");
    }
}

/* What one endpoint has sent isn't all, or wrong: the next one goes on where it stopped, or, with what is in memory,
 * begins anew. False: bytes that are out already were wrong. */
static bool begin_anew(struct fetch *f)
{
    if (!f->memory)
        return f->err.kind == ERR_NONE;
    buf_reset(f->memory);
    f->received = 0;
    f->err = (struct err){0};
    return true;
}

/* Asks one endpoint after the other, of those that can do it, until one has it. The registry itself is asked
 * last, whatever it is said to be able to. */
static int get_anywhere(struct client *c, enum endpoint_ability ability, const char *path, const char *accept,
                        const char *display, struct fetch *f, struct http_response *ret, struct err *err)
{
    for (size_t i = 0; i < c->n_endpoints; i++) {
        struct err own = {0};
        int r;

        if (i + 1 < c->n_endpoints && !(c->endpoints[i].can & ability))
            continue;
        r = get(&c->endpoints[i], path, accept, f, ret, &own);
        if (r == 0 && ret->status / 100 != 2)
            r = answer_error(ret, c->name, display, &own);
        if (r == 0 &&
            (!f->manifest || check_manifest(f->memory, f->manifest, ret->content_digest, &own) == 0))
            return 0;
        if (i + 1 == c->n_endpoints || own.kind == ERR_CANCELLED || !begin_anew(f)) {
            if (err)
                *err = own;
            return -1;
        }
    }
    return -1;
}

json_t *client_manifest(struct client *c, const char *reference, const char *display, int out,
                        const struct client_watch *watch, struct err *err)
{
    _cleanup_(buf_finish) struct buf body = BUF_INIT(MANIFEST_SIZE_MAX);
    _cleanup_free_ char *path = xasprintf("/v2/%s/manifests/%s", c->path, reference);
    struct fetch f = {.memory = &body, .size = -1, .manifest = reference, .watch = watch};
    struct http_response r = {0};
    char digest[DIGEST_SIZE];
    json_t *ok = NULL;
    int written;

    if (get_anywhere(c, digest_valid(reference) ? ENDPOINT_PULL : ENDPOINT_RESOLVE, path, manifest_accept,
                     display, &f, &r, err) < 0)
        goto out;
    digest_of(buf_str(&body), body.len, digest);
    written = fd_write_full(out, buf_str(&body), body.len);
    if (written < 0) {
        err_errno(err, written, "hand over the manifest");
        goto out;
    }
    ok = json_object();
    json_set_str(ok, "media_type", r.content_type ? r.content_type : "");
    json_set_str(ok, "digest", digest);
    json_set_int(ok, "size", (int64_t)body.len);
out:
    http_response_finish(&r);
    return ok;
}

json_t *client_blob(struct client *c, const char *digest, int64_t size, int out,
                    const struct client_watch *watch, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("/v2/%s/blobs/%s", c->path, digest);
    struct fetch f = {.out = out, .size = size, .watch = watch};
    struct http_response r = {0};
    int result = get_anywhere(c, ENDPOINT_PULL, path, NULL, c->name, &f, &r, err);

    http_response_finish(&r);
    return result < 0 ? NULL : json_pack("{s:I}", "size", (json_int_t)f.received);
}

/* The path of the next page: Link: </v2/x/tags/list?last=b&n=100>; rel="next" (RFC 8288), of the same list.
 * NULL: none. */
static char *next_page(const char *path, const char *link)
{
    const char *open = link ? strchr(link, '<') : NULL, *close = open ? strchr(open, '>') : NULL;
    size_t len = strcspn(path, "?");
    _cleanup_free_ char *target = NULL;
    const char *query;

    if (!close || !strstr(close, "next"))
        return NULL;
    target = xstrndup(open + 1, (size_t)(close - open - 1));
    query = strchr(target, '?');
    return query ? xasprintf("%.*s%s", (int)len, path, query) : NULL;
}

json_t *client_document(struct client *c, const char *path, int out, const struct client_watch *watch,
                        struct err *err)
{
    _cleanup_(buf_finish) struct buf body = BUF_INIT(MANIFEST_SIZE_MAX);
    struct fetch f = {.memory = &body, .size = -1, .watch = watch};
    _cleanup_free_ char *next = NULL;
    struct http_response r = {0};
    json_t *ok = NULL;
    int written;

    if (get_anywhere(c, ENDPOINT_RESOLVE, path, "application/json", c->name, &f, &r, err) == 0) {
        written = fd_write_full(out, buf_str(&body), body.len);
        next = next_page(path, r.link);
        if (written < 0)
            err_errno(err, written, "hand over what the registry sent");
        else
            ok = next ? json_pack("{s:s}", "next", next) : json_object();
    }
    http_response_finish(&r);
    return ok;
}

json_t *client_url(struct client *c, const char *url, int out, const struct client_watch *watch,
                   struct err *err)
{
    const char *host = strstr(url, "://"), *path = host ? strchr(host + strlen("://"), '/') : NULL;
    _cleanup_free_ char *origin = path ? xstrndup(url, (size_t)(path - url)) : xstrdup(url);
    struct fetch f = {.out = out, .size = -1, .watch = watch};
    struct http_response r = {0};
    struct endpoint e;
    json_t *ok = NULL;

    endpoint_init_mirror(&e, origin, NULL);
    e.stall_seconds = client_origin(c)->stall_seconds;
    if (get(&e, path ? path : "/", NULL, &f, &r, err) == 0) {
        if (r.status / 100 == 2)
            ok = json_pack("{s:I}", "size", (json_int_t)f.received);
        else
            err_set(err, r.status == 404 ? ERR_NOT_FOUND : ERR_UNAVAILABLE,
                    "%.500s: the server answered with status %ld", url, r.status);
    }
    http_response_finish(&r);
    endpoint_finish(&e);
    return ok;
}

json_t *client_login(struct client *c, struct err *err)
{
    _cleanup_free_ char *token = NULL;
    json_t *ok;

    if (endpoint_login(&c->endpoints[c->n_endpoints - 1], &token, err) < 0)
        return NULL;
    ok = json_object();
    if (token)
        json_set_str(ok, "token", token);
    return ok;
}
