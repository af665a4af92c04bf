/* Images: every row's blobs and layers, the names, and what no row needs. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/check_internal.h"
#include "engine/container.h"
#include "storage/storage.h"

enum { SECOND_LOOK_US = 100000 };

/* One image, leased while it is looked at. */
struct checked {
    char id[DIGEST_SIZE];
    json_t *row;
    char **names;
    char *label; /* what people call it */
    struct image_lease *lease;
    struct manifest manifest;   /* zero: it can't be read */
    struct image_config config; /* likewise */
};

static void checked_finish(struct checked *c)
{
    json_decref(c->row);
    strv_free(c->names);
    free(c->label);
    image_lease_free(c->lease);
    manifest_finish(&c->manifest);
    image_config_finish(&c->config);
}

static void lease_list(struct image_lease *lease, const json_t *row, const char *key)
{
    const json_t *item;
    size_t i;

    json_array_foreach (json_object_get(row, key), i, item)
        image_lease_add(lease, json_string_value(item));
}

/* False: the image has gone. What is leased while the row is there stays. */
static bool checked_begin(struct engine *e, const char *id, struct checked *c)
{
    bool there;

    snprintf(c->id, sizeof(c->id), "%s", id);
    engine_images_lock(e);
    c->row = json_deep_copy(json_object_get(e->images->rows, id));
    c->names = images_names(e, id);
    engine_images_unlock(e);
    c->label = c->names ? images_familiar(c->names[0]) : xasprintf("%.12s", digest_hex(id));
    c->lease = image_lease_new(e->image_store);
    image_lease_add(c->lease, id);
    lease_list(c->lease, c->row, "Blobs");
    lease_list(c->lease, c->row, "Layers");
    engine_images_lock(e);
    there = c->row && json_object_get(e->images->rows, id);
    engine_images_unlock(e);
    return there;
}

/* ---- blobs ---- */

static const char *problem_name(enum image_part_state state)
{
    return state == IMAGE_PART_MISSING ? "missing" : state == IMAGE_PART_DAMAGED ? "damaged" : "unverified";
}

/* What another image has shown of a part: NULL nothing, true, or its finding. */
static json_t *seen(const struct check *x, const char *object, const char *id)
{
    char key[DIGEST_SIZE + 8];

    snprintf(key, sizeof(key), "%s %s", object, id);
    return json_object_get(x->seen, key);
}

static void set_seen(const struct check *x, const char *object, const char *id, json_t *finding)
{
    char key[DIGEST_SIZE + 8];

    snprintf(key, sizeof(key), "%s %s", object, id);
    json_object_set(x->seen, key, finding ? finding : json_true());
}

/* The tree that a layer's blob holds, or NULL. */
static const char *chain_of(const struct checked *c, const char *digest)
{
    for (size_t i = 0; i < c->manifest.n_layers; i++)
        if (str_eq(c->manifest.layers[i].digest, digest))
            return json_string_value(json_array_get(json_object_get(c->row, "Layers"), i));
    return NULL;
}

static void repair_blob(struct check *x, const struct checked *c, json_t *finding, const char *digest,
                        int64_t size)
{
    const char *chain = chain_of(c, digest);
    struct err why = {0};
    int r;

    if (!x->o->repair || json_is_true(finding) || json_is_true(json_object_get(finding, "Repaired")))
        return;
    r = image_repair_blob(&x->parts, c->names, digest, size, &why);
    if (r < 0 && why.kind != ERR_CANCELLED && chain)
        r = image_remake_blob(&x->parts, chain, digest, NULL);
    check_repaired(finding, r, &why);
}

/* size: -1 for documents that a registry calls manifests, else the blob's. document: it is read even by a quick check. */
static int check_blob(struct check *x, const struct checked *c, const char *digest, int64_t size,
                      bool document, struct err *err)
{
    json_t *finding = seen(x, "blob", digest);
    struct image_check how = x->parts;
    enum image_part_state state;
    struct err why = {0};

    if (!digest_valid(digest))
        return 0;
    if (!finding) {
        how.quick = x->o->quick && !document;
        if (image_check_blob(&how, digest, size, &state, &why, err) < 0)
            return -1;
        x->counts[COUNT_BLOBS]++;
        x->counts[COUNT_BYTES] += MAX_OF(size, 0);
        if (state != IMAGE_PART_GOOD)
            finding = check_found(x, "blob", problem_name(state), digest, c->label, &why);
        set_seen(x, "blob", digest, finding);
    }
    if (finding)
        repair_blob(x, c, finding, digest, size);
    return 0;
}

