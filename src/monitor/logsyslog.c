/* The syslog driver: a message a record, in the formats that Docker's driver has. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "monitor/logger.h"
#include "monitor/logsender.h"
#include "monitor/logsplit.h"

enum { SEVERITY_ERROR = 3, SEVERITY_INFO = 6, TIME_SIZE = 64, TAG_MAX = 1024 };

struct syslog;

/* What stands before the text. */
struct format {
    const char *name;
    void (*head)(const struct syslog *s, struct buf *b, unsigned priority, int64_t time);
};

struct syslog {
    struct logsender *sender;
    const struct format *format;
    char *tag, *hostname;
    unsigned facility;
    struct buf message;
    struct logsplit split;
};

/* --- formats --- */

/* "Jan  2 15:04:05" */
static void format_stamp(int64_t time, char out[TIME_SIZE])
{
    time_t seconds = time / CLOCK_NS_PER_S;
    struct tm tm;

    localtime_r(&seconds, &tm);
    strftime(out, TIME_SIZE, "%b %e %H:%M:%S", &tm);
}

/* "2006-01-02T15:04:05[.000000]Z", or with the zone's offset */
static void format_iso(int64_t time, bool micro, char out[TIME_SIZE])
{
    time_t seconds = time / CLOCK_NS_PER_S;
    struct tm tm;
    size_t n;
    long minutes;

    localtime_r(&seconds, &tm);
    minutes = tm.tm_gmtoff / 60;
    n = strftime(out, TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    if (micro)
        n += (size_t)snprintf(out + n, TIME_SIZE - n, ".%06d", (int)(time % CLOCK_NS_PER_S / 1000));
    if (minutes == 0)
        strcpy(out + n, "Z");
    else
        snprintf(out + n, TIME_SIZE - n, "%c%02ld:%02ld", minutes < 0 ? '-' : '+', labs(minutes) / 60,
                 labs(minutes) % 60);
}

static void head_plain(const struct syslog *s, struct buf *b, unsigned priority, int64_t time)
{
    char stamp[TIME_SIZE];

    format_stamp(time, stamp);
    buf_printf(b, "<%u>%s %s[%d]: ", priority, stamp, s->tag, (int)getpid());
}

static void head_rfc3164(const struct syslog *s, struct buf *b, unsigned priority, int64_t time)
{
    char stamp[TIME_SIZE];

    format_stamp(time, stamp);
    buf_printf(b, "<%u>%s %s %s[%d]: ", priority, stamp, s->hostname, s->tag, (int)getpid());
}

static void head_iso(const struct syslog *s, struct buf *b, unsigned priority, int64_t time, bool micro)
{
    char stamp[TIME_SIZE];

    format_iso(time, micro, stamp);
    buf_printf(b, "<%u>1 %s %s %s %d %s - ", priority, stamp, s->hostname, s->tag, (int)getpid(), s->tag);
}

static void head_rfc5424(const struct syslog *s, struct buf *b, unsigned priority, int64_t time)
{
    head_iso(s, b, priority, time, /* micro= */ false);
}

static void head_rfc5424micro(const struct syslog *s, struct buf *b, unsigned priority, int64_t time)
{
    head_iso(s, b, priority, time, /* micro= */ true);
}

static const struct format formats[] = {
    {"", head_plain},
    {"rfc3164", head_rfc3164},
    {"rfc5424", head_rfc5424},
    {"rfc5424micro", head_rfc5424micro},
};

static void add_record(void *arg, const struct logsplit_record *r)
{
    struct syslog *s = arg;
    struct buf *b = &s->message;

    if (r->len == 0)
        return; /* as Docker's */
    buf_reset(b);
    s->format->head(s, b, s->facility << 3 | (r->stream == LOG_STDERR ? SEVERITY_ERROR : SEVERITY_INFO),
                    r->time);
    buf_append(b, r->text, r->len);
    buf_putc(b, '\n');
    if (!buf_failed(b))
        logsender_send(s->sender, b->data, b->len);
}

/* --- the driver --- */

/* Where a machine's own syslog listens. */
static struct logsender *open_local(struct logger *log, struct loop *loop, const json_t *options)
{
    static const char *const types[] = {"dgram", "stream"}, *const paths[] = {"/dev/log", "/var/run/syslog",
                                                                              "/var/run/log"};
    struct logsender *sender = NULL;

    for (size_t t = 0; t < ARRAY_SIZE(types); t++)
        for (size_t p = 0; p < ARRAY_SIZE(paths) && !sender; p++) {
            _cleanup_json_ json_t *own = json_copy((json_t *)options);

            json_object_set_new(own, "socket", json_pack("{s:s, s:s}", "type", types[t], "path", paths[p]));
            sender = logsender_open(log, loop, own, NULL);
        }
    return sender;
}

static void syslog_close(void *driver)
{
    struct syslog *s = driver;

    logsplit_end(&s->split);
    if (s->sender)
        logsender_close(s->sender);
    buf_finish(&s->message);
    free(s->tag);
    free(s->hostname);
    free(s);
}

static void *syslog_open(struct logger *log, struct loop *loop, const json_t *options, struct err *err)
{
    const char *format = json_str_or(options, "format", "");
    struct syslog *s = xcalloc(1, sizeof(*s));

    s->format = &formats[0];
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        if (str_eq(formats[i].name, format))
            s->format = &formats[i];
    s->tag = xstrndup(json_str_or(options, "tag", ""), TAG_MAX);
    s->hostname = xstrdup(json_str_or(options, "hostname", "localhost"));
    s->facility = (unsigned)json_int_or(options, "facility", 0);
    s->message = (struct buf)BUF_INIT(LOGLINE_PIECE_MAX + 4 * TAG_MAX);
    logsplit_init(&s->split, add_record, s);
    if (json_object_get(options, "socket")) {
        s->sender = logsender_open(log, loop, options, err);
        if (!s->sender)
            err_wrap(err, "failed to initialize logging driver: dial %s",
                     json_str_or(options, "address", "syslog"));
    } else {
        s->sender = open_local(log, loop, options);
        if (!s->sender)
            err_set(err, ERR_SYSTEM,
                    "failed to initialize logging driver: Unix syslog delivery error: nothing listens on "
                    "/dev/log; "
                    "say --log-opt syslog-address=…");
    }
    if (s->sender)
        return s;
    syslog_close(s);
    return NULL;
}

static void syslog_write(void *driver, enum log_stream stream, const char *data, size_t len, int64_t now)
{
    logsplit_write(&((struct syslog *)driver)->split, stream, data, len, now);
}

static void syslog_finish(void *driver, enum log_stream stream, int64_t now)
{
    logsplit_finish(&((struct syslog *)driver)->split, stream, now);
}

static bool syslog_is_blocked(const void *driver)
{
    return logsender_is_blocked(((const struct syslog *)driver)->sender);
}

static void syslog_release(void *driver)
{
    buf_finish(&((struct syslog *)driver)->message);
}

const struct log_driver log_driver_syslog = {
    .name = "syslog",
    .open = syslog_open,
    .write = syslog_write,
    .finish = syslog_finish,
    .close = syslog_close,
    .is_blocked = syslog_is_blocked,
    .release = syslog_release,
};
