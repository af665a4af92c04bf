/* Filters: both shapes that clients send are read in place. */
#include "engine/filters.h"

#include <regex.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"

static bool shape_is_good(const json_t *values)
{
    const char *key;
    const json_t *value;
    size_t i;
    if (json_is_null(values))
        return true;
    if (json_is_array(values)) {
        json_array_foreach (values, i, value)
            if (!json_is_string(value))
                return false;
        return true;
    }
    if (!json_is_object(values))
        return false;
    json_object_foreach ((json_t *)values, key, value)
        if (!json_is_boolean(value))
            return false;
    return true;
}

int filters_check(const json_t *filters, const char *const *allowed, struct err *err)
{
    if (!filters || json_is_null(filters))
        return 0;
    if (!json_is_object(filters))
        return err_set(err, ERR_INVALID, "invalid filter: not a JSON object");
    const char *key;
    json_t *values;
    json_object_foreach ((json_t *)filters, key, values) {
        if (!shape_is_good(values))
            return err_set(err, ERR_INVALID,
                           "invalid filter: '%s' is neither a list of strings nor an object", key);
    }
    json_object_foreach ((json_t *)filters, key, values) {
        bool known = false;
        for (const char *const *a = allowed; a && *a && !known; a++)
            known = str_eq(*a, key);
        if (allowed && !known)
            return err_set(err, ERR_INVALID, "invalid filter '%s'", key);
    }
    return 0;
}

const char *filters_value(const json_t *filters, const char *key, size_t n)
{
    json_t *values = json_object_get(filters, key);
    if (json_is_array(values))
        return json_string_value(json_array_get(values, n));
    const char *name;
    json_t *on;
    json_object_foreach (values, name, on) {
        if (n-- == 0)
            return name;
    }
    return NULL;
}

bool filters_has(const json_t *filters, const char *key)
{
    return filters_value(filters, key, 0) != NULL;
}

bool filters_match_exact(const json_t *filters, const char *key, const char *value)
{
    const json_t *values = json_object_get(filters, key);
    const char *wanted;
    if (!filters_has(filters, key))
        return true;
    if (json_is_object(values))
        return value && json_is_true(json_object_get(values, value));
    for (size_t i = 0; (wanted = filters_value(filters, key, i)); i++)
        if (str_eq(wanted, value))
            return true;
    return false;
}

bool filters_match_text(const json_t *filters, const char *key, const char *value)
{
    const char *wanted;
    if (!filters_has(filters, key))
        return true;
    for (size_t i = 0; (wanted = filters_value(filters, key, i)); i++) {
        if (value && strstr(value, wanted))
            return true;
        regex_t re;
        if (!value || strlen(wanted) > 256 || regcomp(&re, wanted, REG_EXTENDED | REG_NOSUB) != 0)
            continue;
        bool found = regexec(&re, value, 0, NULL, 0) == 0;
        regfree(&re);
        if (found)
            return true;
    }
    return false;
}

bool filters_match_labels(const json_t *filters, const char *key, const json_t *labels)
{
    const char *wanted;
    for (size_t i = 0; (wanted = filters_value(filters, key, i)); i++) {
        const char *equals = strchr(wanted, '=');
        size_t len = equals ? (size_t)(equals - wanted) : strlen(wanted);
        const char *value = json_string_value(json_object_getn(labels, wanted, len));
        if (!value || (equals && !str_eq(value, equals + 1)))
            return false;
    }
    return true;
}

int filters_bool(const json_t *filters, const char *key, bool otherwise, bool *ret, struct err *err)
{
    const json_t *values = json_object_get(filters, key);
    _cleanup_strv_ char **all = NULL;
    bool yes = false, no = false;
    const char *value;
    *ret = otherwise;
    if (!filters_has(filters, key))
        return 0;
    for (size_t i = 0; (value = filters_value(filters, key, i)); i++) {
        bool counts = !json_is_object(values) || json_is_true(json_object_get(values, value));
        yes |= counts && (str_eq(value, "1") || str_eq(value, "true"));
        no |= counts && (str_eq(value, "0") || str_eq(value, "false"));
        strv_push(&all, value);
    }
    *ret = yes;
    if (yes != no)
        return 0;
    _cleanup_free_ char *text = strv_join(all, " ");
    return err_set(err, ERR_INVALID, "invalid filter '%s=[%.200s]'", key, text);
}

int filters_time(const json_t *filters, const char *key, bool *has, int64_t *ret, struct err *err)
{
    const char *text = filters_value(filters, key, 0);

    *has = text != NULL;
    *ret = 0;
    if (text && filters_value(filters, key, 1))
        return err_set(err, ERR_INVALID, "more than one %s filter specified", key);
    if (text && clock_parse_since(text, clock_now(), ret) < 0)
        return err_set(err, ERR_INVALID, "failed to parse value as time or duration: \"%s\"", text);
    return 0;
}
