/* CRIU's answers: fields lie inside of the message, at every depth. */
#include <stdint.h>
#include <stdlib.h>

#include "runtime/checkpoint/protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const uint8_t *data, size_t size, int depth)
{
    struct pb_reader r = {data, data + size};
    struct pb_field f;

    while (pb_next(&r, &f) > 0) {
        if (f.is_int)
            continue;
        if (f.data < data || f.len > size || f.data + f.len > data + size)
            abort();
        if (depth > 0)
            walk(f.data, f.len, depth - 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    walk(data, size, 3);
    return 0;
}
