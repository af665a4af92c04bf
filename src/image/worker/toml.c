/* A recursive descent over one text. */
#include "image/worker/toml.h"

#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

enum { TEXT_MAX = 64 * 1024 };

/* A table and the lines of its names: one object each. What is no table has an integer there, a table an object
 * whose own line stands under the empty name. */
struct table {
    json_t *values, *lines;
};

struct toml {
    const char *at, *end;
    const char *what;
    int line;
    struct err *err;
};

static int fail(struct toml *t, const char *problem)
{
    return err_set(t->err, ERR_INVALID, "%s:%d: %s", t->what, t->line, problem);
}

static char peek(const struct toml *t)
{
    return t->at < t->end ? *t->at : '\0';
}

static bool take(struct toml *t, char c)
{
    if (t->at >= t->end || *t->at != c)
        return false;
    t->line += c == '\n';
    t->at++;
    return true;
}

static void skip_blanks(struct toml *t)
{
    while (take(t, ' ') || take(t, '\t'))
        ;
}

static void skip_comment(struct toml *t)
{
    if (peek(t) == '#')
        while (t->at < t->end && *t->at != '\n')
            t->at++;
}

/* Blanks, comments and ends of lines. */
static void skip_all(struct toml *t)
{
    do {
        skip_blanks(t);
        skip_comment(t);
    } while (take(t, '\n') || take(t, '\r'));
}

/* Nothing but a comment may follow on this line. */
static int end_line(struct toml *t)
{
    skip_blanks(t);
    skip_comment(t);
    take(t, '\r');
    return t->at == t->end || take(t, '\n') ? 0 : fail(t, "the line goes on after its value");
}

/* ---- strings ---- */

static int append_code_point(struct toml *t, struct buf *b, int digits)
{
    unsigned long code = 0;

    for (int i = 0; i < digits; i++, t->at++) {
        if (t->at >= t->end || !isxdigit((unsigned char)*t->at))
            return fail(t, "\\u takes four hexadecimal digits, \\U eight");
        code = code * 16 + (unsigned long)(isdigit((unsigned char)*t->at)
                                               ? *t->at - '0'
                                               : tolower((unsigned char)*t->at) - 'a' + 10);
    }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) || code == 0)
        return fail(t, "no such character");
    if (code < 0x80) {
        buf_putc(b, (char)code);
    } else if (code < 0x800) {
        buf_putc(b, (char)(0xc0 | code >> 6));
        buf_putc(b, (char)(0x80 | (code & 0x3f)));
    } else {
        if (code < 0x10000) {
            buf_putc(b, (char)(0xe0 | code >> 12));
        } else {
            buf_putc(b, (char)(0xf0 | code >> 18));
            buf_putc(b, (char)(0x80 | (code >> 12 & 0x3f)));
        }
        buf_putc(b, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_putc(b, (char)(0x80 | (code & 0x3f)));
    }
    return 0;
}

static int append_escape(struct toml *t, struct buf *b)
{
    static const char letters[] = "btnfr\"\\", bytes[] = "\b\t\n\f\r\"\\";
    char c = peek(t);
    const char *found = c ? strchr(letters, c) : NULL;

    t->at += c != '\0';
    if (c == 'u' || c == 'U')
        return append_code_point(t, b, c == 'u' ? 4 : 8);
    if (!found)
        return fail(t, "no such escape in a string");
    buf_putc(b, bytes[found - letters]);
    return 0;
}

/* A string in its quotes, appended to b. */
static int parse_string(struct toml *t, struct buf *b)
{
    char quote = *t->at;

    if (t->end - t->at >= 3 && t->at[1] == quote && t->at[2] == quote)
        return fail(t, "strings of several lines are not supported here");
    for (t->at++; !take(t, quote);) {
        unsigned char c = (unsigned char)peek(t);

        if (t->at == t->end || c == '\n')
            return fail(t, "a string without its closing quote");
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return fail(t, "a control character in a string");
        t->at++;
        if (c == '\\' && quote == '"') {
            if (append_escape(t, b) < 0)
                return -1;
        } else {
            buf_putc(b, (char)c);
        }
    }
    return 0;
}

/* ---- values ---- */

static json_t *parse_value(struct toml *t, json_t **ret_lines, int depth);
static int parse_pair(struct toml *t, struct table table, int depth);

static json_t *parse_array(struct toml *t, int depth)
{
    _cleanup_json_ json_t *array = json_array();

    take(t, '[');
    for (skip_all(t); !take(t, ']'); skip_all(t)) {
        _cleanup_json_ json_t *lines = NULL; /* of tables in arrays, whose places nobody asks for */
        json_t *value = parse_value(t, &lines, depth + 1);

        if (!value)
            return NULL;
        json_array_append_new(array, value);
        skip_all(t);
        if (!take(t, ',') && peek(t) != ']') {
            fail(t, "the elements of an array are divided by commas");
            return NULL;
        }
    }
    return take_ptr(&array);
}

/* {a = 1, b = 2}, on one line. */
static json_t *parse_inline_table(struct toml *t, json_t **ret_lines, int depth)
{
    _cleanup_json_ json_t *values = json_object(), *lines = json_pack("{s:i}", "", t->line);

    take(t, '{');
    skip_blanks(t);
    for (bool first = true; !take(t, '}'); first = false) {
        if (!first && !take(t, ',')) {
            fail(t, "the pairs of an inline table are divided by commas, on one line");
            return NULL;
        }
        skip_blanks(t);
        if (parse_pair(t, (struct table){values, lines}, depth + 1) < 0)
            return NULL;
        skip_blanks(t);
    }
    *ret_lines = take_ptr(&lines);
    return take_ptr(&values);
}

