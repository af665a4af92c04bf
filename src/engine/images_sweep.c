/* What no row of an image refers to any more: blobs and layers. */
#include "base/json.h"
#include "base/str.h"
#include "engine/images_internal.h"

/* Orphans whose last container has gone are forgotten. */
static int sweep_orphans(struct engine *e, struct err *err)
{
    json_t *change = NULL, *row;
    const char *id;
    int r = 0;

    engine_images_lock(e);
    json_object_foreach (e->images->rows, id, row) {
        if (!json_bool_or(row, "Orphan", false) || !e->containers || images_in_use(e, id))
            continue;
        if (!change)
            change = images_change_new();
        images_change_row(change, id, NULL);
    }
    if (change)
        r = images_apply(e, change, err);
    engine_images_unlock(e);
    return r;
}

/* Everything of that kind that a row names, as a set. One set each: a lowest layer's chain id is its plain blob's digest. */
static json_t *sweep_needed(struct engine *e, enum image_object kind)
{
    json_t *needed = json_object(), *row, *item;
    const char *id;
    size_t i;

    json_object_foreach (e->images->rows, id, row) {
        json_array_foreach (json_object_get(row, kind == IMAGE_OBJECT_LAYER ? "Layers" : "Blobs"), i, item)
            json_object_set_new(needed, json_string_value(item), json_true());
        if (kind == IMAGE_OBJECT_LAYER)
            continue;
        json_object_set_new(needed, id, json_true());
        json_object_set_new(needed, json_str_or(row, "Manifest", ""), json_true());
        json_object_set_new(needed, json_str_or(row, "Index", ""), json_true());
    }
    return needed;
}

struct sweep {
    struct engine *e;
    void (*removed)(void *arg, enum image_object kind, const char *digest, int64_t size);
    void *arg;
    json_t *needed[2];   /* by kind; as of `generation` */
    uint64_t generation; /* of the table: a pull may record something while we sweep */
};

/* The store's mutex is held: what is recorded while the sweep runs was leased until then, and is seen here.
 */
static int sweep_referenced(void *arg, enum image_object kind, const char *digest)
{
    struct sweep *s = arg;
    int found;

    engine_images_lock(s->e);
    if (!s->needed[kind] || s->generation != s->e->images->generation) {
        for (size_t i = 0; i < ARRAY_SIZE(s->needed); i++) {
            json_decref(s->needed[i]);
            s->needed[i] = sweep_needed(s->e, (enum image_object)i);
        }
        s->generation = s->e->images->generation;
    }
    found = json_object_get(s->needed[kind], digest) != NULL;
    engine_images_unlock(s->e);
    return found;
}

static void sweep_removed(void *arg, enum image_object kind, const char *digest, int64_t size)
{
    struct sweep *s = arg;

    if (s->removed)
        s->removed(s->arg, kind, digest, size);
}

static int sweep_run(struct sweep *s, bool look, struct err *err)
{
    const struct image_sweep sweep = {
        .referenced = sweep_referenced, .removed = sweep_removed, .arg = s, .look = look};
    int r = image_store_sweep(s->e->image_store, &sweep, err);

    for (size_t i = 0; i < ARRAY_SIZE(s->needed); i++)
        json_decref(s->needed[i]);
    return r;
}

int images_sweep(struct engine *e,
                 void (*removed)(void *arg, enum image_object kind, const char *digest, int64_t size),
                 void *arg, struct err *err)
{
    struct sweep s = {.e = e, .removed = removed, .arg = arg};

    return sweep_orphans(e, err) < 0 ? -1 : sweep_run(&s, /* look= */ false, err);
}

int images_sweep_look(struct engine *e,
                      void (*found)(void *arg, enum image_object kind, const char *digest, int64_t size),
                      void *arg, struct err *err)
{
    struct sweep s = {.e = e, .removed = found, .arg = arg};

    return sweep_run(&s, /* look= */ true, err);
}
