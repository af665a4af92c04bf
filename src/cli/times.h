/* Points in time as --since and --until take them. */
#ifndef KEG_CLI_TIMES_H
#define KEG_CLI_TIMES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* Adds "key=SECONDS[.NANOSECONDS]" to a URL; nothing for "". 0, or -1 (ERR_INVALID), with the key before the reason when
 * `named`. */
int times_add(struct buf *url, const char *key, const char *value, bool named, struct err *err);

#endif
