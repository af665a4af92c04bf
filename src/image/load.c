/* docker load: an archive's OCI layout (index.json) first, because it keeps manifests and their digests; then
 * what only the older manifest.json knows. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "image/archive.h"
#include "image/layers.h"
#include "image/reference.h"
#include "image/store_internal.h"
#include "image/unpacked.h"

enum { IMAGES_MAX = 256 };

struct load {
    struct image_store *store;
    struct image_lease *lease;
    const struct image_listener *listener;
    struct platform platform;
    struct unpacked files;
    struct image *images;
    size_t n;
};

static void load_finish(struct load *l)
{
    unpacked_finish(&l->files);
    for (size_t i = 0; i < l->n; i++)
        image_finish(&l->images[i]);
    free(l->images);
}

/* A file of the archive as JSON; NULL with err set. */
static json_t *read_json(struct load *l, const char *name, size_t max, struct err *err)
{
    const struct unpacked_file *file = unpacked_find(&l->files, name);
    _cleanup_(buf_finish) struct buf b = BUF_INIT(max);

    if (!file) {
        err_set(err, ERR_INVALID, "invalid archive: %s is missing", name);
        return NULL;
    }
    if (blobs_read(l->store->blobs, file->digest, &b, err) < 0)
        return NULL;
    return json_parse(buf_str(&b), b.len, name, err);
}

/* A tag is what the archive says; what isn't a full, valid reference is passed over. */
static void add_tag(struct image *image, const char *text)
{
    _cleanup_reference_ struct reference ref = {0};
    _cleanup_free_ char *tag = NULL;

    if (!text || reference_parse(text, &ref, NULL) < 0 || !ref.tag || ref.digest)
        return;
    tag = reference_string(&ref);
    if (!strv_contains(image->tags, tag))
        strv_push(&image->tags, tag);
}

static struct image *find_image(struct load *l, const char *id)
{
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(l->images[i].id, id))
            return &l->images[i];
    return NULL;
}

static void lease_image(struct load *l, const char *manifest_digest, const struct manifest *manifest,
                        const struct image_config *config)
{
    image_lease_add(l->lease, manifest_digest);
    image_lease_add(l->lease, manifest->config.digest);
    for (size_t i = 0; i < manifest->n_layers; i++)
        image_lease_add(l->lease, manifest->layers[i].digest);
    for (size_t i = 0; i < config->n_layers; i++)
        image_lease_add(l->lease, config->chain_ids[i]);
}

/* From a manifest in the blob store to an image with its layers unpacked. */
static struct image *make_image(struct load *l, const char *manifest_digest, const struct manifest *manifest,
                                struct err *err)
{
    _cleanup_image_config_ struct image_config config = {0};
    struct layers_job job = {
        .store = l->store, .manifest = manifest, .config = &config, .listener = l->listener, .loading = true};
    struct image *known = find_image(l, manifest->config.digest);

    if (known)
        return known;
    if (l->n == IMAGES_MAX) {
        err_set(err, ERR_INVALID, "invalid archive: more than %d images", IMAGES_MAX);
        return NULL;
    }
    if (image_read_config(l->store, manifest->config.digest, &config, err) < 0 ||
        image_config_check(&config, manifest, err) < 0)
        return NULL;
    lease_image(l, manifest_digest, manifest, &config);
    l->images = xreallocarray(l->images, l->n + 1, sizeof(*l->images));
    if (layers_make(&job, err) < 0 ||
        image_describe(l->store, manifest_digest, manifest, &config, &l->images[l->n], err) < 0)
        return NULL;
    return &l->images[l->n++];
}

/* ---- OCI layout ---- */

static int read_manifest(struct load *l, const struct descriptor *d, struct manifest *ret, struct err *err)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(MANIFEST_SIZE_MAX);

    if (blobs_read(l->store->blobs, d->digest, &b, err) < 0)
        return err_wrap(err, "invalid archive");
    if ((int64_t)b.len != d->size)
        return err_set(err, ERR_INVALID, "invalid archive: manifest %s has %zu bytes instead of %lld",
                       d->digest, b.len, (long long)d->size);
    return manifest_parse(buf_str(&b), b.len, d->media_type, ret, err);
}

/* An entry of index.json, through indexes inside it to an image. */
static struct image *load_child(struct load *l, const struct descriptor *top, struct err *err)
{
    _cleanup_manifest_ struct manifest m = {0};
    char digest[DIGEST_SIZE];
    struct image *image;

    snprintf(digest, sizeof(digest), "%s", top->digest);
    if (read_manifest(l, top, &m, err) < 0)
        return NULL;
    for (int depth = 0; m.kind == MANIFEST_INDEX; depth++) {
        _cleanup_manifest_ struct manifest index = m;
        size_t chosen;

        m = (struct manifest){0};
        if (depth == MANIFEST_DEPTH_MAX) {
            err_set(err, ERR_INVALID, "invalid archive: more than %d indexes inside each other",
                    MANIFEST_DEPTH_MAX);
            return NULL;
        }
        if (manifest_choose(&index, &l->platform, &chosen, err) < 0 ||
            read_manifest(l, &index.children[chosen].descriptor, &m, err) < 0)
            return NULL;
        snprintf(digest, sizeof(digest), "%s", index.children[chosen].descriptor.digest);
    }
    image = make_image(l, digest, &m, err);
    if (image && !str_eq(digest, top->digest) && !image->index[0]) {
        snprintf(image->index, sizeof(image->index), "%s", top->digest);
        strv_push(&image->blobs, top->digest);
    }
    return image;
}

