/* The json-file format: a line an entry,
 *     {"log":"text\n","stream":"stdout","attrs":{…},"time":"2026-01-02T03:04:05.678901234Z"}
 * Lines are in the order of their times, so the first that `since` wants is found by halving. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/log_reader.h"
#include "engine/logline.h"

enum {
    BLOCK = 256 * 1024,
    LINE_MAX_BYTES = 16 * 1024 * 1024, /* of one line of the file */
    HALVE_ABOVE = 1024 * 1024,
};

struct json_state {
    struct buf in;
};

static void *json_begin(_unused_ struct log_reader *r)
{
    struct json_state *s = xcalloc(1, sizeof(*s));
    s->in = (struct buf)BUF_INIT(LINE_MAX_BYTES);
    return s;
}

static void json_end(void *state)
{
    struct json_state *s = state;
    buf_finish(&s->in);
    free(s);
}

/* ---- tail ---- */

/* Where the last *lines lines of fd begin; *lines is what is still missing, 0 when all were found. */
static off_t seek_lines(int fd, int64_t *lines, char *block)
{
    off_t at = lseek(fd, 0, SEEK_END);
    int64_t missing = *lines;
    bool ended = false; /* the newline that ends the last line was found; what follows it isn't a line yet */
    while (at > 0) {
        size_t len = (size_t)MIN_OF(at, (off_t)BLOCK);
        ssize_t n = pread(fd, block, len, at - (off_t)len);
        if (n <= 0)
            break;
        const char *p = block + n;
        while ((p = memrchr(block, '\n', (size_t)(p - block)))) {
            off_t position = at - (off_t)len + (p - block);
            if (!ended) {
                ended = true;
                continue;
            }
            if (--missing == 0) {
                *lines = 0;
                return position + 1;
            }
        }
        at -= (off_t)len;
    }
    *lines = ended ? missing - 1 : missing;
    return 0;
}

static int json_seek_tail(struct log_reader *r, int64_t lines)
{
    _cleanup_free_ char *block = xmalloc(BLOCK);
    for (size_t i = 0; i < r->files.count; i++) {
        struct log_file *file = &r->files.list[i];
        if (lines > 0 && log_file_prepare(&r->files, file, r->err) < 0)
            return -1;
        if (lines > 0)
            file->at = seek_lines(file->fd, &lines, block);
        else if (file->gzip) /* nothing of it is wanted: it needn't be decompressed */
            file->gzip = false, file->at = INT64_MAX;
        else
            file->at = lseek(file->fd, 0, SEEK_END);
    }
    return 0;
}

/* ---- since ---- */

/* The first whole line behind an offset: its beginning and its time. False when there is none. */
static bool line_behind(int fd, off_t at, char *block, off_t *ret_begin, int64_t *ret_time)
{
    ssize_t n = pread(fd, block, BLOCK, at);
    const char *begin = n > 0 ? memchr(block, '\n', (size_t)n) : NULL;
    const char *end = begin ? memchr(begin + 1, '\n', (size_t)(block + n - begin - 1)) : NULL;
    struct log_line l;
    if (!end || !log_line_split(begin + 1, (size_t)(end - begin - 1), &l))
        return false;
    *ret_begin = at + (begin + 1 - block);
    *ret_time = log_line_time(&l);
    return true;
}

/* Goes on to an offset from which on not much is before `since`. */
static void seek_since(struct log_reader *r, struct log_file *file)
{
    off_t low = file->at, high = lseek(file->fd, 0, SEEK_END), begin;
    int64_t time, since = r->o->logs.since;
    if (!since || high - low < HALVE_ABOVE)
        return;
    _cleanup_free_ char *block = xmalloc(BLOCK);
    while (high - low > BLOCK) {
        off_t middle = low + (high - low) / 2;
        if (!line_behind(file->fd, middle, block, &begin, &time))
            break;
        if (time < since)
            low = begin;
        else
            high = middle;
    }
    file->at = low;
}

/* ---- entries ---- */

static void emit(struct log_reader *r, const struct log_line *l)
{
    struct log_output *out = &r->out;
    if (!log_output_begin(out, l->to_stderr, out->with_time ? log_line_time(l) : 0))
        return;
    if (out->wanted->timestamps)
        log_line_append_time(l, &out->buf);
    if (out->wanted->details)
        log_output_attrs(out, l->attrs, l->attrs_len);
    log_line_append_text(l, &out->buf);
    log_output_end(out);
}

/* Another order of members, or others: by the JSON parser. Lines that are no JSON at all are passed over. */
static void emit_odd(struct log_reader *r, const char *line, size_t len)
{
    _cleanup_json_ json_t *json = json_loadb(line, len, 0, NULL);
    const json_t *log = json_object_get(json, "log");
    _cleanup_free_ char *text = json_is_string(log) ? json_dumps(log, JSON_ENCODE_ANY) : NULL;
    _cleanup_free_ char *attrs =
        json_object_get(json, "attrs") ? json_text(json_object_get(json, "attrs")) : NULL;
    const char *time = json_str_or(json, "time", "");
    if (!text)
        return;
    const struct log_line l = {
        .text = text + 1,
        .text_len = strlen(text) - 2,
        .to_stderr = str_eq(json_str(json, "stream"), "stderr"),
        .time = time,
        .time_len = strlen(time),
        .attrs = attrs,
        .attrs_len = attrs ? strlen(attrs) : 0,
    };
    emit(r, &l);
}

/* Handles every complete line of the input buffer. */
static int emit_lines(struct log_reader *r, struct buf *in)
{
    const char *p = in->data, *end = p + in->len, *newline;
    while (p < end && !r->out.over && (newline = memchr(p, '\n', (size_t)(end - p)))) {
        struct log_line l;
        if (log_line_split(p, (size_t)(newline - p), &l))
            emit(r, &l);
        else
            emit_odd(r, p, (size_t)(newline - p));
        p = newline + 1;
        if (log_output_due(&r->out) && log_output_flush(&r->out) < 0)
            return -1;
    }
    buf_consume(in, (size_t)(p - in->data));
    return 0;
}

static int json_read(struct log_reader *r, size_t n, bool whole)
{
    struct log_file *file = &r->files.list[n];
    struct buf *in = &((struct json_state *)r->state)->in;
    if (file->at == 0 || n > 0)
        seek_since(r, file);
    if (file->at == INT64_MAX)
        return 0;
    lseek(file->fd, file->at + (off_t)in->len, SEEK_SET);
    while (!r->out.over) {
        ssize_t got = buf_read_fd(in, file->fd, BLOCK);
        size_t before = in->len;
        if (got == -E2BIG) {
            file->at += (off_t)in->len; /* no line of ours is that long */
            buf_reset(in);
            continue;
        }
        if (got < 0)
            return err_errno(r->err, (int)got, "read %s", r->o->path);
        if (got == 0)
            break;
        if (emit_lines(r, in) < 0)
            return -1;
        file->at += (off_t)(before - in->len);
    }
    if (whole)
        buf_reset(in); /* a line that was never finished */
    return 0;
}

const struct log_format log_format_json = {
    .begin = json_begin,
    .end = json_end,
    .seek_tail = json_seek_tail,
    .read = json_read,
};
