/* Manifests and indexes, from hostile JSON. */
#include "image/manifest.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

/* What each media type is. To support a new one: a row. */
enum media_role { MEDIA_IMAGE, MEDIA_INDEX, MEDIA_LAYER, MEDIA_FOREIGN_LAYER, MEDIA_SCHEMA1 };

static const struct {
    const char *type;
    enum media_role role;
} media_types[] = {
    {MEDIA_DOCKER_MANIFEST, MEDIA_IMAGE},
    {MEDIA_OCI_MANIFEST, MEDIA_IMAGE},
    {MEDIA_DOCKER_LIST, MEDIA_INDEX},
    {MEDIA_OCI_INDEX, MEDIA_INDEX},
    {MEDIA_DOCKER_LAYER, MEDIA_LAYER},
    {MEDIA_OCI_LAYER, MEDIA_LAYER},
    {MEDIA_OCI_LAYER_GZIP, MEDIA_LAYER},
    {MEDIA_OCI_LAYER_ZSTD, MEDIA_LAYER},
    {"application/vnd.docker.image.rootfs.diff.tar", MEDIA_LAYER},
    {"application/vnd.docker.image.rootfs.diff.tar.zstd", MEDIA_LAYER},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", MEDIA_FOREIGN_LAYER},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar", MEDIA_FOREIGN_LAYER},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar", MEDIA_FOREIGN_LAYER},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", MEDIA_FOREIGN_LAYER},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", MEDIA_FOREIGN_LAYER},
    {"application/vnd.docker.distribution.manifest.v1+json", MEDIA_SCHEMA1},
    {"application/vnd.docker.distribution.manifest.v1+prettyjws", MEDIA_SCHEMA1},
};

static int media_role(const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(media_types); i++)
        if (str_eq(type, media_types[i].type))
            return (int)media_types[i].role;
    return -1;
}

bool manifest_layer_supported(const char *media_type)
{
    return media_role(media_type) == MEDIA_LAYER;
}

static void descriptor_finish(struct descriptor *d)
{
    free(d->media_type);
    *d = (struct descriptor){0};
}

void manifest_finish(struct manifest *m)
{
    free(m->media_type);
    free(m->artifact);
    descriptor_finish(&m->config);
    for (size_t i = 0; i < m->n_layers; i++)
        descriptor_finish(&m->layers[i]);
    free(m->layers);
    for (size_t i = 0; i < m->n_children; i++) {
        descriptor_finish(&m->children[i].descriptor);
        free(m->children[i].ref_name);
        free(m->children[i].image_name);
    }
    free(m->children);
    *m = (struct manifest){0};
}

static int parse_descriptor(const json_t *json, const char *what, struct descriptor *ret, struct err *err)
{
    const char *digest = json_str(json, "digest"), *type = json_str_or(json, "mediaType", "");
    const json_t *size = json_object_get(json, "size");

    if (!digest_valid(digest))
        return err_set(err, ERR_INVALID,
                       "invalid manifest: the digest of %s is \"%.100s\", not sha256:<64 hexadecimal digits>",
                       what, digest ? digest : "");
    if (!json_is_integer(size) || json_integer_value(size) < 0)
        return err_set(err, ERR_INVALID, "invalid manifest: the size of %s is missing or negative", what);
    if (strlen(type) > 255)
        return err_set(err, ERR_INVALID, "invalid manifest: the media type of %s is too long", what);
    ret->media_type = xstrdup(type);
    snprintf(ret->digest, sizeof(ret->digest), "%s", digest);
    ret->size = json_integer_value(size);
    return 0;
}

static int check_layer(const struct descriptor *layer, struct err *err)
{
    switch (media_role(layer->media_type)) {
    case MEDIA_LAYER:
        return 0;
    case MEDIA_FOREIGN_LAYER:
        return err_set(
            err, ERR_NOT_IMPLEMENTED,
            "layer %s is a foreign layer (%s), which registries don't hold: such images can't be pulled",
            layer->digest, layer->media_type);
    default:
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "unsupported media type %s of layer %s: this is no container image", layer->media_type,
                       layer->digest);
    }
}

