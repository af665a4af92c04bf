/* The functions of templates: Go's own, and those docker adds (json, join, split, lower, upper, title, truncate, pad). */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/template/internal.h"

enum { ANY = -1, RESULT_MAX = 64 * 1024 * 1024 };

static json_t *fail(struct err *err, const char *fmt, const char *detail)
{
    err_set(err, ERR_INVALID, fmt, detail);
    return NULL;
}

/* The argument as a string, NULL (and err set) if it is none. */
static const char *string_argument(const struct call *c, size_t i, struct err *err)
{
    if (json_is_string(c->args[i]))
        return json_string_value(c->args[i]);
    *c->blame = (int)i;
    err_set(err, ERR_INVALID, "wrong type for value; expected string; got %s", value_type(c->args[i]));
    return NULL;
}

/* Whether the argument is an integer; err is set if it is none. */
static bool is_integer_argument(const struct call *c, size_t i, struct err *err)
{
    if (json_is_integer(c->args[i]))
        return true;
    *c->blame = (int)i;
    if (json_is_string(c->args[i]))
        err_set(err, ERR_INVALID, "expected integer; found \"%s\"", json_string_value(c->args[i]));
    else
        err_set(err, ERR_INVALID, "expected integer; found %s", value_type(c->args[i]));
    return false;
}

static json_t *string_from_buf(struct buf *b)
{
    json_t *s = json_string_lossy(buf_str(b), b->len);

    buf_finish(b);
    return s;
}

/* ---- comparison ---- */

/* -1, 0, 1; 2 for values that can't be compared. */
static int compare(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b))
        return (json_integer_value(a) > json_integer_value(b)) -
               (json_integer_value(a) < json_integer_value(b));
    if (json_is_number(a) && json_is_number(b))
        return (json_number_value(a) > json_number_value(b)) - (json_number_value(a) < json_number_value(b));
    if (json_is_string(a) && json_is_string(b)) {
        int r = strcmp(json_string_value(a), json_string_value(b));

        return (r > 0) - (r < 0);
    }
    return 2;
}

static json_t *incompatible(const json_t *a, const json_t *b, struct err *err)
{
    err_set(err, ERR_INVALID, "incompatible types for comparison: %s and %s", value_type(a), value_type(b));
    return NULL;
}

static json_t *fn_eq(const struct call *c, struct err *err)
{
    for (size_t i = 1; i < c->count; i++) {
        const json_t *a = c->args[0], *b = c->args[i];
        int r = compare(a, b);

        if (r == 0 || (r == 2 && json_typeof(a) == json_typeof(b) && json_equal(a, b)))
            return json_true();
        if (r == 2 && !json_is_null(a) && !json_is_null(b) && !(json_is_boolean(a) && json_is_boolean(b)))
            return incompatible(a, b, err);
    }
    if (c->count < 2)
        return fail(err, "missing argument for comparison%s", "");
    return json_false();
}

static json_t *fn_ne(const struct call *c, struct err *err)
{
    json_t *equal = fn_eq(c, err);

    return equal ? json_boolean(!json_is_true(equal)) : NULL;
}

static json_t *fn_order(const struct call *c, struct err *err)
{
    int r = compare(c->args[0], c->args[1]);
    bool less = c->name[0] == 'l', or_equal = c->name[1] == 'e';

    if (r == 2)
        return json_typeof(c->args[0]) == json_typeof(c->args[1])
                   ? fail(err, "invalid type for comparison%s", "")
                   : incompatible(c->args[0], c->args[1], err);
    return json_boolean(r == 0 ? or_equal : less ? r < 0 : r > 0);
}

static json_t *fn_not(const struct call *c, _unused_ struct err *err)
{
    return json_boolean(!value_is_true(c->args[0]));
}

/* ---- collections ---- */

static json_t *fn_len(const struct call *c, struct err *err)
{
    const json_t *v = c->args[0];

    if (json_is_string(v))
        return json_integer((json_int_t)json_string_length(v));
    if (json_is_array(v))
        return json_integer((json_int_t)json_array_size(v));
    if (json_is_object(v))
        return json_integer((json_int_t)json_object_size(v));
    return json_is_null(v) ? fail(err, "len of nil pointer%s", "")
                           : fail(err, "len of type %s", value_type(v));
}

