/* Helpers over jansson. Getters take an object (NULL allowed) and a key, or a dotted path in the _at forms, and
 * never fail: a missing or wrongly typed value gives the default. Strings returned belong to the JSON value. */
#ifndef KEG_BASE_JSON_H
#define KEG_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

static inline void json_decref_p(json_t **json)
{
    json_decref(*json);
}
#define _cleanup_json_ _cleanup_(json_decref_p)

/* More brackets open at once than JSON_DEPTH_MAX: parsing, copying and printing recurse, and a thread's stack is small.
 * For text that isn't parsed by json_parse(), which asks this itself. */
enum { JSON_DEPTH_MAX = 256 };
bool json_is_too_deep(const char *text, size_t len);

/* Parses untrusted text of `len` bytes, at most JSON_DEPTH_MAX levels; duplicate keys keep the last. `what` names
 * it in the error (ERR_INVALID). NULL on failure. */
json_t *json_parse(const char *text, size_t len, const char *what, struct err *err);
/* The same, and a string with \u0000 in it is an error: what compares and prints strings as C does would see half of it. */
json_t *json_parse_no_nul(const char *text, size_t len, const char *what, struct err *err);
/* Reads and parses a regular file of at most `max` bytes. */
json_t *json_load(int dirfd, const char *path, size_t max, struct err *err);
/* The same, also with numbers from 2^63 to 2^64-1, which become the negative number with the same bits: what is unsigned by its
 * meaning is exact again by a cast to uint64_t (-1: RLIM_INFINITY). */
json_t *json_load_wide(int dirfd, const char *path, size_t max, struct err *err);
json_t *json_parse_wide(const char *text, size_t len, const char *what, struct err *err);
/* Compact text, keys in insertion order; the caller frees. */
char *json_text(const json_t *json);
/* Appends the compact text of json to b. 0 or -errno. */
int json_append(struct buf *b, const json_t *json);

json_t *json_at(const json_t *object, const char *dotted_path); /* borrowed, NULL when missing */
const char *json_str(const json_t *object, const char *key);    /* NULL when missing or no string */
const char *json_str_or(const json_t *object, const char *key, const char *otherwise);
int64_t json_int_or(const json_t *object, const char *key, int64_t otherwise);
bool json_bool_or(const json_t *object, const char *key, bool otherwise);
/* The strings of an array member as a vector (other types are passed over); NULL when missing. */
char **json_strv(const json_t *object, const char *key);
/* A new array of strings. */
json_t *json_from_strv(char *const *v);
/* Sets a string member; NULL sets null. Bytes that are no UTF-8 are replaced by U+FFFD. */
void json_set_str(json_t *object, const char *key, const char *value);
void json_set_int(json_t *object, const char *key, int64_t value);
void json_set_bool(json_t *object, const char *key, bool value);
/* An error on its way between programs: {"error":{"kind","errno","message"}}, a new object. */
json_t *json_from_err(const struct err *err);
/* What such an object holds: -1 and *err; 0 when it has no "error". */
int json_take_err(const json_t *object, struct err *err);
/* A new JSON string from any bytes, invalid UTF-8 replaced. */
json_t *json_string_lossy(const char *data, size_t len);

#endif
