/* Endpoints: addresses and ports are reserved under the lock, made in the kernel without it, and taken back on any
 * failure. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "network/internal.h"

/* Of one family: where to find it in an endpoint. */
struct place {
    int family;
    char *text, *gateway;
    size_t text_size;
    int *prefix;
};

static int take_given(const struct network *n, const struct place *at, struct address *ret, struct err *err)
{
    struct network_pool *p;

    if (address_parse(at->text, ret) < 0 || ret->family != at->family)
        return err_set(err, ERR_INVALID, "invalid IPv%d address: %s", at->family == AF_INET6 ? 6 : 4,
                       at->text);
    p = network_pool_of(n, ret);
    if (!p)
        return err_set(err, ERR_INVALID, "no configured subnet contains IP address %s: network %s has %s",
                       at->text, n->name, n->pools[0].subnet_text);
    if (address_take(&p->addresses, &p->subnet, ret) < 0)
        return err_set(err, ERR_FORBIDDEN, "Address already in use: %s is %s on network %s", at->text,
                       address_equal(ret, &p->gateway) ? "the gateway" : "another container's", n->name);
    return 0;
}

/* The IPv6 address as far from its subnet's base as the IPv4 one that goes with it: so it comes back with the same MAC
 * address, and what neighbours remember stays true. */
static bool take_paired(const struct network_pool *from, struct network_pool *to, const struct address *pair,
                        struct address *ret)
{
    *ret = (struct address){.family = to->subnet.base.family,
                            .value = to->subnet.base.value + (pair->value - from->subnet.base.value)};
    return subnet_contains(&to->range, ret) && address_take(&to->addresses, &to->subnet, ret) == 0;
}

/* pair: the address of the other family that was chosen, or none. */
static int take_any(const struct network *n, const struct place *at, const struct address *pair,
                    struct address *ret, struct err *err)
{
    const struct network_pool *from = pair->family ? network_pool_of(n, pair) : NULL;
    const struct network_pool *first = network_first_pool(n, at->family);

    for (size_t i = 0; i < n->pool_count; i++) {
        struct network_pool *p = &n->pools[i];

        if (p->subnet.base.family == at->family &&
            ((from && take_paired(from, p, pair, ret)) ||
             address_take_free(&p->addresses, &p->subnet, &p->range, ret) == 0)) {
            address_format(ret, at->text);
            return 0;
        }
    }
    return err_set(err, ERR_FORBIDDEN,
                   "no available IPv%d addresses on this network's address pools: %s (%s)",
                   at->family == AF_INET6 ? 6 : 4, n->name, first ? first->subnet_text : "");
}

void network_give_back(const struct network *n, const struct address addresses[2])
{
    for (int i = 0; i < 2; i++) {
        struct network_pool *p = addresses[i].family ? network_pool_of(n, &addresses[i]) : NULL;

        if (p)
            address_release(&p->addresses, &p->subnet, &addresses[i]);
    }
}

static void derive_mac(struct network_endpoint *e, const struct address taken[2])
{
    unsigned value = (unsigned)(taken[0].family ? taken[0].value : taken[1].value);

    if (!*e->mac)
        snprintf(e->mac, sizeof(e->mac), "02:42:%02x:%02x:%02x:%02x", value >> 24, value >> 16 & 0xff,
                 value >> 8 & 0xff, value & 0xff);
}

/* Lock held. Both addresses or none; which were chosen is seen by `chosen`. */
static int reserve_addresses(struct network *n, struct network_endpoint *e, bool chosen[2], struct err *err)
{
    const struct place places[] = {{AF_INET, e->ip, e->gateway, sizeof(e->ip), &e->prefix},
                                   {AF_INET6, e->ip6, e->gateway6, sizeof(e->ip6), &e->prefix6}};
    struct address taken[2] = {0}, none = {0};

    for (int i = 0; i < 2; i++) {
        const struct place *at = &places[i];
        char text[INET6_ADDRSTRLEN];
        struct place room = *at;
        int r = 0;

        chosen[i] = false;
        if (!(i ? n->ipv6 : n->ipv4)) {
            at->text[0] = '\0';
            continue;
        }
        room.text = text;
        snprintf(text, sizeof(text), "%s", at->text);
        chosen[i] = !*text;
        r = chosen[i] ? take_any(n, &room, chosen[0] ? &taken[0] : &none, &taken[i], err)
                      : take_given(n, &room, &taken[i], err);
        if (r < 0) {
            taken[i].family = 0;
            network_give_back(n, taken);
            if (i && chosen[0])
                e->ip[0] = '\0';
            return -1;
        }
        snprintf(at->text, at->text_size, "%s", text);
        *at->prefix = network_pool_of(n, &taken[i])->subnet.prefix;
        snprintf(at->gateway, at->text_size, "%s",
                 n->internal ? "" : network_pool_of(n, &taken[i])->gateway_text);
    }
    derive_mac(e, taken);
    return 0;
}

static void endpoint_addresses(const struct network_endpoint *e, struct address ret[2])
{
    if (address_parse(e->ip, &ret[0]) < 0)
        ret[0] = (struct address){.family = 0};
    if (address_parse(e->ip6, &ret[1]) < 0)
        ret[1] = (struct address){.family = 0};
}

