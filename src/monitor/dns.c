/* The server's front: sockets, the clients' connections, and what is answered from what is known. */
#include "monitor/dns.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "monitor/dns_internal.h"
#include "monitor/scratch.h"
#include "sys/steer.h"

#define DNS_ADDRESS 0x7f00000b /* 127.0.0.11 */

enum {
    DNS_PORT = 53,
    STREAMS_MAX = 32,
    STREAM_IDLE_S = 10,
    BACKLOG = 16,
    TICK_MS = 100,
    ROUND_UDP = 32, /* datagrams a turn */
};

/* ---- answering ---- */

/* From 127.0.0.11 port 53, whatever port the socket has. */
static void send_raw(const struct dns *d, const struct sockaddr_in *to, const void *message, size_t len)
{
    struct {
        struct iphdr ip;
        struct udphdr udp;
    } header = {
        .ip = {.version = 4,
               .ihl = 5,
               .ttl = 64,
               .protocol = IPPROTO_UDP,
               .saddr = htonl(DNS_ADDRESS),
               .daddr = to->sin_addr.s_addr},
        .udp = {.source = htons(DNS_PORT),
                .dest = to->sin_port,
                .len = htons((uint16_t)(sizeof(struct udphdr) + len))},
    };
    struct iovec parts[] = {{&header, sizeof(header)}, {(void *)message, len}};
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr = to->sin_addr};
    struct msghdr packet = {
        .msg_name = &where, .msg_namelen = sizeof(where), .msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts)};
    (void)!sendmsg(d->raw, &packet, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void stream_flush(struct dns_stream *s)
{
    ssize_t n = s->out.len ? send(s->source.fd, s->out.data, s->out.len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        s->gone = true;
        return;
    }
    buf_consume(&s->out, n > 0 ? (size_t)n : 0);
    loop_set(s->dns->loop, &s->source, (s->ended ? 0u : EPOLLIN) | (s->out.len ? EPOLLOUT : 0u));
}

static void stream_send(struct dns_stream *s, const void *message, size_t len)
{
    const unsigned char head[] = {(unsigned char)(len >> 8), (unsigned char)len};
    buf_append(&s->out, head, sizeof(head));
    buf_append(&s->out, message, len);
    if (buf_failed(&s->out)) /* asks and doesn't read */
        s->gone = true;
    else
        stream_flush(s);
}

void dns_send(struct dns *d, const struct dns_client *c, const void *message, size_t len)
{
    if (c->stream)
        stream_send(c->stream, message, len);
    else if (d->raw >= 0)
        send_raw(d, &c->address, message, len);
    else
        (void)!sendto(d->udp.fd, message, len, MSG_DONTWAIT | MSG_NOSIGNAL,
                      (const struct sockaddr *)&c->address, sizeof(c->address));
}

void dns_send_answer(struct dns *d, const struct dns_client *c, const struct dns_query *q, const void *query,
                     const struct dns_answer *a)
{
    char *out = scratch_output();
    size_t max = c->stream ? DNS_MESSAGE_MAX : MIN_OF(c->udp_size, (size_t)DNS_UDP_MAX);
    dns_send(d, c, out, dns_respond(q, query, a, out, MAX_OF(max, q->question_end + 16)));
}

/* Askers mostly take the first. */
static void shuffle(void *addresses, size_t count, size_t each)
{
    char *first = addresses, other[sizeof(struct in6_addr)];
    uint32_t random;
    for (size_t i = count; i > 1; i--) {
        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
            return;
        size_t j = random % i;
        memcpy(other, first + j * each, each);
        memcpy(first + j * each, first + (i - 1) * each, each);
        memcpy(first + (i - 1) * each, other, each);
    }
}

static void answer_addresses(struct dns *d, const struct dns_client *c, const struct dns_query *q,
                             const void *query, struct dns_found *found)
{
    struct dns_answer a = {.code = DNS_NOERROR};
    if (q->type == DNS_A) {
        a.addresses = found->four;
        a.count = found->four_count;
        shuffle(found->four, a.count, sizeof(*found->four));
    } else if (q->type == DNS_AAAA) {
        a.addresses = found->six;
        a.count = found->six_count;
        shuffle(found->six, a.count, sizeof(*found->six));
    }
    dns_send_answer(d, c, q, query, &a);
}

/* True when it is about a name of ours, and was answered. */
static bool answer_known(struct dns *d, const struct dns_client *c, const struct dns_query *q,
                         const void *query)
{
    struct dns_found found;
    char name[2 * DNS_NAME_MAX];
    uint8_t address[16];
    if (q->class != DNS_IN || !q->plain)
        return false;
    if (q->type == DNS_PTR) {
        int family = dns_parse_reverse(q->name, address);
        if (family < 0 || dns_names_reverse(d->names, family, address, name, sizeof(name)) < 0)
            return false;
        dns_send_answer(d, c, q, query, &(struct dns_answer){.code = DNS_NOERROR, .name = name});
        return true;
    }
    if ((q->type != DNS_A && q->type != DNS_AAAA && q->type != DNS_MX) ||
        dns_names_find(d->names, q->name, &found) < 0)
        return false;
    answer_addresses(d, c, q, query, &found);
    return true;
}

static void handle(struct dns *d, struct dns_client *c, const void *message, size_t len)
{
    struct dns_server servers[DNS_SERVERS_MAX];
    struct dns_query q;
    int r = dns_parse(message, len, &q);
    if (r == -EBADMSG)
        return;
    c->id = q.id;
    c->udp_size = q.udp_size;
    if (r < 0) {
        dns_send_answer(d, c, &q, message,
                        &(struct dns_answer){.code = r == -ENOTSUP ? DNS_NOTIMP : DNS_FORMERR});
        return;
    }
    if (answer_known(d, c, &q, message))
        return;
    size_t count = dns_names_servers(d->names, q.name, servers);
    if (count == 0)
        dns_send_answer(d, c, &q, message, &(struct dns_answer){.code = DNS_NXDOMAIN});
    else
        dns_forward(d, c, &q, message, len, servers, count);
}

static void udp_ready(struct loop_source *source, _unused_ uint32_t events)
{
    struct dns *d = LOOP_OWNER(source, struct dns, udp);
    char *data = scratch_input();
    for (int i = 0; i < ROUND_UDP; i++) {
        struct dns_client c = {.stream = NULL};
        socklen_t len = sizeof(c.address);
        ssize_t n =
            recvfrom(source->fd, data, DNS_MESSAGE_MAX, MSG_DONTWAIT, (struct sockaddr *)&c.address, &len);
        if (n < 0)
            return;
        handle(d, &c, data, (size_t)n);
    }
}

/* ---- connections ---- */

static void stream_free(struct dns_stream *s)
{
    dns_forward_drop(s->dns, s);
    loop_close(s->dns->loop, &s->source);
    buf_finish(&s->in);
    buf_finish(&s->out);
    s->dns->stream_count--;
    free(s);
}

static void sweep_streams(struct dns *d, int64_t now)
{
    for (struct dns_stream **at = &d->streams; *at;) {
        struct dns_stream *s = *at;
        bool done = s->ended && !s->out.len && !dns_forward_waits(d, s);
        if (!s->gone && !done && now < s->deadline) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        stream_free(s);
    }
}

/* Whole messages out of what has come. */
static void stream_messages(struct dns_stream *s)
{
    while (!s->gone && s->in.len >= 2) {
        const unsigned char *data = (const unsigned char *)s->in.data;
        size_t len = (size_t)data[0] << 8 | data[1];
        struct dns_client c = {.stream = s};
        if (len > DNS_QUERY_MAX) {
            s->gone = true;
            return;
        }
        if (s->in.len < 2 + len)
            return;
        handle(s->dns, &c, data + 2, len);
        buf_consume(&s->in, 2 + len);
    }
}

/* The client has closed its half; what comes for it still goes there. */
static void stream_end(struct dns_stream *s)
{
    s->ended = true;
    loop_set(s->dns->loop, &s->source, s->out.len ? EPOLLOUT : 0u);
}

static void stream_ready(struct loop_source *source, uint32_t events)
{
    struct dns_stream *s = LOOP_OWNER(source, struct dns_stream, source);
    struct dns *d = s->dns;
    if (events & EPOLLOUT)
        stream_flush(s);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        ssize_t n = buf_read_fd(&s->in, source->fd, DNS_QUERY_MAX);
        if ((n == 0 && (events & (EPOLLHUP | EPOLLERR))) || (n < 0 && n != -EAGAIN && n != -EINTR))
            s->gone = true;
        else if (n == 0)
            stream_end(s);
        else
            stream_messages(s);
        s->deadline = clock_monotonic() + STREAM_IDLE_S * CLOCK_NS_PER_S;
    }
    if (s->gone || s->ended)
        sweep_streams(d, clock_monotonic());
}

