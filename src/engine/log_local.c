/* The local format (base/logblock.h). Where we are is a number: blocks whose records were all seen are stepped over by
 * their headers, and a tail that took the place of another by one is joined without a gap. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/logblock.h"
#include "engine/log_reader.h"

enum { SEARCH = 64 * 1024 };

struct tail {
    int fd;
    ino_t inode;
    struct logblock_header header;
    uint64_t number; /* of the record at `at` */
    int64_t time;    /* of the one before */
    off_t at;
};

struct local_state {
    char *tail_path;
    struct tail tail;
    uint64_t next; /* the first record that wasn't seen */
    struct buf in, raw;
    char *attrs; /* of the tail's records */
    bool complained;
    ZSTD_DCtx *zstd;
};

/* ---- the tail ---- */

/* Opens the tail that there is now. False when there is none. */
static bool open_tail(const struct local_state *s, struct tail *ret)
{
    uint8_t bytes[LOGBLOCK_HEADER_SIZE];
    struct stat st;
    _cleanup_close_ int fd = open(s->tail_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct logblock_header h;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        pread(fd, bytes, sizeof(bytes), 0) != sizeof(bytes) || !logblock_get_header(bytes, &h) ||
        h.kind != LOGBLOCK_TAIL)
        return false;
    *ret = (struct tail){
        .inode = st.st_ino, .header = h, .number = h.first, .time = h.base, .at = sizeof(bytes)};
    ret->fd = take_fd(&fd);
    return true;
}

static bool tail_was_replaced(const struct local_state *s)
{
    struct stat st;
    return stat(s->tail_path, &st) == 0 && (s->tail.fd < 0 || st.st_ino != s->tail.inode);
}

static void *local_begin(struct log_reader *r)
{
    struct local_state *s = xcalloc(1, sizeof(*s));
    s->in = (struct buf)BUF_INIT(2 * LOGBLOCK_RAW_MAX);
    s->raw = (struct buf)BUF_INIT(LOGBLOCK_RAW_MAX);
    s->tail_path = xasprintf("%s.tail", r->o->path);
    s->tail.fd = -EBADF;
    open_tail(s, &s->tail); /* first: what it doesn't begin with is in the files then */
    return s;
}

static void local_end(void *state)
{
    struct local_state *s = state;
    close_fd(&s->tail.fd);
    ZSTD_freeDCtx(s->zstd);
    buf_finish(&s->in);
    buf_finish(&s->raw);
    free(s->attrs);
    free(s->tail_path);
    free(s);
}

/* ---- records ---- */

static void emit(struct log_reader *r, const struct logblock_record *record, const char *attrs,
                 size_t attrs_len)
{
    struct log_output *out = &r->out;
    if (!log_output_begin(out, record->flags & LOGBLOCK_STDERR, record->time))
        return;
    if (out->wanted->timestamps)
        log_output_time(out, record->time);
    if (out->wanted->details)
        log_output_attrs(out, attrs, attrs_len);
    buf_append(&out->buf, record->text, record->len);
    if (!(record->flags & LOGBLOCK_PARTIAL) || (record->flags & LOGBLOCK_LAST))
        buf_putc(&out->buf, '\n');
    log_output_end(out);
}

/* Emits what wasn't seen of the records from *number on. 0, -1, or -EBADMSG. */
static int emit_records(struct log_reader *r, struct logblock_walk *w, uint64_t *number)
{
    struct local_state *s = r->state;
    struct logblock_record record;
    int more = 1;
    while (!r->out.over && (more = logblock_next(w, &record)) > 0) {
        uint64_t n = (*number)++;
        if (n < s->next)
            continue;
        s->next = n + 1;
        emit(r, &record, w->attrs, w->attrs_len);
        if (log_output_due(&r->out) && log_output_flush(&r->out) < 0)
            return -1;
    }
    return more == -EBADMSG ? -EBADMSG : 0;
}

static void complain(struct log_reader *r)
{
    struct local_state *s = r->state;
    if (!s->complained)
        log_warn("log %s is damaged: some of its records are passed over", r->o->path);
    s->complained = true;
}

/* ---- blocks ---- */

/* The block's records, decompressed: NULL when it is damaged. */
static const char *block_payload(struct local_state *s, const struct logblock_header *h, const char *payload)
{
    if (h->method == LOGBLOCK_STORED)
        return logblock_check(payload, h->len) == h->check ? payload : NULL;
    buf_reset(&s->raw);
    char *raw = buf_reserve(&s->raw, h->raw_len + 1);
    if (!s->zstd)
        s->zstd = ZSTD_createDCtx();
    if (!raw || !s->zstd || ZSTD_decompressDCtx(s->zstd, raw, h->raw_len, payload, h->len) != h->raw_len)
        return NULL;
    return raw;
}

static int read_block(struct log_reader *r, const struct logblock_header *h, const char *payload)
{
    struct local_state *s = r->state;
    const char *raw = block_payload(s, h, payload);
    if (!raw) {
        complain(r);
        s->next = MAX_OF(s->next, h->first + h->records);
        return 0;
    }
    struct logblock_walk w = {.p = raw, .end = raw + h->raw_len, .time = h->base};
    uint64_t number = h->first;
    int result = emit_records(r, &w, &number);
    if (result == -EBADMSG)
        complain(r);
    return result == -1 ? -1 : 0;
}

/* Nothing of the block is wanted. */
static bool is_unwanted(const struct log_reader *r, const struct logblock_header *h)
{
    const struct local_state *s = r->state;
    return h->first + h->records <= s->next || h->last < r->o->logs.since;
}

