/* Commit: the image's configuration with one layer, one piece of history and another Config. */
#include "image/commit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "image/layer_take.h"
#include "image/store_internal.h"

/* What of a container's Config belongs into an image; the rest (Hostname, Tty, AttachStdin…) is its own. */
static const char *const config_members[] = {
    "User",   "ExposedPorts", "Env",     "Entrypoint", "Cmd",         "Volumes",     "WorkingDir",
    "Labels", "StopSignal",   "OnBuild", "Shell",      "Healthcheck", "ArgsEscaped",
};

static bool is_empty(const json_t *value)
{
    return !value || json_is_null(value) || (json_is_string(value) && !*json_string_value(value)) ||
           json_is_false(value) || (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

static json_t *image_part(const json_t *config)
{
    json_t *part = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(config_members); i++) {
        const json_t *value = json_object_get(config, config_members[i]);

        if (!is_empty(value))
            json_object_set_new(part, config_members[i], json_deep_copy(value));
    }
    return part;
}

/* NULL: a text is no valid UTF-8. */
static json_t *history_entry(const struct image_commit_options *o, const char *created, bool empty)
{
    json_t *entry =
        json_pack("{s:s, s:s, s:s*, s:s*}", "created", created, "created_by",
                  o->created_by ? o->created_by : "", "author", str_empty(o->author) ? NULL : o->author,
                  "comment", str_empty(o->comment) ? NULL : o->comment);

    if (entry && empty)
        json_object_set_new(entry, "empty_layer", json_true());
    return entry;
}

static json_t *array_of(json_t *object, const char *key)
{
    json_t *array = json_object_get(object, key);

    if (!json_is_array(array)) {
        array = json_array();
        json_object_set_new(object, key, array);
    }
    return array;
}

/* The new image's configuration document. */
static json_t *compose(const struct image_config *base, const struct image_commit_options *o,
                       const struct layer_taken *layer, struct err *err)
{
    _cleanup_json_ json_t *json = json_deep_copy(base->json), *config = image_part(o->config);
    char created[CLOCK_TEXT_SIZE];
    json_t *entry;

    clock_format(clock_now(), created);
    entry = history_entry(o, created, layer->empty);
    if (!entry) {
        err_set(err, ERR_INVALID, "author and comment must be valid UTF-8");
        return NULL;
    }
    json_array_append_new(array_of(json, "history"), entry);
    json_set_str(json, "created", created);
    json_object_set(json, "config", config);
    json_object_del(json, "container"); /* of an older docker commit */
    json_object_del(json, "container_config");
    if (!str_empty(o->author))
        json_set_str(json, "author", o->author);
    if (!str_empty(o->comment))
        json_set_str(json, "comment", o->comment);
    if (!layer->empty)
        json_array_append_new(array_of(json_object_get(json, "rootfs"), "diff_ids"),
                              json_string(layer->diff_id));
    return take_ptr(&json);
}

static int create(struct image_store *store, struct image_lease *lease, const struct manifest *base,
                  const struct layer_taken *layer, const json_t *config, struct image *ret, struct err *err)
{
    _cleanup_free_ struct descriptor *layers = xcalloc(base->n_layers + 1, sizeof(*layers));

    if (base->n_layers)
        memcpy(layers, base->layers, base->n_layers * sizeof(*layers));
    if (!layer->empty)
        layers[base->n_layers] = layer->blob;
    return image_create(store, lease, config, layers, base->n_layers + !layer->empty, ret, err);
}

int image_commit(struct image_store *store, struct image_lease *lease, int fd,
                 const struct image_commit_options *options, struct image *ret, struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(MANIFEST_SIZE_MAX);
    _cleanup_manifest_ struct manifest manifest = {0};
    _cleanup_image_config_ struct image_config base = {0};
    _cleanup_json_ json_t *config = NULL;
    struct layer_taken layer;

    if (blobs_read(store->blobs, options->manifest, &text, err) < 0 ||
        manifest_parse(buf_str(&text), text.len, NULL, &manifest, err) < 0 ||
        image_read_config(store, manifest.config.digest, &base, err) < 0 ||
        image_config_check(&base, &manifest, err) < 0)
        return -1;
    if (layer_take(store, lease, fd, base.n_layers ? base.chain_ids[base.n_layers - 1] : NULL,
                   /* keep_empty= */ base.n_layers == 0, &layer, err) < 0)
        return -1;
    config = compose(&base, options, &layer, err);
    if (!config || create(store, lease, &manifest, &layer, config, ret, err) < 0)
        return -1;
    snprintf(ret->parent, sizeof(ret->parent), "%s", manifest.config.digest);
    if (options->reference)
        strv_push_take(&ret->tags, reference_string(options->reference));
    return 0;
}