static int parse_image(const json_t *json, struct manifest *m, struct err *err)
{
    const json_t *layers = json_object_get(json, "layers"), *item;
    const char *type;
    size_t i;

    if (parse_descriptor(json_object_get(json, "config"), "the configuration", &m->config, err) < 0)
        return -1;
    type = m->config.media_type;
    if (!str_eq(type, MEDIA_DOCKER_CONFIG) && !str_eq(type, MEDIA_OCI_CONFIG)) {
        const char *artifact = json_str_or(json, "artifactType", type);

        if (!str_eq(m->media_type, MEDIA_OCI_MANIFEST) || !str_starts(artifact, "application/") ||
            strlen(artifact) > 255)
            return err_set(err, ERR_NOT_IMPLEMENTED,
                           "unsupported media type %s of the configuration: this is no container image",
                           type);
        m->artifact = xstrdup(artifact);
    }
    if (m->config.size > IMAGE_CONFIG_SIZE_MAX)
        return err_set(err, ERR_INVALID, "invalid manifest: the configuration is larger than %d bytes",
                       IMAGE_CONFIG_SIZE_MAX);
    if (layers && !json_is_array(layers))
        return err_set(err, ERR_INVALID, "invalid manifest: layers is no array");
    if (json_array_size(layers) > MANIFEST_LAYERS_MAX)
        return err_set(err, ERR_INVALID, "invalid manifest: more than %d layers", MANIFEST_LAYERS_MAX);
    m->layers = xcalloc(json_array_size(layers) + 1, sizeof(*m->layers));
    json_array_foreach (layers, i, item) {
        m->n_layers = i + 1;
        if (parse_descriptor(item, "a layer", &m->layers[i], err) < 0 ||
            (!m->artifact && check_layer(&m->layers[i], err) < 0))
            return -1;
    }
    return 0;
}

/* A name that an annotation gives; one with a NUL inside is none. */
static char *annotated_name(const json_t *notes, const char *key)
{
    const json_t *name = json_object_get(notes, key);
    const char *text = json_string_value(name);

    return text && strlen(text) == json_string_length(name) ? xstrdup(text) : NULL;
}

static int parse_child(const json_t *json, struct manifest_child *child, struct err *err)
{
    const json_t *platform = json_object_get(json, "platform"), *notes = json_object_get(json, "annotations");

    if (parse_descriptor(json, "a manifest", &child->descriptor, err) < 0)
        return -1;
    platform_from_json(platform, &child->platform);
    child->attestation = str_eq(child->platform.os, "unknown") ||
                         str_eq(json_str(notes, "vnd.docker.reference.type"), "attestation-manifest");
    if (digest_valid(json_str(notes, "vnd.docker.reference.digest")))
        snprintf(child->attested, DIGEST_SIZE, "%s", json_str(notes, "vnd.docker.reference.digest"));
    child->ref_name = annotated_name(notes, "org.opencontainers.image.ref.name");
    child->image_name = annotated_name(notes, "io.containerd.image.name");
    return 0;
}

static int parse_index(const json_t *json, struct manifest *m, struct err *err)
{
    const json_t *children = json_object_get(json, "manifests"), *item;
    size_t i;

    if (!json_is_array(children))
        return err_set(err, ERR_INVALID, "invalid manifest list: manifests is no array");
    if (json_array_size(children) > MANIFEST_CHILDREN_MAX)
        return err_set(err, ERR_INVALID, "invalid manifest list: more than %d entries",
                       MANIFEST_CHILDREN_MAX);
    m->children = xcalloc(json_array_size(children) + 1, sizeof(*m->children));
    json_array_foreach (children, i, item) {
        m->n_children = i + 1;
        if (parse_child(item, &m->children[i], err) < 0)
            return -1;
    }
    return 0;
}

