/* keg-runtime's manual page, from its tables. */
#include <string.h>

#include "base/roff.h"
#include "base/str.h"
#include "runtime/command/table.h"

static void options(struct buf *out, const struct option *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        roff_option(out, rows[i].letter, rows[i].name, rows[i].kind == OPTION_FLAG ? NULL : "value");
        buf_putc(out, '\n');
        roff_words(out, rows[i].help);
        buf_putc(out, '\n');
    }
}

static void command(struct buf *out, const struct command *c)
{
    buf_puts(out, ".SS ");
    roff_words(out, c->name);
    buf_puts(out, "\n.B keg\\-runtime ");
    roff_words(out, c->name);
    buf_putc(out, '\n');
    if (c->option_count)
        buf_puts(out, "[OPTION...]\n");
    if (*c->arguments) {
        roff_words(out, c->arguments);
        buf_putc(out, '\n');
    }
    buf_puts(out, ".PP\n");
    roff_words(out, c->summary);
    buf_puts(out, ".\n");
    options(out, c->options, c->option_count);
}

int manual_write(const char *directory, struct err *err)
{
    _cleanup_(buf_finish) struct buf page = BUF_INIT(ROFF_PAGE_MAX);

    roff_head(&page, "keg-runtime", 8, RUNTIME_SUMMARY);
    buf_puts(
        &page,
        ".SH SYNOPSIS\n.B keg\\-runtime\n[OPTION...] COMMAND [OPTION...] [CONTAINER] [ARG...]\n"
        ".SH DESCRIPTION\nMakes containers of OCI bundles: a directory with a root file system and a "
        "config.json. Its\ncommand line is\n.BR runc (8)\\(aqs,\nso that whatever calls that can call this.\n"
        ".SH OPTIONS\n");
    options(&page, runtime_global_options, runtime_global_options_count);
    buf_puts(&page, ".SH COMMANDS\n");
    for (size_t i = 0; i < runtime_commands_count; i++)
        command(&page, &runtime_commands[i]);
    buf_puts(
        &page,
        ".SH EXIT STATUS\nThat of the program, 128 and the signal\\(aqs number where one ended it; 1 for an "
        "error, 255 for one of\n.BR exec .\n"
        ".SH FILES\n.TP\n.I /run/keg\\-runtime\nThe state of containers; of ordinary users "
        "$XDG_RUNTIME_DIR/keg\\-runtime.\n"
        ".SH SEE ALSO\n.BR keg (1),\n.BR kegd (8)\n");
    return roff_write(directory, "keg-runtime", 8, &page, err);
}
