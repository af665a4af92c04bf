/* Numbers as tar headers spell them. */
#include "tar/number.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>

static int parse_base256(const unsigned char *field, size_t size, int64_t *ret)
{
    bool negative = field[0] & 0x40;
    uint64_t value = negative ? UINT64_MAX : 0;

    for (size_t i = 0; i < size; i++) {
        unsigned char byte = field[i];

        if (i == 0) /* the marker bit; bit 6 is the sign */
            byte = negative ? byte | 0x80 : byte & 0x7f;
        /* What is shifted out has to be nothing but sign. */
        if (value >> 56 != (negative ? 0xffU : 0))
            return -ERANGE;
        value = value << 8 | byte;
    }
    if (((int64_t)value < 0) != negative)
        return -ERANGE;
    *ret = (int64_t)value;
    return 0;
}

int tar_number_parse(const char *field, size_t size, int64_t *ret)
{
    uint64_t value = 0;
    size_t i = 0;

    if ((unsigned char)field[0] & 0x80)
        return parse_base256((const unsigned char *)field, size, ret);
    while (i < size && (field[i] == ' ' || field[i] == '\0'))
        i++;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++) {
        if (value > (uint64_t)INT64_MAX >> 3)
            return -ERANGE;
        value = value << 3 | (uint64_t)(field[i] - '0');
    }
    if (i < size && field[i] != ' ' && field[i] != '\0')
        return -EINVAL;
    *ret = (int64_t)value;
    return 0;
}

int tar_decimal_parse(const char *text, const char *end, int64_t *ret, const char **ret_end)
{
    int64_t value = 0;
    const char *p = text;

    for (; p < end && isdigit((unsigned char)*p); p++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *p - '0', &value))
            return -ERANGE;
    if (p == text)
        return -EINVAL;
    *ret = value;
    *ret_end = p;
    return 0;
}

int tar_time_parse(const char *text, size_t len, int64_t *ret_s, int32_t *ret_ns)
{
    const char *p = text, *end = text + len;
    bool negative = p < end && *p == '-';
    int64_t seconds;
    int32_t ns = 0, unit = 100000000;
    int r;

    p += negative;
    r = tar_decimal_parse(p, end, &seconds, &p);
    if (r < 0)
        return r;
    if (p < end && *p == '.')
        for (p++; p < end && isdigit((unsigned char)*p); p++, unit /= 10)
            ns += (*p - '0') * unit;
    if (p != end)
        return -EINVAL;
    if (negative) { /* -1.25 is 0.75 s after -2 */
        seconds = -seconds - (ns > 0);
        ns = ns > 0 ? 1000000000 - ns : 0;
    }
    *ret_s = seconds;
    *ret_ns = ns;
    return 0;
}
