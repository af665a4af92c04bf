/* A registry's answers in Docker's words. */
#include "image/worker/answers.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "image/worker/challenge.h"

enum { RETRY_AFTER_MAX = 60 };

bool answer_is_transient(const struct http_response *r)
{
    static const long again[] = {408, 429, 500, 502, 503, 504};

    for (size_t i = 0; i < ARRAY_SIZE(again); i++)
        if (r->status == again[i])
            return r->retry_after <= RETRY_AFTER_MAX;
    return false;
}

bool answer_is_missed(const struct http_response *r, bool answered, int attempt)
{
    if (r->stalled)
        return attempt + 1 < ANSWER_STALLS;
    return r->transient || (r->unreachable && answered);
}

bool answer_wait(int attempt, int retry_after, const struct client_watch *watch)
{
    int64_t now = clock_monotonic(), ms = MAX_OF(250LL << attempt, retry_after * 1000LL);
    int64_t until = now + ms * 1000000;

    until += now % (ms * 250000); /* up to a quarter more: many clients don't come back all at once */
    while (clock_monotonic() < until) {
        struct timespec step = {.tv_nsec = 100 * 1000 * 1000};

        if (watch && watch->cancelled(watch->arg))
            return false;
        nanosleep(&step, NULL);
    }
    return true;
}

/* What error codes mean for a pull; %s are the thing asked for and the registry's own words. To translate
 * another code: a row. */
static const struct {
    const char *code;
    enum err_kind kind;
    bool whole; /* it is the repository's trouble, not the tag's */
    const char *format;
} pull_words[] = {
    {"MANIFEST_UNKNOWN", ERR_NOT_FOUND, false, "manifest for %s not found: manifest unknown: %s"},
    {"NAME_UNKNOWN", ERR_NOT_FOUND, true, "repository %s not found: name unknown: %s"},
    {"BLOB_UNKNOWN", ERR_NOT_FOUND, true, "blob of %s not found: blob unknown: %s"},
    {"DENIED", ERR_NOT_FOUND, true,
     "pull access denied for %s, repository does not exist or may require 'docker login': denied: %s"},
    {"UNAUTHORIZED", ERR_NOT_FOUND, true,
     "pull access denied for %s, repository does not exist or may require 'docker login': unauthorized: %s"},
    {"TOOMANYREQUESTS", ERR_UNAVAILABLE, false, "%s: toomanyrequests: %s"},
    {"NAME_INVALID", ERR_INVALID, false, "%s: name invalid: %s"},
    {"TAG_INVALID", ERR_INVALID, false, "%s: tag invalid: %s"},
};

static const struct {
    const char *code;
    enum err_kind kind;
} push_kinds[] = {
    {"DENIED", ERR_FORBIDDEN},
    {"UNAUTHORIZED", ERR_UNAUTHORIZED},
    {"TOOMANYREQUESTS", ERR_UNAVAILABLE},
    {"NAME_UNKNOWN", ERR_NOT_FOUND},
    {"MANIFEST_BLOB_UNKNOWN", ERR_NOT_FOUND},
};

/* For answers that say nothing themselves. */
static const struct {
    long status;
    const char *code, *message;
} status_codes[] = {
    {401, "UNAUTHORIZED", "authentication required"},
    {403, "DENIED", "requested access to the resource is denied"},
    {404, "MANIFEST_UNKNOWN", "manifest unknown"},
    {429, "TOOMANYREQUESTS", "too many requests"},
};

/* The registry's message may be anything: one line, printable, short. */
static char *tame(const char *text)
{
    char *copy = xstrndup(text, 300);

    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    return copy;
}

/* What a bearer token lacks (RFC 6750 section 3.1) says more than the body does. */
static const struct {
    const char *error, *code, *message;
} token_errors[] = {
    {"insufficient_scope", "DENIED", "requested access to the resource is denied"},
    {"invalid_token", "UNAUTHORIZED", "authentication required"},
};

