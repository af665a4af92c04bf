/* Lines and pieces. */
#include "monitor/logsplit.h"

#include <string.h>

void logsplit_init(struct logsplit *s, logsplit_add *add, void *arg)
{
    *s = (struct logsplit){.add = add, .arg = arg};
    for (int i = 0; i < LOG_STREAM_COUNT; i++)
        s->streams[i].carry = (struct buf)BUF_INIT(LOGLINE_PIECE_MAX);
}

void logsplit_end(struct logsplit *s)
{
    for (int i = 0; i < LOG_STREAM_COUNT; i++)
        buf_finish(&s->streams[i].carry);
}

static void add(struct logsplit *s, enum log_stream stream, const char *text, size_t len, bool newline)
{
    struct logsplit_stream *of = &s->streams[stream];
    struct logsplit_record r = {
        .stream = stream, .text = text, .len = len, .time = s->stamp.ns, .last = newline};

    if (of->ordinal)
        r.time = of->time;
    else
        s->stamp.ns++;
    if (!newline || of->ordinal) {
        of->time = r.time;
        r.ordinal = ++of->ordinal;
    }
    if (newline)
        of->ordinal = 0;
    s->add(s->arg, &r);
}

static const char *add_lines(void *arg, enum log_stream stream, const char *p, const char *end)
{
    struct logsplit *s = arg;

    while (p < end) {
        bool full = end - p >= LOGLINE_PIECE_MAX;
        size_t most = full ? logline_cut(p, LOGLINE_PIECE_MAX) : (size_t)(end - p);
        const char *newline = memchr(p, '\n', most);

        if (!newline && !full)
            break;
        add(s, stream, p, newline ? (size_t)(newline - p) : most, newline != NULL);
        p = newline ? newline + 1 : p + most;
    }
    return p;
}

void logsplit_write(struct logsplit *s, enum log_stream stream, const char *data, size_t len, int64_t now)
{
    logline_stamp_set(&s->stamp, now);
    logcarry_write(&s->streams[stream].carry, add_lines, s, stream, data, len);
}

bool logsplit_is_open(const struct logsplit *s, enum log_stream stream)
{
    return s->streams[stream].carry.len > 0;
}

void logsplit_finish(struct logsplit *s, enum log_stream stream, int64_t now)
{
    struct logsplit_stream *of = &s->streams[stream];

    if (!logsplit_is_open(s, stream))
        return;
    logline_stamp_set(&s->stamp, now);
    add(s, stream, of->carry.data, of->carry.len, /* newline= */ false);
    of->ordinal = 0;
    buf_finish(&of->carry);
}
