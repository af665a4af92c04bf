/* Subnets for new networks, and the addresses given out of them. */
#ifndef KEG_NETWORK_POOL_H
#define KEG_NETWORK_POOL_H

#include "base/err.h"
#include "network/address.h"

/* "base=10.0.0.0/8,size=24" (dockerd's --default-address-pool), or "10.0.0.0/8,24". 0 or -EINVAL. */
int pool_parse(const char *text, struct subnet *ret);
/* The first subnet of the pools' rows of one family (prefix 0 ends the table) that overlaps neither `taken` nor the host's
 * routes and name servers. ERR_CONFLICT when there is none. */
int pool_choose(const struct subnet *pools, int family, const struct subnet *taken, size_t taken_count,
                struct subnet *ret, struct err *err);
/* The /48 of unique local addresses that a host takes its IPv6 subnets from: the same for the same seed. */
struct subnet pool_local(const char *seed);
/* keg's built-in rows: a /16 for the default bridge first, then thousands of /24. */
extern const struct subnet pool_default_bridge[];
extern const struct subnet pool_default_networks[];

/* The addresses of one subnet that are taken, as distances from its base in order. */
struct address_set {
    __uint128_t *taken;
    size_t count;
};

void address_set_finish(struct address_set *set);
/* Takes the lowest free host address in `range` (inside `subnet`; never its first, nor IPv4's last). -ENOSPC when full. */
int address_take_free(struct address_set *set, const struct subnet *subnet, const struct subnet *range,
                      struct address *ret);
/* 0, -EADDRINUSE, or -EADDRNOTAVAIL for one outside the subnet. */
int address_take(struct address_set *set, const struct subnet *subnet, const struct address *address);
void address_release(struct address_set *set, const struct subnet *subnet, const struct address *address);

#endif
