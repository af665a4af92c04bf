/* Docker's rules of who goes before whom. */
#include "engine/merge_config.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"

/* {"a":…} over {"b":…}: the user's members win. */
static void merge_object(json_t *config, const json_t *image, const char *key)
{
    json_t *own = json_object_get(config, key), *theirs = json_object_get(image, key);
    if (!theirs)
        return;
    json_t *merged = json_copy(theirs);
    json_object_update(merged, own);
    json_object_set_new(config, key, merged);
}

static void merge_env(json_t *config, const json_t *image)
{
    const json_t *own = json_object_get(config, "Env"), *theirs = json_object_get(image, "Env");
    json_t *merged = json_array(), *row;
    size_t i;
    json_array_foreach (own, i, row)
        json_array_append(merged, row);
    json_array_foreach (theirs, i, row) {
        const char *text = json_string_value(row), *equals = strchr(text, '=');
        size_t len = equals ? (size_t)(equals - text) : strlen(text), j;
        const json_t *mine;
        bool overridden = false;
        json_array_foreach (own, j, mine) {
            const char *m = json_string_value(mine);
            overridden = overridden || (strncmp(m, text, len) == 0 && (m[len] == '=' || m[len] == '\0'));
        }
        if (!overridden && equals)
            json_array_append(merged, row);
    }
    json_object_set_new(config, "Env", merged);
}

static void merge_program(json_t *config, const json_t *image)
{
    json_t *entrypoint = json_object_get(config, "Entrypoint");
    if (json_array_size(entrypoint) == 0) {
        if (json_array_size(json_object_get(config, "Cmd")) == 0 && json_object_get(image, "Cmd"))
            json_object_set(config, "Cmd", json_object_get(image, "Cmd"));
        if (!entrypoint && json_object_get(image, "Entrypoint"))
            json_object_set(config, "Entrypoint", json_object_get(image, "Entrypoint"));
    }
    entrypoint = json_object_get(config, "Entrypoint");
    if (json_array_size(entrypoint) == 1 && str_eq(json_string_value(json_array_get(entrypoint, 0)), ""))
        json_object_del(config, "Entrypoint");
}

/* What the user leaves at zero is the image's. */
static void merge_health(json_t *config, const json_t *image)
{
    const json_t *theirs = json_object_get(image, "Healthcheck");
    json_t *own = json_object_get(config, "Healthcheck"), *value;
    const char *key;
    if (!theirs)
        return;
    _cleanup_json_ json_t *merged = own ? json_copy(own) : json_object();
    json_object_foreach ((json_t *)theirs, key, value) {
        const json_t *mine = json_object_get(merged, key);
        if (!mine || json_is_null(mine) || (json_is_integer(mine) && json_integer_value(mine) == 0) ||
            (json_is_array(mine) && json_array_size(mine) == 0))
            json_object_set(merged, key, value);
    }
    json_object_set(config, "Healthcheck", merged);
}

void merge_config(json_t *config, const json_t *other)
{
    static const char *const plain[] = {"User", "WorkingDir", "StopSignal", "Shell"};
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        if (!json_object_get(config, plain[i]) && json_object_get(other, plain[i]))
            json_object_set(config, plain[i], json_object_get(other, plain[i]));
    merge_object(config, other, "Labels");
    merge_object(config, other, "ExposedPorts");
    merge_object(config, other, "Volumes");
    merge_env(config, other);
    merge_health(config, other);
    merge_program(config, other);
}