/* Index, manifest, configuration: whatever else can be known of the image is in them. */
static int check_documents(struct check *x, struct checked *c, struct err *err)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(MANIFEST_SIZE_MAX);
    const char *manifest = json_str_or(c->row, "Manifest", "");

    if (check_blob(x, c, json_str_or(c->row, "Index", ""), -1, true, err) < 0 ||
        check_blob(x, c, manifest, -1, true, err) < 0)
        return -1;
    if (blobs_read(image_store_blobs(x->e->image_store), manifest, &b, NULL) < 0 ||
        manifest_parse(buf_str(&b), b.len, NULL, &c->manifest, NULL) < 0)
        return check_blob(x, c, c->id, -1, true, err);
    if (check_blob(x, c, c->id, str_eq(c->id, c->manifest.config.digest) ? c->manifest.config.size : -1, true,
                   err) < 0)
        return -1;
    (void)image_read_config(x->e->image_store, c->id, &c->config, NULL);
    return 0;
}

static bool is_part(const struct checked *c, const char *digest)
{
    bool found = str_eq(digest, c->id);

    for (size_t i = 0; i < c->manifest.n_layers && !found; i++)
        found = str_eq(digest, c->manifest.layers[i].digest);
    return found;
}

static int check_blobs(struct check *x, struct checked *c, struct err *err)
{
    const json_t *item;
    size_t i;

    for (i = 0; i < c->manifest.n_layers; i++)
        if (check_blob(x, c, c->manifest.layers[i].digest, c->manifest.layers[i].size, false, err) < 0)
            return -1;
    json_array_foreach (json_object_get(c->row, "Blobs"), i,
                        item) /* lists between index and manifest, and others */
        if (!is_part(c, json_string_value(item)) &&
            check_blob(x, c, json_string_value(item), -1, false, err) < 0)
            return -1;
    return 0;
}

/* ---- layers ---- */

static void repair_layer(struct check *x, const struct image_layer_part *part, struct storage_stage *stage,
                         json_t *finding)
{
    struct container **held = NULL;
    struct err why = {0};
    int r;

    if (stage && check_hold(x->e, part->chain_id, &held, &why) < 0) {
        storage_stage_discard(stage);
        r = -1;
    } else {
        r = image_repair_layer(x->e->image_store, part, stage, &why);
        check_release(held);
    }
    check_repaired(finding, r, &why);
}

static json_t *unsolved(const struct check *x, const char *object, const char *id)
{
    json_t *finding = seen(x, object, id);

    return json_is_object(finding) && !json_bool_or(finding, "Repaired", false) ? finding : NULL;
}

/* What is found out already and explains why a layer can't be compared: its archive's finding, or that of a layer below. */
static json_t *known_reason(const struct check *x, const struct image_layer_part *part)
{
    json_t *finding = part->blob ? unsolved(x, "blob", part->blob->digest) : NULL;

    return finding ? finding : unsolved(x, "layer", part->parent);
}

static int check_layer(struct check *x, const struct checked *c, const struct image_layer_part *part,
                       struct err *err)
{
    struct storage_stage *stage = NULL;
    json_t *finding = NULL;
    enum image_part_state state;
    struct err why = {0};
    char id[13];

    if (!digest_valid(part->chain_id) || seen(x, "layer", part->chain_id))
        return 0;
    snprintf(id, sizeof(id), "%.12s", digest_hex(part->chain_id));
    if ((!x->o->quick && check_tell(x, id, "Comparing with its archive", err) < 0) ||
        image_check_layer(&x->parts, part, &state, &stage, &why, err) < 0)
        return -1;
    x->counts[COUNT_LAYERS]++;
    if (state == IMAGE_PART_UNKNOWN)
        finding = known_reason(x, part);
    if (state != IMAGE_PART_GOOD && !finding)
        finding = check_found(x, "layer", problem_name(state), part->chain_id, c->label, &why);
    set_seen(x, "layer", part->chain_id, finding);
    if (finding && x->o->repair && (stage || state == IMAGE_PART_MISSING))
        repair_layer(x, part, stage, finding);
    else
        storage_stage_discard(stage);
    return 0;
}

