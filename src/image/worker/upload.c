/* Blobs and manifests on their way up (Distribution specification 1.1, "Push").
 *
 * A blob that the repository has isn't sent; one that another repository of the registry has is mounted from
 * there. The rest goes in one request. Where that breaks off, the registry is asked how far it came and the
 * upload goes on from there in chunks; where the registry, or a proxy before it, doesn't take a body of that
 * size, likewise. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/str.h"
#include "image/digest.h"
#include "image/worker/answers.h"
#include "image/worker/client_internal.h"
#include "image/worker/url.h"

enum { CHUNK_SIZE = 32 * 1024 * 1024 };

struct upload {
    struct client *client;
    struct endpoint *endpoint;
    const struct client_watch *watch;
    int fd;
    int64_t size;
    int64_t done;   /* bytes the registry is known to have */
    char *location; /* of the upload that has begun; NULL: none */
    int64_t chunk_min;
};

static bool upload_cancelled(void *arg)
{
    const struct upload *u = arg;

    return u->watch && u->watch->cancelled(u->watch->arg);
}

static void upload_sent(void *arg, int64_t bytes)
{
    const struct upload *u = arg;

    if (u->watch)
        u->watch->progress(u->watch->arg, u->done + bytes);
}

/* One exchange, not repeated. url NULL: at `path` of the registry. */
static int upload_exchange(struct upload *u, const char *path, const char *url, struct http_request *q,
                           struct http_response *r, struct err *err)
{
    q->cancelled = upload_cancelled;
    q->sent = upload_sent;
    q->arg = u;
    return url ? endpoint_perform_url(u->endpoint, url, q, r, err)
               : endpoint_perform(u->endpoint, path, q, r, err);
}

/* One that may be repeated without harm, until its answer is worth something. */
static int upload_request(struct upload *u, const char *path, const char *url, struct http_request *q,
                          struct http_response *r, struct err *err)
{
    for (int attempt = 0;; attempt++) {
        int result = upload_exchange(u, path, url, q, r, err);

        if (attempt + 1 == ANSWER_ATTEMPTS ||
            !(result < 0 ? answer_is_missed(r, u->endpoint->answered, attempt) : answer_is_transient(r)))
            return result;
        if (!answer_wait(attempt, r->retry_after, u->watch))
            return err_set(err, ERR_CANCELLED, "cancelled");
    }
}

/* Keeps the place where the upload goes on. An http address of the very host that we speak https with is a
 * registry's that doesn't know of the TLS before it. */
static int take_location(struct upload *u, const struct http_response *r, const char *base, struct err *err)
{
    char *next = r->location ? url_resolve(base, r->location) : NULL;

    if (next && url_is_secure(u->endpoint->base) && !url_is_secure(next)) {
        char *secure = xasprintf("https://%s", next + strlen("http://"));

        if (url_same_origin(secure, u->endpoint->base) || !u->endpoint->insecure) {
            free(next);
            next = secure;
        } else {
            free(secure);
        }
    }
    if (!next)
        return err_set(err, ERR_INVALID, "%s doesn't say where the upload goes on", u->endpoint->base);
    free(u->location);
    u->location = next;
    if (r->chunk_min > 0)
        u->chunk_min = r->chunk_min;
    return 0;
}

/* Is it there already? */
static int blob_exists(struct upload *u, const char *digest, bool *ret, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("/v2/%s/blobs/%s", u->client->path, digest);
    struct http_request q = {.method = "HEAD"};
    struct http_response r = {0};
    int result = upload_request(u, path, NULL, &q, &r, err);

    *ret = result == 0 && r.status == 200;
    if (result == 0 && !*ret && r.status != 404)
        result = answer_push_error(&r, err);
    http_response_finish(&r);
    return result;
}

