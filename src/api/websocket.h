/* WebSocket (RFC 6455), the server's side, as far as a stream of bytes needs it: the handshake's answer, frames, and a pump
 * between a client that speaks it and a plain stream. No extensions. */
#ifndef KEG_API_WEBSOCKET_H
#define KEG_API_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { WEBSOCKET_ACCEPT_SIZE = 29, WEBSOCKET_HEAD_MAX = 14, WEBSOCKET_CONTROL_MAX = 125 };

/* Sec-WebSocket-Accept for the client's Sec-WebSocket-Key. 0, or -EINVAL: that is no key. */
int websocket_accept(const char *key, char ret[WEBSOCKET_ACCEPT_SIZE]);

enum websocket_opcode {
    WEBSOCKET_MORE,
    WEBSOCKET_TEXT,
    WEBSOCKET_BINARY,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING,
    WEBSOCKET_PONG
};

/* Appends a frame of the server's. */
void websocket_frame(struct buf *out, enum websocket_opcode opcode, const void *data, size_t len);

/* What a client sends, in whatever pieces it comes. Zeroed at first. */
struct websocket_reader {
    uint8_t head[WEBSOCKET_HEAD_MAX];
    size_t head_len;
    uint64_t left; /* of the present frame's payload */
    uint8_t mask[4];
    unsigned mask_at;
    bool in_frame, in_message, closed;
    uint8_t control[WEBSOCKET_CONTROL_MAX];
    size_t control_len;
};
/* Takes bytes: what messages carry is appended to `data`, answers (pongs, the close) to `answers`. 0; 1: the client has closed;
 * -EPROTO: it broke the protocol, which the answers tell it. Nothing is taken after either. */
int websocket_read(struct websocket_reader *r, const void *bytes, size_t len, struct buf *data,
                   struct buf *answers);

/* Moves bytes between a client (with what was already read from it) and a stream until one of them ends, or stop_fd is readable.
 * The descriptors stay the caller's. text: frames of that kind, for old clients. */
void websocket_pump(int client, const void *early, size_t early_len, int stream, int stop_fd, bool text);

#endif
