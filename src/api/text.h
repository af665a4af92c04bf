/* The small languages of HTTP and of Docker's API: booleans, versions, base64url, route patterns. Pure
 * functions. */
#ifndef KEG_API_TEXT_H
#define KEG_API_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* False for NULL, "", "0", "no", "false", "none" (any case, blanks around), true for everything else. */
bool text_is_true(const char *value);

/* "1.41" → 1041, "1" and "1." → 1000: comparable; parts behind the second don't count, and no part is more than 999.
 * 0, or -EINVAL for what has more than digits and dots. */
int text_parse_version(const char *text, size_t len, unsigned *ret);
/* Splits "/v1.41/info" into version 1041 and "/info". A path without a version leaves *version alone and is
 * returned as it is, as is one whose first part only looks like a version ("/volumes"). */
const char *text_split_version(const char *url, unsigned *version);

/* A path without empty parts, "." and ".."; its last slash stays. NULL when it has none of them; the caller frees. */
char *text_clean_path(const char *path);

/* Matches a path against a pattern with at most one wildcard: "{id}" stands for one part of a path, "{name*}"
 * for one or more ("library/busybox"). On a match *start and *len are the wildcard's text (length 0: the
 * pattern has none). */
bool text_match(const char *pattern, const char *path, const char **start, size_t *len);

/* Decodes base64, with the URL's alphabet or the ordinary one, padding optional. 0 or -EINVAL, -E2BIG. */
int text_base64url_decode(const char *text, struct buf *ret);

#endif