/* Begins an upload. With `from`, asks for the blob of that repository instead: *ret_mounted. */
static int upload_begin(struct upload *u, const char *digest, const char *from, bool *ret_mounted,
                        struct err *err)
{
    _cleanup_free_ char *path =
        from ? xasprintf("/v2/%s/blobs/uploads/?mount=%s&from=%s", u->client->path, digest, from)
             : xasprintf("/v2/%s/blobs/uploads/", u->client->path);
    _cleanup_free_ char *base = NULL;
    struct http_request q = {.method = "POST"};
    struct http_response r = {0};
    int result = upload_request(u, path, NULL, &q, &r, err);

    *ret_mounted = from && result == 0 && r.status == 201;
    u->done = 0;
    if (result == 0 && r.status == 202) {
        base = endpoint_url(u->endpoint, path);
        result = take_location(u, &r, base, err);
    } else if (result == 0 && !*ret_mounted) {
        result = answer_push_error(&r, err);
    }
    http_response_finish(&r);
    return result;
}

/* Asks how far the upload has come. False: it is lost, begin anew. */
static bool upload_recover(struct upload *u)
{
    struct http_request q = {0};
    struct http_response r = {0};
    bool found = upload_request(u, NULL, u->location, &q, &r, NULL) == 0 && r.status == 204 &&
                 r.range_end < u->size && take_location(u, &r, u->location, NULL) == 0;

    if (found)
        u->done = r.range_end > 0 ? r.range_end + 1 : 0; /* "0-0" is said of nothing and of one byte */
    http_response_finish(&r);
    return found;
}

/* All that is left in one chunk after the other. */
static int send_chunk(struct upload *u, struct http_response *r, struct err *err)
{
    int64_t size = MIN_OF(u->size - u->done, u->chunk_min > CHUNK_SIZE ? u->chunk_min : CHUNK_SIZE);
    struct http_upload body = {.fd = u->fd, .offset = u->done, .size = size};
    char range[64];
    struct http_request q = {.method = "PATCH", .upload = &body, .content_range = range};
    int result;

    snprintf(range, sizeof(range), "%lld-%lld", (long long)u->done, (long long)(u->done + size - 1));
    result = upload_exchange(u, NULL, u->location, &q, r, err);
    if (result < 0 || r->status != 202)
        return result;
    if (take_location(u, r, u->location, err) < 0)
        return -1;
    u->done += size;
    return 0;
}

/* The last request of an upload, with the bytes that are left. */
static int send_last(struct upload *u, const char *digest, struct http_response *r, struct err *err)
{
    struct http_upload body = {.fd = u->fd, .offset = u->done, .size = u->size - u->done};
    _cleanup_free_ char *url =
        xasprintf("%s%cdigest=%s", u->location, strchr(u->location, '?') ? '&' : '?', digest);
    struct http_request q = {.method = "PUT", .upload = body.size ? &body : NULL};

    return upload_exchange(u, NULL, url, &q, r, err);
}

/* One attempt at all that is left: 0 with the last answer. */
static int send_rest(struct upload *u, const char *digest, bool chunked, struct http_response *r,
                     struct err *err)
{
    while (chunked && u->done < u->size) {
        int64_t before = u->done;

        if (send_chunk(u, r, err) < 0)
            return -1;
        if (u->done == before)
            return 0; /* its answer was no 202 */
    }
    return send_last(u, digest, r, err);
}

/* A body of this size isn't taken at once: by a proxy's limit, or by a registry that knows only chunks. */
static bool wants_chunks(const struct http_response *r)
{
    return r->status == 400 || r->status == 405 || r->status == 411 || r->status == 413 || r->status == 416 ||
           r->status == 501;
}

/* The registry has lost the upload, by a restart or to another of several behind one address. */
static bool is_forgotten(const struct http_response *r)
{
    return r->status == 404;
}

