/* As much of Protocol Buffers' wire format as CRIU's requests and answers need: integers, strings and messages in them.
 * Source: protobuf.dev, "Encoding". */
#ifndef KEG_RUNTIME_CHECKPOINT_PROTOBUF_H
#define KEG_RUNTIME_CHECKPOINT_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Writing: a field each. Failures stay in the buffer (buf_failed). Integers of every type, negative ones too; booleans are
 * 0 and 1. */
void pb_put_int(struct buf *b, unsigned field, int64_t value);
void pb_put_bytes(struct buf *b, unsigned field, const void *data, size_t len);
void pb_put_string(struct buf *b, unsigned field, const char *value);
/* A message that was written into a buffer of its own. */
void pb_put_message(struct buf *b, unsigned field, const struct buf *message);

/* Reading: one field after the other. */
struct pb_reader {
    const uint8_t *at, *end;
};

struct pb_field {
    unsigned number;
    bool is_int;
    uint64_t value;      /* an integer's */
    const uint8_t *data; /* a string's or message's, borrowed, … */
    size_t len;          /* … not NUL-terminated */
};

/* 1 with the next field, 0 at the end, -EBADMSG for what is none. Fixed-size numbers are passed over. */
int pb_next(struct pb_reader *r, struct pb_field *ret);

#endif
