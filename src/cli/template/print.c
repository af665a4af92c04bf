/* Values as Go's fmt prints them, printf's verbs, and what Docker's typed fields are when they are empty. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/template/internal.h"

/* ---- null and missing fields ---- */

enum zero { ZERO_LIST, ZERO_MAP, ZERO_POINTER, ZERO_COUNT };

/* Fields of Docker's inspect answers that may be null, and (optional) those that are left out when empty. */
static const struct {
    const char *name;
    enum zero zero;
    bool optional;
} nullable[] = {
    {"Binds", ZERO_LIST, false},
    {"CapAdd", ZERO_LIST, false},
    {"CapDrop", ZERO_LIST, false},
    {"Cmd", ZERO_LIST, false},
    {"Dns", ZERO_LIST, false},
    {"DnsOptions", ZERO_LIST, false},
    {"DnsSearch", ZERO_LIST, false},
    {"Entrypoint", ZERO_LIST, false},
    {"Env", ZERO_LIST, false},
    {"ExecIDs", ZERO_LIST, false},
    {"ExtraHosts", ZERO_LIST, false},
    {"GroupAdd", ZERO_LIST, false},
    {"Links", ZERO_LIST, false},
    {"OnBuild", ZERO_LIST, false},
    {"SecurityOpt", ZERO_LIST, false},
    {"VolumesFrom", ZERO_LIST, false},
    {"Devices", ZERO_LIST, false},
    {"DeviceRequests", ZERO_LIST, false},
    {"DeviceCgroupRules", ZERO_LIST, false},
    {"Ulimits", ZERO_LIST, false},
    {"Aliases", ZERO_LIST, false},
    {"DNSNames", ZERO_LIST, false},
    {"MaskedPaths", ZERO_LIST, false},
    {"ReadonlyPaths", ZERO_LIST, false},
    {"BlkioWeightDevice", ZERO_LIST, false},
    {"BlkioDeviceReadBps", ZERO_LIST, false},
    {"BlkioDeviceWriteBps", ZERO_LIST, false},
    {"BlkioDeviceReadIOps", ZERO_LIST, false},
    {"BlkioDeviceWriteIOps", ZERO_LIST, false},
    {"RepoTags", ZERO_LIST, false},
    {"RepoDigests", ZERO_LIST, false},
    {"SecondaryIPAddresses", ZERO_LIST, false},
    {"SecondaryIPv6Addresses", ZERO_LIST, false},
    {"Mounts", ZERO_LIST, true},
    {"Shell", ZERO_LIST, true},
    {"Volumes", ZERO_MAP, false},
    {"Labels", ZERO_MAP, false},
    {"PortBindings", ZERO_MAP, false},
    {"Options", ZERO_MAP, false},
    {"DriverOpts", ZERO_MAP, false},
    {"Ports", ZERO_MAP, false},
    {"ExposedPorts", ZERO_MAP, true},
    {"Tmpfs", ZERO_MAP, true},
    {"Sysctls", ZERO_MAP, true},
    {"StorageOpt", ZERO_MAP, true},
    {"Annotations", ZERO_MAP, true},
    {"Status", ZERO_MAP, true},
    {"Health", ZERO_POINTER, true},
    {"Healthcheck", ZERO_POINTER, true},
    {"Init", ZERO_POINTER, true},
    {"StopTimeout", ZERO_POINTER, true},
    {"MemorySwappiness", ZERO_POINTER, false},
    {"OomKillDisable", ZERO_POINTER, false},
    {"PidsLimit", ZERO_POINTER, false},
    {"SizeRw", ZERO_POINTER, true},
    {"SizeRootFs", ZERO_POINTER, true},
    {"IPAMConfig", ZERO_POINTER, false},
    {"UsageData", ZERO_POINTER, true},
};

static json_t *zero_value(enum zero zero)
{
    static json_t *zeros[ZERO_COUNT];

    if (!zeros[zero])
        zeros[zero] = zero == ZERO_LIST  ? json_array()
                      : zero == ZERO_MAP ? json_object()
                                         : json_string("<nil>");
    return zeros[zero];
}

json_t *template_null(const char *field, bool missing)
{
    for (size_t i = 0; i < ARRAY_SIZE(nullable); i++)
        if ((!missing || nullable[i].optional) && str_eq(nullable[i].name, field))
            return zero_value(nullable[i].zero);
    return NULL;
}

bool template_is_nil(const json_t *value)
{
    return value && (value == zero_value(ZERO_LIST) || value == zero_value(ZERO_MAP) ||
                     value == zero_value(ZERO_POINTER));
}

