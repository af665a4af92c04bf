/* JSON as programs write it, read several times as fast as jansson does. For src/base/json.c. */
#ifndef KEG_BASE_JSON_PLAIN_H
#define KEG_BASE_JSON_PLAIN_H

#include <jansson.h>
#include <stddef.h>

/* The same as json_loadb(text, len, flags) makes of an array or an object of at most JSON_DEPTH_MAX levels. NULL for what is
 * wrong, deeper, or unusual (keys with escapes or beyond ASCII): json_loadb() then decides, and says why. */
json_t *json_plain(const char *text, size_t len, size_t flags);

#endif
