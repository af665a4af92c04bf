/* IPv4 subnets and the addresses given out of them. Addresses are in network byte order. */
#ifndef KEG_NETWORK_POOL_H
#define KEG_NETWORK_POOL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct subnet {
    uint32_t base; /* network address */
    int prefix;    /* 0…32; in a pool row, the length of the whole row */
    int size;      /* pool rows only: the length of what is handed out */
};

/* "172.17.0.0/16" or "172.17.0.5/16"; the host part goes to *ret_address (may be NULL). 0 or -EINVAL. */
int subnet_parse(const char *text, struct subnet *ret, uint32_t *ret_address);
void subnet_format(const struct subnet *s, char out[24]);
bool subnet_contains(const struct subnet *s, uint32_t address);
bool subnet_overlaps(const struct subnet *a, const struct subnet *b);

/* "base=10.0.0.0/8,size=24" (dockerd's --default-address-pool). 0 or -EINVAL. */
int pool_parse(const char *text, struct subnet *ret);
/* The first subnet of the pools (NULL-base-terminated: prefix 0 ends the table) that overlaps neither `taken`
 * nor the host's routes and name servers. ERR_CONFLICT when there is none. */
int pool_choose(const struct subnet *pools, const struct subnet *taken, size_t taken_count,
                struct subnet *ret, struct err *err);
/* keg's built-in rows: a /16 for the default bridge first, then thousands of /24. */
extern const struct subnet pool_default_bridge[];
extern const struct subnet pool_default_networks[];

/* The addresses of one subnet that are taken: a bitmap that grows as needed. */
struct address_set {
    uint64_t *words;
    size_t word_count;
};

void address_set_finish(struct address_set *set);
/* Takes the lowest free host address in `range` (inside `subnet`; never its first and last). -ENOSPC when
 * full. */
int address_take_free(struct address_set *set, const struct subnet *subnet, const struct subnet *range,
                      uint32_t *ret);
/* 0, -EADDRINUSE, or -EADDRNOTAVAIL for one outside the subnet. */
int address_take(struct address_set *set, const struct subnet *subnet, uint32_t address);
void address_release(struct address_set *set, const struct subnet *subnet, uint32_t address);

#endif
