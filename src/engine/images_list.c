/* Images as they are shown: list, inspect, history. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/images_internal.h"
#include "image/inspect.h"
#include "image/reference.h"
#include "image/summary.h"

struct list_context {
    struct engine *e;
    const struct engine_image_list_options *options;
    int64_t before, since, until; /* ns of creation; 0: any */
    bool has_until, dangling, dangling_asked;
    json_t *used; /* {image id: how many containers} */
    json_t
        *names; /* {image id: [name…]}: looked for per image, a thousand images would take a million looks */
};

static json_t *list_index_names(struct engine *e)
{
    json_t *index = json_object(), *value;
    const char *name;

    json_object_foreach (e->images->names, name, value) {
        const char *id = json_str_or(value, "Image", "");
        json_t *names = json_object_get(index, id);

        if (!names) {
            names = json_array();
            json_object_set_new(index, id, names);
        }
        json_array_append_new(names, json_string(name));
    }
    return index;
}

static int list_count_use(void *arg, const struct container_brief *c)
{
    json_t *used = arg;

    if (c->image_id)
        json_set_int(used, c->image_id, json_int_or(used, c->image_id, 0) + 1);
    return 0;
}

json_t *images_uses(struct engine *e)
{
    json_t *used = json_object();

    engine_containers_each(e, list_count_use, used);
    return used;
}

/* ---- filters ---- */

static int list_creation_of(struct engine *e, const json_t *filters, const char *key, int64_t *ret,
                            struct err *err)
{
    const char *ref = filters_value(filters, key, 0), *further;
    _cleanup_images_match_ struct images_match m = {0};

    *ret = 0;
    if (!ref)
        return 0;
    for (size_t i = 1; (further = filters_value(filters, key, i)); i++) {
        _cleanup_images_match_ struct images_match other = {0};

        if (images_match(e, further, &other, err) < 0)
            return -1;
    }
    if (images_match(e, ref, &m, err) < 0)
        return -1;
    *ret = json_int_or(m.row, "Created", 0);
    return 0;
}

/* Every bracket is closed, every backslash has something behind it. */
static bool list_pattern_valid(const char *pattern)
{
    bool open = false;

    for (; *pattern; pattern++) {
        if (*pattern == '\\' && !*++pattern)
            return false;
        if (*pattern == '[')
            open = true;
        else if (*pattern == ']')
            open = false;
    }
    return !open;
}

/* The earliest of them. */
static int list_until(struct list_context *c, struct err *err)
{
    const char *value;

    for (size_t i = 0; (value = filters_value(c->options->filters, "until", i)); i++) {
        _cleanup_json_ json_t *one = json_pack("{s:[s]}", "until", value);
        int64_t until;

        if (filters_time(one, "until", &c->has_until, &until, err) < 0)
            return -1;
        c->until = i == 0 ? until : MIN_OF(c->until, until);
    }
    return 0;
}

static int list_prepare(struct list_context *c, struct err *err)
{
    static const char *const allowed[] = {"dangling", "label", "before", "since", "reference", "until", NULL};
    const json_t *filters = c->options->filters;
    const char *pattern;

    if (filters_check(filters, allowed, err) < 0 ||
        filters_bool(filters, "dangling", false, &c->dangling, err) < 0 ||
        list_creation_of(c->e, filters, "before", &c->before, err) < 0 ||
        list_creation_of(c->e, filters, "since", &c->since, err) < 0 || list_until(c, err) < 0)
        return -1;
    for (size_t i = 0; (pattern = filters_value(filters, "reference", i)); i++)
        if (!list_pattern_valid(pattern))
            return err_set(err, ERR_INVALID, "syntax error in pattern");
    c->dangling_asked = filters_has(filters, "dangling");
    return 0;
}

/* "busybox", "busybox:1*", "local*\/app": against the name as people write it, with and without its tag. */
static bool list_name_matches(const char *name, const char *pattern)
{
    _cleanup_reference_ struct reference ref = {0};
    _cleanup_free_ char *bare = NULL;

    if (fnmatch(pattern, name, FNM_PATHNAME) == 0)
        return true;
    if (reference_parse(name, &ref, NULL) < 0)
        return false;
    bare = reference_familiar_name(&ref);
    return fnmatch(pattern, bare, FNM_PATHNAME) == 0;
}

/* Keeps the names that a "reference" filter asks for. False when there is such a filter and none is left. */
static bool list_choose_names(const json_t *filters, char ***names)
{
    char **chosen = NULL;

    if (!filters_has(filters, "reference"))
        return true;
    for (char **name = *names; name && *name; name++) {
        bool wanted = false;
        const char *pattern;

        for (size_t i = 0; (pattern = filters_value(filters, "reference", i)) && !wanted; i++)
            wanted = list_name_matches(*name, pattern);
        if (wanted)
            strv_push(&chosen, *name);
    }
    strv_free(*names);
    *names = chosen;
    return chosen != NULL;
}

