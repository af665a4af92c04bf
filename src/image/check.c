/* Blobs and layers checked and brought back. */
#include "image/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "image/reference.h"
#include "image/registry.h"
#include "image/store_internal.h"

enum { PIECE = 1024 * 1024, REPORT_EVERY = 32 * PIECE };

/* ---- blobs ---- */

static int cancelled(struct err *err)
{
    return err_set(err, ERR_CANCELLED, "the client has gone");
}

/* 0: the whole file was read; 1: it can't be, and *ret_why says why; -1: cancelled. */
static int hash_file(const struct image_check *o, int fd, const char *digest, int64_t size,
                     char hex[SHA256_HEX_SIZE], struct err *ret_why, struct err *err)
{
    _cleanup_(sha256_free_p) struct sha256 *hash = sha256_new();
    _cleanup_free_ char *piece = xmalloc(PIECE);
    int64_t at = 0;
    char id[13];
    ssize_t n;

    snprintf(id, sizeof(id), "%.12s", digest_hex(digest));
    while ((n = pread(fd, piece, PIECE, at)) > 0) {
        sha256_update(hash, piece, (size_t)n);
        at += n;
        if (image_listener_gone(o->listener))
            return cancelled(err);
        if (at % REPORT_EVERY == 0 && image_report(o->listener, id, "Verifying", at, size, err) < 0)
            return -1;
    }
    if (n < 0) {
        err_errno(ret_why, errno, "it cannot be read");
        return 1;
    }
    sha256_hex(hash, hex);
    return 0;
}

int image_check_blob(const struct image_check *o, const char *digest, int64_t size,
                     enum image_part_state *ret, struct err *ret_why, struct err *err)
{
    char hex[SHA256_HEX_SIZE];
    struct err open_err = {0};
    int64_t found = 0;
    _cleanup_close_ int fd = blobs_get(o->store->blobs, digest, &found, &open_err);
    int r;

    *ret = IMAGE_PART_GOOD;
    if (fd < 0) {
        *ret_why = open_err;
        *ret = open_err.kind == ERR_NOT_FOUND ? IMAGE_PART_MISSING : IMAGE_PART_DAMAGED;
        return 0;
    }
    if (size >= 0 && found != size) {
        err_set(ret_why, ERR_SYSTEM, "it has %lld bytes instead of %lld", (long long)found, (long long)size);
        *ret = IMAGE_PART_DAMAGED;
        return 0;
    }
    if (o->quick)
        return 0;
    r = hash_file(o, fd, digest, found, hex, ret_why, err);
    if (r < 0)
        return -1;
    if (r == 0 && !str_eq(hex, digest_hex(digest))) {
        err_set(ret_why, ERR_SYSTEM, "its bytes hash to sha256:%.12s…", hex);
        r = 1;
    }
    if (r > 0)
        *ret = IMAGE_PART_DAMAGED;
    return 0;
}

/* ---- layers ---- */

/* What the layer was unpacked from; another compression of the same tar does as well. */
static int open_archive(const struct image_check *o, const struct image_layer_part *part,
                        const struct storage_layer *layer, struct err *err)
{
    const char *digest = layer->blob_digest;

    if (!blobs_has(o->store->blobs, digest) && part->blob)
        digest = part->blob->digest;
    return blobs_get(o->store->blobs, digest, NULL, err);
}

static int compare(const struct image_check *o, const struct image_layer_part *part,
                   enum image_part_state *ret, struct storage_stage **ret_stage, struct err *ret_why,
                   struct err *err)
{
    struct storage_verdict verdict = {};
    struct storage_layer layer;
    _cleanup_close_ int archive = -EBADF;
    int r = -1;

    if (storage_layer_get(o->store->layers, part->chain_id, &layer, ret_why) < 0) {
        *ret = IMAGE_PART_MISSING;
        return 0;
    }
    if (image_listener_gone(o->listener))
        return cancelled(err);
    archive = open_archive(o, part, &layer, ret_why);
    if (archive >= 0) {
        image_store_acquire_slot(o->store, IMAGE_SLOT_LOCAL);
        r = storage_layer_verify(o->store->layers, part->chain_id, archive, &verdict, ret_why);
        image_store_release_slot(o->store, IMAGE_SLOT_LOCAL);
    }
    if (r < 0) {
        *ret =
            storage_layer_exists(o->store->layers, part->chain_id) ? IMAGE_PART_UNKNOWN : IMAGE_PART_MISSING;
        return 0;
    }
    if (!verdict.same) {
        *ret = IMAGE_PART_DAMAGED;
        *ret_why = verdict.why;
        *ret_stage = verdict.stage;
    }
    return 0;
}

int image_check_layer(const struct image_check *o, const struct image_layer_part *part,
                      enum image_part_state *ret, struct storage_stage **ret_stage, struct err *ret_why,
                      struct err *err)
{
    *ret = IMAGE_PART_GOOD;
    *ret_stage = NULL;
    if (!o->quick)
        return compare(o, part, ret, ret_stage, ret_why, err);
    if (storage_layer_probe(o->store->layers, part->chain_id, ret_why) < 0)
        *ret = ret_why->kind == ERR_NOT_FOUND ? IMAGE_PART_MISSING : IMAGE_PART_DAMAGED;
    return 0;
}

