/* Addresses and subnets. */
#include "network/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

int address_bits(int family)
{
    return family == AF_INET6 ? 128 : 32;
}

struct address address_from_bytes(int family, const void *bytes)
{
    struct address a = {.family = family};

    for (int i = 0; i < address_bits(family) / 8; i++)
        a.value = a.value << 8 | ((const unsigned char *)bytes)[i];
    return a;
}

size_t address_to_bytes(const struct address *a, unsigned char out[ADDRESS_BYTES_MAX])
{
    size_t len = (size_t)address_bits(a->family) / 8;

    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)(a->value >> (8 * (len - 1 - i)));
    return len;
}

int address_parse(const char *text, struct address *ret)
{
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    struct in6_addr bytes;

    if (inet_pton(family, text, &bytes) != 1 || (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&bytes)))
        return -EINVAL;
    *ret = address_from_bytes(family, &bytes);
    return 0;
}

const char *address_format(const struct address *a, char out[INET6_ADDRSTRLEN])
{
    unsigned char bytes[ADDRESS_BYTES_MAX];

    out[0] = '\0';
    if (a->family) {
        address_to_bytes(a, bytes);
        inet_ntop(a->family, bytes, out, INET6_ADDRSTRLEN);
    }
    return out;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->family == b->family && a->value == b->value;
}

/* The bits that tell the addresses of a subnet apart. */
static __uint128_t host_mask(int family, int prefix)
{
    int bits = address_bits(family) - prefix;

    return bits >= 128 ? ~(__uint128_t)0 : ((__uint128_t)1 << bits) - 1;
}

int subnet_parse(const char *text, struct subnet *ret, struct address *ret_address)
{
    _cleanup_free_ char *copy = xstrdup(text ? text : "");
    char *slash = strchr(copy, '/');
    struct address address;
    uint32_t prefix;

    if (!slash)
        return -EINVAL;
    *slash = '\0';
    if (address_parse(copy, &address) < 0 || str_to_u32(slash + 1, &prefix) < 0 ||
        prefix > (uint32_t)address_bits(address.family))
        return -EINVAL;
    *ret = (struct subnet){.base = address, .prefix = (int)prefix};
    ret->base.value &= ~host_mask(address.family, (int)prefix);
    if (ret_address)
        *ret_address = address;
    return 0;
}

void subnet_format(const struct subnet *s, char out[SUBNET_TEXT_SIZE])
{
    char address[INET6_ADDRSTRLEN];

    snprintf(out, SUBNET_TEXT_SIZE, "%s/%d", address_format(&s->base, address), s->prefix);
}

bool subnet_contains(const struct subnet *s, const struct address *a)
{
    return a->family == s->base.family && (a->value & ~host_mask(a->family, s->prefix)) ==
                                              (s->base.value & ~host_mask(a->family, s->prefix));
}

bool subnet_overlaps(const struct subnet *a, const struct subnet *b)
{
    return a->prefix < b->prefix ? subnet_contains(a, &b->base) : subnet_contains(b, &a->base);
}

struct address subnet_broadcast(const struct subnet *s)
{
    struct address all = {.family = 0};

    if (s->base.family == AF_INET && s->prefix < 31)
        all = (struct address){.family = AF_INET, .value = s->base.value | host_mask(AF_INET, s->prefix)};
    return all;
}