bool value_is_true(const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_NULL:
    case JSON_FALSE:
        return false;
    case JSON_TRUE:
        return true;
    case JSON_STRING:
        return json_string_length(value) > 0 && !template_is_nil(value);
    case JSON_INTEGER:
        return json_integer_value(value) != 0;
    case JSON_REAL:
        return fpclassify(json_real_value(value)) != FP_ZERO;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    case JSON_OBJECT:
        return json_object_size(value) > 0;
    }
    return false;
}

const char *value_type(const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
        return "int";
    case JSON_REAL:
        return "float64";
    case JSON_TRUE:
    case JSON_FALSE:
        return "bool";
    case JSON_ARRAY:
        return "[]interface {}";
    case JSON_OBJECT:
        return "map[string]interface {}";
    default:
        return "<nil>";
    }
}

/* ---- %v ---- */

/* The shortest text that reads back as the same number, as Go's strconv 'g' with exponents from 1e21 on. */
static void print_real(struct buf *out, double number)
{
    char text[64];

    for (int precision = 1; precision <= 17; precision++) {
        snprintf(text, sizeof(text), "%.*g", precision, number);
        if (strtod(text, NULL) >= number && strtod(text, NULL) <= number)
            break;
    }
    if (strchr(text, 'e') && fabs(number) >= 1e-4 && fabs(number) < 1e21)
        snprintf(text, sizeof(text), "%.0f", number);
    buf_puts(out, text);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A member's name as Go structs have them; maps have other keys (addresses, labels, paths), mostly. */
static bool is_field_name(const char *key)
{
    if (!isupper((unsigned char)*key))
        return false;
    for (; *key; key++)
        if (!isalnum((unsigned char)*key))
            return false;
    return true;
}

static bool is_struct(const json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)object, key, value) {
        if (!is_field_name(key))
            return false;
    }
    return json_object_size(object) > 0;
}

static void print_inner(struct buf *out, const json_t *value);

static void print_object(struct buf *out, const json_t *object)
{
    size_t count = json_object_size(object), i = 0;
    const char **keys = xreallocarray(NULL, count + 1, sizeof(*keys)), *key;
    bool fields = is_struct(object);
    json_t *value;

    json_object_foreach ((json_t *)object, key, value)
        keys[i++] = key;
    if (!fields)
        qsort(keys, count, sizeof(*keys), compare_keys);
    buf_puts(out, fields ? "{" : "map[");
    for (i = 0; i < count; i++) {
        buf_puts(out, i ? " " : "");
        if (!fields)
            buf_printf(out, "%s:", keys[i]);
        value = json_object_get(object, keys[i]);
        if (!fields && json_is_object(value) && !json_object_size(value))
            buf_puts(out, "{}"); /* a set's values are empty structs */
        else
            print_inner(out, value);
    }
    buf_putc(out, fields ? '}' : ']');
    free(keys);
}

static void print_inner(struct buf *out, const json_t *value)
{
    if (json_is_null(value))
        buf_puts(out, "<nil>");
    else
        print_value(out, value);
}

void print_value(struct buf *out, const json_t *value)
{
    const json_t *item;
    size_t i;

    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_NULL:
        buf_puts(out, "<nil>");
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        buf_puts(out, json_is_true(value) ? "true" : "false");
        break;
    case JSON_STRING:
        buf_append(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        buf_printf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        print_real(out, json_real_value(value));
        break;
    case JSON_ARRAY:
        buf_putc(out, '[');
        json_array_foreach (value, i, item) {
            buf_puts(out, i ? " " : "");
            print_inner(out, item);
        }
        buf_putc(out, ']');
        break;
    case JSON_OBJECT:
        print_object(out, value);
        break;
    }
}

/* ---- printf ---- */

struct verb {
    bool minus, plus, sharp, zero, space;
    int width;     /* 0: none */
    int precision; /* -1: none */
    char letter;
};

static const char *parse_verb(const char *p, struct verb *v)
{
    *v = (struct verb){.precision = -1};
    for (;; p++) {
        v->minus |= *p == '-';
        v->plus |= *p == '+';
        v->sharp |= *p == '#';
        v->zero |= *p == '0';
        v->space |= *p == ' ';
        if (!*p || !strchr("-+#0 ", *p))
            break;
    }
    for (; isdigit((unsigned char)*p); p++)
        v->width = MIN_OF(v->width * 10 + (*p - '0'), 10000);
    if (*p == '.')
        for (p++, v->precision = 0; isdigit((unsigned char)*p); p++)
            v->precision = MIN_OF(v->precision * 10 + (*p - '0'), 10000);
    v->letter = *p;
    return *p ? p + 1 : p;
}

static size_t count_characters(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += (*s & 0xc0) != 0x80;
    return n;
}

