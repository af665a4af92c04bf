/* The json-file log. Records are gathered in the shared output buffer and go out in one write() a call, or as
 * soon as the buffer is full or the file is to be rotated. */
#include "monitor/logfile.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "monitor/logcarry.h"
#include "monitor/logchain.h"
#include "monitor/logger.h"
#include "monitor/logline.h"
#include "monitor/scratch.h"

#define RECORD_HEAD "{\"log\":\""
#define RECORD_TAIL "\"}\n"

enum { ATTRS_MAX = 64 * 1024 };

struct stream {
    char *middle; /* from the end of the text to the time */
    size_t middle_len;
    struct buf carry;           /* the line that isn't finished */
    bool partial;               /* its beginning is recorded already … */
    struct logline_stamp stamp; /* … with this time */
};

struct logfile {
    struct logchain *files;
    size_t record_max; /* no record needs more room */
    size_t pending;    /* bytes in scratch_output() */
    struct logline_stamp stamp;
    struct stream streams[LOG_STREAM_COUNT];
};

struct logfile *logfile_open(const struct logfile_options *options, struct err *err)
{
    static const char *const names[] = {[LOG_STDOUT] = "stdout", [LOG_STDERR] = "stderr"};
    _cleanup_(logfile_close_p) struct logfile *l = xcalloc(1, sizeof(*l));
    const char *attrs = options->attrs && strcmp(options->attrs, "{}") != 0 ? options->attrs : NULL;

    if (attrs && strlen(attrs) > ATTRS_MAX) {
        err_set(err, ERR_INVALID, "log attributes are larger than %d bytes", ATTRS_MAX);
        return NULL;
    }
    for (int i = 0; i < LOG_STREAM_COUNT; i++) {
        struct stream *s = &l->streams[i];

        s->carry = (struct buf)BUF_INIT(LOGLINE_PIECE_MAX);
        s->middle = xasprintf("\",\"stream\":\"%s\"%s%s,\"time\":\"", names[i], attrs ? ",\"attrs\":" : "",
                              attrs ? attrs : "");
        s->middle_len = strlen(s->middle);
    }
    l->record_max = sizeof(RECORD_HEAD) + LOGLINE_ESCAPED_MAX + l->streams[LOG_STDERR].middle_len + 2 +
                    LOGLINE_STAMP_SIZE + sizeof(RECORD_TAIL);
    l->files = logchain_open(&options->files, err);
    return l->files ? take_ptr(&l) : NULL;
}

struct logfile *logfile_close(struct logfile *l)
{
    if (!l)
        return NULL;
    for (int i = 0; i < LOG_STREAM_COUNT; i++) {
        if (l->streams[i].carry.len)
            logfile_finish(l, (enum log_stream)i, l->stamp.ns + 1);
        buf_finish(&l->streams[i].carry);
        free(l->streams[i].middle);
    }
    logchain_close(l->files);
    free(l);
    return NULL;
}

/* Writes what is pending. */
static void logfile_flush(struct logfile *l)
{
    if (l->pending)
        logchain_append(l->files, scratch_output(), l->pending);
    l->pending = 0;
}

/* Where the next record goes, with room for it. */
static char *record_begin(struct logfile *l)
{
    char *out;

    if (logchain_is_full(l->files, l->pending)) {
        logfile_flush(l);
        if (logchain_is_full(l->files, 0)) /* otherwise nothing could be written */
            logchain_rotate(l->files);
    }
    if (l->pending + l->record_max > SCRATCH_OUTPUT_SIZE)
        logfile_flush(l);
    out = scratch_output() + l->pending;
    memcpy(out, RECORD_HEAD, sizeof(RECORD_HEAD) - 1);
    return out + sizeof(RECORD_HEAD) - 1;
}

/* Completes the record whose escaped text ends at `out`. */
static void record_end(struct logfile *l, struct stream *s, char *out, bool newline)
{
    const struct logline_stamp *stamp = s->partial ? &s->stamp : &l->stamp;

    if (!newline && !s->partial)
        s->stamp = l->stamp;
    if (newline) {
        *out++ = '\\';
        *out++ = 'n';
    }
    memcpy(out, s->middle, s->middle_len);
    out += s->middle_len;
    memcpy(out, stamp->text, LOGLINE_STAMP_SIZE);
    out += stamp->len;
    memcpy(out, RECORD_TAIL, sizeof(RECORD_TAIL) - 1);
    out += sizeof(RECORD_TAIL) - 1;
    l->pending = (size_t)(out - scratch_output());
    if (!s->partial)
        logline_stamp_step(&l->stamp);
    s->partial = !newline;
}

/* Records the lines and full pieces of data; returns where the unfinished line begins. */
static const char *record_lines(void *arg, enum log_stream stream, const char *p, const char *end)
{
    struct logfile *l = arg;
    struct stream *s = &l->streams[stream];

    while (p < end) {
        bool full = end - p >= LOGLINE_PIECE_MAX;
        const char *limit = full ? p + logline_cut(p, LOGLINE_PIECE_MAX) : end;
        const char *q = p;
        char *out = logline_copy(record_begin(l), &q, limit);

        if (q == limit && !full)
            break;
        record_end(l, s, out, q < limit);
        p = q < limit ? q + 1 : q;
    }
    return p;
}

void logfile_write(struct logfile *l, enum log_stream stream, const char *data, size_t len, int64_t now)
{
    logline_stamp_set(&l->stamp, now);
    logcarry_write(&l->streams[stream].carry, record_lines, l, stream, data, len);
    logfile_flush(l);
}

void logfile_finish(struct logfile *l, enum log_stream stream, int64_t now)
{
    struct stream *s = &l->streams[stream];
    const char *p = s->carry.data;

    if (s->carry.len == 0)
        return;
    logline_stamp_set(&l->stamp, now);
    record_end(l, s, logline_copy(record_begin(l), &p, p + s->carry.len), /* newline= */ false);
    s->partial = false;
    buf_finish(&s->carry);
    logfile_flush(l);
}

/* --- the driver --- */

static void *json_file_open(_unused_ struct logger *log, _unused_ struct loop *loop, const json_t *options,
                            struct err *err)
{
    const json_t *attrs = json_object_get(options, "attrs");
    _cleanup_free_ char *text = json_object_size(attrs) ? json_text(attrs) : NULL;
    struct logfile_options o = {.attrs = text};

    return logger_read_files(options, &o.files, err) < 0 ? NULL : logfile_open(&o, err);
}

static void json_file_write(void *driver, enum log_stream stream, const char *data, size_t len, int64_t now)
{
    logfile_write(driver, stream, data, len, now);
}

static void json_file_finish(void *driver, enum log_stream stream, int64_t now)
{
    logfile_finish(driver, stream, now);
}

static void json_file_close(void *driver)
{
    logfile_close(driver);
}

const struct log_driver log_driver_json_file = {
    .name = "json-file",
    .open = json_file_open,
    .write = json_file_write,
    .finish = json_file_finish,
    .close = json_file_close,
};
