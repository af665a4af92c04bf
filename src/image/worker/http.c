/* libcurl, one easy handle per exchange from a pool of idle ones (which keep their connections). */
#include "image/worker/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "image/worker/url.h"

enum {
    IDLE_MAX = 16,
    RETRY_AFTER_MOST = 3600,
    CONNECT_SECONDS = 15,
    LOW_SPEED = 100, /* bytes a second; less is standing still */
    PATIENCE =
        4, /* so many times the time that it may stand still: for a document as a whole, and for the answer
                        to an upload, which the registry may have to carry elsewhere first */
};

static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static CURL *idle[IDLE_MAX];
static size_t n_idle;

struct exchange {
    const struct http_request *request;
    struct http_response *response;
    CURL *curl;
    size_t header_bytes;
    bool body_refused;
    bool error_cut;   /* an error's body has no end: what came is enough */
    int64_t uploaded; /* position in the upload */
    int64_t begun;
    int64_t mark_time, mark_bytes; /* when it last was seen to get on, and how far it had come then */
    int64_t stalled, stalled_for;  /* it was ended because of so many bytes in so much time; -1: it wasn't */
    bool too_slow;                 /* likewise, though it did get on: another try would not be better */
};

void http_response_finish(struct http_response *r)
{
    free(r->content_type);
    free(r->content_digest);
    free(r->challenge);
    free(r->location);
    free(r->link);
    buf_finish(&r->error_body);
    *r = (struct http_response){0};
}

/* Forgets what an earlier answer said. */
static void response_begin(struct http_response *r)
{
    http_response_finish(r);
    *r = (struct http_response){
        .length = -1, .range_end = -1, .retry_after = -1, .error_body = BUF_INIT(HTTP_ERROR_BODY_MAX)};
}

static CURL *take_handle(void)
{
    CURL *curl = NULL;

    pthread_mutex_lock(&idle_lock);
    if (n_idle)
        curl = idle[--n_idle];
    pthread_mutex_unlock(&idle_lock);
    if (curl)
        curl_easy_reset(curl);
    return curl ? curl : curl_easy_init();
}

static void give_handle(CURL *curl)
{
    pthread_mutex_lock(&idle_lock);
    if (n_idle < IDLE_MAX) {
        idle[n_idle++] = curl;
        curl = NULL;
    }
    pthread_mutex_unlock(&idle_lock);
    if (curl)
        curl_easy_cleanup(curl);
}

static void replace_text(char **field, char *value)
{
    free(*field);
    *field = value;
}

/* Seconds, or a date (RFC 9110 section 10.2.3). */
static int parse_retry_after(const char *value)
{
    long long number;
    time_t date;

    if (sscanf(value, "%lld", &number) != 1) {
        date = curl_getdate(value, NULL);
        if (date == -1)
            return -1;
        number = MAX_OF((long long)(date - time(NULL)), 0);
    }
    return number < 0 || number > RETRY_AFTER_MOST ? RETRY_AFTER_MOST : (int)number;
}

