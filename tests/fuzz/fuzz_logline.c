/* Whatever a container writes: its log's text is a JSON string, and no newline gets into it. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/logline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *end = p + size;
    size_t room = 6 * size + 32;
    char *text = malloc(room);

    while (text && p < end) {
        char *out = text;
        json_t *json;

        *out++ = '[';
        *out++ = '"';
        out = logline_copy(out, &p, end);
        if (p < end && *p++ != '\n')
            abort();
        *out++ = '"';
        *out++ = ']';
        if ((size_t)(out - text) > room || memchr(text, '\n', (size_t)(out - text)))
            abort();
        json = json_loadb(text, (size_t)(out - text), JSON_ALLOW_NUL, NULL);
        if (!json)
            abort();
        json_decref(json);
    }
    if (size && logline_cut((const char *)data, size) > size)
        abort();
    free(text);
    return 0;
}
