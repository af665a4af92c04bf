/* Images: the table of what there is and what it is called, kept in memory and in the database alike. */
#include "engine/images.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/images_collect.h"
#include "engine/images_internal.h"
#include "image/reference.h"

/* ---- the table ---- */

static int images_load_row(void *arg, const char *key, const char *name _unused_, json_t *value)
{
    json_object_set(arg, key, value);
    return 0;
}

void engine_images_lock(struct engine *e)
{
    pthread_mutex_lock(&e->images->lock);
}

void engine_images_unlock(struct engine *e)
{
    pthread_mutex_unlock(&e->images->lock);
}

int engine_images_open(struct engine *e, struct err *err)
{
    struct engine_images *images = xcalloc(1, sizeof(*images));
    pthread_mutexattr_t attr;
    struct err swept = {0};

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&images->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    images->rows = json_object();
    images->names = json_object();
    images->texts = json_object();
    e->images = images;
    if (db_each(e->db, DB_IMAGES, images_load_row, images->rows, err) < 0 ||
        db_each(e->db, DB_IMAGE_NAMES, images_load_row, images->names, err) < 0)
        return err_wrap(err, "cannot read the images");
    if (images_sweep(e, NULL, NULL, &swept) < 0)
        log_warn("cannot remove what no image needs: %s", swept.message);
    images_text_compose(e);
    return 0;
}

void engine_images_close(struct engine *e)
{
    if (!e->images)
        return;
    images_collect_stop(e);
    json_decref(e->images->rows);
    json_decref(e->images->names);
    json_decref(e->images->texts);
    pthread_mutex_destroy(&e->images->lock);
    free(e->images);
    e->images = NULL;
}

/* ---- changes ---- */

json_t *images_change_new(void)
{
    return json_pack("{s:{}, s:{}}", "rows", "names");
}

void images_change_row(json_t *change, const char *id, json_t *row)
{
    json_object_set_new(json_object_get(change, "rows"), id, row ? row : json_null());
}

void images_change_name(json_t *change, const char *name, const char *id)
{
    json_object_set_new(json_object_get(change, "names"), name,
                        id ? json_pack("{s:s}", "Image", id) : json_null());
}

static int images_store_all(struct engine *e, enum db_table table, const json_t *all, struct err *err)
{
    const char *key;
    json_t *value;
    int r = 0;

    json_object_foreach ((json_t *)all, key, value) {
        if (json_is_null(value))
            r = db_delete(e->db, table, key, DB_SYNCED, err);
        else
            r = db_put(e->db, table, key, NULL, value, DB_SYNCED, err);
        if (r < 0)
            return -1;
    }
    return 0;
}

static void images_merge(json_t *table, const json_t *all)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)all, key, value) {
        if (json_is_null(value))
            json_object_del(table, key);
        else
            json_object_set(table, key, value);
    }
}

int images_apply(struct engine *e, json_t *change, struct err *err)
{
    _cleanup_json_ json_t *owned = change;
    const json_t *rows = json_object_get(change, "rows"), *names = json_object_get(change, "names");

    if (db_begin(e->db, err) < 0)
        return -1;
    if (images_store_all(e, DB_IMAGES, rows, err) < 0 ||
        images_store_all(e, DB_IMAGE_NAMES, names, err) < 0) {
        db_rollback(e->db);
        return -1;
    }
    if (db_commit(e->db, DB_SYNCED, err) < 0)
        return -1;
    images_text_forget(e, change);
    images_merge(e->images->rows, rows);
    images_merge(e->images->names, names);
    e->images->generation++;
    return 0;
}

/* ---- recording ---- */

/* A blob that an earlier manifest of the same image brought stays: a digest may still name it. */
static json_t *images_blobs_json(const struct image *image, const json_t *old)
{
    _cleanup_strv_ char **before = json_strv(old, "Blobs");
    json_t *blobs = json_from_strv(image->blobs);

    for (char **blob = before; blob && *blob; blob++)
        if (!strv_contains(image->blobs, *blob))
            json_array_append_new(blobs, json_string(*blob));
    return blobs;
}

static json_t *images_row(struct engine *e, const struct image *image, const json_t *labels)
{
    const json_t *old = json_object_get(e->images->rows, image->id);
    json_t *row = json_object();

    json_set_str(row, "Manifest", image->manifest);
    json_set_str(row, "Index", image->index);
    json_set_str(row, "Parent", image->parent[0] ? image->parent : json_str_or(old, "Parent", ""));
    if (image->artifact)
        json_set_str(row, "Artifact", image->artifact);
    json_set_str(row, "MediaType", image->media_type);
    json_object_set_new(row, "Blobs", images_blobs_json(image, old));
    json_object_set_new(row, "Layers", json_from_strv(image->layers));
    json_set_int(row, "Size", image->size);
    json_set_int(row, "Created", image->created);
    json_object_set_new(row, "Platform", platform_json(&image->platform));
    json_object_set_new(row, "Labels", labels ? json_deep_copy(labels) : json_null());
    if (json_object_get(old, "LastUsed"))
        json_object_set(row, "LastUsed", json_object_get(old, "LastUsed"));
    json_set_int(row, "LastTagTime", image->tags ? clock_now() : json_int_or(old, "LastTagTime", 0));
    return row;
}

