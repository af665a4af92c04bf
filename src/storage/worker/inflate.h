/* Decompression of a stream that comes in pieces: gzip, xz, bzip2 (any number of members, zero padding behind them),
 * zstd (any number of frames), or none, told by the first bytes. */
#ifndef KEG_STORAGE_WORKER_INFLATE_H
#define KEG_STORAGE_WORKER_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { INFLATE_MAGIC_SIZE = 6 }; /* bytes inflate_new wants to see, unless the stream is shorter */

struct inflate;

/* Chooses by the stream's first bytes. NULL when there is no memory. */
struct inflate *inflate_new(const uint8_t *start, size_t len, struct err *err);
void inflate_free(struct inflate *z);
DEFINE_CLEANUP_PTR(struct inflate, inflate_free)

/* Whether a stream that begins so is compressed in a way of which no media type of layers tells (xz, bzip2): no registry
 * takes it. */
bool inflate_is_foreign(const uint8_t *start, size_t len);
bool inflate_is_plain(const struct inflate *z);

struct inflate_step {
    const uint8_t *in; /* advanced as bytes are used */
    size_t in_len;
    uint8_t *out; /* advanced as bytes are made */
    size_t out_len;
};
/* Uses some input, makes some output; call again until the input is used up and the output isn't full. 0 or
 * ERR_INVALID for damaged data. */
int inflate_run(struct inflate *z, struct inflate_step *step, struct err *err);
/* At the end of the input: ERR_INVALID when the stream stops in its middle. */
int inflate_end(const struct inflate *z, struct err *err);

#endif
