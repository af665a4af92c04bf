/* Output as records, for drivers that take lines one by one: each with its time, and a line of more than
 * LOGLINE_PIECE_MAX bytes in pieces that carry the time of the first. A piece is never cut inside a UTF-8 character. */
#ifndef KEG_MONITOR_LOGSPLIT_H
#define KEG_MONITOR_LOGSPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/logcarry.h"
#include "monitor/logline.h"

struct logsplit_record {
    enum log_stream stream;
    const char *text; /* without the newline */
    size_t len;
    int64_t time;     /* ns; grows from record to record */
    uint32_t ordinal; /* of a piece, from 1; 0: a whole line */
    bool last;        /* of a piece: the newline followed */
};

typedef void logsplit_add(void *arg, const struct logsplit_record *r);

struct logsplit_stream {
    struct buf carry;
    uint32_t ordinal; /* pieces recorded of the unfinished line */
    int64_t time;     /* theirs */
};

struct logsplit {
    logsplit_add *add;
    void *arg;
    struct logline_stamp stamp;
    struct logsplit_stream streams[LOG_STREAM_COUNT];
};

void logsplit_init(struct logsplit *s, logsplit_add *add, void *arg);
void logsplit_end(struct logsplit *s);
/* Output that came at the time `now`. */
void logsplit_write(struct logsplit *s, enum log_stream stream, const char *data, size_t len, int64_t now);
/* There is an unfinished line. */
bool logsplit_is_open(const struct logsplit *s, enum log_stream stream);
/* The stream has ended: its unfinished line is a piece that no newline follows. */
void logsplit_finish(struct logsplit *s, enum log_stream stream, int64_t now);

#endif
