/* Networks: what is asked for is checked and reserved under the lock, made in the kernel without it, and taken back on
 * any failure. */
#include "network/network.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "network/internal.h"

static const struct network_driver *const drivers[] = {&link_bridge, &vlan_macvlan, &vlan_ipvlan};

static void network_free(struct network *n)
{
    for (size_t i = 0; i < n->pool_count; i++)
        address_set_finish(&n->pools[i].addresses);
    free(n->pools);
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
    h->local[0] = pool_local(options->seed ? options->seed : options->tag);
    h->nat = options->nat;
    h->nat6 = h->table6 = options->nat6 && access("/proc/sys/net/ipv6", F_OK) == 0;
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
        departures_finish(h->departures, n, NULL);
        r = link_bridge_remove(n);
        if (r < 0 && result == 0)
            result = err_errno(err, r, "cannot remove bridge %s", n->bridge);
    }
    return result;
}

/* ---- subnets ---- */

struct network_pool *network_pool_of(const struct network *n, const struct address *a)
{
    for (size_t i = 0; i < n->pool_count; i++)
        if (subnet_contains(&n->pools[i].subnet, a))
            return &n->pools[i];
    return NULL;
}

struct network_pool *network_first_pool(const struct network *n, int family)
{
    for (size_t i = 0; i < n->pool_count; i++)
        if (n->pools[i].subnet.base.family == family)
            return &n->pools[i];
    return NULL;
}

static struct network_pool *add_pool(struct network *n)
{
    n->pools = xreallocarray(n->pools, n->pool_count + 1, sizeof(*n->pools));
    n->pools[n->pool_count] = (struct network_pool){.addresses = {0}};
    return &n->pools[n->pool_count++];
}

static int read_pool(struct network_pool *p, const struct network_subnet *asked, struct err *err)
{
    struct address given;

    if (subnet_parse(asked->subnet, &p->subnet, &given) < 0 || p->subnet.prefix == 0 ||
        p->subnet.prefix > (p->subnet.base.family == AF_INET6 ? 127 : 30))
        return err_set(err, ERR_INVALID,
                       "invalid subnet %s: a network such as 172.28.0.0/16 or fd00:1::/64 is expected",
                       asked->subnet);
    if (given.value != p->subnet.base.value)
        p->gateway = given;
    if (asked->gateway && *asked->gateway &&
        (address_parse(asked->gateway, &p->gateway) < 0 || !subnet_contains(&p->subnet, &p->gateway)))
        return err_set(err, ERR_INVALID, "no matching subnet for gateway %s", asked->gateway);
    p->range = p->subnet;
    if (asked->ip_range &&
        (subnet_parse(asked->ip_range, &p->range, NULL) < 0 || p->range.prefix < p->subnet.prefix ||
         !subnet_contains(&p->subnet, &p->range.base)))
        return err_set(err, ERR_INVALID, "invalid ip-range %s: not inside subnet %s", asked->ip_range,
                       asked->subnet);
    return 0;
}

static int reserve_others(struct network_pool *p, const char *const *addresses, struct err *err)
{
    struct address a;

    for (; addresses && *addresses; addresses++)
        if (address_parse(*addresses, &a) < 0 ||
            address_take(&p->addresses, &p->subnet, &a) == -EADDRNOTAVAIL)
            return err_set(err, ERR_INVALID, "no matching subnet for aux-address %s", *addresses);
    return 0;
}

/* Lock held. */
static int check_overlaps(const struct network *n, const struct network_pool *p, struct err *err)
{
    for (const struct network *other = n->host->networks; other; other = other->next)
        for (size_t i = 0; i < other->pool_count; i++)
            if (subnet_overlaps(&other->pools[i].subnet, &p->subnet))
                return err_set(err, ERR_FORBIDDEN,
                               "invalid pool request: Pool overlaps with other one on this address space: %s "
                               "(network %s)",
                               other->pools[i].subnet_text, other->name);
    return 0;
}

static bool has_rows(const struct subnet *pools, int family)
{
    for (; pools && pools->prefix; pools++)
        if (pools->base.family == family)
            return true;
    return false;
}

