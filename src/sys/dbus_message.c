/* The message bus's wire format, as little of it as calling systemd takes. Numbers are in the machine's own order: both ends are
 * on the same machine. */
#include <string.h>

#include "base/str.h"
#include "sys/dbus.h"

enum header_field {
    FIELD_PATH = 1,
    FIELD_INTERFACE,
    FIELD_MEMBER,
    FIELD_ERROR,
    FIELD_REPLY_SERIAL,
    FIELD_DESTINATION,
    FIELD_SENDER,
    FIELD_SIGNATURE
};
enum { PROTOCOL = 1 };
static const char own_order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B';

/* --- writing --- */

static void put_padding(struct buf *b, size_t alignment)
{
    while (!buf_failed(b) && b->len % alignment)
        buf_putc(b, '\0');
}

void dbus_put_byte(struct buf *b, uint8_t value)
{
    buf_putc(b, (char)value);
}

void dbus_put_u32(struct buf *b, uint32_t value)
{
    put_padding(b, sizeof(value));
    buf_append(b, &value, sizeof(value));
}

void dbus_put_u64(struct buf *b, uint64_t value)
{
    put_padding(b, sizeof(value));
    buf_append(b, &value, sizeof(value));
}

void dbus_put_string(struct buf *b, const char *text)
{
    dbus_put_u32(b, (uint32_t)strlen(text));
    buf_append(b, text, strlen(text) + 1);
}

void dbus_put_signature(struct buf *b, const char *signature)
{
    buf_putc(b, (char)strlen(signature));
    buf_append(b, signature, strlen(signature) + 1);
}

void dbus_put_struct(struct buf *b)
{
    put_padding(b, 8);
}

struct dbus_array dbus_open_array(struct buf *b, size_t alignment)
{
    struct dbus_array array;
    dbus_put_u32(b, 0);
    array.length_at = b->len - sizeof(uint32_t);
    put_padding(b, alignment);
    array.start = b->len;
    return array;
}

void dbus_close_array(struct buf *b, struct dbus_array array)
{
    uint32_t length = (uint32_t)(b->len - array.start);
    if (!buf_failed(b))
        memcpy(b->data + array.length_at, &length, sizeof(length));
}

static void put_field(struct buf *b, enum header_field field, const char *signature, const char *value)
{
    if (str_empty(value))
        return;
    dbus_put_struct(b);
    dbus_put_byte(b, (uint8_t)field);
    dbus_put_signature(b, signature);
    if (*signature == 'g')
        dbus_put_signature(b, value);
    else
        dbus_put_string(b, value);
}

void dbus_put_call(struct buf *b, const struct dbus_method *method, uint32_t serial, const struct buf *body)
{
    buf_putc(b, own_order);
    dbus_put_byte(b, DBUS_CALL);
    dbus_put_byte(b, 0);
    dbus_put_byte(b, PROTOCOL);
    dbus_put_u32(b, body ? (uint32_t)body->len : 0);
    dbus_put_u32(b, serial);
    struct dbus_array fields = dbus_open_array(b, 8);
    put_field(b, FIELD_PATH, "o", method->path);
    put_field(b, FIELD_DESTINATION, "s", method->destination);
    put_field(b, FIELD_INTERFACE, "s", method->interface);
    put_field(b, FIELD_MEMBER, "s", method->member);
    put_field(b, FIELD_SIGNATURE, "g", method->signature);
    dbus_close_array(b, fields);
    put_padding(b, 8);
    if (body)
        buf_append(b, body->data, body->len);
}

/* --- reading --- */

static bool skip_to(struct dbus_message *m, size_t alignment, size_t wanted)
{
    size_t at = (m->at + alignment - 1) / alignment * alignment;
    if (at > m->body_length || m->body_length - at < wanted)
        return false;
    m->at = at;
    return true;
}

bool dbus_read_u32(struct dbus_message *m, uint32_t *ret)
{
    if (!skip_to(m, sizeof(*ret), sizeof(*ret)))
        return false;
    memcpy(ret, m->body + m->at, sizeof(*ret));
    m->at += sizeof(*ret);
    return true;
}

/* `length` bytes and a NUL. */
static bool read_text(struct dbus_message *m, size_t length, const char **ret)
{
    if (m->body_length - m->at <= length || m->body[m->at + length] != '\0')
        return false;
    *ret = m->body + m->at;
    m->at += length + 1;
    return true;
}

bool dbus_read_string(struct dbus_message *m, const char **ret)
{
    uint32_t length;
    return dbus_read_u32(m, &length) && read_text(m, length, ret);
}

bool dbus_read_signature(struct dbus_message *m, const char **ret)
{
    if (!skip_to(m, 1, 1))
        return false;
    uint8_t length = (uint8_t)m->body[m->at++];
    return read_text(m, length, ret);
}

void dbus_message_finish(struct dbus_message *m)
{
    free(m->storage);
    *m = (struct dbus_message){};
}

/* The fields of a header, read as if they were a body that begins where the message begins. */
static bool parse_fields(struct dbus_message *m, struct dbus_message *fields)
{
    while (fields->at < fields->body_length) {
        const char *signature, *text = NULL;
        uint32_t number = 0;
        if (!skip_to(fields, 8, 1))
            return false;
        uint8_t field = (uint8_t)fields->body[fields->at++];
        if (!dbus_read_signature(fields, &signature))
            return false;
        bool good = *signature == 'u'                        ? dbus_read_u32(fields, &number)
                    : *signature == 'g'                      ? dbus_read_signature(fields, &text)
                    : strchr("so", *signature) && *signature ? dbus_read_string(fields, &text)
                                                             : false;
        if (!good)
            return false;
        if (field == FIELD_REPLY_SERIAL)
            m->reply_serial = number;
        else if (field == FIELD_INTERFACE)
            m->interface = text;
        else if (field == FIELD_MEMBER)
            m->member = text;
        else if (field == FIELD_ERROR)
            m->error = text;
    }
    return true;
}

/* The lengths of the fields and of the body; whether they are within bounds. */
static bool read_lengths(const char *header, uint32_t *ret_fields, uint32_t *ret_body)
{
    memcpy(ret_body, header + 4, sizeof(*ret_body));
    memcpy(ret_fields, header + 12, sizeof(*ret_fields));
    return header[0] == own_order && *ret_fields <= DBUS_MESSAGE_MAX && *ret_body <= DBUS_MESSAGE_MAX;
}

static size_t header_length(uint32_t fields)
{
    return (DBUS_HEADER_FIXED + (size_t)fields + 7) / 8 * 8;
}

ssize_t dbus_message_length(const char header[DBUS_HEADER_FIXED])
{
    uint32_t fields, body;
    return read_lengths(header, &fields, &body) ? (ssize_t)(header_length(fields) + body) : -EBADMSG;
}

int dbus_message_parse(char *whole, struct dbus_message *ret)
{
    struct dbus_message m = {.type = (uint8_t)whole[1], .storage = whole};
    uint32_t fields_length, body_length;
    bool good = read_lengths(whole, &fields_length, &body_length);
    struct dbus_message fields = {
        .body = whole, .body_length = DBUS_HEADER_FIXED + (size_t)fields_length, .at = DBUS_HEADER_FIXED};
    if (!good || !parse_fields(&m, &fields)) {
        dbus_message_finish(&m);
        return -EBADMSG;
    }
    m.body = whole + header_length(fields_length);
    m.body_length = body_length;
    *ret = m;
    return 0;
}
