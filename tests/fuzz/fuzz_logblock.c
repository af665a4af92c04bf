/* A file of the local log that anything may have happened to: headers and records are refused or lie within it, and what
 * was written is read back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/logblock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const char *data, size_t size)
{
    struct logblock_walk w = {.p = data, .end = data + size};
    struct logblock_record r;

    while (logblock_next(&w, &r) > 0) {
        char *out, *copy = malloc(r.len + LOGBLOCK_RECORD_MAX);
        struct logblock_walk again = {0};
        struct logblock_record same;

        if (!copy || r.text < data || r.text + r.len > w.end || w.p > w.end ||
            (w.attrs && (w.attrs < data || w.attrs + w.attrs_len > w.end)))
            abort();
        out = logblock_put_record(copy, &r, 0);
        again.p = copy;
        again.end = out;
        if (logblock_next(&again, &same) != 1 || again.p != out || same.flags != r.flags ||
            same.time != r.time || same.len != r.len || memcmp(same.text, r.text, r.len) != 0)
            abort();
        free(copy);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct logblock_header h;
    uint8_t header[LOGBLOCK_HEADER_SIZE];
    uint32_t len;

    if (size >= LOGBLOCK_HEADER_SIZE && logblock_get_header(data, &h)) {
        logblock_put_header(header, &h);
        if (!logblock_get_header(header, &h) || h.raw_len > LOGBLOCK_RAW_MAX)
            abort();
        walk((const char *)data + LOGBLOCK_HEADER_SIZE, size - LOGBLOCK_HEADER_SIZE);
    }
    if (size >= LOGBLOCK_TRAILER_SIZE)
        logblock_get_trailer(data + size - LOGBLOCK_TRAILER_SIZE, &len);
    walk((const char *)data, size);
    return 0;
}