/* What a map gives for a key it doesn't have: by the type that its values seem to have. */
static json_t *zero_of_map(json_t *map)
{
    json_t *value = json_object_iter_value(json_object_iter(map));

    if (!value || json_is_string(value))
        return json_string("");
    return json_is_array(value) ? json_incref(template_null("Binds", false)) : json_null();
}

static json_t *index_once(json_t *v, const json_t *key, struct err *err)
{
    if (json_is_null(v))
        return fail(err, "index of untyped nil%s", "");
    if (json_is_object(v)) {
        json_t *member;

        if (!json_is_string(key))
            return fail(err, "value has type %s; should be string", value_type(key));
        member = json_object_get(v, json_string_value(key));
        return member ? json_incref(member) : zero_of_map(v);
    }
    if (!json_is_array(v) && !json_is_string(v))
        return fail(err, "can't index item of type %s", value_type(v));
    if (!json_is_integer(key))
        return fail(err, "cannot index slice/array with type %s", value_type(key));
    if (json_integer_value(key) < 0 ||
        json_integer_value(key) >=
            (json_int_t)(json_is_array(v) ? json_array_size(v) : json_string_length(v))) {
        if (json_is_string(v))
            return fail(err, "reflect: string index out of range%s", "");
        err_set(err, ERR_INVALID, "index out of range: %lld", (long long)json_integer_value(key));
        return NULL;
    }
    if (json_is_array(v))
        return json_incref(json_array_get(v, (size_t)json_integer_value(key)));
    return json_integer((unsigned char)json_string_value(v)[json_integer_value(key)]);
}

static json_t *fn_index(const struct call *c, struct err *err)
{
    json_t *value = json_incref(c->args[0]);

    for (size_t i = 1; value && i < c->count; i++) {
        json_t *inner = index_once(value, c->args[i], err);

        json_decref(value);
        value = inner;
    }
    return value;
}

static json_t *fn_slice(const struct call *c, struct err *err)
{
    const json_t *v = c->args[0];
    size_t length = json_is_array(v) ? json_array_size(v) : json_string_length(v), bounds[2] = {0, length};
    json_t *part;

    if (!json_is_array(v) && !json_is_string(v))
        return fail(err, "can't slice item of type %s", value_type(v));
    for (size_t i = 1; i < c->count && i < 3; i++) {
        json_int_t at = json_integer_value(c->args[i]);

        if (!json_is_integer(c->args[i]) || at < 0 || at > (json_int_t)length) {
            err_set(err, ERR_INVALID, "index out of range: %lld", (long long)at);
            return NULL;
        }
        bounds[i - 1] = (size_t)at;
    }
    if (bounds[0] > bounds[1]) {
        err_set(err, ERR_INVALID, "invalid slice index: %zu > %zu", bounds[0], bounds[1]);
        return NULL;
    }
    if (json_is_string(v))
        return json_string_lossy(json_string_value(v) + bounds[0], bounds[1] - bounds[0]);
    part = json_array();
    for (size_t i = bounds[0]; i < bounds[1]; i++)
        json_array_append(part, json_array_get(v, i));
    return part;
}

static json_t *fn_join(const struct call *c, struct err *err)
{
    struct buf b = BUF_INIT(RESULT_MAX);
    const char *separator;
    json_t *item;
    size_t i;

    if (c->headings)
        return json_incref(c->args[0]);
    separator = string_argument(c, 1, err);
    if (!separator)
        return NULL;
    if (!json_is_array(c->args[0]) && !template_is_nil(c->args[0])) {
        *c->blame = 0;
        err_set(err, ERR_INVALID, "wrong type for value; expected []string; got %s", value_type(c->args[0]));
        return NULL;
    }
    json_array_foreach (c->args[0], i, item) {
        buf_puts(&b, i ? separator : "");
        print_value(&b, item);
    }
    return string_from_buf(&b);
}

