/* The command line, parsed against option rows with the rules and messages of the Go library that docker uses. */
#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/create.h"
#include "cli/option_checks.h"

static const struct {
    const char *type;
    option_check *check; /* NULL: anything goes */
    bool repeats;
} kinds[OPTION_KIND_COUNT] = {
    [OPTION_BOOL] = {"", option_check_bool},
    [OPTION_STRING] = {"string"},
    [OPTION_INT] = {"int", option_check_int},
    [OPTION_UINT16] = {"uint16", option_check_uint16},
    [OPTION_LIST] = {"list", NULL, true},
    [OPTION_STRINGS] = {"strings", NULL, true},
    [OPTION_MAP] = {"map", NULL, true},
    [OPTION_PAIRS] = {"stringToString", option_check_pairs, true},
    [OPTION_FILTER] = {"filter", option_check_filter, true},
    [OPTION_BYTES] = {"bytes", option_check_bytes},
    [OPTION_SWAP] = {"bytes", option_check_swap},
    [OPTION_DECIMAL] = {"decimal", option_check_decimal},
    [OPTION_DURATION] = {"duration", option_check_duration},
    [OPTION_ULIMIT] = {"ulimit", create_check_ulimit, true},
    [OPTION_MOUNT] = {"mount", create_check_mount, true},
    [OPTION_NETWORK] = {"network", create_check_network, true},
    [OPTION_GPUS] = {"gpu-request", create_check_gpus, true},
    [OPTION_ENV] = {"list", option_check_env, true},
    [OPTION_LABEL] = {"list", option_check_label, true},
    [OPTION_HOST] = {"list", option_check_host, true},
    [OPTION_SYSCTL] = {"map", option_check_sysctl, true},
    [OPTION_LINK] = {"list", option_check_link, true},
    [OPTION_STREAM] = {"list", option_check_stream, true},
    [OPTION_ADDRESS] = {"list", option_check_address, true},
    [OPTION_DOMAIN] = {"list", option_check_domain, true},
    [OPTION_DEVICE_RULE] = {"list", option_check_device_rule, true},
    [OPTION_WEIGHT] = {"list", option_check_weight, true},
    [OPTION_BPS] = {"list", option_check_bps, true},
    [OPTION_IOPS] = {"list", option_check_iops, true},
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

    if (kinds[kind].check && kinds[kind].check(text, &why) < 0) {
        _cleanup_(buf_finish) struct buf quoted = BUF_INIT(64 * 1024);
        char display[80];

        for (const char *c = text; *c; c++) {
            if (*c == '"' || *c == '\\')
                buf_putc(&quoted, '\\');
            buf_putc(&quoted, *c);
        }
        option_display(v->row, display, sizeof(display));
        return err_set(err, ERR_INVALID, "invalid argument \"%s\" for \"%s\" flag: %s", buf_str(&quoted),
                       display, why.message);
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
    for (const char *p = argv[*i] + 1; *p; p++) {
        struct option_value *v = find_letter(args, *p);

        if (!v && *p == 'h') {
            fputs("Flag shorthand -h has been deprecated, use --help\n", stderr);
            args->help = true;
            return 0;
        }
        if (!v)
            return err_set(err, ERR_INVALID, "unknown shorthand flag: '%c' in -%s", *p, p);
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
            return err_set(err, ERR_INVALID, "flag needs an argument: '%c' in -%s", *p, p);
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
        option_parse_int(text, &value);
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
        option_parse_nano(text, &value);
    return value;
}

char **args_list(const struct args *args, const char *name)
{
    return must_find(args, name)->list;
}