/* The media type of a document that nobody labelled. */
static const char *guess_media_type(const json_t *json)
{
    const char *own = json_str(json, "mediaType");

    if (own)
        return own;
    if (json_object_get(json, "manifests"))
        return MEDIA_OCI_INDEX;
    if (json_object_get(json, "fsLayers"))
        return "application/vnd.docker.distribution.manifest.v1+json";
    return MEDIA_OCI_MANIFEST;
}

/* The type given and the document's shape must agree: one text must not be read as two different things. */
static int check_shape(const json_t *json, const char *media_type, struct err *err)
{
    const char *own = json_str(json, "mediaType");
    int role = media_role(media_type);

    if (own && !str_eq(own, media_type))
        return err_set(err, ERR_INVALID, "invalid manifest: it says mediaType %.100s but was sent as %.100s",
                       own, media_type);
    if (role == MEDIA_SCHEMA1 || json_object_get(json, "fsLayers"))
        return err_set(
            err, ERR_NOT_IMPLEMENTED,
            "manifests of schema 1 are not supported: the image has to be pushed again by a newer client");
    if (role != MEDIA_IMAGE && role != MEDIA_INDEX)
        return err_set(err, ERR_NOT_IMPLEMENTED, "unsupported manifest media type %.200s", media_type);
    if (json_integer_value(json_object_get(json, "schemaVersion")) != 2)
        return err_set(err, ERR_INVALID, "invalid manifest: schemaVersion is not 2");
    if (role == MEDIA_IMAGE && json_object_get(json, "manifests"))
        return err_set(err, ERR_INVALID, "invalid manifest: both an image and a list");
    if (role == MEDIA_INDEX && (json_object_get(json, "layers") || json_object_get(json, "config")))
        return err_set(err, ERR_INVALID, "invalid manifest list: both an image and a list");
    return 0;
}

int manifest_parse(const void *data, size_t len, const char *media_type, struct manifest *ret,
                   struct err *err)
{
    _cleanup_manifest_ struct manifest m = {0};
    _cleanup_json_ json_t *json = NULL;
    int r;

    if (len > MANIFEST_SIZE_MAX)
        return err_set(err, ERR_INVALID, "invalid manifest: larger than %d bytes", MANIFEST_SIZE_MAX);
    json = json_parse(data, len, "manifest", err);
    if (!json)
        return -1;
    if (!json_is_object(json))
        return err_set(err, ERR_INVALID, "invalid manifest: no JSON object");
    if (str_empty(media_type) || media_role(media_type) < 0)
        media_type = guess_media_type(json); /* such as application/json, from simple servers */
    if (check_shape(json, media_type, err) < 0)
        return -1;
    m.media_type = xstrdup(media_type);
    m.kind = media_role(media_type) == MEDIA_INDEX ? MANIFEST_INDEX : MANIFEST_IMAGE;
    r = m.kind == MANIFEST_INDEX ? parse_index(json, &m, err) : parse_image(json, &m, err);
    if (r < 0)
        return -1;
    *ret = m;
    m = (struct manifest){0};
    return 0;
}

const char *manifest_image_id(const struct manifest *m, const char *manifest_digest)
{
    return m->artifact ? manifest_digest : m->config.digest;
}

int manifest_choose(const struct manifest *m, const struct platform *want, size_t *ret, struct err *err)
{
    char text[PLATFORM_TEXT_SIZE];
    int best = 0;

    for (size_t i = 0; i < m->n_children; i++) {
        const struct manifest_child *child = &m->children[i];
        int role = media_role(child->descriptor.media_type), score;

        if (child->attestation || (role != MEDIA_IMAGE && role != MEDIA_INDEX))
            continue;
        score = child->platform.os[0] ? platform_match(want, &child->platform) : 1;
        if (score > best) {
            best = score;
            *ret = i;
        }
    }
    if (best > 0)
        return 0;
    platform_format(want, text);
    return err_set(err, ERR_NOT_FOUND, "no matching manifest for %s in the manifest list entries", text);
}