/* Addresses and ports, all or none. Takes the lock. */
static int reserve(struct network *n, struct network_endpoint *e, bool restoring, struct err *err)
{
    struct address addresses[2];
    bool chosen[2];
    int r;

    endpoint_addresses(e, addresses);
    for (int i = 0; i < 2; i++)
        if (addresses[i].family)
            departures_finish(n->host->departures, n, &addresses[i]);
    pthread_mutex_lock(&n->host->lock);
    r = reserve_addresses(n, e, chosen, err);
    if (r == 0) {
        r = ports_reserve(n, e, restoring, err);
        if (r < 0) {
            endpoint_addresses(e, addresses);
            network_give_back(n, addresses);
            if (chosen[0])
                e->ip[0] = '\0';
            if (chosen[1])
                e->ip6[0] = '\0';
        } else {
            n->endpoint_count++;
        }
    }
    pthread_mutex_unlock(&n->host->lock);
    return r;
}

static size_t release(struct network *n, const struct network_endpoint *e, struct nat_port **ret_ports)
{
    struct address addresses[2];
    bool leaving = *e->host_interface;
    size_t count;

    endpoint_addresses(e, addresses);
    pthread_mutex_lock(&n->host->lock);
    if (!leaving)
        network_give_back(n, addresses);
    if (n->endpoint_count)
        n->endpoint_count--;
    count = ports_release(n, e->container_id, ret_ports);
    pthread_mutex_unlock(&n->host->lock);
    if (leaving)
        departures_add(n->host->departures, n, addresses, e->host_interface);
    return count;
}

/* The endpoint's ports as the table has them; the caller frees. */
static size_t copy_ports(struct network *n, const char *container_id, struct nat_port **ret)
{
    struct network_host *h = n->host;
    size_t count = 0;

    pthread_mutex_lock(&h->lock);
    *ret = xcalloc(h->port_count + 1, sizeof(**ret));
    for (size_t i = 0; i < h->port_count; i++)
        if (h->ports[i].network == n && str_eq(h->ports[i].container_id, container_id))
            (*ret)[count++] = h->ports[i];
    pthread_mutex_unlock(&h->lock);
    return count;
}

static int publish(struct network *n, const struct network_endpoint *e, struct err *err)
{
    _cleanup_free_ struct nat_port *ports = NULL;
    size_t count;

    if (!e->port_count)
        return 0;
    count = copy_ports(n, e->container_id, &ports);
    return nat_change_ports(n->host, ports, count, /* add= */ true, err);
}

int network_attach(struct network *n, struct network_endpoint *e, int netns_fd, int inner, struct err *err)
{
    int r;

    if (!*e->interface)
        snprintf(e->interface, sizeof(e->interface), "eth0");
    if (reserve(n, e, /* restoring= */ false, err) < 0)
        return -1;
    r = n->driver->attach(n, e, netns_fd);
    if (r == 0)
        r = link_configure_inside(n, e, netns_fd, inner);
    if (r < 0)
        err_errno(err, r, "cannot connect the container to network %s by %s", n->name, n->bridge);
    else
        r = publish(n, e, err);
    if (r < 0)
        network_detach(n, e, NULL);
    return r < 0 ? -1 : 0;
}

int network_restore(struct network *n, const struct network_endpoint *endpoint, struct err *err)
{
    struct network_endpoint e = *endpoint;
    struct network_host *h = n->host;

    if (reserve(n, &e, /* restoring= */ true, err) < 0)
        return -1;
    pthread_mutex_lock(&h->lock);
    h->claimed = xreallocarray(h->claimed, h->claimed_count + 1, sizeof(*h->claimed));
    snprintf(h->claimed[h->claimed_count++], IFNAMSIZ, "%s", e.host_interface);
    pthread_mutex_unlock(&h->lock);
    return publish(n, &e, err);
}

int network_detach(struct network *n, const struct network_endpoint *e, struct err *err)
{
    _cleanup_free_ struct nat_port *ports = NULL;
    size_t count = release(n, e, &ports);

    return nat_change_ports(n->host, ports, count, /* add= */ false, err);
}

int network_leave(struct network *n, const struct network_endpoint *e, int inner, struct err *err)
{
    struct address addresses[2];
    int r;

    if (!*e->host_interface) {
        netlink_link_delete(inner, e->interface);
        return network_detach(n, e, err);
    }
    r = network_detach(n, e, err);
    endpoint_addresses(e, addresses);
    for (int i = 0; i < 2; i++)
        if (addresses[i].family)
            departures_finish(n->host->departures, n, &addresses[i]);
    return r;
}

int network_default_route(int inner, int family, const char *interface, const char *gateway, struct err *err)
{
    int r = link_default_route(inner, family, interface, gateway);

    return r < 0 ? err_errno(err, r, "cannot set the default route by way of %s", interface) : 0;
}

int network_publish(struct network *n, struct network_endpoint *e, struct err *err)
{
    int r;

    pthread_mutex_lock(&n->host->lock);
    r = ports_reserve(n, e, /* restoring= */ false, err);
    pthread_mutex_unlock(&n->host->lock);
    if (r == 0)
        r = publish(n, e, err);
    return r;
}

int network_unpublish(struct network *n, const struct network_endpoint *e, struct err *err)
{
    _cleanup_free_ struct nat_port *ports = NULL;
    size_t count;

    pthread_mutex_lock(&n->host->lock);
    count = ports_release(n, e->container_id, &ports);
    pthread_mutex_unlock(&n->host->lock);
    return nat_change_ports(n->host, ports, count, /* add= */ false, err);
}
