/* Scheme and address of a registry, and its challenges answered. */
#include "image/worker/endpoint.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "image/worker/answers.h"
#include "image/worker/challenge.h"
#include "image/worker/url.h"

/* "host:port" or "[v6]:port" without its port and brackets. The caller frees. */
static char *bare_host(const char *host)
{
    const char *colon = strrchr(host, ':');

    if (*host == '[')
        return xstrndup(host + 1, strcspn(host + 1, "]"));
    return colon && strchr(host, ':') == colon ? xstrndup(host, (size_t)(colon - host)) : xstrdup(host);
}

/* Is the address text inside "10.0.0.0/8" or "fd00::/8"? */
static bool in_network(const char *address, const char *cidr)
{
    const char *slash = strchr(cidr, '/');
    _cleanup_free_ char *network = slash ? xstrndup(cidr, (size_t)(slash - cidr)) : NULL;
    int family = strchr(cidr, ':') ? AF_INET6 : AF_INET;
    unsigned char a[16], n[16];
    uint32_t bits;

    if (!slash || str_to_u32(slash + 1, &bits) < 0 || bits > (family == AF_INET ? 32u : 128u) ||
        inet_pton(family, address, a) != 1 || inet_pton(family, network, n) != 1)
        return false;
    for (uint32_t i = 0; i < bits; i++)
        if ((a[i / 8] ^ n[i / 8]) & (0x80 >> (i % 8)))
            return false;
    return true;
}

bool endpoint_host_loopback(const char *host)
{
    _cleanup_free_ char *bare = bare_host(host);

    return str_eq(bare, "localhost") || in_network(bare, "127.0.0.0/8") || in_network(bare, "::1/128");
}

bool endpoint_host_insecure(const char *host, char *const *insecure_list)
{
    _cleanup_free_ char *bare = bare_host(host);

    if (endpoint_host_loopback(host))
        return true;
    for (; insecure_list && *insecure_list; insecure_list++)
        if (str_eq(*insecure_list, host) || str_eq(*insecure_list, bare) || in_network(bare, *insecure_list))
            return true;
    return false;
}

static char *non_empty(const json_t *object, const char *key)
{
    const char *value = json_str(object, key);

    return str_empty(value) ? NULL : xstrdup(value);
}

void credentials_read(struct credentials *c, const json_t *object)
{
    *c = (struct credentials){
        .username = non_empty(object, "username"),
        .password = non_empty(object, "password"),
        .identity_token = non_empty(object, "identity_token"),
        .registry_token = non_empty(object, "registry_token"),
    };
}

bool credentials_given(const struct credentials *c)
{
    return c->username || c->identity_token || c->registry_token;
}

void credentials_finish(struct credentials *c)
{
    free(c->username);
    free(c->password);
    free(c->identity_token);
    free(c->registry_token);
    *c = (struct credentials){0};
}

void endpoint_init(struct endpoint *e, const char *host, const char *scope, char *const *insecure_list)
{
    *e = (struct endpoint){
        .can = ENDPOINT_ALL,
        .base = xasprintf("https://%s", host),
        .scope = xstrdup(scope),
        .insecure = endpoint_host_insecure(host, insecure_list),
        .loopback = endpoint_host_loopback(host),
    };
    pthread_mutex_init(&e->lock, NULL);
}

void endpoint_init_mirror(struct endpoint *e, const char *url, const char *scope)
{
    size_t len = strlen(url);

    while (len && url[len - 1] == '/')
        len--;
    *e = (struct endpoint){
        .can = ENDPOINT_ALL,
        .base = xstrndup(url, len),
        .scope = xstrdup(scope),
        .insecure = !url_is_secure(url),
        .probed = true,
    };
    pthread_mutex_init(&e->lock, NULL);
}

void endpoint_finish(struct endpoint *e)
{
    free(e->base);
    free(e->namespace);
    strv_free(e->headers);
    free(e->scope);
    free(e->authorization);
    pthread_mutex_destroy(&e->lock);
}

static void request_fill(const struct endpoint *e, struct http_request *q)
{
    q->insecure = e->insecure;
    q->no_proxy = e->loopback;
    q->stall_seconds = e->stall_seconds;
    q->connect_ms = e->connect_ms;
    q->certificates = e->certificates;
}

char *endpoint_url(const struct endpoint *e, const char *path)
{
    const char *rest = e->own_path && str_starts(path, "/v2/") ? path + strlen("/v2") : path;
    char *escaped = e->namespace ? curl_easy_escape(NULL, e->namespace, 0) : NULL;
    char *url = xasprintf("%s%s%s%s", e->base, rest,
                          !escaped            ? ""
                          : strchr(rest, '?') ? "&ns="
                                              : "?ns=",
                          escaped ? escaped : "");

    curl_free(escaped);
    return url;
}

