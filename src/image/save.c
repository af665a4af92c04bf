/* docker save: an OCI layout with docker's older manifest.json and repositories beside it, as a plain tar.
 * Every blob is written once however many images share it; layers keep the bytes they came with. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "image/archive.h"
#include "image/reference.h"
#include "image/store_internal.h"

enum { TAR_BLOCK_SIZE = 512, COPY_SIZE = 256 * 1024 };

/* A ustar header, POSIX.1-2001. */
struct ustar {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, linkname[100], magic[6],
        version[2], uname[32], gname[32], devmajor[8], devminor[8], prefix[155], padding[12];
};
_Static_assert(sizeof(struct ustar) == TAR_BLOCK_SIZE, "a tar header is one block");

struct save {
    struct image_store *store;
    const struct image_output *output;
    char **written;       /* digests of blobs that are in the archive */
    json_t *index;        /* index.json's manifests */
    json_t *list;         /* manifest.json */
    json_t *repositories; /* {repository: {tag: hex of the topmost layer}} */
};

static int save_bytes(struct save *s, const void *data, size_t len, struct err *err)
{
    if (s->output->write(s->output->arg, data, len) < 0)
        return err_set(err, ERR_CANCELLED, "the client has gone");
    return 0;
}

/* Sizes from 8 GiB on in base 256, as GNU tar and everybody since writes them. */
static void put_size(struct ustar *h, int64_t size)
{
    if (size < (1LL << 33)) {
        snprintf(h->size, sizeof(h->size), "%011llo", (unsigned long long)size);
        return;
    }
    h->size[0] = (char)0x80;
    for (size_t i = sizeof(h->size) - 1; i > 3; i--, size >>= 8)
        h->size[i] = (char)(size & 0xff);
}

static int save_header(struct save *s, const char *name, char type, int64_t size, struct err *err)
{
    struct ustar h = {.type = type, .magic = "ustar", .version = {'0', '0'}};
    unsigned sum = 0;

    snprintf(h.name, sizeof(h.name), "%s", name);
    snprintf(h.mode, sizeof(h.mode), "%07o", type == '5' ? 0755 : 0644);
    snprintf(h.uid, sizeof(h.uid), "%07o", 0);
    snprintf(h.gid, sizeof(h.gid), "%07o", 0);
    snprintf(h.mtime, sizeof(h.mtime), "%011o", 0);
    put_size(&h, size);
    memset(h.checksum, ' ', sizeof(h.checksum));
    for (size_t i = 0; i < sizeof(h); i++)
        sum += ((const unsigned char *)&h)[i];
    snprintf(h.checksum, sizeof(h.checksum), "%06o", sum);
    return save_bytes(s, &h, sizeof(h), err);
}

static int save_padding(struct save *s, int64_t size, struct err *err)
{
    static const char zeros[TAR_BLOCK_SIZE];
    size_t rest = (size_t)(size % TAR_BLOCK_SIZE);

    return rest ? save_bytes(s, zeros, TAR_BLOCK_SIZE - rest, err) : 0;
}

static int save_text(struct save *s, const char *name, const char *text, struct err *err)
{
    size_t len = strlen(text);

    if (save_header(s, name, '0', (int64_t)len, err) < 0 || save_bytes(s, text, len, err) < 0)
        return -1;
    return save_padding(s, (int64_t)len, err);
}

static int save_json(struct save *s, const char *name, const json_t *json, struct err *err)
{
    _cleanup_free_ char *text = json_text(json);

    return save_text(s, name, text, err);
}

static char *blob_path(const char *digest)
{
    return xasprintf("blobs/sha256/%s", digest_hex(digest));
}

static int save_blob(struct save *s, const char *digest, struct err *err)
{
    _cleanup_free_ char *piece = NULL, *name = blob_path(digest);
    _cleanup_close_ int fd = -EBADF;
    int64_t size, left;

    if (strv_contains(s->written, digest))
        return 0;
    fd = blobs_get(s->store->blobs, digest, &size, err);
    if (fd < 0)
        return -1;
    piece = xmalloc(COPY_SIZE);
    if (save_header(s, name, '0', size, err) < 0)
        return -1;
    for (left = size; left > 0;) {
        ssize_t n = read(fd, piece, (size_t)MIN_OF(left, COPY_SIZE));

        if (n <= 0)
            return err_errno(err, n < 0 ? errno : EIO, "read blob %s", digest);
        if (save_bytes(s, piece, (size_t)n, err) < 0)
            return -1;
        left -= n;
    }
    strv_push(&s->written, digest);
    return save_padding(s, size, err);
}

/* index.json has an entry for each tag, or one without a name. */
static void index_entry(struct save *s, const struct image *image, int64_t size, const char *tag)
{
    json_t *entry = json_pack("{s:s, s:s, s:I}", "mediaType", image->media_type, "digest", image->manifest,
                              "size", (json_int_t)size);

    if (tag) {
        const char *colon = strrchr(tag, ':');

        json_object_set_new(entry, "annotations",
                            json_pack("{s:s, s:s}", "io.containerd.image.name", tag,
                                      "org.opencontainers.image.ref.name", colon ? colon + 1 : tag));
    }
    json_array_append_new(s->index, entry);
}

