/* A small client of the message bus: connects, calls methods, waits for signals. What it speaks is the D-Bus specification's
 * "Message Protocol", "Authentication Protocol" (EXTERNAL) and "Server Addresses" (unix). One thread at a time; every wait
 * ends after DBUS_TIMEOUT_MS.
 *
 *     struct buf body = BUF_INIT(DBUS_MESSAGE_MAX);
 *     dbus_put_string(&body, "web.scope");
 *     dbus_call(bus, &(struct dbus_method){…, "StopUnit", "s"}, &body, &reply, err); */
#ifndef KEG_SYS_DBUS_H
#define KEG_SYS_DBUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { DBUS_MESSAGE_MAX = 1 << 20, DBUS_TIMEOUT_MS = 30000, DBUS_HEADER_FIXED = 16 };
enum dbus_type { DBUS_CALL = 1, DBUS_RETURN, DBUS_ERROR, DBUS_SIGNAL };

struct dbus;

/* Connects to the first address of a list ("unix:path=/run/dbus/system_bus_socket;unix:abstract=…") that answers, and says
 * hello. `uid` is who we are on the bus's side. NULL and ERR_UNAVAILABLE when nobody answers. */
struct dbus *dbus_connect(const char *addresses, uid_t uid, struct err *err);
struct dbus *dbus_free(struct dbus *bus);
DEFINE_CLEANUP_PTR(struct dbus, dbus_free)

/* Values of a message's body, one after the other, aligned as the wire wants it. */
void dbus_put_byte(struct buf *b, uint8_t value);
void dbus_put_u32(struct buf *b, uint32_t value); /* also for booleans */
void dbus_put_u64(struct buf *b, uint64_t value);
void dbus_put_string(struct buf *b, const char *text);         /* also for object paths */
void dbus_put_signature(struct buf *b, const char *signature); /* a variant: its signature, then the value */
void dbus_put_struct(struct buf *b);                           /* its members follow */
/* An array whose elements are aligned to `alignment` (8 for structs); its elements are put between open and close. */
struct dbus_array {
    size_t length_at, start;
};
struct dbus_array dbus_open_array(struct buf *b, size_t alignment);
void dbus_close_array(struct buf *b, struct dbus_array array);

struct dbus_message {
    uint8_t type; /* enum dbus_type */
    uint32_t reply_serial;
    const char *interface, *member, *error; /* NULL: not there */
    const char *body;
    size_t body_length, at; /* at: how far it is read */
    char *storage;
};
void dbus_message_finish(struct dbus_message *m);
/* The length of a whole message by the first bytes of its header, or -EBADMSG. */
ssize_t dbus_message_length(const char header[DBUS_HEADER_FIXED]);
/* Takes apart a message of that length, which it takes over. 0 or -EBADMSG. */
int dbus_message_parse(char *whole, struct dbus_message *ret);
/* The next value; false when the body ends before. Strings belong to the message. */
bool dbus_read_u32(struct dbus_message *m, uint32_t *ret);
bool dbus_read_string(struct dbus_message *m, const char **ret);
bool dbus_read_signature(struct dbus_message *m, const char **ret);

struct dbus_method {
    const char *destination, *path, *interface, *member;
    const char *signature; /* of the body, "" for none */
};

/* A whole message that calls a method. */
void dbus_put_call(struct buf *b, const struct dbus_method *method, uint32_t serial, const struct buf *body);

/* Calls and waits for the answer, which is the caller's to finish (ret may be NULL). An error from the other side is -1 with
 * its text; its kind is ERR_NOT_FOUND, ERR_CONFLICT, ERR_FORBIDDEN, ERR_INVALID or ERR_UNAVAILABLE where the error's name
 * says so, else ERR_SYSTEM. Signals that arrive meanwhile are kept. */
int dbus_call(struct dbus *bus, const struct dbus_method *method, const struct buf *body,
              struct dbus_message *ret, struct err *err);
/* Asks for a signal of an interface; those that arrive are found by dbus_wait(). */
int dbus_subscribe(struct dbus *bus, const char *interface, const char *member, struct err *err);
/* Waits for one that `matches` says is the one; those before it are dropped. */
int dbus_wait(struct dbus *bus, bool (*matches)(void *arg, struct dbus_message *m), void *arg,
              struct err *err);

#endif
