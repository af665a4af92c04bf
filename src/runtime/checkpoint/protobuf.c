/* Protocol Buffers by hand: five wire types, of which CRIU uses two. */
#include "runtime/checkpoint/protobuf.h"

#include <errno.h>
#include <string.h>

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static void put_varint(struct buf *b, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        buf_putc(b, (char)(value | 0x80));
    buf_putc(b, (char)value);
}

static void put_key(struct buf *b, unsigned field, enum wire_type type)
{
    put_varint(b, (uint64_t)field << 3 | type);
}

void pb_put_int(struct buf *b, unsigned field, int64_t value)
{
    put_key(b, field, WIRE_VARINT);
    put_varint(b, (uint64_t)value);
}

void pb_put_bytes(struct buf *b, unsigned field, const void *data, size_t len)
{
    put_key(b, field, WIRE_BYTES);
    put_varint(b, len);
    buf_append(b, data, len);
}

void pb_put_string(struct buf *b, unsigned field, const char *value)
{
    pb_put_bytes(b, field, value, strlen(value));
}

void pb_put_message(struct buf *b, unsigned field, const struct buf *message)
{
    if (buf_failed(message))
        b->error = message->error;
    pb_put_bytes(b, field, buf_str(message), message->len);
}

static int get_varint(struct pb_reader *r, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; r->at < r->end && shift < 64; shift += 7) {
        uint8_t byte = *r->at++;

        *ret |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return 0;
    }
    return -EBADMSG;
}

static int skip(struct pb_reader *r, size_t len)
{
    if ((size_t)(r->end - r->at) < len)
        return -EBADMSG;
    r->at += len;
    return 0;
}

int pb_next(struct pb_reader *r, struct pb_field *ret)
{
    while (r->at < r->end) {
        uint64_t key;

        *ret = (struct pb_field){0};
        if (get_varint(r, &key) < 0 || key >> 3 == 0 || key >> 3 > UINT32_MAX)
            return -EBADMSG;
        ret->number = (unsigned)(key >> 3);
        switch (key & 7) {
        case WIRE_VARINT:
            ret->is_int = true;
            return get_varint(r, &ret->value) < 0 ? -EBADMSG : 1;
        case WIRE_BYTES:
            if (get_varint(r, &ret->value) < 0)
                return -EBADMSG;
            ret->data = r->at;
            ret->len = (size_t)ret->value;
            return skip(r, ret->len) < 0 ? -EBADMSG : 1;
        case WIRE_64:
        case WIRE_32:
            if (skip(r, (key & 7) == WIRE_64 ? 8 : 4) < 0)
                return -EBADMSG;
            break;
        default:
            return -EBADMSG;
        }
    }
    return 0;
}
