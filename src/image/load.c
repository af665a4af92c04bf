/* docker load: an archive's OCI layout (index.json) first, because it keeps manifests and their digests; then
 * what only the older manifest.json knows; and the oldest form (load_v1.c) where there is neither. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "image/archive.h"
#include "image/layers.h"
#include "image/load_internal.h"
#include "image/reference.h"
#include "image/store_internal.h"
#include "image/transform.h"

enum { IMAGES_MAX = 256 };

static void load_finish(struct load *l)
{
    ahead_finish(&l->ahead);
    unpacked_finish(&l->files);
    for (size_t i = 0; i < l->n; i++)
        image_finish(&l->images[i]);
    free(l->images);
}

json_t *load_read_json(struct load *l, const char *name, size_t max, struct err *err)
{
    const struct unpacked_file *file = unpacked_find(&l->files, name);
    _cleanup_(buf_finish) struct buf b = BUF_INIT(max);

    if (!file) {
        err_set(err, ERR_INVALID, "invalid archive: %s is missing", name);
        return NULL;
    }
    if (blobs_read(l->store->blobs, file->digest, &b, err) < 0)
        return NULL;
    return json_parse_no_nul(buf_str(&b), b.len, name, err);
}

int load_add_tag(struct image *image, const char *text, struct err *err)
{
    _cleanup_reference_ struct reference ref = {0};
    _cleanup_free_ char *tag = NULL;

    if (reference_parse(text, &ref, err) < 0)
        return err_wrap(err, "invalid archive");
    if (!ref.tag || ref.digest)
        return err_set(err, ERR_INVALID, "invalid archive: invalid tag \"%s\"", text);
    if (reference_check_tag(&ref, err) < 0)
        return err_wrap(err, "invalid archive");
    tag = reference_string(&ref);
    if (!strv_contains(image->tags, tag))
        strv_push(&image->tags, tag);
    return 0;
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

/* From a manifest in the blob store to an image with its layers unpacked. 1, 0 when it is of another platform, -1. */
static int make_image(struct load *l, const char *manifest_digest, const struct manifest *manifest,
                      struct image **ret, struct err *err)
{
    _cleanup_image_config_ struct image_config config = {0};
    struct layers_job job = {.store = l->store,
                             .manifest = manifest,
                             .config = &config,
                             .listener = l->listener,
                             .ahead = &l->ahead,
                             .loading = true};

    const char *id = manifest_image_id(manifest, manifest_digest);

    *ret = find_image(l, id);
    if (*ret)
        return 1;
    if (l->n == IMAGES_MAX)
        return err_set(err, ERR_INVALID, "invalid archive: more than %d images", IMAGES_MAX);
    if (image_read_config(l->store, id, &config, err) < 0 || image_config_check(&config, manifest, err) < 0)
        return -1;
    if (l->only && !manifest->artifact && platform_match(&l->platform, &config.platform) == 0)
        return 0;
    lease_image(l, manifest_digest, manifest, &config);
    l->images = xreallocarray(l->images, l->n + 1, sizeof(*l->images));
    if (layers_make(&job, err) < 0 ||
        image_describe(l->store, manifest_digest, manifest, &config, &l->images[l->n], err) < 0)
        return -1;
    *ret = &l->images[l->n++];
    return 1;
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

/* Follows indexes from *m, of which `digest` is the name, down to an image. 1, 0 when none of them has the platform that was
 * asked for, -1. */
static int descend(struct load *l, struct manifest *m, char digest[DIGEST_SIZE], char ***indexes,
                   struct err *err)
{
    for (int depth = 0; m->kind == MANIFEST_INDEX; depth++) {
        _cleanup_manifest_ struct manifest index = *m;
        size_t chosen;

        *m = (struct manifest){0};
        if (depth == MANIFEST_DEPTH_MAX)
            return err_set(err, ERR_INVALID, "invalid archive: more than %d indexes inside each other",
                           MANIFEST_DEPTH_MAX);
        strv_push(indexes, digest);
        if (manifest_choose(&index, &l->platform, &chosen, l->only ? NULL : err) < 0)
            return l->only ? 0 : -1;
        if (read_manifest(l, &index.children[chosen].descriptor, m, err) < 0)
            return -1;
        snprintf(digest, DIGEST_SIZE, "%s", index.children[chosen].descriptor.digest);
    }
    return 1;
}

/* An entry of index.json, through indexes inside it to an image. 1, 0, -1 as above. */
static int load_child(struct load *l, const struct descriptor *top, struct image **ret, struct err *err)
{
    _cleanup_manifest_ struct manifest m = {0};
    _cleanup_strv_ char **indexes = NULL;
    char digest[DIGEST_SIZE];
    int r;

    snprintf(digest, sizeof(digest), "%s", top->digest);
    if (read_manifest(l, top, &m, err) < 0)
        return -1;
    r = descend(l, &m, digest, &indexes, err);
    if (r > 0)
        r = make_image(l, digest, &m, ret, err);
    if (r > 0 && indexes && !(*ret)->index[0]) {
        snprintf((*ret)->index, sizeof((*ret)->index), "%s", top->digest);
        for (char **index = indexes; *index; index++)
            if (!strv_contains((*ret)->blobs, *index))
                strv_push(&(*ret)->blobs, *index);
    }
    return r;
}

static const char *child_name(const struct manifest_child *c)
{
    return c->image_name ? c->image_name : c->ref_name;
}

/* One of several platforms of the same name, where another is the one that is wanted (as ctr exports them). */
static bool is_other_platform(const struct load *l, const struct manifest *index, size_t i)
{
    const struct manifest_child *child = &index->children[i];
    int score = platform_match(&l->platform, &child->platform);

    if (!child->platform.os[0])
        return false;
    for (size_t j = 0; j < index->n_children; j++)
        if (j != i && index->children[j].platform.os[0] && !index->children[j].attestation &&
            str_eq(child_name(&index->children[j]), child_name(child)) &&
            platform_match(&l->platform, &index->children[j].platform) > score)
            return true;
    return false;
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
        struct image *image = NULL;
        int r;

        if (child->attestation || is_other_platform(l, &index, i))
            continue;
        r = load_child(l, &child->descriptor, &image, err);
        if (r < 0)
            return -1;
        if (r == 0)
            continue;
        load_add_tag(image, child->image_name, NULL); /* an annotation may say what it likes */
        if (child->ref_name && strpbrk(child->ref_name, ":/"))
            load_add_tag(image, child->ref_name, NULL);
    }
    return 0;
}