static void tcp_ready(struct loop_source *source, _unused_ uint32_t events)
{
    struct dns *d = LOOP_OWNER(source, struct dns, tcp);
    _cleanup_close_ int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 || d->stream_count >= STREAMS_MAX)
        return;
    struct dns_stream *s = xcalloc(1, sizeof(*s));
    *s = (struct dns_stream){.next = d->streams,
                             .dns = d,
                             .source = {.fd = take_fd(&fd), .handler = stream_ready},
                             .in = BUF_INIT(2 * DNS_QUERY_MAX + 4),
                             .out = BUF_INIT(2 * (DNS_MESSAGE_MAX + 2)),
                             .deadline = clock_monotonic() + STREAM_IDLE_S * CLOCK_NS_PER_S};
    d->streams = s;
    d->stream_count++;
    if (loop_set(d->loop, &s->source, EPOLLIN) < 0)
        s->gone = true;
    dns_tick(d);
}

/* ---- time ---- */

static void set_timer(struct dns *d, long ms)
{
    struct timespec every = {.tv_nsec = ms * 1000000};
    timerfd_settime(d->timer.fd, 0, &(struct itimerspec){.it_interval = every, .it_value = every}, NULL);
    d->ticking = ms != 0;
}

void dns_tick(struct dns *d)
{
    if (!d->ticking)
        set_timer(d, TICK_MS);
}

