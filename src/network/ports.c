/* Which container has which port of the host. A reserved port is also bound by a socket of ours, so that
 * neither a program of the host nor another engine takes it meanwhile. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "network/internal.h"

enum { EPHEMERAL_FIRST = 32768, EPHEMERAL_LAST = 60999 };

static const struct {
    const char *name;
    uint8_t number;
    int type;
} protocols[] = {
    {"tcp", IPPROTO_TCP, SOCK_STREAM}, {"udp", IPPROTO_UDP, SOCK_DGRAM}, {"sctp", IPPROTO_SCTP, SOCK_STREAM}};

const char *port_protocol_name(uint8_t number)
{
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (protocols[i].number == number)
            return protocols[i].name;
    return "";
}

static bool is_taken(const struct network_host *h, const struct nat_port *p)
{
    for (size_t i = 0; i < h->port_count; i++) {
        const struct nat_port *q = &h->ports[i];

        if (q->protocol == p->protocol && q->host_port == p->host_port &&
            q->host_ip.family == p->host_ip.family &&
            (q->host_ip.value == p->host_ip.value || !q->host_ip.value || !p->host_ip.value))
            return true;
    }
    return false;
}

static int bind_holder(struct nat_port *p)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(p->host_port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(p->host_port)};
    bool is_six = p->host_ip.family == AF_INET6;
    unsigned char bytes[ADDRESS_BYTES_MAX];
    int type = SOCK_STREAM, on = 1;

    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (protocols[i].number == p->protocol)
            type = protocols[i].type;
    address_to_bytes(&p->host_ip, bytes);
    memcpy(&six.sin6_addr, bytes, sizeof(six.sin6_addr));
    memcpy(&four.sin_addr, bytes, sizeof(four.sin_addr));
    _cleanup_close_ int fd = socket(p->host_ip.family, type | SOCK_CLOEXEC, p->protocol);
    if (fd < 0 || (is_six && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0))
        return -errno;
    if (bind(fd, is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four,
             is_six ? sizeof(six) : sizeof(four)) < 0)
        return -errno;
    p->holder = take_fd(&fd);
    return 0;
}

/* ports[0] and its twins get one number. Returns -EADDRINUSE, or what else keeps a socket from being bound; *ret_which:
 * of which. */
static int hold(struct network_host *h, struct nat_port *ports, size_t count, bool restoring,
                size_t *ret_which)
{
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++) {
        *ret_which = i;
        r = is_taken(h, &ports[i]) ? -EEXIST : bind_holder(&ports[i]);
        if (r != -EEXIST && restoring)
            r = 0; /* the container has it, whoever else took it meanwhile */
    }
    for (size_t i = 0; i < count && r < 0; i++)
        close_fd(&ports[i].holder);
    return r;
}

/* Walks the ephemeral range from where the last walk ended. */
static int choose_port(struct network_host *h, struct nat_port *ports, size_t count)
{
    size_t which;
    int r;

    for (int i = 0; i <= EPHEMERAL_LAST - EPHEMERAL_FIRST; i++) {
        if (h->next_ephemeral < EPHEMERAL_FIRST || h->next_ephemeral > EPHEMERAL_LAST)
            h->next_ephemeral = EPHEMERAL_FIRST;
        for (size_t j = 0; j < count; j++)
            ports[j].host_port = h->next_ephemeral;
        h->next_ephemeral++;
        r = hold(h, ports, count, /* restoring= */ false, &which);
        if (r != -EEXIST && r != -EADDRINUSE)
            return r;
    }
    return -EADDRINUSE;
}

static int read_port(struct network *n, const struct network_endpoint *e, const struct network_port *port,
                     struct nat_port *ret, struct err *err)
{
    *ret = (struct nat_port){
        .network = n, .host_port = port->host_port, .container_port = port->container_port, .holder = -EBADF};
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (str_eq(port->protocol, protocols[i].name))
            ret->protocol = protocols[i].number;
    if (!ret->protocol)
        return err_set(err, ERR_INVALID, "cannot publish a port of protocol %s: tcp, udp and sctp only",
                       port->protocol);
    if (address_parse(*port->host_ip ? port->host_ip : "0.0.0.0", &ret->host_ip) < 0)
        return err_set(err, ERR_INVALID, "cannot publish on %s: it is no address", port->host_ip);
    if (ret->host_ip.family == AF_INET6 && ret->host_ip.value == 1)
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "cannot publish on ::1: the kernel leads nothing from there to another interface; "
                       "publish on 127.0.0.1");
    if (address_parse(ret->host_ip.family == AF_INET6 ? e->ip6 : e->ip, &ret->ip) < 0)
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "cannot publish on %s: the container has no address of that family on network %s",
                       *port->host_ip ? port->host_ip : "0.0.0.0", n->name);
    snprintf(ret->container_id, sizeof(ret->container_id), "%s", e->container_id);
    return 0;
}

