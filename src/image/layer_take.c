/* One unpacking process, its bytes kept as a blob. */
#include "image/layer_take.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "image/store_internal.h"

static int unpack(struct image_store *store, int fd, int scratch, struct storage_stage **ret_stage,
                  struct storage_unpack_result *ret, struct err *err)
{
    struct storage_unpack_spec spec = {.input = fd, .blob_out = scratch, .blob_size = -1};
    struct storage_job *job;
    int r;

    image_store_acquire_slot(store, IMAGE_SLOT_LOCAL);
    job = storage_unpack_start(store->layers, &spec, err);
    r = job ? storage_unpack_wait(job, ret_stage, ret, err) : -1;
    image_store_release_slot(store, IMAGE_SLOT_LOCAL);
    return r;
}

int layer_take(struct image_store *store, struct image_lease *lease, int fd, const char *parent,
               bool keep_empty, struct layer_taken *ret, struct err *err)
{
    _cleanup_close_ int scratch = blobs_scratch(store->blobs, err);
    struct storage_unpack_result result;
    struct storage_commit row = {.parent = parent};
    char chain_id[DIGEST_SIZE];

    *ret = (struct layer_taken){0};
    if (scratch < 0 || unpack(store, fd, scratch, &row.stage, &result, err) < 0)
        return -1;
    ret->empty = result.entries == 0 && !keep_empty;
    if (ret->empty) {
        storage_stage_discard(row.stage);
        return 0;
    }
    if (storage_chain_id(parent, result.diff_id, chain_id, err) < 0) {
        storage_stage_discard(row.stage);
        return -1;
    }
    image_lease_add(lease, chain_id);
    image_lease_add(lease, result.blob_digest);
    ret->blob.media_type = (char *)image_sniff_media_type(scratch);
    ret->blob.size = result.blob_size;
    snprintf(ret->blob.digest, DIGEST_SIZE, "%s", result.blob_digest);
    snprintf(ret->diff_id, DIGEST_SIZE, "%s", result.diff_id);
    row.media_type = ret->blob.media_type;
    if (storage_commit(store->layers, &row, 1, err) < 0)
        return -1;
    return blobs_adopt(store->blobs, scratch, result.blob_digest, result.blob_size, /* sync= */ true, err);
}
