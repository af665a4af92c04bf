/* kegd's command line, its defaults and its help. */
#include "daemon/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "daemon/options.h"

#define CONFIG_FILE_DEFAULT "/etc/keg/daemon.json"

void config_init(struct config *c)
{
    *c = (struct config){
        .data_root = xstrdup("/var/lib/keg"),
        .exec_root = xstrdup("/run/keg"),
        .log_level = xstrdup("info"),
        .log_format = xstrdup("text"),
        .iptables = true,
        .ip6tables = true,
        .ip_forward = true,
        .ip_masq = true,
        .icc = true,
        .live_restore = true,
        .shutdown_timeout = 15,
    };
}

void config_finish(struct config *c)
{
    for (size_t i = 0; i < option_rows_count; i++) {
        void *member = (char *)c + option_rows[i].offset;

        switch (option_rows[i].kind) {
        case OPTION_STRING:
            free(*(char **)member);
            break;
        case OPTION_LIST:
        case OPTION_POOLS:
            strv_free(*(char ***)member);
            break;
        case OPTION_MAP:
        case OPTION_LIMITS:
        case OPTION_RUNTIMES:
            json_decref(*(json_t **)member);
            break;
        case OPTION_BOOL:
        case OPTION_SWITCH:
        case OPTION_INT:
        case OPTION_SIZE:
        case OPTION_FIXED:
        case OPTION_UNSUPPORTED:
            break;
        }
    }
    *c = (struct config){0};
}

/* ---- the command line ---- */

/* Finds the option of one argument. *ret_value: what is attached to it ("--bip=X", "-HX"), or NULL. */
static const struct option_row *config_find_option(const char *argument, const char **ret_value)
{
    const struct option_row *row;
    size_t len;

    *ret_value = NULL;
    if (str_starts(argument, "--")) {
        len = strcspn(argument + 2, "=");
        if (argument[2 + len] == '=')
            *ret_value = argument + 2 + len + 1;
        return option_by_name(argument + 2, len);
    }
    row = argument[0] == '-' ? option_by_letter(argument[1]) : NULL;
    if (row && argument[2])
        *ret_value = argument + 2 + (argument[2] == '=');
    return row;
}

static int config_parse_arguments(struct config *c, int argc, char *const *argv, bool *given, struct err *err)
{
    for (int i = 1; i < argc; i++) {
        const struct option_row *row;
        const char *value;

        if (argv[i][0] != '-')
            return err_set(err, ERR_INVALID, "\"kegd\" accepts no arguments: \"%s\". See 'kegd --help'.",
                           argv[i]);
        row = config_find_option(argv[i], &value);
        if (!row && argv[i][1] != '-' && argv[i][1])
            return err_set(err, ERR_INVALID, "unknown shorthand flag: '%c' in %s. See 'kegd --help'.",
                           argv[i][1], argv[i]);
        if (!row)
            return err_set(err, ERR_INVALID, "unknown flag: %.*s. See 'kegd --help'.",
                           (int)strcspn(argv[i], "="), argv[i]);
        if (!value && (row->kind == OPTION_BOOL || row->kind == OPTION_SWITCH ||
                       (row->kind == OPTION_FIXED && str_eq(row->value, "false"))))
            value = "true";
        if (!value && row->kind != OPTION_UNSUPPORTED && ++i < argc)
            value = argv[i];
        if (!value && row->kind != OPTION_UNSUPPORTED)
            return err_set(err, ERR_INVALID, "flag needs an argument: --%s. See 'kegd --help'.", row->name);
        if (option_set_text(c, row, value, err) < 0)
            return -1;
        given[row - option_rows] = true;
    }
    return 0;
}

/* Options whose value is one of a few words. */
static int config_check_words(const struct config *c, struct err *err)
{
    const struct {
        const char *value, *words[2], *format; /* dockerd's words, with a place for the value */
    } rows[] = {
        {c->log_format, {"text", "json"}, "invalid log format: %s: use \"text\" or \"json\""},
        {c->default_ipc_mode,
         {"private", "shareable"},
         "default IPC mode setting (%s) is invalid; use \"shareable\" or \"private\""},
        {c->default_cgroupns_mode,
         {"private", "host"},
         "invalid default cgroup namespace (%s): use \"host\" or \"private\""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].value && !str_eq(rows[i].value, rows[i].words[0]) &&
            !str_eq(rows[i].value, rows[i].words[1]))
            return err_set(err, ERR_INVALID, rows[i].format, rows[i].value);
    return 0;
}

