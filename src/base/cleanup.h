/* Scope-bound clean-up: a variable that owns something names, at its declaration, how it is given back.
 *
 *     _cleanup_free_ char *name = xstrdup("web");
 *     _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
 *     ...
 *     return take_ptr(&name);        // ownership leaves the scope
 *
 * An unset descriptor is -EBADF, an unset pointer NULL; every destructor accepts both. */
#ifndef KEG_BASE_CLEANUP_H
#define KEG_BASE_CLEANUP_H

#include <errno.h>
#include <stdlib.h>

#define _cleanup_(fn)       __attribute__((cleanup(fn)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _unused_            __attribute__((unused))
#define _must_check_        __attribute__((warn_unused_result))
#define _noreturn_          __attribute__((noreturn))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b)  ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b)  ((a) > (b) ? (a) : (b))

/* Moves the value out of an owning variable and leaves it unset. */
#define take_ptr(pp)                                                                                         \
    ({                                                                                                       \
        __auto_type take_pp_ = (pp);                                                                         \
        __auto_type take_value_ = *take_pp_;                                                                 \
        *take_pp_ = NULL;                                                                                    \
        take_value_;                                                                                         \
    })

static inline int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -EBADF;
    return taken;
}

/* Defines `void name_p(type **)`, for _cleanup_, over `type *name(type *)` or any function that takes a type *. */
#define DEFINE_CLEANUP_PTR(type, fn)                                                                         \
    static inline void fn##_p(type **pp)                                                                     \
    {                                                                                                        \
        if (*pp)                                                                                             \
            fn(*pp);                                                                                         \
    }

/* For _cleanup_(free_p): frees any heap pointer. Keeps errno. */
void free_p(void *pp);
/* For _cleanup_(close_p): closes a descriptor if it is >= 0. Keeps errno; never retries close(). */
void close_p(int *fd);
/* Closes *fd if open, sets it to -EBADF. Keeps errno. */
#define close_fd(fdp) close_p(fdp)

#define _cleanup_free_  _cleanup_(free_p)
#define _cleanup_close_ _cleanup_(close_p)

/* Allocation for small, fixed sizes: aborts when memory is out. A size that comes from outside the program
 * goes through base/buf.h, which is bounded, instead. All results are the caller's to free(). */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
/* Like realloc for `count` elements of `size` bytes, aborting on overflow and exhaustion. */
void *xreallocarray(void *old, size_t count, size_t size);
/* NULL in, NULL out. */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) _printf_(1, 2);

#endif
