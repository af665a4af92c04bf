/* Where an archive goes: bytes counted, hashed (when they go to a descriptor) and written in large pieces. */
#ifndef KEG_TAR_SINK_H
#define KEG_TAR_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

enum { SINK_SIZE = 256 * 1024 };

/* Takes a piece: 0, or -1 with err set. */
typedef int sink_take(void *arg, const void *data, size_t len, struct err *err);

struct sink {
    int fd; /* or, when it is -EBADF: */
    sink_take *take;
    void *arg;
    struct sha256 *hash; /* NULL without descriptor */
    int64_t written;
    size_t len;
    uint8_t *data; /* SINK_SIZE */
};

void sink_init(struct sink *s, int fd);
void sink_init_taker(struct sink *s, sink_take *take, void *arg);
void sink_finish(struct sink *s);
/* ERR_CANCELLED when the reader has gone. */
int sink_write(struct sink *s, const void *data, size_t len, struct err *err);
int sink_zeros(struct sink *s, int64_t len, struct err *err);
int sink_flush(struct sink *s, struct err *err);
/* Room to write into directly: at least one byte; then sink_advance(). NULL on failure. */
uint8_t *sink_room(struct sink *s, size_t *ret_size, struct err *err);
void sink_advance(struct sink *s, size_t len);

#endif
