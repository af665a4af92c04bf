/* The dispatcher: everything about a request that the table knows. */
#include "api/route.h"

#include <string.h>
#include <strings.h>

#include "api/members.h"
#include "api/text.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/system.h"

static int route_check_version(const struct request *r, unsigned asked, const char *prefix, struct err *err)
{
    unsigned oldest = 0, newest = 0;

    text_parse_version(ENGINE_API_VERSION_MIN, strlen(ENGINE_API_VERSION_MIN), &oldest);
    text_parse_version(ENGINE_API_VERSION, strlen(ENGINE_API_VERSION), &newest);
    if (asked < oldest)
        return err_set(err, ERR_INVALID,
                       "client version %.*s is too old. Minimum supported API version is %s, please upgrade "
                       "your client to a newer version",
                       (int)(r->path - prefix), prefix, ENGINE_API_VERSION_MIN);
    if (asked > newest)
        return err_set(err, ERR_INVALID,
                       "client version %.*s is too new. Maximum supported API version is %s",
                       (int)(r->path - prefix), prefix, ENGINE_API_VERSION);
    return 0;
}

int route_find(struct request *r, struct err *err)
{
    const char *start;
    size_t len;

    text_parse_version(ENGINE_API_VERSION, strlen(ENGINE_API_VERSION), &r->version);
    r->clean_url = text_clean_path(r->url);
    if (r->clean_url)
        r->url = r->clean_url;
    r->path = text_split_version(r->url, &r->version);
    for (size_t i = 0; i < routes_count && !r->route; i++) {
        if (!str_eq(routes[i].method, r->method) || !text_match(routes[i].pattern, r->path, &start, &len))
            continue;
        r->route = &routes[i];
        r->wildcard = len ? xstrndup(start, len) : NULL;
    }
    if (!r->route)
        return err_set(err, ERR_NOT_FOUND, "page not found");
    return r->path == r->url ? 0 : route_check_version(r, r->version, r->url + 2, err);
}

/* Only "application/json" with whatever parameters; a request without a body needs no type. */
static int route_check_type(const struct request *r, struct err *err)
{
    const char *type = request_header(r, "Content-Type"), *json = "application/json";
    size_t len = strlen(json);

    if (!type && r->body_len == 0)
        return 0;
    if (type && strncasecmp(type, json, len) == 0 && strchr(";", type[len + strspn(type + len, " \t")]))
        return 0;
    return err_set(err, ERR_INVALID, "unsupported Content-Type header (%s): must be 'application/json'",
                   type ? type : "");
}

static int route_json_error(const json_error_t *e, const char *data, size_t len, struct err *err)
{
    switch (json_error_code(e)) {
    case json_error_premature_end_of_input:
        return err_set(err, ERR_INVALID, "invalid JSON: unexpected EOF");
    case json_error_end_of_input_expected:
        return err_set(err, ERR_INVALID, "unexpected content after JSON");
    default:
        return err_set(err, ERR_INVALID, "invalid JSON: %s (at byte %d of %zu, near \"%.*s\")", e->text,
                       e->position, len, (int)MIN_OF(len, (size_t)20), data);
    }
}

static int route_settle_body(struct request *r, struct err *err)
{
    json_t *settled;

    if (!r->route->members) {
        members_settle(r->body);
        return 0;
    }
    settled = fields_compact(r->route->members, r->body, "the body", err);
    if (!settled)
        return -1;
    json_decref(r->body);
    r->body = settled;
    return 0;
}

int route_decode(struct request *r, const char *data, size_t len, struct err *err)
{
    json_error_t error;

    if (route_check_type(r, err) < 0)
        return -1;
    while (len && strchr(" \t\r\n", data[len - 1]))
        len--;
    if (len == 0 || (len == 4 && memcmp(data, "null", len) == 0)) {
        r->body = r->route->flags & ROUTE_DEFAULTS ? json_object() : NULL;
        return 0;
    }
    if (json_is_too_deep(data, len))
        return err_set(err, ERR_INVALID, "invalid JSON: nested more than %d levels deep", JSON_DEPTH_MAX);
    r->body = json_loadb(data, len, 0, &error);
    if (!r->body)
        return route_json_error(&error, data, len, err);
    if (!json_is_object(r->body))
        return err_set(err, ERR_INVALID, "invalid JSON: the body must be an object");
    return route_settle_body(r, err);
}

void route_run(struct request *r)
{
    struct err err = {0};

    if (r->route->handler(r, &err) < 0) {
        if (r->reply.kind == REPLY_STREAM && r->reply.begun) {
            r->reply.broken = true; /* no proper end: the client must notice */
            log_debug("%s %s: %s", r->method, r->url, err.message);
        } else {
            engine_advise(r->engine, &err);
            if (err.kind == ERR_UNAVAILABLE && r->route->flags & ROUTE_REMOTE)
                err.kind = ERR_SYSTEM;
            reply_error(r, &err);
        }
    } else if (r->reply.kind == REPLY_NONE) {
        reply_status(r, 200);
    }
}
