/* Routes about the engine itself, and what stands for the parts that it hasn't. */
#include <string.h>

#include "api/handlers.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/check.h"
#include "engine/events.h"
#include "engine/system.h"

int route_system_ping(struct request *r, struct err *err _unused_)
{
    reply_header(r, "Cache-Control", "no-cache, no-store, must-revalidate");
    reply_header(r, "Pragma", "no-cache");
    reply_header(r, "Swarm", "inactive");
    return reply_text(r, 200, str_eq(r->method, "HEAD") ? "" : "OK");
}

int route_system_options(struct request *r, struct err *err _unused_)
{
    return reply_status(r, 200);
}

int route_system_version(struct request *r, struct err *err _unused_)
{
    return reply_json(r, 200, engine_version());
}

int route_system_info(struct request *r, struct err *err)
{
    json_t *ret = NULL;

    if (engine_info(r->engine, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

static int system_query_time(const struct request *r, const char *key, int64_t *ret, struct err *err)
{
    const char *text = request_query(r, key);

    *ret = 0;
    if (str_empty(text) || str_eq(text, "0"))
        return 0;
    if (clock_parse_since(text, clock_now(), ret) < 0)
        return err_set(err, ERR_INVALID, "invalid value for parameter %s: \"%s\" is no time", key, text);
    return 0;
}

int route_system_events(struct request *r, struct err *err)
{
    _cleanup_json_ json_t *filters = NULL;
    struct engine_events_options o = {0};

    /* 0 is the beginning of time; and who says but an end wants what was before it */
    if (system_query_time(r, "since", &o.since, err) < 0 ||
        system_query_time(r, "until", &o.until, err) < 0 || request_filters(r, &filters, err) < 0)
        return -1;
    if (o.until && o.since > o.until)
        return err_set(err, ERR_INVALID, "`since` time (%s) cannot be after `until` time (%s)",
                       request_query(r, "since"), request_query(r, "until"));
    if (!o.since && (o.until || !str_empty(request_query(r, "since"))))
        o.since = 1;
    o.filters = filters;
    return engine_events(r->engine, &o, reply_stream(r, "application/json"), err);
}

int route_system_disk_usage(struct request *r, struct err *err)
{
    _cleanup_strv_ char **types = request_query_all(r, "type");
    json_t *ret = NULL;

    if (engine_disk_usage(r->engine, types, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_system_check(struct request *r, struct err *err)
{
    struct engine_check_options o = {.quick = request_query_bool(r, "quick"),
                                     .repair = request_query_bool(r, "repair")};
    _cleanup_json_ json_t *auths = NULL;

    request_auth(r, "X-Registry-Config", &auths);
    o.auths = auths;
    /* what goes wrong behind the first line is told in the stream */
    if (engine_check(r->engine, &o, reply_stream(r, "application/json"), err) < 0 && !r->reply.begun)
        return -1;
    return 0;
}

int route_system_login(struct request *r, struct err *err)
{
    const json_t *body = request_body(r, err);
    json_t *ret = NULL;

    if (!body || engine_login(r->engine, body, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

/* There is no builder, so there is nothing to prune: `docker system prune` asks for it every time. */
int route_system_no_build_cache(struct request *r, struct err *err _unused_)
{
    return reply_json(r, 200, json_pack("{s:n, s:i}", "CachesDeleted", "SpaceReclaimed", 0));
}

int route_system_no_plugins(struct request *r, struct err *err _unused_)
{
    return reply_json(r, 200, json_array());
}

int route_system_no_plugin(struct request *r, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "plugin \"%s\" not found", r->wildcard);
}

int route_system_no_swarm(struct request *r, struct err *err)
{
    if (str_eq(r->path, "/swarm/leave"))
        return err_set(err, ERR_UNAVAILABLE, "This node is not part of a swarm");
    return err_set(
        err, ERR_UNAVAILABLE,
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect "
        "this node to swarm and try again.");
}

int route_system_no_cluster_volume(struct request *r _unused_, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE,
                   "volume update only valid for cluster volumes, but swarm is unavailable");
}

int route_system_not_implemented(struct request *r, struct err *err)
{
    static const struct {
        const char *path, *text;
    } rows[] = {
        {"/build", "building images is not implemented by keg yet: load what other builders save"},
        {"/session", "building images is not implemented by keg yet: load what other builders save"},
        {"/swarm/", "swarm mode is not implemented by keg"},
        {"/plugins/", "plugins are not implemented by keg: its drivers are built in"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (str_starts(r->path, rows[i].path))
            return err_set(err, ERR_NOT_IMPLEMENTED, "%s", rows[i].text);
    return err_set(err, ERR_NOT_IMPLEMENTED, "%s %s is not implemented by keg yet", r->method, r->path);
}
