/* Tables, sizes, durations. */
#include "cli/output.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"

enum { COLUMNS_MAX = 64, GAP = 3 };

static int display_width(const char *s, size_t len)
{
    int n = 0;

    for (size_t i = 0; i < len; i++)
        n += (s[i] & 0xc0) != 0x80;
    return n;
}

static void measure(const char *text, int least, int *widths)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        for (const char *cell = line, *end; (end = cell + strcspn(cell, "\t\n")), *end == '\t';
             cell = end + 1) {
            int column = 0;

            for (const char *p = line; p < cell; p++)
                column += *p == '\t';
            if (column >= COLUMNS_MAX)
                break;
            widths[column] =
                MAX_OF(widths[column], MAX_OF(least, display_width(cell, (size_t)(end - cell)) + GAP));
        }
}

void output_table(FILE *out, const char *text, int least)
{
    int widths[COLUMNS_MAX] = {0}, column = 0;

    measure(text, least, widths);
    while (*text) {
        size_t len = strcspn(text, "\t\n");

        fwrite(text, 1, len, out);
        if (text[len] == '\t' && column < COLUMNS_MAX) {
            fprintf(out, "%*s", widths[column] - display_width(text, len), "");
            column++;
        } else if (text[len]) {
            putc(text[len], out);
            column = 0;
        }
        text += len + (text[len] != '\0');
    }
}

static const char *scaled(double value, double base, int digits, const char *const *units, char *out)
{
    size_t i = 0;

    while (value >= base && units[i + 1]) {
        value /= base;
        i++;
    }
    snprintf(out, SIZE_TEXT, "%.*g%s", digits, value, units[i]);
    return out;
}

const char *human_size(double bytes, int digits, char out[SIZE_TEXT])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB", NULL};

    return scaled(bytes, 1000, digits, units, out);
}

const char *human_bytes(double bytes, char out[SIZE_TEXT])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", NULL};

    return scaled(bytes, 1024, 4, units, out);
}

const char *human_duration(int64_t ns, char out[DURATION_TEXT])
{
    long long seconds = ns / CLOCK_NS_PER_S, minutes = seconds / 60;
    long long hours = (ns + 1800 * CLOCK_NS_PER_S) / (3600 * CLOCK_NS_PER_S);
    static const struct {
        long long below, unit; /* in hours */
        const char *name;
    } steps[] = {{48, 1, "hours"}, {24 * 14, 24, "days"}, {24 * 60, 168, "weeks"}, {24 * 730, 720, "months"}};

    if (seconds < 1)
        snprintf(out, DURATION_TEXT, "Less than a second");
    else if (seconds < 60)
        snprintf(out, DURATION_TEXT, "%lld second%s", seconds, seconds == 1 ? "" : "s");
    else if (minutes < 60)
        snprintf(out, DURATION_TEXT, minutes == 1 ? "About a minute" : "%lld minutes", minutes);
    else if (hours == 1)
        snprintf(out, DURATION_TEXT, "About an hour");
    else
        snprintf(out, DURATION_TEXT, "%lld years", hours / 24 / 365);
    for (size_t i = 0; minutes >= 60 && hours > 1 && i < ARRAY_SIZE(steps); i++)
        if (hours < steps[i].below) {
            snprintf(out, DURATION_TEXT, "%lld %s", hours / steps[i].unit, steps[i].name);
            break;
        }
    return out;
}

char *human_ago(int64_t then_ns)
{
    char text[DURATION_TEXT];

    if (then_ns <= 0)
        return xstrdup("N/A");
    return xasprintf("%s ago", human_duration(clock_now() - then_ns, text));
}

char *local_time(int64_t ns)
{
    time_t seconds = ns / CLOCK_NS_PER_S;
    char text[64];
    struct tm tm;

    localtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", &tm);
    return xstrdup(text);
}

static void new_line(struct buf *out, const char *prefix, int depth)
{
    buf_printf(out, "\n%s%*s", prefix, depth * 4, "");
}

void indent_json(struct buf *out, const char *json, const char *prefix)
{
    int depth = 0;

    for (const char *p = json; *p; p++) {
        if (*p == '"') {
            const char *end = p + 1;

            while (*end && *end != '"')
                end += *end == '\\' && end[1] ? 2 : 1;
            buf_append(out, p, (size_t)(end - p) + (*end == '"'));
            p = *end ? end : end - 1;
        } else if (*p == '{' || *p == '[') {
            const char *inner = p + 1 + strspn(p + 1, " \t\r\n");

            buf_putc(out, *p);
            if (*inner == '}' || *inner == ']') {
                buf_putc(out, *inner);
                p = inner;
            } else {
                new_line(out, prefix, ++depth);
            }
        } else if (*p == '}' || *p == ']') {
            new_line(out, prefix, --depth);
            buf_putc(out, *p);
        } else if (*p == ',') {
            buf_putc(out, ',');
            new_line(out, prefix, depth);
        } else if (*p == ':') {
            buf_puts(out, ": ");
        } else if (!strchr(" \t\r\n", *p)) {
            buf_putc(out, *p);
        }
    }
}

char *short_id(const char *id)
{
    const char *hex = str_after(id, "sha256:");

    return xstrndup(hex ? hex : id, 12);
}

char *ellipsis(const char *text, size_t width)
{
    size_t bytes = 0;

    if ((size_t)display_width(text, strlen(text)) <= width)
        return xstrdup(text);
    for (size_t n = 0; n + 1 < width && text[bytes]; n++)
        do
            bytes++;
        while ((text[bytes] & 0xc0) == 0x80);
    return xasprintf("%.*s…", (int)bytes, text);
}
