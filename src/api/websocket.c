/* The handshake of WebSocket. */
#include "api/websocket.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"

enum { SHA1_SIZE = 20, SHA1_BLOCK = 64, KEY_LEN = 24 };

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
