/* One line of a json-file log. */
#ifndef KEG_ENGINE_LOGLINE_H
#define KEG_ENGINE_LOGLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Pieces of the line it was found in. */
struct log_line {
    const char *text; /* still escaped */
    size_t text_len;
    bool to_stderr;
    const char *time; /* RFC 3339, not terminated */
    size_t time_len;
    const char *attrs; /* a JSON object; NULL: none */
    size_t attrs_len;
};

/* Takes a line (without its newline) apart. False for one that is none of ours. */
bool log_line_split(const char *line, size_t len, struct log_line *ret);
/* Appends the text, unescaped. */
void log_line_append_text(const struct log_line *l, struct buf *out);
/* Appends the time with all nine digits of its fraction, and a space. */
void log_line_append_time(const struct log_line *l, struct buf *out);
/* ns since 1970; 0 when it can't be read. */
int64_t log_line_time(const struct log_line *l);

#endif
