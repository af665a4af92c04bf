/* What a container has written, going out: export as one archive, commit as an image. Both read a tar that a
 * keg-layer packs; a thread waits for that while the caller reads. */
#include "engine/commit.h"

#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/fields.h"
#include "engine/images_internal.h"
#include "engine/merge_config.h"
#include "engine/pipe_fill.h"
#include "image/change.h"
#include "image/commit.h"
#include "image/reference.h"
#include "storage/storage.h"

enum { PIECE = 256 * 1024 };

/* A tar in the making. */
struct packing {
    struct storage *storage;
    const char *id;
    int (*pack)(struct storage *s, const char *id, int out, struct storage_pack_result *ret, struct err *err);
};

static int pack(void *arg, int *out, struct err *err)
{
    struct packing *p = arg;

    return p->pack(p->storage, p->id, *out, NULL, err);
}

/* ---- export ---- */

static int pump(int fd, const struct engine_sink *sink, struct err *err)
{
    _cleanup_free_ char *piece = xmalloc(PIECE);
    ssize_t n;

    while ((n = read(fd, piece, PIECE)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && sink->write(sink->arg, piece, (size_t)n) < 0)
            return err_set(err, ERR_CANCELLED, "the client has gone");
    return n < 0 ? err_errno(err, errno, "read the archive") : 0;
}

int engine_container_export(struct engine *e, const char *ref, const struct engine_sink *sink,
                            struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    struct packing packing = {.storage = e->storage, .pack = storage_container_export};
    struct pipe_fill p;

    if (!c)
        return -1;
    packing.id = c->id;
    if (pipe_fill_start(&p, pack, &packing, err) < 0 || pipe_fill_end(&p, pump(p.in, sink, err), err) < 0)
        return container_failed(c, ref, err);
    container_event(c, "export", NULL);
    return 0;
}

/* ---- commit ---- */

/* The new image's Config: what the caller gives, or without that the container's, with the changes; completed by the
 * container's. A new reference, or NULL. */
static json_t *compose_config(struct container *c, const struct engine_commit_options *o, struct err *err)
{
    _cleanup_snapshot_ struct container_snapshot s = {0};
    json_t *config;

    container_snapshot(c, &s);
    config = json_object_size(o->config) ? fields_compact(config_fields, o->config, "the config", err)
                                         : json_deep_copy(s.config);
    if (config && image_change_apply(config, o->changes, err) < 0) {
        json_decref(config);
        return NULL;
    }
    if (config)
        merge_config(config, s.config);
    return config;
}

static char *command_text(const json_t *config)
{
    _cleanup_strv_ char **words = json_strv(config, "Cmd");

    return words ? strv_join(words, " ") : xstrdup("");
}

static int find_manifest(struct engine *e, const char *image_id, char ret[DIGEST_SIZE], struct err *err)
{
    const json_t *row;

    engine_images_lock(e);
    row = json_object_get(e->images->rows, image_id);
    snprintf(ret, DIGEST_SIZE, "%s", json_str_or(row, "Manifest", ""));
    engine_images_unlock(e);
    return *ret ? 0 : err_set(err, ERR_NOT_FOUND, "the container's image %s isn't here any more", image_id);
}

static int commit_run(struct engine *e, struct container *c, const struct image_commit_options *o,
                      struct image *image, struct err *err)
{
    struct image_lease *lease = image_lease_new(e->image_store);
    struct packing packing = {.storage = e->storage, .id = c->id, .pack = storage_container_pack};
    struct pipe_fill p;
    int r = pipe_fill_start(&p, pack, &packing, err);

    if (r == 0)
        r = pipe_fill_end(&p, image_commit(e->image_store, lease, p.in, o, image, err), err);
    if (r == 0)
        r = images_record(e, image, 1, err);
    image_lease_free(lease); /* not before the record: it keeps sweeps away */
    if (r < 0)
        images_sweep(e, NULL, NULL, NULL); /* a layer that nothing refers to */
    return r;
}

/* A paused container gives one moment's state. */
static int commit_paused(struct engine *e, struct container *c, const struct image_commit_options *o,
                         bool pause, struct image *image, struct err *err)
{
    bool paused = pause && engine_container_pause(e, c->id, NULL) == 0;
    int r = commit_run(e, c, o, image, err);

    if (paused)
        (void)engine_container_unpause(e, c->id, NULL); /* it may have been killed meanwhile */
    return r;
}

static int commit_reference(const struct engine_commit_options *o, struct reference *ret, struct err *err)
{
    if (str_empty(o->repo))
        return 0;
    if (reference_parse_parts(o->repo, str_empty(o->tag) ? NULL : o->tag, ret, err) < 0)
        return -1;
    if (ret->digest)
        return err_set(err, ERR_INVALID, "cannot commit to digest reference");
    if (reference_check_tag(ret, err) < 0)
        return -1;
    if (!ret->tag)
        ret->tag = xstrdup(REFERENCE_DEFAULT_TAG);
    return 0;
}

int engine_container_commit(struct engine *e, const char *ref, const struct engine_commit_options *o,
                            json_t **ret, struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    _cleanup_reference_ struct reference name = {0};
    _cleanup_json_ json_t *config = NULL;
    _cleanup_free_ char *created_by = NULL, *familiar = NULL;
    _cleanup_image_ struct image image = {0};
    struct image_commit_options options = {.author = o->author, .comment = o->comment};
    char manifest[DIGEST_SIZE];

    if (!c || commit_reference(o, &name, err) < 0 || find_manifest(e, c->image_id, manifest, err) < 0)
        return -1;
    config = compose_config(c, o, err);
    if (!config)
        return -1;
    options.config = config;
    options.manifest = manifest;
    options.created_by = created_by = command_text(c->config); /* what made it, not what it will run */
    options.reference = name.path ? &name : NULL;
    if (commit_paused(e, c, &options, o->pause, &image, err) < 0)
        return container_failed(c, ref, err);
    familiar = name.path ? reference_familiar(&name) : xstrdup("");
    images_event(e, "create", image.id, image.id);
    if (name.path)
        images_event(e, "tag", image.id, familiar);
    container_event(c, "commit", "comment", o->comment ? o->comment : "", "imageID", image.id, "imageRef",
                    familiar, NULL);
    *ret = json_pack("{s:s}", "Id", image.id);
    return 0;
}
