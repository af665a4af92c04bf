/* WebSocket (RFC 6455), the server's side, as far as a stream of bytes needs it: frames. No extensions. */
#ifndef KEG_BASE_WEBSOCKET_H
#define KEG_BASE_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { WEBSOCKET_HEAD_MAX = 14, WEBSOCKET_CONTROL_MAX = 125 };
enum { WEBSOCKET_NORMAL = 1000, WEBSOCKET_PROTOCOL_ERROR = 1002 }; /* why one closes */

enum websocket_opcode {
    WEBSOCKET_MORE,
    WEBSOCKET_TEXT,
    WEBSOCKET_BINARY,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING,
    WEBSOCKET_PONG
};

/* What stands before `len` bytes in a frame of the server's: its size. */
size_t websocket_head(uint8_t head[WEBSOCKET_HEAD_MAX], enum websocket_opcode opcode, size_t len);
/* Appends a frame of the server's. */
void websocket_frame(struct buf *out, enum websocket_opcode opcode, const void *data, size_t len);
/* … the one that closes. */
void websocket_close(struct buf *out, unsigned status);

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

#endif
