/* Image configurations: what the engine relies on is checked here. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "image/manifest.h"

void image_config_finish(struct image_config *c)
{
    json_decref(c->json);
    free(c->diff_ids);
    free(c->chain_ids);
    *c = (struct image_config){0};
}

static int parse_rootfs(struct image_config *c, struct err *err)
{
    const json_t *ids = json_at(c->json, "rootfs.diff_ids"), *item;
    const char *type = json_string_value(json_at(c->json, "rootfs.type"));
    size_t n = json_array_size(ids), i;

    if (!str_eq(type, "layers") || (ids && !json_is_array(ids) && !json_is_null(ids)))
        return err_set(
            err, ERR_INVALID,
            "invalid image configuration: rootfs must be {\"type\": \"layers\", \"diff_ids\": […]}");
    if (n > MANIFEST_LAYERS_MAX)
        return err_set(err, ERR_INVALID, "invalid image configuration: more than %d layers",
                       MANIFEST_LAYERS_MAX);
    c->diff_ids = xcalloc(n + 1, sizeof(*c->diff_ids));
    c->chain_ids = xcalloc(n + 1, sizeof(*c->chain_ids));
    json_array_foreach (ids, i, item) {
        const char *id = json_string_value(item);

        if (!digest_valid(id))
            return err_set(err, ERR_INVALID,
                           "invalid image configuration: diff id \"%.100s\" is no sha256 digest",
                           id ? id : "");
        snprintf(c->diff_ids[i], DIGEST_SIZE, "%s", id);
        digest_chain(i ? c->chain_ids[i - 1] : NULL, id, c->chain_ids[i]);
    }
    c->n_layers = n;
    return 0;
}

/* Members that keg hands on to clients and to the runtime must have the types everybody expects. */
static int check_types(const json_t *json, struct err *err)
{
    const json_t *config = json_object_get(json, "config"), *history = json_object_get(json, "history"),
                 *item;
    size_t i;

    if (config && !json_is_object(config) && !json_is_null(config))
        return err_set(err, ERR_INVALID, "invalid image configuration: config is no object");
    if (history && !json_is_array(history) && !json_is_null(history))
        return err_set(err, ERR_INVALID, "invalid image configuration: history is no array");
    json_array_foreach (history, i, item) {
        if (!json_is_object(item))
            return err_set(err, ERR_INVALID,
                           "invalid image configuration: history has an entry that is no object");
    }
    return 0;
}

int image_config_parse(const void *data, size_t len, struct image_config *ret, struct err *err)
{
    _cleanup_image_config_ struct image_config c = {0};

    if (len > IMAGE_CONFIG_SIZE_MAX)
        return err_set(err, ERR_INVALID, "invalid image configuration: larger than %d bytes",
                       IMAGE_CONFIG_SIZE_MAX);
    c.json = json_parse(data, len, "image configuration", err);
    if (!c.json)
        return -1;
    if (!json_is_object(c.json))
        return err_set(err, ERR_INVALID, "invalid image configuration: no JSON object");
    if (json_object_get(c.json, "schemaVersion") && !json_object_get(c.json, "rootfs")) {
        json_decref(c.json);
        c.json = json_object();
        *ret = c;
        c = (struct image_config){0};
        return 0;
    }
    if (check_types(c.json, err) < 0 || parse_rootfs(&c, err) < 0)
        return -1;
    platform_from_json(c.json, &c.platform);
    *ret = c;
    c = (struct image_config){0};
    return 0;
}

int image_config_check(const struct image_config *c, const struct manifest *m, struct err *err)
{
    if (c->n_layers != (m->artifact ? 0 : m->n_layers))
        return err_set(err, ERR_INVALID, "invalid image: its manifest has %zu layers, its configuration %zu",
                       m->n_layers, c->n_layers);
    return 0;
}
