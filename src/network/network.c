/* Networks and endpoints: what is asked for is checked and reserved under the lock, made in the kernel
 * without it, and taken back on any failure. */
#include "network/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "network/internal.h"

static void network_free(struct network *n)
{
    address_set_finish(&n->addresses);
    free(n);
}

static int parse_pools(struct network_host *h, const char *const *pools, struct err *err)
{
    size_t count = 0;

    while (pools && pools[count])
        count++;
    if (!count)
        return 0;
    h->pools = xcalloc(count + 1, sizeof(*h->pools));
    for (size_t i = 0; i < count; i++)
        if (pool_parse(pools[i], &h->pools[i]) < 0)
            return err_set(err, ERR_INVALID,
                           "invalid default address pool %s: base=SUBNET,size=LENGTH is expected", pools[i]);
    return 0;
}

struct network_host *network_host_open(const struct network_host_options *options, struct err *err)
{
    _cleanup_(network_host_free_p) struct network_host *h = xcalloc(1, sizeof(*h));
    int r;

    pthread_mutex_init(&h->lock, NULL);
    pthread_mutex_init(&h->nft_lock, NULL);
    snprintf(h->tag, sizeof(h->tag), "%s", options->tag);
    snprintf(h->bridge_prefix, sizeof(h->bridge_prefix), "%s", options->bridge_prefix);
    h->bip = xstrdup(options->bip);
    h->nat = options->nat;
    h->ip_forward = options->ip_forward;
    h->departures = departures_new(h);
    if (parse_pools(h, options->pools, err) < 0)
        return NULL;
    if (h->ip_forward) {
        r = file_write_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "1");
        if (r < 0) {
            err_errno(err, r, "cannot switch net.ipv4.ip_forward on (--ip-forward=false leaves it as it is)");
            return NULL;
        }
    }
    return take_ptr(&h);
}

struct network_host *network_host_free(struct network_host *h)
{
    if (!h)
        return NULL;
    departures_free(h->departures);
    while (h->networks) {
        struct network *n = h->networks;

        h->networks = n->next;
        network_free(n);
    }
    for (size_t i = 0; i < h->port_count; i++)
        close_fd(&h->ports[i].holder);
    pthread_mutex_destroy(&h->lock);
    pthread_mutex_destroy(&h->nft_lock);
    free(h->ports);
    free(h->claimed);
    free(h->pools);
    free(h->bip);
    free(h);
    return NULL;
}

int network_host_settle(struct network_host *h, struct err *err)
{
    int r;

    h->settled = true;
    if (nat_sync(h, err) < 0)
        return -1;
    r = link_sweep(h);
    if (r < 0)
        return err_errno(err, r, "cannot remove the interfaces of an earlier run");
    return 0;
}

int network_host_dismantle(struct network_host *h, struct err *err)
{
    int result = nat_remove(h, err), r;

    for (struct network *n = h->networks; n; n = n->next) {
        departures_finish(h->departures, n, 0);
        r = link_bridge_remove(n);
        if (r < 0 && result == 0)
            result = err_errno(err, r, "cannot remove bridge %s", n->bridge);
    }
    return result;
}

static int read_addresses(struct network *n, const struct network_definition *d, struct err *err)
{
    uint32_t given = 0;

    if (subnet_parse(d->subnet, &n->subnet, &given) < 0 || n->subnet.prefix > 30)
        return err_set(err, ERR_INVALID,
                       "invalid subnet %s: an IPv4 network such as 172.28.0.0/16 is expected", d->subnet);
    n->gateway = given != n->subnet.base ? given : 0;
    if (d->gateway &&
        (inet_pton(AF_INET, d->gateway, &n->gateway) != 1 || !subnet_contains(&n->subnet, n->gateway)))
        return err_set(err, ERR_INVALID, "no matching subnet for gateway %s", d->gateway);
    n->range = n->subnet;
    if (d->ip_range && (subnet_parse(d->ip_range, &n->range, NULL) < 0 ||
                        n->range.prefix < n->subnet.prefix || !subnet_contains(&n->subnet, n->range.base)))
        return err_set(err, ERR_INVALID, "invalid ip-range %s: not inside subnet %s", d->ip_range, d->subnet);
    return 0;
}

static int reserve_others(struct network *n, const char *const *addresses, struct err *err)
{
    uint32_t address;

    for (; addresses && *addresses; addresses++)
        if (inet_pton(AF_INET, *addresses, &address) != 1 ||
            address_take(&n->addresses, &n->subnet, address) == -EADDRNOTAVAIL)
            return err_set(err, ERR_INVALID, "no matching subnet for aux-address %s", *addresses);
    return 0;
}

