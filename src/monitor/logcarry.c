/* Lines out of a stream. */
#include "monitor/logcarry.h"

#include <string.h>

#include "monitor/logline.h"

/* Completes the unfinished line from data; returns where the next line begins. */
static const char *complete(struct buf *carry, logcarry_lines *lines, void *arg, enum log_stream stream,
                            const char *data, const char *end)
{
    while (carry->len && data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t take = newline ? (size_t)(newline + 1 - data) : (size_t)(end - data);
        const char *rest;

        take = MIN_OF(take, LOGLINE_PIECE_MAX - carry->len);
        buf_append(carry, data, take);
        data += take;
        rest = lines(arg, stream, carry->data, carry->data + carry->len);
        buf_consume(carry, (size_t)(rest - carry->data));
    }
    return data;
}

void logcarry_write(struct buf *carry, logcarry_lines *lines, void *arg, enum log_stream stream,
                    const char *data, size_t len)
{
    const char *end = data + len;

    data = complete(carry, lines, arg, stream, data, end);
    data = lines(arg, stream, data, end);
    if (carry->len == 0)
        buf_finish(carry);
    if (data < end)
        buf_append(carry, data, (size_t)(end - data));
}
