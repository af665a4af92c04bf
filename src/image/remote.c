/* Questions to registries. */
#include "image/remote.h"

#include <ctype.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "image/registry.h"
#include "image/store_internal.h"

enum { TAGS_A_PAGE = 1000 };

#define HUB_INDEX "index.docker.io"

static int on_wait(void *arg, int64_t bytes _unused_)
{
    const struct image_remote *o = arg;

    return image_listener_gone(o->listener) ? -1 : 0;
}

static struct registry *open_registry(const struct image_remote *o, const char *domain, const char *path,
                                      const char *name, struct err *err)
{
    return registry_open(
        o->store, &(struct registry_options){.domain = domain, .path = path, .name = name, .auth = o->auth},
        err);
}

/* ---- tags ---- */

static int take_tags(const struct buf *body, const char *name, char ***tags, struct err *err)
{
    _cleanup_json_ json_t *json = json_parse(body->data, body->len, "the registry's list of tags", err);
    const json_t *tag;
    size_t i;

    if (!json)
        return -1;
    json_array_foreach (json_object_get(json, "tags"), i, tag) {
        if (!json_is_string(tag) || strv_len(*tags) >= REMOTE_TAGS_MAX)
            return err_set(err, ERR_INVALID,
                           "%s: the registry's list of tags is malformed or has more than %d", name,
                           REMOTE_TAGS_MAX);
        if (!strv_contains(*tags, json_string_value(tag)))
            strv_push(tags, json_string_value(tag));
    }
    return 0;
}

static int fetch_tags(struct registry *registry, const struct image_remote *o, const struct reference *ref,
                      const char *name, char ***tags, struct err *err)
{
    const struct registry_watch watch = {on_wait, (void *)o};
    _cleanup_free_ char *path = xasprintf("/v2/%s/tags/list?n=%d", ref->path, TAGS_A_PAGE);

    while (path) {
        _cleanup_(buf_finish) struct buf body = BUF_INIT(MANIFEST_SIZE_MAX);
        size_t before = strv_len(*tags);
        char *next = NULL;

        if (registry_get_document(registry, path, &watch, &body, &next, err) < 0)
            return -1;
        free(path);
        path = next;
        if (take_tags(&body, name, tags, err) < 0)
            return -1;
        if (strv_len(*tags) == before)
            break; /* nothing new: a registry that leads in circles */
    }
    return 0;
}

int image_remote_tags(const struct image_remote *o, const struct reference *ref, char ***ret, struct err *err)
{
    _cleanup_free_ char *name = reference_familiar_name(ref);
    _cleanup_strv_ char **tags = NULL;
    struct registry *registry = open_registry(o, ref->domain, ref->path, name, err);
    int r = registry ? fetch_tags(registry, o, ref, name, &tags, err) : -1;

    registry_close(registry);
    if (r == 0 && !tags)
        r = err_set(err, ERR_NOT_FOUND, "repository %s has no tags", name);
    *ret = r == 0 ? take_ptr(&tags) : NULL;
    return r;
}

/* ---- inspect ---- */

/* The one platform of an image's configuration. */
static int config_platform(struct registry *registry, const struct image_remote *o,
                           const struct reference *ref, const struct manifest *m, json_t *platforms,
                           struct err *err)
{
    const struct registry_watch watch = {on_wait, (void *)o};
    _cleanup_(buf_finish) struct buf body = BUF_INIT(IMAGE_CONFIG_SIZE_MAX);
    _cleanup_free_ char *path = xasprintf("/v2/%s/blobs/%s", ref->path, m->config.digest), *next = NULL;
    _cleanup_image_config_ struct image_config config = {0};
    char digest[DIGEST_SIZE];

    if (registry_get_document(registry, path, &watch, &body, &next, err) < 0)
        return -1;
    digest_of(buf_str(&body), body.len, digest);
    if (!str_eq(digest, m->config.digest))
        return err_set(err, ERR_INVALID, "image config verification failed for digest %s", m->config.digest);
    if (image_config_parse(buf_str(&body), body.len, &config, err) < 0)
        return -1;
    json_array_append_new(platforms, platform_json(&config.platform));
    return 0;
}

