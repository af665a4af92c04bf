/* The sockets that the API is served on, from what -H says. */
#ifndef KEG_API_LISTEN_H
#define KEG_API_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

enum { LISTEN_MAX = 64 };

struct listen_options {
    const char
        *group; /* who may use a unix socket beside root: a name or number; NULL: "keg", if there is one; "": nobody */
    bool tls;   /* tcp:// without a port means 2376 instead of 2375 */
};

/* Whether listen_open() understands a host, without opening anything. ERR_INVALID. */
int listen_check(const char *host, struct err *err);
/* The group of the unix sockets, 0 for none; `wanted` as in struct listen_options. ERR_INVALID: there is no such group. */
int listen_group(const char *wanted, gid_t *ret, struct err *err);

/* Opens the sockets of one -H value, at most `max` of them, into fds:
 *     unix:///run/keg/keg.sock, or a path       mode 0660, group as asked for
 *     tcp://127.0.0.1:2375                      the caller's to protect: whoever reaches it is root
 *     fd://, fd://3, fd://name          inherited (systemd's LISTEN_FDS protocol)
 * Returns how many. ERR_INVALID for what it doesn't understand, ERR_CONFLICT when somebody answers there
 * already. */
int listen_open(const char *host, const struct listen_options *options, int *fds, size_t max,
                struct err *err);
/* Whether a listening socket is one of TCP (an inherited one may be). */
bool listen_is_tcp(int fd);
/* The path of a unix host, NULL for the others. Points into host. */
const char *listen_unix_path(const char *host);
/* Removes the socket file of a unix host. */
void listen_remove(const char *host);

#endif