static json_t *fn_split(const struct call *c, struct err *err)
{
    const char *text = string_argument(c, 0, err), *separator = text ? string_argument(c, 1, err) : NULL,
               *end;
    json_t *parts;

    if (!separator)
        return NULL;
    parts = json_array();
    while (*separator && (end = strstr(text, separator))) {
        json_array_append_new(parts, json_string_lossy(text, (size_t)(end - text)));
        text = end + strlen(separator);
    }
    for (; !*separator && *text; text++)
        json_array_append_new(parts, json_string_lossy(text, 1));
    if (*separator)
        json_array_append_new(parts, json_string_lossy(text, strlen(text)));
    return parts;
}

/* ---- text ---- */

static json_t *fn_case(const struct call *c, struct err *err)
{
    const char *text = string_argument(c, 0, err);
    struct buf b = BUF_INIT(RESULT_MAX);
    bool start = true;

    if (!text)
        return NULL;
    if (c->headings)
        return json_incref(c->args[0]);
    for (; *text; text++) {
        unsigned char letter = (unsigned char)*text;
        bool upper = c->name[0] == 'u' || (c->name[0] == 't' && start);

        if (letter < 0x80)
            letter = (unsigned char)(upper ? toupper(letter) : c->name[0] == 'l' ? tolower(letter) : letter);
        start = !isalnum(letter) && letter < 0x80 && letter != '_' && letter != '\'';
        buf_putc(&b, (char)letter);
    }
    return string_from_buf(&b);
}

/* The number of bytes of the first n characters. */
static size_t utf8_prefix(const char *s, size_t n)
{
    size_t i = 0;

    for (; s[i] && n; n--)
        do
            i++;
        while ((s[i] & 0xc0) == 0x80);
    return i;
}

static json_t *fn_truncate(const struct call *c, struct err *err)
{
    const char *text = string_argument(c, 0, err);

    if (!text)
        return NULL;
    if (c->headings)
        return json_incref(c->args[0]);
    if (!is_integer_argument(c, 1, err))
        return NULL;
    if (json_integer_value(c->args[1]) < 0) {
        err_set(err, ERR_INVALID, "runtime error: slice bounds out of range [:%lld]",
                (long long)json_integer_value(c->args[1]));
        return NULL;
    }
    return json_string_lossy(text, utf8_prefix(text, (size_t)json_integer_value(c->args[1])));
}

static json_t *fn_pad(const struct call *c, struct err *err)
{
    const char *text = string_argument(c, 0, err);
    struct buf b = BUF_INIT(RESULT_MAX);

    if (!text || !is_integer_argument(c, 1, err) || !is_integer_argument(c, 2, err))
        return NULL;
    if (!*text)
        return json_string("");
    buf_printf(&b, "%*s%s%*s", (int)MIN_OF(json_integer_value(c->args[1]), 4096), "", text,
               (int)MIN_OF(json_integer_value(c->args[2]), 4096), "");
    return string_from_buf(&b);
}

static json_t *fn_json(const struct call *c, _unused_ struct err *err)
{
    struct buf b = BUF_INIT(RESULT_MAX);

    if (c->headings)
        return json_incref(c->args[0]);
    if (template_is_nil(c->args[0]))
        return json_string("null");
    json_append(&b, c->args[0]);
    return string_from_buf(&b);
}

/* print, println: operands separated by blanks where Go's do. */
static json_t *fn_print(const struct call *c, _unused_ struct err *err)
{
    bool line = str_eq(c->name, "println");
    struct buf b = BUF_INIT(RESULT_MAX);

    for (size_t i = 0; i < c->count; i++) {
        bool strings = i && (json_is_string(c->args[i]) || json_is_string(c->args[i - 1]));

        if (i && (line || !strings))
            buf_putc(&b, ' ');
        print_value(&b, c->args[i]);
    }
    if (line)
        buf_putc(&b, '\n');
    return string_from_buf(&b);
}

static json_t *fn_printf(const struct call *c, struct err *err)
{
    const char *format = string_argument(c, 0, err);
    struct buf b = BUF_INIT(RESULT_MAX);

    if (!format)
        return NULL;
    print_format(&b, format, c->args + 1, c->count - 1);
    return string_from_buf(&b);
}

