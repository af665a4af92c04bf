/* TLS for a listening socket: a keg-tls of its own accepts and shakes hands, and hands over the plain end of every client who
 * has passed. Should it end, another one is started. */
#ifndef KEG_API_FRONT_H
#define KEG_API_FRONT_H

#include <stdbool.h>

#include "base/err.h"

struct front;

struct front_tls {
    const char *ca, *cert, *key; /* files */
    bool verify;                 /* only clients with a certificate of `ca` */
};

/* Whether the files can be used, by a keg-tls that only looks at them. ERR_INVALID says what is wrong. */
int front_check(const struct front_tls *tls, struct err *err);

/* Serves `fd`, which becomes the front's; `client` is called, in the front's thread, with each descriptor, which is its
 * callee's. ERR_INVALID says what is wrong with the files. */
struct front *front_new(int fd, const struct front_tls *tls, void (*client)(void *arg, int fd), void *arg,
                        struct err *err);
/* Reads the files again, or reads others: who connects from now on is served by them, who is connected stays so. On error
 * everything is as it was. */
int front_reload(struct front *f, const struct front_tls *tls, struct err *err);
/* Accepts nothing more; what is connected stays until keg-tls is ended, which happens here as well. */
struct front *front_free(struct front *f);
DEFINE_CLEANUP_PTR(struct front, front_free)

#endif
