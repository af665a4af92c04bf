/* Fuzz entry: a tar stream, given to the reader in pieces of changing size. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/worker/tar_format.h"
#include "storage/worker/tar_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pieces {
    const uint8_t *data;
    size_t left, turn;
};

static ssize_t span(void *arg, const uint8_t **data, struct err *err _unused_)
{
    struct pieces *p = arg;
    size_t piece = 1 + p->turn++ * 97 % 700;

    *data = p->data;
    return (ssize_t)MIN_OF(p->left, piece);
}

static void consume(void *arg, size_t n)
{
    struct pieces *p = arg;

    if (n > p->left)
        abort();
    p->data += n;
    p->left -= n;
}

/* Makes the checksums right, or hardly anything but the checksum would be tried. */
static void mend(uint8_t *data, size_t size)
{
    for (size_t at = 0; at + sizeof(struct tar_header) <= size; at += sizeof(struct tar_header)) {
        struct tar_header *h = (struct tar_header *)(data + at);
        unsigned int sum = 0;
        char text[sizeof(h->checksum)];

        if (memcmp(h->magic, "ustar", 5) != 0)
            continue;
        memset(h->checksum, ' ', sizeof(h->checksum));
        for (size_t i = 0; i < sizeof(*h); i++)
            sum += data[at + i];
        snprintf(text, sizeof(text), "%06o", sum);
        memcpy(h->checksum, text, sizeof(text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *original, size_t size)
{
    _cleanup_free_ uint8_t *data = xmalloc(size ? size : 1);
    struct pieces pieces = {.data = data, .left = size};
    const struct tar_input input = {span, consume, &pieces};
    _cleanup_(tar_reader_free_p) struct tar_reader *reader = tar_reader_new(&input);
    const struct tar_entry *e;
    struct err err;

    memcpy(data, original, size);
    mend(data, size);
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