static int load_layout(struct load *l, struct err *err)
{
    const struct unpacked_file *file = unpacked_find(&l->files, "index.json");
    _cleanup_(buf_finish) struct buf b = BUF_INIT(MANIFEST_SIZE_MAX);
    _cleanup_manifest_ struct manifest index = {0};

    if (blobs_read(l->store->blobs, file->digest, &b, err) < 0 ||
        manifest_parse(buf_str(&b), b.len, MEDIA_OCI_INDEX, &index, err) < 0)
        return err_wrap(err, "index.json");
    for (size_t i = 0; i < index.n_children; i++) {
        const struct manifest_child *child = &index.children[i];
        struct image *image;

        if (child->attestation)
            continue;
        image = load_child(l, &child->descriptor, err);
        if (!image)
            return -1;
        add_tag(image, child->image_name);
        if (child->ref_name && strpbrk(child->ref_name, ":/"))
            add_tag(image, child->ref_name);
    }
    return 0;
}

/* ---- manifest.json ---- */

static int describe_layers(struct load *l, const json_t *paths, struct descriptor *layers, struct err *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach (paths, i, item) {
        const struct unpacked_file *file = unpacked_find(&l->files, json_string_value(item));
        _cleanup_close_ int fd = -EBADF;

        if (!file)
            return err_set(err, ERR_INVALID, "invalid archive: layer %.200s is missing",
                           json_is_string(item) ? json_string_value(item) : "");
        fd = blobs_get(l->store->blobs, file->digest, &layers[i].size, err);
        if (fd < 0)
            return -1;
        layers[i].media_type = (char *)image_sniff_media_type(fd);
        snprintf(layers[i].digest, DIGEST_SIZE, "%s", file->digest);
    }
    return 0;
}

/* An image of which the archive holds no manifest gets one. */
static struct image *load_item(struct load *l, const json_t *item, struct err *err)
{
    const json_t *paths = json_object_get(item, "Layers");
    const struct unpacked_file *config = unpacked_find(&l->files, json_str(item, "Config"));
    _cleanup_free_ struct descriptor *layers = NULL;
    _cleanup_manifest_ struct manifest manifest = {0};
    char digest[DIGEST_SIZE];

    if (!config || !json_is_array(paths) || json_array_size(paths) > MANIFEST_LAYERS_MAX) {
        err_set(err, ERR_INVALID, "invalid archive: manifest.json names no usable Config and Layers");
        return NULL;
    }
    if (find_image(l, config->digest))
        return find_image(l, config->digest);
    layers = xcalloc(json_array_size(paths) + 1, sizeof(*layers));
    if (describe_layers(l, paths, layers, err) < 0 ||
        image_put_manifest(l->store, l->lease, config->digest, config->size, layers, json_array_size(paths),
                           digest, &manifest, err) < 0)
        return NULL;
    return make_image(l, digest, &manifest, err);
}

static int load_docker(struct load *l, struct err *err)
{
    _cleanup_json_ json_t *list = read_json(l, "manifest.json", MANIFEST_SIZE_MAX, err);
    const json_t *item, *tag;
    size_t i, j;

    if (!list)
        return -1;
    if (!json_is_array(list))
        return err_set(err, ERR_INVALID, "invalid archive: manifest.json is no array");
    json_array_foreach (list, i, item) {
        struct image *image = load_item(l, item, err);

        if (!image)
            return -1;
        json_array_foreach (json_object_get(item, "RepoTags"), j, tag)
            add_tag(image, json_string_value(tag));
    }
    return 0;
}

static int load_run(struct load *l, int fd, struct err *err)
{
    bool layout, docker;

    if (unpacked_read(l->store, l->lease, fd, &l->files, err) < 0)
        return -1;
    layout = unpacked_find(&l->files, "index.json");
    docker = unpacked_find(&l->files, "manifest.json");
    if (!layout && !docker)
        return err_set(
            err, ERR_INVALID,
            "invalid archive: neither index.json nor manifest.json: is this a root filesystem (import it)?");
    if (layout && load_layout(l, err) < 0)
        return -1;
    if (docker && load_docker(l, err) < 0)
        return -1;
    return l->n ? 0 : err_set(err, ERR_INVALID, "invalid archive: it holds no image");
}

int image_load(struct image_store *store, struct image_lease *lease, int fd, const struct platform *platform,
               const struct image_listener *listener, struct image **ret_images, size_t *ret_n,
               struct err *err)
{
    struct load l = {.store = store, .lease = lease, .listener = listener};
    int r;

    if (platform)
        l.platform = *platform;
    else
        platform_host(&l.platform);
    r = load_run(&l, fd, err);
    if (r == 0) {
        *ret_images = take_ptr(&l.images);
        *ret_n = l.n;
        l.n = 0;
    }
    load_finish(&l);
    return r;
}