/* Where the next header stands behind something damaged; -1 when there is none. */
static off_t find_block(int fd, off_t at)
{
    char block[SEARCH];
    for (;;) {
        ssize_t n = pread(fd, block, sizeof(block), at);
        const char *found = n >= LOGBLOCK_HEADER_SIZE ? memmem(block, (size_t)n, "KEGLOGB", 7) : NULL;
        if (found)
            return at + (found - block);
        if (n < (ssize_t)sizeof(block))
            return -1;
        at += SEARCH - 7;
    }
}

/* The header at file->at, past what is damaged. False at the end. */
static bool next_header(struct log_reader *r, struct log_file *file, struct logblock_header *ret)
{
    uint8_t bytes[LOGBLOCK_HEADER_SIZE];
    while (pread(file->fd, bytes, sizeof(bytes), file->at) == sizeof(bytes)) {
        if (logblock_get_header(bytes, ret) && ret->kind != LOGBLOCK_TAIL)
            return true;
        complain(r);
        off_t found = find_block(file->fd, file->at + 1);
        if (found < 0)
            return false;
        file->at = found;
    }
    return false;
}

static int local_read(struct log_reader *r, size_t n, _unused_ bool whole)
{
    struct local_state *s = r->state;
    struct log_file *file = &r->files.list[n];
    struct logblock_header h;
    while (!r->out.over && next_header(r, file, &h)) {
        size_t rest = h.kind == LOGBLOCK_BLOCK ? (size_t)h.len + LOGBLOCK_TRAILER_SIZE : 0;
        if (rest && !is_unwanted(r, &h)) {
            buf_reset(&s->in);
            char *in = buf_reserve(&s->in, rest + 1);
            if (!in || pread(file->fd, in, rest, file->at + LOGBLOCK_HEADER_SIZE) != (ssize_t)rest)
                return 0; /* it isn't all there yet */
            if (read_block(r, &h, in) < 0)
                return -1;
        }
        file->at += (off_t)(LOGBLOCK_HEADER_SIZE + rest);
    }
    return 0;
}

/* ---- the tail's records ---- */

static int read_tail(struct log_reader *r)
{
    struct local_state *s = r->state;
    struct tail *t = &s->tail;
    if (t->fd < 0)
        return 0;
    buf_reset(&s->in);
    char *in = buf_reserve(&s->in, LOGBLOCK_RAW_MAX);
    ssize_t n = in ? pread(t->fd, in, LOGBLOCK_RAW_MAX, t->at) : -1;
    if (n <= 0)
        return 0;
    struct logblock_walk w = {.p = in,
                              .end = in + n,
                              .time = t->time,
                              .attrs = s->attrs,
                              .attrs_len = s->attrs ? strlen(s->attrs) : 0};
    int result = emit_records(r, &w, &t->number);
    if (result == -EBADMSG)
        complain(r);
    t->at += w.p - in;
    t->time = w.time;
    if (w.attrs && w.attrs != s->attrs) {
        free(s->attrs);
        s->attrs = xstrndup(w.attrs, w.attrs_len);
    }
    return result == -1 ? -1 : 0;
}

/* A tail that was replaced is whole, and what follows it is in the files, up to what the new one begins with. */
static int local_read_rest(struct log_reader *r)
{
    struct local_state *s = r->state;
    struct tail next;
    if (read_tail(r) < 0)
        return -1;
    if (r->out.over || !tail_was_replaced(s) || !open_tail(s, &next))
        return 0;
    int result = read_tail(r);
    close_fd(&s->tail.fd);
    free(s->attrs);
    s->attrs = NULL;
    s->tail = next;
    return result < 0 ? -1 : 1;
}

/* ---- the last lines ---- */

/* The number behind the last record of a file. */
static uint64_t end_of_file(struct log_reader *r, struct log_file *file)
{
    struct logblock_header h;
    uint64_t end = 0;
    int64_t at = file->at;
    while (next_header(r, file, &h)) {
        end = h.first + h.records;
        file->at +=
            LOGBLOCK_HEADER_SIZE + (h.kind == LOGBLOCK_BLOCK ? (int64_t)h.len + LOGBLOCK_TRAILER_SIZE : 0);
    }
    file->at = at;
    return end;
}

static uint64_t end_of_tail(struct local_state *s)
{
    buf_reset(&s->in);
    char *in = s->tail.fd >= 0 ? buf_reserve(&s->in, LOGBLOCK_RAW_MAX) : NULL;
    ssize_t n = in ? pread(s->tail.fd, in, LOGBLOCK_RAW_MAX, s->tail.at) : 0;
    struct logblock_walk w = {.p = in, .end = in + MAX_OF(n, (ssize_t)0)};
    struct logblock_record record;
    uint64_t end = s->tail.number;
    while (n > 0 && logblock_next(&w, &record) > 0)
        end++;
    return s->tail.fd >= 0 ? end : 0;
}

static int local_seek_tail(struct log_reader *r, int64_t lines)
{
    struct local_state *s = r->state;
    uint64_t end = end_of_tail(s), in_files = r->files.count ? end_of_file(r, &r->files.list[0]) : 0;
    end = MAX_OF(end, in_files);
    s->next = end > (uint64_t)lines ? end - (uint64_t)lines : 0;
    return 0;
}

const struct log_format log_format_local = {
    .begin = local_begin,
    .end = local_end,
    .seek_tail = local_seek_tail,
    .read = local_read,
    .read_rest = local_read_rest,
};
