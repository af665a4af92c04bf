/* Asking others. A query goes to the first server; when that is slow, to the next as well, and round again: the first
 * good answer wins. Each attempt has a socket of its own, so that its port says whose answer may come there. By TCP, as
 * the client asked by TCP, one server after the other. */
#include <sched.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "monitor/dns_internal.h"
#include "monitor/scratch.h"

enum { FORWARDS_MAX = 128, PATIENCE_MS = 600, PATIENCE_TCP_MS = 2000, GIVE_UP_MS = 4500 };

struct attempt {
    struct dns_forward *forward;
    struct loop_source source;
    struct buf in; /* by TCP */
    bool sent;
};

struct dns_forward {
    struct dns_forward *next;
    struct dns *dns;
    struct dns_client client;
    struct dns_query question;
    void *query; /* with an id of its own */
    size_t len;
    uint16_t id;
    struct dns_server servers[DNS_SERVERS_MAX];
    struct attempt attempts[DNS_SERVERS_MAX];
    size_t count, turn; /* servers, and how many times one was asked */
    int64_t next_turn, give_up;
};

static void attempt_close(struct attempt *a)
{
    loop_close(a->forward->dns->loop, &a->source);
    buf_finish(&a->in);
}

static void forward_free(struct dns_forward *f)
{
    struct dns_forward **at = &f->dns->forwards;
    while (*at && *at != f)
        at = &(*at)->next;
    if (*at)
        *at = f->next;
    f->dns->forward_count--;
    for (size_t i = 0; i < f->count; i++)
        attempt_close(&f->attempts[i]);
    free(f->query);
    free(f);
}

static void fail(struct dns_forward *f)
{
    dns_set_id(f->query, f->client.id);
    dns_send_answer(f->dns, &f->client, &f->question, f->query, &(struct dns_answer){.code = DNS_SERVFAIL});
    forward_free(f);
}

/* Passes it on to the client, with the client's id. */
static void deliver(struct dns_forward *f, void *message, size_t len)
{
    dns_set_id(message, f->client.id);
    if (!f->client.stream && len > f->client.udp_size)
        len = dns_truncate(message, f->question.question_end);
    dns_send(f->dns, &f->client, message, len);
    forward_free(f);
}

/* ---- asking ---- */

static int make_socket(const struct dns *d, const struct dns_server *s, int type)
{
    if (s->host && setns(d->netns->host_fd, CLONE_NEWNET) < 0)
        return -errno;
    int fd = socket(s->address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r = fd < 0 ? -errno : fd;
    if (s->host && setns(d->netns->fd, CLONE_NEWNET) < 0) {
        r = -errno;
        close_fd(&fd);
    }
    return r;
}

static void attempt_ready(struct loop_source *source, uint32_t events);

static int attempt_send(struct attempt *a)
{
    const struct dns_forward *f = a->forward;
    const unsigned char head[] = {(unsigned char)(f->len >> 8), (unsigned char)f->len};
    struct iovec parts[] = {{(void *)head, sizeof(head)}, {f->query, f->len}};
    bool tcp = f->client.stream;
    struct msghdr m = {.msg_iov = tcp ? parts : parts + 1, .msg_iovlen = tcp ? 2 : 1};
    ssize_t n = sendmsg(a->source.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL), all = (ssize_t)f->len + (tcp ? 2 : 0);
    if (n < 0)
        return -errno;
    a->sent = true;
    return n == all ? 0 : -EIO; /* a fresh connection takes so little at once */
}

static int attempt_open(struct attempt *a, const struct dns_server *s)
{
    struct dns *d = a->forward->dns;
    bool tcp = a->forward->client.stream;
    a->source = (struct loop_source){.fd = make_socket(d, s, tcp ? SOCK_STREAM : SOCK_DGRAM),
                                     .handler = attempt_ready};
    if (a->source.fd < 0)
        return a->source.fd;
    if (connect(a->source.fd, (const struct sockaddr *)&s->address, s->len) < 0 && errno != EINPROGRESS)
        return -errno;
    if (tcp)
        return loop_set(d->loop, &a->source, EPOLLOUT);
    int r = attempt_send(a);
    return r < 0 ? r : loop_set(d->loop, &a->source, EPOLLIN);
}

/* Asks the next server in turn, or the same one again. Servers that can't be asked at all are passed over; -EHOSTUNREACH
 * when that were all of them. */
static int ask_next(struct dns_forward *f)
{
    bool tcp = f->client.stream;
    f->next_turn = clock_monotonic() + (tcp ? PATIENCE_TCP_MS : PATIENCE_MS) * 1000000LL;
    for (size_t i = 0; i < f->count; i++) {
        size_t which = f->turn++ % f->count;
        struct attempt *a = &f->attempts[which];
        if (tcp && f->turn > f->count)
            return -EHOSTUNREACH;
        if (a->source.fd >= 0 && !tcp && attempt_send(a) == 0)
            return 0;
        attempt_close(a);
        if (attempt_open(a, &f->servers[which]) == 0)
            return 0;
        attempt_close(a);
    }
    return -EHOSTUNREACH;
}

static bool anybody_asked(const struct dns_forward *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->attempts[i].source.fd >= 0)
            return true;
    return false;
}