static void take_header(struct http_response *r, const char *name, const char *value)
{
    long long number;

    if (strcasecmp(name, "content-type") == 0)
        replace_text(&r->content_type, xstrndup(value, strcspn(value, "; ")));
    else if (strcasecmp(name, "docker-content-digest") == 0)
        replace_text(&r->content_digest, xstrdup(value));
    else if (strcasecmp(name, "oci-subject") == 0)
        r->subject = true;
    else if (strcasecmp(name, "location") == 0)
        replace_text(&r->location, xstrdup(value));
    else if (strcasecmp(name, "link") == 0)
        replace_text(&r->link, xstrdup(value));
    else if (strcasecmp(name, "www-authenticate") == 0)
        replace_text(&r->challenge, r->challenge ? xasprintf("%s, %s", r->challenge, value) : xstrdup(value));
    else if (strcasecmp(name, "content-range") == 0 && sscanf(value, "bytes %lld-", &number) == 1)
        r->start = number;
    else if (strcasecmp(name, "content-length") == 0 && sscanf(value, "%lld", &number) == 1)
        r->length = number;
    else if (strcasecmp(name, "range") == 0 && sscanf(value, "%*[bytes=]%*d-%lld", &number) == 1)
        r->range_end = number;
    else if (strcasecmp(name, "range") == 0 && sscanf(value, "%*d-%lld", &number) == 1)
        r->range_end = number;
    else if (strcasecmp(name, "oci-chunk-min-length") == 0 && sscanf(value, "%lld", &number) == 1)
        r->chunk_min = number;
    else if (strcasecmp(name, "retry-after") == 0)
        r->retry_after = parse_retry_after(value);
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t len = size * count;
    _cleanup_free_ char *line = NULL;
    char *colon, *value;

    x->header_bytes += len;
    if (x->header_bytes > HTTP_HEADERS_MAX)
        return 0;
    if (len > 5 &&
        strncmp(data, "HTTP/", 5) == 0) { /* a new answer: what an interim one said doesn't count */
        response_begin(x->response);
        return len;
    }
    line = xstrndup(data, len);
    line[strcspn(line, "\r\n")] = '\0';
    colon = strchr(line, ':');
    if (!colon)
        return len;
    *colon = '\0';
    value = colon + 1 + strspn(colon + 1, " \t");
    take_header(x->response, line, value);
    return len;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t len = size * count;
    long status = 0;

    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300 && x->request->body) {
        if (x->request->body(x->request->arg, status == 206 ? x->response->start : 0, data, len) < 0) {
            x->body_refused = true;
            return 0;
        }
        return len;
    }
    if (x->response->error_body.len + len > HTTP_ERROR_BODY_MAX) {
        x->error_cut = true;
        return 0;
    }
    buf_append(&x->response->error_body, data, len);
    return len;
}

static size_t on_upload(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    const struct http_upload *u = x->request->upload;
    size_t room = (size_t)MIN_OF((int64_t)(size * count), u->size - x->uploaded);
    ssize_t n = room ? pread(u->fd, data, room, u->offset + x->uploaded) : 0;

    if (n < 0 || (n == 0 && room))
        return CURL_READFUNC_ABORT;
    x->uploaded += n;
    return (size_t)n;
}

/* Does it get on? `moved`: all bytes so far, headers too, in both directions. */
static bool is_stalled(struct exchange *x, int64_t moved, bool answer_awaited)
{
    int64_t now = clock_monotonic(), enough = (int64_t)LOW_SPEED * x->request->stall_seconds;
    int64_t allowed = x->request->stall_seconds * 1000000000LL;

    if (moved - x->mark_bytes >= enough) {
        x->mark_bytes = moved;
        x->mark_time = now;
    }
    if (now - x->mark_time >= (answer_awaited ? PATIENCE : 1) * allowed) {
        x->stalled_for = now - x->mark_time;
        x->stalled = moved - x->mark_bytes;
    } else if ((x->request->document || x->response->error_body.len) &&
               now - x->begun >= PATIENCE * allowed) {
        x->stalled_for = now - x->begun;
        x->stalled = moved;
        x->too_slow = true;
    }
    return x->stalled >= 0;
}

static int on_progress(void *arg, curl_off_t dltotal _unused_, curl_off_t dlnow, curl_off_t ultotal _unused_,
                       curl_off_t ulnow)
{
    struct exchange *x = arg;
    const struct http_upload *u = x->request->upload;

    if (x->request->sent && u)
        x->request->sent(x->request->arg, ulnow);
    if (x->request->cancelled && x->request->cancelled(x->request->arg))
        return 1;
    return x->request->stall_seconds && is_stalled(x, dlnow + ulnow + (int64_t)x->header_bytes,
                                                   /* answer_awaited= */ u && ulnow >= u->size);
}

static void set_blob(CURL *curl, CURLoption option, const struct buf *pem)
{
    struct curl_blob blob = {.data = pem->data, .len = pem->len, .flags = CURL_BLOB_NOCOPY};

    if (pem->len)
        curl_easy_setopt(curl, option, &blob);
}

/* Method and body. */
static void set_method(struct exchange *x)
{
    const struct http_request *q = x->request;
    CURL *curl = x->curl;

    if (q->form) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, q->form);
    } else if (q->upload) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->upload->size);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(curl, CURLOPT_READDATA, x);
        curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
    } else if (q->method && strcmp(q->method, "HEAD") == 0) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (q->method) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    }
    if (q->method && strcmp(q->method, "HEAD") != 0)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, q->method);
}

