/* One line a message, written in one write(). */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"

static const char *const names[] = {"debug", "info", "warning", "error", "fatal"};
static _Atomic enum log_level threshold = LOG_LEVEL_INFO; /* changed on reload, read by every thread */
static int log_fd = STDERR_FILENO;
static int log_json;

void log_set_level(enum log_level level)
{
    threshold = level;
}

enum log_level log_get_level(void)
{
    return threshold;
}

int log_level_from_name(const char *name, enum log_level *ret)
{
    if (str_eq(name, "warn"))
        name = "warning";
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_eq(names[i], name)) {
            *ret = (enum log_level)i;
            return 0;
        }
    return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
    return names[level];
}

void log_set_fd(int fd)
{
    log_fd = fd;
}

void log_set_json(int on)
{
    log_json = on;
}

static void put_quoted(struct buf *b, const char *s)
{
    buf_putc(b, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_printf(b, "\\%c", *s);
        else if (*s == '\n')
            buf_puts(b, "\\n");
        else if ((unsigned char)*s < 0x20)
            buf_printf(b, log_json ? "\\u%04x" : "\\x%02x", (unsigned)*s);
        else
            buf_putc(b, *s);
    }
    buf_putc(b, '"');
}

void log_write(enum log_level level, const char *fmt, ...)
{
    _cleanup_(buf_finish) struct buf line = BUF_INIT(16384), text = BUF_INIT(8192);
    char now[CLOCK_TEXT_SIZE];
    int saved = errno;
    va_list ap;

    if (level < threshold)
        return;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    clock_format(clock_now(), now);
    buf_printf(&line,
               log_json ? "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":" : "time=\"%s\" level=%s msg=", now,
               names[level]);
    put_quoted(&line, buf_str(&text));
    buf_puts(&line, log_json ? "}\n" : "\n");
    if (!buf_failed(&line) && write(log_fd, line.data, line.len) < 0)
        errno = saved; /* nowhere left to complain */
    errno = saved;
}