/* Chooses what the definition leaves open. Lock held. */
static int choose_addresses(struct network *n, const struct network_definition *d, bool is_default,
                            struct err *err)
{
    struct network_host *h = n->host;
    struct network_definition asked = *d;
    struct subnet *taken;
    size_t count = 0;
    int r = 0;

    if (!asked.subnet && is_default)
        asked.subnet = h->bip;
    if (asked.subnet && read_addresses(n, &asked, err) < 0)
        return -1;
    for (struct network *other = h->networks; other; other = other->next)
        count++;
    taken = xcalloc(count + 1, sizeof(*taken));
    count = 0;
    for (struct network *other = h->networks; other; other = other->next) {
        if (asked.subnet && subnet_overlaps(&other->subnet, &n->subnet))
            r = err_set(
                err, ERR_FORBIDDEN,
                "invalid pool request: Pool overlaps with other one on this address space: %s (network %s)",
                other->subnet_text, other->name);
        taken[count++] = other->subnet;
    }
    if (r == 0 && !asked.subnet) {
        const struct subnet *pools = h->pools     ? h->pools
                                     : is_default ? pool_default_bridge
                                                  : pool_default_networks;

        r = pool_choose(pools, taken, count, &n->subnet, err);
        n->range = n->subnet;
    }
    free(taken);
    if (r < 0)
        return -1;
    if (!n->gateway)
        n->gateway = htonl(ntohl(n->subnet.base) + 1);
    address_take(&n->addresses, &n->subnet, n->gateway);
    if (reserve_others(n, d->reserved, err) < 0)
        return -1;
    subnet_format(&n->subnet, n->subnet_text);
    inet_ntop(AF_INET, &n->gateway, n->gateway_text, sizeof(n->gateway_text));
    return 0;
}

static struct network *network_new(struct network_host *h, const struct network_definition *d,
                                   bool is_default)
{
    struct network *n = xcalloc(1, sizeof(*n));

    n->host = h;
    snprintf(n->id, sizeof(n->id), "%s", d->id);
    snprintf(n->name, sizeof(n->name), "%s", d->name);
    snprintf(n->driver, sizeof(n->driver), "%s", d->driver);
    if (d->bridge)
        snprintf(n->bridge, sizeof(n->bridge), "%s", d->bridge);
    else if (is_default)
        snprintf(n->bridge, sizeof(n->bridge), "%.14s0", h->bridge_prefix);
    else
        snprintf(n->bridge, sizeof(n->bridge), "br-%.12s", d->id);
    n->internal = d->internal;
    n->icc = d->icc;
    n->masquerade = d->masquerade;
    n->mtu = d->mtu ? d->mtu : link_default_mtu();
    return n;
}

static void unlink_network(struct network *n)
{
    struct network_host *h = n->host;

    pthread_mutex_lock(&h->lock);
    for (struct network **at = &h->networks; *at; at = &(*at)->next)
        if (*at == n) {
            *at = n->next;
            break;
        }
    pthread_mutex_unlock(&h->lock);
}

struct network *network_create(struct network_host *h, const struct network_definition *d, struct err *err)
{
    bool is_default = str_eq(d->name, "bridge");
    struct network *n;
    int r;

    if (!str_eq(d->driver, "bridge")) {
        err_set(err, ERR_NOT_IMPLEMENTED, "network driver %s is not there yet: bridge, host and none are",
                d->driver);
        return NULL;
    }
    if (d->bridge && (strlen(d->bridge) >= IFNAMSIZ || strpbrk(d->bridge, "/ \"\n") || !*d->bridge)) {
        err_set(err, ERR_INVALID, "invalid bridge name %s: at most %d characters, no slash or blank",
                d->bridge, IFNAMSIZ - 1);
        return NULL;
    }
    n = network_new(h, d, is_default);
    pthread_mutex_lock(&h->lock);
    r = choose_addresses(n, d, is_default, err);
    if (r == 0) {
        n->next = h->networks;
        h->networks = n;
    }
    pthread_mutex_unlock(&h->lock);
    if (r < 0) {
        network_free(n);
        return NULL;
    }
    r = link_bridge_ensure(n);
    if (r < 0)
        err_errno(err, r, "cannot make bridge %s with address %s/%d", n->bridge, n->gateway_text,
                  n->subnet.prefix);
    else if (h->settled)
        r = nat_sync(h, err);
    if (r < 0) {
        link_bridge_remove(n);
        unlink_network(n);
        network_free(n);
        return NULL;
    }
    return n;
}

