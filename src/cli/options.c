/* The command line, parsed against option rows with the rules and messages of the Go library that docker uses. */
#include "cli/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/create.h"

/* A validator says what is wrong with a value (in err's message), 0 or -1. */
static int check_bool(const char *value, struct err *err)
{
    bool ignored;

    if (str_to_bool(value, &ignored) < 0)
        return err_set(err, ERR_INVALID, "strconv.ParseBool: parsing \"%s\": invalid syntax", value);
    return 0;
}

static int check_int(const char *value, struct err *err)
{
    int64_t ignored;

    if (str_to_i64(value[0] == '+' ? value + 1 : value, &ignored) < 0)
        return err_set(err, ERR_INVALID, "strconv.ParseInt: parsing \"%s\": invalid syntax", value);
    return 0;
}

static int check_uint16(const char *value, struct err *err)
{
    uint32_t number;
    int r = str_to_u32(value, &number);

    if (r == -EINVAL)
        return err_set(err, ERR_INVALID, "strconv.ParseUint: parsing \"%s\": invalid syntax", value);
    if (r < 0 || number > UINT16_MAX)
        return err_set(err, ERR_INVALID, "strconv.ParseUint: parsing \"%s\": value out of range", value);
    return 0;
}

static int check_bytes(const char *value, struct err *err)
{
    int64_t ignored;

    if (str_to_bytes(value, &ignored) < 0)
        return err_set(err, ERR_INVALID, "invalid size: '%s'", value);
    return 0;
}

static int check_swap(const char *value, struct err *err)
{
    return str_eq(value, "-1") ? 0 : check_bytes(value, err);
}

/* Decimal digits with one optional point, as billionths. */
static int parse_nano(const char *value, int64_t *ret_nano)
{
    double number;
    char *end;

    if (!isdigit((unsigned char)value[0]) && value[0] != '.' && value[0] != '-')
        return -EINVAL;
    number = strtod(value, &end);
    if (*end || number > 9e9 || number < -9e9)
        return -EINVAL;
    *ret_nano = (int64_t)(number * 1e9 + (number < 0 ? -0.5 : 0.5));
    return 0;
}

static int check_decimal(const char *value, struct err *err)
{
    int64_t ignored;

    if (parse_nano(value, &ignored) < 0)
        return err_set(err, ERR_INVALID, "failed to parse %s as a rational number", value);
    return 0;
}

static int check_duration(const char *value, struct err *err)
{
    int64_t ignored;

    if (clock_parse_duration(value, &ignored) < 0)
        return err_set(err, ERR_INVALID, "time: invalid duration \"%s\"", value);
    return 0;
}

static int check_filter(const char *value, struct err *err)
{
    if (*value && !strchr(value, '='))
        return err_set(err, ERR_INVALID, "bad format of filter (expected name=value)");
    return 0;
}

static int check_pairs(const char *value, struct err *err)
{
    _cleanup_strv_ char **parts = strv_split(value, ',');

    for (char **part = parts; *part; part++)
        if (!strchr(*part, '='))
            return err_set(err, ERR_INVALID, "%s must be formatted as key=value", *part);
    return 0;
}

static const struct {
    const char *type;
    int (*check)(const char *value, struct err *err); /* NULL: anything goes */
    bool repeats;
} kinds[OPTION_KIND_COUNT] = {
    [OPTION_BOOL] = {"", check_bool},
    [OPTION_STRING] = {"string"},
    [OPTION_INT] = {"int", check_int},
    [OPTION_UINT16] = {"uint16", check_uint16},
    [OPTION_LIST] = {"list", NULL, true},
    [OPTION_STRINGS] = {"strings", NULL, true},
    [OPTION_MAP] = {"map", NULL, true},
    [OPTION_PAIRS] = {"stringToString", check_pairs, true},
    [OPTION_FILTER] = {"filter", check_filter, true},
    [OPTION_BYTES] = {"bytes", check_bytes},
    [OPTION_SWAP] = {"bytes", check_swap},
    [OPTION_DECIMAL] = {"decimal", check_decimal},
    [OPTION_DURATION] = {"duration", check_duration},
    [OPTION_ULIMIT] = {"ulimit", create_check_ulimit, true},
    [OPTION_MOUNT] = {"mount", create_check_mount, true},
    [OPTION_NETWORK] = {"network", create_check_network, true},
    [OPTION_GPUS] = {"gpu-request", create_check_gpus, true},
};

const char *option_kind_type(enum option_kind kind)
{
    return kinds[kind].type;
}

void option_display(const struct option_row *row, char *out, size_t size)
{
    if (row->letter)
        snprintf(out, size, "-%c, --%s", row->letter, row->name);
    else
        snprintf(out, size, "--%s", row->name);
}

static struct option_value *find_value(const struct args *args, const char *name, size_t len)
{
    for (size_t i = 0; i < args->value_count; i++) {
        const char *row_name = args->values[i].row->name;

        if (strncmp(row_name, name, len) == 0 && row_name[len] == '\0')
            return &args->values[i];
    }
    return NULL;
}

static struct option_value *find_letter(const struct args *args, char letter)
{
    for (size_t i = 0; i < args->value_count; i++)
        if (args->values[i].row->letter == letter)
            return &args->values[i];
    return NULL;
}

