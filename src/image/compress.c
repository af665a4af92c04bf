/* A keg-archive worker compresses each layer; the manifest gets their descriptors in place of the old. */
#include "image/compress.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "image/store_internal.h"
#include "image/transform.h"

/* What a layer's media type becomes. */
static const struct {
    const char *plain, *gzip;
} media_types[] = {
    {MEDIA_OCI_LAYER, MEDIA_OCI_LAYER_GZIP},
    {"application/vnd.docker.image.rootfs.diff.tar", MEDIA_DOCKER_LAYER},
};

static const char *compressed_type(const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(media_types); i++)
        if (str_eq(type, media_types[i].plain))
            return media_types[i].gzip;
    return NULL;
}

static int read_manifest(struct image_store *store, const char *digest, struct buf *text,
                         struct manifest *ret, struct err *err)
{
    if (blobs_read(store->blobs, digest, text, err) < 0)
        return -1;
    return manifest_parse(buf_str(text), text->len, NULL, ret, err);
}

bool image_is_plain(struct image_store *store, const char *manifest)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(MANIFEST_SIZE_MAX);
    _cleanup_manifest_ struct manifest m = {0};

    if (read_manifest(store, manifest, &text, &m, NULL) < 0)
        return false;
    for (size_t i = 0; i < m.n_layers && !m.artifact; i++)
        if (compressed_type(m.layers[i].media_type))
            return true;
    return false;
}

static int compress_layer(struct image_store *store, struct image_lease *lease, const struct descriptor *from,
                          struct descriptor *to, struct err *err)
{
    to->media_type = (char *)compressed_type(from->media_type);
    return image_transform_blob(store, lease, "compress", from->digest, to, err);
}

static void replace_descriptor(json_t *layer, const struct descriptor *to)
{
    json_set_str(layer, "mediaType", to->media_type);
    json_set_str(layer, "digest", to->digest);
    json_set_int(layer, "size", to->size);
}

/* A layer that is in the image twice is compressed once. */
static int compress_all(struct image_store *store, struct image_lease *lease, const struct manifest *m,
                        const struct image_listener *listener, json_t *layers, struct err *err)
{
    _cleanup_free_ struct descriptor *made = xcalloc(m->n_layers + 1, sizeof(*made));

    for (size_t i = 0; i < m->n_layers; i++) {
        if (!compressed_type(m->layers[i].media_type))
            continue;
        if (image_listener_gone(listener))
            return err_set(err, ERR_CANCELLED, "the client has gone");
        for (size_t j = 0; j < i && !made[i].media_type; j++)
            if (made[j].media_type && str_eq(m->layers[j].digest, m->layers[i].digest))
                made[i] = made[j];
        if (!made[i].media_type && compress_layer(store, lease, &m->layers[i], &made[i], err) < 0)
            return -1;
        replace_descriptor(json_array_get(layers, i), &made[i]);
    }
    return 0;
}

int image_compress(struct image_store *store, struct image_lease *lease, const char *manifest,
                   const struct image_listener *listener, struct image *ret, struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(MANIFEST_SIZE_MAX);
    _cleanup_manifest_ struct manifest m = {0};
    _cleanup_json_ json_t *json = NULL;
    _cleanup_free_ char *changed = NULL;
    char digest[DIGEST_SIZE];

    if (read_manifest(store, manifest, &text, &m, err) < 0)
        return -1;
    json = json_parse(buf_str(&text), text.len, "manifest", err);
    if (!json || compress_all(store, lease, &m, listener, json_object_get(json, "layers"), err) < 0)
        return -1;
    changed = json_text(json);
    digest_of(changed, strlen(changed), digest);
    image_lease_add(lease, digest);
    if (blobs_put(store->blobs, changed, strlen(changed), NULL, err) < 0)
        return -1;
    return image_read(store, digest, ret, err);
}
