/* Detach keys from a request, and any typing against them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/detach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *out = malloc(size + DETACH_KEYS_MAX);
    struct detach d;
    bool detached;

    if (!text || !out)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    if (detach_parse(&d, text) == 0) {
        size_t passed = detach_filter(&d, text, size, out, &detached);

        if (d.count == 0 || d.count > DETACH_KEYS_MAX || passed > size || d.matched >= d.count)
            abort();
    }
    free(text);
    free(out);
    return 0;
}