static void set_options(struct exchange *x, const char *url, struct curl_slist *headers)
{
    const struct http_request *q = x->request;
    CURL *curl = x->curl;

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "keg/" KEG_VERSION);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, x);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     q->connect_ms ? (long)q->connect_ms : CONNECT_SECONDS * 1000L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, q->insecure ? 0L : 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, q->insecure ? 0L : 2L);
    if (q->no_proxy)
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    set_method(x);
    if (q->certificates && !q->insecure)
        set_blob(curl, CURLOPT_CAINFO_BLOB, &q->certificates->ca);
}

static struct curl_slist *add_header(struct curl_slist *headers, const char *name, const char *value)
{
    _cleanup_free_ char *line = value ? xasprintf("%s: %s", name, value) : NULL;

    return line ? curl_slist_append(headers, line) : headers;
}

/* Credentials of all kinds: for the origin of the request alone, never for where a redirect leads. */
static struct curl_slist *origin_only(struct exchange *x, struct curl_slist *headers)
{
    const struct http_request *q = x->request;

    for (char *const *line = q->headers; line && *line; line++)
        headers = curl_slist_append(headers, *line);
    headers = add_header(headers, "Authorization", q->authorization);
    if (q->certificates && q->certificates->certificate.len && q->certificates->key.len) {
        set_blob(x->curl, CURLOPT_SSLCERT_BLOB, &q->certificates->certificate);
        set_blob(x->curl, CURLOPT_SSLKEY_BLOB, &q->certificates->key);
    }
    return headers;
}

static struct curl_slist *common_headers(const struct http_request *q)
{
    struct curl_slist *headers = add_header(NULL, "Accept", q->accept);
    char range[64];

    if (q->method && !q->form && strcmp(q->method, "HEAD") != 0) {
        headers = add_header(headers, "Content-Type",
                             q->content_type ? q->content_type : "application/octet-stream");
        headers = add_header(headers, "Content-Range", q->content_range);
    }
    if (q->offset > 0) {
        snprintf(range, sizeof(range), "Range: bytes=%lld-", (long long)q->offset);
        headers = curl_slist_append(headers, range);
    }
    return curl_slist_append(headers, "Expect:");
}

/* What curl's codes mean for the caller. To judge another code: a row. */
static const struct {
    CURLcode code;
    bool transient, unreachable;
} verdicts[] = {
    {CURLE_COULDNT_RESOLVE_HOST, false, true},
    {CURLE_COULDNT_RESOLVE_PROXY, false, true},
    {CURLE_COULDNT_CONNECT, false, true},
    {CURLE_SSL_CONNECT_ERROR, false, true},
    {CURLE_PEER_FAILED_VERIFICATION, false, true},
    {CURLE_OPERATION_TIMEDOUT, false, true}, /* of the connection: is_stalled() has all the rest */
    {CURLE_PARTIAL_FILE, true, false},
    {CURLE_RECV_ERROR, true, false},
    {CURLE_SEND_ERROR, true, false},
    {CURLE_SEND_FAIL_REWIND, true, false}, /* a kept connection was closed: the caller asks what arrived */
    {CURLE_GOT_NOTHING, true, false},
    {CURLE_HTTP2, true, false},
    {CURLE_HTTP2_STREAM, true, false},
    {CURLE_WEIRD_SERVER_REPLY, false, true},
    {CURLE_UNSUPPORTED_PROTOCOL, false, false},
};

const char *http_method_word(const struct http_request *q)
{
    static const char *const words[][2] = {
        {"HEAD", "Head"}, {"POST", "Post"}, {"PUT", "Put"}, {"PATCH", "Patch"}};

    for (size_t i = 0; q->method && i < ARRAY_SIZE(words); i++)
        if (strcmp(q->method, words[i][0]) == 0)
            return words[i][1];
    return q->form ? "Post" : "Get";
}

static int curl_failed(struct exchange *x, CURLcode code, const char *url, const char *detail,
                       struct err *err)
{
    _cleanup_free_ char *shown = xstrndup(url, strcspn(url, "?")); /* signatures stay out of messages */
    const struct http_request *q = x->request;