/* Settles between https and http where both are allowed. With the lock held. */
static void probe(struct endpoint *e)
{
    _cleanup_free_ char *url = endpoint_url(e, "/v2/");
    struct http_request q = {.url = url};
    struct http_response r = {0};
    struct err err = {0};

    request_fill(e, &q);
    q.stall_seconds = MIN_OF(e->stall_seconds, 5u);
    if (http_perform(&q, &r, &err) < 0 && r.unreachable) {
        char *plain = xasprintf("http://%s", e->base + strlen("https://"));

        free(e->base);
        e->base = plain;
    }
    http_response_finish(&r);
    e->probed = true;
}

static char *basic_header(const char *username, const char *password)
{
    _cleanup_free_ char *pair = xasprintf("%s:%s", username, password ? password : "");
    size_t len = strlen(pair);
    _cleanup_free_ char *text = xmalloc((len + 2) / 3 * 4 + 1);

    EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)pair, (int)len);
    return xasprintf("Basic %s", text);
}

/* Appends "&name=value", percent-encoded; nothing for an empty value. */
static void add_parameter(struct buf *b, const char *name, const char *value)
{
    char *escaped = str_empty(value) ? NULL : curl_easy_escape(NULL, value, 0);

    if (escaped)
        buf_printf(b, "%s%s=%s", b->len ? "&" : "", name, escaped);
    curl_free(escaped);
}

/* In a query every scope is a parameter of its own; in a form they are one, with spaces. */
static void add_scopes(struct buf *b, const char *scopes)
{
    _cleanup_strv_ char **list = strv_split(scopes ? scopes : "", ' ');

    for (char **scope = list; scope && *scope; scope++)
        add_parameter(b, "scope", *scope);
}

static int take_token_body(void *arg, int64_t start _unused_, const void *data, size_t len)
{
    return buf_append(arg, data, len);
}

/* Asks the token server. *ret_refresh may be NULL. */
static int fetch_token(const struct endpoint *e, const char *url, const char *authorization, const char *form,
                       char **ret_token, char **ret_refresh, struct err *err)
{
    _cleanup_(buf_finish) struct buf body = BUF_INIT(1024 * 1024);
    struct http_certificates authority = {0};
    struct http_request q = {.url = url,
                             .authorization = authorization,
                             .form = form,
                             .document = true,
                             .body = take_token_body,
                             .arg = &body};
    struct http_response r = {0};
    _cleanup_json_ json_t *json = NULL;
    const char *token;
    int result = -1;

    request_fill(e, &q);
    if (e->certificates) /* the same authority may vouch for the token server; our key is the registry's alone */
        authority.ca = e->certificates->ca;
    q.certificates = &authority;
    if (http_perform(&q, &r, err) < 0)
        goto out;
    if (r.status / 100 != 2) {
        answer_token_error(&r, url, err);
        goto out;
    }
    json = json_parse(buf_str(&body), body.len, "the token server's answer", err);
    if (!json)
        goto out;
    token = json_str(json, "token") ? json_str(json, "token") : json_str(json, "access_token");
    if (str_empty(token) || strpbrk(token, "\r\n")) {
        err_set(err, ERR_INVALID, "the token server at %.*s sent no token", (int)strcspn(url, "?"), url);
        goto out;
    }
    *ret_token = xstrdup(token);
    if (ret_refresh)
        *ret_refresh = xstrdup(json_str(json, "refresh_token"));
    result = 0;
out:
    http_response_finish(&r);
    return result;
}

/* A bearer token for `scope`, by refresh token, by password, or anonymous. */
static int answer_bearer(const struct endpoint *e, const struct challenge *c, const char *scope,
                         char **ret_refresh, char **ret, struct err *err)
{
    const struct credentials *own = e->credentials;
    _cleanup_(buf_finish) struct buf query = BUF_INIT(64 * 1024);
    _cleanup_free_ char *url = NULL, *basic = NULL, *token = NULL;
    bool secret = own && (own->identity_token || own->username);
    int r;

    if (!c->realm || (!url_is_secure(c->realm) && strncmp(c->realm, "http://", 7) != 0))
        return err_set(err, ERR_INVALID, "%s asks for a token but names no usable realm", e->base);
    if (secret && url_is_secure(e->base) && !url_is_secure(c->realm))
        return err_set(err, ERR_FORBIDDEN, "%s wants the credentials sent unencrypted to %.200s: refused",
                       e->base, c->realm);
    add_parameter(&query, "service", c->service);
    if (own && own->identity_token) {
        add_parameter(&query, "scope", scope);
        add_parameter(&query, "client_id", "keg");
        add_parameter(&query, "grant_type", "refresh_token");
        add_parameter(&query, "refresh_token", own->identity_token);
        r = fetch_token(e, c->realm, NULL, buf_str(&query), &token, ret_refresh, err);
    } else {
        add_scopes(&query, scope);
        if (own && own->username) {
            basic = basic_header(own->username, own->password);
            add_parameter(&query, "account", own->username);
        }
        if (ret_refresh) {
            add_parameter(&query, "client_id", "keg");
            add_parameter(&query, "offline_token", "true");
        }
        url = xasprintf("%s%s%s", c->realm, strchr(c->realm, '?') ? "&" : "?", buf_str(&query));
        r = fetch_token(e, url, basic, NULL, &token, ret_refresh, err);
    }
    if (r < 0)
        return -1;
    *ret = xasprintf("Bearer %s", token);
    return 0;
}