static int make_layer(struct image_store *store, const struct image_layer_part *part, struct err *err)
{
    struct storage_unpack_spec spec = {.blob_out = -EBADF, .blob_size = -1, .diff_id = part->diff_id};
    struct storage_commit row = {.parent = part->parent};
    _cleanup_close_ int archive = -EBADF;
    struct storage_job *job;

    if (!part->blob)
        return err_set(err, ERR_NOT_FOUND, "the manifest that names its archive can't be read");
    archive = blobs_get(store->blobs, part->blob->digest, NULL, err);
    if (archive < 0)
        return -1;
    spec.input = archive;
    spec.blob_digest = part->blob->digest;
    row.media_type = part->blob->media_type;
    job = storage_unpack_start(store->layers, &spec, err);
    if (!job || storage_unpack_wait(job, &row.stage, NULL, err) < 0)
        return -1;
    return storage_commit(store->layers, &row, 1, err);
}

int image_repair_layer(struct image_store *store, const struct image_layer_part *part,
                       struct storage_stage *stage, struct err *err)
{
    return stage ? storage_layer_replace(store->layers, part->chain_id, &stage, err)
                 : make_layer(store, part, err);
}

/* ---- fetching again ---- */

static int on_wait(void *arg, int64_t bytes _unused_)
{
    const struct image_check *o = arg;

    return image_listener_gone(o->listener) ? -1 : 0;
}

static int fetch_document(const struct image_check *o, struct registry *r, const char *digest, int out,
                          struct err *err)
{
    const struct registry_watch watch = {on_wait, (void *)o};
    struct registry_manifest document;
    int n = registry_get_manifest(r, digest, digest, &watch, &document, err);

    if (n == 0 && (n = fd_write_full(out, buf_str(&document.body), document.body.len)) < 0)
        n = err_errno(err, n, "write to the blob store");
    registry_manifest_finish(&document);
    return n;
}

static int fetch(const struct image_check *o, struct registry *r, const char *digest, int64_t size, int out,
                 struct err *err)
{
    const struct registry_watch watch = {on_wait, (void *)o};
    int copy;

    if (size < 0)
        return fetch_document(o, r, digest, out, err);
    copy = fcntl(out, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return err_errno(err, errno, "fetch %s", digest);
    return registry_get_blob(r, digest, size, &copy, &watch, err);
}

/* What came takes the place of what was there. */
static int put(const struct image_check *o, int fd, const char *digest, struct err *err)
{
    struct err why = {0};
    char hex[SHA256_HEX_SIZE];
    int r = hash_file(o, fd, digest, 0, hex, &why, err);

    if (r < 0)
        return -1;
    if (r > 0 || !str_eq(hex, digest_hex(digest)))
        return err_set(err, ERR_INVALID, "what the registry sent for %s is something else", digest);
    if (blobs_remove(o->store->blobs, digest, err) < 0)
        return -1;
    return blobs_adopt(o->store->blobs, fd, digest, -1, /* sync= */ true, err);
}

static int repair_from(const struct image_check *o, const struct reference *ref, const char *digest,
                       int64_t size, struct err *err)
{
    _cleanup_free_ char *name = reference_familiar_name(ref);
    const struct registry_options options = {
        .domain = ref->domain, .path = ref->path, .name = name, .others = o->others};
    _cleanup_(registry_close_p) struct registry *r = registry_open(o->store, &options, err);
    _cleanup_close_ int fd = r ? blobs_scratch(o->store->blobs, err) : -EBADF;

    if (fd < 0)
        return -1;
    return fetch(o, r, digest, size, fd, err) < 0 ? -1 : put(o, fd, digest, err);
}

int image_repair_blob(const struct image_check *o, char *const *names, const char *digest, int64_t size,
                      struct err *err)
{
    _cleanup_strv_ char **asked = NULL;

    err_set(err, ERR_NOT_FOUND, "no name says which registry may have it");
    for (char *const *name = names; name && *name; name++) {
        _cleanup_reference_ struct reference ref = {0};
        _cleanup_free_ char *repository = NULL;

        if (reference_parse(*name, &ref, NULL) < 0)
            continue;
        repository = reference_name(&ref);
        if (strv_contains(asked, repository))
            continue;
        strv_push(&asked, repository);
        if (repair_from(o, &ref, digest, size, err) == 0)
            return 0;
        if (err && err->kind == ERR_CANCELLED)
            return -1;
    }
    return -1;
}

int image_remake_blob(const struct image_check *o, const char *chain_id, const char *digest, struct err *err)
{
    _cleanup_close_ int fd = blobs_scratch(o->store->blobs, err);
    struct storage_pack_result packed;

    if (fd < 0 || storage_layer_pack(o->store->layers, chain_id, fd, &packed, err) < 0)
        return -1;
    return put(o, fd, digest, err);
}
