/* Error kinds and their tables. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int http_status;
    int exit_code;
} kinds[ERR_KIND_COUNT] = {
    [ERR_NONE] = {"none", 200, 0},
    [ERR_NOT_FOUND] = {"not found", 404, 125},
    [ERR_CONFLICT] = {"conflict", 409, 125},
    [ERR_INVALID] = {"invalid", 400, 125},
    [ERR_UNAUTHORIZED] = {"unauthorized", 401, 125},
    [ERR_FORBIDDEN] = {"forbidden", 403, 125},
    [ERR_UNAVAILABLE] = {"unavailable", 503, 125},
    [ERR_NOT_MODIFIED] = {"not modified", 304, 125},
    [ERR_NOT_IMPLEMENTED] = {"not implemented", 501, 125},
    [ERR_CANNOT_INVOKE] = {"cannot invoke", 400, 126},
    [ERR_NO_PROGRAM] = {"no program", 400, 127},
    [ERR_CANCELLED] = {"cancelled", 499, 125},
    [ERR_SYSTEM] = {"system", 500, 125},
};

static void format_message(struct err *err, const char *suffix, const char *fmt, va_list ap)
{
    int n = vsnprintf(err->message, sizeof(err->message), fmt, ap);

    if (suffix && n >= 0 && (size_t)n < sizeof(err->message))
        snprintf(err->message + n, sizeof(err->message) - (size_t)n, "%s%s", n > 0 ? ": " : "", suffix);
}

/* In Go's wording, which Docker's programs look for ("no such file or directory"): strerror's in small letters. */
static const char *reason(int errnum, char *out, size_t size)
{
    snprintf(out, size, "%s", strerror(errnum));
    if (*out >= 'A' && *out <= 'Z')
        *out = (char)(*out + ('a' - 'A'));
    return out;
}

int(err_set)(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return -1;
    err->kind = kind;
    err->errnum = 0;
    va_start(ap, fmt);
    format_message(err, NULL, fmt, ap);
    va_end(ap);
    return -1;
}

int(err_errno)(struct err *err, int errnum, const char *fmt, ...)
{
    char text[100];
    va_list ap;

    if (!err)
        return -1;
    err->kind = ERR_SYSTEM;
    err->errnum = errnum < 0 ? -errnum : errnum;
    va_start(ap, fmt);
    format_message(err, reason(err->errnum, text, sizeof(text)), fmt, ap);
    va_end(ap);
    return -1;
}

int(err_wrap)(struct err *err, const char *fmt, ...)
{
    char inner[sizeof(err->message)];
    va_list ap;

    if (!err)
        return -1;
    memcpy(inner, err->message, sizeof(inner));
    va_start(ap, fmt);
    format_message(err, inner, fmt, ap);
    va_end(ap);
    return -1;
}

void err_add(struct err *err, const char *fmt, ...)
{
    size_t n = err ? strlen(err->message) : 0;
    va_list ap;

    if (!err || n + 3 >= sizeof(err->message))
        return;
    memcpy(err->message + n, "; ", 3);
    va_start(ap, fmt);
    vsnprintf(err->message + n + 2, sizeof(err->message) - n - 2, fmt, ap);
    va_end(ap);
}

const char *err_kind_name(enum err_kind kind)
{
    return kind < ERR_KIND_COUNT ? kinds[kind].name : "system";
}

enum err_kind err_kind_from_name(const char *name)
{
    for (size_t i = 0; name && i < ERR_KIND_COUNT; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return (enum err_kind)i;
    return ERR_SYSTEM;
}

int err_kind_http_status(enum err_kind kind)
{
    return kind < ERR_KIND_COUNT ? kinds[kind].http_status : 500;
}

int err_kind_exit_code(enum err_kind kind)
{
    return kind < ERR_KIND_COUNT ? kinds[kind].exit_code : 125;
}