/* A subnet for a family that has none. Lock held. */
static int choose_pool(struct network *n, int family, bool is_default, struct err *err)
{
    struct network_host *h = n->host;
    const struct subnet *pools = has_rows(h->pools, family) ? h->pools
                                 : family == AF_INET6       ? h->local
                                 : is_default               ? pool_default_bridge
                                                            : pool_default_networks;
    _cleanup_free_ struct subnet *taken = NULL;
    struct network_pool *p;
    size_t count = 0;

    for (const struct network *other = h->networks; other; other = other->next)
        for (size_t i = 0; i < other->pool_count; i++) {
            taken = xreallocarray(taken, count + 1, sizeof(*taken));
            taken[count++] = other->pools[i].subnet;
        }
    p = add_pool(n);
    if (pool_choose(pools, family, taken, count, &p->subnet, err) < 0)
        return -1;
    p->range = p->subnet;
    return 0;
}

/* The addresses that containers don't get: others', and the gateway's. */
static int settle_pool(struct network *n, struct network_pool *p, const char *const *reserved,
                       struct err *err)
{
    if (p->gateway.family)
        address_take(&p->addresses, &p->subnet, &p->gateway);
    if (reserve_others(p, reserved, err) < 0)
        return -1;
    if (n->gateless)
        p->gateway = (struct address){.family = 0};
    else if (!p->gateway.family && address_take_free(&p->addresses, &p->subnet, &p->range, &p->gateway) < 0)
        return err_set(err, ERR_INVALID, "no address is left for the gateway of network %s", n->name);
    subnet_format(&p->subnet, p->subnet_text);
    address_format(&p->gateway, p->gateway_text);
    return 0;
}

/* A passthru link has its parent for itself. Lock held. */
static int check_parent_free(const struct network *n, struct err *err)
{
    for (const struct network *other = n->host->networks; other; other = other->next)
        if (n->driver == &vlan_macvlan && other->driver == n->driver && str_eq(other->bridge, n->bridge) &&
            (n->mode == MACVLAN_MODE_PASSTHRU || other->mode == MACVLAN_MODE_PASSTHRU))
            return err_set(
                err, ERR_FORBIDDEN,
                "cannot use mode passthru, macvlan network %s is already using parent interface %s",
                other->name, n->bridge);
    return 0;
}

/* Lock held. */
static int add_asked(struct network *n, const struct network_subnet *asked, struct err *err)
{
    struct network_pool *p;
    struct subnet s;

    if (subnet_parse(asked->subnet, &s, NULL) == 0 && !(s.base.family == AF_INET6 ? n->ipv6 : n->ipv4))
        return 0;
    if (subnet_parse(asked->subnet, &s, NULL) == 0 && n->driver->isolates &&
        network_first_pool(n, s.base.family))
        return err_set(err, ERR_FORBIDDEN, "bridge driver doesn't support multiple subnets");
    p = add_pool(n);
    if (read_pool(p, asked, err) < 0 || check_overlaps(n, p, err) < 0)
        return -1;
    return settle_pool(n, p, asked->reserved, err);
}

/* Chooses what the definition leaves open. Lock held. */
static int choose_addresses(struct network *n, const struct network_definition *d, bool is_default,
                            struct err *err)
{
    const int families[] = {AF_INET, AF_INET6};

