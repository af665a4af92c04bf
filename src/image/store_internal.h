/* What the parts of src/image share behind store.h. */
#ifndef KEG_IMAGE_STORE_INTERNAL_H
#define KEG_IMAGE_STORE_INTERNAL_H

#include <pthread.h>

#include "image/progress.h"
#include "image/store.h"
#include "storage/storage.h"

struct image_store {
    struct blobs *blobs;
    struct storage *layers;
    char *worker_dir;
    char *certificates_dir;
    char **insecure_registries, **mirrors;
    unsigned max_downloads, max_uploads, stall_seconds;
    pthread_mutex_t lock;
    pthread_cond_t changed;     /* a slot or a claim became free */
    unsigned slots[2];          /* free ones, by enum image_slot */
    char **claims;              /* chain ids that a pull is making right now */
    struct image_lease *leases; /* list */
    json_t *proven;             /* set of "blob digest, diff id": seen to belong together since the start */
};

/* Two pools of unpacking processes, so that slow registries hold up no local work. */
enum image_slot { IMAGE_SLOT_LOCAL, IMAGE_SLOT_NETWORK };
/* Takes a slot, waiting for it. */
void image_store_acquire_slot(struct image_store *store, enum image_slot slot);
void image_store_release_slot(struct image_store *store, enum image_slot slot);

/* Claims the making of a layer. False: somebody else is making it. */
bool image_store_claim(struct image_store *store, const char *chain_id);
void image_store_unclaim(struct image_store *store, const char *chain_id);
/* That a blob unpacks to the tar with that diff id: known for as long as the daemon runs. */
void image_store_prove(struct image_store *store, const char *blob, const char *diff_id);
bool image_store_is_proven(struct image_store *store, const char *blob, const char *diff_id);
/* Waits until nobody makes that layer, at most `milliseconds`. False: still being made. */
bool image_store_wait_unclaimed(struct image_store *store, const char *chain_id, int milliseconds);

/* Fills `ret` from a parsed manifest and configuration (all of it but tags, repo_digests, index): the layers
 * must exist in the layer store. */
int image_describe(struct image_store *store, const char *manifest_digest, const struct manifest *manifest,
                   const struct image_config *config, struct image *ret, struct err *err);

/* Stores an OCI manifest over a configuration and layers that are in the blob store. *ret is the manifest
 * parsed. */
int image_put_manifest(struct image_store *store, struct image_lease *lease, const char *config_digest,
                       int64_t config_size, const struct descriptor *layers, size_t n_layers,
                       char ret_digest[DIGEST_SIZE], struct manifest *ret, struct err *err);

/* Media type of a layer by the first bytes of its blob. */
const char *image_sniff_media_type(int fd);

/* Whether it begins as xz or bzip2 do, which no media type tells of. */
bool image_is_foreign(int fd);

/* Reports to a listener that may be NULL. -1 with ERR_CANCELLED when it has gone. */
int image_report(const struct image_listener *listener, const char *id, const char *status, int64_t current,
                 int64_t total, struct err *err);
/* Likewise a sentence that won't change, as "latest: Pulling from library/busybox" is one. */
int image_tell(const struct image_listener *listener, const char *id, const char *text, struct err *err);

static inline bool image_listener_gone(const struct image_listener *listener)
{
    return listener && listener->gone && listener->gone(listener->arg);
}

#endif