static void pad_to_width(struct buf *out, const char *text, const struct verb *v)
{
    int blanks = v->width - (int)count_characters(text);

    if (!v->minus)
        for (; blanks > 0; blanks--)
            buf_putc(out, v->zero && v->letter != 's' && v->letter != 'v' && v->letter != 'q' ? '0' : ' ');
    buf_puts(out, text);
    for (; blanks > 0; blanks--)
        buf_putc(out, ' ');
}

/* A number by way of C's printf, whose verbs agree with Go's for these. False if the value doesn't fit the verb. */
static bool print_number(struct buf *out, const struct verb *v, const json_t *value)
{
    char format[64], precision[16] = "";
    bool integer = strchr("dxXoc", v->letter) && json_is_integer(value);
    bool real = strchr("feEgG", v->letter) && json_is_number(value);

    if (v->precision >= 0)
        snprintf(precision, sizeof(precision), ".%d", v->precision);
    snprintf(format, sizeof(format), "%%%s%s%s%s%s%.0d%s%s%c", v->minus ? "-" : "", v->plus ? "+" : "",
             v->sharp ? "#" : "", v->zero ? "0" : "", v->space ? " " : "", v->width, precision,
             integer && v->letter != 'c' ? "ll" : "", v->letter);
    if (integer && v->letter == 'c')
        buf_printf(out, format, (int)json_integer_value(value));
    else if (integer)
        buf_printf(out, format, (long long)json_integer_value(value));
    else if (real && json_is_real(value))
        buf_printf(out, format, json_real_value(value));
    return integer || (real && json_is_real(value));
}

static void print_quoted(struct buf *out, const char *text)
{
    static const char plain[] = "\n\t\r\"\\", letters[] = "ntr\"\\";

    buf_putc(out, '"');
    for (; *text; text++) {
        const char *special = strchr(plain, *text);

        if (special)
            buf_printf(out, "\\%c", letters[special - plain]);
        else if ((unsigned char)*text < 0x20 || *text == 0x7f)
            buf_printf(out, "\\x%02x", (unsigned char)*text);
        else
            buf_putc(out, *text);
    }
    buf_putc(out, '"');
}

static void print_binary(struct buf *out, json_int_t value)
{
    unsigned long long rest = value < 0 ? -(unsigned long long)value : (unsigned long long)value;
    char digits[66], *at = digits + sizeof(digits) - 1;

    *at = '\0';
    do
        *--at = (char)('0' + rest % 2);
    while (rest /= 2);
    buf_printf(out, "%s%s", value < 0 ? "-" : "", at);
}

static void print_verb(struct buf *out, const struct verb *v, const json_t *value)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(64 * 1024 * 1024);
    const char *string = json_string_value(value);

    if (print_number(out, v, value))
        return;
    if (v->letter == 'v' || (v->letter == 's' && !json_is_number(value) && !json_is_boolean(value)) ||
        (v->letter == 't' && json_is_boolean(value))) {
        print_value(&text, value);
    } else if (v->letter == 'q' && string) {
        print_quoted(&text, string);
    } else if ((v->letter == 'x' || v->letter == 'X') && string) {
        for (; *string; string++)
            buf_printf(&text, v->letter == 'x' ? "%02x" : "%02X", (unsigned char)*string);
    } else if (v->letter == 'U' && json_is_integer(value)) {
        buf_printf(&text, "U+%04llX", (unsigned long long)json_integer_value(value));
    } else if (v->letter == 'b' && json_is_integer(value)) {
        print_binary(&text, json_integer_value(value));
    } else if (v->letter == 'T') {
        buf_puts(&text, value_type(value));
    } else {
        buf_printf(&text, "%%!%c(%s=", v->letter, value_type(value));
        print_value(&text, value);
        buf_putc(&text, ')');
    }
    if (v->precision >= 0 && strchr("sv", v->letter) && string && (size_t)v->precision < text.len)
        text.data[v->precision] = '\0';
    pad_to_width(out, buf_str(&text), v);
}

void print_format(struct buf *out, const char *format, json_t *const *args, size_t count)
{
    size_t used = 0;

    while (*format) {
        size_t plain = strcspn(format, "%");
        struct verb v;

        buf_append(out, format, plain);
        format += plain;
        if (!*format)
            break;
        format = parse_verb(format + 1, &v);
        if (v.letter == '%')
            buf_putc(out, '%');
        else if (!v.letter)
            buf_puts(out, "%!(NOVERB)");
        else if (used >= count)
            buf_printf(out, "%%!%c(MISSING)", v.letter);
        else
            print_verb(out, &v, args[used++]);
    }
    for (size_t i = used; i < count; i++) {
        buf_printf(out, "%s%s=", i == used ? "%!(EXTRA " : ", ", value_type(args[i]));
        print_value(out, args[i]);
        if (i + 1 == count)
            buf_putc(out, ')');
    }
}
