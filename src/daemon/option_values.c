/* Values with parts. */
#include "daemon/option_values.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "daemon/option_checks.h"
#include "engine/oci.h"

const char *value_type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",  [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a fraction", [JSON_TRUE] = "a boolean",
        [JSON_FALSE] = "a boolean",  [JSON_NULL] = "null",
    };

    return value ? names[json_typeof(value)] : "nothing";
}

/* ---- address pools ---- */

static int add_pool(char ***list, const char *base, int64_t size, struct err *why)
{
    uint32_t address, prefix;
    bool four = check_parse_ipv4(base, &address, &prefix) == 0;
    int longest = four ? 30 : 126;

    if ((!four && check_parse_ipv6(base, &prefix) < 0) || prefix == 0)
        return err_set(why, ERR_INVALID,
                       "invalid base prefix \"%s\": say a network as 10.10.0.0/16 or fd00:1::/48", base);
    if (size < prefix)
        return err_set(why, ERR_INVALID,
                       "network %s has a smaller prefix (/%u) than the target size of that pool (/%" PRId64
                       ")",
                       base, prefix, size);
    if (size > longest)
        return err_set(why, ERR_INVALID,
                       "invalid size value: %" PRId64 ": a network of a container and more has at most /%d",
                       size, longest);
    strv_push_take(list, xasprintf("%s,%" PRId64, base, size));
    return 0;
}

int value_add_pool(char ***list, const char *text, struct err *why)
{
    _cleanup_strv_ char **parts = strv_split(text, ',');
    const char *base = NULL, *size_text = NULL;
    int64_t size = 0;

    for (char **part = parts; *part; part++) {
        const char *equals = strchr(*part, '='), *value;

        if (!equals)
            return err_set(why, ERR_INVALID, "invalid field '%s' must be a key=value pair", *part);
        if ((value = str_after(*part, "base=")))
            base = value;
        else if ((value = str_after(*part, "size=")))
            size_text = value;
        else
            return err_set(why, ERR_INVALID, "unexpected key '%.*s' in '%s'", (int)(equals - *part), *part,
                           *part);
    }
    if (!base || !size_text)
        return err_set(why, ERR_INVALID, "base and size are both needed: base=10.10.0.0/16,size=24");
    if (str_to_i64(size_text, &size) < 0)
        return err_set(why, ERR_INVALID, "invalid size value: \"%s\" (must be integer)", size_text);
    return add_pool(list, base, size, why);
}

int value_add_pools_json(char ***list, const json_t *value, struct err *why)
{
    json_t *item;
    size_t i;

    if (!json_is_array(value))
        return err_set(why, ERR_INVALID, "it must be an array of objects, not %s", value_type_name(value));
    json_array_foreach (value, i, item) {
        if (!json_str(item, "base") || !json_is_integer(json_object_get(item, "size")))
            return err_set(why, ERR_INVALID,
                           "each needs a base and a size, as {\"base\": \"10.10.0.0/16\", \"size\": 24}");
        if (add_pool(list, json_str(item, "base"), json_int_or(item, "size", -1), why) < 0)
            return -1;
    }
    return 0;
}

/* ---- limits ---- */

static int add_limit(json_t **list, const char *name, int64_t soft, int64_t hard, struct err *why)
{
    json_t *limit =
        json_pack("{s:s, s:I, s:I}", "Name", name, "Hard", (json_int_t)hard, "Soft", (json_int_t)soft);
    _cleanup_json_ json_t *one = json_pack("[O]", limit);
    int r = 0;

    if (!limit || soft < -1 || hard < -1 || (soft == -1 && hard != -1))
        r = err_set(why, ERR_INVALID, "invalid ulimit argument: %s=%" PRId64 ":%" PRId64 " (-1: unlimited)",
                    name, soft, hard);
    else
        r = oci_ulimits_check(one, why);
    if (r == 0) {
        if (!*list)
            *list = json_array();
        json_array_append(*list, limit);
    }
    json_decref(limit);
    return r;
}