static int refuse(const struct nat_port *p, int r, struct err *err)
{
    char host[INET6_ADDRSTRLEN], inside[INET6_ADDRSTRLEN];
    bool six = p->host_ip.family == AF_INET6;

    address_format(&p->host_ip, host);
    address_format(&p->ip, inside);
    if (r == -EEXIST)
        return err_set(err, ERR_CONFLICT, "Bind for %s:%u failed: port is already allocated", host,
                       p->host_port);
    if (r == -EPROTONOSUPPORT)
        return err_set(err, ERR_SYSTEM,
                       "failed to bind host port for %s:%u/%s: protocol not supported: this kernel has no %s",
                       host, p->host_port, port_protocol_name(p->protocol), port_protocol_name(p->protocol));
    return err_set(err, r == -EADDRINUSE ? ERR_CONFLICT : ERR_SYSTEM,
                   "failed to bind host port for %s%s%s:%u:%s%s%s:%u/%s: %s", six ? "[" : "", host,
                   six ? "]" : "", p->host_port, six ? "[" : "", inside, six ? "]" : "", p->container_port,
                   port_protocol_name(p->protocol),
                   r == -EADDRINUSE ? "address already in use" : strerror(-r));
}

/* A port and its twins, which are the next of the endpoint's; *ret_count: how many that are. */
static int reserve_group(struct network *n, struct network_endpoint *e, size_t first, bool restoring,
                         size_t *ret_count, struct err *err)
{
    struct network_host *h = n->host;
    struct nat_port *ports = &h->ports[h->port_count];
    size_t count = 0, which = 0;
    int r;

    do {
        if (read_port(n, e, &e->ports[first + count], &ports[count], err) < 0)
            return -1;
        count++;
    } while (first + count < e->port_count && e->ports[first + count].twin);
    if (ports[0].host_port) {
        r = hold(h, ports, count, restoring, &which);
        if (r < 0)
            return refuse(&ports[which], r, err);
    } else {
        r = choose_port(h, ports, count);
        if (r == -EADDRINUSE)
            return err_set(err, ERR_CONFLICT, "all ports from %d to %d are taken", EPHEMERAL_FIRST,
                           EPHEMERAL_LAST);
        if (r < 0)
            return refuse(&ports[0], r, err);
    }
    for (size_t i = 0; i < count; i++)
        e->ports[first + i].host_port = ports[i].host_port;
    *ret_count = count;
    return 0;
}

int ports_reserve(struct network *n, struct network_endpoint *e, bool restoring, struct err *err)
{
    struct network_host *h = n->host;
    _cleanup_free_ uint16_t *asked = xcalloc(e->port_count + 1, sizeof(*asked));
    size_t before = h->port_count, count = 0;

    h->ports = xreallocarray(h->ports, before + e->port_count + 1, sizeof(*h->ports));
    for (size_t i = 0; i < e->port_count; i++)
        asked[i] = e->ports[i].host_port;
    for (size_t i = 0; i < e->port_count; i += count) {
        if (reserve_group(n, e, i, restoring, &count, err) == 0) {
            h->port_count += count;
            continue;
        }
        while (h->port_count > before)
            close_fd(&h->ports[--h->port_count].holder);
        for (i = 0; i < e->port_count; i++)
            e->ports[i].host_port = asked[i];
        return -1;
    }
    return 0;
}

size_t ports_release(struct network *n, const char *container_id, struct nat_port **ret)
{
    struct network_host *h = n->host;
    struct nat_port *released = NULL;
    size_t count = 0, kept = 0;

    for (size_t i = 0; i < h->port_count; i++) {
        struct nat_port *p = &h->ports[i];

        if (p->network != n || !str_eq(p->container_id, container_id)) {
            h->ports[kept++] = *p;
            continue;
        }
        close_fd(&p->holder);
        released = xreallocarray(released, count + 1, sizeof(*released));
        released[count++] = *p;
    }
    h->port_count = kept;
    *ret = released;
    return count;
}
