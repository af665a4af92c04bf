/* What the server's two halves share: dns.c hears and answers, dns_forward.c asks others. Not for others. */
#ifndef KEG_MONITOR_DNS_INTERNAL_H
#define KEG_MONITOR_DNS_INTERNAL_H

#include <netinet/in.h>

#include "base/buf.h"
#include "monitor/dns.h"
#include "monitor/dns_message.h"
#include "monitor/dns_names.h"

/* A client's TCP connection. */
struct dns_stream {
    struct dns_stream *next;
    struct dns *dns;
    struct loop_source source;
    struct buf in, out;
    int64_t deadline; /* monotonic ns */
    bool ended;       /* asks no more; what it asked is still answered */
    bool gone;        /* to be freed by the sweep */
};

/* Where an answer goes. */
struct dns_client {
    struct sockaddr_in address; /* by UDP */
    struct dns_stream *stream;  /* or by TCP; NULL: UDP */
    uint16_t id;
    size_t udp_size;
};

struct dns {
    struct loop *loop;
    const struct netns *netns;
    struct dns_names *names;
    struct loop_source udp, tcp, timer;
    int raw, steer; /* -EBADF: the sockets are bound to port 53 */
    bool ticking;
    struct dns_stream *streams;
    struct dns_forward *forwards;
    size_t stream_count, forward_count;
};

/* dns.c */
void dns_send(struct dns *d, const struct dns_client *c, const void *message, size_t len);
/* An answer of ours to a query. */
void dns_send_answer(struct dns *d, const struct dns_client *c, const struct dns_query *q, const void *query,
                     const struct dns_answer *a);
/* The timer runs while somebody waits. */
void dns_tick(struct dns *d);

/* dns_forward.c */
/* Asks the servers for what `query` (len bytes) asks; the client hears of it later, or at once that it failed. */
void dns_forward(struct dns *d, const struct dns_client *c, const struct dns_query *q, const void *query,
                 size_t len, const struct dns_server *servers, size_t count);
/* Goes on to other servers, gives up. */
void dns_forward_tick(struct dns *d, int64_t now);
/* Whether somebody on this connection waits for an answer. */
bool dns_forward_waits(const struct dns *d, const struct dns_stream *stream);
/* Nobody waits on this connection any more. */
void dns_forward_drop(struct dns *d, const struct dns_stream *stream);
void dns_forward_close(struct dns *d);

#endif
