/* Routes of containers that answer with a document. */
#include "api/handlers.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/commit.h"

enum { START_BODY_MAX = 7 }; /* "null", "{}" and the like say nothing */

int route_containers_list(struct request *r, struct err *err)
{
    _cleanup_json_ json_t *filters = NULL;
    struct engine_list_options o = {.all = request_query_bool(r, "all"),
                                    .size = request_query_bool(r, "size"),
                                    .brief = request_query_bool(r, "keg-brief")};
    json_t *ret = NULL;
    int64_t limit;

    if (request_query_int(r, "limit", 0, &limit, err) < 0 || request_filters(r, &filters, err) < 0)
        return -1;
    o.limit = limit > 0 && limit < INT_MAX ? (int)limit : 0;
    o.filters = filters;
    if (!o.size && !reply_is_trimmed(r)) {
        char *text = engine_container_list_text(r->engine, &o, err);
        return text ? reply_json_text(r, 200, text) : -1;
    }
    if (engine_container_list(r->engine, &o, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_containers_create(struct request *r, struct err *err)
{
    const json_t *body = request_body(r, err);
    const char *name = request_query(r, "name"), *platform = request_query(r, "platform");
    json_t *ret = NULL;

    if (!body || engine_container_create(r->engine, str_empty(name) ? NULL : name,
                                         str_empty(platform) ? NULL : platform, body, &ret, err) < 0)
        return -1;
    return reply_json(r, 201, ret);
}

int route_containers_inspect(struct request *r, struct err *err)
{
    json_t *ret = NULL;

    if (engine_container_inspect(r->engine, r->wildcard, request_query_bool(r, "size"), &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_containers_top(struct request *r, struct err *err)
{
    const char *args = request_query(r, "ps_args");
    json_t *ret = NULL;

    if (engine_container_top(r->engine, r->wildcard, str_empty(args) ? NULL : args, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_containers_changes(struct request *r, struct err *err)
{
    json_t *ret = NULL;

    if (engine_container_changes(r->engine, r->wildcard, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_containers_start(struct request *r, struct err *err)
{
    const char *keys = request_query(r, "detachKeys");

    if (r->body_len > START_BODY_MAX)
        return err_set(
            err, ERR_INVALID,
            "starting container with non-empty request body was deprecated since API v1.22 and removed "
            "in v1.24");
    if (engine_container_start(r->engine, r->wildcard, str_empty(keys) ? NULL : keys, err) < 0)
        return -1;
    return reply_status(r, 204);
}

/* Stop and restart take the same parameters; a signal only since 1.42. */
static int containers_stop_with(struct request *r, struct err *err,
                                int (*stop)(struct engine *e, const char *ref, const char *signal,
                                            int timeout_s, struct err *err))
{
    const char *signal = r->version >= 1042 ? request_query(r, "signal") : NULL;
    int64_t timeout;

    if (request_query_int(r, "t", ENGINE_TIMEOUT_DEFAULT, &timeout, err) < 0)
        return -1;
    if (timeout != ENGINE_TIMEOUT_DEFAULT)
        timeout = timeout < 0 ? -1 : MIN_OF(timeout, (int64_t)INT_MAX);
    if (stop(r->engine, r->wildcard, str_empty(signal) ? NULL : signal, (int)timeout, err) < 0)
        return -1;
    return reply_status(r, 204);
}

int route_containers_stop(struct request *r, struct err *err)
{
    return containers_stop_with(r, err, engine_container_stop);
}

int route_containers_restart(struct request *r, struct err *err)
{
    return containers_stop_with(r, err, engine_container_restart);
}

int route_containers_kill(struct request *r, struct err *err)
{
    const char *signal = request_query(r, "signal");

    if (engine_container_kill(r->engine, r->wildcard, str_empty(signal) ? NULL : signal, err) < 0)
        return -1;
    return reply_status(r, 204);
}

int route_containers_pause(struct request *r, struct err *err)
{
    return engine_container_pause(r->engine, r->wildcard, err) < 0 ? -1 : reply_status(r, 204);
}

int route_containers_unpause(struct request *r, struct err *err)
{
    return engine_container_unpause(r->engine, r->wildcard, err) < 0 ? -1 : reply_status(r, 204);
}

int route_containers_rename(struct request *r, struct err *err)
{
    const char *name = request_query(r, "name");

    if (engine_container_rename(r->engine, r->wildcard, name ? name : "", err) < 0)
        return -1;
    return reply_status(r, 204);
}

int route_containers_resize(struct request *r, struct err *err)
{
    unsigned height, width;

    if (request_query_size(r, &height, &width, err) < 0 ||
        engine_container_resize(r->engine, r->wildcard, height, width, err) < 0)
        return -1;
    return reply_status(r, 200);
}

int route_containers_update(struct request *r, struct err *err)
{
    const json_t *body = request_body(r, err);
    json_t *ret = NULL;

    if (!body || engine_container_update(r->engine, r->wildcard, body, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_containers_export(struct request *r, struct err *err)
{
    return engine_container_export(r->engine, r->wildcard, reply_stream(r, "application/octet-stream"), err);
}

int route_containers_commit(struct request *r, struct err *err)
{
    const char *container = request_query(r, "container"), *pause = request_query(r, "pause");
    _cleanup_strv_ char **changes = request_query_all(r, "changes");
    const struct engine_commit_options o = {
        .repo = request_query(r, "repo"),
        .tag = request_query(r, "tag"),
        .author = request_query(r, "author"),
        .comment = request_query(r, "comment"),
        .changes = changes,
        .config = r->body,
        .pause = str_empty(pause) || request_query_bool(r, "pause"),
    };
    json_t *ret = NULL;

    if (str_empty(container))
        return err_set(
            err, ERR_INVALID,
            "invalid name or ID supplied: \"\": say which container in the parameter \"container\"");
    if (engine_container_commit(r->engine, container, &o, &ret, err) < 0)
        return -1;
    return reply_json(r, 201, ret);
}

int route_containers_remove(struct request *r, struct err *err)
{
    const struct engine_remove_options o = {.force = request_query_bool(r, "force"),
                                            .volumes = request_query_bool(r, "v"),
                                            .link = request_query_bool(r, "link")};

    if (!r->wildcard)
        return err_set(err, ERR_INVALID, "invalid name or ID supplied: \"\"");
    if (engine_container_remove(r->engine, r->wildcard, &o, err) < 0)
        return -1;
    return reply_status(r, 204);
}

int route_containers_prune(struct request *r, struct err *err)
{
    _cleanup_json_ json_t *filters = NULL;
    json_t *ret = NULL;

    if (request_filters(r, &filters, err) < 0 || engine_container_prune(r->engine, filters, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}
