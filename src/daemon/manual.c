/* kegd's manual pages, from the table of its options. */
#include "daemon/manual.h"

#include "base/roff.h"
#include "base/str.h"
#include "daemon/options.h"

/* How a kind is written in the file. */
static const char *const json_kinds[] = {
    [OPTION_BOOL] = "true or false",
    [OPTION_SWITCH] = "true or false",
    [OPTION_INT] = "a number",
    [OPTION_SIZE] = "a size, as \"64m\"",
    [OPTION_STRING] = "a string",
    [OPTION_LIST] = "an array of strings",
    [OPTION_POOLS] = "an array, as [{\"base\": \"10.10.0.0/16\", \"size\": 24}]",
    [OPTION_MAP] = "an object of strings",
    [OPTION_LIMITS] = "an object, as {\"nofile\": {\"Name\": \"nofile\", \"Hard\": 2048, \"Soft\": 1024}}",
    [OPTION_RUNTIMES] = "an object, as {\"crun\": {\"path\": \"/usr/bin/crun\"}}",
};

static bool is_offered(const struct option_row *row)
{
    return row->kind != OPTION_UNSUPPORTED && row->kind != OPTION_FIXED;
}

static void daemon_page(struct buf *out)
{
    roff_head(out, "kegd", 8, "daemon of the keg container engine");
    buf_puts(
        out,
        ".SH SYNOPSIS\n.B kegd\n[OPTIONS]\n"
        ".SH DESCRIPTION\nServes Docker\\(aqs API. Options have\n.BR dockerd (8)\\(aqs\nnames and meanings; "
        "what is given here must not be in the configuration file as well.\nContainers live without it: it "
        "may be "
        "stopped, killed and replaced while they run.\n.SH OPTIONS\n");
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];

        if (!is_offered(row))
            continue;
        roff_option(out, row->letter, row->name, row->value);
        buf_putc(out, '\n');
        roff_words(out, row->help);
        buf_putc(out, '\n');
    }
    buf_puts(out,
             ".SH SIGNALS\n.TP\n.BR SIGTERM \", \" SIGINT\nEnds kegd, in order; containers go on.\n"
             ".TP\n.B SIGHUP\nReads the configuration and the files of TLS again.\n"
             ".SH FILES\n.TP\n.I /etc/keg/daemon.json\nThe configuration, see\n.BR keg\\-daemon.json (5).\n"
             ".TP\n.I /var/lib/keg\nImages, containers, volumes and the database.\n"
             ".TP\n.I /run/keg\nThe socket, and what belongs to running containers.\n"
             ".SH SEE ALSO\n.BR keg (1),\n.BR keg\\-daemon.json (5),\n.BR keg\\-runtime (8)\n");
}

static void file_page(struct buf *out)
{
    roff_head(out, "keg-daemon.json", 5, "configuration of kegd");
    buf_puts(
        out,
        ".SH SYNOPSIS\n.I /etc/keg/daemon.json\n"
        ".SH DESCRIPTION\nA JSON object with\n.BR kegd (8)\\(aqs\noptions, under the keys that Docker\\(aqs "
        "daemon.json has. Unknown keys, values of another type and keys that are\noptions on the command "
        "line as "
        "well are errors;\n.B kegd \\-\\-validate\nlooks for them. null is as if the key weren\\(aqt "
        "there.\n.SH KEYS\n");
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];

        if (!is_offered(row) || !row->key)
            continue;
        buf_puts(out, ".TP\n.B ");
        roff_words(out, row->key);
        buf_putc(out, '\n');
        roff_words(out, row->help);
        buf_puts(out, "; ");
        roff_words(out, json_kinds[row->kind]);
        buf_puts(out, "\n");
    }
    buf_puts(out, ".SH SEE ALSO\n.BR kegd (8)\n");
}

int manual_write(const char *directory, struct err *err)
{
    static const struct {
        const char *name;
        int section;
        void (*page)(struct buf *out);
    } rows[] = {{"kegd", 8, daemon_page}, {"keg-daemon.json", 5, file_page}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(buf_finish) struct buf page = BUF_INIT(ROFF_PAGE_MAX);
        _cleanup_free_ char *folder = xasprintf("%s/man%d", directory, rows[i].section);

        rows[i].page(&page);
        if (roff_write(folder, rows[i].name, rows[i].section, &page, err) < 0)
            return -1;
    }
    return 0;
}
