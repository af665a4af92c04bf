/* docker import: a root filesystem becomes an image of one layer. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "image/archive.h"
#include "image/change.h"
#include "image/reference.h"
#include "image/store_internal.h"

/* The tar into the blob store and the layer store at once. */
static int import_layer(struct image_store *store, struct image_lease *lease, int fd,
                        struct descriptor *ret_blob, char ret_diff_id[DIGEST_SIZE], struct err *err)
{
    _cleanup_close_ int scratch = blobs_scratch(store->blobs, err);
    struct storage_unpack_spec spec = {.input = fd, .blob_out = scratch, .blob_size = -1};
    struct storage_unpack_result result;
    struct storage_commit row = {0};
    struct storage_job *job;
    int r;

    if (scratch < 0)
        return -1;
    image_store_acquire_slot(store, IMAGE_SLOT_LOCAL);
    job = storage_unpack_start(store->layers, &spec, err);
    r = job ? storage_unpack_wait(job, &row.stage, &result, err) : -1;
    image_store_release_slot(store, IMAGE_SLOT_LOCAL);
    if (r < 0)
        return -1;
    image_lease_add(lease, result.diff_id); /* of one layer, the chain id */
    image_lease_add(lease, result.blob_digest);
    ret_blob->media_type = (char *)image_sniff_media_type(scratch);
    ret_blob->size = result.blob_size;
    snprintf(ret_blob->digest, DIGEST_SIZE, "%s", result.blob_digest);
    snprintf(ret_diff_id, DIGEST_SIZE, "%s", result.diff_id);
    row.media_type = ret_blob->media_type;
    if (storage_commit(store->layers, &row, 1, err) < 0)
        return -1;
    return blobs_adopt(store->blobs, scratch, result.blob_digest, result.blob_size, /* sync= */ true, err);
}

static json_t *import_config(const struct image_import_options *o, json_t *config, const char *diff_id)
{
    char created[CLOCK_TEXT_SIZE];
    struct platform platform;
    _cleanup_free_ char *comment =
        o->message ? xstrdup(o->message) : xasprintf("Imported from %s", o->source ? o->source : "-");
    json_t *json;

    clock_format(clock_now(), created);
    if (o->platform)
        platform = *o->platform;
    else
        platform_host(&platform);
    json =
        json_pack("{s:s, s:s, s:O, s:s, s:[{s:s, s:s}], s:{s:s, s:[s]}}", "architecture",
                  platform.architecture, "comment", comment, "config", config, "created", created, "history",
                  "created", created, "comment", comment, "rootfs", "type", "layers", "diff_ids", diff_id);
    json_set_str(json, "os", platform.os);
    if (platform.variant[0])
        json_set_str(json, "variant", platform.variant);
    return json;
}

int image_import(struct image_store *store, struct image_lease *lease, int fd,
                 const struct image_import_options *options, struct image *ret, struct err *err)
{
    _cleanup_json_ json_t *config = json_object(), *json = NULL;
    struct descriptor blob = {0};
    char diff_id[DIGEST_SIZE];

    if (image_change_apply(config, options->changes, err) < 0 ||
        import_layer(store, lease, fd, &blob, diff_id, err) < 0)
        return -1;
    json = import_config(options, config, diff_id);
    if (!json)
        return err_set(err, ERR_INVALID, "the message is no valid UTF-8");
    if (image_create(store, lease, json, &blob, 1, ret, err) < 0)
        return -1;
    if (options->reference) {
        struct reference tagged;

        reference_copy(options->reference, &tagged);
        if (!tagged.tag)
            tagged.tag = xstrdup(REFERENCE_DEFAULT_TAG);
        strv_push_take(&ret->tags, reference_string(&tagged));
        reference_finish(&tagged);
    }
    return 0;
}
