/* What all log drivers do with a stream of bytes: whole lines go on as they come, and what stands after the last
 * newline waits for the rest of its line. */
#ifndef KEG_MONITOR_LOGCARRY_H
#define KEG_MONITOR_LOGCARRY_H

#include <stddef.h>

#include "base/buf.h"

enum log_stream { LOG_STDOUT, LOG_STDERR, LOG_STREAM_COUNT };

/* Records the lines from p on, and pieces of LOGLINE_PIECE_MAX bytes of longer ones; returns where the unfinished
 * line begins: less than LOGLINE_PIECE_MAX bytes before the end. */
typedef const char *logcarry_lines(void *arg, enum log_stream stream, const char *p, const char *end);

/* Takes `len` bytes more. `carry` (of at most LOGLINE_PIECE_MAX bytes) is the stream's own. */
void logcarry_write(struct buf *carry, logcarry_lines *lines, void *arg, enum log_stream stream,
                    const char *data, size_t len);

#endif
