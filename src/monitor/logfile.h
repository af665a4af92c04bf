/* A container's log in Docker's json-file format, with rotation.
 *
 * Every line becomes one record (see monitor/logline.h), stamped with the time it came; a line of more than
 * LOGLINE_PIECE_MAX bytes becomes several, which carry the time of the first and of which only the last ends
 * in \n. A piece is never cut inside a UTF-8 character. What stands after the last newline waits for the rest
 * of its line.
 *
 * The files are a row, see monitor/logchain.h. Records that can't be written (disk full) are dropped; a file never
 * holds half a record. */
#ifndef KEG_MONITOR_LOGFILE_H
#define KEG_MONITOR_LOGFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "monitor/logcarry.h"
#include "monitor/logchain.h"

struct logfile_options {
    struct logchain_options files;
    const char *attrs; /* text of a JSON object, or NULL */
};

struct logfile;

/* NULL and *err on failure. */
struct logfile *logfile_open(const struct logfile_options *options, struct err *err);
/* Frees it; unfinished lines are recorded. */
struct logfile *logfile_close(struct logfile *l);
DEFINE_CLEANUP_PTR(struct logfile, logfile_close)

/* Records output that came at the time `now` (ns). Uses scratch_output(). */
void logfile_write(struct logfile *l, enum log_stream stream, const char *data, size_t len, int64_t now);
/* The stream has ended: its unfinished line is recorded, without \n. */
void logfile_finish(struct logfile *l, enum log_stream stream, int64_t now);

#endif
