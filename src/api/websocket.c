/* WebSocket (RFC 6455), the server's side. */
#include "api/websocket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/fd.h"

enum { SHA1_SIZE = 20, SHA1_BLOCK = 64, KEY_LEN = 24, PIECE = 32 * 1024, QUEUE_MAX = 4 * PIECE };
enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0f, CONTROL = 0x08, MASKED = 0x80 };
enum { STATUS_NORMAL = 1000, STATUS_PROTOCOL = 1002 };

/* ---- the handshake ---- */

static uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 |
               p[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                     : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                     : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                              : (b ^ c ^ d) + 0xca62c1d6;
        uint32_t next = rotate(a, 5) + f + e + w[i];

        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* Of a short text (the protocol asks for SHA-1; nothing depends on its strength). */
static void sha1(const char *text, size_t len, uint8_t ret[SHA1_SIZE])
{
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t padded[2 * SHA1_BLOCK] = {0};
    size_t size = len + 9 <= SHA1_BLOCK ? SHA1_BLOCK : 2 * SHA1_BLOCK;

    memcpy(padded, text, len);
    padded[len] = 0x80;
    padded[size - 1] = (uint8_t)(len * 8);
    padded[size - 2] = (uint8_t)(len * 8 >> 8);
    for (size_t at = 0; at < size; at += SHA1_BLOCK)
        sha1_block(h, padded + at);
    for (int i = 0; i < SHA1_SIZE; i++)
        ret[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

int websocket_accept(const char *key, char ret[WEBSOCKET_ACCEPT_SIZE])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[KEY_LEN + sizeof(guid)];
    uint8_t digest[SHA1_SIZE];
    _cleanup_free_ char *encoded = NULL;

    if (!key || strlen(key) != KEY_LEN)
        return -EINVAL;
    memcpy(text, key, KEY_LEN);
    memcpy(text + KEY_LEN, guid, sizeof(guid));
    sha1(text, KEY_LEN + sizeof(guid) - 1, digest);
    encoded = base64_encode(digest, sizeof(digest), /* url= */ false);
    memcpy(ret, encoded, WEBSOCKET_ACCEPT_SIZE);
    return 0;
}

/* ---- frames ---- */

void websocket_frame(struct buf *out, enum websocket_opcode opcode, const void *data, size_t len)
{
    buf_putc(out, (char)(FIN | opcode));
    if (len <= WEBSOCKET_CONTROL_MAX) {
        buf_putc(out, (char)len);
    } else {
        int bytes = len <= UINT16_MAX ? 2 : 8;

        buf_putc(out, bytes == 2 ? 126 : 127);
        for (int i = bytes - 1; i >= 0; i--)
            buf_putc(out, (char)(uint8_t)((uint64_t)len >> (8 * i)));
    }
    buf_append(out, data, len);
}

static void close_frame(struct buf *out, unsigned status)
{
    const uint8_t payload[2] = {(uint8_t)(status >> 8), (uint8_t)status};

    websocket_frame(out, WEBSOCKET_CLOSE, payload, sizeof(payload));
}

static int broken(struct websocket_reader *r, struct buf *answers)
{
    r->closed = true;
    close_frame(answers, STATUS_PROTOCOL);
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

/* ---- the pump ---- */

struct pump {
    int client, stream;
    enum websocket_opcode opcode;
    struct websocket_reader reader;
    struct buf to_client, to_stream;
    bool ending; /* what is queued for the client goes out, and nothing else */
};

/* Writes what is queued, as much as there is room for. -1: nobody is there. */
static int flush(int fd, struct buf *queue)
{
    while (queue->len > 0) {
        ssize_t n = write(fd, queue->data, queue->len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        memmove(queue->data, queue->data + n, queue->len - (size_t)n);
        queue->len -= (size_t)n;
    }
    return 0;
}

static void take_from_client(struct pump *p, const void *data, size_t len)
{
    if (websocket_read(&p->reader, data, len, &p->to_stream, &p->to_client) != 0)
        p->ending = true;
}

static void read_client(struct pump *p)
{
    uint8_t piece[PIECE];
    ssize_t n = read(p->client, piece, sizeof(piece));

    if (n > 0)
        take_from_client(p, piece, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        p->ending = true;
        p->to_client.len = 0;
    }
}

static void read_stream(struct pump *p)
{
    uint8_t piece[PIECE];
    ssize_t n = read(p->stream, piece, sizeof(piece));

    if (n > 0) {
        websocket_frame(&p->to_client, p->opcode, piece, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_frame(&p->to_client, STATUS_NORMAL);
        p->ending = true;
    }
}

/* One round of waiting and moving; false at the end. */
static bool pump_once(struct pump *p, int stop_fd)
{
    struct pollfd fds[] = {
        {.fd = p->client}, {.fd = p->ending ? -1 : p->stream}, {.fd = stop_fd, .events = POLLIN}};

    if (p->ending && p->to_client.len == 0)
        return false;
    fds[0].events =
        (short)((p->to_client.len ? POLLOUT : 0) | (!p->ending && !p->to_stream.len ? POLLIN : 0));
    fds[1].events = (short)((p->to_stream.len ? POLLOUT : 0) | (p->to_client.len < PIECE ? POLLIN : 0));
    if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
        return errno == EINTR;
    if (fds[2].revents || (fds[0].revents & (POLLERR | POLLNVAL)))
        return false;
    if (fds[0].revents & (POLLIN | POLLHUP) && !p->ending)
        read_client(p);
    if (fds[1].revents & (POLLIN | POLLHUP) && p->to_client.len < PIECE && !p->ending)
        read_stream(p);
    if (flush(p->stream, &p->to_stream) < 0)
        p->to_stream.len = 0; /* its output still counts */
    return flush(p->client, &p->to_client) == 0 && !buf_failed(&p->to_client) && !buf_failed(&p->to_stream);
}

void websocket_pump(int client, const void *early, size_t early_len, int stream, int stop_fd, bool text)
{
    struct pump p = {.client = client,
                     .stream = stream,
                     .opcode = text ? WEBSOCKET_TEXT : WEBSOCKET_BINARY,
                     .to_client = BUF_INIT(QUEUE_MAX),
                     .to_stream = BUF_INIT(QUEUE_MAX + 1024 * 1024)};

    fd_set_nonblock(client, true);
    fd_set_nonblock(stream, true);
    if (early_len > 0)
        take_from_client(&p, early, early_len);
    flush(stream, &p.to_stream);
    while (pump_once(&p, stop_fd))
        ;
    buf_finish(&p.to_client);
    buf_finish(&p.to_stream);
}
