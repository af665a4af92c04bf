/* Relays: what comes in on one side goes out on the other, TLS towards the network and plain towards the program.
 *
 * A half that is closed is closed on the other side too, the other half goes on: close_notify stands for shutdown(SHUT_WR).
 * What ends without close_notify has been cut off, and both sides are closed. */
#ifndef KEG_TLS_RELAY_H
#define KEG_TLS_RELAY_H

#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>

#include "base/err.h"

struct relay;

/* One loop over all relays of the process. */
struct relay_loop {
    int epoll;
    struct relay *all;
    unsigned count;
    const sigset_t *signals; /* blocked while it waits; NULL: those that are blocked anyway */
};

enum { RELAY_HANDSHAKE_S = 10 };

/* Called when the handshake of an accepted relay is done: makes the plain end and gives the other one away. The descriptor,
 * or -1 to drop the client. */
typedef int (*relay_plain)(void *arg);

/* ssl NULL: no TLS; both descriptors and ssl become the relay's. plain -EBADF: `made` is asked after the handshake. */
struct relay *relay_add(struct relay_loop *loop, SSL *ssl, int net, int plain, relay_plain made, void *arg);
/* Waits for what happens, and moves it. `listening` (or -EBADF) is watched too: 1 when somebody connects there, 0, or -errno. */
int relay_turn(struct relay_loop *loop, int listening);
int relay_loop_init(struct relay_loop *loop, int listening);

#endif
