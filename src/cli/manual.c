/* Manual pages, from the tables: man(7), a page a command, and one for keg itself. */
#include "cli/manual.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/roff.h"
#include "base/str.h"
#include "cli/command.h"

enum { ROWS_MAX = 200 };

/* "container ls" → "keg-container-ls". The caller frees. */
static char *page_name(const char *path)
{
    char *name = *path ? xasprintf("keg-%s", path) : xstrdup("keg");

    for (char *c = name; *c; c++)
        if (*c == ' ')
            *c = '-';
    return name;
}

static void reference(struct buf *out, const char *path, const char *end)
{
    _cleanup_free_ char *name = page_name(path);

    buf_puts(out, ".BR ");
    roff_words(out, name);
    buf_printf(out, " (1)%s\n", end);
}

/* ---- options ---- */

static int compare_rows(const void *a, const void *b)
{
    const struct option_row *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

/* A summary of several lines keeps them. */
static void option(struct buf *out, const struct option_row *row)
{
    const char *type = option_kind_type(row->kind);
    bool lines = strchr(row->summary, '\n');

    roff_option(out, row->letter, row->name, type);
    buf_puts(out, lines ? "\n.nf\n" : "\n");
    roff_words(out, row->summary);
    buf_puts(out, lines ? "\n.fi\n" : "\n");
    if (row->otherwise) {
        buf_puts(out, "(default: ");
        roff_words(out, row->otherwise);
        buf_puts(out, ")\n");
    }
}

static void options(struct buf *out, const option_tables *tables)
{
    const struct option_row *rows[ROWS_MAX];
    size_t n = 0;

    for (size_t t = 0; t < OPTION_TABLES_MAX && (*tables)[t]; t++)
        for (const struct option_row *row = (*tables)[t]; row->name && n < ROWS_MAX; row++)
            if (!row->hidden)
                rows[n++] = row;
    qsort(rows, n, sizeof(rows[0]), compare_rows);
    if (n)
        buf_puts(out, ".SH OPTIONS\n");
    for (size_t i = 0; i < n; i++)
        option(out, rows[i]);
}

/* ---- pages ---- */

struct listed {
    char *path;
    const char *summary;
};

static int compare_listed(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->path, ((const struct listed *)b)->path);
}

/* The commands of a group; with "", those that stand for themselves. */
static void command_list(struct buf *out, const char *group)
{
    struct listed found[ROWS_MAX];
    size_t n = 0, len = strlen(group);

    for (const struct command *const *c = commands; *c && n < ROWS_MAX; c++) {
        _cleanup_strv_ char **paths = (*c)->flags & COMMAND_HIDDEN ? NULL : strv_split((*c)->paths, ',');

        for (char **path = paths; path && *path; path++)
            if (len ? strncmp(*path, group, len) == 0 && (*path)[len] == ' ' : !strchr(*path, ' ')) {
                found[n++] = (struct listed){xstrdup(*path), (*c)->summary};
                break;
            }
    }
    qsort(found, n, sizeof(found[0]), compare_listed);
    buf_puts(out, ".SH COMMANDS\n");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, ".TP\n");
        reference(out, found[i].path, "");
        roff_words(out, found[i].summary);
        buf_putc(out, '\n');
        free(found[i].path);
    }
}

static void synopsis(struct buf *out, const char *path, const char *arguments)
{
    buf_puts(out, ".B keg ");
    roff_words(out, path);
    buf_putc(out, '\n');
    if (!str_empty(arguments)) { /* a second form stands on a line of its own */
        const char *second = strchr(arguments, '\n');
        _cleanup_free_ char *first = xstrndup(arguments, strcspn(arguments, "\n"));

        roff_words(out, first);
        buf_putc(out, '\n');
        if (second) {
            buf_puts(out, ".br\n");
            roff_words(out, second + strspn(second, "\n\t"));
            buf_putc(out, '\n');
        }
    }
}

static void see_also(struct buf *out, const char *path)
{
    const char *blank = strchr(path, ' ');
    _cleanup_free_ char *group = blank ? xstrndup(path, (size_t)(blank - path)) : NULL;

    buf_puts(out, ".SH SEE ALSO\n");
    reference(out, "", group ? "," : "");
    if (group)
        reference(out, group, "");
}

