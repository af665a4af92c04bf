/* What a client gets of a log: the entries that it asked for, in its form. One entry:
 *
 *     if (log_output_begin(o, to_stderr, time)) {
 *         … append time, attributes and text to o->buf …
 *         log_output_end(o);
 *     } */
#ifndef KEG_ENGINE_LOG_OUTPUT_H
#define KEG_ENGINE_LOG_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "engine/engine.h"

struct log_output {
    const struct engine_logs_options *wanted;
    const struct engine_sink *sink;
    struct err *err;
    bool framed;    /* Docker's 8-byte header before each entry */
    bool over;      /* `until` was passed: nothing more will be taken */
    bool with_time; /* log_output_begin() looks at the time */
    struct buf buf;
    size_t start;   /* of the entry that was begun */
    int64_t second; /* of second_text */
    char second_text[CLOCK_TEXT_SIZE];
};

void log_output_init(struct log_output *o, const struct engine_logs_options *wanted, bool framed,
                     const struct engine_sink *sink, struct err *err);
void log_output_finish(struct log_output *o);
/* False when this entry isn't wanted. */
bool log_output_begin(struct log_output *o, bool to_stderr, int64_t time);
/* The time with all nine digits of its fraction, and a space. */
void log_output_time(struct log_output *o, int64_t time);
/* Attributes (a JSON object) as "a=1,b=2", sorted and escaped as in a URL, and a space. NULL: only the space. */
void log_output_attrs(struct log_output *o, const char *json, size_t len);
void log_output_end(struct log_output *o);
/* Sends what has gathered; log_output_end() leaves that to the caller: due() says when it is time. -1: ERR_CANCELLED. */
bool log_output_due(const struct log_output *o);
int log_output_flush(struct log_output *o);

#endif
