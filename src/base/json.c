/* Helpers over jansson. */
#include "base/json.h"

#include <string.h>

#include "base/fd.h"
#include "base/json_plain.h"
#include "base/str.h"

bool json_is_too_deep(const char *text, size_t len)
{
    int depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{') && ++depth > JSON_DEPTH_MAX)
            return true;
        else if (!quoted && (c == ']' || c == '}'))
            depth--;
    }
    return false;
}

/* The length of a number's digits at p, 0 unless it is an integer that only uint64_t can hold. */
static size_t wide_number(const char *p, const char *end, uint64_t *ret)
{
    size_t n = 0;

    *ret = 0;
    while (p + n < end && p[n] >= '0' && p[n] <= '9') {
        unsigned digit = (unsigned)(p[n++] - '0');

        if (__builtin_mul_overflow(*ret, 10, ret) || __builtin_add_overflow(*ret, digit, ret))
            return 0;
    }
    return *ret > INT64_MAX && (p + n == end || !strchr(".eE", p[n])) ? n : 0;
}

static void write_wide(const char *text, size_t len, struct buf *out)
{
    bool quoted = false;

    for (size_t i = 0; i < len;) {
        bool starts = !quoted && (i == 0 || !strchr("-+.eE0123456789", text[i - 1]));
        uint64_t value = 0;
        size_t n = starts ? wide_number(text + i, text + len, &value) : 0;

        if (n)
            buf_printf(out, "%lld", (long long)(int64_t)value);
        else
            buf_append(out, text + i, n = quoted && text[i] == '\\' && i + 1 < len ? 2 : 1);
        if (n == 1 && text[i] == '"')
            quoted = !quoted;
        i += n;
    }
}

json_t *json_parse_wide(const char *text, size_t len, const char *what, struct err *err)
{
    _cleanup_(buf_finish) struct buf narrow =
        BUF_INIT(len + len / 16 + 16); /* "-9223372036854775807" is a longer one */
    json_error_t error;
    json_t *json = json_is_too_deep(text, len) ? NULL : json_loadb(text, len, JSON_ALLOW_NUL, &error);

    if (json)
        return json;
    write_wide(text, len, &narrow);
    return json_parse(buf_str(&narrow), narrow.len, what, err);
}

static json_t *parse(const char *text, size_t len, size_t flags, const char *what, struct err *err)
{
    json_t *json = json_plain(text, len, flags);
    json_error_t error;

    if (json)
        return json;
    if (json_is_too_deep(text, len)) {
        err_set(err, ERR_INVALID, "%s: invalid JSON: nested more than %d levels deep", what, JSON_DEPTH_MAX);
        return NULL;
    }
    json = json_loadb(text, len, flags, &error);
    if (!json)
        err_set(err, ERR_INVALID, "%s: invalid JSON at line %d, column %d: %s", what, error.line,
                error.column, error.text);
    return json;
}

json_t *json_parse(const char *text, size_t len, const char *what, struct err *err)
{
    return parse(text, len, JSON_ALLOW_NUL, what, err);
}

json_t *json_parse_no_nul(const char *text, size_t len, const char *what, struct err *err)
{
    return parse(text, len, 0, what, err);
}

static json_t *load(int dirfd, const char *path, size_t max,
                    json_t *(*parser)(const char *, size_t, const char *, struct err *), struct err *err)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(max);
    int r = file_read(dirfd, path, &b);

    if (r == -E2BIG) {
        err_set(err, ERR_INVALID, "%s: larger than %zu bytes", path, max);
        return NULL;
    }
    if (r < 0) {
        err_errno(err, r, "open %s", path);
        return NULL;
    }
    return parser(buf_str(&b), b.len, path, err);
}

json_t *json_load(int dirfd, const char *path, size_t max, struct err *err)
{
    return load(dirfd, path, max, json_parse, err);
}

json_t *json_load_wide(int dirfd, const char *path, size_t max, struct err *err)
{
    return load(dirfd, path, max, json_parse_wide, err);
}

