/* The json-file log. Records are gathered in the shared output buffer and go out in one write() a call, or as
 * soon as the buffer is full or the file is to be rotated. */
#include "monitor/logfile.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
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
    int fd;
    char *path;
    int64_t size, max_size;
    unsigned max_file;
    size_t record_max; /* no record needs more room */
    size_t pending;    /* bytes in scratch_output() */
    struct logline_stamp stamp;
    struct stream streams[LOG_STREAM_COUNT];
};

/* Opens the file under its name; after a failure the old one stays in use. */
static int logfile_reopen(struct logfile *l, int flags)
{
    _cleanup_close_ int fd =
        open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags, 0640);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    close_fd(&l->fd);
    l->fd = take_fd(&fd);
    l->size = st.st_size;
    return 0;
}

struct logfile *logfile_open(const struct logfile_options *options, struct err *err)
{
    static const char *const names[] = {[LOG_STDOUT] = "stdout", [LOG_STDERR] = "stderr"};
    _cleanup_(logfile_close_p) struct logfile *l = xcalloc(1, sizeof(*l));
    const char *attrs = options->attrs && strcmp(options->attrs, "{}") != 0 ? options->attrs : NULL;
    int r;

    l->fd = -EBADF;
    if (attrs && strlen(attrs) > ATTRS_MAX) {
        err_set(err, ERR_INVALID, "log attributes are larger than %d bytes", ATTRS_MAX);
        return NULL;
    }
    l->path = xstrdup(options->path);
    l->max_size = options->max_size;
    l->max_file = options->max_file ? options->max_file : 1;
    for (int i = 0; i < LOG_STREAM_COUNT; i++) {
        struct stream *s = &l->streams[i];

        s->carry = (struct buf)BUF_INIT(LOGLINE_PIECE_MAX);
        s->middle = xasprintf("\",\"stream\":\"%s\"%s%s,\"time\":\"", names[i], attrs ? ",\"attrs\":" : "",
                              attrs ? attrs : "");
        s->middle_len = strlen(s->middle);
    }
    l->record_max = sizeof(RECORD_HEAD) + LOGLINE_ESCAPED_MAX + l->streams[LOG_STDERR].middle_len + 2 +
                    LOGLINE_STAMP_SIZE + sizeof(RECORD_TAIL);
    r = logfile_reopen(l, 0);
    if (r < 0) {
        err_errno(err, r, "open log %s", l->path);
        return NULL;
    }
    return take_ptr(&l);
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
    close_fd(&l->fd);
    free(l->path);
    free(l);
    return NULL;
}

/* Writes what is pending. When that fails the file is cut back to its last whole record. */
static void logfile_flush(struct logfile *l)
{
    int r = l->pending ? fd_write_full(l->fd, scratch_output(), l->pending) : 0;

    if (r == 0)
        l->size += (int64_t)l->pending;
    else
        (void)!ftruncate(l->fd, l->size);
    l->pending = 0;
}

/* path.2 → path.3, path.1 → path.2, path → path.1; the last one goes. */
static void logfile_rotate(struct logfile *l)
{
    for (unsigned i = l->max_file - 1; i > 0; i--) {
        _cleanup_free_ char *to = xasprintf("%s.%u", l->path, i);
        _cleanup_free_ char *from = i > 1 ? xasprintf("%s.%u", l->path, i - 1) : xstrdup(l->path);

        (void)rename(from, to); /* a gap in the row is no error */
    }
    if (logfile_reopen(l, O_TRUNC) < 0)
        l->size = 0; /* the old file goes on; tried again when it has grown as much once more */
}

/* Where the next record goes, with room for it. */
static char *record_begin(struct logfile *l)
{
    char *out;

    if (l->max_size > 0 && l->size + (int64_t)l->pending >= l->max_size) {
        logfile_flush(l);
        if (l->size >= l->max_size)
            logfile_rotate(l);
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
static const char *record_lines(struct logfile *l, struct stream *s, const char *p, const char *end)
{
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

/* Completes the unfinished line from data; returns where the next line begins. */
static const char *complete_carry(struct logfile *l, struct stream *s, const char *data, const char *end)
{
    while (s->carry.len && data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t take = newline ? (size_t)(newline + 1 - data) : (size_t)(end - data);
        const char *rest;

        take = MIN_OF(take, LOGLINE_PIECE_MAX - s->carry.len);
        buf_append(&s->carry, data, take);
        data += take;
        rest = record_lines(l, s, s->carry.data, s->carry.data + s->carry.len);
        buf_consume(&s->carry, (size_t)(rest - s->carry.data));
    }
    return data;
}

void logfile_write(struct logfile *l, enum log_stream stream, const char *data, size_t len, int64_t now)
{
    struct stream *s = &l->streams[stream];
    const char *end = data + len;

    logline_stamp_set(&l->stamp, now);
    data = complete_carry(l, s, data, end);
    data = record_lines(l, s, data, end);
    logfile_flush(l);
    if (s->carry.len == 0)
        buf_finish(&s->carry);
    if (data < end)
        buf_append(&s->carry, data, (size_t)(end - data));
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