static bool list_row_matches(const struct list_context *c, const json_t *row, bool dangling)
{
    int64_t created = json_int_or(row, "Created", 0);

    return !(json_bool_or(row, "Orphan", false) || (c->dangling_asked && dangling != c->dangling) ||
             (c->before && created >= c->before) || (c->since && created <= c->since) ||
             (c->has_until && created >= c->until)) &&
           filters_match_labels(c->options->filters, "label", json_object_get(row, "Labels"));
}

/* ---- list ---- */

struct shared_context {
    struct engine *e;
    const char *id;
};

static bool list_layer_is_shared(void *arg, const char *chain_id)
{
    struct shared_context *s = arg;
    const char *id;
    json_t *row, *layer;
    size_t i;

    json_object_foreach (s->e->images->rows, id, row) {
        if (str_eq(id, s->id))
            continue;
        json_array_foreach (json_object_get(row, "Layers"), i, layer)
            if (str_eq(json_string_value(layer), chain_id))
                return true;
    }
    return false;
}

static int64_t list_shared_size(struct engine *e, const char *id, const json_t *row)
{
    struct shared_context s = {.e = e, .id = id};
    struct image image = {.layers = json_strv(row, "Layers")};
    int64_t size = image_shared_size(e->image_store, &image, list_layer_is_shared, &s);

    strv_free(image.layers);
    return size;
}

struct containers_of {
    const char *image;
    json_t *ids;
};

static int list_collect_use(void *arg, const struct container_brief *c)
{
    struct containers_of *of = arg;

    if (str_eq(c->image_id, of->image))
        json_array_append_new(of->ids, json_string(c->id));
    return 0;
}

/* "Descriptor" and "Manifests". What can't be read is left out: another image's trouble must not hide this list. */
static void list_add_manifests(struct engine *e, const char *id, const json_t *row, json_t *item)
{
    _cleanup_json_ json_t *containers = json_array();
    struct containers_of of = {.image = id, .ids = containers};
    const struct image_summary summary = {.manifest = json_str_or(row, "Manifest", ""),
                                          .index = json_str_or(row, "Index", ""),
                                          .artifact = json_str(row, "Artifact") != NULL,
                                          .unpacked =
                                              json_str(row, "Artifact") ? 0 : json_int_or(row, "Size", 0),
                                          .containers = containers};
    json_t *target = NULL, *manifests;

    engine_containers_each(e, list_collect_use, &of);
    manifests = image_summary_json(e->image_store, &summary, &target, NULL);
    if (!manifests)
        return;
    json_object_set_new(item, "Descriptor", target);
    json_object_set_new(item, "Manifests", manifests);
}

/* The id of the image it was committed on, as long as that is here; else "". */
static const char *list_parent(struct engine *e, const json_t *row)
{
    const char *parent = json_str_or(row, "Parent", "");
    const json_t *its = json_object_get(e->images->rows, parent);

    return its && !json_bool_or(its, "Orphan", false) ? parent : "";
}

static json_t *list_item(const struct list_context *c, const char *id, const json_t *row, char *const *tags,
                         char *const *digests)
{
    json_t *labels = json_object_get(row, "Labels"), *item = json_object();

    json_set_int(item, "Containers", json_int_or(c->used, id, 0));
    json_set_int(item, "Created", json_int_or(row, "Created", 0) / CLOCK_NS_PER_S);
    json_set_str(item, "Id", id);
    json_object_set(item, "Labels", json_object_size(labels) ? labels : json_null());
    json_set_str(item, "ParentId", list_parent(c->e, row));
    json_object_set_new(item, "RepoDigests", json_from_strv(digests));
    json_object_set_new(item, "RepoTags", json_from_strv(tags));
    json_set_int(item, "SharedSize", c->options->shared_size ? list_shared_size(c->e, id, row) : -1);
    json_set_int(item, "Size", json_int_or(row, "Size", 0));
    return item;
}

static void list_add(const struct list_context *c, const char *id, const json_t *row, json_t *list)
{
    _cleanup_strv_ char **names = json_strv(c->names, id);
    char **tags, **digests;
    json_t *item;

    images_sort_names(names);
    tags = images_familiar_of(names, /* digests= */ false);
    digests = images_familiar_of(names, /* digests= */ true);
    if (list_row_matches(c, row, !tags) &&
        (list_choose_names(c->options->filters, &tags) | list_choose_names(c->options->filters, &digests))) {
        item = list_item(c, id, row, tags, digests);
        if (c->options->manifests)
            list_add_manifests(c->e, id, row, item);
        json_array_append_new(list, item);
    }
    strv_free(tags);
    strv_free(digests);
}