int images_record(struct engine *e, const struct image *images, size_t n, struct err *err)
{
    json_t *change = images_change_new();
    int r;

    engine_images_lock(e);
    for (size_t i = 0; i < n; i++) {
        _cleanup_image_config_ struct image_config config = {0};
        char **name;

        if (image_read_config(e->image_store, images[i].id, &config, err) < 0) {
            json_decref(change);
            engine_images_unlock(e);
            return -1;
        }
        images_change_row(change, images[i].id,
                          images_row(e, &images[i], json_at(config.json, "config.Labels")));
        for (name = images[i].tags; name && *name; name++)
            images_change_name(change, *name, images[i].id);
        for (name = images[i].repo_digests; name && *name; name++)
            images_change_name(change, *name, images[i].id);
    }
    r = images_apply(e, change, err);
    engine_images_unlock(e);
    if (r == 0)
        images_collect_poke(e);
    return r;
}

/* ---- names ---- */

static int images_compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void images_sort_names(char **names)
{
    if (names)
        qsort(names, strv_len(names), sizeof(*names), images_compare_names);
}

char **images_names(struct engine *e, const char *id)
{
    char **names = NULL;
    const char *name;
    json_t *value;

    json_object_foreach (e->images->names, name, value)
        if (str_eq(json_str(value, "Image"), id))
            strv_push(&names, name);
    images_sort_names(names);
    return names;
}

char *images_familiar(const char *name)
{
    _cleanup_reference_ struct reference ref = {0};

    if (reference_parse(name, &ref, NULL) < 0)
        return xstrdup(name);
    return reference_familiar(&ref);
}

char **images_familiar_of(char *const *names, bool digests)
{
    char **familiar = NULL;

    for (char *const *name = names; name && *name; name++)
        if ((strchr(*name, '@') != NULL) == digests)
            strv_push_take(&familiar, images_familiar(*name));
    return familiar;
}

char **images_familiar_names(struct engine *e, const char *id, bool digests)
{
    _cleanup_strv_ char **names = images_names(e, id);

    return images_familiar_of(names, digests);
}

/* ---- finding ---- */

void images_match_finish(struct images_match *m)
{
    free(m->name);
    *m = (struct images_match){0};
}

static int images_not_found(const char *ref, struct err *err)
{
    _cleanup_reference_ struct reference parsed = {0};
    _cleanup_free_ char *familiar = NULL;

    if (!digest_valid(ref) && reference_parse_tagged(ref, &parsed, NULL) == 0)
        familiar = reference_familiar(&parsed);
    if (digest_hex_valid(ref))
        return err_set(err, ERR_NOT_FOUND, "No such image: " DIGEST_PREFIX "%s", ref);
    return err_set(err, ERR_NOT_FOUND, "No such image: %s", familiar ? familiar : ref);
}

static bool images_take(struct engine *e, const char *id, struct images_match *ret)
{
    const json_t *row = json_object_get(e->images->rows, id);

    if (!row || json_bool_or(row, "Orphan", false))
        return false;
    snprintf(ret->id, sizeof(ret->id), "%s", id);
    ret->row = row;
    return true;
}

static bool images_match_name(struct engine *e, const char *ref, struct images_match *ret)
{
    _cleanup_reference_ struct reference parsed = {0};
    _cleanup_free_ char *repository = NULL;
    char *name;
    const char *id;

    if (reference_parse_tagged(ref, &parsed, NULL) < 0)
        return false;
    repository = reference_name(&parsed);
    name = parsed.digest ? xasprintf("%s@%s", repository, parsed.digest)
                         : xasprintf("%s:%s", repository, parsed.tag);
    id = json_str(json_object_get(e->images->names, name), "Image");
    if (!id || !images_take(e, id, ret)) {
        free(name);
        return false;
    }
    ret->name = name;
    return true;
}

/* 0: one image has the prefix; 1: none has; -1: several have. */
static int images_match_prefix(struct engine *e, const char *ref, struct images_match *ret, struct err *err)
{
    const char *hex = str_after(ref, DIGEST_PREFIX) ? str_after(ref, DIGEST_PREFIX) : ref, *id, *found = NULL;
    size_t len = strlen(hex);
    json_t *row;

    if (len == 0 || len > 64 || strspn(hex, "0123456789abcdef") != len)
        return 1;
    json_object_foreach (e->images->rows, id, row) {
        if (strncmp(digest_hex(id), hex, len) != 0 || json_bool_or(row, "Orphan", false))
            continue;
        if (found)
            return err_set(err, ERR_NOT_FOUND, "Multiple IDs found with provided prefix: %s", ref);
        found = id;
    }
    return found && images_take(e, found, ret) ? 0 : 1;
}