static void timer_ready(struct loop_source *source, _unused_ uint32_t events)
{
    struct dns *d = LOOP_OWNER(source, struct dns, timer);
    int64_t now = clock_monotonic();
    uint64_t ignored;
    (void)!read(source->fd, &ignored, sizeof(ignored));
    dns_forward_tick(d, now);
    sweep_streams(d, now);
    if (!d->forwards && !d->streams)
        set_timer(d, 0);
}

/* ---- opening ---- */

/* port 0: one that the kernel chooses. */
static int open_socket(int type, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(DNS_ADDRESS)};
    _cleanup_close_ int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
        return -errno;
    return take_fd(&fd);
}

static int open_both(struct dns *d, uint16_t port)
{
    close_fd(&d->udp.fd);
    close_fd(&d->tcp.fd);
    d->udp.fd = open_socket(SOCK_DGRAM, port);
    d->tcp.fd = d->udp.fd < 0 ? d->udp.fd : open_socket(SOCK_STREAM, port);
    return d->tcp.fd < 0 ? d->tcp.fd : 0;
}

static int open_steered(struct dns *d)
{
    int r = open_both(d, 0);
    if (r < 0)
        return r;
    d->raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
    if (d->raw < 0)
        return -errno;
    d->steer = steer_open(d->netns->fd, htonl(DNS_ADDRESS), DNS_PORT, d->udp.fd, d->tcp.fd);
    if (d->steer < 0)
        close_fd(&d->raw);
    return d->steer < 0 ? d->steer : 0;
}

static int watch(struct dns *d)
{
    int r = loop_set(d->loop, &d->udp, EPOLLIN);
    if (r == 0)
        r = loop_set(d->loop, &d->tcp, EPOLLIN);
    d->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (r == 0)
        r = d->timer.fd < 0 ? -errno : loop_set(d->loop, &d->timer, EPOLLIN);
    return r;
}

struct dns *dns_open(struct loop *loop, const struct netns *netns, const char *file, struct err *err)
{
    struct dns *d = xcalloc(1, sizeof(*d));
    *d = (struct dns){.loop = loop,
                      .netns = netns,
                      .names = dns_names_new(file),
                      .udp = {.fd = -EBADF, .handler = udp_ready},
                      .tcp = {.fd = -EBADF, .handler = tcp_ready},
                      .timer = {.fd = -EBADF, .handler = timer_ready},
                      .raw = -EBADF,
                      .steer = -EBADF};
    int r = open_steered(d);
    if (r < 0)
        r = open_both(d, DNS_PORT);
    if (r == 0)
        r = watch(d);
    if (r < 0) {
        err_errno(err, r, "open the container's name server at 127.0.0.11");
        return dns_close(d);
    }
    return d;
}

struct dns *dns_close(struct dns *d)
{
    if (!d)
        return NULL;
    for (struct dns_stream *s = d->streams; s; s = s->next)
        s->gone = true;
    sweep_streams(d, 0);
    dns_forward_close(d);
    close_fd(&d->steer);
    close_fd(&d->raw);
    loop_close(d->loop, &d->udp);
    loop_close(d->loop, &d->tcp);
    loop_close(d->loop, &d->timer);
    dns_names_free(d->names);
    free(d);
    return NULL;
}
