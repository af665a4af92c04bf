/* A container's log in Docker's json-file format, with rotation.
 *
 * Every line becomes one record (see monitor/logline.h), stamped with the time it came; a line of more than
 * LOGLINE_PIECE_MAX bytes becomes several, which carry the time of the first and of which only the last ends
 * in \n. A piece is never cut inside a UTF-8 character. What stands after the last newline waits for the rest
 * of its line.
 *
 * With max_size a file that has reached it is moved before the next record: path.1 … path.(max_file - 1) hold
 * the older ones; with max_file 1 the file starts again empty. Records that can't be written (disk full) are
 * dropped; the file never holds half a record. */
#ifndef KEG_MONITOR_LOGFILE_H
#define KEG_MONITOR_LOGFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum log_stream { LOG_STDOUT, LOG_STDERR, LOG_STREAM_COUNT };

struct logfile_options {
    const char *path;
    int64_t max_size;  /* bytes, 0: unlimited */
    unsigned max_file; /* 0 counts as 1 */
    const char *attrs; /* text of a JSON object, or NULL */
};

struct logfile;

/* Opens the file for appending, making it (0640) when it is missing. NULL and *err on failure. */
struct logfile *logfile_open(const struct logfile_options *options, struct err *err);
/* Frees it; unfinished lines are recorded. */
struct logfile *logfile_close(struct logfile *l);
DEFINE_CLEANUP_PTR(struct logfile, logfile_close)

/* Records output that came at the time `now` (ns). Uses scratch_output(). */
void logfile_write(struct logfile *l, enum log_stream stream, const char *data, size_t len, int64_t now);
/* The stream has ended: its unfinished line is recorded, without \n. */
void logfile_finish(struct logfile *l, enum log_stream stream, int64_t now);

#endif
