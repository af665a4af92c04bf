/* Archives of docker save before 1.10. An image is a chain of folders:
 *     repositories        {"name": {"tag": ID of the topmost}}
 *     ID/json             {"id", "parent", "created", "config", "container_config": {"Cmd"}, …}
 *     ID/layer.tar        what that image adds to its parent's files
 * It becomes a configuration of today, with a diff id and a piece of history for each folder. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "image/load_internal.h"
#include "image/manifest.h"
#include "image/store_internal.h"

enum { V1_JSON_MAX = 1024 * 1024 };

/* The folders of one image, from the top down. */
struct v1_chain {
    json_t *documents[MANIFEST_LAYERS_MAX];
    size_t n;
};

static void v1_chain_finish(struct v1_chain *c)
{
    for (size_t i = 0; i < c->n; i++)
        json_decref(c->documents[i]);
}

static int v1_read_chain(struct load *l, const char *top, struct v1_chain *ret, struct err *err)
{
    for (const char *id = top; !str_empty(id);) {
        _cleanup_free_ char *name = NULL;
        json_t *document;

        if (!digest_hex_valid(id))
            return err_set(err, ERR_INVALID, "invalid archive: \"%.100s\" is no id of an image", id);
        if (ret->n == MANIFEST_LAYERS_MAX)
            return err_set(err, ERR_INVALID, "invalid archive: more than %d images on top of each other",
                           MANIFEST_LAYERS_MAX);
        name = xasprintf("%s/json", id);
        document = load_read_json(l, name, V1_JSON_MAX, err);
        if (!document)
            return -1;
        ret->documents[ret->n++] = document;
        if (!json_is_object(document) || !str_eq(json_str(document, "id"), id))
            return err_set(err, ERR_INVALID, "invalid archive: %s doesn't describe that image", name);
        id = json_str(document, "parent");
    }
    return 0;
}

static json_t *v1_history(const json_t *document)
{
    _cleanup_strv_ char **command = json_strv(json_object_get(document, "container_config"), "Cmd");
    _cleanup_free_ char *created_by = command ? strv_join(command, " ") : NULL;

    return json_pack("{s:s*, s:s*, s:s*, s:s*}", "created", json_str(document, "created"), "created_by",
                     created_by, "author", json_str(document, "author"), "comment",
                     json_str(document, "comment"));
}

/* The configuration of today; layers is filled as far as there are folders. */
static json_t *v1_config(struct load *l, const struct v1_chain *chain, struct descriptor *layers,
                         struct err *err)
{
    static const char *const gone[] = {"id", "parent", "parent_id", "layer_id", "throwaway", "Size"};
    json_t *config = json_deep_copy(chain->documents[0]), *history = json_array(), *diff_ids = json_array();

    for (size_t i = 0; i < chain->n; i++) {
        const json_t *document = chain->documents[chain->n - 1 - i];
        _cleanup_free_ char *name = xasprintf("%s/layer.tar", json_str_or(document, "id", ""));

        json_array_append_new(history, v1_history(document));
        if (load_describe_layer(l, name, &layers[i], err) < 0)
            goto failed;
        if (!str_eq(layers[i].media_type, MEDIA_OCI_LAYER)) {
            err_set(err, ERR_NOT_IMPLEMENTED, "invalid archive: %s is compressed: unpack it first", name);
            goto failed;
        }
        json_array_append_new(diff_ids, json_string(layers[i].digest));
    }
    for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
        json_object_del(config, gone[i]);
    json_object_set_new(config, "history", history);
    json_object_set_new(config, "rootfs", json_pack("{s:s, s:o}", "type", "layers", "diff_ids", diff_ids));
    return config;
failed:
    json_decref(config);
    json_decref(history);
    json_decref(diff_ids);
    return NULL;
}

static int v1_load_image(struct load *l, const char *top, struct image **ret, struct err *err)
{
    _cleanup_(v1_chain_finish) struct v1_chain chain = {.n = 0};
    _cleanup_free_ struct descriptor *layers = NULL;
    _cleanup_json_ json_t *config = NULL;
    _cleanup_free_ char *text = NULL;
    char digest[DIGEST_SIZE];

    if (v1_read_chain(l, top, &chain, err) < 0)
        return -1;
    layers = xcalloc(chain.n + 1, sizeof(*layers));
    config = v1_config(l, &chain, layers, err);
    if (!config)
        return -1;
    text = json_text(config);
    digest_of(text, strlen(text), digest);
    image_lease_add(l->lease, digest);
    if (blobs_put(l->store->blobs, text, strlen(text), NULL, err) < 0)
        return -1;
    return load_make(l, digest, (int64_t)strlen(text), layers, chain.n, ret, err);
}

int load_v1(struct load *l, struct err *err)
{
    _cleanup_json_ json_t *repositories = load_read_json(l, "repositories", MANIFEST_SIZE_MAX, err);
    const char *name, *tag;
    json_t *tags, *id;

    if (!repositories)
        return -1;
    json_object_foreach (repositories, name, tags)
        json_object_foreach (tags, tag, id) {
            _cleanup_free_ char *reference = xasprintf("%s:%s", name, tag);
            struct image *image = NULL;
            int r = v1_load_image(l, json_string_value(id), &image, err);

            if (r < 0 || (r > 0 && load_add_tag(image, reference, err) < 0))
                return -1;
        }
    return 0;
}
