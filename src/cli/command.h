/* The commands: what `keg` can be told, as data.
 *
 * To add a command:
 *   1. cmd_<name>.c with `const struct command cmd_<name>` beside its code, and its row in meson.build;
 *   2. its declaration and its place in command.c's table (tests/unit/test_cli.c checks names, options and help);
 *   3. a case in tests/system/cli.bats. */
#ifndef KEG_CLI_COMMAND_H
#define KEG_CLI_COMMAND_H

#include "cli/options.h"

struct cli;

enum {
    COMMAND_STOP_AT_ARGUMENT = 1, /* options end at the first argument: what follows is another program's */
    COMMAND_COMMON = 2,           /* listed first in help */
    COMMAND_RUN_ERRORS = 4,       /* errors end as docker run's: "keg: …", a hint, exit 125/126/127 */
    COMMAND_HIDDEN = 8,           /* works, but isn't listed */
    COMMAND_ALL_ARGUMENTS = 16,   /* what looks like an option is another program's as well */
};

struct command {
    /* Every way to call it, comma-separated, the one in its management group first: "container ls,container list,ps".
     * A management group is a row whose `run` is NULL. */
    const char *paths;
    const char *summary;
    const char *arguments; /* behind the name in usage lines: "[OPTIONS] CONTAINER [CONTAINER...]" */
    int min_arguments;
    int max_arguments; /* -1: any number */
    unsigned flags;
    option_tables options;
    /* The exit code, or -1 with err set: the caller prints it. */
    int (*run)(struct cli *cli, const struct args *args, struct err *err);
};

/* All rows, NULL-terminated. */
extern const struct command *const commands[];
/* keg's own options, before the command. */
extern const struct option_row global_options[];

/* The command with exactly that path ("ps", "container ls"), or NULL. */
const struct command *command_find(const char *path);
/* Whether `path` is one of the command's. */
bool command_has_path(const struct command *command, const char *path);
/* Appends the paths that are close to a mistyped one, one a line with two blanks before. */
void command_suggest(const char *path, struct buf *out);

/* Prints what `keg [path] --help` prints; command NULL is keg itself. */
void help_print(const struct command *command, const char *path);
/* "Usage:  keg run [OPTIONS] IMAGE…" without the end of line, on stderr. */
void help_print_usage(const struct command *command, const char *path);

/* The whole program: parses, finds the command, runs it. Returns the exit code. */
int keg_main(int argc, char **argv);

#endif
