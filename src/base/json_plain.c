/* A parser for the plain kind of JSON. Strings with escapes or beyond ASCII, and numbers that aren't short integers, are handed
 * to jansson one by one. */
#include "base/json_plain.h"

#include <stdbool.h>
#include <string.h>

#include "base/json.h"

enum { DIGITS_MAX = 18 }; /* they fit into an int64_t */

struct plain {
    const char *at, *end;
    size_t flags;
    int depth;
};

static json_t *plain_value(struct plain *p);

static void skip_space(struct plain *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t'))
        p->at++;
}

/* Takes the character, with the space around it. */
static bool take(struct plain *p, char c)
{
    skip_space(p);
    if (p->at == p->end || *p->at != c)
        return false;
    p->at++;
    skip_space(p);
    return true;
}

static json_t *plain_word(struct plain *p, const char *word, json_t *value)
{
    size_t len = strlen(word);

    if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
        return NULL;
    p->at += len;
    return value;
}

/* What jansson makes of the value in between; goes on behind it. */
static json_t *other(struct plain *p, const char *start, const char *behind)
{
    p->at = behind;
    return json_loadb(start, (size_t)(behind - start), p->flags | JSON_DECODE_ANY, NULL);
}

/* From behind the quote: the closing one, or where something but ASCII without escapes begins. */
static const char *plain_run(const struct plain *p, const char *at)
{
    while (at < p->end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' &&
           *at != '\\')
        at++;
    return at;
}

static json_t *plain_string(struct plain *p)
{
    const char *start = p->at + 1, *end = plain_run(p, start);

    if (end < p->end && *end == '"') {
        p->at = end + 1;
        return json_stringn_nocheck(start, (size_t)(end - start));
    }
    while (end < p->end && *end != '"')
        end += *end == '\\' ? 2 : 1;
    return end < p->end ? other(p, start - 1, end + 1) : NULL;
}

static json_t *plain_number(struct plain *p)
{
    const char *start = p->at, *digits = start + (*start == '-'), *end = digits;
    json_int_t value = 0;

    while (end < p->end && *end >= '0' && *end <= '9' && end - digits < DIGITS_MAX)
        value = value * 10 + (*end++ - '0');
    if (end == digits || (*digits == '0' && (end - digits > 1 || *start == '-')) ||
        (end < p->end && strchr(".eE+-0123456789", *end) && *end)) {
        while (end < p->end && strchr(".eE+-0123456789", *end) && *end)
            end++;
        return end > start ? other(p, start, end) : NULL;
    }
    p->at = end;
    return json_integer(*start == '-' ? -value : value);
}

static bool plain_elements(struct plain *p, json_t *array)
{
    if (take(p, ']'))
        return true;
    do {
        json_t *value = plain_value(p);

        if (!value || json_array_append_new(array, value) < 0)
            return false;
    } while (take(p, ','));
    return take(p, ']');
}

static bool plain_members(struct plain *p, json_t *object)
{
    if (take(p, '}'))
        return true;
    do {
        const char *key = p->at + 1, *end;
        json_t *value;

        if (p->at == p->end || *p->at != '"')
            return false;
        end = plain_run(p, key);
        p->at = end + 1;
        if (end == p->end || *end != '"' || !take(p, ':'))
            return false;
        value = plain_value(p);
        if (!value || json_object_setn_new_nocheck(object, key, (size_t)(end - key), value) < 0)
            return false;
    } while (take(p, ','));
    return take(p, '}');
}

static json_t *plain_container(struct plain *p, json_t *ret, bool (*fill)(struct plain *p, json_t *container))
{
    p->at++;
    if (++p->depth > JSON_DEPTH_MAX || !fill(p, ret)) {
        json_decref(ret);
        return NULL;
    }
    p->depth--;
    return ret;
}

static json_t *plain_value(struct plain *p)
{
    if (p->at == p->end)
        return NULL;
    switch (*p->at) {
    case '{':
        return plain_container(p, json_object(), plain_members);
    case '[':
        return plain_container(p, json_array(), plain_elements);
    case '"':
        return plain_string(p);
    case 't':
        return plain_word(p, "true", json_true());
    case 'f':
        return plain_word(p, "false", json_false());
    case 'n':
        return plain_word(p, "null", json_null());
    default:
        return plain_number(p);
    }
}

json_t *json_plain(const char *text, size_t len, size_t flags)
{
    struct plain p = {text, text + len, flags, 0};
    json_t *json;

    skip_space(&p);
    if (p.at == p.end || (*p.at != '{' && *p.at != '['))
        return NULL;
    json = plain_value(&p);
    skip_space(&p);
    if (json && p.at == p.end)
        return json;
    json_decref(json);
    return NULL;
}
