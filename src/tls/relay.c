/* One relay is two buffers; whatever happens on either side, both are moved as far as they go. */
#include "tls/relay.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"

enum { PIECE = 16 * 1024, EVENTS = 64 };

struct side {
    struct relay *relay;
    int fd;
    uint32_t events; /* asked for */
    bool watched;
    bool gone; /* nobody is behind it any more; what it has sent may still be there */
};

struct direction {
    char data[PIECE];
    size_t start, end;
    bool ended;  /* nothing more comes in */
    bool passed; /* and the other side has been told */
};

struct relay {
    struct relay *next, *previous;
    struct side net, plain;
    SSL *ssl;
    bool shaking, dead;
    int64_t deadline;         /* of the handshake */
    struct direction in, out; /* from the network, to the network */
    relay_plain made;
    void *arg;
};

/* ---- watching ---- */

/* Events 0 still tells of the other's end; but only once, or there would be no other. */
static void watch(struct relay_loop *loop, struct side *side, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = side};

    if (side->gone && !events && side->watched) {
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, side->fd, NULL);
        side->watched = false;
    }
    if (side->fd < 0 || (side->gone && !events) || (side->watched && side->events == events))
        return;
    if (epoll_ctl(loop->epoll, side->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, side->fd, &e) < 0)
        side->relay->dead = true;
    side->watched = true;
    side->events = events;
}

