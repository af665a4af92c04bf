/* Images on the move: pull, load, save. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/images_internal.h"
#include "engine/transfer.h"
#include "image/archive.h"
#include "image/pull.h"
#include "image/reference.h"
#include "image/remote.h"

/* ---- pull ---- */

static char *pull_current_id(struct engine *e, const struct reference *ref)
{
    _cleanup_free_ char *name = reference_string(ref);
    const char *id;
    char *copy;

    engine_images_lock(e);
    id = json_str(json_object_get(e->images->names, name), "Image");
    copy = xstrdup(id);
    engine_images_unlock(e);
    return copy;
}

static int pull_run(struct engine *e, const struct image_pull_options *o, struct err *err)
{
    struct image_lease *lease = image_lease_new(e->image_store);
    _cleanup_image_ struct image image = {0};
    int r = image_pull(e->image_store, lease, o, &image, err);

    if (r == 0)
        r = images_record(e, &image, 1, err);
    image_lease_free(lease); /* not before the record: it keeps sweeps away */
    return r;
}

static int pull_one(struct engine *e, const struct reference *ref, struct image_pull_options *o,
                    struct err *err)
{
    _cleanup_free_ char *current = pull_current_id(e, ref), *familiar = reference_familiar(ref),
                        *name = reference_familiar_name(ref);

    o->reference = ref;
    o->current_id = current;
    if (pull_run(e, o, err) < 0)
        return -1;
    images_event(e, "pull", familiar, name);
    return 0;
}

static int pull_every_tag(struct engine *e, struct reference *ref, struct image_pull_options *o,
                          struct err *err)
{
    const struct image_remote remote = {.store = e->image_store, .auth = o->auth, .listener = o->listener};
    _cleanup_strv_ char **tags = NULL;

    if (image_remote_tags(&remote, ref, &tags, err) < 0)
        return -1;
    for (char **tag = tags; *tag; tag++) {
        free(ref->tag);
        ref->tag = xstrdup(*tag);
        if (pull_one(e, ref, o, err) < 0)
            return -1;
    }
    return 0;
}

int engine_image_pull(struct engine *e, const struct engine_pull_options *o, const struct engine_sink *sink,
                      struct err *err)
{
    const struct registry_auth auth = transfer_auth(o->auth);
    struct transfer t = {.sink = sink};
    const struct image_listener listener = {.report = transfer_report, .gone = transfer_gone, .arg = &t};
    _cleanup_reference_ struct reference ref = {0};
    struct image_pull_options pull = {
        .auth = o->auth ? &auth : NULL, .others = o->others, .listener = &listener};
    struct platform platform;
    int r;

    if (reference_parse_parts(o->name, o->tag, &ref, err) < 0 ||
        (o->platform && platform_parse(o->platform, &platform, err) < 0))
        return -1;
    if (str_eq(ref.domain, REFERENCE_DEFAULT_DOMAIN) && str_eq(ref.path, "library/scratch"))
        return err_set(err, ERR_INVALID, "'scratch' is a reserved name");
    pull.platform = o->platform ? &platform : NULL;
    r = ref.tag || ref.digest ? pull_one(e, &ref, &pull, err) : pull_every_tag(e, &ref, &pull, err);
    return r < 0 ? transfer_fail(e, &t, err) : 0;
}

/* ---- load ---- */

/* Says which images lose a name to a loaded one. */
static void load_tell_renamed(struct engine *e, struct transfer *t, const struct image *image)
{
    for (char **tag = image->tags; tag && *tag; tag++) {
        _cleanup_free_ char *old = NULL, *familiar = images_familiar(*tag), *text = NULL;

        engine_images_lock(e);
        old = xstrdup(json_str(json_object_get(e->images->names, *tag), "Image"));
        engine_images_unlock(e);
        if (!old || str_eq(old, image->id))
            continue;
        text = xasprintf("The image %s already exists, renaming the old one with ID %s to empty string\n",
                         familiar, old);
        transfer_say(t, "stream", text);
    }
}

static void load_tell(struct engine *e, struct transfer *t, const struct image *image)
{
    images_event(e, "load", image->id, image->id);
    for (char **tag = image->tags; tag && *tag; tag++) {
        _cleanup_free_ char *familiar = images_familiar(*tag),
                            *text = xasprintf("Loaded image: %s\n", familiar);

        transfer_say(t, "stream", text);
    }
    if (!image->tags) {
        _cleanup_free_ char *text = xasprintf("Loaded image ID: %s\n", image->id);

        transfer_say(t, "stream", text);
    }
}

