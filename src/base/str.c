/* Strings, string vectors, strict numbers. */
#include "base/str.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

bool str_starts(const char *s, const char *prefix)
{
    return str_after(s, prefix) != NULL;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

const char *str_after(const char *s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s && strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

void strv_free(char **v)
{
    int saved = errno;

    for (char **p = v; p && *p; p++)
        free(*p);
    free(v);
    errno = saved;
}

void strv_free_p(char ***v)
{
    strv_free(*v);
    *v = NULL;
}

size_t strv_len(char *const *v)
{
    size_t n = 0;

    while (v && v[n])
        n++;
    return n;
}

void strv_push_take(char ***v, char *s)
{
    size_t n = strv_len(*v);

    *v = xreallocarray(*v, n + 2, sizeof(char *));
    (*v)[n] = s;
    (*v)[n + 1] = NULL;
}

void strv_push(char ***v, const char *s)
{
    strv_push_take(v, xstrdup(s));
}

bool strv_contains(char *const *v, const char *s)
{
    for (; v && *v; v++)
        if (strcmp(*v, s) == 0)
            return true;
    return false;
}

char **strv_split(const char *s, char separator)
{
    char **v = NULL;

    for (;;) {
        const char *end = strchr(s, separator);

        strv_push_take(&v, end ? xstrndup(s, (size_t)(end - s)) : xstrdup(s));
        if (!end)
            return v;
        s = end + 1;
    }
}

char *strv_join(char *const *v, const char *separator)
{
    size_t total = 1, step = strlen(separator);
    char *joined, *at;

    for (char *const *p = v; p && *p; p++)
        total += strlen(*p) + step;
    at = joined = xmalloc(total);
    for (char *const *p = v; p && *p; p++) {
        if (p != v)
            at = stpcpy(at, separator);
        at = stpcpy(at, *p);
    }
    *at = '\0';
    return joined;
}

int str_to_u64(const char *s, uint64_t *ret)
{
    uint64_t value = 0;

    if (str_empty(s))
        return -EINVAL;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
            return -ERANGE;
    }
    *ret = value;
    return 0;
}

int str_to_u32(const char *s, uint32_t *ret)
{
    uint64_t value;
    int r = str_to_u64(s, &value);

    if (r < 0)
        return r;
    if (value > UINT32_MAX)
        return -ERANGE;
    *ret = (uint32_t)value;
    return 0;
}

int str_to_i64(const char *s, int64_t *ret)
{
    bool negative = s && *s == '-';
    uint64_t value;
    int r = str_to_u64(negative ? s + 1 : s, &value);

    if (r < 0)
        return r;
    if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return -ERANGE;
    *ret = negative ? (int64_t)(0 - value) : (int64_t)value;
    return 0;
}

int str_to_bytes(const char *s, int64_t *ret)
{
    static const char units[] = "bkmgtp";
    double value, scale = 1;
    const char *unit;
    char *end;

    if (str_empty(s) || !(isdigit((unsigned char)*s) || *s == '.'))
        return -EINVAL;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
        return -EINVAL;
    errno = 0;
    value = strtod(s, &end);
    if (errno || end == s)
        return -EINVAL;
    while (*end == ' ')
        end++;
    if (*end) {
        unit = strchr(units, tolower((unsigned char)*end));
        if (!unit)
            return -EINVAL;
        for (const char *u = units; u < unit; u++)
            scale *= 1024;
        end++;
        if (scale > 1 && tolower((unsigned char)*end) == 'i')
            end++;
        if (scale > 1 && tolower((unsigned char)*end) == 'b')
            end++;
        if (*end)
            return -EINVAL;
    }
    value *= scale;
    if (!isfinite(value) || value >= (double)INT64_MAX)
        return -ERANGE;
    *ret = (int64_t)value;
    return 0;
}

int str_to_bool(const char *s, bool *ret)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (str_eq(s, yes[i])) {
            *ret = true;
            return 0;
        }
        if (str_eq(s, no[i])) {
            *ret = false;
            return 0;
        }
    }
    return -EINVAL;
}

void hex_encode(const void *data, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = data;

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = '\0';
}

/* Where a filter forbids getrandom(2). */
static bool read_urandom(void *bytes, size_t n)
{
    _cleanup_close_ int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

    return fd >= 0 && read(fd, bytes, n) == (ssize_t)n;
}

void random_hex(char *out, size_t n)
{
    unsigned char bytes[64];

    while (n) {
        size_t step = MIN_OF(n, sizeof(bytes));

        if (getrandom(bytes, step, 0) != (ssize_t)step && !read_urandom(bytes, step))
            abort();
        hex_encode(bytes, step, out);
        out += 2 * step;
        n -= step;
    }
}
