/* Docker's filters: {"label":["a=b"],"status":{"running":true}} from a query string, asked key by key. */
#ifndef KEG_ENGINE_FILTERS_H
#define KEG_ENGINE_FILTERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Checks the shape (an object of arrays of strings, or of objects of booleans) and that every key is one of
 * `allowed` (NULL-terminated; NULL: any). ERR_INVALID: "invalid filter 'x'". filters NULL is no filter. */
int filters_check(const json_t *filters, const char *const *allowed, struct err *err);
/* True when there is at least one value under key; {"x":false} is one that nothing equals. */
bool filters_has(const json_t *filters, const char *key);
/* The n-th value under key, NULL behind the last. Borrowed from filters. */
const char *filters_value(const json_t *filters, const char *key, size_t n);
/* True when key is absent, or one of its values equals value. */
bool filters_match_exact(const json_t *filters, const char *key, const char *value);
/* True when key is absent, or value contains one of its values, or matches one as an extended regular
 * expression. */
bool filters_match_text(const json_t *filters, const char *key, const char *value);
/* True when key is absent or every value of it ("name" or "name=value") is met by labels (an object or NULL).
 */
bool filters_match_labels(const json_t *filters, const char *key, const json_t *labels);
/* A boolean filter ("dangling"), 1, true, 0 or false: absent gives `otherwise`. ERR_INVALID, also for both:
 * "invalid filter 'dangling=[x]'". */
int filters_bool(const json_t *filters, const char *key, bool otherwise, bool *ret, struct err *err);
/* A moment, or a duration before now ("until"), once at most: *has is false when absent. ERR_INVALID in Docker's words. */
int filters_time(const json_t *filters, const char *key, bool *has, int64_t *ret, struct err *err);

#endif