/* The same key twice with different values. */
static int config_check_labels(char *const *labels, struct err *err)
{
    for (; labels && *labels; labels++) {
        size_t key = strcspn(*labels, "=") + 1;

        for (char *const *other = labels + 1; *other; other++)
            if (strncmp(*labels, *other, key) == 0 && !str_eq(*labels, *other))
                return err_set(err, ERR_INVALID, "conflict labels for %s and %s", *other, *labels);
    }
    return 0;
}

static int config_check_numbers(const struct config *c, struct err *err)
{
    const struct {
        const char *what;
        int64_t value, most;
    } rows[] = {
        {"max concurrent downloads", c->max_concurrent_downloads, 64},
        {"max concurrent uploads", c->max_concurrent_uploads, 16},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].value < 0 || rows[i].value > rows[i].most)
            return err_set(err, ERR_INVALID, "invalid %s: %lld (1 to %lld, or 0: the default)", rows[i].what,
                           (long long)rows[i].value, (long long)rows[i].most);
    return 0;
}

/* Registries are named without a scheme. */
static void config_trim_registries(char **hosts)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (; hosts && *hosts; hosts++)
        for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
            if (str_starts(*hosts, schemes[i])) {
                log_warn("insecure registry %s should not contain '%s' and '%s' has been removed from the "
                         "insecure registry config",
                         *hosts, schemes[i], schemes[i]);
                memmove(*hosts, *hosts + strlen(schemes[i]), strlen(*hosts) - strlen(schemes[i]) + 1);
                break;
            }
}

/* An empty value is the default, as with dockerd; an empty group is none. */
static void config_drop_empty(struct config *c)
{
    for (size_t i = 0; i < option_rows_count; i++) {
        char **member = (char **)((char *)c + option_rows[i].offset);

        if (option_rows[i].kind != OPTION_STRING || member == &c->group || !*member || **member)
            continue;
        free(*member);
        *member = NULL;
    }
}

/* What no single row can tell. */
static int config_check(const struct config *c, struct err *err)
{
    enum log_level level;

    if (c->data_root[0] != '/' || c->exec_root[0] != '/')
        return err_set(err, ERR_INVALID, "--data-root %s, --exec-root %s: both must be absolute paths",
                       c->data_root, c->exec_root);
    if (log_level_from_name(c->log_level, &level) < 0)
        return err_set(err, ERR_INVALID, "invalid logging level: %s: use debug, info, warn, error or fatal",
                       c->log_level);
    if (config_check_words(c, err) < 0 || config_check_labels(c->labels, err) < 0 ||
        config_check_numbers(c, err) < 0)
        return -1;
    if (!c->live_restore)
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "--live-restore=false is not supported: containers always outlive the daemon");
    if (c->bridge && !str_eq(c->bridge, "none"))
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "--bridge=%s is not supported by keg yet: only \"none\", or leave it out", c->bridge);
    if (c->bridge && c->bip)
        return err_set(err, ERR_INVALID,
                       "You specified -b & --bip, mutually exclusive options. Please specify only one.");
    if (!c->iptables && !c->icc)
        return err_set(
            err, ERR_INVALID,
            "You specified --iptables=false with --icc=false. ICC=false uses iptables to function. "
            "Please set --icc or --iptables to true.");
    return 0;
}

int config_load(struct config *c, int argc, char *const *argv, struct err *err)
{
    _cleanup_free_ bool *given = xcalloc(option_rows_count, sizeof(bool));
    bool named;

    if (config_parse_arguments(c, argc, argv, given, err) < 0)
        return -1;
    if (c->help || c->version)
        return 0;
    named = c->config_file != NULL;
    if (!named)
        c->config_file = xstrdup(CONFIG_FILE_DEFAULT);
    if (config_read_file(c, c->config_file, given, named, err) < 0)
        return -1;
    config_drop_empty(c);
    config_trim_registries(c->insecure_registries);
    return config_check(c, err);
}

/* ---- help ---- */

char *config_help(void)
{
    struct buf b = BUF_INIT(64 * 1024);

    buf_puts(&b, "Usage: kegd [OPTIONS]\n\nThe daemon of the keg container engine.\n\nOptions:\n");
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];
        _cleanup_free_ char *left = NULL;

        if (row->kind == OPTION_UNSUPPORTED || row->kind == OPTION_FIXED)
            continue;
        left = xasprintf("--%s%s%s", row->name, row->value ? " " : "", row->value ? row->value : "");
        if (row->letter)
            buf_printf(&b, "  -%c, %-34s %s\n", row->letter, left, row->help);
        else
            buf_printf(&b, "      %-34s %s\n", left, row->help);
    }
    buf_puts(
        &b,
        "\nThe same options are read from the configuration file, under the names that Docker's daemon.json "
        "has.\n");
    return buf_take(&b);
}
