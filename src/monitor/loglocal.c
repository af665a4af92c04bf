/* The local log: compact, compressed, its blocks an index of themselves. base/logblock.h has the format.
 *
 * The records that are no block yet are kept in memory as well while there is traffic, in a mapping of which only what is
 * written takes memory. What was given back in a pause stays in the tail alone until the block is full: so a line now and then
 * costs a page. Output that comes faster than a block a reading never touches the tail. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/logblock.h"
#include "base/str.h"
#include "monitor/logchain.h"
#include "monitor/logger.h"
#include "monitor/logline.h"
#include "monitor/logsplit.h"
#include "monitor/scratch.h"

enum {
    BLOCK_MAX = 256 * 1024,
    BLOCK_MIN = 4096,
    ATTRS_MAX = 64 * 1024,
    RAW_ROOM = BLOCK_MAX + ATTRS_MAX + LOGLINE_PIECE_MAX + 3 * LOGBLOCK_RECORD_MAX,
    LEVEL = 1,
    FILE_MODE = 0640,
};
_Static_assert((int)RAW_ROOM <= (int)LOGBLOCK_RAW_MAX, "a block holds what is written before it is full");
_Static_assert((int)SCRATCH_OUTPUT_SIZE >
                   (int)ZSTD_COMPRESSBOUND(RAW_ROOM) + LOGBLOCK_HEADER_SIZE + LOGBLOCK_TRAILER_SIZE,
               "a block fits into the scratch buffer");

/* The records that are no block yet. */
struct open_block {
    uint64_t first;
    uint32_t records;
    int64_t base, last;
    size_t len; /* bytes of records */
};

struct local {
    struct logchain *files;
    char *tail_path, *attrs;
    int tail;                       /* -EBADF: the next flush begins a new one */
    char *raw;                      /* RAW_ROOM bytes, mapped; NULL while idle */
    size_t held;                    /* raw has them from here on, what is before is in the tail alone */
    size_t max;                     /* bytes of a block */
    struct open_block now, flushed; /* flushed: what is in the tail */
    bool compress;
    ZSTD_CCtx *zstd;
    struct logsplit split;
};

/* --- blocks --- */

