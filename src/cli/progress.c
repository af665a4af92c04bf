/* Progress bars. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/terminal.h"

enum { BAR_WIDTH = 50, BAR_COLUMNS = 110, DEFAULT_COLUMNS = 200 };

struct screen {
    FILE *out;
    bool terminal, quiet;
    char **lines; /* the ids with a line of their own, from the top; NULL again after a plain line */
};

void progress_bar(const json_t *detail, unsigned columns, struct buf *out)
{
    int64_t current = json_int_or(detail, "current", 0), total = json_int_or(detail, "total", 0);
    char now[SIZE_TEXT], all[SIZE_TEXT];
    int filled;

    if (current <= 0 && total <= 0)
        return;
    human_size((double)current, 4, now);
    if (total <= 0) {
        buf_printf(out, "%8s", now);
        return;
    }
    filled = (int)MIN_OF(current * 100 / total / 2, BAR_WIDTH);
    if (columns > BAR_COLUMNS) {
        buf_putc(out, '[');
        for (int i = 0; i < filled; i++)
            buf_putc(out, '=');
        buf_printf(out, ">%*s] ", BAR_WIDTH - filled, "");
    }
    if (current > total)
        buf_printf(out, "%8s", now);
    else
        buf_printf(out, "%8s/%s", now, human_size((double)total, 4, all));
}

/* How many lines above the cursor the id's line is; new ids get one at the bottom. */
static size_t line_of(struct screen *s, const char *id)
{
    size_t count = strv_len(s->lines);

    for (size_t i = 0; i < count; i++)
        if (str_eq(s->lines[i], id))
            return count - i;
    strv_push(&s->lines, id);
    putc('\n', s->out);
    return 1;
}

static void draw_bar(struct screen *s, const char *id, const char *status, const json_t *detail)
{
    _cleanup_(buf_finish) struct buf bar = BUF_INIT(4096);
    unsigned rows, columns = DEFAULT_COLUMNS;
    size_t up = *id ? line_of(s, id) : 0;

    terminal_size(&rows, &columns);
    progress_bar(detail, columns, &bar);
    if (up)
        fprintf(s->out, "\033[%zuA", up);
    fprintf(s->out, "\033[2K\r%s%s%s %s\r", id, *id ? ": " : "", status, buf_str(&bar));
    if (up)
        fprintf(s->out, "\033[%zuB", up);
    fflush(s->out);
}

static void print_plain(struct screen *s, const char *id, const char *status, const char *text,
                        const json_t *detail)
{
    _cleanup_(buf_finish) struct buf bar = BUF_INIT(4096);

    strv_free(s->lines);
    s->lines = NULL;
    progress_bar(detail, DEFAULT_COLUMNS, &bar);
    if (bar.len)
        return;
    if (*id)
        fprintf(s->out, "%s: ", id);
    if (text)
        fputs(text, s->out);
    else
        fprintf(s->out, "%s\n", status);
    fflush(s->out);
}

static int show_message(const json_t *message, void *arg, struct err *err)
{
    struct screen *s = arg;
    const char *failure = json_str(json_object_get(message, "errorDetail"), "message");
    const char *id = json_str_or(message, "id", ""), *status = json_str_or(message, "status", "");
    const json_t *detail = json_object_get(message, "progressDetail");

    if (!failure)
        failure = json_str(message, "error");
    if (failure)
        return err_set(err, ERR_SYSTEM, "%s", failure);
    if (s->quiet || json_object_get(message, "aux"))
        return 0;
    if (s->terminal && detail && !json_str(message, "stream"))
        draw_bar(s, id, status, detail);
    else
        print_plain(s, id, status, json_str(message, "stream"), detail);
    return 0;
}

int progress_show(struct http *http, FILE *out, bool quiet, struct err *err)
{
    struct screen screen = {.out = out, .terminal = terminal_is(fileno(out)), .quiet = quiet};
    int r = client_each_json(http, show_message, &screen, err);

    strv_free(screen.lines);
    return r;
}
