/* gzip, zstd, xz and bzip2 framing: however a stream is cut into pieces, its bytes are the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "storage/worker/inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1024 * 1024, ROUNDS_MAX = 100000 };

struct outcome {
    int result;
    int64_t len;
    uint64_t hash;
};

/* Takes the stream as storage/worker/source.c does. */
static struct outcome run(const uint8_t *data, size_t size, size_t piece, size_t block)
{
    static uint8_t out[OUT_MAX + 65536];
    _cleanup_(inflate_free_p) struct inflate *z = inflate_new(data, MIN_OF(size, INFLATE_MAGIC_SIZE), NULL);
    struct outcome o = {.result = z ? 0 : -1};
    size_t rounds = 0;

    for (size_t at = 0; at < size && o.result == 0; at += piece) {
        struct inflate_step step = {.in = data + at, .in_len = MIN_OF(piece, size - at)};

        do {
            step.out = out + o.len;
            step.out_len = block;
            o.result = inflate_run(z, &step, NULL);
            if (step.out < out + o.len || step.out > out + o.len + block)
                abort();
            o.len = step.out - out;
            if (++rounds > ROUNDS_MAX * 16)
                abort(); /* neither takes nor gives */
        } while (o.result == 0 && o.len < OUT_MAX && (step.in_len > 0 || step.out_len == 0));
        if (o.len >= OUT_MAX) { /* a bomb: the caller has limits */
            o.result = 1;
            break;
        }
    }
    if (o.result == 0)
        o.result = inflate_end(z, NULL);
    o.hash = hash64(out, (size_t)MIN_OF(o.len, OUT_MAX));
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, cut;

    if (size == 0)
        return 0;
    whole = run(data, size, size, 65536);
    cut = run(data, size, 1 + size % 7, 300 + size % 5);
    /* libzstd finds some damage only in frames that it has whole. */
    if (whole.result != cut.result && data[0] == 0x1f)
        abort();
    if (whole.result == 0 && cut.result == 0 && (whole.len != cut.len || whole.hash != cut.hash))
        abort();
    return 0;
}