int value_add_limit(json_t **list, const char *text, struct err *why)
{
    _cleanup_free_ char *name = xstrndup(text, strcspn(text, "="));
    const char *limits = strchr(text, '=');
    _cleanup_strv_ char **parts = strv_split(limits ? limits + 1 : "", ':');
    int64_t soft, hard;

    if (!limits || !*name)
        return err_set(why, ERR_INVALID, "invalid ulimit argument: %s: say NAME=SOFT[:HARD]", text);
    if (strv_len(parts) > 2)
        return err_set(why, ERR_INVALID,
                       "too many limit value arguments - %s, can only have up to two, `soft[:hard]`",
                       limits + 1);
    for (char **part = parts; *part; part++)
        if (str_to_i64(*part, &soft) < 0)
            return err_set(why, ERR_INVALID, "parsing \"%s\": invalid syntax: say NAME=SOFT[:HARD]", *part);
    str_to_i64(parts[0], &soft);
    str_to_i64(parts[1] ? parts[1] : parts[0], &hard);
    return add_limit(list, name, soft, hard, why);
}

int value_add_limits_json(json_t **list, const json_t *value, struct err *why)
{
    const char *key;
    json_t *item;

    if (!json_is_object(value))
        return err_set(why, ERR_INVALID, "it must be an object of objects, not %s", value_type_name(value));
    json_object_foreach ((json_t *)value, key, item) {
        const char *name = json_str_or(item, "Name", key);

        if (!json_is_integer(json_object_get(item, "Hard")) ||
            !json_is_integer(json_object_get(item, "Soft")))
            return err_set(
                why, ERR_INVALID,
                "%s needs numbers Hard and Soft, as {\"Name\": \"%s\", \"Hard\": 2048, \"Soft\": 1024}", key,
                key);
        if (!str_eq(name, key))
            return err_set(why, ERR_INVALID, "%s has the name %s", key, name);
        if (add_limit(list, key, json_int_or(item, "Soft", 0), json_int_or(item, "Hard", 0), why) < 0)
            return -1;
    }
    return 0;
}

/* ---- pairs ---- */

int value_add_pair(json_t **map, const char *text, struct err *why)
{
    const char *equals = strchr(text, '=');
    _cleanup_free_ char *key = NULL;

    if (!equals || equals == text)
        return err_set(why, ERR_INVALID, "must be a key=value pair");
    key = xstrndup(text, (size_t)(equals - text));
    if (!*map)
        *map = json_object();
    json_set_str(*map, key, equals + 1);
    return 0;
}

int value_take_map_json(json_t **map, const json_t *value, struct err *why)
{
    const char *key;
    json_t *item;

    if (!json_is_object(value))
        return err_set(why, ERR_INVALID, "it must be an object of strings, not %s", value_type_name(value));
    json_object_foreach ((json_t *)value, key, item)
        if (!json_is_string(item))
            return err_set(why, ERR_INVALID, "%s must be a string, not %s", key, value_type_name(item));
    *map = json_deep_copy(value);
    return 0;
}

/* ---- runtimes ---- */

static int add_runtime(json_t **runtimes, const char *name, json_t *runtime_take, struct err *why)
{
    if (!*runtimes)
        *runtimes = json_object();
    if (!json_object_get(*runtimes, name)) {
        json_object_set_new(*runtimes, name, runtime_take);
        return 0;
    }
    json_decref(runtime_take);
    return err_set(why, ERR_INVALID, "runtime '%s' was already defined", name);
}

int value_add_runtime(json_t **runtimes, const char *text, struct err *why)
{
    const char *equals = strchr(text, '=');
    _cleanup_free_ char *name = equals ? xstrndup(text, (size_t)(equals - text)) : NULL;

    if (str_empty(name) || !equals[1])
        return err_set(why, ERR_INVALID, "invalid runtime argument: %s", text);
    return add_runtime(runtimes, name, json_pack("{s:s}", "path", equals + 1), why);
}

int value_add_runtimes_json(json_t **runtimes, const json_t *value, struct err *why)
{
    const char *name;
    json_t *runtime;

    if (!json_is_object(value))
        return err_set(why, ERR_INVALID, "it must be an object of objects, not %s", value_type_name(value));
    json_object_foreach ((json_t *)value, name, runtime) {
        if (add_runtime(runtimes, name, json_deep_copy(runtime), why) < 0)
            return -1;
    }
    return 0;
}
