/* The text of one record of Docker's json-file log: JSON escapes and time stamps, made in place and fast.
 *
 *     {"log":"text\n","stream":"stdout","attrs":{…},"time":"2026-01-02T03:04:05.678901234Z"}
 *
 * Escapes are those of Docker's own encoder: \" \\ \n \r, \u00XX for other control characters and for < > &,
 * \u2028 and \u2029, and \ufffd for each byte that is no UTF-8. Everything else stands as it is. */
#ifndef KEG_MONITOR_LOGLINE_H
#define KEG_MONITOR_LOGLINE_H

#include <stddef.h>
#include <stdint.h>

enum {
    LOGLINE_PIECE_MAX =
        16384, /* longer lines are recorded in pieces of this size, all but the last without \n */
    LOGLINE_ESCAPED_MAX = 6 * LOGLINE_PIECE_MAX + 16,
    LOGLINE_STAMP_SIZE = 32,
};

/* Copies *in, escaped, to `out` up to the first newline (not copied) or `end`, and moves *in there. Needs
 * room for six bytes an input byte, and 16 more. Returns the end of the output. */
char *logline_copy(char *out, const char **in, const char *end);
/* The largest length ≤ n at which p can be cut without cutting a UTF-8 character. */
size_t logline_cut(const char *p, size_t n);

/* A clock's reading as text, RFC 3339 with nanoseconds, that can be stepped on cheaply. */
struct logline_stamp {
    int64_t ns;
    size_t len;
    char text[LOGLINE_STAMP_SIZE]; /* "2026-01-02T03:04:05.678901234Z", trailing zeros of the fraction dropped
                                    */
    char digits[9];
};

/* Sets it to the time `ns`, but never back by less than a second: records keep their order. */
void logline_stamp_set(struct logline_stamp *s, int64_t ns);
/* One nanosecond on. */
void logline_stamp_step(struct logline_stamp *s);

#endif
