/* The bounded growing buffer. */
#include "base/buf.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void buf_finish(struct buf *b)
{
    int saved = errno;

    free(b->data);
    b->data = NULL;
    b->len = b->size = 0;
    b->error = 0;
    errno = saved;
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->error = 0;
    if (b->data)
        b->data[0] = '\0';
}

const char *buf_str(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_reserve(struct buf *b, size_t extra)
{
    size_t size;
    char *grown;

    if (b->error)
        return NULL;
    if (extra > b->max || b->len > b->max - extra) {
        b->error = -E2BIG;
        return NULL;
    }
    if (b->len + extra < b->size)
        return b->data + b->len;
    size = b->size ? b->size * 2 : 256;
    if (size < b->len + extra + 1)
        size = b->len + extra + 1;
    if (size > b->max + 1)
        size = b->max + 1;
    grown = realloc(b->data, size);
    if (!grown) {
        b->error = -ENOMEM;
        return NULL;
    }
    b->data = grown;
    b->size = size;
    return b->data + b->len;
}

int buf_append(struct buf *b, const void *data, size_t len)
{
    char *room = buf_reserve(b, len);

    if (!room)
        return b->error;
    if (len)
        memcpy(room, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return 0;
}

int buf_puts(struct buf *b, const char *s)
{
    return buf_append(b, s, strlen(s));
}

int buf_putc(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    char *room;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0) {
        b->error = b->error ? b->error : -EINVAL;
        return b->error;
    }
    room = buf_reserve(b, (size_t)n);
    if (!room)
        return b->error;
    vsnprintf(room, (size_t)n + 1, fmt, ap);
    b->len += (size_t)n;
    return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return r;
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
    } else {
        memmove(b->data, b->data + n, b->len - n);
        b->len -= n;
    }
    if (b->data)
        b->data[b->len] = '\0';
}

ssize_t buf_read_fd(struct buf *b, int fd, size_t chunk)
{
    size_t room = b->max > b->len ? b->max - b->len : 0;
    char *at = buf_reserve(b, chunk < room ? chunk : MAX_OF(room, (size_t)1));
    ssize_t n;

    if (!at)
        return b->error;
    do
        n = read(fd, at, MIN_OF(chunk, room));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    b->len += (size_t)n;
    b->data[b->len] = '\0';
    return n;
}

char *buf_take(struct buf *b)
{
    char *data;

    if (b->error)
        return NULL;
    data = b->data ? b->data : xstrdup("");
    b->data = NULL;
    b->len = b->size = 0;
    return data;
}
