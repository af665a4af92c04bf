/* Manifests, indexes and image configurations: bounded parsing of hostile JSON into plain structs (OCI image
 * specification; Docker image manifest version 2, schema 2). */
#ifndef KEG_IMAGE_MANIFEST_H
#define KEG_IMAGE_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "image/digest.h"
#include "image/platform.h"

enum {
    MANIFEST_SIZE_MAX = 4 * 1024 * 1024,
    IMAGE_CONFIG_SIZE_MAX = 8 * 1024 * 1024,
    MANIFEST_LAYERS_MAX = 1024,
    MANIFEST_CHILDREN_MAX = 1024,
    MANIFEST_DEPTH_MAX = 4, /* indexes inside indexes */
};

#define MEDIA_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONFIG   "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER    "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define MEDIA_OCI_INDEX       "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER       "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP  "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_OCI_LAYER_ZSTD  "application/vnd.oci.image.layer.v1.tar+zstd"

enum manifest_kind { MANIFEST_IMAGE, MANIFEST_INDEX };

struct descriptor {
    char *media_type; /* never NULL */
    char digest[DIGEST_SIZE];
    int64_t size;
};

/* One entry of an index. */
struct manifest_child {
    struct descriptor descriptor;
    struct platform platform;   /* os "" when the entry names none */
    char *ref_name;             /* org.opencontainers.image.ref.name, or NULL */
    char *image_name;           /* io.containerd.image.name, or NULL */
    bool attestation;           /* unknown/unknown or an attestation by its annotation: never chosen */
    char attested[DIGEST_SIZE]; /* the manifest that an attestation is for; "" */
};

struct manifest {
    enum manifest_kind kind;
    char *media_type;
    char *
        artifact; /* image only: the type of an OCI artifact, which is kept but can't be run; NULL for images */
    struct descriptor config;  /* image only */
    struct descriptor *layers; /* image only; foreign ones were refused */
    size_t n_layers;
    struct manifest_child *children; /* index only */
    size_t n_children;
};

void manifest_finish(struct manifest *m);
#define _cleanup_manifest_ _cleanup_(manifest_finish)

/* Parses a manifest or an index. media_type: as the registry or the descriptor says, NULL when unknown (then
 * the document's own mediaType or its shape decides). ERR_INVALID for what is malformed, ERR_NOT_IMPLEMENTED
 * for schema 1, unknown types and foreign layers. */
int manifest_parse(const void *data, size_t len, const char *media_type, struct manifest *ret,
                   struct err *err);
/* The best child for `want`, as an index into children. ERR_NOT_FOUND with Docker's words ("no matching
 * manifest for linux/amd64 in the manifest list entries"). A nested index without a platform is a candidate
 * of last resort. */
int manifest_choose(const struct manifest *m, const struct platform *want, size_t *ret, struct err *err);
/* The id of what a manifest describes: an image's is its configuration's digest, an artifact's the manifest's own, since many
 * have the same empty configuration. */
const char *manifest_image_id(const struct manifest *m, const char *manifest_digest);
/* True when the media type names a layer that keg unpacks. */
bool manifest_layer_supported(const char *media_type);

/* What the engine needs of an image configuration; `json` is the whole of it. */
struct image_config {
    json_t *json;
    struct platform platform;
    char (*diff_ids)[DIGEST_SIZE];
    char (*chain_ids)[DIGEST_SIZE];
    size_t n_layers;
};

void image_config_finish(struct image_config *c);
#define _cleanup_image_config_ _cleanup_(image_config_finish)
/* Parses and validates (an artifact's manifest gives an empty one, as its id is the manifest's; else an object, rootfs.type "layers", digests' grammar, bounded count); computes the chain
 * ids. */
int image_config_parse(const void *data, size_t len, struct image_config *ret, struct err *err);
/* Checks that a manifest and its configuration agree: as many layers as diff ids. An artifact's has none. */
int image_config_check(const struct image_config *c, const struct manifest *m, struct err *err);

#endif
