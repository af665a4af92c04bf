/* Images on their way to a registry. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/images_internal.h"
#include "engine/transfer.h"
#include "image/push.h"
#include "image/reference.h"

enum { SOURCES_MAX = 8 };

/* What is to be pushed: a name with a tag and the image it means. */
struct push_item {
    struct reference reference;
    char id[DIGEST_SIZE], manifest[DIGEST_SIZE];
    char **sources;
    bool compressed; /* for this push */
};

struct push_list {
    struct push_item *items;
    size_t n;
    struct image_lease *lease;
};

static void push_list_finish(struct push_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        reference_finish(&l->items[i].reference);
        strv_free(l->items[i].sources);
    }
    free(l->items);
    image_lease_free(l->lease);
}

static bool shares_blobs(const json_t *row, char *const *blobs)
{
    const json_t *blob;
    size_t i;

    json_array_foreach (json_object_get(row, "Blobs"), i, blob)
        if (strv_contains(blobs, json_string_value(blob)))
            return true;
    return false;
}

/* Other repositories of the same registry whose images, as far as they were pulled or pushed here, have blobs
 * in common with this one: they can be mounted from there. With the lock held. */
static char **find_sources(struct engine *e, const struct reference *ref, const json_t *row)
{
    _cleanup_strv_ char **blobs = json_strv(row, "Blobs");
    char **sources = NULL;
    const char *name;
    json_t *value;

    json_object_foreach (e->images->names, name, value) {
        const json_t *other = json_object_get(e->images->rows, json_str_or(value, "Image", ""));
        _cleanup_reference_ struct reference r = {0};

        if (!strchr(name, '@') || !shares_blobs(other, blobs) || reference_parse(name, &r, NULL) < 0 ||
            !str_eq(r.domain, ref->domain) || str_eq(r.path, ref->path) || strv_contains(sources, r.path))
            continue;
        strv_push(&sources, r.path);
        if (strv_len(sources) == SOURCES_MAX)
            break;
    }
    return sources;
}

/* With the lock held. */
static void push_add(struct engine *e, struct push_list *l, const char *name, const char *id)
{
    const json_t *row = json_object_get(e->images->rows, id), *blob;
    struct push_item *item;
    size_t i;

    l->items = xreallocarray(l->items, l->n + 1, sizeof(*l->items));
    item = &l->items[l->n];
    *item = (struct push_item){0};
    if (!row || reference_parse(name, &item->reference, NULL) < 0)
        return;
    l->n++;
    snprintf(item->id, sizeof(item->id), "%s", id);
    snprintf(item->manifest, sizeof(item->manifest), "%s", json_str_or(row, "Manifest", ""));
    json_array_foreach (json_object_get(row, "Blobs"), i, blob)
        image_lease_add(l->lease, json_string_value(blob));
}

/* The one tag, or every tag of the repository when there is none. With the lock held. */
static int push_resolve(struct engine *e, const struct reference *ref, struct push_list *l, struct err *err)
{
    _cleanup_free_ char *repository = reference_name(ref);
    _cleanup_free_ char *wanted = xasprintf("%s:%s", repository, ref->tag ? ref->tag : "");
    const char *name;
    json_t *value;

    json_object_foreach (e->images->names, name, value)
        if (ref->tag ? str_eq(name, wanted) : str_starts(name, wanted))
            push_add(e, l, name, json_str_or(value, "Image", ""));
    if (l->n == 0) {
        _cleanup_free_ char *familiar = reference_familiar_name(ref);

        return err_set(err, ERR_NOT_FOUND, "An image does not exist locally with the %s: %s",
                       ref->tag ? "tag" : "name", familiar);
    }
    return 0;
}

/* From now on the image is known by its digest in that repository, as after a pull. */
static int push_record(struct engine *e, const struct push_item *item, const char *digest, struct err *err)
{
    _cleanup_free_ char *repository = reference_name(&item->reference);
    _cleanup_free_ char *name = xasprintf("%s@%s", repository, digest);
    int r = 0;

    engine_images_lock(e);
    if (json_object_get(e->images->rows, item->id) && !json_object_get(e->images->names, name)) {
        json_t *change = images_change_new();

        images_change_name(change, name, item->id);
        r = images_apply(e, change, err);
    }
    engine_images_unlock(e);
    return r;
}