/* true, false, 42, 1_000. */
static json_t *parse_bare(struct toml *t)
{
    _cleanup_(buf_finish) struct buf word = BUF_INIT(64);
    const char *digits;
    uint64_t n;

    while (t->at < t->end && (isalnum((unsigned char)*t->at) || (*t->at && strchr("+-._:", *t->at)))) {
        if (*t->at != '_' && buf_putc(&word, *t->at) < 0)
            break;
        t->at++;
    }
    if (str_eq(buf_str(&word), "true") || str_eq(buf_str(&word), "false"))
        return json_boolean(str_eq(buf_str(&word), "true"));
    digits = buf_str(&word) + (*buf_str(&word) == '-' || *buf_str(&word) == '+');
    if (str_to_u64(digits, &n) == 0 && n <= INT64_MAX)
        return json_integer(*buf_str(&word) == '-' ? -(json_int_t)n : (json_int_t)n);
    fail(t, "a value is a string in quotes, true, false, an integer, an array or an inline table");
    return NULL;
}

/* *ret_lines: what stands for it among the lines. */
static json_t *parse_value(struct toml *t, json_t **ret_lines, int depth)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(TEXT_MAX);
    json_t *string;

    if (depth > TOML_DEPTH_MAX) {
        fail(t, "too many arrays or tables in each other");
        return NULL;
    }
    if (peek(t) == '{')
        return parse_inline_table(t, ret_lines, depth);
    *ret_lines = json_integer(t->line);
    if (peek(t) == '[')
        return parse_array(t, depth);
    if (peek(t) != '"' && peek(t) != '\'')
        return parse_bare(t);
    if (parse_string(t, &text) < 0)
        return NULL;
    string = json_stringn(buf_str(&text), text.len);
    if (!string)
        fail(t, "a string that is no UTF-8");
    return string;
}

/* ---- names ---- */

static int parse_key(struct toml *t, struct buf *key)
{
    if (peek(t) == '"' || peek(t) == '\'') {
        if (parse_string(t, key) < 0)
            return -1;
        return key->len ? 0 : fail(t, "an empty name is not supported here");
    }
    while (t->at < t->end && (isalnum((unsigned char)*t->at) || *t->at == '_' || *t->at == '-'))
        buf_putc(key, *t->at++);
    return key->len ? 0 : fail(t, "a name is expected here");
}

/* The table of that name inside `above`, made if there is none. False: something else has the name. */
static bool enter_table(const struct toml *t, struct table *above, const char *name)
{
    struct table inside;

    if (!json_object_get(above->values, name) &&
        (json_object_set_new(above->values, name, json_object()) < 0 ||
         json_object_set_new(above->lines, name, json_pack("{s:i}", "", t->line)) < 0))
        return false;
    inside = (struct table){json_object_get(above->values, name), json_object_get(above->lines, name)};
    if (!json_is_object(inside.values))
        return false;
    *above = inside;
    return true;
}

/* Goes down "a.b.c" from *table, making tables; the last name stays in *last. */
static int parse_path(struct toml *t, struct table *table, struct buf *last)
{
    for (int depth = 0;; depth++) {
        skip_blanks(t);
        buf_reset(last);
        if (parse_key(t, last) < 0)
            return -1;
        skip_blanks(t);
        if (!take(t, '.'))
            return 0;
        if (depth == TOML_DEPTH_MAX || !enter_table(t, table, buf_str(last)))
            return fail(t, "this name can't be a table");
    }
}

/* [a."b c"] */
static int parse_header(struct toml *t, struct table root, struct table *ret)
{
    _cleanup_(buf_finish) struct buf name = BUF_INIT(TEXT_MAX);

    *ret = root;
    take(t, '[');
    if (peek(t) == '[')
        return fail(t, "arrays of tables are not supported here");
    if (parse_path(t, ret, &name) < 0)
        return -1;
    if (!take(t, ']') || !enter_table(t, ret, buf_str(&name)))
        return fail(t, "a table's header is a name in brackets that nothing else has");
    return end_line(t);
}

static int parse_pair(struct toml *t, struct table table, int depth)
{
    _cleanup_(buf_finish) struct buf name = BUF_INIT(TEXT_MAX);
    _cleanup_json_ json_t *value = NULL, *lines = NULL;

    if (parse_path(t, &table, &name) < 0)
        return -1;
    if (!take(t, '='))
        return fail(t, "a name is followed by = and its value");
    skip_blanks(t);
    value = parse_value(t, &lines, depth);
    if (!value)
        return -1;
    if (json_object_get(table.values, buf_str(&name)))
        return fail(t, "this name has a value already");
    if (json_object_set(table.values, buf_str(&name), value) < 0 ||
        json_object_set(table.lines, buf_str(&name), lines) < 0)
        return fail(t, "a name that is no UTF-8");
    return 0;
}

json_t *toml_parse(const char *text, size_t len, const char *what, json_t **ret_lines, struct err *err)
{
    struct toml t = {.at = text, .end = text + len, .what = what, .line = 1, .err = err};
    _cleanup_json_ json_t *values = json_object(), *lines = json_object();
    const struct table root = {values, lines};
    struct table table = root;

    for (skip_all(&t); t.at < t.end; skip_all(&t)) {
        if (peek(&t) == '[') {
            if (parse_header(&t, root, &table) < 0)
                return NULL;
        } else if (parse_pair(&t, table, 0) < 0 || end_line(&t) < 0) {
            return NULL;
        }
    }
    *ret_lines = take_ptr(&lines);
    return take_ptr(&values);
}

int toml_line(const json_t *lines, const char *key)
{
    const json_t *line = json_object_get(lines, key);

    if (json_is_object(line))
        line = json_object_get(line, "");
    return (int)json_integer_value(line);
}
