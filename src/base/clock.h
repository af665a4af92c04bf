/* Time: nanoseconds since 1970 (UTC) in an int64_t, and its RFC 3339 text. */
#ifndef KEG_BASE_CLOCK_H
#define KEG_BASE_CLOCK_H

#include <stdint.h>

#include "base/cleanup.h"

enum { CLOCK_TEXT_SIZE = 40 };
#define CLOCK_NS_PER_S  1000000000LL
#define CLOCK_ZERO_TEXT "0001-01-01T00:00:00Z" /* Go's zero time: "never" in Docker's JSON */

/* Wall clock, ns. */
int64_t clock_now(void);
/* CLOCK_MONOTONIC, ns: for durations and deadlines. */
int64_t clock_monotonic(void);
/* RFC 3339 with nanoseconds, trailing zeros dropped as Go's RFC3339Nano does; 0 gives CLOCK_ZERO_TEXT. */
void clock_format(int64_t ns, char out[CLOCK_TEXT_SIZE]);
/* RFC 3339 with any fraction and zone. CLOCK_ZERO_TEXT gives 0. 0 or -EINVAL. */
int clock_parse(const char *text, int64_t *ret_ns);
/* What docker's since/until take: RFC 3339, "2006-01-02", "2006-01-02T15[:04[:05]]", unix seconds with an optional
 * fraction ("1136073600.000000001"), or a Go duration before `now` ("10m", "1h30m"). 0 or -EINVAL. */
int clock_parse_since(const char *text, int64_t now, int64_t *ret_ns);
/* A Go duration ("1m30s", "250ms", "-1h"). 0 or -EINVAL. */
int clock_parse_duration(const char *text, int64_t *ret_ns);

#endif
