/* A growing byte buffer that is born with a hard maximum, always NUL-terminated behind its length.
 *
 *     _cleanup_(buf_finish) struct buf b = BUF_INIT(64 * 1024);
 *     buf_printf(&b, "lowerdir=%s", path);
 *     if (buf_failed(&b)) …          // one check at the end: a failed buffer stays failed and empty appends are no-ops
 */
#ifndef KEG_BASE_BUF_H
#define KEG_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct buf {
    char *data;  /* NULL while nothing was appended */
    size_t len;  /* bytes in use */
    size_t size; /* bytes allocated */
    size_t max;  /* hard limit of len */
    int error;   /* 0, or the first -errno (-E2BIG: over max) */
};

#define BUF_INIT(maximum)                                                                                    \
    {                                                                                                        \
        .max = (maximum)                                                                                     \
    }

/* Frees the content; the buffer is as new, with the same maximum. */
void buf_finish(struct buf *b);
/* Length 0, memory kept, error cleared. */
void buf_reset(struct buf *b);
static inline bool buf_failed(const struct buf *b)
{
    return b->error != 0;
}
/* The content as a string; "" when empty. */
const char *buf_str(const struct buf *b);
/* Makes room for `extra` more bytes and returns where they go; add to len oneself. NULL on failure. */
char *buf_reserve(struct buf *b, size_t extra);
/* All return 0 or -errno; after a failure nothing more is appended. */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) _printf_(2, 3);
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) _printf_(2, 0);
/* Removes the first n bytes. */
void buf_consume(struct buf *b, size_t n);
/* Reads once from fd, up to `chunk` bytes. Returns the bytes read, 0 at the end, or -errno. */
ssize_t buf_read_fd(struct buf *b, int fd, size_t chunk);
/* The content, NUL-terminated, the caller's to free; the buffer is empty after. NULL when the buffer failed. */
char *buf_take(struct buf *b);

#endif
