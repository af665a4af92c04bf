/* What is made here, or came from docker's archives, is kept as plain tars; it goes out compressed, and stays so. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/images_internal.h"
#include "image/compress.h"

/* An image that a registry knows by its manifest's digest keeps it. With the lock held. */
static bool has_digest(struct engine *e, const char *id)
{
    _cleanup_strv_ char **digests = images_familiar_names(e, id, /* digests= */ true);

    return digests != NULL;
}

/* The row with the new manifest and blobs instead of the old ones; a new reference. */
static json_t *compressed_row(const json_t *row, const struct image *from, const struct image *to)
{
    _cleanup_strv_ char **before = json_strv(row, "Blobs");
    json_t *changed = json_copy((json_t *)row), *blobs = json_from_strv(to->blobs);

    for (char **blob = before; blob && *blob; blob++)
        if (!strv_contains(from->blobs, *blob) && !strv_contains(to->blobs, *blob) &&
            !str_eq(*blob, json_str(row, "Index")))
            json_array_append_new(blobs, json_string(*blob));
    json_object_set_new(changed, "Blobs", blobs);
    json_set_str(changed, "Manifest", to->manifest);
    json_set_str(changed, "MediaType", to->media_type);
    json_set_str(changed, "Index", ""); /* names the old one */
    return changed;
}

static int record(struct engine *e, const char *id, const struct image *from, const struct image *to,
                  struct err *err)
{
    const json_t *row;
    int r = 0;

    engine_images_lock(e);
    row = json_object_get(e->images->rows, id);
    if (row &&
        str_eq(json_str(row, "Manifest"), from->manifest)) { /* else it was replaced or removed meanwhile */
        json_t *change = images_change_new();

        images_change_row(change, id, compressed_row(row, from, to));
        r = images_apply(e, change, err);
    }
    engine_images_unlock(e);
    return r;
}

int images_compress(struct engine *e, struct image_lease *lease, const char *id, char manifest[DIGEST_SIZE],
                    const struct image_listener *listener, struct err *err)
{
    _cleanup_image_ struct image from = {0}, to = {0};
    bool known;

    engine_images_lock(e);
    known = has_digest(e, id);
    engine_images_unlock(e);
    if (known || !image_is_plain(e->image_store, manifest))
        return 0;
    if (image_read(e->image_store, manifest, &from, err) < 0 ||
        image_compress(e->image_store, lease, manifest, listener, &to, err) < 0 ||
        record(e, id, &from, &to, err) < 0)
        return -1;
    snprintf(manifest, DIGEST_SIZE, "%s", to.manifest);
    return 1;
}
