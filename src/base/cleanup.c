/* Destructors that keep errno, and allocators that abort. */
#include "base/cleanup.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void free_p(void *pp)
{
    int saved = errno;
    void **p = pp;

    free(*p);
    *p = NULL;
    errno = saved;
}

void close_p(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -EBADF;
    errno = saved;
}

static void *check_memory(void *p)
{
    if (!p) {
        static const char message[] = "keg: out of memory\n";
        if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
            abort();
        abort();
    }
    return p;
}

void *xmalloc(size_t size)
{
    return check_memory(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return check_memory(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *old, size_t size)
{
    return check_memory(realloc(old, size ? size : 1));
}

void *xreallocarray(void *old, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return check_memory(NULL);
    return xrealloc(old, total);
}

char *xstrdup(const char *s)
{
    return s ? check_memory(strdup(s)) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
    return s ? check_memory(strndup(s, n)) : NULL;
}

char *xasprintf(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return check_memory(n < 0 ? NULL : s);
}
