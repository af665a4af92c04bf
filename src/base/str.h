/* Strings, lists of strings, and strict number parsing. */
#ifndef KEG_BASE_STR_H
#define KEG_BASE_STR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

static inline bool str_eq(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}
static inline bool str_empty(const char *s)
{
    return !s || !*s;
}
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* The rest of s behind prefix, or NULL if s doesn't start with it. */
const char *str_after(const char *s, const char *prefix);

/* A NULL-terminated vector of strings (`char **`), each on the heap; NULL is the empty vector. */
void strv_free(char **v);
void strv_free_p(char ***v);
#define _cleanup_strv_ _cleanup_(strv_free_p)
size_t strv_len(char *const *v);
/* Appends a copy of s; *v may be NULL. */
void strv_push(char ***v, const char *s);
/* Appends s itself, which the vector then owns. */
void strv_push_take(char ***v, char *s);
bool strv_contains(char *const *v, const char *s);
/* Splits at every `separator`; empty parts are kept. "" gives one empty part. */
char **strv_split(const char *s, char separator);
/* Parts joined by `separator`, the caller's to free. */
char *strv_join(char *const *v, const char *separator);

/* Strict decimal: digits only, no sign, no blanks, no leading '+', whole string. 0, -EINVAL or -ERANGE. */
int str_to_u64(const char *s, uint64_t *ret);
int str_to_u32(const char *s, uint32_t *ret);
/* As above with an optional leading '-'. */
int str_to_i64(const char *s, int64_t *ret);
/* "64m", "1.5GiB", "1024", "2kb": binary multiples as docker's units.RAMInBytes. 0, -EINVAL or -ERANGE. */
int str_to_bytes(const char *s, int64_t *ret);
/* True for 1, t, T, TRUE, true, True; *ret false for the counterparts; -EINVAL otherwise (Go's ParseBool). */
int str_to_bool(const char *s, bool *ret);

/* lower-case hexadecimal of n bytes into out[2n+1]. */
void hex_encode(const void *data, size_t n, char *out);
/* n random bytes from the kernel as 2n hexadecimal characters into out[2n+1]. */
void random_hex(char *out, size_t n);

#endif
