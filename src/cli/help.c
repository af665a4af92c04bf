/* Help, laid out as docker lays it out: usage, summary, aliases, options in wrapped columns, lists of commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/command.h"

static int terminal_columns(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

void help_print_usage(const struct command *command, const char *path)
{
    if (!command)
        fputs("Usage:  keg [OPTIONS] COMMAND [ARG...]", stderr);
    else
        fprintf(stderr, "Usage:  keg %s%s%s", path, str_empty(command->arguments) ? "" : " ",
                command->arguments ? command->arguments : "");
}

static int compare_rows(const void *a, const void *b)
{
    const struct option_row *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

/* "  -a, --all type" into out. */
static void option_heading(const struct option_row *row, struct buf *out)
{
    const char *type = option_kind_type(row->kind);

    if (row->letter)
        buf_printf(out, "  -%c, --%s", row->letter, row->name);
    else
        buf_printf(out, "      --%s", row->name);
    if (*type)
        buf_printf(out, " %s", type);
}

/* The summary, with its default as a reader would type it. */
static void option_text(const struct option_row *row, struct buf *out)
{
    bool quoted = row->kind == OPTION_STRING;

    buf_puts(out, row->summary);
    if (row->otherwise && row->kind == OPTION_BOOL)
        buf_printf(out, " (default %s)", row->otherwise);
    else if (row->otherwise)
        buf_printf(out, quoted ? " (default \"%s\")" : " (default %s)", row->otherwise);
}

/* Prints text broken at blanks into lines of `width`; every line but the first starts with `indent` blanks. */
static void print_wrapped(const char *text, int indent, int width)
{
    while (*text) {
        size_t line = strcspn(text, "\n"), take = line;

        if (width > 24 && line > (size_t)width) {
            take = (size_t)width;
            while (take > 0 && text[take] != ' ')
                take--;
            if (take == 0)
                take = strcspn(text, " \n");
        }
        printf("%.*s\n", (int)take, text);
        text += take;
        while (*text == ' ' || (*text == '\n' && take == line)) {
            take = SIZE_MAX; /* one end of line at most */
            if (*text++ == '\n')
                break;
        }
        if (*text)
            printf("%*s", indent, "");
    }
}

static void print_options(const option_tables *tables, const char *title)
{
    const struct option_row *rows[200];
    size_t n = 0;
    int widest = 0;

    for (size_t t = 0; t < OPTION_TABLES_MAX && (*tables)[t]; t++)
        for (const struct option_row *row = (*tables)[t]; row->name && n < ARRAY_SIZE(rows); row++)
            if (!row->hidden)
                rows[n++] = row;
    if (!n)
        return;
    qsort(rows, n, sizeof(rows[0]), compare_rows);
    for (size_t i = 0; i < n; i++) {
        _cleanup_(buf_finish) struct buf heading = BUF_INIT(200);

        option_heading(rows[i], &heading);
        widest = MAX_OF(widest, (int)heading.len);
    }
    printf("\n%s:\n", title);
    for (size_t i = 0; i < n; i++) {
        _cleanup_(buf_finish) struct buf heading = BUF_INIT(200);
        _cleanup_(buf_finish) struct buf text = BUF_INIT(4096);

        option_heading(rows[i], &heading);
        option_text(rows[i], &text);
        printf("%-*s   ", widest, buf_str(&heading));
        print_wrapped(buf_str(&text), widest + 3, terminal_columns() - 1 - widest - 3);
    }
}

/* The first path of a row below `group` ("container") or, with "", outside of all groups; without the group. */
static char *leaf_in_group(const struct command *command, const char *group)
{
    _cleanup_strv_ char **paths = strv_split(command->paths, ',');
    size_t len = strlen(group);

    for (char **p = paths; *p; p++) {
        if (!len && !strchr(*p, ' '))
            return xstrdup(*p);
        if (len && strncmp(*p, group, len) == 0 && (*p)[len] == ' ')
            return xstrdup(*p + len + 1);
    }
    return NULL;
}

enum listing { LIST_COMMON, LIST_GROUPS, LIST_OTHERS, LIST_ALL };

static bool is_listed(const struct command *command, enum listing listing)
{
    bool common = command->flags & COMMAND_COMMON;

    if (command->flags & COMMAND_HIDDEN)
        return false;
    switch (listing) {
    case LIST_COMMON:
        return common;
    case LIST_GROUPS:
        return !command->run;
    case LIST_OTHERS:
        return !common && command->run;
    case LIST_ALL:
        break;
    }
    return true;
}

struct entry {
    char *name;
    const char *summary;
};

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void print_commands(const char *title, const char *group, enum listing listing)
{
    struct entry entries[100];
    size_t n = 0;

    for (const struct command *const *c = commands; *c && n < ARRAY_SIZE(entries); c++) {
        char *leaf = is_listed(*c, listing) ? leaf_in_group(*c, group) : NULL;

        if (leaf)
            entries[n++] = (struct entry){leaf, (*c)->summary};
    }
    if (listing != LIST_COMMON) /* those stand in their table's order */
        qsort(entries, n, sizeof(entries[0]), compare_entries);
    printf("\n%s:\n", title);
    for (size_t i = 0; i < n; i++) {
        printf("  %-11s %s\n", entries[i].name, entries[i].summary);
        free(entries[i].name);
    }
}

static void print_aliases(const struct command *command)
{
    _cleanup_strv_ char **paths = strv_split(command->paths, ',');

    if (strv_len(paths) < 2)
        return;
    printf("\nAliases:\n  ");
    for (char **p = paths; *p; p++)
        printf("%skeg %s", p == paths ? "" : ", ", *p);
    printf("\n");
}

static void print_own_help(void)
{
    option_tables tables = {global_options};

    printf("Usage:  keg [OPTIONS] COMMAND\n\nRun, build and look into containers\n");
    print_commands("Common Commands", "", LIST_COMMON);
    print_commands("Management Commands", "", LIST_GROUPS);
    print_commands("Commands", "", LIST_OTHERS);
    print_options(&tables, "Global Options");
    printf("\nThe daemon's address is taken from -H or --context, else from KEG_HOST, DOCKER_HOST or the "
           "context in\nuse, else it is unix:///run/keg/keg.sock, where a daemon is started when none runs.\n"
           "\nRun 'keg COMMAND --help' for more information on a command.\n");
}

void help_print(const struct command *command, const char *path)
{
    if (!command) {
        print_own_help();
        return;
    }
    if (!command->run) {
        printf("Usage:  keg %s COMMAND\n\n%s\n", path, command->summary);
        print_commands("Commands", path, LIST_ALL);
        printf("\nRun 'keg %s COMMAND --help' for more information on a command.\n", path);
        return;
    }
    printf("Usage:  keg %s%s%s\n\n%s\n", path, str_empty(command->arguments) ? "" : " ",
           command->arguments ? command->arguments : "", command->summary);
    print_aliases(command);
    print_options(&command->options, "Options");
}