/* ---- manifest.json ---- */

int load_describe_layer(struct load *l, const char *name, struct descriptor *ret, struct err *err)
{
    const struct unpacked_file *file = unpacked_find(&l->files, name);
    _cleanup_close_ int fd = -EBADF;

    if (!file)
        return err_set(err, ERR_INVALID, "invalid archive: layer %.200s is missing", name ? name : "");
    fd = blobs_get(l->store->blobs, file->digest, &ret->size, err);
    if (fd < 0)
        return -1;
    ret->media_type = (char *)image_sniff_media_type(fd);
    snprintf(ret->digest, DIGEST_SIZE, "%s", file->digest);
    return image_is_foreign(fd) ? image_transform_blob(l->store, l->lease, "expand", file->digest, ret, err)
                                : 0;
}

int load_make(struct load *l, const char *config_digest, int64_t config_size, const struct descriptor *layers,
              size_t n_layers, struct image **ret, struct err *err)
{
    _cleanup_manifest_ struct manifest manifest = {0};
    char digest[DIGEST_SIZE];

    *ret = find_image(l, config_digest);
    if (*ret)
        return 1;
    if (image_put_manifest(l->store, l->lease, config_digest, config_size, layers, n_layers, digest,
                           &manifest, err) < 0)
        return -1;
    return make_image(l, digest, &manifest, ret, err);
}

static int load_item(struct load *l, const json_t *item, struct image **ret, struct err *err)
{
    const json_t *paths = json_object_get(item, "Layers"), *path;
    const struct unpacked_file *config = unpacked_find(&l->files, json_str(item, "Config"));
    _cleanup_free_ struct descriptor *layers = NULL;
    size_t i;

    if (!config || !json_is_array(paths) || json_array_size(paths) > MANIFEST_LAYERS_MAX)
        return err_set(err, ERR_INVALID, "invalid archive: manifest.json names no usable Config and Layers");
    layers = xcalloc(json_array_size(paths) + 1, sizeof(*layers));
    json_array_foreach (paths, i, path)
        if (load_describe_layer(l, json_string_value(path), &layers[i], err) < 0)
            return -1;
    return load_make(l, config->digest, config->size, layers, json_array_size(paths), ret, err);
}

static int load_docker(struct load *l, struct err *err)
{
    _cleanup_json_ json_t *list = load_read_json(l, "manifest.json", MANIFEST_SIZE_MAX, err);
    const json_t *item, *tag;
    size_t i, j;

    if (!list)
        return -1;
    if (!json_is_array(list))
        return err_set(err, ERR_INVALID, "invalid archive: manifest.json is no array");
    json_array_foreach (list, i, item) {
        struct image *image = NULL;
        int r = load_item(l, item, &image, err);

        if (r < 0)
            return -1;
        if (r == 0)
            continue;
        json_array_foreach (json_object_get(item, "RepoTags"), j, tag)
            if (load_add_tag(image, json_string_value(tag), err) < 0)
                return -1;
    }
    return 0;
}

static int load_nothing(const struct load *l, struct err *err)
{
    char text[PLATFORM_TEXT_SIZE];

    if (!l->only)
        return err_set(err, ERR_INVALID, "invalid archive: it holds no image");
    platform_format(&l->platform, text);
    return err_set(err, ERR_NOT_FOUND, "the archive has no image of the requested platform (%s)", text);
}

static int load_run(struct load *l, int fd, struct err *err)
{
    const struct unpacked_job job = {l->store, l->lease, &l->ahead, l->listener};
    bool layout, docker, v1;

    if (unpacked_read(&job, fd, &l->files, err) < 0)
        return -1;
    layout = unpacked_find(&l->files, "index.json");
    docker = unpacked_find(&l->files, "manifest.json");
    v1 = !layout && !docker && unpacked_find(&l->files, "repositories");
    if (!layout && !docker && !v1)
        return err_set(
            err, ERR_INVALID,
            "invalid archive: neither index.json nor manifest.json: is this a root filesystem (import it)?");
    if ((layout && load_layout(l, err) < 0) || (docker && load_docker(l, err) < 0) ||
        (v1 && load_v1(l, err) < 0))
        return -1;
    return l->n ? 0 : load_nothing(l, err);
}

int image_load(struct image_store *store, struct image_lease *lease, int fd, const struct platform *platform,
               const struct image_listener *listener, struct image **ret_images, size_t *ret_n,
               struct err *err)
{
    struct load l = {.store = store,
                     .lease = lease,
                     .listener = listener,
                     .only = platform != NULL,
                     .ahead = AHEAD_INIT(store)};
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
