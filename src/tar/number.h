/* Numbers as tar headers spell them. */
#ifndef KEG_TAR_NUMBER_H
#define KEG_TAR_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* A header field: octal, padded with blanks or NULs (nothing at all is 0), or big-endian base 256 when the
 * highest bit is set. 0, -EINVAL or -ERANGE. */
int tar_number_parse(const char *field, size_t size, int64_t *ret);
/* The start of `text` as decimal; *ret_end is behind the last digit. 0, -EINVAL or -ERANGE. */
int tar_decimal_parse(const char *text, const char *end, int64_t *ret, const char **ret_end);
/* A pax time: seconds with an optional sign and fraction. Nanoseconds are 0 to 999,999,999, as in struct
 * timespec. */
int tar_time_parse(const char *text, size_t len, int64_t *ret_s, int32_t *ret_ns);

#endif