char *json_text(const json_t *json)
{
    return json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
}

static int append_piece(const char *piece, size_t len, void *arg)
{
    return buf_append(arg, piece, len);
}

int json_append(struct buf *b, const json_t *json)
{
    if (json_dump_callback(json, append_piece, b, JSON_COMPACT | JSON_ENCODE_ANY) < 0)
        return b->error ? b->error : -EINVAL;
    return 0;
}

json_t *json_at(const json_t *object, const char *dotted_path)
{
    while (object) {
        const char *dot = strchr(dotted_path, '.');
        json_t *member;

        if (!json_is_object(object))
            return NULL;
        member =
            json_object_getn(object, dotted_path, dot ? (size_t)(dot - dotted_path) : strlen(dotted_path));
        if (!dot)
            return member;
        object = member;
        dotted_path = dot + 1;
    }
    return NULL;
}

const char *json_str(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

const char *json_str_or(const json_t *object, const char *key, const char *otherwise)
{
    const char *s = json_str(object, key);

    return s ? s : otherwise;
}

int64_t json_int_or(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *member = json_object_get(object, key);

    if (json_is_real(member))
        return (int64_t)json_real_value(member);
    return json_is_integer(member) ? json_integer_value(member) : otherwise;
}

bool json_bool_or(const json_t *object, const char *key, bool otherwise)
{
    const json_t *member = json_object_get(object, key);

    return json_is_boolean(member) ? json_is_true(member) : otherwise;
}

char **json_strv(const json_t *object, const char *key)
{
    json_t *array = json_object_get(object, key), *item;
    char **v = NULL;
    size_t i;

    json_array_foreach (array, i, item) {
        if (json_is_string(item))
            strv_push(&v, json_string_value(item));
    }
    return v;
}

json_t *json_from_strv(char *const *v)
{
    json_t *array = json_array();

    for (; v && *v; v++)
        json_array_append_new(array, json_string_lossy(*v, strlen(*v)));
    return array;
}

void json_set_str(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, value ? json_string_lossy(value, strlen(value)) : json_null());
}

void json_set_int(json_t *object, const char *key, int64_t value)
{
    json_object_set_new(object, key, json_integer(value));
}

void json_set_bool(json_t *object, const char *key, bool value)
{
    json_object_set_new(object, key, json_boolean(value));
}

/* Length of the valid UTF-8 sequence at p (n bytes left), 0 if there is none. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    static const unsigned char second_min[] = {[0xe0 - 0xc2] = 0xa0, [0xf0 - 0xc2] = 0x90};
    size_t need = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

    if (need <= 1 || need > n)
        return need > n ? 0 : need;
    if (p[1] < 0x80 || p[1] > 0xbf || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    if (p[0] - 0xc2u < sizeof(second_min) && p[1] < second_min[p[0] - 0xc2])
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

json_t *json_string_lossy(const char *data, size_t len)
{
    json_t *json = json_stringn(data, len);
    _cleanup_(buf_finish) struct buf b = BUF_INIT(len * 3 + 1);

    if (json)
        return json;
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length((const unsigned char *)data + i, len - i);

        if (n)
            buf_append(&b, data + i, n);
        else
            buf_puts(&b, "\xef\xbf\xbd");
        i += n ? n : 1;
    }
    json = json_stringn(buf_str(&b), b.len);
    return json ? json : json_string("");
}

json_t *json_from_err(const struct err *err)
{
    return json_pack("{s:{s:s, s:i, s:o}}", "error", "kind", err_kind_name(err->kind), "errno", err->errnum,
                     "message", json_string_lossy(err->message, strlen(err->message)));
}

int json_take_err(const json_t *object, struct err *err)
{
    const json_t *error = json_object_get(object, "error");

    if (!error)
        return 0;
    err_set(err, err_kind_from_name(json_str_or(error, "kind", "")), "%s", json_str_or(error, "message", ""));
    if (err)
        err->errnum = (int)json_int_or(error, "errno", 0);
    return -1;
}
