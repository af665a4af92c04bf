/* The format is our monitor's (and Docker's), so the usual line is taken apart with a few memchr(); any other order of
 * members, or foreign ones, goes through the JSON parser. */
#include "engine/logline.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"

#define HEAD        "{\"log\":\""
#define STREAM      "\",\"stream\":\"std"
#define TIME        "\"time\":\""
#define ATTRS       "\"attrs\":"
#define TAIL_LENGTH 2 /* "} */

#define LITERAL_LEN(s) (sizeof(s) - 1)

/* ---- taking apart ---- */

/* The quote that ends a JSON string, or NULL. */
static const char *string_end(const char *p, const char *end)
{
    for (;;) {
        const char *quote = memchr(p, '"', (size_t)(end - p));
        if (!quote)
            return NULL;
        const char *back = quote;
        while (back > p && back[-1] == '\\')
            back--;
        if (((size_t)(quote - back) & 1) == 0)
            return quote;
        p = quote + 1;
    }
}

bool log_line_split(const char *line, size_t len, struct log_line *ret)
{
    const char *end = line + len, *p = line + LITERAL_LEN(HEAD);
    if (len < LITERAL_LEN(HEAD) + LITERAL_LEN(STREAM) + LITERAL_LEN(TIME) ||
        memcmp(line, HEAD, LITERAL_LEN(HEAD)) != 0 || end[-1] != '}' || end[-2] != '"')
        return false;
    const char *quote = string_end(p, end);
    if (!quote || (size_t)(end - quote) < LITERAL_LEN(STREAM) + LITERAL_LEN(TIME) + 8 ||
        memcmp(quote, STREAM, LITERAL_LEN(STREAM)) != 0)
        return false;
    ret->text = p;
    ret->text_len = (size_t)(quote - p);
    p = quote + LITERAL_LEN(STREAM);
    ret->to_stderr = memcmp(p, "err", 3) == 0;
    p += 5; /* out", or err", */
    ret->attrs = NULL;
    ret->attrs_len = 0;
    const char *time = end - TAIL_LENGTH;
    while (time > p && time[-1] != '"')
        time--;
    if ((size_t)(time - p) < LITERAL_LEN(TIME) ||
        memcmp(time - LITERAL_LEN(TIME), TIME, LITERAL_LEN(TIME)) != 0)
        return false;
    ret->time = time;
    ret->time_len = (size_t)(end - TAIL_LENGTH - time);
    const char *between = time - LITERAL_LEN(TIME);
    if (between > p) {
        if ((size_t)(between - p) < LITERAL_LEN(ATTRS) + 3 || memcmp(p, ATTRS, LITERAL_LEN(ATTRS)) != 0)
            return false;
        ret->attrs = p + LITERAL_LEN(ATTRS);
        ret->attrs_len = (size_t)(between - 1 - ret->attrs);
    }
    return true;
}

/* ---- text ---- */

static void append_code_point(struct buf *out, uint32_t c)
{
    char utf8[4];
    size_t n = 0;
    if (c < 0x80) {
        utf8[n++] = (char)c;
    } else if (c < 0x800) {
        utf8[n++] = (char)(0xc0 | c >> 6);
        utf8[n++] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        utf8[n++] = (char)(0xe0 | c >> 12);
        utf8[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        utf8[n++] = (char)(0x80 | (c & 0x3f));
    } else {
        utf8[n++] = (char)(0xf0 | c >> 18);
        utf8[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        utf8[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        utf8[n++] = (char)(0x80 | (c & 0x3f));
    }
    buf_append(out, utf8, n);
}

static bool hex4(const char *p, const char *end, uint32_t *ret)
{
    char digits[5], *stop;
    if (end - p < 4)
        return false;
    memcpy(digits, p, 4);
    digits[4] = '\0';
    *ret = (uint32_t)strtoul(digits, &stop, 16);
    return *stop == '\0';
}

/* p is behind "\u". Returns where to go on. */
static const char *append_unicode(struct buf *out, const char *p, const char *end)
{
    uint32_t c, low;
    if (!hex4(p, end, &c))
        return p;
    p += 4;
    if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' && hex4(p + 2, end, &low) &&
        low >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
    } else if (c >= 0xd800 && c < 0xe000) {
        c = 0xfffd;
    }
    append_code_point(out, c);
    return p;
}

static void append_unescaped(struct buf *out, const char *p, const char *end)
{
    static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
    while (p < end) {
        const char *back = memchr(p, '\\', (size_t)(end - p));
        if (!back || back + 1 >= end) {
            buf_append(out, p, (size_t)(end - p));
            return;
        }
        buf_append(out, p, (size_t)(back - p));
        p = back + 2;
        const char *known = back[1] ? strchr(from, back[1]) : NULL;
        if (known)
            buf_putc(out, to[known - from]);
        else if (back[1] == 'u')
            p = append_unicode(out, p, end);
        else
            buf_putc(out, back[1]);
    }
}

void log_line_append_text(const struct log_line *l, struct buf *out)
{
    append_unescaped(out, l->text, l->text + l->text_len);
}

/* ---- time, attributes ---- */

void log_line_append_time(const struct log_line *l, struct buf *out)
{
    enum { SECONDS = 19, FRACTION = 9 };
    size_t digits = 0;
    if (l->time_len < SECONDS + 1) {
        buf_printf(out, "%.*s ", (int)l->time_len, l->time);
        return;
    }
    buf_append(out, l->time, SECONDS);
    buf_putc(out, '.');
    if (l->time[SECONDS] == '.')
        while (digits < FRACTION && SECONDS + 1 + digits < l->time_len &&
               l->time[SECONDS + 1 + digits] >= '0' && l->time[SECONDS + 1 + digits] <= '9')
            digits++;
    buf_append(out, l->time + SECONDS + 1, digits);
    buf_append(out, "000000000", FRACTION - digits);
    size_t zone = digits ? SECONDS + 1 + digits : SECONDS;
    buf_append(out, l->time + zone, l->time_len - zone);
    buf_putc(out, ' ');
}

int64_t log_line_time(const struct log_line *l)
{
    char text[64];
    int64_t ns = 0;
    if (l->time_len >= sizeof(text))
        return 0;
    memcpy(text, l->time, l->time_len);
    text[l->time_len] = '\0';
    return clock_parse(text, &ns) < 0 ? 0 : ns;
}