/* Code and message, by the answer's own words or by its status; both the caller's, "" when there are none. */
static void take_words(const struct http_response *r, char **ret_code, char **ret_message)
{
    _cleanup_json_ json_t *json = json_loadb(buf_str(&r->error_body), r->error_body.len, 0, NULL);
    const json_t *first = json_array_get(json_object_get(json, "errors"), 0);
    const char *code = json_str_or(first, "code", ""), *message = json_str_or(first, "message", "");
    struct challenge c = {0};

    if (r->challenge)
        challenge_parse(r->challenge, &c);
    for (size_t i = 0; i < ARRAY_SIZE(token_errors); i++)
        if (str_eq(c.error, token_errors[i].error)) {
            code = token_errors[i].code;
            message = token_errors[i].message;
        }
    challenge_finish(&c);

    for (size_t i = 0; i < ARRAY_SIZE(status_codes); i++)
        if (r->status == status_codes[i].status) {
            code = *code ? code : status_codes[i].code;
            message = *message ? message : status_codes[i].message;
        }
    *ret_code = tame(code);
    *ret_message = tame(message);
    if (r->status == 429 && r->retry_after > 0) {
        _cleanup_free_ char *own = *ret_message;

        *ret_message = xasprintf("%s (it may be tried again in %d s)", own, r->retry_after);
    }
}

static int answer_unexpected(const struct http_response *r, const char *message, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "received unexpected HTTP status: %ld%s%s", r->status,
                   *message ? ": " : "", message);
}

int answer_error(const struct http_response *r, const char *name, const char *display, struct err *err)
{
    _cleanup_free_ char *code = NULL, *message = NULL;

    take_words(r, &code, &message);
    for (size_t i = 0; i < ARRAY_SIZE(pull_words); i++)
        if (str_eq(code, pull_words[i].code))
            return err_set(err, pull_words[i].kind, pull_words[i].format,
                           pull_words[i].whole ? name : display, message);
    return answer_unexpected(r, message, err);
}

int answer_push_error(const struct http_response *r, struct err *err)
{
    _cleanup_free_ char *code = NULL, *message = NULL;
    enum err_kind kind = ERR_INVALID;

    take_words(r, &code, &message);
    if (!*code || r->status == 404)
        return answer_unexpected(r, message, err);
    for (size_t i = 0; i < ARRAY_SIZE(push_kinds); i++)
        if (str_eq(code, push_kinds[i].code))
            kind = push_kinds[i].kind;
    for (char *c = code; *c; c++)
        *c = *c == '_' ? ' ' : (char)tolower((unsigned char)*c);
    return err_set(err, kind, "%s: %s", code, message);
}

/* Where token servers say what is wrong: as registries do, as Docker Hub does, as OAuth2 has it (RFC 6749
 * section 5.2). */
static const char *const token_words[] = {"message", "details", "error_description", "error"};

int answer_token_error(const struct http_response *r, const char *url, struct err *err)
{
    _cleanup_json_ json_t *json = json_loadb(buf_str(&r->error_body), r->error_body.len, 0, NULL);
    const json_t *first = json_array_get(json_object_get(json, "errors"), 0);
    const char *words = NULL;
    _cleanup_free_ char *tamed = NULL;

    for (size_t i = 0; !words && i < ARRAY_SIZE(token_words); i++)
        words = json_str(first ? first : json, token_words[i]);
    tamed = words ? tame(words) : NULL;
    if (r->status == 429)
        return err_set(err, ERR_UNAVAILABLE, "toomanyrequests: %s", tamed ? tamed : "too many requests");
    if (r->status == 400 || r->status == 401 || r->status == 403)
        return err_set(err, ERR_UNAUTHORIZED, "%s: %s", r->status == 403 ? "denied" : "unauthorized",
                       tamed ? tamed : "incorrect username or password");
    return err_set(err, ERR_UNAVAILABLE, "the token server at %.*s answered with status %ld%s%s",
                   (int)strcspn(url, "?"), url, r->status, tamed ? ": " : "", tamed ? tamed : "");
}
