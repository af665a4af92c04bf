/* The plain list of images as text.
 *
 * What it says of an image is composed once and kept until the image's row, a name of it or its parent changes: with a
 * thousand images that is most of what the list costs. Only how many containers stand on each is told anew. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/images_internal.h"

enum { TEXT_MAX = 1 << 30 };

/* ---- what is kept: {image id: text, "" for one that isn't shown} ---- */

static void text_forget_named(struct engine *e, const json_t *names)
{
    const char *name, *id;
    json_t *value;

    json_object_foreach ((json_t *)names, name, value) {
        if ((id = json_str(value, "Image")))
            json_object_del(e->images->texts, id);
        if ((id = json_str(json_object_get(e->images->names, name), "Image")))
            json_object_del(e->images->texts, id);
    }
}

void images_text_forget(struct engine *e, const json_t *change)
{
    json_t *rows = json_object_get(change, "rows"), *row;
    const char *id;

    text_forget_named(e, json_object_get(change, "names"));
    if (json_object_size(rows) == 0)
        return;
    json_object_foreach (e->images->rows, id, row)
        if (json_object_get(rows, json_str_or(row, "Parent", "")))
            json_object_del(e->images->texts, id);
    json_object_foreach (rows, id, row)
        json_object_del(e->images->texts, id);
}

/* {image id: [name…]} of the images without a text: looked for one by one, a thousand would take a million looks. */
static json_t *text_missing_names(struct engine *e)
{
    json_t *missing = json_object(), *value;
    const char *name, *id;

    json_object_foreach (e->images->names, name, value) {
        json_t *names;

        id = json_str_or(value, "Image", "");
        if (json_object_get(e->images->texts, id))
            continue;
        names = json_object_get(missing, id);
        if (!names) {
            names = json_array();
            json_object_set_new(missing, id, names);
        }
        json_array_append_new(names, json_string(name));
    }
    return missing;
}

static void text_compose(struct engine *e, const char *id, const json_t *row, const json_t *missing)
{
    _cleanup_strv_ char **names = json_strv(missing, id);
    _cleanup_json_ json_t *item = NULL;
    _cleanup_free_ char *text = NULL;

    images_sort_names(names);
    item = images_plain_item(e, id, row, names);
    if (item)
        json_object_del(item, "Containers");
    text = item ? json_text(item) : xstrdup("");
    json_object_set_new(e->images->texts, id, json_string(text));
}

void images_text_compose(struct engine *e)
{
    _cleanup_json_ json_t *missing = NULL;
    const char *id;
    json_t *row;

    if (json_object_size(e->images->texts) == json_object_size(e->images->rows))
        return;
    missing = text_missing_names(e);
    json_object_foreach (e->images->rows, id, row)
        if (!json_object_get(e->images->texts, id))
            text_compose(e, id, row, missing);
}

/* ---- the list ---- */

struct text_item {
    int64_t created; /* in seconds, as it is shown */
    const char *id, *text;
};

static int text_compare(const void *a, const void *b)
{
    const struct text_item *x = a, *y = b;

    return x->created < y->created ? 1 : x->created > y->created ? -1 : strcmp(x->id, y->id);
}

static void text_append(struct buf *b, const struct text_item *item, const json_t *used)
{
    if (!*item->text)
        return;
    buf_printf(b, "%s{\"Containers\":%" PRId64 ",", b->len > 1 ? "," : "", json_int_or(used, item->id, 0));
    buf_puts(b, item->text + 1);
}

char *engine_image_list_text(struct engine *e, struct err *err)
{
    _cleanup_json_ json_t *used = images_uses(e);
    _cleanup_(buf_finish) struct buf b = BUF_INIT(TEXT_MAX);
    struct text_item *items;
    const char *id;
    json_t *row;
    size_t n = 0;

    engine_images_lock(e);
    images_text_compose(e);
    items = xcalloc(json_object_size(e->images->rows) + 1, sizeof(*items));
    json_object_foreach (e->images->rows, id, row)
        items[n++] = (struct text_item){json_int_or(row, "Created", 0) / CLOCK_NS_PER_S, id,
                                        json_string_value(json_object_get(e->images->texts, id))};
    qsort(items, n, sizeof(*items), text_compare);
    buf_putc(&b, '[');
    for (size_t i = 0; i < n; i++)
        text_append(&b, &items[i], used);
    buf_putc(&b, ']');
    engine_images_unlock(e);
    free(items);
    if (buf_failed(&b)) {
        err_errno(err, b.error, "list the images");
        return NULL;
    }
    return buf_take(&b);
}
