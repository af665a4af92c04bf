/* Routes of what a container holds and uses: files in and out, figures. */
#include <string.h>

#include "api/handlers.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/archive.h"
#include "engine/stats.h"

static const char *archive_path(const struct request *r, struct err *err)
{
    const char *path = request_query(r, "path");

    if (!str_empty(path))
        return path;
    err_set(err, ERR_INVALID, "bad parameter: path cannot be empty");
    return NULL;
}

/* Takes the stat. */
static void archive_stat_header(struct request *r, json_t *stat)
{
    _cleanup_json_ json_t *owned = stat;
    _cleanup_free_ char *text = json_text(owned),
                        *encoded = base64_encode(text, strlen(text), /* url= */ false);

    reply_header(r, "X-Docker-Container-Path-Stat", encoded);
}

int route_containers_path_stat(struct request *r, struct err *err)
{
    const char *path = archive_path(r, err);
    json_t *stat = NULL;

    if (!path || engine_container_path_stat(r->engine, r->wildcard, path, r->fd, &stat, err) < 0)
        return -1;
    archive_stat_header(r, stat);
    return reply_status(r, 200);
}

int route_containers_archive(struct request *r, struct err *err)
{
    const char *path = archive_path(r, err);
    struct engine_archive *archive;
    json_t *stat = NULL;

    if (!path)
        return -1;
    archive = engine_container_archive_begin(r->engine, r->wildcard, path, r->fd, &stat, err);
    if (!archive)
        return -1;
    archive_stat_header(r, stat);
    return engine_container_archive_send(archive, reply_stream(r, "application/x-tar"), err);
}

int route_containers_extract(struct request *r, struct err *err)
{
    const struct engine_extract_options o = {.keep_kind = request_query_bool(r, "noOverwriteDirNonDir"),
                                             .users_own = request_query_bool(r, "copyUIDGID"),
                                             .client_fd = r->fd};
    const char *path = archive_path(r, err);

    if (!path || engine_container_extract(r->engine, r->wildcard, path, r->body_fd, &o, err) < 0)
        return -1;
    return reply_status(r, 200);
}

/* ---- figures ---- */

int route_containers_stats(struct request *r, struct err *err)
{
    const char *stream = request_query(r, "stream");
    const struct engine_stats_options o = {
        .stream = str_empty(stream) || request_query_bool(r, "stream"),
        .one_shot = r->version >= 1041 && request_query_bool(r, "one-shot"),
    };
    json_t *ret = NULL;

    if (o.stream && o.one_shot)
        return err_set(err, ERR_INVALID, "cannot have stream=true and one-shot=true");
    if (o.stream)
        return engine_container_stats_stream(r->engine, r->wildcard, reply_stream(r, "application/json"),
                                             err);
    if (engine_container_stats(r->engine, r->wildcard, &o, r->fd, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}