static int inspect(struct registry *registry, const struct image_remote *o, const struct reference *ref,
                   json_t **ret, struct err *err)
{
    const struct registry_watch watch = {on_wait, (void *)o};
    _cleanup_free_ char *display = reference_familiar(ref);
    struct registry_manifest document;
    _cleanup_manifest_ struct manifest m = {0};
    _cleanup_json_ json_t *platforms = json_array();
    int r = registry_get_manifest(registry, ref->digest ? ref->digest : ref->tag, display, &watch, &document,
                                  err);

    if (r == 0)
        r = manifest_parse(buf_str(&document.body), document.body.len, document.media_type, &m, err);
    for (size_t i = 0; r == 0 && m.kind == MANIFEST_INDEX && i < m.n_children; i++)
        if (!m.children[i].attestation && m.children[i].platform.os[0])
            json_array_append_new(platforms, platform_json(&m.children[i].platform));
    if (r == 0 && m.kind == MANIFEST_IMAGE && !m.artifact)
        r = config_platform(registry, o, ref, &m, platforms, err);
    if (r == 0)
        *ret = json_pack("{s:{s:s, s:s, s:I}, s:O}", "Descriptor", "mediaType", m.media_type, "digest",
                         document.digest, "size", (json_int_t)document.body.len, "Platforms", platforms);
    registry_manifest_finish(&document);
    return r;
}

int image_remote_inspect(const struct image_remote *o, const struct reference *ref, json_t **ret,
                         struct err *err)
{
    _cleanup_free_ char *name = reference_familiar_name(ref);
    struct registry *registry = open_registry(o, ref->domain, ref->path, name, err);
    int r = registry ? inspect(registry, o, ref, ret, err) : -1;

    registry_close(registry);
    return r;
}

/* ---- search ---- */

/* Percent-encodes all but letters, digits and "-._~" (RFC 3986). */
static void append_encoded(struct buf *b, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (isalnum(c) || strchr("-._~", c))
            buf_putc(b, (char)c);
        else
            buf_printf(b, "%%%02X", c);
    }
}

int image_remote_search(const struct image_remote *o, const char *term, int limit, json_t **ret,
                        struct err *err)
{
    const struct registry_watch watch = {on_wait, (void *)o};
    const char *slash = strchr(term, '/');
    bool foreign = slash && memchr(term, '.', (size_t)(slash - term) + 1);
    _cleanup_free_ char *domain = NULL, *next = NULL;
    _cleanup_(buf_finish) struct buf path = BUF_INIT(64 * 1024), body = BUF_INIT(MANIFEST_SIZE_MAX);
    _cleanup_json_ json_t *json = NULL;
    struct registry *registry;
    int r;

    foreign =
        foreign || (slash && (memchr(term, ':', (size_t)(slash - term)) || str_starts(term, "localhost/")));
    domain = foreign ? xstrndup(term, (size_t)(slash - term)) : xstrdup(HUB_INDEX);
    buf_puts(&path, "/v1/search?q=");
    append_encoded(&path, foreign ? slash + 1 : term);
    buf_printf(&path, "&n=%d", limit);
    registry = open_registry(o, domain, NULL, domain, err);
    r = registry ? registry_get_document(registry, buf_str(&path), &watch, &body, &next, err) : -1;
    registry_close(registry);
    if (r < 0 && registry && err && err->kind == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND, "%s can't be searched: it has no /v1/search, or refuses it",
                       domain);
    if (r < 0)
        return -1;
    json = json_parse(buf_str(&body), body.len, "the registry's search results", err);
    if (!json)
        return -1;
    *ret = json_is_array(json_object_get(json, "results")) ? json_incref(json_object_get(json, "results"))
                                                           : json_array();
    return 0;
}

/* ---- any URL ---- */

int image_remote_download(const struct image_remote *o, const char *url, int *out, struct err *err)
{
    const struct registry_watch watch = {on_wait, (void *)o};
    struct registry *registry = open_registry(o, "localhost", NULL, "", err); /* no registry is asked */
    int r = registry ? registry_get_url(registry, url, out, &watch, err) : -1;

    close_fd(out);
    registry_close(registry);
    return r;
}