/* html, js, urlquery: all operands as one text, escaped. */
static json_t *fn_escape(const struct call *c, _unused_ struct err *err)
{
    static const struct {
        char language; /* first letter of the function */
        char plain;
        const char *escaped;
    } escapes[] = {{'h', '"', "&#34;"},    {'h', '\'', "&#39;"},  {'h', '&', "&amp;"},
                   {'h', '<', "&lt;"},     {'h', '>', "&gt;"},    {'j', '\\', "\\\\"},
                   {'j', '\'', "\\'"},     {'j', '"', "\\\""},    {'j', '<', "\\u003C"},
                   {'j', '>', "\\u003E"},  {'j', '&', "\\u0026"}, {'j', '=', "\\u003D"},
                   {'j', '\n', "\\u000A"}, {'j', '\t', "\\u0009"}};
    _cleanup_(buf_finish) struct buf plain = BUF_INIT(RESULT_MAX);
    struct buf b = BUF_INIT(RESULT_MAX);

    for (size_t i = 0; i < c->count; i++)
        print_value(&plain, c->args[i]);
    for (const char *p = buf_str(&plain); *p; p++) {
        const char *escaped = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(escapes); i++)
            if (escapes[i].language == c->name[0] && escapes[i].plain == *p)
                escaped = escapes[i].escaped;
        if (escaped)
            buf_puts(&b, escaped);
        else if (c->name[0] == 'u' && *p == ' ')
            buf_putc(&b, '+');
        else if (c->name[0] == 'u' && !isalnum((unsigned char)*p) && !strchr("-_.~", *p))
            buf_printf(&b, "%%%02X", (unsigned char)*p);
        else
            buf_putc(&b, *p);
    }
    return string_from_buf(&b);
}

/* Nothing here is a function. */
static json_t *fn_call(const struct call *c, struct err *err)
{
    *c->blame = 0;
    return fail(err, "non-function of type %s", value_type(c->args[0]));
}

/* To add a function: a row. The numbers are its least and most arguments. */
static const struct {
    const char *name;
    int least, most;
    json_t *(*run)(const struct call *c, struct err *err);
} functions[] = {
    {"eq", 1, ANY, fn_eq},         {"ne", 2, 2, fn_ne},           {"lt", 2, 2, fn_order},
    {"le", 2, 2, fn_order},        {"gt", 2, 2, fn_order},        {"ge", 2, 2, fn_order},
    {"not", 1, 1, fn_not},         {"and", 1, ANY, NULL},         {"or", 1, ANY, NULL},
    {"len", 1, 1, fn_len},         {"index", 1, ANY, fn_index},   {"slice", 1, 4, fn_slice},
    {"join", 2, 2, fn_join},       {"split", 2, 2, fn_split},     {"lower", 1, 1, fn_case},
    {"upper", 1, 1, fn_case},      {"title", 1, 1, fn_case},      {"truncate", 2, 2, fn_truncate},
    {"pad", 3, 3, fn_pad},         {"json", 1, 1, fn_json},       {"print", 0, ANY, fn_print},
    {"println", 0, ANY, fn_print}, {"printf", 1, ANY, fn_printf}, {"html", 0, ANY, fn_escape},
    {"call", 1, ANY, fn_call},     {"js", 0, ANY, fn_escape},     {"urlquery", 0, ANY, fn_escape},
};

bool function_exists(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        if (str_eq(functions[i].name, name))
            return true;
    return false;
}

json_t *function_call(const struct call *call, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        int least = functions[i].least, most = functions[i].most, count = (int)call->count;

        if (!str_eq(functions[i].name, call->name))
            continue;
        if (count < least || (most != ANY && count > most)) {
            err_set(err, ERR_INVALID, "wrong number of args for %s: want %s%d got %d", call->name,
                    least == most ? "" : "at least ", least, count);
            *call->blame = BLAME_FUNCTION;
            return NULL;
        }
        return functions[i].run(call, err);
    }
    return fail(err, "function \"%s\" not defined", call->name);
}