static int check_layers(struct check *x, const struct checked *c, struct err *err)
{
    const json_t *layers = json_object_get(c->row, "Layers"), *item;
    size_t i;

    json_array_foreach (layers, i, item) {
        const struct image_layer_part part = {
            .chain_id = json_string_value(item),
            .parent = i ? json_string_value(json_array_get(layers, i - 1)) : "",
            .diff_id = i < c->config.n_layers ? c->config.diff_ids[i] : NULL,
            .blob = i < c->manifest.n_layers ? &c->manifest.layers[i] : NULL,
        };

        if (check_layer(x, c, &part, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- images ---- */

static int check_image(struct check *x, const char *id, struct err *err)
{
    _cleanup_(checked_finish) struct checked c = {0};

    if (!checked_begin(x->e, id, &c))
        return 0;
    x->counts[COUNT_IMAGES]++;
    if (check_tell(x, c.label, "Checking", err) < 0)
        return -1;
    return check_documents(x, &c, err) < 0 || check_blobs(x, &c, err) < 0 || check_layers(x, &c, err) < 0 ? -1
                                                                                                          : 0;
}

/* Names that lead to no image. */
static void check_names(struct check *x)
{
    _cleanup_strv_ char **lost = NULL;
    const char *name;
    json_t *value;

    engine_images_lock(x->e);
    json_object_foreach (x->e->images->names, name, value)
        if (!json_object_get(x->e->images->rows, json_str_or(value, "Image", "")))
            strv_push(&lost, name);
    for (char **l = lost; l && *l; l++) {
        json_t *change, *finding = check_found(x, "name", "orphaned", *l, *l, NULL);
        struct err why = {0};

        if (!x->o->repair)
            continue;
        change = images_change_new();
        images_change_name(change, *l, NULL);
        check_repaired(finding, images_apply(x->e, change, &why), &why);
    }
    engine_images_unlock(x->e);
}

struct orphans {
    struct check *x;
    json_t *first; /* the set of what the first look has found */
};

static void first_look(void *arg, enum image_object kind _unused_, const char *digest, int64_t size _unused_)
{
    struct orphans *o = arg;

    json_object_set_new(o->first, digest, json_true());
}

static void second_look(void *arg, enum image_object kind, const char *digest, int64_t size _unused_)
{
    struct orphans *o = arg;

    if (json_object_get(o->first, digest))
        check_found(o->x, kind == IMAGE_OBJECT_BLOB ? "blob" : "layer", "orphaned", digest, NULL, NULL);
}

/* An image that has just been removed, or couldn't be pulled, leaves them for a moment: so there are two looks. */
static int find_orphans(struct check *x, struct err *err)
{
    struct orphans o = {.x = x, .first = json_object()};
    int r = images_sweep_look(x->e, first_look, &o, err);

    if (r == 0 && json_object_size(o.first)) {
        usleep(SECOND_LOOK_US);
        r = images_sweep_look(x->e, second_look, &o, err);
    }
    json_decref(o.first);
    return r;
}

static int check_orphans(struct check *x, struct err *err)
{
    size_t i = json_array_size(x->findings);
    struct err why = {0};
    int r;

    if (find_orphans(x, err) < 0)
        return -1;
    if (!x->o->repair || i == json_array_size(x->findings))
        return 0;
    r = images_sweep(x->e, NULL, NULL, &why);
    for (; i < json_array_size(x->findings); i++)
        check_repaired(json_array_get(x->findings, i), r, &why);
    return 0;
}

int check_images(struct check *x, struct err *err)
{
    _cleanup_strv_ char **ids = NULL;
    const char *id;
    json_t *row;

    engine_images_lock(x->e);
    json_object_foreach (x->e->images->rows, id, row)
        strv_push(&ids, id);
    engine_images_unlock(x->e);
    for (char **i = ids; i && *i; i++)
        if (check_image(x, *i, err) < 0)
            return -1;
    check_names(x);
    return check_orphans(x, err);
}
