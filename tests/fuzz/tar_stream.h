/* What the entries for tar streams share. */
#ifndef KEG_TESTS_FUZZ_TAR_STREAM_H
#define KEG_TESTS_FUZZ_TAR_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tar/format.h"
#include "tar/reader.h"

/* A stream in pieces of changing size. */
struct fuzz_pieces {
    const uint8_t *data;
    size_t left, turn;
};

static inline ssize_t fuzz_span(void *arg, const uint8_t **data, struct err *err _unused_)
{
    struct fuzz_pieces *p = arg;
    size_t piece = 1 + p->turn++ * 97 % 700;

    *data = p->data;
    return (ssize_t)MIN_OF(p->left, piece);
}

static inline void fuzz_consume(void *arg, size_t n)
{
    struct fuzz_pieces *p = arg;

    if (n > p->left)
        abort();
    p->data += n;
    p->left -= n;
}

static inline struct tar_input fuzz_input(struct fuzz_pieces *p)
{
    return (struct tar_input){fuzz_span, fuzz_consume, p};
}

/* A copy with right checksums: hardly anything but the checksum would be tried. The caller frees. */
static inline uint8_t *fuzz_mend_tar(const uint8_t *original, size_t size)
{
    uint8_t *data = xmalloc(size ? size : 1);

    if (size)
        memcpy(data, original, size);
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
    return data;
}

#endif
