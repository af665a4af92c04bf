/* man(7), written. */
#include "base/roff.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

void roff_text(struct buf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool start = i ? s[i - 1] == '\n' : out->len && out->data[out->len - 1] == '\n';

        if (start && (s[i] == '.' || s[i] == '\''))
            buf_puts(out, "\\&");
        if (s[i] == '-')
            buf_puts(out, "\\-");
        else if (s[i] == '\\')
            buf_puts(out, "\\e");
        else if (s[i] == '~')
            buf_puts(out, "\\(ti");
        else if (s[i] == '^')
            buf_puts(out, "\\(ha");
        else if (s[i] == '\'')
            buf_puts(out, "\\(aq");
        else if (s[i] == '`')
            buf_puts(out, "\\(ga");
        else
            buf_putc(out, s[i]);
    }
}

void roff_words(struct buf *out, const char *s)
{
    roff_text(out, s, strlen(s));
}

void roff_head(struct buf *out, const char *name, int section, const char *summary)
{
    buf_puts(out, ".TH ");
    for (const char *c = name; *c; c++)
        buf_putc(out, (char)toupper((unsigned char)*c));
    buf_printf(out, " %d \"\" \"keg " KEG_VERSION "\" \"keg\"\n.SH NAME\n", section);
    roff_words(out, name);
    buf_puts(out, " \\- ");
    roff_words(out, summary);
    buf_putc(out, '\n');
}

void roff_option(struct buf *out, char letter, const char *name, const char *value)
{
    buf_puts(out, ".TP\n");
    if (letter)
        buf_printf(out, "\\fB\\-%c\\fR, ", letter);
    buf_puts(out, "\\fB\\-\\-");
    roff_words(out, name);
    buf_puts(out, "\\fR");
    if (!str_empty(value)) {
        buf_puts(out, " \\fI");
        roff_words(out, value);
        buf_puts(out, "\\fR");
    }
}

int roff_write(const char *directory, const char *name, int section, const struct buf *page, struct err *err)
{
    _cleanup_free_ char *file = xasprintf("%s/%s.%d", directory, name, section);
    int r = path_mkdir_all(directory, 0755);

    if (r < 0)
        return err_errno(err, r, "cannot make %s", directory);
    r = file_replace(AT_FDCWD, file, page->data, page->len, 0644, /* sync= */ false);
    return r < 0 ? err_errno(err, r, "cannot write %s", file) : 0;
}
