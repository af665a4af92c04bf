/* Where images live: the blob store and the layer store as one, with leases, so that what is being pulled,
 * loaded or committed isn't swept before the engine has recorded it.
 *
 *     lease = image_lease_new(store);           // image_pull & co. take one and add to it what they make and
 * find image_pull(store, lease, …, &image, err); … record image in one database transaction …
 *     image_lease_free(lease);
 *
 * A sweep holds the store's mutex over "is it leased, is it referenced, remove it"; releasing a lease takes
 * the same mutex: so nothing recorded before its lease ended can be swept. Thread-safe. */
#ifndef KEG_IMAGE_STORE_H
#define KEG_IMAGE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "image/blobs.h"
#include "image/digest.h"
#include "image/manifest.h"

struct storage; /* storage/storage.h */

struct image_store;
struct image_lease;

struct image_store_options {
    const char *data_dir;
    struct storage *layers; /* borrowed: must outlive the store */
    const char *worker_dir; /* where keg-registry and keg-archive are; NULL: beside this program or in
                               ../libexec/keg */
    char *const *insecure_registries; /* "host[:port]" or CIDR; copied */
    char *const *mirrors;             /* base URLs tried first for docker.io; copied */
    unsigned max_downloads;           /* per pull; twice as many of all pulls together. 0: 3 */
    unsigned max_uploads;             /* per push; 0: 5 */
    unsigned max_unpacks;             /* of all loads and imports together; 0: the number of CPUs + 1 */
    unsigned stall_seconds;           /* a download that stands still for so long is tried again; 0: 30 */
    const char *certificates_dir;     /* <host>/ca.crt, client.cert, client.key; NULL: /etc/docker/certs.d */
};

struct image_store *image_store_open(const struct image_store_options *options, struct err *err);
/* Changes registries, mirrors and the numbers of a pull and a push for what begins from now on. */
void image_store_configure(struct image_store *store, const struct image_store_options *options);
void image_store_close(struct image_store *store);
DEFINE_CLEANUP_PTR(struct image_store, image_store_close)
struct blobs *image_store_blobs(struct image_store *store);

struct image_lease *image_lease_new(struct image_store *store);
/* Protects a blob's digest or a layer's chain id from sweeps until the lease ends. */
void image_lease_add(struct image_lease *lease, const char *digest);
void image_lease_free(struct image_lease *lease);
DEFINE_CLEANUP_PTR(struct image_lease, image_lease_free)

enum image_object { IMAGE_OBJECT_BLOB, IMAGE_OBJECT_LAYER };
struct image_sweep {
    /* Does a recorded image or container need it? Called with the store's mutex held: no calls into the
     * store. A negative answer (can't tell) ends the sweep. */
    int (*referenced)(void *arg, enum image_object kind, const char *digest);
    /* Called after each removal; may be NULL. */
    void (*removed)(void *arg, enum image_object kind, const char *digest, int64_t size);
    void *arg;
    bool look; /* tell, don't remove: one pass, so a layer that garbage stands on is told as well */
};
/* Removes every blob and layer that is neither referenced nor leased. For the engine's image removal, prune,
 * and once at start-up for what a crash left behind. */
int image_store_sweep(struct image_store *store, const struct image_sweep *sweep, struct err *err);

/* What pull, load, import and commit produce, for the engine to record in one transaction. */
struct image {
    char id[DIGEST_SIZE];       /* digest of the configuration */
    char manifest[DIGEST_SIZE]; /* digest of the image's own manifest (in the blob store) */
    char index[DIGEST_SIZE];    /* digest of the index it was chosen from; "" when there was none */
    char *artifact;             /* type of an OCI artifact: no layers, no configuration; NULL for images */
    char *media_type;           /* of the manifest */
    char parent[DIGEST_SIZE];   /* id of the image that it was committed on; "" */
    char **tags;                /* "docker.io/library/busybox:latest", normalised */
    char **repo_digests; /* "docker.io/library/busybox@sha256:…" (the index's digest where there is one) */
    char **blobs;        /* every blob's digest the image needs: index, manifest, config, layers */
    char **layers;       /* chain ids, lowest first */
    int64_t size;        /* of the unpacked layers together, bytes */
    int64_t created;     /* ns since 1970, 0 when the configuration names none */
    struct platform platform;
    bool was_there; /* pull: nothing was new, "Image is up to date" */
};
void image_finish(struct image *image);
#define _cleanup_image_ _cleanup_(image_finish)

/* Reads the image back from its manifest in the blob store: everything but tags, repo_digests, index. Blobs
 * are verified against their digests. ERR_NOT_FOUND names what is missing. */
int image_read(struct image_store *store, const char *manifest_digest, struct image *ret, struct err *err);
/* The parsed configuration by image id. */
int image_read_config(struct image_store *store, const char *id, struct image_config *ret, struct err *err);
/* Stores a configuration (JSON object, rootfs.diff_ids filled) and an OCI manifest over the given layer
 * descriptors, whose blobs and unpacked layers exist: for import and for the engine's commit. */
int image_create(struct image_store *store, struct image_lease *lease, const json_t *config,
                 const struct descriptor *layers, size_t n_layers, struct image *ret, struct err *err);

#endif
