/* JSON objects into structs, by tables. */
#include "runtime/spec_fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"

static const char *const type_names[] = {
    [SPEC_STRING] = "a string",
    [SPEC_PATH] = "an absolute path",
    [SPEC_STRINGS] = "an array of strings",
    [SPEC_BOOL] = "a boolean",
    [SPEC_I32] = "a number",
    [SPEC_U32] = "a number from 0 to 4294967295",
    [SPEC_U16] = "a number from 0 to 65535",
    [SPEC_I64] = "a number",
    [SPEC_U64] = "a number from 0 on",
    [SPEC_OBJECT] = "an object",
    [SPEC_ARRAY] = "an array",
};

int spec_error(struct err *err, const char *at, const char *fmt, ...)
{
    char text[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(err, ERR_INVALID, "invalid configuration: %s: %s", at, text);
}

/* The string, or NULL when it is none or holds a NUL byte, which would cut it short. */
static const char *string_of(const json_t *value)
{
    const char *s = json_string_value(value);

    return s && strlen(s) == json_string_length(value) ? s : NULL;
}

static const char **strings_of(const json_t *array)
{
    size_t n = json_array_size(array);
    const char **v;

    if (!json_is_array(array))
        return NULL;
    v = xcalloc(n + 1, sizeof(*v));
    for (size_t i = 0; i < n; i++) {
        v[i] = string_of(json_array_get(array, i));
        if (!v[i]) {
            free(v);
            return NULL;
        }
    }
    return v;
}

static bool integer_of(const json_t *value, int64_t min, int64_t max, int64_t *ret)
{
    if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max)
        return false;
    *ret = json_integer_value(value);
    return true;
}

static bool unsigned_of(const json_t *value, uint64_t *ret)
{
    if (json_is_integer(value)) { /* negative: see json_load_wide() */
        *ret = (uint64_t)json_integer_value(value);
        return true;
    }
    if (json_is_real(value) && json_real_value(value) >= 0) {
        *ret =
            json_real_value(value) >= 18446744073709549568.0 ? UINT64_MAX : (uint64_t)json_real_value(value);
        return true;
    }
    return false;
}

static bool store(const json_t *value, enum spec_type type, void *out)
{
    int64_t n = 0;

    switch (type) {
    case SPEC_STRING:
        return (*(const char **)out = string_of(value)) != NULL;
    case SPEC_PATH:
        return path_is_absolute(*(const char **)out = string_of(value));
    case SPEC_STRINGS:
        return (*(const char ***)out = strings_of(value)) != NULL;
    case SPEC_BOOL:
        *(bool *)out = json_is_true(value);
        return json_is_boolean(value);
    case SPEC_I32:
        return integer_of(value, INT32_MIN, INT32_MAX, &n) && (*(int32_t *)out = (int32_t)n, true);
    case SPEC_U32:
        return integer_of(value, 0, UINT32_MAX, &n) && (*(uint32_t *)out = (uint32_t)n, true);
    case SPEC_U16:
        return integer_of(value, 0, UINT16_MAX, &n) && (*(uint16_t *)out = (uint16_t)n, true);
    case SPEC_I64:
        return integer_of(value, INT64_MIN, INT64_MAX, out);
    case SPEC_U64:
        return unsigned_of(value, out);
    case SPEC_OBJECT:
        *(const json_t **)out = value;
        return json_is_object(value);
    case SPEC_ARRAY:
        *(const json_t **)out = value;
        return json_is_array(value);
    }
    return false;
}

int spec_read(const json_t *object, const char *at, const struct spec_field *fields, size_t count, void *out,
              struct err *err)
{
    if (!json_is_object(object))
        return spec_error(err, at, "expected an object");
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(object, fields[i].key);
        char where[256];

        snprintf(where, sizeof(where), "%s%s%s", at, *at ? "." : "", fields[i].key);
        if (!value || json_is_null(value)) {
            if (fields[i].flags & SPEC_REQUIRED)
                return spec_error(err, where, "missing");
        } else if (!store(value, fields[i].type, (char *)out + fields[i].offset)) {
            return spec_error(err, where, "expected %s", type_names[fields[i].type]);
        }
    }
    return 0;
}
