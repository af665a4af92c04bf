/* What went wrong, for everything above `base` and `sys` (which return 0 or more, or -errno).
 *
 * The last parameter of a fallible function is `struct err *err`: owned by the caller, untouched on success,
 * NULL when the caller doesn't care. The function returns 0 or -1 (or NULL). A struct err owns no memory, so
 * it can be copied, and sent over a pipe from a child. Branch on `kind`, never on the text.
 *
 *     if (volume_mount(v, &err) < 0)
 *         return err_wrap(err, "cannot start %s", name);   // "cannot start web: mount /data: no such file…"
 */
#ifndef KEG_BASE_ERR_H
#define KEG_BASE_ERR_H

#include "base/cleanup.h"

/* To add a kind: a row in err.c's table (name, HTTP status, exit code) in the same order. */
enum err_kind {
    ERR_NONE,
    ERR_NOT_FOUND,       /* the named thing doesn't exist */
    ERR_CONFLICT,        /* its state or name forbids this now */
    ERR_INVALID,         /* the request, file or archive is wrong: the caller's to mend */
    ERR_UNAUTHORIZED,    /* credentials are missing or wrong */
    ERR_FORBIDDEN,       /* not allowed */
    ERR_UNAVAILABLE,     /* something needed doesn't answer: try again */
    ERR_NOT_MODIFIED,    /* already so */
    ERR_NOT_IMPLEMENTED, /* keg or this kernel doesn't do that */
    ERR_CANNOT_INVOKE,   /* the container's program can't be executed (exit 126) */
    ERR_NO_PROGRAM,      /* the container's program doesn't exist (exit 127) */
    ERR_CANCELLED,       /* the one who asked went away */
    ERR_SYSTEM,          /* a system call or our own fault */
    ERR_KIND_COUNT
};

struct err {
    enum err_kind kind;
    int errnum; /* positive errno, 0 if none */
    char message[1000];
};

/* All three return -1, so that `return err_set(err, …)` reads well. They accept err == NULL. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) _printf_(3, 4);
/* "FMT: no such file or directory" for ENOENT; errnum may be given negative. The kind is ERR_SYSTEM. */
int err_errno(struct err *err, int errnum, const char *fmt, ...) _printf_(3, 4);
/* Puts "FMT: " before the message; the kind stays. */
int err_wrap(struct err *err, const char *fmt, ...) _printf_(2, 3);
/* Puts "; FMT" after the message, for what went wrong besides; the kind stays. */
void err_add(struct err *err, const char *fmt, ...) _printf_(2, 3);

/* Hands on an error that was kept aside. */
static inline int err_pass(struct err *err, const struct err *kept)
{
    if (err)
        *err = *kept;
    return -1;
}

/* They are functions; as macros they also tell compilers and analyzers what they return. */
#define err_set(err, ...)                                                                                    \
    ({                                                                                                       \
        (err_set)(err, __VA_ARGS__);                                                                         \
        -1;                                                                                                  \
    })
#define err_errno(err, ...)                                                                                  \
    ({                                                                                                       \
        (err_errno)(err, __VA_ARGS__);                                                                       \
        -1;                                                                                                  \
    })
#define err_wrap(err, ...)                                                                                   \
    ({                                                                                                       \
        (err_wrap)(err, __VA_ARGS__);                                                                        \
        -1;                                                                                                  \
    })

/* "not found", "conflict", … */
const char *err_kind_name(enum err_kind kind);
/* The kind with that name, ERR_SYSTEM for an unknown one. */
enum err_kind err_kind_from_name(const char *name);
/* The HTTP status of a kind (404, 409, 400, …). */
int err_kind_http_status(enum err_kind kind);
/* The command line's exit code for a kind: 125, 126 or 127, as docker run uses them. */
int err_kind_exit_code(enum err_kind kind);

#endif