/* For clients that want it in pieces: {"progressDetail":{},"aux":{"Tag","Digest","Size"}}. */
static void push_tell(struct transfer *t, const char *tag, const struct image_pushed *pushed)
{
    _cleanup_json_ json_t *line = json_pack("{s:{}, s:{s:s, s:s, s:I}}", "progressDetail", "aux", "Tag", tag,
                                            "Digest", pushed->digest, "Size", (json_int_t)pushed->size);

    transfer_write(t, line);
}

static int push_prepare(struct engine *e, struct image_lease *lease, struct push_item *item,
                        const struct image_listener *listener, struct err *err)
{
    int r = images_compress(e, lease, item->id, item->manifest, listener, err);

    if (r < 0)
        return -1;
    item->compressed = r > 0;
    engine_images_lock(e);
    item->sources = find_sources(e, &item->reference, json_object_get(e->images->rows, item->id));
    engine_images_unlock(e);
    return 0;
}

static int push_one(struct engine *e, struct image_lease *lease, struct push_item *item,
                    const struct registry_auth *auth, struct transfer *t, struct err *err)
{
    const struct image_listener listener = {.report = transfer_report, .gone = transfer_gone, .arg = t};
    struct image_push_options options = {
        .reference = &item->reference,
        .manifest = item->manifest,
        .auth = auth,
        .listener = &listener,
    };
    _cleanup_free_ char *familiar = reference_familiar(&item->reference),
                        *name = reference_familiar_name(&item->reference);
    struct image_pushed pushed;

    if (push_prepare(e, lease, item, &listener, err) < 0)
        return -1;
    options.sources = item->sources;
    if (image_push(e->image_store, &options, &pushed, err) < 0 ||
        push_record(e, item, pushed.digest, err) < 0)
        return -1;
    push_tell(t, item->reference.tag, &pushed);
    images_event(e, "push", familiar, name);
    return 0;
}

/* What is wrong with a name that could be one is told behind this line. */
static void push_begin(struct transfer *t, const struct reference *ref)
{
    _cleanup_free_ char *repository = reference_name(ref),
                        *status = xasprintf("The push refers to repository [%s]", repository);
    _cleanup_json_ json_t *line = json_pack("{s:s}", "status", status);

    transfer_write(t, line);
}

/* With the lock held. */
static int check_platforms(struct engine *e, const struct push_list *l, const char *wanted, struct err *err)
{
    for (size_t i = 0; i < l->n; i++) {
        _cleanup_free_ char *name = reference_familiar(&l->items[i].reference);

        if (images_check_platform(name, wanted, json_object_get(e->images->rows, l->items[i].id), err) < 0)
            return -1;
    }
    return 0;
}

int engine_image_push(struct engine *e, const char *name, const char *tag, const char *platform,
                      const json_t *auth, const struct engine_sink *sink, struct err *err)
{
    const struct registry_auth credentials = transfer_auth(auth);
    _cleanup_(push_list_finish) struct push_list list = {.lease = image_lease_new(e->image_store)};
    _cleanup_reference_ struct reference ref = {0};
    struct transfer t = {.sink = sink};
    int r;

    if (reference_parse_parts(name, tag, &ref, err) < 0)
        return -1;
    if (ref.digest)
        return err_set(err, ERR_INVALID, "cannot push a digest reference");
    engine_images_lock(e);
    r = push_resolve(e, &ref, &list, err);
    if (r == 0)
        r = check_platforms(e, &list, platform, err);
    engine_images_unlock(e);
    if (r < 0)
        push_begin(&t, &ref);
    for (size_t i = 0; r == 0 && i < list.n; i++)
        r = push_one(e, list.lease, &list.items[i], auth ? &credentials : NULL, &t, err);
    image_lease_free(take_ptr(&list.lease));
    for (size_t i = 0; i < list.n; i++)
        if (list.items[i].compressed) {
            images_sweep(e, NULL, NULL, NULL); /* the plain layers */
            break;
        }
    return r < 0 ? transfer_fail(e, &t, err) : 0;
}
