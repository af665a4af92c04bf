/* Addresses of both families as numbers, and subnets of them. */
#ifndef KEG_NETWORK_ADDRESS_H
#define KEG_NETWORK_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SUBNET_TEXT_SIZE = INET6_ADDRSTRLEN + 4, ADDRESS_BYTES_MAX = 16 };

struct address {
    int family;        /* AF_INET, AF_INET6; 0: none */
    __uint128_t value; /* in the machine's order, so that the next address is one more */
};

/* "172.17.0.1", "fd00::1". An IPv4 address that is written as an IPv6 one is none. 0 or -EINVAL. */
int address_parse(const char *text, struct address *ret);
/* "" for none. Returns out. */
const char *address_format(const struct address *a, char out[INET6_ADDRSTRLEN]);
/* In network byte order; how many bytes. */
size_t address_to_bytes(const struct address *a, unsigned char out[ADDRESS_BYTES_MAX]);
struct address address_from_bytes(int family, const void *bytes);
bool address_equal(const struct address *a, const struct address *b);
/* How many bits an address has: 32, 128. */
int address_bits(int family);

struct subnet {
    struct address base; /* network address */
    int prefix;          /* in a pool row, the length of the whole row */
    int size;            /* pool rows only: the length of what is handed out */
};

/* "172.17.0.0/16" or "172.17.0.5/16"; the address as it was given goes to *ret_address (may be NULL). 0 or -EINVAL. */
int subnet_parse(const char *text, struct subnet *ret, struct address *ret_address);
void subnet_format(const struct subnet *s, char out[SUBNET_TEXT_SIZE]);
bool subnet_contains(const struct subnet *s, const struct address *a);
bool subnet_overlaps(const struct subnet *a, const struct subnet *b);
/* Of an IPv4 subnet the address of all; none for one that has no such. */
struct address subnet_broadcast(const struct subnet *s);

#endif
