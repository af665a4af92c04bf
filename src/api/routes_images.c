/* Routes of images. */
#include <string.h>

#include "api/handlers.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/images.h"

#define TYPE_TAR "application/x-tar"

int route_images_list(struct request *r, struct err *err)
{
    _cleanup_json_ json_t *filters = NULL;
    struct engine_image_list_options o = {
        .all = request_query_bool(r, "all"),
        .digests = request_query_bool(r, "digests"),
        .shared_size = request_query_bool(r, "shared-size"),
        .manifests = request_query_bool(r, "manifests"),
    };
    json_t *ret = NULL;
    char *text;

    if (request_filters(r, &filters, err) < 0)
        return -1;
    if (r->version < 1041 && !str_empty(request_query(r, "filter"))) { /* what a "reference" is since */
        if (!filters)
            filters = json_object();
        json_object_set_new(filters, "reference", json_pack("[s]", request_query(r, "filter")));
    }
    o.shared_size = o.shared_size && r->version >= 1042;
    o.filters = filters;
    if (!json_object_size(filters) && !o.shared_size && !o.manifests && !reply_is_trimmed(r)) {
        text = engine_image_list_text(r->engine, err);
        return text ? reply_json_text(r, 200, text) : -1;
    }
    if (engine_image_list(r->engine, &o, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

/* Newer clients send {"os":…,"architecture":…,"variant":…}, older ones "os/architecture/variant". *ret: NULL
 * when there is none; the caller frees. */
static int images_parse_platform(const char *text, char **ret, struct err *err)
{
    _cleanup_json_ json_t *platform = NULL;
    const char *variant;

    *ret = NULL;
    if (str_empty(text))
        return 0;
    if (text[0] != '{') {
        *ret = xstrdup(text);
        return 0;
    }
    platform = json_parse(text, strlen(text), "platform", err);
    if (!platform)
        return -1;
    variant = json_str_or(platform, "variant", "");
    *ret = xasprintf("%s/%s%s%s", json_str_or(platform, "os", "linux"),
                     json_str_or(platform, "architecture", ""), *variant ? "/" : "", variant);
    return 0;
}

static int images_query_platform(const struct request *r, char **ret, struct err *err)
{
    return images_parse_platform(request_query(r, "platform"), ret, err);
}

static int images_import(struct request *r, const char *platform, struct err *err)
{
    _cleanup_strv_ char **changes = request_query_all(r, "changes");
    const char *source = request_query(r, "fromSrc");
    const struct engine_import_options o = {
        .repo = request_query(r, "repo"),
        .tag = request_query(r, "tag"),
        .message = request_query(r, "message"),
        .platform = platform,
        .changes = changes,
        .source = str_eq(source, "-") ? NULL : source,
    };

    if (str_empty(source))
        return err_set(err, ERR_INVALID, "nothing to import: fromSrc is a URL, or - for the request's body");
    if (engine_image_import(r->engine, r->body_fd, &o, reply_stream(r, "application/json"), err) < 0 &&
        !r->reply.begun)
        return -1;
    return 0;
}

int route_images_create(struct request *r, struct err *err)
{
    _cleanup_json_ json_t *auth = NULL, *others = NULL;
    _cleanup_free_ char *platform = NULL;
    struct engine_pull_options o = {.name = request_query(r, "fromImage"), .tag = request_query(r, "tag")};

    if (images_query_platform(r, &platform, err) < 0)
        return -1;
    if (str_empty(o.name))
        return images_import(r, platform, err);
    request_auth(r, "X-Registry-Auth", &auth);
    request_auth(r, "X-Registry-Config", &others);
    o.auth = auth;
    o.others = others;
    o.platform = platform;
    if (str_empty(o.tag))
        o.tag = NULL;
    /* what goes wrong behind the first line is told in the stream */
    if (engine_image_pull(r->engine, &o, reply_stream(r, "application/json"), err) < 0 && !r->reply.begun)
        return -1;
    return 0;
}

int route_images_push(struct request *r, struct err *err)
{
    const char *tag = request_query(r, "tag");
    _cleanup_free_ char *platform = NULL;
    _cleanup_json_ json_t *auth = NULL;

    request_auth(r, "X-Registry-Auth", &auth);
    if (images_query_platform(r, &platform, err) < 0)
        return -1;
    if (engine_image_push(r->engine, r->wildcard, str_empty(tag) ? NULL : tag, platform, auth,
                          reply_stream(r, "application/json"), err) < 0 &&
        !r->reply.begun)
        return -1;
    return 0;
}

int route_images_search(struct request *r, struct err *err)
{
    _cleanup_json_ json_t *filters = NULL, *auth = NULL;
    struct engine_search_options o = {.term = request_query(r, "term"), .client_fd = r->fd};
    json_t *ret = NULL;

    request_auth(r, "X-Registry-Auth", &auth);
    if (request_filters(r, &filters, err) < 0 || request_query_int(r, "limit", 0, &o.limit, err) < 0)
        return -1;
    o.filters = filters;
    o.auth = auth;
    if (engine_image_search(r->engine, &o, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_images_distribution(struct request *r, struct err *err)
{
    _cleanup_json_ json_t *auth = NULL;
    json_t *ret = NULL;

    request_auth(r, "X-Registry-Auth", &auth);
    if (engine_distribution_inspect(r->engine, r->wildcard, auth, r->fd, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_images_load(struct request *r, struct err *err)
{
    _cleanup_free_ char *platform = NULL;

    if (images_query_platform(r, &platform, err) < 0)
        return -1;
    if (engine_image_load(r->engine, r->body_fd, platform, request_query_bool(r, "quiet"),
                          reply_stream(r, "application/json"), err) < 0 &&
        !r->reply.begun)
        return -1;
    return 0;
}

static int images_save(struct request *r, char *const *names, struct err *err)
{
    _cleanup_free_ char *platform = NULL;

    if (images_query_platform(r, &platform, err) < 0)
        return -1;
    return engine_image_save(r->engine, names, platform, reply_stream(r, TYPE_TAR), err);
}

int route_images_save(struct request *r, struct err *err)
{
    _cleanup_strv_ char **names = request_query_all(r, "names");

    if (!names)
        return err_set(err, ERR_INVALID, "no image names given: say which in the parameter \"names\"");
    return images_save(r, names, err);
}

int route_images_save_one(struct request *r, struct err *err)
{
    char *names[] = {r->wildcard, NULL};

    return images_save(r, names, err);
}

int route_images_inspect(struct request *r, struct err *err)
{
    struct engine_image_inspect_options o = {.manifests = request_query_bool(r, "manifests")};
    _cleanup_free_ char *platform = NULL;
    json_t *ret = NULL;

    if (images_query_platform(r, &platform, err) < 0)
        return -1;
    if (platform && o.manifests)
        return err_set(err, ERR_INVALID,
                       "conflicting options: manifests and platform options cannot both be set");
    o.platform = platform;
    if (engine_image_inspect(r->engine, r->wildcard, &o, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_images_history(struct request *r, struct err *err)
{
    _cleanup_free_ char *platform = NULL;
    json_t *ret = NULL;

    if (images_query_platform(r, &platform, err) < 0 ||
        engine_image_history(r->engine, r->wildcard, platform, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_images_tag(struct request *r, struct err *err)
{
    const char *repo = request_query(r, "repo"), *tag = request_query(r, "tag");

    if (engine_image_tag(r->engine, r->wildcard, repo ? repo : "", str_empty(tag) ? NULL : tag, err) < 0)
        return -1;
    return reply_status(r, 201);
}

int route_images_remove(struct request *r, struct err *err)
{
    struct engine_image_remove_options o = {.force = request_query_bool(r, "force"),
                                            .no_prune = request_query_bool(r, "noprune")};
    _cleanup_strv_ char **platforms = request_query_all(r, "platforms");
    _cleanup_free_ char *platform = NULL;
    json_t *ret = NULL;

    if (!r->wildcard || !r->wildcard[strspn(r->wildcard, " \t\n")])
        return err_set(err, ERR_INVALID, "image name cannot be blank");
    if (strv_len(platforms) > 1)
        return err_set(err, ERR_INVALID, "multiple platforms are not supported");
    if (platforms && images_parse_platform(platforms[0], &platform, err) < 0)
        return -1;
    o.platform = platform;
    if (engine_image_remove(r->engine, r->wildcard, &o, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}

int route_images_prune(struct request *r, struct err *err)
{
    _cleanup_json_ json_t *filters = NULL;
    json_t *ret = NULL;

    if (request_filters(r, &filters, err) < 0 || engine_image_prune(r->engine, filters, &ret, err) < 0)
        return -1;
    return reply_json(r, 200, ret);
}