static size_t compress_block(struct local *l, char *out, size_t room)
{
    size_t n;

    if (!l->compress)
        return 0;
    if (!l->zstd)
        l->zstd = ZSTD_createCCtx();
    if (!l->zstd)
        return 0;
    ZSTD_CCtx_setParameter(l->zstd, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(l->zstd, ZSTD_c_checksumFlag, 1);
    n = ZSTD_compress2(l->zstd, out, room, l->raw, l->now.len);
    return ZSTD_isError(n) || n >= l->now.len ? 0 : n;
}

static int begin_file(struct local *l)
{
    const struct logblock_header h = {.kind = LOGBLOCK_FILE, .first = l->now.first, .base = l->now.base};
    uint8_t header[LOGBLOCK_HEADER_SIZE];

    logblock_put_header(header, &h);
    return logchain_append(l->files, header, sizeof(header));
}

static void begin_block(struct local *l)
{
    l->now = l->flushed = (struct open_block){.first = l->now.first + l->now.records};
    l->held = 0;
    close_fd(&l->tail);
}

/* What is open becomes a block: its records are in the file, or lost if it takes nothing (the disk is full). */
static void seal(struct local *l)
{
    char *out = scratch_output();
    struct logblock_header h = {.kind = LOGBLOCK_BLOCK,
                                .first = l->now.first,
                                .base = l->now.base,
                                .last = l->now.last,
                                .records = l->now.records,
                                .raw_len = (uint32_t)l->now.len,
                                .method = LOGBLOCK_ZSTD};
    size_t n, total;

    if (l->held && pread(l->tail, l->raw, l->held, LOGBLOCK_HEADER_SIZE) != (ssize_t)l->held) {
        begin_block(l); /* somebody has cut the tail: it can't be had back */
        return;
    }
    if (logchain_is_full(l->files, 0))
        logchain_rotate(l->files);
    if (logchain_size(l->files) == 0)
        begin_file(l);
    n = compress_block(l, out + LOGBLOCK_HEADER_SIZE,
                       SCRATCH_OUTPUT_SIZE - LOGBLOCK_HEADER_SIZE - LOGBLOCK_TRAILER_SIZE);
    if (n == 0) {
        n = l->now.len;
        memcpy(out + LOGBLOCK_HEADER_SIZE, l->raw, n);
        h.method = LOGBLOCK_STORED;
        h.check = logblock_check(l->raw, n);
    }
    h.len = (uint32_t)n;
    logblock_put_header((uint8_t *)out, &h);
    total = LOGBLOCK_HEADER_SIZE + n + LOGBLOCK_TRAILER_SIZE;
    logblock_put_trailer((uint8_t *)out + LOGBLOCK_HEADER_SIZE + n, (uint32_t)total);
    logchain_append(l->files, out, total);
    begin_block(l);
}

/* --- the tail --- */

/* A tail of its own for what is open, in the place of the one before. 0 or -errno. */
static int begin_tail(struct local *l)
{
    const struct logblock_header h = {.kind = LOGBLOCK_TAIL, .first = l->now.first, .base = l->now.base};
    _cleanup_free_ char *next = xasprintf("%s.new", l->tail_path);
    _cleanup_close_ int fd =
        open(next, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    uint8_t header[LOGBLOCK_HEADER_SIZE];
    struct iovec parts[] = {{header, sizeof(header)}, {l->raw, l->now.len}};

    if (fd < 0)
        return -errno;
    logblock_put_header(header, &h);
    if (writev(fd, parts, ARRAY_SIZE(parts)) != (ssize_t)(sizeof(header) + l->now.len))
        return -ENOSPC;
    if (rename(next, l->tail_path) < 0)
        return -errno;
    l->tail = take_fd(&fd);
    return 0;
}

/* Everything goes to disk, or is dropped if the disk is full. */
static void flush(struct local *l)
{
    int r = 0;

    if (l->now.len == l->flushed.len)
        return;
    if (l->tail < 0)
        r = begin_tail(l);
    else
        r = fd_write_full(l->tail, l->raw + l->flushed.len, l->now.len - l->flushed.len);
    if (r == 0) {
        l->flushed = l->now;
        return;
    }
    if (l->tail >= 0)
        (void)!ftruncate(l->tail, LOGBLOCK_HEADER_SIZE + (off_t)l->flushed.len);
    l->now = l->flushed;
}

static void drop_raw(struct local *l)
{
    if (l->raw)
        munmap(l->raw, RAW_ROOM);
    l->raw = NULL;
}

static bool have_raw(struct local *l)
{
    void *map =
        l->raw ? l->raw : mmap(NULL, RAW_ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED)
        return false;
    if (!l->raw)
        l->held = l->now.len;
    l->raw = map;
    return true;
}

/* --- records --- */

static void add_record(void *arg, const struct logsplit_record *r)
{
    struct local *l = arg;
    struct logblock_record record = {.flags = r->stream == LOG_STDERR ? LOGBLOCK_STDERR : 0,
                                     .ordinal = r->ordinal,
                                     .time = r->time,
                                     .text = r->text,
                                     .len = r->len};
    char *out;

    if (l->now.len >= l->max)
        seal(l);
    if (r->ordinal)
        record.flags |= LOGBLOCK_PARTIAL | (r->last ? LOGBLOCK_LAST : 0);
    out = l->raw + l->now.len;
    if (l->now.records == 0) {
        l->now.base = l->now.last = r->time;
        if (l->attrs)
            out = logblock_put_attrs(out, l->attrs, strlen(l->attrs));
    }
    out = logblock_put_record(out, &record, l->now.last);
    l->now.last = r->time;
    l->now.records++;
    l->now.len = (size_t)(out - l->raw);
}

static void local_write(void *driver, enum log_stream stream, const char *data, size_t len, int64_t now)
{
    struct local *l = driver;

    if (!have_raw(l))
        return;
    logsplit_write(&l->split, stream, data, len, now);
    flush(l);
}

static void local_finish(void *driver, enum log_stream stream, int64_t now)
{
    struct local *l = driver;

    if (!logsplit_is_open(&l->split, stream) || !have_raw(l))
        return;
    logsplit_finish(&l->split, stream, now);
    flush(l);
}

static void local_release(void *driver)
{
    struct local *l = driver;

    ZSTD_freeCCtx(l->zstd);
    l->zstd = NULL;
    if (l->now.len == l->flushed.len)
        drop_raw(l);
}

/* --- what an earlier life left --- */

/* The number behind the last whole block; what follows that block is cut off. */
static uint64_t find_end(struct local *l)
{
    uint8_t bytes[LOGBLOCK_HEADER_SIZE];
    struct logblock_header h;
    int fd = logchain_fd(l->files);
    off_t at = LOGBLOCK_HEADER_SIZE;
    uint64_t end;

    if (pread(fd, bytes, sizeof(bytes), 0) != sizeof(bytes) || !logblock_get_header(bytes, &h) ||
        h.kind != LOGBLOCK_FILE) {
        at = 0;
        end = 0;
    } else {
        end = h.first;
        while (pread(fd, bytes, sizeof(bytes), at) == sizeof(bytes) && logblock_get_header(bytes, &h) &&
               h.kind == LOGBLOCK_BLOCK &&
               at + LOGBLOCK_HEADER_SIZE + (off_t)h.len + LOGBLOCK_TRAILER_SIZE <= logchain_size(l->files)) {
            at += LOGBLOCK_HEADER_SIZE + (off_t)h.len + LOGBLOCK_TRAILER_SIZE;
            end = h.first + h.records;
        }
    }
    if (at < logchain_size(l->files) && ftruncate(fd, at) == 0)
        logchain_resized(l->files);
    return end;
}

/* Takes the records of a tail into *ret, up to the first that isn't whole. */
static void count_records(const char *data, size_t len, struct open_block *ret)
{
    struct logblock_walk w = {.p = data, .end = data + len, .time = ret->base};
    struct logblock_record r;

    while (logblock_next(&w, &r) > 0) {
        ret->records++;
        ret->last = r.time;
        ret->len = (size_t)(w.p - data);
    }
}

/* The tail of an earlier life becomes a block. */
static void take_tail(struct local *l)
{
    _cleanup_close_ int fd = open(l->tail_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    uint8_t bytes[LOGBLOCK_HEADER_SIZE];
    struct logblock_header h;
    ssize_t n;

    l->now.first = find_end(l);
    if (fd < 0 || fd_read_full(fd, bytes, sizeof(bytes)) != sizeof(bytes) ||
        !logblock_get_header(bytes, &h) || h.kind != LOGBLOCK_TAIL || h.first < l->now.first || !have_raw(l))
        return;
    n = fd_read_full(fd, l->raw, RAW_ROOM);
    if (n <= 0)
        return;
    l->now = (struct open_block){.first = h.first, .base = h.base};
    count_records(l->raw, (size_t)n, &l->now);
    if (l->now.records)
        seal(l);
}

/* --- the driver --- */

static void local_close(void *driver)
{
    struct local *l = driver;

    for (int i = 0; i < LOG_STREAM_COUNT && l->files; i++)
        local_finish(l, (enum log_stream)i, l->split.stamp.ns + 1);
    logsplit_end(&l->split);
    local_release(l);
    drop_raw(l);
    logchain_close(l->files);
    close_fd(&l->tail);
    free(l->tail_path);
    free(l->attrs);
    free(l);
}

static void *local_open(_unused_ struct logger *log, _unused_ struct loop *loop, const json_t *options,
                        struct err *err)
{
    const json_t *attrs = json_object_get(options, "attrs");
    struct logchain_options files;
    struct local *l;

    if (logger_read_files(options, &files, err) < 0)
        return NULL;
    l = xcalloc(1, sizeof(*l));
    l->tail = -EBADF;
    l->compress = files.compress;
    files.compress = false; /* blocks are, files needn't be */
    l->max = files.max_size > 0 && files.max_size < BLOCK_MAX
                 ? (size_t)MAX_OF(files.max_size, (int64_t)BLOCK_MIN)
                 : (size_t)BLOCK_MAX;
    l->tail_path = xasprintf("%s.tail", files.path);
    l->attrs = json_object_size(attrs) ? json_text(attrs) : NULL;
    logsplit_init(&l->split, add_record, l);
    l->files = logchain_open(&files, err);
    if (l->files && l->attrs && strlen(l->attrs) > ATTRS_MAX) {
        err_set(err, ERR_INVALID, "log attributes are larger than %d bytes", ATTRS_MAX);
        l->files = logchain_close(l->files);
    }
    if (!l->files) {
        local_close(l);
        return NULL;
    }
    take_tail(l);
    return l;
}

const struct log_driver log_driver_local = {
    .name = "local",
    .open = local_open,
    .write = local_write,
    .finish = local_finish,
    .close = local_close,
    .release = local_release,
};
