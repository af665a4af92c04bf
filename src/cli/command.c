/* The table of commands, and how a command line finds its row. */
#include "cli/command.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/complete.h"
#include "cli/config.h"
#include "cli/endpoint.h"
#include "cli/manual.h"

#define COMMANDS(row)                                                                                        \
    row(run) row(exec) row(ps) row(build) row(pull) row(images) row(login) row(logout) row(version)          \
        row(info) row(search) row(container) row(image) row(network) row(volume) row(system) row(attach)     \
            row(commit) row(cp) row(create) row(diff) row(events) row(export) row(history) row(import)       \
                row(inspect) row(kill) row(load) row(logs) row(pause) row(port) row(push) row(rename)        \
                    row(restart) row(rm) row(rmi) row(save) row(start) row(stats) row(stop) row(tag)         \
                        row(top) row(unpause) row(update) row(wait) row(container_inspect)                   \
                            row(image_inspect) row(container_prune) row(image_prune) row(network_ls)         \
                                row(network_inspect) row(network_create) row(network_rm)                     \
                                    row(network_connect) row(network_disconnect) row(network_prune)          \
                                        row(volume_ls) row(volume_inspect) row(volume_create) row(volume_rm) \
                                            row(volume_prune) row(context) row(context_create)               \
                                                row(context_export) row(context_import) row(context_inspect) \
                                                    row(context_ls) row(context_rm) row(context_show)        \
                                                        row(context_update) row(context_use)                 \
                                                            row(system_check) row(system_df)                 \
                                                                row(system_prune) row(system_dial_stdio)     \
                                                                    row(completion) row(compose) row(buildx) \
                                                                        row(elsewhere)

#define DECLARE(name) extern const struct command cmd_##name;
COMMANDS(DECLARE)
#define ROW(name) &cmd_##name,
const struct command *const commands[] = {COMMANDS(ROW) NULL};

const struct command cmd_container = {.paths = "container", .summary = "Manage containers"};
const struct command cmd_image = {.paths = "image", .summary = "Manage images"};
const struct command cmd_network = {.paths = "network", .summary = "Manage networks"};
const struct command cmd_volume = {.paths = "volume", .summary = "Manage volumes", .arguments = "COMMAND"};
const struct command cmd_context = {.paths = "context", .summary = "Manage contexts: named daemons"};
const struct command cmd_system = {.paths = "system", .summary = "Manage the engine itself"};

const struct option_row global_options[] = {
    {"config", 0, OPTION_STRING,
     "Directory of the client's config.json (default: $KEG_CONFIG, $DOCKER_CONFIG or ~/.docker)"},
    {"context", 'c', OPTION_STRING,
     "Context to use, by name (default: $KEG_CONTEXT, $DOCKER_CONTEXT or what \"keg context use\" has set)"},
    {"debug", 'D', OPTION_BOOL, "Tell more about what goes on"},
    {"host", 'H', OPTION_STRING,
     "Daemon to talk to: unix://PATH, tcp://HOST:PORT or ssh://[USER@]HOST (default: $KEG_HOST or "
     "$DOCKER_HOST)"},
    {"log-level", 'l', OPTION_STRING,
     "Least level to log (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")", "info"},
    {"tls", 0, OPTION_BOOL, "Use TLS with tcp:// hosts; implied by --tlsverify"},
    {"tlscacert", 0, OPTION_STRING,
     "Trust certificates signed only by this CA (default: ca.pem of $DOCKER_CERT_PATH or of the "
     "configuration's directory)"},
    {"tlscert", 0, OPTION_STRING, "Certificate to show to the daemon (default: cert.pem, likewise)"},
    {"tlskey", 0, OPTION_STRING, "Its key (default: key.pem, likewise)"},
    {"tlsverify", 0, OPTION_BOOL, "Use TLS and verify the daemon"},
    {"version", 'v', OPTION_BOOL, "Print the version and quit"},
    {NULL},
};

bool command_has_path(const struct command *command, const char *path)
{
    size_t len = strlen(path);

    for (const char *p = command->paths; p; p = strchr(p, ',')) {
        if (*p == ',')
            p++;
        if (strncmp(p, path, len) == 0 && (p[len] == ',' || p[len] == '\0'))
            return true;
    }
    return false;
}

const struct command *command_find(const char *path)
{
    for (const struct command *const *c = commands; *c; c++)
        if (command_has_path(*c, path))
            return *c;
    return NULL;
}