static int upload_blob(struct upload *u, const char *digest, struct err *err)
{
    bool chunked = false, mounted, there;

    for (int attempt = 0;; attempt++) {
        struct http_response r = {0};
        struct err own = {0};
        int64_t before = u->done;
        bool again;
        int result;

        if (!u->location && upload_begin(u, digest, NULL, &mounted, err) < 0)
            return -1;
        result = send_rest(u, digest, chunked, &r, &own);
        if (result == 0 && r.status == 201) {
            http_response_finish(&r);
            return 0;
        }
        again = result < 0 ? answer_is_missed(&r, u->endpoint->answered, attempt)
                           : answer_is_transient(&r) || is_forgotten(&r) || (!chunked && wants_chunks(&r));
        if (result == 0)
            answer_push_error(&r, &own);
        if (!again || attempt + 1 == ANSWER_ATTEMPTS) {
            http_response_finish(&r);
            return err_pass(err, &own);
        }
        if (!answer_wait(attempt, r.retry_after, u->watch)) {
            http_response_finish(&r);
            return err_set(err, ERR_CANCELLED, "cancelled");
        }
        http_response_finish(&r);
        chunked = true;
        if (result < 0 && blob_exists(u, digest, &there, NULL) == 0 && there)
            return 0; /* all but the answer had come through */
        if (!upload_recover(u)) {
            free(u->location);
            u->location = NULL;
        }
        if (u->done > before)
            attempt = 0;
    }
}

static json_t *upload_result(const char *how, const char *from)
{
    json_t *ok = json_object();

    json_set_str(ok, "how", how);
    if (from)
        json_set_str(ok, "from", from);
    return ok;
}

static json_t *push_blob(struct upload *u, const char *digest, char **sources, struct err *err)
{
    bool there = false;

    if (blob_exists(u, digest, &there, err) < 0)
        return NULL;
    if (there)
        return upload_result("exists", NULL);
    for (char **from = sources; from && *from && !u->location; from++) {
        if (upload_begin(u, digest, *from, &there, NULL) < 0)
            break; /* without mounting, then */
        if (there)
            return upload_result("mounted", *from);
    }
    return upload_blob(u, digest, err) < 0 ? NULL : upload_result("uploaded", NULL);
}

/* The first that takes pushes; the registry itself where none is said to. */
static struct endpoint *push_endpoint(struct client *c)
{
    for (size_t i = 0; i < c->n_endpoints; i++)
        if (c->endpoints[i].can & ENDPOINT_PUSH)
            return &c->endpoints[i];
    return client_origin(c);
}

static int upload_open(struct upload *u, struct client *c, int fd, const struct client_watch *watch,
                       struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "keg-registry: what is pushed must be a file");
    *u = (struct upload){
        .client = c, .endpoint = push_endpoint(c), .watch = watch, .fd = fd, .size = st.st_size};
    return 0;
}

json_t *client_push_blob(struct client *c, const char *digest, char **sources, int fd,
                         const struct client_watch *watch, struct err *err)
{
    struct upload u;
    json_t *ok;

    if (upload_open(&u, c, fd, watch, err) < 0)
        return NULL;
    ok = push_blob(&u, digest, sources, err);
    free(u.location);
    return ok;
}

json_t *client_push_manifest(struct client *c, const char *reference, const char *media_type, int fd,
                             const struct client_watch *watch, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("/v2/%s/manifests/%s", c->path, reference);
    struct http_response r = {0};
    struct http_upload body;
    struct http_request q = {.method = "PUT", .upload = &body, .content_type = media_type};
    struct upload u;
    json_t *ok = NULL;

    if (upload_open(&u, c, fd, watch, err) < 0)
        return NULL;
    body = (struct http_upload){.fd = fd, .size = u.size};
    if (upload_request(&u, path, NULL, &q, &r, err) == 0) {
        if (r.status / 100 == 2)
            ok = json_pack("{s:s, s:b}", "digest", r.content_digest ? r.content_digest : "", "subject",
                           r.subject);
        else
            answer_push_error(&r, err);
    }
    http_response_finish(&r);
    return ok;
}