int engine_image_load(struct engine *e, int fd, const char *platform, bool quiet,
                      const struct engine_sink *sink, struct err *err)
{
    struct transfer t = {.sink = sink};
    const struct image_listener listener = {
        .report = quiet ? NULL : transfer_report, .gone = transfer_gone, .arg = &t};
    struct platform wanted;
    struct image_lease *lease;
    struct image *images = NULL;
    size_t n = 0;
    int r;

    if (platform && platform_parse(platform, &wanted, err) < 0)
        return -1;
    lease = image_lease_new(e->image_store);
    r = image_load(e->image_store, lease, fd, platform ? &wanted : NULL, &listener, &images, &n, err);
    if (r == 0 && transfer_is_abandoned(sink))
        r = err_set(err, ERR_CANCELLED, "the client went away");
    for (size_t i = 0; i < n && r == 0; i++)
        load_tell_renamed(e, &t, &images[i]);
    if (r == 0)
        r = images_record(e, images, n, err);
    image_lease_free(lease);
    for (size_t i = 0; i < n; i++) {
        if (r == 0)
            load_tell(e, &t, &images[i]);
        image_finish(&images[i]);
    }
    free(images);
    t.begun |=
        r < 0 && err &&
        err->kind == ERR_INVALID; /* what is wrong with an archive is told in the stream, as Docker does */
    images_sweep(e, NULL, NULL, NULL); /* the archive's own lists, or parts of what couldn't be loaded */
    return r < 0 ? transfer_fail(e, &t, err) : 0;
}

/* ---- save ---- */

struct save_list {
    struct image_save_item *items;
    size_t n;
    char **blobs; /* what they consist of */
    char **ids;
};

static void save_list_finish(struct save_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        strv_free(l->items[i].tags);
    free(l->items);
    strv_free(l->blobs);
    strv_free(l->ids);
}

static void save_add_blobs(struct save_list *l, const json_t *row)
{
    json_t *blob;
    size_t i;

    json_array_foreach (json_object_get(row, "Blobs"), i, blob)
        strv_push(&l->blobs, json_string_value(blob));
}

static void save_add(struct save_list *l, const char *id, const json_t *row, const char *tag)
{
    const char *manifest = json_str_or(row, "Manifest", "");
    struct image_save_item *item = NULL;

    for (size_t i = 0; i < l->n && !item; i++)
        if (str_eq(l->items[i].manifest, manifest))
            item = &l->items[i];
    if (!item) {
        l->items = xreallocarray(l->items, l->n + 1, sizeof(*l->items));
        item = &l->items[l->n++];
        *item = (struct image_save_item){0};
        snprintf(item->manifest, sizeof(item->manifest), "%s", manifest);
        save_add_blobs(l, row);
        strv_push(&l->ids, id);
    }
    if (tag && !strv_contains(item->tags, tag))
        strv_push(&item->tags, tag);
}

/* A bare repository name stands for all its tags. Returns how many there were. */
static size_t save_add_repository(struct engine *e, struct save_list *l, const char *ref,
                                  const char *platform)
{
    _cleanup_reference_ struct reference parsed = {0};
    _cleanup_free_ char *prefix = NULL, *repository = NULL;
    size_t found = 0;
    const char *name;
    json_t *value;

    if (reference_parse(ref, &parsed, NULL) < 0 || parsed.tag || parsed.digest)
        return 0;
    repository = reference_name(&parsed);
    prefix = xasprintf("%s:", repository);
    json_object_foreach (e->images->names, name, value) {
        const json_t *row = json_object_get(e->images->rows, json_str_or(value, "Image", ""));

        if (!str_starts(name, prefix) || !row || images_check_platform(ref, platform, row, NULL) < 0)
            continue;
        save_add(l, json_string_value(json_object_get(value, "Image")), row, name);
        found++;
    }
    return found;
}

static int save_resolve(struct engine *e, char *const *names, const char *platform, struct save_list *l,
                        struct err *err)
{
    for (char *const *name = names; *name; name++) {
        _cleanup_images_match_ struct images_match m = {0};

        if (save_add_repository(e, l, *name, platform))
            continue;
        if (images_match(e, *name, &m, NULL) < 0)
            return err_set(err, ERR_NOT_FOUND, "No such image: %s", *name);
        if (images_check_platform(*name, platform, m.row, NULL) < 0)
            return err_set(err, ERR_NOT_FOUND, "no suitable export target found for platform %s", platform);
        save_add(l, m.id, m.row, m.name && !strchr(m.name, '@') ? m.name : NULL);
    }
    return 0;
}

int engine_image_save(struct engine *e, char *const *names, const char *platform,
                      const struct engine_sink *sink, struct err *err)
{
    const struct image_output output = {.write = sink->write, .arg = sink->arg};
    _cleanup_(save_list_finish) struct save_list list = {0};
    struct image_lease *lease;
    struct platform wanted;
    int r;

    if (platform && platform_parse(platform, &wanted, err) < 0)
        return -1;
    lease = image_lease_new(e->image_store);
    engine_images_lock(e);
    r = save_resolve(e, names, platform, &list, err);
    engine_images_unlock(e);
    for (char **blob = list.blobs; blob && *blob; blob++)
        image_lease_add(lease, *blob); /* an image removed since then is an error of image_save() */
    if (r == 0)
        r = image_save(e->image_store, list.items, list.n, &output, err);
    image_lease_free(lease);
    for (char **id = list.ids; r == 0 && id && *id; id++)
        images_event(e, "save", *id, *id);
    return r;
}
