/* Writes tar headers. */
#include "tar/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "tar/format.h"

/* The largest number that fits octal digits and a NUL. */
#define OCTAL_MAX(size) ((1LL << 3 * ((size)-1)) - 1)

static void put_octal(char *field, size_t size, int64_t value)
{
    field[size - 1] = '\0';
    for (size_t i = size - 1; i-- > 0; value >>= 3)
        field[i] = (char)('0' + (value & 7));
}

/* A number that doesn't fit is in the pax header; the field then says 0. */
static void put_number(char *field, size_t size, int64_t value)
{
    put_octal(field, size, value < 0 || value > OCTAL_MAX(size) ? 0 : value);
}

static void put_checksum(struct tar_header *h)
{
    const unsigned char *bytes = (const unsigned char *)h;
    unsigned int sum = 0;

    memset(h->checksum, ' ', sizeof(h->checksum));
    for (size_t i = 0; i < sizeof(*h); i++)
        sum += bytes[i];
    put_octal(h->checksum, 7, sum);
}

static void fill_header(struct tar_header *h, const struct tar_entry *e, const char *name, char type)
{
    memcpy(h->name, name, strnlen(name, sizeof(h->name)));
    put_number(h->mode, sizeof(h->mode), e->mode);
    put_number(h->uid, sizeof(h->uid), e->uid);
    put_number(h->gid, sizeof(h->gid), e->gid);
    put_number(h->size, sizeof(h->size), e->size);
    put_number(h->mtime, sizeof(h->mtime), e->mtime);
    h->type = type;
    if (e->link)
        memcpy(h->link, e->link, strnlen(e->link, sizeof(h->link)));
    memcpy(h->magic, "ustar", sizeof(h->magic));
    memcpy(h->version, "00", sizeof(h->version));
    put_number(h->dev_major, sizeof(h->dev_major), e->dev_major);
    put_number(h->dev_minor, sizeof(h->dev_minor), e->dev_minor);
    put_checksum(h);
}

/* "LENGTH KEY=VALUE\n", in which LENGTH counts its own digits. */
static void add_record(struct buf *b, const char *key, const void *value, size_t len)
{
    size_t rest = 1 + strlen(key) + 1 + len + 1, total = rest + 1;

    for (size_t digits = 0; digits != (size_t)snprintf(NULL, 0, "%zu", total);) {
        digits = (size_t)snprintf(NULL, 0, "%zu", total);
        total = rest + digits;
    }
    buf_printf(b, "%zu %s=", total, key);
    buf_append(b, value, len);
    buf_putc(b, '\n');
}

static void add_number(struct buf *b, const char *key, int64_t value)
{
    char text[24];

    add_record(b, key, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, value));
}

static void add_time(struct buf *b, int64_t seconds, int32_t ns)
{
    char text[40];
    bool negative = seconds < 0;
    int len;

    if (negative && ns > 0) { /* the other way round than a timespec: -1.25 is 0.75 s after -2 */
        seconds++;
        ns = 1000000000 - ns;
    }
    len = snprintf(text, sizeof(text), "%s%" PRId64, negative ? "-" : "", negative ? -seconds : seconds);
    if (ns > 0) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, ".%09d", (int)ns);
        while (text[len - 1] == '0')
            len--;
    }
    add_record(b, "mtime", text, (size_t)len);
}

static void add_records(struct buf *b, const struct tar_entry *e)
{
    if (strlen(e->path) > sizeof(((struct tar_header *)0)->name))
        add_record(b, "path", e->path, strlen(e->path));
    if (e->link && strlen(e->link) > sizeof(((struct tar_header *)0)->link))
        add_record(b, "linkpath", e->link, strlen(e->link));
    if (e->size > OCTAL_MAX(12))
        add_number(b, "size", e->size);
    if (e->uid > OCTAL_MAX(8))
        add_number(b, "uid", e->uid);
    if (e->gid > OCTAL_MAX(8))
        add_number(b, "gid", e->gid);
    if (e->mtime_ns != 0 || e->mtime < 0 || e->mtime > OCTAL_MAX(12))
        add_time(b, e->mtime, e->mtime_ns);
    for (size_t i = 0; i < e->n_xattrs; i++) {
        char key[TAR_XATTR_NAME_MAX + sizeof("SCHILY.xattr.")];

        snprintf(key, sizeof(key), "SCHILY.xattr.%s", e->xattrs[i].name);
        add_record(b, key, e->xattrs[i].value, e->xattrs[i].len);
    }
}

int tar_write_padding(struct sink *s, int64_t size, struct err *err)
{
    return sink_zeros(s, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK, err);
}

int tar_write_header(struct sink *s, const struct tar_entry *e, struct err *err)
{
    _cleanup_(buf_finish) struct buf records = BUF_INIT(TAR_PAX_MAX);
    struct tar_header h = {};

    add_records(&records, e);
    if (buf_failed(&records))
        return err_set(err, ERR_INVALID, "%s: its extended attributes are too large for an archive", e->path);
    if (records.len > 0) {
        const struct tar_entry pax = {.mode = 0644, .size = (int64_t)records.len};
        struct tar_header p = {};

        fill_header(&p, &pax, "PaxHeaders/entry", 'x');
        if (sink_write(s, &p, sizeof(p), err) < 0 || sink_write(s, records.data, records.len, err) < 0 ||
            tar_write_padding(s, (int64_t)records.len, err) < 0)
            return -1;
    }
    fill_header(&h, e, e->path, (char)e->type);
    return sink_write(s, &h, sizeof(h), err);
}

int tar_write_end(struct sink *s, struct err *err)
{
    return sink_zeros(s, 2LL * TAR_BLOCK, err);
}
