/* Docker's API shapes of an image. */
#include "image/inspect.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "image/store_internal.h"

/* Members of the configuration's "config" that Docker's API shows (API 1.51), and what an absent one looks
 * like. */
static const struct {
    const char *key;
    const char *otherwise; /* JSON; NULL: left out when absent */
} config_members[] = {
    {"User", "\"\""},       {"ExposedPorts", NULL}, {"Env", "null"},     {"Cmd", "null"},
    {"Healthcheck", NULL},  {"ArgsEscaped", NULL},  {"Volumes", "null"}, {"WorkingDir", "\"\""},
    {"Entrypoint", "null"}, {"OnBuild", "null"},    {"Labels", "null"},  {"StopSignal", NULL},
    {"Shell", NULL},
};

static json_t *shown_config(const json_t *config)
{
    json_t *shown = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(config_members); i++) {
        const char *key = config_members[i].key, *otherwise = config_members[i].otherwise;
        json_t *value = json_object_get(config, key);

        if (value && !json_is_null(value))
            json_object_set(shown, key, value);
        else if (otherwise)
            json_object_set_new(shown, key, json_loads(otherwise, JSON_DECODE_ANY, NULL));
    }
    return shown;
}

static json_t *rootfs_json(const struct image_config *config)
{
    json_t *layers = json_array();

    for (size_t i = 0; i < config->n_layers; i++)
        json_array_append_new(layers, json_string(config->diff_ids[i]));
    return json_pack("{s:s, s:o}", "Type", "layers", "Layers", layers);
}

static json_t *graph_driver_json(void)
{
    return json_pack("{s:n, s:s}", "Data", "Name", "overlay2");
}

json_t *image_inspect_json(const struct image *image, const struct image_config *config,
                           char *const *repo_tags, char *const *repo_digests)
{
    const json_t *c = config->json;
    json_t *json = json_object();
    char created[CLOCK_TEXT_SIZE];

    clock_format(image->created, created);
    json_set_str(json, "Id", image->id);
    json_object_set_new(json, "RepoTags", json_from_strv(repo_tags));
    json_object_set_new(json, "RepoDigests", json_from_strv(repo_digests));
    json_set_str(json, "Parent", "");
    json_set_str(json, "Comment", json_str_or(c, "comment", ""));
    json_set_str(json, "Created", created);
    json_set_str(json, "DockerVersion", json_str_or(c, "docker_version", ""));
    json_set_str(json, "Author", json_str_or(c, "author", ""));
    json_object_set_new(json, "Config", shown_config(json_object_get(c, "config")));
    json_set_str(json, "Architecture", image->platform.architecture);
    if (image->platform.variant[0])
        json_set_str(json, "Variant", image->platform.variant);
    json_set_str(json, "Os", image->platform.os);
    json_set_int(json, "Size", image->size);
    json_object_set_new(json, "GraphDriver", graph_driver_json());
    json_object_set_new(json, "RootFS", rootfs_json(config));
    json_object_set_new(json, "Metadata", json_pack("{s:s}", "LastTagTime", CLOCK_ZERO_TEXT));
    return json;
}

/* Bytes of one layer alone; 0 when it isn't there. */
static int64_t layer_size(struct image_store *store, const char *chain_id)
{
    struct storage_layer layer;

    return storage_layer_get(store->layers, chain_id, &layer, NULL) < 0 ? 0 : layer.size;
}

static json_t *history_row(const json_t *entry, int64_t size)
{
    int64_t created = 0;
    json_t *row = json_object();

    if (json_str(entry, "created"))
        clock_parse(json_str(entry, "created"), &created);
    json_set_str(row, "Id", "<missing>");
    json_set_int(row, "Created", created / CLOCK_NS_PER_S);
    json_set_str(row, "CreatedBy", json_str_or(entry, "created_by", ""));
    json_object_set_new(row, "Tags", json_null());
    json_set_int(row, "Size", size);
    json_set_str(row, "Comment", json_str_or(entry, "comment", ""));
    return row;
}

json_t *image_history_json(struct image_store *store, const struct image_config *config)
{
    const json_t *history = json_object_get(config->json, "history"), *entry;
    json_t *rows = json_array();
    size_t next = 0, i;

    json_array_foreach (history, i, entry) {
        bool has_layer = !json_bool_or(entry, "empty_layer", false) && next < config->n_layers;

        json_array_insert_new(rows, 0,
                              history_row(entry, has_layer ? layer_size(store, config->chain_ids[next]) : 0));
        next += has_layer;
    }
    for (; next < config->n_layers; next++) /* layers that the history doesn't tell of */
        json_array_insert_new(rows, 0, history_row(NULL, layer_size(store, config->chain_ids[next])));
    return rows;
}

int64_t image_shared_size(struct image_store *store, const struct image *image,
                          bool (*shared)(void *arg, const char *chain_id), void *arg)
{
    int64_t sum = 0;

    for (char **layer = image->layers; layer && *layer; layer++)
        if (shared(arg, *layer))
            sum += layer_size(store, *layer);
    return sum;
}
