/* WebSocket (RFC 6455): frames, as the server reads and writes them. */
#include "base/websocket.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0f, CONTROL = 0x08, MASKED = 0x80, PIECE = 16 * 1024 };

size_t websocket_head(uint8_t head[WEBSOCKET_HEAD_MAX], enum websocket_opcode opcode, size_t len)
{
    size_t n = 0;

    head[n++] = (uint8_t)(FIN | opcode);
    if (len <= WEBSOCKET_CONTROL_MAX) {
        head[n++] = (uint8_t)len;
    } else {
        int bytes = len <= UINT16_MAX ? 2 : 8;

        head[n++] = bytes == 2 ? 126 : 127;
        for (int i = bytes - 1; i >= 0; i--)
            head[n++] = (uint8_t)((uint64_t)len >> (8 * i));
    }
    return n;
}

void websocket_frame(struct buf *out, enum websocket_opcode opcode, const void *data, size_t len)
{
    uint8_t head[WEBSOCKET_HEAD_MAX];

    buf_append(out, head, websocket_head(head, opcode, len));
    buf_append(out, data, len);
}

void websocket_close(struct buf *out, unsigned status)
{
    const uint8_t payload[2] = {(uint8_t)(status >> 8), (uint8_t)status};

    websocket_frame(out, WEBSOCKET_CLOSE, payload, sizeof(payload));
}

static int broken(struct websocket_reader *r, struct buf *answers)
{
    r->closed = true;
    websocket_close(answers, WEBSOCKET_PROTOCOL_ERROR);
    return -EPROTO;
}

/* How long the head is, as far as it can be told from what is there. */
static size_t head_size(const struct websocket_reader *r)
{
    unsigned len = r->head_len >= 2 ? r->head[1] & 0x7f : 0;

    if (r->head_len < 2)
        return 2;
    return 2 + (len == 126 ? 2 : len == 127 ? 8 : 0) + 4;
}

/* The head is whole. 0 or -EPROTO. */
static int begin_frame(struct websocket_reader *r)
{
    unsigned opcode = r->head[0] & OPCODE, len = r->head[1] & 0x7f;
    size_t bytes = len == 126 ? 2 : len == 127 ? 8 : 0;

    r->left = bytes ? 0 : len;
    for (size_t i = 0; i < bytes; i++)
        r->left = r->left << 8 | r->head[2 + i];
    memcpy(r->mask, r->head + 2 + bytes, sizeof(r->mask));
    r->mask_at = 0;
    r->control_len = 0;
    r->in_frame = true;
    if (r->head[0] & RESERVED || !(r->head[1] & MASKED) || r->left > INT64_MAX)
        return -EPROTO;
    if (opcode & CONTROL)
        return opcode <= WEBSOCKET_PONG && r->head[0] & FIN && len <= WEBSOCKET_CONTROL_MAX ? 0 : -EPROTO;
    if (opcode > WEBSOCKET_BINARY || (opcode == WEBSOCKET_MORE) != r->in_message)
        return -EPROTO;
    r->in_message = !(r->head[0] & FIN);
    return 0;
}

/* The payload of the present frame, as much of it as is there; returns how much that was. */
static size_t take_payload(struct websocket_reader *r, const uint8_t *p, size_t len, struct buf *data)
{
    uint8_t plain[PIECE];
    size_t n = (size_t)MIN_OF((uint64_t)MIN_OF(len, sizeof(plain)), r->left);

    for (size_t i = 0; i < n; i++)
        plain[i] = p[i] ^ r->mask[r->mask_at++ & 3];
    r->left -= n;
    if (r->head[0] & CONTROL) {
        memcpy(r->control + r->control_len, plain, n);
        r->control_len += n;
    } else {
        buf_append(data, plain, n);
    }
    return n;
}

/* The present frame is whole: 0, or 1 when it closes. */
static int end_frame(struct websocket_reader *r, struct buf *answers)
{
    unsigned opcode = r->head[0] & OPCODE;

    r->in_frame = false;
    r->head_len = 0;
    if (opcode == WEBSOCKET_PING)
        websocket_frame(answers, WEBSOCKET_PONG, r->control, r->control_len);
    if (opcode != WEBSOCKET_CLOSE)
        return 0;
    r->closed = true;
    websocket_frame(answers, WEBSOCKET_CLOSE, r->control, MIN_OF(r->control_len, (size_t)2));
    return 1;
}

int websocket_read(struct websocket_reader *r, const void *bytes, size_t len, struct buf *data,
                   struct buf *answers)
{
    const uint8_t *p = bytes, *end = p + len;

    while (p < end && !r->closed) {
        if (!r->in_frame) {
            r->head[r->head_len++] = *p++;
            if (r->head_len < 2 || r->head_len < head_size(r))
                continue;
            if (begin_frame(r) < 0)
                return broken(r, answers);
        }
        p += take_payload(r, p, (size_t)(end - p), data);
        if (r->left == 0 && end_frame(r, answers) > 0)
            return 1;
    }
    return 0;
}
