/* index.json and manifest.json of saved images, and manifests and indexes below them. The archive's files are pretended: those
 * two are the input, every other name is a blob, and every blob that isn't the input is a small image's manifest. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "image/archive.h"
#include "image/layers.h"
#include "image/store_internal.h"
#include "image/transform.h"
#include "image/unpacked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_DIGEST "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define OTHER_DIGEST "sha256:2222222222222222222222222222222222222222222222222222222222222222"

static const char manifest[] = "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG
                               "\",\"digest\":\"" OTHER_DIGEST "\",\"size\":2},\"layers\":[]}";

static struct {
    const uint8_t *data;
    size_t size;
} input;

/* ---- what load.c stands on, pretended ---- */

static struct unpacked_file files[] = {{.name = (char *)"index.json", .digest = INPUT_DIGEST},
                                       {.name = (char *)"manifest.json", .digest = INPUT_DIGEST},
                                       {.name = (char *)"other", .digest = OTHER_DIGEST, .size = 2}};

int unpacked_read(const struct unpacked_job *job _unused_, int fd _unused_, struct unpacked *ret,
                  struct err *err _unused_)
{
    *ret = (struct unpacked){0};
    return 0;
}

void ahead_finish(struct ahead *a _unused_)
{
}

void unpacked_finish(struct unpacked *u _unused_)
{
}

const struct unpacked_file *unpacked_find(const struct unpacked *u _unused_, const char *name)
{
    bool list = input.size > 0 && input.data[0] == '[';

    if (str_eq(name, "index.json"))
        return list ? NULL : &files[0];
    if (str_eq(name, "manifest.json"))
        return list ? &files[1] : NULL;
    return name && strlen(name) % 5 ? &files[2] : NULL;
}

int blobs_put(struct blobs *blobs _unused_, const void *data, size_t len, char ret[DIGEST_SIZE],
              struct err *err _unused_)
{
    if (ret)
        digest_of(data, len, ret);
    return 0;
}

int blobs_read(struct blobs *blobs _unused_, const char *digest, struct buf *b, struct err *err)
{
    if (str_eq(digest, INPUT_DIGEST))
        buf_append(b, input.data, input.size);
    else
        buf_append(b, manifest, strlen(manifest));
    return buf_failed(b) ? err_set(err, ERR_INVALID, "too long") : 0;
}

int blobs_get(struct blobs *blobs _unused_, const char *digest _unused_, int64_t *ret_size, struct err *err)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    *ret_size = 2;
    return fd < 0 ? err_errno(err, errno, "open") : fd;
}

void image_lease_add(struct image_lease *lease _unused_, const char *digest)
{
    if (!digest_valid(digest))
        abort(); /* it names a file */
}

const char *image_sniff_media_type(int fd _unused_)
{
    return MEDIA_OCI_LAYER;
}

bool image_is_foreign(int fd _unused_)
{
    return false;
}

int image_transform_blob(struct image_store *store _unused_, struct image_lease *lease _unused_,
                         const char *verb _unused_, const char *digest _unused_,
                         struct descriptor *ret _unused_, struct err *err _unused_)
{
    abort(); /* nothing is foreign */
}

int image_read_config(struct image_store *store _unused_, const char *id, struct image_config *ret,
                      struct err *err)
{
    static const char config[] =
        "{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" OTHER_DIGEST "\"]}}";

    if (!digest_valid(id))
        abort();
    return image_config_parse(config, strlen(config), ret, err);
}

int image_put_manifest(struct image_store *store _unused_, struct image_lease *lease _unused_,
                       const char *config_digest, int64_t config_size _unused_,
                       const struct descriptor *layers, size_t n_layers, char ret_digest[DIGEST_SIZE],
                       struct manifest *ret, struct err *err)
{
    for (size_t i = 0; i < n_layers; i++)
        if (!digest_valid(layers[i].digest))
            abort();
    if (!digest_valid(config_digest))
        abort();
    snprintf(ret_digest, DIGEST_SIZE, "%s", OTHER_DIGEST);
    return manifest_parse(manifest, strlen(manifest), NULL, ret, err);
}

int layers_make(const struct layers_job *job _unused_, struct err *err _unused_)
{
    return 0;
}

int image_describe(struct image_store *store _unused_, const char *manifest_digest, const struct manifest *m,
                   const struct image_config *config _unused_, struct image *ret, struct err *err _unused_)
{
    *ret = (struct image){0};
    snprintf(ret->manifest, DIGEST_SIZE, "%s", manifest_digest);
    snprintf(ret->id, DIGEST_SIZE, "%s", m->config.digest);
    return 0;
}

void image_finish(struct image *image)
{
    strv_free(image->tags);
    strv_free(image->blobs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_store store = {0};
    struct image *images = NULL;
    size_t n = 0;

    input.data = data;
    input.size = size;
    if (image_load(&store, NULL, -EBADF, NULL, NULL, &images, &n, NULL) < 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (!digest_valid(images[i].id))
            abort();
        image_finish(&images[i]);
    }
    free(images);
    return 0;
}