/* The header that answers a 401, or -1. */
static int answer_challenge(const struct endpoint *e, const char *text, const char *scope, char **ret_refresh,
                            char **ret, struct err *err)
{
    const struct credentials *own = e->credentials;
    struct challenge c;
    int r = -1;

    challenge_parse(text ? text : "", &c);
    if (c.scheme == CHALLENGE_BEARER)
        r = answer_bearer(e, &c, scope ? scope : c.scope, ret_refresh, ret, err);
    else if (c.scheme == CHALLENGE_BASIC && own && own->username) {
        *ret = basic_header(own->username, own->password);
        r = 0;
    } else if (c.scheme == CHALLENGE_BASIC)
        err_set(err, ERR_UNAUTHORIZED, "no basic auth credentials");
    else
        err_set(err, ERR_UNAUTHORIZED, "unauthorized: authentication required");
    challenge_finish(&c);
    return r;
}

/* The header to send now; the caller frees. NULL: none. */
static char *current_authorization(struct endpoint *e)
{
    char *copy;

    pthread_mutex_lock(&e->lock);
    if (!e->probed && e->insecure)
        probe(e);
    if (!e->authorization && e->credentials && e->credentials->registry_token)
        e->authorization = xasprintf("Bearer %s", e->credentials->registry_token);
    copy = xstrdup(e->authorization);
    pthread_mutex_unlock(&e->lock);
    return copy;
}

/* Replaces the header `used`, unless another thread has done so already. *ret: the new one, the caller's. */
static int renew_authorization(struct endpoint *e, const char *used, const char *challenge, char **ret,
                               struct err *err)
{
    int r = 0;

    pthread_mutex_lock(&e->lock);
    if (str_eq(e->authorization, used)) {
        char *fresh = NULL;

        r = answer_challenge(e, challenge, e->scope, NULL, &fresh, err);
        if (r == 0) {
            free(e->authorization);
            e->authorization = fresh;
        }
    }
    *ret = r == 0 ? xstrdup(e->authorization) : NULL;
    pthread_mutex_unlock(&e->lock);
    return r;
}

int endpoint_perform(struct endpoint *e, const char *path, struct http_request *q, struct http_response *ret,
                     struct err *err)
{
    _cleanup_free_ char *url = NULL;

    free(current_authorization(e)); /* settles the scheme */
    url = endpoint_url(e, path);
    return endpoint_perform_url(e, url, q, ret, err);
}

int endpoint_perform_url(struct endpoint *e, const char *url, struct http_request *q,
                         struct http_response *ret, struct err *err)
{
    bool ours = url_same_origin(url, e->base);
    _cleanup_free_ char *authorization = ours ? current_authorization(e) : NULL;
    struct http_certificates authority = {0};

    q->url = url;
    q->headers = e->headers;
    request_fill(e, q);
    if (!ours && e->certificates) { /* our key is the registry's alone */
        authority.ca = e->certificates->ca;
        q->certificates = &authority;
    }
    for (int attempt = 0;; attempt++) {
        char *fresh = NULL;
        int r;

        q->authorization = authorization;
        r = http_perform(q, ret, err);
        if (r == 0)
            e->answered = true;
        if (r < 0 || ret->status != 401 || attempt > 0 || !ours)
            return r;
        if (renew_authorization(e, authorization, ret->challenge, &fresh, err) < 0)
            return err_wrap(err, "%s \"%.*s\"", http_method_word(q), (int)strcspn(url, "?"), url);
        free(authorization);
        authorization = fresh;
    }
}

int endpoint_login(struct endpoint *e, char **ret_token, struct err *err)
{
    _cleanup_free_ char *authorization = NULL, *url = NULL;
    struct http_response r = {0};
    struct http_request q = {0};
    int result = -1;

    free(current_authorization(e)); /* settles the scheme */
    url = endpoint_url(e, "/v2/");
    q.url = url;
    q.headers = e->headers;
    request_fill(e, &q);
    if (http_perform(&q, &r, err) < 0)
        goto out;
    if (r.status == 401) {
        if (answer_challenge(e, r.challenge, NULL, ret_token, &authorization, err) < 0) {
            err_wrap(err, "Get \"%s\"", url);
            goto out;
        }
        q.authorization = authorization;
        if (http_perform(&q, &r, err) < 0)
            goto out;
    }
    if (r.status == 401 || r.status == 403)
        err_set(err, ERR_UNAUTHORIZED, "login attempt to %s failed with status: %ld %s", url, r.status,
                r.status == 401 ? "Unauthorized" : "Forbidden");
    else if (r.status / 100 != 2)
        err_set(err, ERR_UNAVAILABLE, "login attempt to %s failed with status: %ld", url, r.status);
    else
        result = 0;
out:
    http_response_finish(&r);
    return result;
}