int relay_loop_init(struct relay_loop *loop, int listening)
{
    struct epoll_event e = {.events = EPOLLIN};

    *loop = (struct relay_loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    if (loop->epoll < 0 || (listening >= 0 && epoll_ctl(loop->epoll, EPOLL_CTL_ADD, listening, &e) < 0))
        return -errno;
    return 0;
}

struct relay *relay_add(struct relay_loop *loop, SSL *ssl, int net, int plain, relay_plain made, void *arg)
{
    struct relay *r = xcalloc(1, sizeof(*r));

    r->net = (struct side){.relay = r, .fd = net};
    r->plain = (struct side){.relay = r, .fd = plain};
    r->ssl = ssl;
    r->shaking = made != NULL;
    r->deadline = clock_monotonic() + RELAY_HANDSHAKE_S * CLOCK_NS_PER_S;
    r->made = made;
    r->arg = arg;
    fd_set_nonblock(net, true);
    if (plain >= 0)
        fd_set_nonblock(plain, true);
    r->next = loop->all;
    if (r->next)
        r->next->previous = r;
    loop->all = r;
    loop->count++;
    watch(loop, &r->net, EPOLLIN | EPOLLRDHUP);
    watch(loop, &r->plain, EPOLLIN);
    return r;
}

static void relay_free(struct relay_loop *loop, struct relay *r)
{
    if (r->previous)
        r->previous->next = r->next;
    else
        loop->all = r->next;
    if (r->next)
        r->next->previous = r->previous;
    loop->count--;
    SSL_free(r->ssl);
    close_fd(&r->net.fd);
    close_fd(&r->plain.fd);
    free(r);
}

/* ---- the network's side ---- */

/* What OpenSSL waits for, as events; the relay is dead if it waits for nothing. 0 if it waits. */
static int waits(struct relay *r, int result, uint32_t *events)
{
    switch (SSL_get_error(r->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *events |= EPOLLIN;
        return 0;
    case SSL_ERROR_WANT_WRITE:
        *events |= EPOLLOUT;
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        r->in.ended = true;
        return 0;
    default:
        ERR_clear_error();
        r->dead = true;
        return -1;
    }
}

/* Of read() and send(): what has moved. `d` ends when there is nobody to read from or write to. */
static ssize_t plain_result(struct direction *d, ssize_t n, uint32_t wanted, uint32_t *events)
{
    if (n > 0)
        return n;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        *events |= wanted;
    else
        d->ended = true;
    return 0;
}

static ssize_t net_read(struct relay *r, char *data, size_t size, uint32_t *events)
{
    int n;

    if (!r->ssl)
        return plain_result(&r->in, read(r->net.fd, data, size), EPOLLIN, events);
    n = SSL_read(r->ssl, data, (int)size);
    return n > 0 ? n : (waits(r, n, events), 0);
}

static ssize_t net_write(struct relay *r, const char *data, size_t size, uint32_t *events)
{
    int n;

    if (!r->ssl) {
        n = (int)send(r->net.fd, data, size, MSG_NOSIGNAL);
        r->dead = n < 0 && errno != EAGAIN && errno != EINTR;
        return plain_result(&r->in, n, EPOLLOUT, events);
    }
    n = SSL_write(r->ssl, data, (int)size);
    return n > 0 ? n : (waits(r, n, events), 0);
}

/* ---- moving ---- */

/* From the network to the program. Whether anything moved. */
static bool move_in(struct relay *r, uint32_t *net, uint32_t *plain)
{
    struct direction *d = &r->in;
    bool moved = false;

    if (d->start == d->end && !d->ended) {
        d->start = 0;
        d->end = (size_t)net_read(r, d->data, PIECE, net);
        moved = d->end > 0;
    }
    if (d->start < d->end && !r->dead) {
        ssize_t n = send(r->plain.fd, d->data + d->start, d->end - d->start, MSG_NOSIGNAL);
        bool refused = n < 0 && errno != EAGAIN && errno != EINTR;

        n = plain_result(d, n, EPOLLOUT, plain);
        d->start = refused ? d->end : d->start + (size_t)n; /* nobody wants it; the answer still goes out */
        moved |= n > 0;
    }
    if (d->ended && d->start == d->end && !d->passed) {
        shutdown(r->plain.fd, SHUT_WR);
        d->passed = true;
    }
    return moved;
}

/* From the program to the network. */
static bool move_out(struct relay *r, uint32_t *net, uint32_t *plain)
{
    struct direction *d = &r->out;
    bool moved = false;

    if (d->start == d->end && !d->ended) {
        d->start = 0;
        d->end = (size_t)plain_result(d, read(r->plain.fd, d->data, PIECE), EPOLLIN, plain);
        moved = d->end > 0;
    }
    if (d->start < d->end && !r->dead) {
        ssize_t n = net_write(r, d->data + d->start, d->end - d->start, net);

        d->start += (size_t)n;
        moved |= n > 0;
    }
    if (d->ended && d->start == d->end && !d->passed && !r->dead) {
        if (r->ssl)
            SSL_shutdown(r->ssl);
        else
            shutdown(r->net.fd, SHUT_WR);
        d->passed = true;
    }
    return moved;
}

/* Both directions, until neither gets on. */
static void move(struct relay_loop *loop, struct relay *r)
{
    uint32_t net, plain;
    bool moved;

    do {
        net = plain = 0;
        moved = move_in(r, &net, &plain);
        moved |= move_out(r, &net, &plain);
    } while (moved && !r->dead);
    if ((r->in.passed && r->out.passed) || (r->net.gone && r->in.passed) || (r->plain.gone && r->out.passed))
        r->dead = true;
    if (r->dead)
        return;
    watch(loop, &r->net, net | (r->net.gone ? 0 : EPOLLRDHUP));
    watch(loop, &r->plain, plain);
}

/* Who speaks HTTP here hears, in Go's words, that it isn't. */
static void refuse_plain(const struct relay *r)
{
    static const char answer[] =
        "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
        "Client sent an HTTP request to an HTTPS server.\n";

    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST)
        (void)!send(r->net.fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void shake(struct relay_loop *loop, struct relay *r)
{
    uint32_t events = 0;
    int n = SSL_accept(r->ssl);

    if (n != 1) {
        refuse_plain(r);
        if (waits(r, n, &events) == 0 && events)
            watch(loop, &r->net, events);
        else
            r->dead = true;
        return;
    }
    r->plain.fd = r->made(r->arg);
    r->shaking = false;
    if (r->plain.fd < 0) {
        r->dead = true;
        return;
    }
    fd_set_nonblock(r->plain.fd, true);
    move(loop, r);
}

/* ---- the loop ---- */

/* The next deadline in ms, -1 for none; relays whose deadline is over die. */
static int next_deadline(struct relay_loop *loop)
{
    int64_t now = clock_monotonic(), least = INT64_MAX;

    for (struct relay *r = loop->all; r; r = r->next) {
        if (!r->shaking)
            continue;
        if (r->deadline <= now)
            r->dead = true;
        least = MIN_OF(least, r->deadline);
    }
    return least == INT64_MAX ? -1 : (int)(MAX_OF(least - now, (int64_t)0) / 1000000) + 1;
}

static void bury(struct relay_loop *loop)
{
    unsigned before = loop->count;

    for (struct relay *r = loop->all, *next; r; r = next) {
        next = r->next;
        if (r->dead)
            relay_free(loop, r);
    }
    if (before > loop->count && loop->count == 0)
        malloc_trim(0); /* a crowd has gone */
}

int relay_turn(struct relay_loop *loop, int listening)
{
    struct epoll_event events[EVENTS];
    int n = epoll_pwait(loop->epoll, events, EVENTS, next_deadline(loop), loop->signals), connecting = 0;

    if (n < 0 && errno != EINTR)
        return -errno;
    for (int i = 0; i < n; i++) {
        struct side *side = events[i].data.ptr;

        if (!side) {
            connecting = listening >= 0;
            continue;
        }
        side->gone |= events[i].events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP);
        if (side->relay->shaking)
            shake(loop, side->relay);
        else if (!side->relay->dead)
            move(loop, side->relay);
    }
    bury(loop);
    return connecting;
}