/* Edits (insert, delete, replace, swap neighbours) from a to b, words of less than 32 characters; 99 otherwise. */
static int distance(const char *a, const char *b)
{
    int rows[34][34];
    int n = (int)strlen(a), m = (int)strlen(b);

    if (n > 31 || m > 31)
        return 99;
    for (int i = 0; i <= n; i++)
        for (int j = 0; j <= m; j++) {
            int best;

            if (!i || !j) {
                rows[i][j] = i + j;
                continue;
            }
            best = MIN_OF(rows[i - 1][j], rows[i][j - 1]) + 1;
            best = MIN_OF(best, rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = MIN_OF(best, rows[i - 2][j - 2] + 1);
            rows[i][j] = best;
        }
    return rows[n][m];
}

void command_suggest(const char *path, struct buf *out)
{
    const char *blank = strchr(path, ' '), *leaf = blank ? blank + 1 : path;

    for (const struct command *const *c = commands; *c; c++) {
        _cleanup_strv_ char **paths = strv_split((*c)->paths, ',');

        for (char **p = paths; *p && !((*c)->flags & COMMAND_HIDDEN); p++) {
            bool same_depth = !strchr(*p, ' ') == !strchr(path, ' ');

            if (same_depth && (distance(path, *p) <= (strlen(leaf) > 4 ? 2 : 1) ||
                               (strlen(path) > 2 && str_starts(*p, path))))
                buf_printf(out, "  keg %s\n", *p);
        }
    }
}

static int unknown_command(const char *group, const char *name)
{
    _cleanup_free_ char *path = *group ? xasprintf("%s %s", group, name) : xstrdup(name);
    _cleanup_(buf_finish) struct buf similar = BUF_INIT(4096);

    command_suggest(path, &similar);
    fprintf(stderr, "keg: unknown command: keg %s\n", path);
    if (similar.len)
        fprintf(stderr, "\nDid you mean:\n%s", buf_str(&similar));
    if (*group) {
        fputc('\n', stderr);
        help_print_usage(command_find(group), group);
        fputc('\n', stderr);
    }
    fprintf(stderr, "\nRun 'keg%s%s --help' for more information\n", *group ? " " : "", group);
    return 1;
}

static int bad_options(const struct command *command, const char *path, const struct err *err)
{
    fprintf(stderr, "%s\n\n", err->message);
    help_print_usage(command, path);
    fprintf(stderr, "\n\nRun 'keg%s%s --help' for more information\n", *path ? " " : "", path);
    return 125;
}

/* Whether the number of arguments fits; says so otherwise. */
static bool check_argument_count(const struct args *args)
{
    const struct command *c = args->command;
    int n = (int)args->rest_count, least = c->min_arguments, most = c->max_arguments;
    char text[80];

    if (n >= least && (most < 0 || n <= most))
        return true;
    if (most == 0)
        snprintf(text, sizeof(text), "accepts no arguments");
    else if (least && most > least)
        snprintf(text, sizeof(text), "requires at least %d and at most %d arguments", least, most);
    else if (least == most)
        snprintf(text, sizeof(text), "requires %d argument%s", least, least == 1 ? "" : "s");
    else if (n < least)
        snprintf(text, sizeof(text), "requires at least %d argument%s", least, least == 1 ? "" : "s");
    else
        snprintf(text, sizeof(text), "requires at most %d argument%s", most, most == 1 ? "" : "s");
    fprintf(stderr, "keg: 'keg %s' %s\n\n", args->path, text);
    help_print_usage(c, args->path);
    fprintf(stderr, "\n\n%s 'keg %s --help' for more information\n", n < least && most < 0 ? "See" : "Run",
            args->path);
    return false;
}

/* Prints what a command failed with; the exit code is docker's for that kind of command. */
static int report_failure(const struct args *args, const struct err *err)
{
    fflush(stdout); /* what was said before comes first, also where both end in one pipe */
    if (!(args->command->flags & COMMAND_RUN_ERRORS)) {
        fprintf(stderr, "%s\n", err->message);
        return 1;
    }
    fprintf(stderr, "keg: %s\n\nRun 'keg %s --help' for more information\n", err->message, args->path);
    return err_kind_exit_code(err->kind);
}

/* All words as arguments: behind a "--". The array is the caller's. */
static char **as_arguments(int argc, char **argv)
{
    char **all = xcalloc((size_t)argc + 2, sizeof(*all));

    all[0] = (char *)"--";
    memcpy(all + 1, argv, (size_t)argc * sizeof(*argv));
    return all;
}

static int run_command(struct cli *cli, const struct command *command, const char *path, int argc,
                       char **argv)
{
    _cleanup_(args_finish) struct args args = {.command = command, .path = path};
    _cleanup_free_ char **all = NULL;
    struct err err = {0};
    int code;

    if (command->flags & COMMAND_ALL_ARGUMENTS)
        argv = all = as_arguments(argc++, argv);
    if (args_parse(&args, &command->options, !(command->flags & COMMAND_STOP_AT_ARGUMENT), argc, argv, &err) <
        0)
        return bad_options(command, path, &err);
    if (args.help) {
        help_print(command, path);
        return 0;
    }
    if (!check_argument_count(&args))
        return 1;
    code = command->run(cli, &args, &err);
    return code < 0 ? report_failure(&args, &err) : code;
}

static int run_group(const struct command *group, const char *path, const char *name)
{
    if (name && name[0] != '-')
        return unknown_command(path, name);
    if (name && !str_eq(name, "--help") && !str_eq(name, "-h")) {
        struct err err;

        err_set(&err, ERR_INVALID, name[1] == '-' ? "unknown flag: %s" : "unknown shorthand flag: %s", name);
        return bad_options(group, path, &err);
    }
    if (!name) /* asked for nothing: that is a mistake, and goes where mistakes go */
        dup2(STDERR_FILENO, STDOUT_FILENO);
    help_print(group, path);
    return 0;
}

/* "keg help [COMMAND...]" */
static int run_help(int argc, char **argv)
{
    _cleanup_free_ char *path = argc > 1 ? xasprintf("%s %s", argv[0], argv[1])
                                : argc   ? xstrdup(argv[0])
                                         : NULL;
    const struct command *command = path ? command_find(path) : NULL;

    if (path && !command)
        return unknown_command("", path);
    help_print(command, path);
    return 0;
}

static int dispatch(struct cli *cli, int argc, char **argv)
{
    _cleanup_free_ char *two = argc > 1 ? xasprintf("%s %s", argv[0], argv[1]) : NULL;
    const struct command *command = two ? command_find(two) : NULL;

    if (command)
        return run_command(cli, command, two, argc - 2, argv + 2);
    if (str_eq(argv[0], "__complete"))
        return complete_run(cli, argc - 1, argv + 1);
    if (str_eq(argv[0], "__manual") && argc == 2) {
        struct err err = {0};

        return manual_write(argv[1], &err) < 0 ? cli_complain(&err) : 0;
    }
    if (str_eq(argv[0], "help"))
        return run_help(argc - 1, argv + 1);
    command = command_find(argv[0]);
    if (!command || strchr(argv[0], ' '))
        return unknown_command("", argv[0]);
    if (!command->run)
        return run_group(command, argv[0], argc > 1 ? argv[1] : NULL);
    return run_command(cli, command, argv[0], argc - 1, argv + 1);
}

int keg_main(int argc, char **argv)
{
    _cleanup_(args_finish) struct args global = {0};
    option_tables tables = {global_options};
    struct cli cli = {0};
    struct err err = {0};
    enum log_level level;
    int code;

    fd_open_standard();
    signal(SIGPIPE, SIG_IGN);
    if (args_parse(&global, &tables, /* interspersed= */ false, argc - 1, argv + 1, &err) < 0)
        return bad_options(NULL, "", &err);
    if (args_bool(&global, "version")) {
        puts("keg version " KEG_VERSION);
        return 0;
    }
    if (global.help || !global.rest_count) {
        help_print(NULL, "");
        return 0;
    }
    if (log_level_from_name(args_str(&global, "log-level"), &level) < 0) {
        fprintf(stderr, "Unable to parse logging level: %s\n", args_str(&global, "log-level"));
        return 1;
    }
    log_set_level(args_bool(&global, "debug") ? LOG_LEVEL_DEBUG : level);
    cli.config_dir = args_given(&global, "config") ? args_str(&global, "config") : NULL;
    cli.global = &global;
    code = dispatch(&cli, (int)global.rest_count, global.rest);
    client_free(cli.client);
    endpoint_free(cli.endpoint);
    json_decref(cli.config);
    if (fflush(stdout) != 0 && code == 0)
        code = 1;
    return code;
}

int cli_complain(const struct err *err)
{
    fflush(stdout);
    fprintf(stderr, "%s\n", err->message);
    return 1;
}

int cli_for_each(struct cli *cli, const struct args *args, cli_one *each)
{
    int code = 0;

    for (size_t i = 0; i < args->rest_count; i++) {
        struct err err = {0};

        if (each(cli, args, args->rest[i], &err) < 0)
            code = cli_complain(&err);
        else
            puts(args->rest[i]);
    }
    return code;
}

bool cli_confirm(const char *warning)
{
    char answer[16];

    printf("%s\nAre you sure you want to continue? [y/N] ", warning);
    fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}
