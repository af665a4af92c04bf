/* The format of the `local` log, which keg-monitor writes and kegd reads. All numbers are little-endian.
 *
 * Records are numbered from the log's beginning. What was written last stands in PATH.tail, as it came: a header of
 * kind LOGBLOCK_TAIL, then records. As soon as there is about a quarter of a megabyte of them they become a block, which
 * is appended to PATH in one write(); after that a new PATH.tail takes the place of the old one, by rename. So every
 * record is on disk at once, and what is found twice, or was missed, its number tells.
 *
 *     PATH, PATH.1, …   header (LOGBLOCK_FILE: first is the number of the first record), blocks
 *     block             header (LOGBLOCK_BLOCK), len bytes of payload, trailer: length of all three, u32, and its complement
 *     payload           records; by method as they are, or one zstd frame (with its checksum) of raw_len bytes of them
 *
 * Headers and trailers chain the blocks in both directions: the end, and a time, are found by a few reads of 64 bytes.
 *
 *     header, 64 bytes  0 "KEGLOG", kind, '1' | 8 first u64 | 16 base i64 | 24 last i64 | 32 records u32 | 36 raw_len u32
 *                       | 40 len u32 | 44 method u8, 3 zeros | 48 check of a stored payload u32 | 52 zeros | 60 check u32
 *                       of the 60 bytes before. base and last: times of the first and the last record, ns since 1970.
 *     record            flags u8, time (zigzag varint: ns since the record before, the first one since base),
 *                       with LOGBLOCK_PARTIAL its ordinal (varint, from 1), length (varint), text without newline
 *     attributes        LOGBLOCK_ATTRS u8, length (varint), JSON object: of the records behind it. Has no number. */
#ifndef KEG_BASE_LOGBLOCK_H
#define KEG_BASE_LOGBLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOGBLOCK_HEADER_SIZE = 64,
    LOGBLOCK_TRAILER_SIZE = 8,
    LOGBLOCK_RAW_MAX = 1024 * 1024, /* of one block */
    LOGBLOCK_RECORD_MAX = 64,       /* of one record, besides its text */
};

enum logblock_kind { LOGBLOCK_FILE = 'F', LOGBLOCK_BLOCK = 'B', LOGBLOCK_TAIL = 'T' };
enum logblock_method { LOGBLOCK_STORED, LOGBLOCK_ZSTD };
enum logblock_flag {
    LOGBLOCK_STDERR = 1 << 0,
    LOGBLOCK_PARTIAL = 1 << 1, /* a piece of a line, … */
    LOGBLOCK_LAST = 1 << 2,    /* the last: a newline followed. Without LOGBLOCK_PARTIAL it always did */
    LOGBLOCK_ATTRS = 1 << 7,
};

struct logblock_header {
    enum logblock_kind kind;
    uint64_t first;
    int64_t base, last;
    uint32_t records, raw_len, len;
    enum logblock_method method;
    uint32_t check;
};

struct logblock_record {
    unsigned flags;
    uint32_t ordinal;
    int64_t time;
    const char *text;
    size_t len;
};

uint32_t logblock_check(const void *data, size_t len);
void logblock_put_header(uint8_t out[LOGBLOCK_HEADER_SIZE], const struct logblock_header *h);
/* False for what is none, was damaged, or states what can't be. */
bool logblock_get_header(const uint8_t in[LOGBLOCK_HEADER_SIZE], struct logblock_header *ret);
void logblock_put_trailer(uint8_t out[LOGBLOCK_TRAILER_SIZE], uint32_t len);
/* The length of the block that ends here: false when none does. */
bool logblock_get_trailer(const uint8_t in[LOGBLOCK_TRAILER_SIZE], uint32_t *ret_len);

/* Writes a record; `before` is the time of the one before, or base. Returns the end. Needs LOGBLOCK_RECORD_MAX and the
 * text's length. */
char *logblock_put_record(char *out, const struct logblock_record *r, int64_t before);
/* Writes attributes. Needs the same room. */
char *logblock_put_attrs(char *out, const char *json, size_t len);

/* A walk over records. Set p, end, and time to base. */
struct logblock_walk {
    const char *p, *end;
    int64_t time;
    const char *attrs; /* of the record last given; NULL: none */
    size_t attrs_len;
};
/* 1 and *ret, 0 at the end, -EAGAIN when only the beginning of a record is there, -EBADMSG for what is none. */
int logblock_next(struct logblock_walk *w, struct logblock_record *ret);

#endif
