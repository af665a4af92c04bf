/* Checks of numbers, sizes, durations and pairs. */
#include "cli/option_checks.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

/* What Go's strconv says of a number. */
static int number_error(struct err *err, const char *function, const char *text, int r)
{
    return err_set(err, ERR_INVALID, "strconv.%s: parsing \"%s\": %s", function, text,
                   r == -ERANGE ? "value out of range" : "invalid syntax");
}

int option_check_bool(const char *value, struct err *err)
{
    bool ignored;

    return str_to_bool(value, &ignored) < 0 ? number_error(err, "ParseBool", value, -EINVAL) : 0;
}

static int digit_value(char c)
{
    return isdigit((unsigned char)c)   ? c - '0'
           : isalpha((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                       : 99;
}

static int parse_digits(const char *text, int base, uint64_t most, uint64_t *ret)
{
    uint64_t value = 0;
    bool over = false;

    if (!*text)
        return -EINVAL;
    for (; *text; text++) {
        int digit = digit_value(*text);

        if (digit >= base)
            return -EINVAL;
        over |= value > (most - (uint64_t)digit) / (uint64_t)base;
        value = value * (uint64_t)base + (uint64_t)digit;
    }
    *ret = value;
    return over ? -ERANGE : 0;
}

int option_parse_uint(const char *text, uint64_t most, uint64_t *ret)
{
    return parse_digits(text, 10, most, ret);
}

/* The base that a prefix says; *text moves behind it. */
static int take_base(const char **text)
{
    char letter = (*text)[0] == '0' ? (char)tolower((unsigned char)(*text)[1]) : '\0';
    int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;

    if (base != 10)
        *text += 2;
    else if (letter) { /* "017" */
        base = 8;
        *text += 1;
    }
    return base;
}

int option_parse_int(const char *text, int64_t *ret)
{
    const char *digits = text + (*text == '-' || *text == '+');
    int base = take_base(&digits), r;
    uint64_t value = 0;

    r = parse_digits(digits, base, *text == '-' ? (uint64_t)INT64_MAX + 1 : INT64_MAX, &value);
    if (r == 0)
        *ret = (int64_t)(*text == '-' ? -value : value);
    return r;
}

int option_check_int(const char *value, struct err *err)
{
    int64_t ignored;
    int r = option_parse_int(value, &ignored);

    return r < 0 ? number_error(err, "ParseInt", value, r) : 0;
}

int option_check_uint16(const char *value, struct err *err)
{
    const char *digits = value;
    int base = take_base(&digits), r;
    uint64_t ignored;

    r = parse_digits(digits, base, UINT16_MAX, &ignored);
    return r < 0 ? number_error(err, "ParseUint", value, r) : 0;
}

/* ---- sizes ---- */

/* Whether Go's ParseFloat takes it: a decimal number with an optional exponent, "inf" or "nan". */
static bool is_float(const char *text, size_t len)
{
    _cleanup_free_ char *copy = xstrndup(text, len);
    char *end;

    if (!len || isspace((unsigned char)*copy) || strpbrk(copy, "xX"))
        return false;
    strtod(copy, &end);
    return *end == '\0';
}

/* "", "b", "k", "kb", "kib", … in any case */
static bool is_size_unit(const char *unit)
{
    size_t len = strlen(unit);

    if (len == 0 || (len == 1 && tolower((unsigned char)*unit) == 'b'))
        return true;
    if (len > 3 || !strchr("kmgtp", tolower((unsigned char)*unit)))
        return false;
    return len == 1 || strcasecmp(unit + 1, "b") == 0 || strcasecmp(unit + 1, "ib") == 0;
}

int option_check_bytes(const char *value, struct err *err)
{
    size_t len = strlen(value), number, unit;
    int64_t ignored;

    while (len && !strchr("0123456789. ", value[len - 1]))
        len--;
    if (!len)
        return err_set(err, ERR_INVALID, "invalid size: '%s'", value);
    unit = len;
    number = value[len - 1] == ' ' ? len - 1 : len;
    if (!is_float(value, number)) {
        _cleanup_free_ char *text = xstrndup(value, number);

        return number_error(err, "ParseFloat", text, -EINVAL);
    }
    if (*value != '-' && !is_size_unit(value + unit)) {
        _cleanup_free_ char *lower = xstrdup(value + unit);

        for (char *c = lower; strlen(lower) <= 3 && *c; c++)
            *c = (char)tolower((unsigned char)*c);
        return err_set(err, ERR_INVALID, "invalid suffix: '%s'", lower);
    }
    return str_to_bytes(value, &ignored) < 0 ? err_set(err, ERR_INVALID, "invalid size: '%s'", value) : 0;
}

int option_check_swap(const char *value, struct err *err)
{
    return str_eq(value, "-1") ? 0 : option_check_bytes(value, err);
}

/* ---- decimals ---- */

/* Digits with one point and an exponent: the digits' value (up to 18 of them) and the power of ten it is to be multiplied with. */
static int parse_decimal(const char *s, int64_t *ret_value, int *ret_power)
{
    bool point = false, any = false;
    int64_t value = 0, exponent = 0;
    int power = 0;

    for (; isdigit((unsigned char)*s) || (*s == '.' && !point); s++) {
        if (*s == '.') {
            point = true;
            continue;
        }
        any = true;
        if (value > INT64_MAX / 10 - 10)
            return -EINVAL;
        value = value * 10 + (*s - '0');
        power -= point;
    }
    if (any && (*s == 'e' || *s == 'E')) {
        if (option_parse_int(s + 1, &exponent) < 0 || exponent > 30 || exponent < -30)
            return -EINVAL;
        s = "";
    }
    *ret_value = value;
    *ret_power = power + (int)exponent;
    return any && !*s ? 0 : -EINVAL;
}

/* value × 10^power, whole: 0, -EINVAL if too large, -EDOM if it has a fraction. */
static int scale(int64_t value, int power, int64_t *ret)
{
    for (; power > 0 && value; power--)
        if (__builtin_mul_overflow(value, 10, &value))
            return -EINVAL;
    for (; power < 0 && value; power++) {
        if (value % 10)
            return -EDOM;
        value /= 10;
    }
    *ret = value;
    return 0;
}

int option_parse_nano(const char *text, int64_t *ret)
{
    const char *s = text + (*text == '-' || *text == '+'), *slash = strchr(s, '/');
    int64_t value, divisor = 1, nano;
    int power = 0, r;

    if (slash) {
        _cleanup_free_ char *above = xstrndup(s, (size_t)(slash - s));

        if (!isdigit((unsigned char)*s) || option_parse_int(above, &value) < 0 ||
            !isdigit((unsigned char)slash[1]) || option_parse_int(slash + 1, &divisor) < 0 || !divisor)
            return -EINVAL;
    } else if (parse_decimal(s, &value, &power) < 0) {
        return -EINVAL;
    }
    r = scale(value, power + 9, &nano);
    if (r < 0)
        return r;
    if (nano % divisor)
        return -EDOM;
    *ret = (*text == '-' ? -nano : nano) / divisor;
    return 0;
}

int option_check_decimal(const char *value, struct err *err)
{
    int64_t ignored;
    int r = option_parse_nano(value, &ignored);

    if (r == -EDOM)
        return err_set(err, ERR_INVALID, "value is too precise");
    return r < 0 ? err_set(err, ERR_INVALID, "failed to parse %s as a rational number", value) : 0;
}

/* ---- the others ---- */

int option_check_duration(const char *value, struct err *err)
{
    static const char *const units[] = {"ns", "us", "µs", "μs", "ms", "s", "m", "h"};
    const char *s = value + (*value == '-' || *value == '+');
    int64_t ignored;

    while (isdigit((unsigned char)*s) || (*s == '.' && isdigit((unsigned char)s[1]))) {
        size_t number = strspn(s, "0123456789."), len = strcspn(s + number, "0123456789.");
        _cleanup_free_ char *unit = xstrndup(s + number, len);
        bool known = false;

        if (!len && str_eq(s, "0") && s - value <= 1)
            return 0;
        if (!len)
            return err_set(err, ERR_INVALID, "time: missing unit in duration \"%s\"", value);
        for (size_t i = 0; i < ARRAY_SIZE(units); i++)
            known |= str_eq(unit, units[i]);
        if (!known)
            return err_set(err, ERR_INVALID, "time: unknown unit \"%s\" in duration \"%s\"", unit, value);
        s += number + len;
    }
    if (*s || clock_parse_duration(value, &ignored) < 0)
        return err_set(err, ERR_INVALID, "time: invalid duration \"%s\"", value);
    return 0;
}

int option_check_filter(const char *value, struct err *err)
{
    if (*value && !strchr(value, '='))
        return err_set(err, ERR_INVALID, "bad format of filter (expected name=value)");
    return 0;
}

int option_check_pairs(const char *value, struct err *err)
{
    _cleanup_strv_ char **parts = strv_split(value, ',');

    for (char **part = parts; *part; part++)
        if (!strchr(*part, '='))
            return err_set(err, ERR_INVALID, "%s must be formatted as key=value", *part);
    return 0;
}