static void command_page(struct buf *out, const struct command *command, char *const *paths)
{
    _cleanup_free_ char *name = page_name(paths[0]);

    roff_head(out, name, 1, command->summary);
    buf_puts(out, ".SH SYNOPSIS\n");
    for (char *const *path = paths; *path; path++) {
        buf_puts(out, path == paths ? "" : ".br\n");
        synopsis(out, *path, command->run ? command->arguments : "COMMAND");
    }
    if (command->run)
        options(out, &command->options);
    else
        command_list(out, paths[0]);
    if (command->flags & COMMAND_RUN_ERRORS)
        buf_puts(
            out,
            ".SH EXIT STATUS\nThat of the container's program; 125 if keg or the daemon failed, 126 if the "
            "program\ncan\\(aqt be executed, 127 if it isn\\(aqt there.\n");
    see_also(out, paths[0]);
}

static void own_page(struct buf *out)
{
    const option_tables tables = {global_options};

    roff_head(out, "keg", 1, "run, build and look into containers");
    buf_puts(out, ".SH SYNOPSIS\n.B keg\n[OPTIONS] COMMAND [ARG...]\n"
                  ".SH DESCRIPTION\nThe command line of the keg container engine. It speaks\nthe language "
                  "of\n.BR docker (1):\n"
                  "the same commands, options, output and exit codes, with any daemon of Docker\\(aqs "
                  "API.\n");
    options(out, &tables);
    command_list(out, "");
    buf_puts(
        out,
        ".SH ENVIRONMENT\nThe variables with DOCKER_ count where those with KEG_ aren\\(aqt set.\n"
        ".TP\n.BR KEG_HOST \", \" DOCKER_HOST\nThe daemon to talk to.\n"
        ".TP\n.BR KEG_CONTEXT \", \" DOCKER_CONTEXT\nThe context to use.\n"
        ".TP\n.BR KEG_TLS_VERIFY \", \" DOCKER_TLS_VERIFY\nNot empty: use TLS and verify the daemon.\n"
        ".TP\n.BR KEG_CERT_PATH \", \" DOCKER_CERT_PATH\nThe directory of ca.pem, cert.pem and key.pem.\n"
        ".TP\n.BR KEG_CONFIG \", \" DOCKER_CONFIG\nThe directory of config.json.\n"
        ".TP\n.BR KEG_API_VERSION \", \" DOCKER_API_VERSION\nThe version of the API to speak.\n"
        ".TP\n.B KEG_START\nWhether to start kegd where none answers (default: at the default place alone).\n"
        ".SH FILES\n.TP\n.I \\(ti/.docker/config.json\nCredentials, contexts in use, habits; docker\\(aqs "
        "own.\n"
        ".TP\n.I /run/keg/keg.sock\nWhere the daemon listens by default.\n");
}

static int write_link(const char *directory, const char *name, const char *page, struct err *err)
{
    _cleanup_free_ char *file = xasprintf("%s/%s.1", directory, name), *target = xasprintf("%s.1", page);

    if ((unlink(file) < 0 && errno != ENOENT) || symlink(target, file) < 0)
        return err_errno(err, errno, "cannot link %s", file);
    return 0;
}

/* The page of a command, and links to it by its other names. */
static int write_command(const char *directory, const struct command *command, struct err *err)
{
    _cleanup_strv_ char **paths = strv_split(command->paths, ',');
    _cleanup_free_ char *first = page_name(paths[0]);
    _cleanup_(buf_finish) struct buf page = BUF_INIT(ROFF_PAGE_MAX);

    command_page(&page, command, paths);
    if (roff_write(directory, first, 1, &page, err) < 0)
        return -1;
    for (char **path = paths + 1; *path; path++) {
        _cleanup_free_ char *name = page_name(*path);

        if (write_link(directory, name, first, err) < 0)
            return -1;
    }
    return 0;
}

int manual_write(const char *directory, struct err *err)
{
    _cleanup_(buf_finish) struct buf page = BUF_INIT(ROFF_PAGE_MAX);

    own_page(&page);
    if (roff_write(directory, "keg", 1, &page, err) < 0)
        return -1;
    for (const struct command *const *c = commands; *c; c++)
        if (!((*c)->flags & COMMAND_HIDDEN) && write_command(directory, *c, err) < 0)
            return -1;
    return 0;
}