int network_remove(struct network *n, struct err *err)
{
    struct network_host *h = n->host;
    size_t count;
    int r;

    pthread_mutex_lock(&h->lock);
    count = n->endpoint_count;
    pthread_mutex_unlock(&h->lock);
    if (count)
        return err_set(err, ERR_CONFLICT, "error while removing network: network %s has active endpoints",
                       n->name);
    departures_finish(h->departures, n, 0);
    r = link_bridge_remove(n);
    if (r < 0)
        return err_errno(err, r, "cannot remove bridge %s", n->bridge);
    unlink_network(n);
    network_free(n);
    return nat_sync(h, err);
}

const char *network_bridge(const struct network *n)
{
    return n->bridge;
}

const char *network_subnet(const struct network *n)
{
    return n->subnet_text;
}

const char *network_gateway(const struct network *n)
{
    return n->gateway_text;
}

static int reserve_address(struct network *n, struct network_endpoint *e, struct err *err)
{
    uint32_t address;
    int r;

    if (*e->ip) {
        if (inet_pton(AF_INET, e->ip, &address) != 1)
            return err_set(err, ERR_INVALID, "invalid IPv4 address: %s", e->ip);
        r = address_take(&n->addresses, &n->subnet, address);
        if (r == -EADDRINUSE)
            return err_set(err, ERR_FORBIDDEN, "Address already in use: %s is %s on network %s", e->ip,
                           str_eq(e->ip, n->gateway_text) ? "the gateway" : "another container's", n->name);
        if (r < 0)
            return err_set(err, ERR_INVALID, "no configured subnet contains IP address %s: network %s is %s",
                           e->ip, n->name, n->subnet_text);
    } else {
        if (address_take_free(&n->addresses, &n->subnet, &n->range, &address) < 0)
            return err_set(err, ERR_FORBIDDEN,
                           "no available IPv4 addresses on this network's address pools: %s (%s)", n->name,
                           n->subnet_text);
        inet_ntop(AF_INET, &address, e->ip, sizeof(e->ip));
    }
    e->prefix = n->subnet.prefix;
    if (n->internal)
        e->gateway[0] = '\0';
    else
        snprintf(e->gateway, sizeof(e->gateway), "%s", n->gateway_text);
    if (!*e->mac) {
        const unsigned char *a = (const unsigned char *)&address;

        snprintf(e->mac, sizeof(e->mac), "02:42:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3]);
    }
    return 0;
}

/* Address and ports, both or neither. Takes the lock. */
static int reserve(struct network *n, struct network_endpoint *e, bool restoring, struct err *err)
{
    bool chosen = !*e->ip;
    uint32_t address;
    int r;

    if (!chosen && inet_pton(AF_INET, e->ip, &address) == 1)
        departures_finish(n->host->departures, n, address);
    pthread_mutex_lock(&n->host->lock);
    r = reserve_address(n, e, err);
    if (r == 0) {
        r = ports_reserve(n, e, restoring, err);
        inet_pton(AF_INET, e->ip, &address);
        if (r < 0) {
            address_release(&n->addresses, &n->subnet, address);
            if (chosen)
                e->ip[0] = '\0';
        } else {
            n->endpoint_count++;
        }
    }
    pthread_mutex_unlock(&n->host->lock);
    return r;
}

static size_t release(struct network *n, const struct network_endpoint *e, struct nat_port **ret_ports)
{
    uint32_t address = 0;
    bool leaving = *e->host_interface;
    size_t count;

    inet_pton(AF_INET, e->ip, &address);
    pthread_mutex_lock(&n->host->lock);
    if (address && !leaving)
        address_release(&n->addresses, &n->subnet, address);
    if (n->endpoint_count)
        n->endpoint_count--;
    count = ports_release(n, e->container_id, ret_ports);
    pthread_mutex_unlock(&n->host->lock);
    if (leaving)
        departures_add(n->host->departures, n, address, e->host_interface);
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
    char random[8];
    int r;

    if (!*e->interface)
        snprintf(e->interface, sizeof(e->interface), "eth0");
    if (!*e->host_interface) {
        random_hex(random, 3);
        snprintf(e->host_interface, sizeof(e->host_interface), "veth%.6s%c", random, e->container_id[0]);
    }
    if (reserve(n, e, /* restoring= */ false, err) < 0)
        return -1;
    r = link_veth_create(n, e, netns_fd);
    if (r == 0)
        r = link_configure_inside(e, inner);
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

int network_leave(struct network *n, const struct network_endpoint *e, struct err *err)
{
    uint32_t address;
    int r = network_detach(n, e, err);

    if (inet_pton(AF_INET, e->ip, &address) == 1)
        departures_finish(n->host->departures, n, address);
    return r;
}

int network_default_route(int inner, const char *interface, const char *gateway, struct err *err)
{
    int r = link_default_route(inner, interface, gateway);

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
