/* Time and its text forms. */
#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * CLOCK_NS_PER_S + t.tv_nsec;
}

int64_t clock_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void clock_format(int64_t ns, char out[CLOCK_TEXT_SIZE])
{
    time_t seconds = ns / CLOCK_NS_PER_S;
    int64_t rest = ns % CLOCK_NS_PER_S;
    struct tm tm;
    size_t n;

    if (ns == 0) {
        strcpy(out, CLOCK_ZERO_TEXT);
        return;
    }
    if (rest < 0) {
        rest += CLOCK_NS_PER_S;
        seconds--;
    }
    gmtime_r(&seconds, &tm);
    n = strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    if (rest) {
        n += (size_t)snprintf(out + n, CLOCK_TEXT_SIZE - n, ".%09lld", (long long)rest);
        while (out[n - 1] == '0')
            n--;
    }
    strcpy(out + n, "Z");
}

/* Digits after a '.', as nanoseconds. */
static const char *parse_fraction(const char *s, int64_t *ret_ns)
{
    int64_t unit = CLOCK_NS_PER_S / 10;

    *ret_ns = 0;
    if (*s != '.' || !isdigit((unsigned char)s[1]))
        return s;
    for (s++; isdigit((unsigned char)*s); s++, unit /= 10)
        *ret_ns += (*s - '0') * unit;
    return s;
}

static int parse_zone(const char *s, int64_t *ret_offset)
{
    int hours, minutes, used = 0;

    *ret_offset = 0;
    if (str_eq(s, "Z") || str_eq(s, "z") || str_eq(s, ""))
        return 0;
    if ((*s != '+' && *s != '-') || sscanf(s + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || s[1 + used])
        return -EINVAL;
    *ret_offset = (*s == '-' ? -1 : 1) * (hours * 3600 + minutes * 60) * CLOCK_NS_PER_S;
    return 0;
}

static int parse_calendar(const char *text, bool lenient, int64_t *ret_ns)
{
    static const char *const shapes[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m-%d"};

    for (size_t i = 0; i < (lenient ? ARRAY_SIZE(shapes) : 1); i++) {
        struct tm tm = {0};
        int64_t fraction, offset, ns;
        const char *rest = strptime(text, shapes[i], &tm);

        if (!rest)
            continue;
        rest = parse_fraction(rest, &fraction);
        if ((!lenient && !*rest) || parse_zone(rest, &offset) < 0)
            return -EINVAL;
        if (__builtin_mul_overflow((int64_t)timegm(&tm), CLOCK_NS_PER_S, &ns) ||
            __builtin_add_overflow(ns, fraction - offset, &ns)) /* beyond the years 1678 to 2262 */
            return -ERANGE;
        *ret_ns = ns;
        return 0;
    }
    return -EINVAL;
}

int clock_parse(const char *text, int64_t *ret_ns)
{
    if (str_eq(text, CLOCK_ZERO_TEXT)) {
        *ret_ns = 0;
        return 0;
    }
    return text ? parse_calendar(text, /* lenient= */ false, ret_ns) : -EINVAL;
}

int clock_parse_duration(const char *text, int64_t *ret_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    const char *s = text;
    double total = 0, sign = 1;

    if (str_empty(s))
        return -EINVAL;
    if (*s == '-' || *s == '+')
        sign = *s++ == '-' ? -1 : 1;
    if (str_eq(s, "0")) {
        *ret_ns = 0;
        return 0;
    }
    if (!*s)
        return -EINVAL;
    while (*s) {
        size_t best = ARRAY_SIZE(units), best_len = 0;
        double value;
        char *end;

        if (!isdigit((unsigned char)*s) && *s != '.')
            return -EINVAL;
        value = strtod(s, &end);
        for (size_t i = 0; i < ARRAY_SIZE(units); i++)
            if (str_starts(end, units[i].name) && strlen(units[i].name) > best_len) {
                best = i;
                best_len = strlen(units[i].name);
            }
        if (best == ARRAY_SIZE(units))
            return -EINVAL;
        total += value * units[best].ns;
        s = end + best_len;
    }
    if (total > 9.2e18)
        return -EINVAL;
    *ret_ns = (int64_t)(sign * total);
    return 0;
}

int clock_parse_since(const char *text, int64_t now, int64_t *ret_ns)
{
    const char *s = text;
    int64_t seconds = 0, fraction;

    if (str_empty(text))
        return -EINVAL;
    while (isdigit((unsigned char)*s))
        seconds = seconds > INT64_MAX / 11 / CLOCK_NS_PER_S ? seconds : seconds * 10 + (*s - '0'), s++;
    if (s > text) {
        const char *end = parse_fraction(s, &fraction);

        if (!*end) {
            *ret_ns = seconds * CLOCK_NS_PER_S + fraction;
            return 0;
        }
    }
    if (clock_parse_duration(text, &fraction) == 0) {
        *ret_ns = now - fraction;
        return 0;
    }
    return parse_calendar(text, /* lenient= */ true, ret_ns);
}
