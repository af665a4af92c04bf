/* Filters, frames and times of log entries. */
#include "engine/log_output.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

enum { FLUSH_AT = 192 * 1024, OUTPUT_MAX = 32 * 1024 * 1024, HEADER = 8, SECONDS_LEN = 19, FRACTION = 9 };

void log_output_init(struct log_output *o, const struct engine_logs_options *wanted, bool framed,
                     const struct engine_sink *sink, struct err *err)
{
    *o = (struct log_output){.wanted = wanted,
                             .sink = sink,
                             .err = err,
                             .framed = framed,
                             .with_time = wanted->since || wanted->until,
                             .second = -1,
                             .buf = BUF_INIT(OUTPUT_MAX)};
}

void log_output_finish(struct log_output *o)
{
    buf_finish(&o->buf);
}

bool log_output_begin(struct log_output *o, bool to_stderr, int64_t time)
{
    const struct engine_logs_options *w = o->wanted;
    if (to_stderr ? !w->stderr_too : !w->stdout_too)
        return false;
    if (w->since && time < w->since)
        return false;
    if (w->until && time > w->until) {
        o->over = true;
        return false;
    }
    o->start = o->buf.len;
    if (o->framed)
        buf_append(&o->buf, to_stderr ? "\2\0\0\0\0\0\0\0" : "\1\0\0\0\0\0\0\0", HEADER);
    return true;
}

void log_output_end(struct log_output *o)
{
    if (!o->framed || buf_failed(&o->buf))
        return;
    size_t len = o->buf.len - o->start - HEADER;
    unsigned char *head = (unsigned char *)o->buf.data + o->start;
    head[4] = (unsigned char)(len >> 24);
    head[5] = (unsigned char)(len >> 16);
    head[6] = (unsigned char)(len >> 8);
    head[7] = (unsigned char)len;
}

void log_output_time(struct log_output *o, int64_t time)
{
    int64_t second = time / CLOCK_NS_PER_S, fraction = time % CLOCK_NS_PER_S;
    char text[SECONDS_LEN + 1 + FRACTION + 2];
    if (second != o->second) {
        clock_format(second ? second * CLOCK_NS_PER_S : 1, o->second_text);
        o->second = second;
    }
    memcpy(text, o->second_text, SECONDS_LEN);
    text[SECONDS_LEN] = '.';
    for (int i = FRACTION; i > 0; i--, fraction /= 10)
        text[SECONDS_LEN + i] = (char)('0' + (fraction < 0 ? 0 : fraction % 10));
    text[SECONDS_LEN + 1 + FRACTION] = 'Z';
    text[SECONDS_LEN + 2 + FRACTION] = ' ';
    buf_append(&o->buf, text, sizeof(text));
}

/* As Docker's: what isn't plain is escaped as in the query of a URL. */
static void append_escaped(struct buf *b, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == ' ')
            buf_putc(b, '+');
        else if (c < 0x80 && (isalnum(c) || strchr("-_.~", c)))
            buf_putc(b, *text);
        else
            buf_printf(b, "%%%02X", c);
    }
}

static char *attr_text(const char *key, const char *value)
{
    struct buf b = BUF_INIT(OUTPUT_MAX);
    append_escaped(&b, key);
    buf_putc(&b, '=');
    append_escaped(&b, value);
    return buf_take(&b);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void log_output_attrs(struct log_output *o, const char *text, size_t len)
{
    _cleanup_json_ json_t *attrs = text ? json_loadb(text, len, 0, NULL) : NULL;
    _cleanup_strv_ char **pairs = NULL;
    const char *key;
    json_t *value;
    json_object_foreach (attrs, key, value) {
        char *pair = attr_text(key, json_is_string(value) ? json_string_value(value) : "");
        if (pair)
            strv_push_take(&pairs, pair);
    }
    if (pairs)
        qsort(pairs, strv_len(pairs), sizeof(*pairs), by_text);
    _cleanup_free_ char *joined = strv_join(pairs, ",");
    buf_printf(&o->buf, "%s ", joined ? joined : "");
}

bool log_output_due(const struct log_output *o)
{
    return o->buf.len >= FLUSH_AT;
}

int log_output_flush(struct log_output *o)
{
    if (o->buf.len == 0)
        return 0;
    int failed = o->sink->write(o->sink->arg, o->buf.data, o->buf.len);
    buf_reset(&o->buf);
    return failed < 0 ? err_set(o->err, ERR_CANCELLED, "the client has gone") : 0;
}
