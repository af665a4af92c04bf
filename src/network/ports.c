/* Which container has which port of the host. A reserved port is also bound by a socket of ours, so that
 * neither a program of the host nor another engine takes it meanwhile. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "network/internal.h"

enum { EPHEMERAL_FIRST = 32768, EPHEMERAL_LAST = 60999 };

static bool is_taken(const struct network_host *h, const struct nat_port *p)
{
    for (size_t i = 0; i < h->port_count; i++) {
        const struct nat_port *q = &h->ports[i];

        if (q->protocol == p->protocol && q->host_port == p->host_port &&
            (q->host_ip == p->host_ip || !q->host_ip || !p->host_ip))
            return true;
    }
    return false;
}

static int bind_holder(struct nat_port *p)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(p->host_port), .sin_addr.s_addr = p->host_ip};
    _cleanup_close_ int fd =
        socket(AF_INET, (p->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    p->holder = take_fd(&fd);
    return 0;
}

/* Walks the ephemeral range from where the last walk ended. */
static int choose_port(struct network_host *h, struct nat_port *p)
{
    for (int i = 0; i <= EPHEMERAL_LAST - EPHEMERAL_FIRST; i++) {
        if (h->next_ephemeral < EPHEMERAL_FIRST || h->next_ephemeral > EPHEMERAL_LAST)
            h->next_ephemeral = EPHEMERAL_FIRST;
        p->host_port = h->next_ephemeral++;
        if (!is_taken(h, p) && bind_holder(p) == 0)
            return 0;
    }
    return -EADDRINUSE;
}

static int reserve_one(struct network *n, struct network_endpoint *e, struct network_port *port,
                       bool restoring, struct nat_port *ret, struct err *err)
{
    struct nat_port p = {
        .network = n, .host_port = port->host_port, .container_port = port->container_port, .holder = -EBADF};
    const char *shown = *port->host_ip ? port->host_ip : "0.0.0.0";
    int r;

    if (str_eq(port->protocol, "tcp") || str_eq(port->protocol, "udp"))
        p.protocol = str_eq(port->protocol, "udp") ? IPPROTO_UDP : IPPROTO_TCP;
    else
        return err_set(err, ERR_NOT_IMPLEMENTED, "cannot publish a port of protocol %s: tcp and udp only",
                       port->protocol);
    if (*port->host_ip && inet_pton(AF_INET, port->host_ip, &p.host_ip) != 1)
        return err_set(err, ERR_NOT_IMPLEMENTED, "cannot publish on %s: IPv4 addresses only", port->host_ip);
    if (inet_pton(AF_INET, e->ip, &p.ip) != 1)
        return err_set(err, ERR_INVALID, "invalid address %s", e->ip);
    snprintf(p.container_id, sizeof(p.container_id), "%s", e->container_id);
    if (!p.host_port) {
        if (choose_port(n->host, &p) < 0)
            return err_set(err, ERR_CONFLICT, "all ports from %d to %d are taken", EPHEMERAL_FIRST,
                           EPHEMERAL_LAST);
    } else {
        if (is_taken(n->host, &p))
            return err_set(err, ERR_CONFLICT, "Bind for %s:%u failed: port is already allocated", shown,
                           p.host_port);
        r = bind_holder(&p);
        if (r < 0 && !restoring)
            return err_set(err, r == -EADDRINUSE ? ERR_CONFLICT : ERR_SYSTEM,
                           "failed to bind host port for %s:%u:%s:%u/%s: %s", shown, p.host_port, e->ip,
                           p.container_port, port->protocol,
                           r == -EADDRINUSE ? "address already in use" : strerror(-r));
    }
    port->host_port = p.host_port;
    *ret = p;
    return 0;
}

int ports_reserve(struct network *n, struct network_endpoint *e, bool restoring, struct err *err)
{
    struct network_host *h = n->host;
    size_t before = h->port_count;

    h->ports = xreallocarray(h->ports, before + e->port_count + 1, sizeof(*h->ports));
    for (size_t i = 0; i < e->port_count; i++) {
        uint16_t asked = e->ports[i].host_port;

        if (reserve_one(n, e, &e->ports[i], restoring, &h->ports[h->port_count], err) == 0) {
            h->port_count++;
            continue;
        }
        e->ports[i].host_port = asked;
        while (h->port_count > before)
            close_fd(&h->ports[--h->port_count].holder);
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
