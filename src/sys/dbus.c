/* The message bus's wire protocol, as little of it as calling systemd takes. Numbers are in the machine's own order: both
 * ends are on the same machine. */
#include "sys/dbus.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

enum message_type { MESSAGE_CALL = 1, MESSAGE_RETURN, MESSAGE_ERROR, MESSAGE_SIGNAL };
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
enum { FIXED_HEADER = 16, PROTOCOL = 1, KEPT_MAX = 64, AUTH_LINE_MAX = 512 };
static const char own_order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B';

struct dbus {
    int fd;
    uint32_t serial;
    struct dbus_message kept[KEPT_MAX]; /* signals that came before somebody waited for them */
    size_t kept_count;
};

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

/* 0, -ETIMEDOUT, -ECONNRESET at the end, or -errno. */
static int receive_full(const struct dbus *bus, void *data, size_t length, int64_t deadline)
{
    for (size_t got = 0; got < length;) {
        int64_t left = (deadline - clock_monotonic()) / 1000000;
        struct pollfd p = {.fd = bus->fd, .events = POLLIN};
        int ready = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (ready == 0)
            return -ETIMEDOUT;
        ssize_t n = ready < 0 ? -1 : recv(bus->fd, (char *)data + got, length - got, 0);
        if (n == 0)
            return -ECONNRESET;
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        got += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int receive_message(const struct dbus *bus, struct dbus_message *ret, int64_t deadline)
{
    unsigned char fixed[FIXED_HEADER];
    uint32_t body_length, fields_length;
    int r = receive_full(bus, fixed, sizeof(fixed), deadline);
    if (r < 0)
        return r;
    memcpy(&body_length, fixed + 4, sizeof(body_length));
    memcpy(&fields_length, fixed + 12, sizeof(fields_length));
    if (fixed[0] != (unsigned char)own_order || fields_length > DBUS_MESSAGE_MAX ||
        body_length > DBUS_MESSAGE_MAX)
        return -EBADMSG;
    size_t header = (FIXED_HEADER + (size_t)fields_length + 7) / 8 * 8;
    struct dbus_message m = {.type = fixed[1], .storage = xmalloc(header + body_length)};
    memcpy(m.storage, fixed, sizeof(fixed));
    r = receive_full(bus, m.storage + FIXED_HEADER, header + body_length - FIXED_HEADER, deadline);
    struct dbus_message fields = {
        .body = m.storage, .body_length = FIXED_HEADER + fields_length, .at = FIXED_HEADER};
    if (r == 0 && !parse_fields(&m, &fields))
        r = -EBADMSG;
    if (r < 0) {
        dbus_message_finish(&m);
        return r;
    }
    m.body = m.storage + header;
    m.body_length = body_length;
    *ret = m;
    return 0;
}

/* --- the connection --- */

static int send_all(const struct dbus *bus, const void *data, size_t length)
{
    for (size_t sent = 0; sent < length;) {
        ssize_t n = send(bus->fd, (const char *)data + sent, length - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return -errno;
        sent += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* "path" or "abstract" of one address. 0, or -EINVAL for a transport we don't have. */
static int parse_address(const char *address, struct sockaddr_un *ret, socklen_t *ret_length)
{
    const char *list = str_after(address, "unix:");
    _cleanup_strv_ char **pairs = list ? strv_split(list, ',') : NULL;
    for (size_t i = 0; pairs && pairs[i]; i++) {
        const char *path = str_after(pairs[i], "path="), *abstract = str_after(pairs[i], "abstract=");
        const char *name = path ? path : abstract;
        if (!name || strlen(name) + 1 >= sizeof(ret->sun_path))
            continue;
        *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
        memcpy(ret->sun_path + (abstract ? 1 : 0), name, strlen(name));
        *ret_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1);
        return 0;
    }
    return -EINVAL;
}

static int connect_one(const char *address)
{
    struct sockaddr_un peer;
    socklen_t length;
    int r = parse_address(address, &peer, &length);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&peer, length) < 0)
        return -errno;
    return take_fd(&fd);
}

/* The peer's credentials are what counts: EXTERNAL only names the user. */
static int authenticate(struct dbus *bus, uid_t uid)
{
    int64_t deadline = clock_monotonic() + DBUS_TIMEOUT_MS * INT64_C(1000000);
    char number[16], hex[40], line[AUTH_LINE_MAX];
    size_t length = 0;
    snprintf(number, sizeof(number), "%u", uid);
    hex_encode(number, strlen(number), hex);
    int n = snprintf(line, sizeof(line), "%cAUTH EXTERNAL %s\r\n", '\0', hex);
    int r = send_all(bus, line, (size_t)n);
    while (r == 0 && length < sizeof(line) - 1) { /* byte by byte: what follows the line isn't ours to take */
        r = receive_full(bus, line + length, 1, deadline);
        if (r == 0 && line[length++] == '\n')
            break;
    }
    line[length] = '\0';
    if (r == 0 && !str_starts(line, "OK "))
        r = -EACCES;
    return r < 0 ? r : send_all(bus, "BEGIN\r\n", 7);
}

static const char bus_name[] = "org.freedesktop.DBus", bus_path[] = "/org/freedesktop/DBus";

struct dbus *dbus_connect(const char *addresses, uid_t uid, struct err *err)
{
    _cleanup_strv_ char **address = strv_split(addresses, ';');
    _cleanup_(dbus_free_p) struct dbus *bus = xcalloc(1, sizeof(*bus));
    bus->fd = -EBADF;
    for (size_t i = 0; address[i] && bus->fd < 0; i++)
        bus->fd = connect_one(address[i]);
    if (bus->fd < 0) {
        err_set(err, ERR_UNAVAILABLE, "connect to the message bus at %s: %s", addresses, strerror(-bus->fd));
        return NULL;
    }
    int r = authenticate(bus, uid);
    if (r < 0) {
        err_errno(err, r, "introduce ourselves to the message bus at %s", addresses);
        return NULL;
    }
    if (dbus_call(bus, &(struct dbus_method){bus_name, bus_path, bus_name, "Hello", ""}, NULL, NULL, err) < 0)
        return NULL;
    return take_ptr(&bus);
}

struct dbus *dbus_free(struct dbus *bus)
{
    if (!bus)
        return NULL;
    for (size_t i = 0; i < bus->kept_count; i++)
        dbus_message_finish(&bus->kept[i]);
    close_fd(&bus->fd);
    free(bus);
    return NULL;
}

/* --- calls --- */

static int send_call(struct dbus *bus, const struct dbus_method *method, const struct buf *body)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(2 * DBUS_MESSAGE_MAX);
    buf_putc(&b, own_order);
    dbus_put_byte(&b, MESSAGE_CALL);
    dbus_put_byte(&b, 0);
    dbus_put_byte(&b, PROTOCOL);
    dbus_put_u32(&b, body ? (uint32_t)body->len : 0);
    dbus_put_u32(&b, ++bus->serial);
    struct dbus_array fields = dbus_open_array(&b, 8);
    put_field(&b, FIELD_PATH, "o", method->path);
    put_field(&b, FIELD_DESTINATION, "s", method->destination);
    put_field(&b, FIELD_INTERFACE, "s", method->interface);
    put_field(&b, FIELD_MEMBER, "s", method->member);
    put_field(&b, FIELD_SIGNATURE, "g", method->signature);
    dbus_close_array(&b, fields);
    put_padding(&b, 8);
    if (body)
        buf_append(&b, body->data, body->len);
    if (buf_failed(&b) || (body && buf_failed(body)))
        return -E2BIG;
    return send_all(bus, b.data, b.len);
}

/* Errors that a caller may want to tell apart, by the last part of their names. */
static enum err_kind kind_of(const char *error)
{
    static const struct {
        const char *suffix;
        enum err_kind kind;
    } kinds[] = {{".NoSuchUnit", ERR_NOT_FOUND},      {".UnitExists", ERR_CONFLICT},
                 {".AccessDenied", ERR_FORBIDDEN},    {".InteractiveAuthorizationRequired", ERR_FORBIDDEN},
                 {".InvalidArgs", ERR_INVALID},       {".PropertyReadOnly", ERR_INVALID},
                 {".UnknownProperty", ERR_INVALID},   {".ServiceUnknown", ERR_UNAVAILABLE},
                 {".NameHasNoOwner", ERR_UNAVAILABLE}};
    for (size_t i = 0; error && i < ARRAY_SIZE(kinds); i++)
        if (str_ends(error, kinds[i].suffix))
            return kinds[i].kind;
    return ERR_SYSTEM;
}

static void keep(struct dbus *bus, struct dbus_message *m)
{
    if (m->type == MESSAGE_SIGNAL && bus->kept_count < KEPT_MAX)
        bus->kept[bus->kept_count++] = *m;
    else
        dbus_message_finish(m);
}

int dbus_call(struct dbus *bus, const struct dbus_method *method, const struct buf *body,
              struct dbus_message *ret, struct err *err)
{
    int64_t deadline = clock_monotonic() + DBUS_TIMEOUT_MS * INT64_C(1000000);
    struct dbus_message m;
    int r = send_call(bus, method, body);
    uint32_t serial = bus->serial;
    for (;;) {
        if (r == 0)
            r = receive_message(bus, &m, deadline);
        if (r < 0)
            return err_errno(err, r, "call %s of %s", method->member, method->destination);
        if (m.reply_serial == serial && (m.type == MESSAGE_RETURN || m.type == MESSAGE_ERROR))
            break;
        keep(bus, &m);
    }
    if (m.type == MESSAGE_ERROR) {
        const char *text = NULL;
        dbus_read_string(&m, &text);
        err_set(err, kind_of(m.error), "%s: %s (%s)", method->member, text ? text : "it failed",
                m.error ? m.error : "no name");
        dbus_message_finish(&m);
        return -1;
    }
    if (ret)
        *ret = m;
    else
        dbus_message_finish(&m);
    return 0;
}

int dbus_subscribe(struct dbus *bus, const char *interface, const char *member, struct err *err)
{
    _cleanup_(buf_finish) struct buf body = BUF_INIT(DBUS_MESSAGE_MAX);
    _cleanup_free_ char *rule = xasprintf("type='signal',interface='%s',member='%s'", interface, member);
    dbus_put_string(&body, rule);
    return dbus_call(bus, &(struct dbus_method){bus_name, bus_path, bus_name, "AddMatch", "s"}, &body, NULL,
                     err);
}

int dbus_wait(struct dbus *bus, bool (*matches)(void *arg, struct dbus_message *m), void *arg,
              struct err *err)
{
    int64_t deadline = clock_monotonic() + DBUS_TIMEOUT_MS * INT64_C(1000000);
    bool found = false;
    for (size_t i = 0; i < bus->kept_count; i++) {
        found = found || matches(arg, &bus->kept[i]);
        dbus_message_finish(&bus->kept[i]);
    }
    bus->kept_count = 0;
    while (!found) {
        struct dbus_message m;
        int r = receive_message(bus, &m, deadline);
        if (r < 0)
            return err_errno(err, r, "wait for a signal of the message bus");
        found = m.type == MESSAGE_SIGNAL && matches(arg, &m);
        dbus_message_finish(&m);
    }
    return 0;
}
