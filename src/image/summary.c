/* The manifests of an index, and how much of each is here. */
#include "image/summary.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "image/store_internal.h"

struct document {
    struct manifest manifest;
    int64_t size;
};

static void document_finish(struct document *d)
{
    manifest_finish(&d->manifest);
}

static int read_document(struct image_store *store, const char *digest, struct document *ret, struct err *err)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(MANIFEST_SIZE_MAX);

    if (blobs_read(store->blobs, digest, &b, err) < 0)
        return -1;
    ret->size = (int64_t)b.len;
    return manifest_parse(buf_str(&b), b.len, NULL, &ret->manifest, err);
}

static json_t *descriptor_json(const char *media_type, const char *digest, int64_t size)
{
    return json_pack("{s:s, s:s, s:I}", "mediaType", media_type, "digest", digest, "size", (json_int_t)size);
}

/* Bytes of a manifest, its configuration and its layers that are in the blob store; *all: none is missing. */
static int64_t content_size(struct image_store *store, const char *digest, bool *all)
{
    _cleanup_(document_finish) struct document d = {0};
    int64_t sum;

    *all = blobs_has(store->blobs, digest) && read_document(store, digest, &d, NULL) == 0;
    if (!*all)
        return 0;
    sum = d.size;
    for (size_t i = 0; i <= d.manifest.n_layers; i++) {
        const struct descriptor *blob = i ? &d.manifest.layers[i - 1] : &d.manifest.config;

        if (blobs_has(store->blobs, blob->digest))
            sum += blob->size;
        else
            *all = false;
    }
    return sum;
}

static json_t *image_data(const struct image_summary *s, const struct platform *platform, bool own)
{
    return json_pack("{s:o, s:o, s:{s:I}}", "Platform", platform_json(platform), "Containers",
                     own && s->containers ? json_deep_copy(s->containers) : json_array(), "Size", "Unpacked",
                     (json_int_t)(own ? s->unpacked : 0));
}

static json_t *row_json(struct image_store *store, const struct image_summary *s,
                        const struct manifest_child *child)
{
    const char *digest = child->descriptor.digest;
    bool own = str_eq(digest, s->manifest), all;
    int64_t content = content_size(store, digest, &all);
    json_t *descriptor = descriptor_json(child->descriptor.media_type, digest, child->descriptor.size), *row;

    if (child->platform.os[0])
        json_object_set_new(descriptor, "platform", platform_json(&child->platform));
    row = json_pack("{s:s, s:o, s:b, s:{s:I, s:I}, s:s}", "ID", digest, "Descriptor", descriptor, "Available",
                    all, "Size", "Content", (json_int_t)content, "Total",
                    (json_int_t)(content + (own ? s->unpacked : 0)), "Kind",
                    child->attestation ? "attestation"
                    : s->artifact      ? "unknown"
                                       : "image");
    if (!child->attestation && !s->artifact)
        json_object_set_new(row, "ImageData", image_data(s, &child->platform, own));
    else if (child->attestation) /* always: docker's client looks into it unasked */
        json_object_set_new(row, "AttestationData", json_pack("{s:s}", "For", child->attested));
    return row;
}

/* The image's own manifest as if an index named it. */
static int own_row(struct image_store *store, const struct image_summary *s, const struct document *d,
                   json_t *rows, struct err *err)
{
    _cleanup_image_config_ struct image_config config = {0};
    struct manifest_child child = {.descriptor = {.media_type = d->manifest.media_type, .size = d->size}};

    if (image_read_config(store, manifest_image_id(&d->manifest, s->manifest), &config, err) < 0)
        return -1;
    memcpy(child.descriptor.digest, s->manifest, DIGEST_SIZE);
    child.platform = config.platform;
    json_array_append_new(rows, row_json(store, s, &child));
    return 0;
}

json_t *image_summary_json(struct image_store *store, const struct image_summary *s, json_t **ret_target,
                           struct err *err)
{
    const char *target = str_empty(s->index) ? s->manifest : s->index;
    _cleanup_(document_finish) struct document d = {0};
    _cleanup_json_ json_t *rows = json_array();

    if (read_document(store, target, &d, err) < 0)
        return NULL;
    if (d.manifest.kind == MANIFEST_IMAGE && own_row(store, s, &d, rows, err) < 0)
        return NULL;
    for (size_t i = 0; i < d.manifest.n_children; i++)
        json_array_append_new(rows, row_json(store, s, &d.manifest.children[i]));
    if (ret_target)
        *ret_target = descriptor_json(d.manifest.media_type, target, d.size);
    return take_ptr(&rows);
}
