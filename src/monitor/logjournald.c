/* The journald driver: each record is an entry of the journal, with Docker's fields. The journal's native protocol
 * (systemd's JOURNAL_NATIVE_PROTOCOL): one datagram an entry, NAME=value lines; a value with a newline in it has its length
 * in front. What doesn't change from entry to entry is made once. */
#include <ctype.h>
#include <endian.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "monitor/logger.h"
#include "monitor/logsender.h"
#include "monitor/logsplit.h"

enum { FIELDS_MAX = 128 * 1024, PRIORITY_ERROR = 3, PRIORITY_INFO = 6, EPOCH_BYTES = 16 };

struct journald {
    struct logsender *sender;
    struct buf fields;  /* those of all entries */
    struct buf message; /* the one that is being made */
    char epoch[2 * EPOCH_BYTES + 1];
    uint64_t number;
    uint64_t line[LOG_STREAM_COUNT]; /* number of the first piece of the unfinished line */
    struct logsplit split;
};

static void add_field(struct buf *b, const char *name, const char *value, size_t len)
{
    uint64_t length = htole64(len);

    buf_puts(b, name);
    if (memchr(value, '\n', len)) {
        buf_putc(b, '\n');
        buf_append(b, &length, sizeof(length));
    } else {
        buf_putc(b, '=');
    }
    buf_append(b, value, len);
    buf_putc(b, '\n');
}

static void add_text(struct buf *b, const char *name, const char *value)
{
    if (value)
        add_field(b, name, value, strlen(value));
}

static void add_record(void *arg, const struct logsplit_record *r)
{
    struct journald *j = arg;
    struct buf *b = &j->message;
    char time[CLOCK_TEXT_SIZE];

    buf_reset(b);
    if (r->len == 0 && !r->ordinal)
        return; /* the journal has no empty messages */
    add_field(b, "MESSAGE", r->text, r->len);
    buf_printf(b, "PRIORITY=%d\n", r->stream == LOG_STDERR ? PRIORITY_ERROR : PRIORITY_INFO);
    clock_format(r->time, time);
    add_text(b, "SYSLOG_TIMESTAMP", time);
    if (r->ordinal) {
        if (r->ordinal == 1)
            j->line[r->stream] = j->number + 1;
        if (!r->last)
            add_text(b, "CONTAINER_PARTIAL_MESSAGE", "true");
        buf_printf(b, "CONTAINER_PARTIAL_ID=%s%016llx\n", j->epoch, (unsigned long long)j->line[r->stream]);
        buf_printf(b, "CONTAINER_PARTIAL_ORDINAL=%u\nCONTAINER_PARTIAL_LAST=%s\n", r->ordinal,
                   r->last ? "true" : "false");
    }
    buf_printf(b, "CONTAINER_LOG_ORDINAL=%llu\n", (unsigned long long)++j->number);
    buf_append(b, j->fields.data, j->fields.len);
    if (!buf_failed(b))
        logsender_send(j->sender, b->data, b->len);
}

/* A name as the journal wants it: A-Z, 0-9 and _, which isn't the first. The caller frees. */
static char *field_name(const char *text)
{
    char *name = xstrdup(text + strspn(text, "_")), *p;

    for (p = name; *p; p++)
        *p =
            isascii((unsigned char)*p) && isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
    memmove(name, name + strspn(name, "_"), strlen(name + strspn(name, "_")) + 1);
    return name;
}

static void make_fields(struct journald *j, const json_t *options)
{
    const json_t *container = json_object_get(options, "container");
    const char *id = json_str_or(container, "id", ""), *tag = json_str(options, "tag"), *key;
    _cleanup_free_ char *short_id = xstrndup(id, 12);
    json_t *value;

    add_text(&j->fields, "CONTAINER_ID", short_id);
    add_text(&j->fields, "CONTAINER_ID_FULL", id);
    add_text(&j->fields, "CONTAINER_NAME", json_str(container, "name"));
    add_text(&j->fields, "CONTAINER_TAG", tag);
    add_text(&j->fields, "IMAGE_NAME", json_str(container, "image"));
    add_text(&j->fields, "SYSLOG_IDENTIFIER", tag);
    add_text(&j->fields, "CONTAINER_LOG_EPOCH", j->epoch);
    json_object_foreach (json_object_get(options, "attrs"), key, value) {
        _cleanup_free_ char *name = field_name(key);

        if (*name)
            add_text(&j->fields, name, json_string_value(value));
    }
}

static void journald_close(void *driver)
{
    struct journald *j = driver;

    logsplit_end(&j->split);
    if (j->sender)
        logsender_close(j->sender);
    buf_finish(&j->fields);
    buf_finish(&j->message);
    free(j);
}

static void *journald_open(struct logger *log, struct loop *loop, const json_t *options, struct err *err)
{
    struct journald *j = xcalloc(1, sizeof(*j));

    j->fields = (struct buf)BUF_INIT(FIELDS_MAX);
    j->message = (struct buf)BUF_INIT(2 * FIELDS_MAX);
    random_hex(j->epoch, EPOCH_BYTES);
    logsplit_init(&j->split, add_record, j);
    make_fields(j, options);
    j->sender = logsender_open(log, loop, options, err);
    if (!j->sender)
        err_set(err, ERR_SYSTEM, "failed to initialize logging driver: journald is not enabled on this host");
    else if (buf_failed(&j->fields))
        err_set(err, ERR_INVALID, "log attributes are larger than %d bytes", FIELDS_MAX);
    else
        return j;
    journald_close(j);
    return NULL;
}

static void journald_write(void *driver, enum log_stream stream, const char *data, size_t len, int64_t now)
{
    logsplit_write(&((struct journald *)driver)->split, stream, data, len, now);
}

static void journald_finish(void *driver, enum log_stream stream, int64_t now)
{
    logsplit_finish(&((struct journald *)driver)->split, stream, now);
}

static bool journald_is_blocked(const void *driver)
{
    return logsender_is_blocked(((const struct journald *)driver)->sender);
}

static void journald_release(void *driver)
{
    buf_finish(&((struct journald *)driver)->message);
}

const struct log_driver log_driver_journald = {
    .name = "journald",
    .open = journald_open,
    .write = journald_write,
    .finish = journald_finish,
    .close = journald_close,
    .is_blocked = journald_is_blocked,
    .release = journald_release,
};