static void list_repository(struct save *s, const struct reference *ref, const struct image_config *config)
{
    _cleanup_free_ char *name = reference_familiar_name(ref);
    json_t *tags = json_object_get(s->repositories, name);

    if (!tags) {
        tags = json_object();
        json_object_set_new(s->repositories, name, tags);
    }
    if (config->n_layers)
        json_set_str(tags, ref->tag, digest_hex(config->diff_ids[config->n_layers - 1]));
}

/* {diff id: descriptor}, by which a reader knows the form of each layer. */
static json_t *layer_sources(const struct manifest *m, const struct image_config *config)
{
    json_t *sources = json_object();

    for (size_t i = 0; i < m->n_layers; i++)
        json_object_set_new(sources, config->diff_ids[i],
                            json_pack("{s:s, s:I, s:s}", "mediaType", m->layers[i].media_type, "size",
                                      (json_int_t)m->layers[i].size, "digest", m->layers[i].digest));
    return sources;
}

static void list_image(struct save *s, const struct manifest *m, const struct image_config *c,
                       const struct image_save_item *item)
{
    _cleanup_free_ char *config = blob_path(m->config.digest);
    json_t *layers = json_array(), *tags = json_array(), *entry;
    size_t n = strv_len(item->tags);

    for (size_t i = 0; i < m->n_layers; i++) {
        _cleanup_free_ char *path = blob_path(m->layers[i].digest);

        json_array_append_new(layers, json_string(path));
    }
    for (size_t i = 0; i < n; i++) {
        _cleanup_reference_ struct reference ref = {0};
        _cleanup_free_ char *familiar = NULL;

        if (reference_parse(item->tags[i], &ref, NULL) < 0 || !ref.tag)
            continue;
        familiar = reference_familiar(&ref);
        json_array_append_new(tags, json_string(familiar));
        list_repository(s, &ref, c);
    }
    entry = json_pack("{s:s, s:o, s:o}", "Config", config, "RepoTags",
                      json_array_size(tags) ? json_incref(tags) : json_null(), "Layers", layers);
    if (m->n_layers)
        json_object_set_new(entry, "LayerSources", layer_sources(m, c));
    json_array_append_new(s->list, entry);
    json_decref(tags);
}

static int save_image(struct save *s, const struct image_save_item *item, struct err *err)
{
    _cleanup_image_ struct image image = {0};
    _cleanup_manifest_ struct manifest manifest = {0};
    _cleanup_image_config_ struct image_config config = {0};
    _cleanup_(buf_finish) struct buf b = BUF_INIT(MANIFEST_SIZE_MAX);

    if (image_read(s->store, item->manifest, &image, err) < 0 ||
        blobs_read(s->store->blobs, item->manifest, &b, err) < 0 ||
        manifest_parse(buf_str(&b), b.len, NULL, &manifest, err) < 0 ||
        image_read_config(s->store, image.id, &config, err) < 0)
        return -1;
    for (char **digest = image.blobs; *digest; digest++)
        if (save_blob(s, *digest, err) < 0)
            return -1;
    if (!item->tags || !*item->tags)
        index_entry(s, &image, (int64_t)b.len, NULL);
    for (char **tag = item->tags; tag && *tag; tag++)
        index_entry(s, &image, (int64_t)b.len, *tag);
    if (!manifest.artifact) /* docker's own list has images only */
        list_image(s, &manifest, &config, item);
    return 0;
}

static int save_all(struct save *s, const struct image_save_item *items, size_t n, struct err *err)
{
    static const char end[2 * TAR_BLOCK_SIZE];
    _cleanup_json_ json_t *index = NULL;

    if (save_header(s, "blobs/", '5', 0, err) < 0 || save_header(s, "blobs/sha256/", '5', 0, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (save_image(s, &items[i], err) < 0)
            return -1;
    index =
        json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType", MEDIA_OCI_INDEX, "manifests", s->index);
    if (save_json(s, "index.json", index, err) < 0 || save_json(s, "manifest.json", s->list, err) < 0 ||
        save_text(s, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", err) < 0 ||
        (json_object_size(s->repositories) && save_json(s, "repositories", s->repositories, err) < 0))
        return -1;
    return save_bytes(s, end, sizeof(end), err);
}

/* Before the first byte: what breaks off in its middle looks like an archive to whoever reads only its beginning. */
static int save_look(struct image_store *store, const struct image_save_item *item, struct err *err)
{
    _cleanup_image_ struct image image = {0};

    if (image_read(store, item->manifest, &image, err) < 0)
        return -1;
    for (char **digest = image.blobs; *digest; digest++)
        if (!blobs_has(store->blobs, *digest))
            return err_set(err, ERR_SYSTEM,
                           "cannot save image %s: its blob %s is missing from the store: 'keg system check "
                           "--repair' fetches it again if a registry has it",
                           image.id, *digest);
    return 0;
}

int image_save(struct image_store *store, const struct image_save_item *items, size_t n,
               const struct image_output *output, struct err *err)
{
    struct save s = {.store = store,
                     .output = output,
                     .index = json_array(),
                     .list = json_array(),
                     .repositories = json_object()};
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        r = save_look(store, &items[i], err);
    if (r == 0)
        r = save_all(&s, items, n, err);
    strv_free(s.written);
    json_decref(s.index);
    json_decref(s.list);
    json_decref(s.repositories);
    return r;
}
