/* Points in time as --since and --until take them. */
#ifndef KEG_CLI_TIMES_H
#define KEG_CLI_TIMES_H

#include "base/buf.h"
#include "base/err.h"

/* Adds "key=SECONDS[.NANOSECONDS]" to a URL; nothing for "". 0, or -1 (ERR_INVALID). */
int times_add(struct buf *url, const char *key, const char *value, struct err *err);

#endif
