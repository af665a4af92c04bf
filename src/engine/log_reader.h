/* Reading a log back: log_reader.c walks over its files and follows; a format takes entries out of a file. To add one: a
 * struct log_format, and its row in logs.c. */
#ifndef KEG_ENGINE_LOG_READER_H
#define KEG_ENGINE_LOG_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/engine.h"
#include "engine/log_files.h"
#include "engine/log_output.h"

struct log_format;
extern const struct log_format log_format_json, log_format_local;

struct log_reader_options {
    const struct log_format *format;
    const char *path; /* the newest file */
    bool framed;      /* Docker's 8-byte header before each line */
    struct engine_logs_options logs;
    int end_fd; /* follow: becomes readable when nothing more is written; -1 with follow: it is so already */
};
/* e serves waiting only; NULL where follow is false. */
int log_read(struct engine *e, const struct log_reader_options *o, const struct engine_sink *sink,
             struct err *err);

/* ---- for formats ---- */

struct log_reader {
    struct engine *e;
    const struct log_reader_options *o;
    const struct engine_sink *sink;
    struct err *err;
    struct log_files files;
    struct log_output out;
    void *state; /* the format's */
};

struct log_format {
    void *(*begin)(struct log_reader *r); /* before the files are opened */
    void (*end)(void *state);
    /* Positions the files (at) so that reading them gives the last `lines` entries. 0 or -1. */
    int (*seek_tail)(struct log_reader *r, int64_t lines);
    /* Reads list[n] up to its present end; `whole`: it doesn't grow any more. 0 or -1. */
    int (*read)(struct log_reader *r, size_t n, bool whole);
    /* What isn't in the files yet. 1: they have got more since; 0 or -1. NULL: nothing ever. */
    int (*read_rest)(struct log_reader *r);
};

#endif
