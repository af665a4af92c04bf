/* Records and blocks of the `local` log as bytes. */
#include "base/logblock.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/hash.h"

#define MAGIC   "KEGLOG"
#define VERSION '1'

enum {
    AT_KIND = 6,
    AT_VERSION = 7,
    AT_FIRST = 8,
    AT_BASE = 16,
    AT_LAST = 24,
    AT_RECORDS = 32,
    AT_RAW_LEN = 36,
    AT_LEN = 40,
    AT_METHOD = 44,
    AT_PAYLOAD_CHECK = 48,
    AT_CHECK = 60,
    VARINT_MAX = 10,
    FLAGS_KNOWN = LOGBLOCK_STDERR | LOGBLOCK_PARTIAL | LOGBLOCK_LAST,
};

/* --- numbers --- */

static void put32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

static char *put_varint(char *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *out++ = (char)(value | 0x80);
    *out++ = (char)value;
    return out;
}

/* 1, -EAGAIN, -EBADMSG */
static int get_varint(const char **p, const char *end, uint64_t *ret)
{
    *ret = 0;
    for (unsigned i = 0; i < VARINT_MAX; i++) {
        unsigned char c;

        if (*p + i >= end)
            return -EAGAIN;
        c = (unsigned char)(*p)[i];
        *ret |= (uint64_t)(c & 0x7f) << (7 * i);
        if (!(c & 0x80)) {
            *p += i + 1;
            return 1;
        }
    }
    return -EBADMSG;
}

static uint64_t zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* --- headers --- */

uint32_t logblock_check(const void *data, size_t len)
{
    uint64_t hash = hash64(data, len);

    return (uint32_t)(hash ^ hash >> 32);
}

void logblock_put_header(uint8_t out[LOGBLOCK_HEADER_SIZE], const struct logblock_header *h)
{
    memset(out, 0, LOGBLOCK_HEADER_SIZE);
    memcpy(out, MAGIC, AT_KIND);
    out[AT_KIND] = (uint8_t)h->kind;
    out[AT_VERSION] = VERSION;
    put64(out + AT_FIRST, h->first);
    put64(out + AT_BASE, (uint64_t)h->base);
    put64(out + AT_LAST, (uint64_t)h->last);
    put32(out + AT_RECORDS, h->records);
    put32(out + AT_RAW_LEN, h->raw_len);
    put32(out + AT_LEN, h->len);
    out[AT_METHOD] = (uint8_t)h->method;
    put32(out + AT_PAYLOAD_CHECK, h->check);
    put32(out + AT_CHECK, logblock_check(out, AT_CHECK));
}

bool logblock_get_header(const uint8_t in[LOGBLOCK_HEADER_SIZE], struct logblock_header *ret)
{
    uint8_t kind = in[AT_KIND];

    if (memcmp(in, MAGIC, AT_KIND) != 0 || in[AT_VERSION] != VERSION ||
        get32(in + AT_CHECK) != logblock_check(in, AT_CHECK))
        return false;
    if (kind != LOGBLOCK_FILE && kind != LOGBLOCK_BLOCK && kind != LOGBLOCK_TAIL)
        return false;
    *ret = (struct logblock_header){.kind = kind,
                                    .first = get64(in + AT_FIRST),
                                    .base = (int64_t)get64(in + AT_BASE),
                                    .last = (int64_t)get64(in + AT_LAST),
                                    .records = get32(in + AT_RECORDS),
                                    .raw_len = get32(in + AT_RAW_LEN),
                                    .len = get32(in + AT_LEN),
                                    .method = in[AT_METHOD],
                                    .check = get32(in + AT_PAYLOAD_CHECK)};
    return ret->raw_len <= LOGBLOCK_RAW_MAX && ret->len <= 2 * LOGBLOCK_RAW_MAX &&
           in[AT_METHOD] <= LOGBLOCK_ZSTD && (ret->method == LOGBLOCK_ZSTD || ret->len == ret->raw_len);
}

void logblock_put_trailer(uint8_t out[LOGBLOCK_TRAILER_SIZE], uint32_t len)
{
    put32(out, len);
    put32(out + 4, ~len);
}

bool logblock_get_trailer(const uint8_t in[LOGBLOCK_TRAILER_SIZE], uint32_t *ret_len)
{
    *ret_len = get32(in);
    return get32(in + 4) == ~*ret_len && *ret_len > LOGBLOCK_HEADER_SIZE + LOGBLOCK_TRAILER_SIZE;
}

/* --- records --- */

char *logblock_put_record(char *out, const struct logblock_record *r, int64_t before)
{
    *out++ = (char)r->flags;
    out = put_varint(out, zigzag((int64_t)((uint64_t)r->time - (uint64_t)before)));
    if (r->flags & LOGBLOCK_PARTIAL)
        out = put_varint(out, r->ordinal);
    out = put_varint(out, r->len);
    memcpy(out, r->text, r->len);
    return out + r->len;
}

char *logblock_put_attrs(char *out, const char *json, size_t len)
{
    *out++ = (char)LOGBLOCK_ATTRS;
    out = put_varint(out, len);
    memcpy(out, json, len);
    return out + len;
}

/* Length and text. */
static int next_text(const char **p, const char *end, const char **ret, size_t *ret_len)
{
    uint64_t len;
    int r = get_varint(p, end, &len);

    if (r < 0)
        return r;
    if (len > LOGBLOCK_RAW_MAX)
        return -EBADMSG;
    if (len > (size_t)(end - *p))
        return -EAGAIN;
    *ret = *p;
    *ret_len = len;
    *p += len;
    return 1;
}

int logblock_next(struct logblock_walk *w, struct logblock_record *ret)
{
    uint64_t time, ordinal = 0;
    const char *p = w->p;
    int r = 1;

    if (p < w->end && (unsigned char)*p == LOGBLOCK_ATTRS) {
        p++;
        r = next_text(&p, w->end, &w->attrs, &w->attrs_len);
        if (r < 0)
            return r;
        w->p = p;
    }
    if (p == w->end)
        return 0;
    ret->flags = (unsigned char)*p++;
    if (ret->flags & ~(unsigned)FLAGS_KNOWN)
        return -EBADMSG;
    r = get_varint(&p, w->end, &time);
    if (r > 0 && (ret->flags & LOGBLOCK_PARTIAL))
        r = get_varint(&p, w->end, &ordinal);
    if (r > 0)
        r = next_text(&p, w->end, &ret->text, &ret->len);
    if (r < 0)
        return r;
    ret->ordinal = (uint32_t)ordinal;
    ret->time = w->time = (int64_t)((uint64_t)w->time + (uint64_t)unzigzag(time));
    w->p = p;
    return 1;
}
