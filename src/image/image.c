/* Images as the store knows them: described from, read back from and made of blobs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "image/store_internal.h"

void image_finish(struct image *image)
{
    free(image->artifact);
    free(image->media_type);
    strv_free(image->tags);
    strv_free(image->repo_digests);
    strv_free(image->blobs);
    strv_free(image->layers);
    *image = (struct image){0};
}

int image_describe(struct image_store *store, const char *manifest_digest, const struct manifest *manifest,
                   const struct image_config *config, struct image *ret, struct err *err)
{
    _cleanup_image_ struct image image = {.platform = config->platform};
    const char *created = json_str(config->json, "created");

    if (image_config_check(config, manifest, err) < 0)
        return -1;
    snprintf(image.id, sizeof(image.id), "%s", manifest_image_id(manifest, manifest_digest));
    snprintf(image.manifest, sizeof(image.manifest), "%s", manifest_digest);
    image.media_type = xstrdup(manifest->media_type);
    image.artifact = xstrdup(manifest->artifact);
    if (created && clock_parse(created, &image.created) < 0)
        image.created = 0;
    strv_push(&image.blobs, manifest_digest);
    strv_push(&image.blobs, manifest->config.digest);
    for (size_t i = 0; i < manifest->n_layers; i++) {
        if (!strv_contains(image.blobs, manifest->layers[i].digest))
            strv_push(&image.blobs, manifest->layers[i].digest);
        if (image.artifact)
            image.size += manifest->layers[i].size;
        else
            strv_push(&image.layers, config->chain_ids[i]);
    }
    if (config->n_layers && storage_layer_stack_size(store->layers, config->chain_ids[config->n_layers - 1],
                                                     &image.size, err) < 0)
        return -1;
    *ret = image;
    image = (struct image){0};
    return 0;
}

int image_read_config(struct image_store *store, const char *id, struct image_config *ret, struct err *err)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(IMAGE_CONFIG_SIZE_MAX);

    if (blobs_read(store->blobs, id, &b, err) < 0)
        return -1;
    return image_config_parse(buf_str(&b), b.len, ret, err);
}

int image_read(struct image_store *store, const char *manifest_digest, struct image *ret, struct err *err)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(MANIFEST_SIZE_MAX);
    _cleanup_manifest_ struct manifest manifest = {0};
    _cleanup_image_config_ struct image_config config = {0};

    if (blobs_read(store->blobs, manifest_digest, &b, err) < 0 ||
        manifest_parse(buf_str(&b), b.len, NULL, &manifest, err) < 0)
        return -1;
    if (manifest.kind != MANIFEST_IMAGE)
        return err_set(err, ERR_INVALID, "%s is a manifest list, no image", manifest_digest);
    if (image_read_config(store, manifest_image_id(&manifest, manifest_digest), &config, err) < 0)
        return -1;
    return image_describe(store, manifest_digest, &manifest, &config, ret, err);
}

static json_t *descriptor_json(const char *media_type, const char *digest, int64_t size)
{
    return json_pack("{s:s, s:I, s:s}", "mediaType", media_type, "size", (json_int_t)size, "digest", digest);
}

static json_t *manifest_json(const char *config_digest, int64_t config_size, const struct descriptor *layers,
                             size_t n_layers)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n_layers; i++)
        json_array_append_new(list, descriptor_json(layers[i].media_type, layers[i].digest, layers[i].size));
    return json_pack("{s:i, s:s, s:o, s:o}", "schemaVersion", 2, "mediaType", MEDIA_OCI_MANIFEST, "config",
                     descriptor_json(MEDIA_OCI_CONFIG, config_digest, config_size), "layers", list);
}

int image_put_manifest(struct image_store *store, struct image_lease *lease, const char *config_digest,
                       int64_t config_size, const struct descriptor *layers, size_t n_layers,
                       char ret_digest[DIGEST_SIZE], struct manifest *ret, struct err *err)
{
    _cleanup_json_ json_t *json = manifest_json(config_digest, config_size, layers, n_layers);
    _cleanup_free_ char *text = json_text(json);

    digest_of(text, strlen(text), ret_digest);
    image_lease_add(lease, ret_digest);
    if (blobs_put(store->blobs, text, strlen(text), NULL, err) < 0)
        return -1;
    return manifest_parse(text, strlen(text), MEDIA_OCI_MANIFEST, ret, err);
}

int image_create(struct image_store *store, struct image_lease *lease, const json_t *config,
                 const struct descriptor *layers, size_t n_layers, struct image *ret, struct err *err)
{
    _cleanup_free_ char *text = json_text(config);
    _cleanup_manifest_ struct manifest manifest = {0};
    _cleanup_image_config_ struct image_config parsed = {0};
    char config_digest[DIGEST_SIZE], manifest_digest[DIGEST_SIZE];

    if (!text || image_config_parse(text, strlen(text), &parsed, err) < 0)
        return -1;
    digest_of(text, strlen(text), config_digest);
    image_lease_add(lease, config_digest);
    for (size_t i = 0; i < n_layers; i++)
        image_lease_add(lease, layers[i].digest);
    for (size_t i = 0; i < parsed.n_layers; i++)
        image_lease_add(lease, parsed.chain_ids[i]);
    if (blobs_put(store->blobs, text, strlen(text), NULL, err) < 0 ||
        image_put_manifest(store, lease, config_digest, (int64_t)strlen(text), layers, n_layers,
                           manifest_digest, &manifest, err) < 0)
        return -1;
    return image_describe(store, manifest_digest, &manifest, &parsed, ret, err);
}

const char *image_sniff_media_type(int fd)
{
    static const unsigned char gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
    unsigned char head[4] = {0};

    if (pread(fd, head, sizeof(head), 0) < 0)
        return MEDIA_OCI_LAYER;
    if (memcmp(head, gzip, sizeof(gzip)) == 0)
        return MEDIA_OCI_LAYER_GZIP;
    return memcmp(head, zstd, sizeof(zstd)) == 0 ? MEDIA_OCI_LAYER_ZSTD : MEDIA_OCI_LAYER;
}

bool image_is_foreign(int fd)
{
    char head[6] = {0};

    return pread(fd, head, sizeof(head), 0) > 0 && (memcmp(head,
                                                           "\xfd"
                                                           "7zXZ\0",
                                                           6) == 0 ||
                                                    memcmp(head, "BZh", 3) == 0);
}
