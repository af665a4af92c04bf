/* Fuzz entry: a tar stream, given to the reader in pieces of changing size. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "storage/worker/tar_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pieces {
    const uint8_t *data;
    size_t left, turn;
};

static ssize_t span(void *arg, const uint8_t **data, struct err *err _unused_)
{
    struct pieces *p = arg;
    size_t len = MIN_OF(p->left, 1 + (p->turn++ * 97) % 700);

    *data = p->data;
    return (ssize_t)len;
}

static void consume(void *arg, size_t n)
{
    struct pieces *p = arg;

    if (n > p->left)
        abort();
    p->data += n;
    p->left -= n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces pieces = {.data = data, .left = size};
    const struct tar_input input = {span, consume, &pieces};
    _cleanup_(tar_reader_free_p) struct tar_reader *reader = tar_reader_new(&input);
    const struct tar_entry *e;
    struct err err;

    while (tar_reader_next(reader, &e, &err) > 0) {
        const uint8_t *piece;
        int64_t offset, end = 0;
        ssize_t n;

        while ((n = tar_reader_data(reader, &piece, &offset, &err)) > 0) {
            if (offset < end || offset + n > e->size) /* pieces are ordered and inside the file */
                abort();
            end = offset + n;
        }
    }
    return 0;
}