    if (check_parent_free(n, err) < 0)
        return -1;
    for (size_t i = 0; i < d->subnet_count; i++)
        if (add_asked(n, &d->subnets[i], err) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        if (!(families[i] == AF_INET6 ? n->ipv6 : n->ipv4) || network_first_pool(n, families[i]))
            continue;
        if (choose_pool(n, families[i], is_default, err) < 0 ||
            settle_pool(n, &n->pools[n->pool_count - 1], NULL, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- networks ---- */

static struct network *network_new(struct network_host *h, const struct network_driver *driver,
                                   const struct network_definition *d)
{
    struct network *n = xcalloc(1, sizeof(*n));

    n->host = h;
    n->driver = driver;
    snprintf(n->id, sizeof(n->id), "%s", d->id);
    snprintf(n->name, sizeof(n->name), "%s", d->name);
    n->ipv4 = d->ipv4;
    n->ipv6 = d->ipv6;
    n->internal = d->internal;
    n->icc = d->icc;
    n->masquerade = d->masquerade;
    n->mtu = d->mtu;
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

/* Another network may stand on the same VLAN. */
static bool shares_link(const struct network *n)
{
    bool shared = false;

    pthread_mutex_lock(&n->host->lock);
    for (const struct network *other = n->host->networks; other; other = other->next)
        shared = shared || (other != n && str_eq(other->bridge, n->bridge));
    pthread_mutex_unlock(&n->host->lock);
    return shared;
}

static const struct network_driver *find_driver(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
        if (str_eq(drivers[i]->name, name))
            return drivers[i];
    return NULL;
}

/* IPv6 is forwarded from the first network on that has it. */
static int forward6(const struct network *n, struct err *err)
{
    static const char *const which[] = {"default", "all"};
    char path[64];

    for (size_t i = 0; n->ipv6 && n->host->ip_forward && n->driver->isolates && i < ARRAY_SIZE(which); i++) {
        snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/forwarding", which[i]);
        int r = file_write_at(AT_FDCWD, path, "1");

        if (r < 0)
            return err_errno(err, r, "cannot switch net.ipv6.conf.%s.forwarding on", which[i]);
    }
    return 0;
}

static int bring_up(struct network *n, struct err *err)
{
    if (n->ipv6 && access("/proc/sys/net/ipv6", F_OK) < 0)
        return err_set(err, ERR_INVALID, "cannot enable IPv6 on network %s: this kernel has none", n->name);
    if (forward6(n, err) < 0 || n->driver->up(n, err) < 0)
        return -1;
    return n->host->settled && n->driver->isolates ? nat_sync(n->host, err) : 0;
}

struct network *network_create(struct network_host *h, const struct network_definition *d, struct err *err)
{
    const struct network_driver *driver = find_driver(d->driver);
    struct network *n;
    int r;

    if (!driver) {
        err_set(err, ERR_NOT_IMPLEMENTED, "network driver %s is not there", d->driver);
        return NULL;
    }
    n = network_new(h, driver, d);
    if (driver->check(n, d, err) < 0) {
        network_free(n);
        return NULL;
    }
    pthread_mutex_lock(&h->lock);
    r = choose_addresses(n, d, str_eq(d->name, "bridge"), err);
    if (r == 0) {
        n->next = h->networks;
        h->networks = n;
    }
    pthread_mutex_unlock(&h->lock);
    if (r < 0) {
        network_free(n);
        return NULL;
    }
    if (bring_up(n, err) < 0) {
        if (!shares_link(n))
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
    bool isolates;
    size_t count;
    int r;

    pthread_mutex_lock(&h->lock);
    count = n->endpoint_count;
    pthread_mutex_unlock(&h->lock);
    if (count)
        return err_set(err, ERR_CONFLICT, "error while removing network: network %s has active endpoints",
                       n->name);
    departures_finish(h->departures, n, NULL);
    isolates = n->driver->isolates;
    r = shares_link(n) ? 0 : link_bridge_remove(n);
    if (r < 0)
        return err_errno(err, r, "cannot remove bridge %s", n->bridge);
    unlink_network(n);
    network_free(n);
    return isolates ? nat_sync(h, err) : 0;
}

const char *network_bridge(const struct network *n)
{
    return n->bridge;
}

size_t network_pool_count(const struct network *n)
{
    return n->pool_count;
}

const char *network_subnet(const struct network *n, size_t i)
{
    return n->pools[i].subnet_text;
}

const char *network_gateway(const struct network *n, size_t i)
{
    return n->pools[i].gateway_text;
}

const char *network_way_out(const struct network *n, int family)
{
    const struct network_pool *p = n->internal ? NULL : network_first_pool(n, family);

    return p ? p->gateway_text : "";
}

bool network_publishes(const struct network *n)
{
    return n->driver->isolates && !n->internal;
}