static int store_value(struct option_value *v, const char *text, struct err *err)
{
    enum option_kind kind = v->row->kind;
    struct err why;
    char display[80];

    if (kinds[kind].check && kinds[kind].check(text, &why) < 0) {
        option_display(v->row, display, sizeof(display));
        return err_set(err, ERR_INVALID, "invalid argument \"%s\" for \"%s\" flag: %s", text, display,
                       why.message);
    }
    v->text = text;
    if (kind == OPTION_STRINGS || kind == OPTION_PAIRS) {
        char **parts = strv_split(text, ',');

        for (char **p = parts; *p; p++)
            strv_push_take(&v->list, *p);
        free(parts);
    } else if (kinds[kind].repeats) {
        strv_push(&v->list, text);
    }
    return 0;
}

/* "--name", "--name=value", "--name value" (the latter not for a bool). *i is left at the last argument used. */
static int parse_long(struct args *args, int argc, char **argv, int *i, struct err *err)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    struct option_value *v = find_value(args, name, len);

    if (!v && len == 4 && strncmp(name, "help", 4) == 0) {
        args->help = true;
        return 0;
    }
    if (!v)
        return err_set(err, ERR_INVALID, "unknown flag: --%.*s", (int)len, name);
    if (equals)
        return store_value(v, equals + 1, err);
    if (v->row->kind == OPTION_BOOL)
        return store_value(v, "true", err);
    if (*i + 1 >= argc)
        return err_set(err, ERR_INVALID, "flag needs an argument: --%s", name);
    return store_value(v, argv[++*i], err);
}

/* "-a", "-abc", "-nvalue", "-n=value", "-n value" */
static int parse_letters(struct args *args, int argc, char **argv, int *i, struct err *err)
{
    const char *all = argv[*i], *p = all + 1;

    for (; *p; p++) {
        struct option_value *v = find_letter(args, *p);

        if (!v && *p == 'h') {
            fputs("Flag shorthand -h has been deprecated, use --help\n", stderr);
            args->help = true;
            return 0;
        }
        if (!v)
            return err_set(err, ERR_INVALID, "unknown shorthand flag: '%c' in %s", *p, all);
        if (p[1] == '=')
            return store_value(v, p + 2, err);
        if (v->row->kind == OPTION_BOOL) {
            if (store_value(v, "true", err) < 0)
                return -1;
            continue;
        }
        if (p[1])
            return store_value(v, p + 1, err);
        if (*i + 1 >= argc)
            return err_set(err, ERR_INVALID, "flag needs an argument: '%c' in %s", *p, all);
        return store_value(v, argv[++*i], err);
    }
    return 0;
}

static void collect_rows(struct args *args, const option_tables *tables)
{
    size_t n = 0;

    for (size_t t = 0; t < OPTION_TABLES_MAX && (*tables)[t]; t++)
        for (const struct option_row *row = (*tables)[t]; row->name; row++)
            n++;
    args->values = xcalloc(n + 1, sizeof(*args->values));
    for (size_t t = 0; t < OPTION_TABLES_MAX && (*tables)[t]; t++)
        for (const struct option_row *row = (*tables)[t]; row->name; row++)
            args->values[args->value_count++].row = row;
}

int args_parse(struct args *args, const option_tables *tables, bool interspersed, int argc, char **argv,
               struct err *err)
{
    collect_rows(args, tables);
    args->rest = xcalloc((size_t)argc + 1, sizeof(char *));
    for (int i = 0; i < argc && !args->help; i++) {
        const char *arg = argv[i];
        int r;

        if (arg[0] != '-' || !arg[1]) {
            args->rest[args->rest_count++] = argv[i];
            if (interspersed)
                continue;
        }
        if (arg[0] != '-' || !arg[1] || str_eq(arg, "--")) {
            while (++i < argc)
                args->rest[args->rest_count++] = argv[i];
            return 0;
        }
        r = arg[1] == '-' ? parse_long(args, argc, argv, &i, err) : parse_letters(args, argc, argv, &i, err);
        if (r < 0)
            return -1;
    }
    return 0;
}

void args_finish(struct args *args)
{
    for (size_t i = 0; i < args->value_count; i++)
        strv_free(args->values[i].list);
    free(args->values);
    free(args->rest);
    *args = (struct args){0};
}

static const struct option_value *must_find(const struct args *args, const char *name)
{
    const struct option_value *v = find_value(args, name, strlen(name));

    if (!v) {
        fprintf(stderr, "keg: no option row --%s\n", name);
        abort();
    }
    return v;
}

bool args_given(const struct args *args, const char *name)
{
    return must_find(args, name)->text != NULL;
}

bool args_bool(const struct args *args, const char *name)
{
    bool value = false;

    str_to_bool(args_str(args, name), &value);
    return value;
}

const char *args_str(const struct args *args, const char *name)
{
    const struct option_value *v = must_find(args, name);

    if (v->text)
        return v->text;
    return v->row->otherwise ? v->row->otherwise : "";
}

int64_t args_int(const struct args *args, const char *name, int64_t otherwise)
{
    const char *text = must_find(args, name)->text;
    int64_t value = otherwise;

    if (text)
        str_to_i64(text[0] == '+' ? text + 1 : text, &value);
    return value;
}

int64_t args_bytes(const struct args *args, const char *name)
{
    const char *text = must_find(args, name)->text;
    int64_t value = 0;

    if (str_eq(text, "-1"))
        return -1;
    if (text)
        str_to_bytes(text, &value);
    return value;
}

int64_t args_duration_ns(const struct args *args, const char *name)
{
    const char *text = must_find(args, name)->text;
    int64_t value = 0;

    if (text)
        clock_parse_duration(text, &value);
    return value;
}

int64_t args_nano(const struct args *args, const char *name)
{
    const char *text = must_find(args, name)->text;
    int64_t value = 0;

    if (text)
        parse_nano(text, &value);
    return value;
}

char **args_list(const struct args *args, const char *name)
{
    return must_find(args, name)->list;
}