struct list_item {
    int64_t created;
    const char *id;
    json_t *item;
};

static int list_compare(const void *a, const void *b)
{
    const struct list_item *x = a, *y = b;

    return x->created < y->created ? 1 : x->created > y->created ? -1 : strcmp(x->id, y->id);
}

/* The same items, newest first; the reference to list is taken. */
static json_t *list_sort(json_t *list)
{
    size_t n = json_array_size(list), i;
    struct list_item *items = xcalloc(n + 1, sizeof(*items));
    json_t *sorted = json_array(), *item;

    json_array_foreach (list, i, item)
        items[i] = (struct list_item){json_int_or(item, "Created", 0), json_str_or(item, "Id", ""), item};
    qsort(items, n, sizeof(*items), list_compare);
    for (i = 0; i < n; i++)
        json_array_append(sorted, items[i].item);
    free(items);
    json_decref(list);
    return sorted;
}

int engine_image_list(struct engine *e, const struct engine_image_list_options *o, json_t **ret,
                      struct err *err)
{
    _cleanup_json_ json_t *used = images_uses(e), *names = NULL;
    struct list_context c = {.e = e, .options = o, .used = used};
    json_t *list = json_array(), *row;
    const char *id;
    int r;

    engine_images_lock(e);
    r = list_prepare(&c, err);
    c.names = names = list_index_names(e);
    if (r == 0)
        json_object_foreach (e->images->rows, id, row)
            list_add(&c, id, row, list);
    engine_images_unlock(e);
    if (r < 0) {
        json_decref(list);
        return -1;
    }
    *ret = list_sort(list);
    return 0;
}

json_t *images_plain_item(struct engine *e, const char *id, const json_t *row, char *const *names)
{
    const struct engine_image_list_options plain = {};
    const struct list_context c = {.e = e, .options = &plain};
    char **tags, **digests;
    json_t *item;

    if (json_bool_or(row, "Orphan", false))
        return NULL;
    tags = images_familiar_of(names, /* digests= */ false);
    digests = images_familiar_of(names, /* digests= */ true);
    item = list_item(&c, id, row, tags, digests);
    strv_free(tags);
    strv_free(digests);
    return item;
}

/* ---- one image ---- */

int engine_image_inspect(struct engine *e, const char *ref, const struct engine_image_inspect_options *o,
                         json_t **ret, struct err *err)
{
    _cleanup_image_config_ struct image_config config = {0};
    _cleanup_image_ struct image image = {0};
    _cleanup_strv_ char **tags = NULL, **digests = NULL;
    char id[DIGEST_SIZE], tagged[CLOCK_TEXT_SIZE];
    _cleanup_json_ json_t *row = NULL;
    _cleanup_free_ char *parent = NULL;

    if (images_read(e, ref, o->platform, id, &image, &config, err) < 0)
        return -1;
    engine_images_lock(e);
    tags = images_familiar_names(e, id, /* digests= */ false);
    digests = images_familiar_names(e, id, /* digests= */ true);
    row = json_incref(json_object_get(e->images->rows, id));
    parent = xstrdup(list_parent(e, row));
    engine_images_unlock(e);
    clock_format(json_int_or(row, "LastTagTime", 0), tagged);
    *ret = image_inspect_json(&image, &config, tags, digests);
    json_object_set_new(*ret, "Metadata", json_pack("{s:s}", "LastTagTime", tagged));
    json_set_str(*ret, "Parent", parent);
    if (o->manifests)
        list_add_manifests(e, id, row, *ret);
    return 0;
}

/* The newest entry is the image's, the next its parent's, and so on as far as they are here. With the lock held. */
static void history_name(struct engine *e, json_t *rows, const char *id)
{
    json_t *entry;
    size_t i;

    json_array_foreach (rows, i, entry) {
        _cleanup_strv_ char **tags = NULL;

        if (!*id)
            break;
        tags = images_familiar_names(e, id, /* digests= */ false);
        json_set_str(entry, "Id", id);
        if (tags)
            json_object_set_new(entry, "Tags", json_from_strv(tags));
        id = list_parent(e, json_object_get(e->images->rows, id));
    }
}

int engine_image_history(struct engine *e, const char *ref, const char *platform, json_t **ret,
                         struct err *err)
{
    _cleanup_image_config_ struct image_config config = {0};
    _cleanup_image_ struct image image = {0};
    char id[DIGEST_SIZE];

    if (images_read(e, ref, platform, id, &image, &config, err) < 0)
        return -1;
    *ret = image_history_json(e->image_store, &config);
    engine_images_lock(e);
    history_name(e, *ret, id);
    engine_images_unlock(e);
    return 0;
}