/* This server is of no use: the next one at once, if there is one that wasn't asked yet. */
static void attempt_failed(struct attempt *a)
{
    struct dns_forward *f = a->forward;
    attempt_close(a);
    if (f->turn < f->count && ask_next(f) == 0)
        return;
    if (!anybody_asked(f))
        fail(f);
}

static void attempt_answered(struct attempt *a, char *message, size_t len)
{
    struct dns_forward *f = a->forward;
    unsigned code;
    if (!dns_is_response(message, len, f->id, f->query, f->len))
        return; /* not what was asked for: goes on waiting */
    code = dns_code(message);
    if (code != DNS_NOERROR && code != DNS_NXDOMAIN && f->turn < f->count)
        attempt_failed(a);
    else
        deliver(f, message, len);
}

/* True when there is a whole message, or there will be none. */
static void attempt_read_stream(struct attempt *a)
{
    ssize_t n = buf_read_fd(&a->in, a->source.fd, 16384);
    const unsigned char *data = (const unsigned char *)a->in.data;
    if (n == 0 || (n < 0 && n != -EAGAIN && n != -EINTR)) {
        attempt_failed(a);
        return;
    }
    if (a->in.len < 2)
        return;
    size_t len = (size_t)data[0] << 8 | data[1];
    if (a->in.len < 2 + len)
        return;
    if (!dns_is_response(data + 2, len, a->forward->id, a->forward->query, a->forward->len))
        attempt_failed(a);
    else
        attempt_answered(a, a->in.data + 2, len);
}

static void attempt_ready(struct loop_source *source, uint32_t events)
{
    struct attempt *a = LOOP_OWNER(source, struct attempt, source);
    struct loop *loop = a->forward->dns->loop;
    if (!a->forward->client.stream) {
        char *data = scratch_input();
        ssize_t n = recv(source->fd, data, DNS_MESSAGE_MAX, MSG_DONTWAIT);
        if (n >= 0)
            attempt_answered(a, data, (size_t)n);
        else if (errno != EAGAIN && errno != EINTR)
            attempt_failed(a);
        return;
    }
    if (!a->sent && (events & EPOLLOUT) && attempt_send(a) == 0)
        loop_set(loop, source, EPOLLIN);
    else if (a->sent)
        attempt_read_stream(a);
    else
        attempt_failed(a);
}

/* ---- the list ---- */

void dns_forward(struct dns *d, const struct dns_client *c, const struct dns_query *q, const void *query,
                 size_t len, const struct dns_server *servers, size_t count)
{
    if (d->forward_count >= FORWARDS_MAX) {
        dns_send_answer(d, c, q, query, &(struct dns_answer){.code = DNS_SERVFAIL});
        return;
    }
    struct dns_forward *f = xcalloc(1, sizeof(*f));
    *f = (struct dns_forward){.next = d->forwards,
                              .dns = d,
                              .client = *c,
                              .question = *q,
                              .query = memcpy(xmalloc(len), query, len),
                              .len = len,
                              .count = count,
                              .give_up = clock_monotonic() + GIVE_UP_MS * 1000000LL};
    d->forwards = f;
    d->forward_count++;
    for (size_t i = 0; i < count; i++) {
        f->servers[i] = servers[i];
        f->attempts[i] = (struct attempt){
            .forward = f, .source = LOOP_SOURCE_UNSET, .in = BUF_INIT(DNS_MESSAGE_MAX + 2 + 16384)};
    }
    (void)!getrandom(&f->id, sizeof(f->id), GRND_NONBLOCK);
    dns_set_id(f->query, f->id);
    if (ask_next(f) < 0)
        fail(f);
    else
        dns_tick(d);
}

void dns_forward_tick(struct dns *d, int64_t now)
{
    struct dns_forward *next;
    for (struct dns_forward *f = d->forwards; f; f = next) {
        next = f->next;
        if (now >= f->give_up || (now >= f->next_turn && ask_next(f) < 0 && !anybody_asked(f)))
            fail(f);
    }
}

bool dns_forward_waits(const struct dns *d, const struct dns_stream *stream)
{
    for (const struct dns_forward *f = d->forwards; f; f = f->next)
        if (f->client.stream == stream)
            return true;
    return false;
}

void dns_forward_drop(struct dns *d, const struct dns_stream *stream)
{
    struct dns_forward *next;
    for (struct dns_forward *f = d->forwards; f; f = next) {
        next = f->next;
        if (f->client.stream == stream)
            forward_free(f);
    }
}

void dns_forward_close(struct dns *d)
{
    while (d->forwards)
        forward_free(d->forwards);
}
