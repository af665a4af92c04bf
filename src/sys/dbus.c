/* A connection with the message bus: addresses, who we are, calls and signals. */
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

enum { KEPT_MAX = 64, AUTH_LINE_MAX = 512 };

struct dbus {
    int fd;
    uint32_t serial;
    struct dbus_message kept[KEPT_MAX]; /* signals that came before somebody waited for them */
    size_t kept_count;
};

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
    char fixed[DBUS_HEADER_FIXED];
    int r = receive_full(bus, fixed, sizeof(fixed), deadline);
    if (r < 0)
        return r;
    ssize_t length = dbus_message_length(fixed);
    if (length < 0)
        return (int)length;
    _cleanup_free_ char *whole = xmalloc((size_t)length);
    memcpy(whole, fixed, sizeof(fixed));
    r = receive_full(bus, whole + sizeof(fixed), (size_t)length - sizeof(fixed), deadline);
    return r < 0 ? r : dbus_message_parse(take_ptr(&whole), ret);
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
    dbus_put_call(&b, method, ++bus->serial, body);
    return buf_failed(&b) || (body && buf_failed(body)) ? -E2BIG : send_all(bus, b.data, b.len);
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
    if (m->type == DBUS_SIGNAL && bus->kept_count < KEPT_MAX)
        bus->kept[bus->kept_count++] = *m;
    else
        dbus_message_finish(m);
}

int dbus_call(struct dbus *bus, const struct dbus_method *method, const struct buf *body,
              struct dbus_message *ret, struct err *err)
{
    int64_t deadline = clock_monotonic() + DBUS_TIMEOUT_MS * INT64_C(1000000);
    struct dbus_message m = {0};
    int r = send_call(bus, method, body);
    uint32_t serial = bus->serial;
    for (;;) {
        if (r == 0)
            r = receive_message(bus, &m, deadline);
        if (r < 0)
            return err_errno(err, r, "call %s of %s", method->member, method->destination);
        if (m.reply_serial == serial && (m.type == DBUS_RETURN || m.type == DBUS_ERROR))
            break;
        keep(bus, &m);
    }
    if (m.type == DBUS_ERROR) {
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
        found = m.type == DBUS_SIGNAL && matches(arg, &m);
        dbus_message_finish(&m);
    }
    return 0;
}