    for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
        if (verdicts[i].code == code) {
            x->response->transient = verdicts[i].transient;
            x->response->unreachable = verdicts[i].unreachable;
        }
    if (x->stalled >= 0) {
        x->response->transient = x->response->stalled = !x->too_slow;
        return err_set(err, ERR_UNAVAILABLE, "%s \"%s\": i/o timeout: %s %lld bytes in %lld s",
                       http_method_word(q), shown,
                       q->upload && x->uploaded < q->upload->size ? "the registry took no more than"
                                                                  : "the registry sent no more than",
                       (long long)x->stalled, (long long)(x->stalled_for / 1000000000));
    }
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return err_set(err, ERR_CANCELLED, "cancelled");
    if (x->header_bytes > HTTP_HEADERS_MAX)
        return err_set(err, ERR_INVALID, "%s \"%s\": more than %d bytes of headers", http_method_word(q),
                       shown, HTTP_HEADERS_MAX);
    if (x->body_refused)
        return err_set(err, ERR_INVALID, "%s \"%s\": the body can't be taken", http_method_word(q), shown);
    return err_set(err, ERR_UNAVAILABLE, "%s \"%s\": %s", http_method_word(q), shown,
                   *detail ? detail : curl_easy_strerror(code));
}

/* The commonest failures in the words that tools look for. */
static void describe_failure(CURL *curl, CURLcode code, const char *url, char detail[CURL_ERROR_SIZE])
{
    _cleanup_free_ char *origin = url_origin(url);
    const char *address = origin ? strstr(origin, "://") : NULL, *port;
    long number = 0;

    if (!address)
        return;
    address += strlen("://");
    port = strrchr(address, ':');
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number);
    if (code == CURLE_COULDNT_RESOLVE_HOST)
        snprintf(detail, CURL_ERROR_SIZE, "dial tcp: lookup %.*s: no such host", (int)(port - address),
                 address);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        snprintf(detail, CURL_ERROR_SIZE, "dial tcp %s: i/o timeout", address);
    else if (code == CURLE_COULDNT_CONNECT && number == ECONNREFUSED)
        snprintf(detail, CURL_ERROR_SIZE, "dial tcp %s: connect: connection refused", address);
}

static int perform_once(const struct http_request *q, const char *url, bool at_origin,
                        struct http_response *ret, struct err *err)
{
    int64_t now = clock_monotonic();
    struct exchange x = {
        .request = q, .response = ret, .curl = take_handle(), .begun = now, .mark_time = now, .stalled = -1};
    struct curl_slist *headers = common_headers(q);
    char detail[CURL_ERROR_SIZE] = "";
    CURLcode code;

    if (!x.curl)
        return err_set(err, ERR_SYSTEM, "cannot set up an HTTP client");
    response_begin(ret);
    set_options(&x, url, NULL);
    if (at_origin)
        headers = origin_only(&x, headers);
    curl_easy_setopt(x.curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(x.curl, CURLOPT_ERRORBUFFER, detail);
    code = curl_easy_perform(x.curl);
    curl_easy_getinfo(x.curl, CURLINFO_RESPONSE_CODE, &ret->status);
    curl_easy_setopt(x.curl, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
    if (code == CURLE_WRITE_ERROR && x.error_cut)
        code = CURLE_OK;
    if (code != CURLE_OK)
        describe_failure(x.curl, code, url, detail);
    give_handle(x.curl);
    return code == CURLE_OK ? 0 : curl_failed(&x, code, url, detail, err);
}

static bool is_redirect(const struct http_response *r)
{
    return r->location &&
           (r->status == 301 || r->status == 302 || r->status == 303 || r->status == 307 || r->status == 308);
}

int http_perform(const struct http_request *q, struct http_response *ret, struct err *err)
{
    _cleanup_free_ char *url = xstrdup(q->url), *origin = url_origin(q->url);

    for (int hop = 0; hop <= HTTP_REDIRECTS_MAX; hop++) {
        _cleanup_free_ char *here = url_origin(url), *next = NULL;

        if (perform_once(q, url, str_eq(here, origin), ret, err) < 0)
            return -1;
        if (!is_redirect(ret))
            return 0;
        if (q->form)
            return err_set(err, ERR_INVALID, "Post \"%s\": a redirect, which isn't followed with credentials",
                           q->url);
        next = url_resolve(url, ret->location);
        if (!next || (url_is_secure(url) && !url_is_secure(next) && !q->insecure))
            return err_set(err, ERR_INVALID, "%s \"%s\": a redirect to an unusable or insecure place: %.200s",
                           http_method_word(q), q->url, ret->location);
        free(url);
        url = take_ptr(&next);
    }
    return err_set(err, ERR_INVALID, "%s \"%s\": more than %d redirects", http_method_word(q), q->url,
                   HTTP_REDIRECTS_MAX);
}