int images_match(struct engine *e, const char *ref, struct images_match *ret, struct err *err)
{
    _cleanup_reference_ struct reference parsed = {0};
    int r;

    *ret = (struct images_match){0};
    if (str_empty(ref))
        return err_set(err, ERR_INVALID, "invalid reference format");
    if (!digest_valid(ref) && images_match_name(e, ref, ret))
        return 0;
    r = images_match_prefix(e, ref, ret, err);
    if (r > 0 && !digest_valid(ref) && strspn(ref, "0123456789abcdef") != strlen(ref) &&
        reference_parse(ref, &parsed, err) < 0)
        return -1; /* says what is wrong with the name */
    return r > 0 ? images_not_found(ref, err) : r;
}

int images_check_platform(const char *ref, const char *wanted, const json_t *row, struct err *err)
{
    char have_text[PLATFORM_TEXT_SIZE];
    struct platform want, have;

    if (str_empty(wanted))
        return 0;
    if (platform_parse(wanted, &want, err) < 0)
        return -1;
    platform_from_json(json_object_get(row, "Platform"), &have);
    if (platform_match(&want, &have))
        return 0;
    platform_format(&have, have_text);
    return err_set(
        err, ERR_NOT_FOUND,
        "image with reference %s was found but its platform (%s) does not match the specified platform (%s)",
        ref, have_text, wanted);
}

int engine_image_find(struct engine *e, const char *ref, const char *platform, struct engine_image *ret,
                      struct err *err)
{
    _cleanup_images_match_ struct images_match m = {0};
    _cleanup_image_config_ struct image_config config = {0};
    const json_t *layers;
    int r;

    engine_images_lock(e);
    r = images_match(e, ref, &m, err);
    if (r == 0)
        r = images_check_platform(ref, platform, m.row, err);
    if (r == 0 && json_str(m.row, "Artifact"))
        r = err_set(err, ERR_INVALID, "%s is an OCI artifact (%s), no image: no container can be made of it",
                    ref, json_str(m.row, "Artifact"));
    if (r == 0)
        r = image_read_config(e->image_store, m.id, &config, err);
    if (r == 0) {
        layers = json_object_get(m.row, "Layers");
        *ret = (struct engine_image){
            .id = xstrdup(m.id),
            .config = json_incref(config.json),
            .top_layer = xstrdup(json_array_size(layers)
                                     ? json_string_value(json_array_get(layers, json_array_size(layers) - 1))
                                     : ""),
        };
    }
    engine_images_unlock(e);
    return r;
}

void engine_image_finish(struct engine_image *image)
{
    free(image->id);
    free(image->top_layer);
    json_decref(image->config);
    *image = (struct engine_image){0};
}

bool engine_image_is_named(struct engine *e, const char *ref, const char *id)
{
    _cleanup_images_match_ struct images_match m = {0};
    bool same;

    engine_images_lock(e);
    same = images_match(e, ref, &m, NULL) == 0 && str_eq(m.id, id);
    engine_images_unlock(e);
    return same;
}

void engine_image_released(struct engine *e, const char *id)
{
    bool orphan;

    engine_images_lock(e);
    orphan = json_bool_or(json_object_get(e->images->rows, id), "Orphan", false);
    engine_images_unlock(e);
    if (orphan)
        images_sweep(e, NULL, NULL, NULL); /* what can't be removed now is tried again at the next start */
}

int engine_image_count(struct engine *e)
{
    const char *id;
    json_t *row;
    int n = 0;

    engine_images_lock(e);
    json_object_foreach (e->images->rows, id, row)
        n += !json_bool_or(row, "Orphan", false);
    engine_images_unlock(e);
    return n;
}

int images_read(struct engine *e, const char *ref, const char *platform, char ret_id[DIGEST_SIZE],
                struct image *ret, struct image_config *ret_config, struct err *err)
{
    _cleanup_images_match_ struct images_match m = {0};
    _cleanup_free_ char *manifest = NULL;

    engine_images_lock(e);
    if (images_match(e, ref, &m, err) == 0 && images_check_platform(ref, platform, m.row, err) == 0)
        manifest = xstrdup(json_str_or(m.row, "Manifest", ""));
    engine_images_unlock(e);
    if (!manifest)
        return -1;
    snprintf(ret_id, DIGEST_SIZE, "%s", m.id);
    if (image_read(e->image_store, manifest, ret, err) < 0)
        return -1;
    if (image_read_config(e->image_store, m.id, ret_config, err) < 0) {
        image_finish(ret);
        return -1;
    }
    return 0;
}

void images_event(struct engine *e, const char *action, const char *id, const char *name)
{
    _cleanup_json_ json_t *attributes = json_object();

    engine_images_lock(e); /* one that is deleted has no labels any more, as with Docker */
    json_object_update(attributes, json_object_get(json_object_get(e->images->rows, id), "Labels"));
    engine_images_unlock(e);
    json_set_str(attributes, "name", name);
    events_add(e->events, "image", action, id, attributes);
}
