/* Subnets that don't collide with what the host reaches already, and the addresses inside them. */
#include "network/pool.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/str.h"
#include "sys/netlink.h"

#define IP(a, b, c, d)                                                                                       \
    {                                                                                                        \
        AF_INET, (uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d)                                            \
    }

const struct subnet pool_default_bridge[] = {{IP(172, 17, 0, 0), 16, 16},
                                             {IP(172, 18, 0, 0), 15, 16},
                                             {IP(172, 20, 0, 0), 14, 16},
                                             {IP(172, 24, 0, 0), 13, 16},
                                             {IP(192, 168, 0, 0), 16, 20},
                                             {IP(10, 0, 0, 0), 8, 16},
                                             {{0}, 0, 0}};
const struct subnet pool_default_networks[] = {{IP(172, 18, 0, 0), 15, 24}, {IP(172, 20, 0, 0), 14, 24},
                                               {IP(172, 24, 0, 0), 13, 24}, {IP(192, 168, 0, 0), 16, 24},
                                               {IP(10, 0, 0, 0), 8, 24},    {{0}, 0, 0}};

int pool_parse(const char *text, struct subnet *ret)
{
    _cleanup_strv_ char **parts = strv_split(text, ',');
    uint32_t size = 0;
    bool based = false;

    for (char **p = parts; *p; p++) {
        const char *base = str_after(*p, "base="), *length = str_after(*p, "size=");

        if (base || strchr(*p, '/')) {
            if (subnet_parse(base ? base : *p, ret, NULL) < 0)
                return -EINVAL;
            based = true;
        } else if (str_to_u32(length ? length : *p, &size) < 0) {
            return -EINVAL;
        }
    }
    if (!based || size > (uint32_t)address_bits(ret->base.family) - 2 || (int)size < ret->prefix ||
        ret->prefix == 0)
        return -EINVAL;
    ret->size = (int)size;
    return 0;
}

struct subnet pool_local(const char *seed)
{
    struct subnet s = {.base = {.family = AF_INET6, .value = 0xfd}, .prefix = 48, .size = 64};
    char hash[65];
    unsigned byte;

    sha256_of(seed, strlen(seed), hash);
    for (int i = 0; i < 5; i++) { /* RFC 4193: 40 bits that nobody else has */
        sscanf(hash + (ptrdiff_t)2 * i, "%2x", &byte);
        s.base.value = s.base.value << 8 | byte;
    }
    s.base.value <<= 80;
    return s;
}

struct subnet_list {
    struct subnet *rows;
    size_t count;
};

static void list_add(struct subnet_list *list, struct subnet s)
{
    list->rows = xreallocarray(list->rows, list->count + 1, sizeof(*list->rows));
    list->rows[list->count++] = s;
}

static int add_route(const struct nlmsghdr *message, void *arg)
{
    const struct rtmsg *route = NLMSG_DATA(message);
    const struct rtattr *a[RTA_MAX + 1];
    struct subnet s = {.prefix = route->rtm_dst_len};

    netlink_attributes(message, sizeof(*route), a, RTA_MAX);
    if ((route->rtm_family != AF_INET && route->rtm_family != AF_INET6) || route->rtm_dst_len == 0 ||
        !a[RTA_DST])
        return 0;
    s.base = address_from_bytes(route->rtm_family, RTA_DATA(a[RTA_DST]));
    list_add(arg, s);
    return 0;
}

/* Everything the host has a route to, the default route aside. */
static int list_routes(struct subnet_list *list, int family)
{
    _cleanup_close_ int fd = netlink_open();
    struct rtmsg route = {.rtm_family = (unsigned char)family};
    struct netlink n = NETLINK_INIT;

    if (fd < 0)
        return fd;
    netlink_begin(&n, RTM_GETROUTE, NLM_F_DUMP, &route, sizeof(route));
    netlink_end(&n);
    return netlink_query(&n, fd, add_route, list);
}

static void list_resolvers(struct subnet_list *list)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(65536);
    _cleanup_strv_ char **lines = NULL;

    if (file_read(AT_FDCWD, "/etc/resolv.conf", &b) < 0)
        return;
    lines = strv_split(buf_str(&b), '\n');
    for (char **line = lines; *line; line++) {
        struct subnet s = {.prefix = 0};
        char address[64];

        if (sscanf(*line, " nameserver %63s", address) == 1 && address_parse(address, &s.base) == 0) {
            s.prefix = address_bits(s.base.family);
            list_add(list, s);
        }
    }
}

static const struct subnet *find_overlap(const struct subnet *rows, size_t count,
                                         const struct subnet *candidate)
{
    for (size_t i = 0; i < count; i++)
        if (subnet_overlaps(&rows[i], candidate))
            return &rows[i];
    return NULL;
}

/* The first free one of a row. What is in the way may hold more of them than can be counted: the next one is behind it. */
static bool choose_of_row(const struct subnet *pool, const struct subnet *taken, size_t taken_count,
                          const struct subnet_list *host, struct subnet *ret)
{
    int bits = address_bits(pool->base.family);
    __uint128_t step = (__uint128_t)1 << (bits - pool->size), base = pool->base.value;
    __uint128_t last = base + (((__uint128_t)1 << (bits - pool->prefix)) - step);

    for (;;) {
        struct subnet candidate = {.base = {.family = pool->base.family, .value = base},
                                   .prefix = pool->size};
        const struct subnet *other = find_overlap(taken, taken_count, &candidate);

        if (!other)
            other = find_overlap(host->rows, host->count, &candidate);
        if (!other) {
            *ret = candidate;
            return true;
        }
        if (other->prefix == 0)
            return false;
        if (other->prefix < pool->size) /* to its last one */
            base = (other->base.value | (((__uint128_t)1 << (bits - other->prefix)) - 1)) & ~(step - 1);
        if (base >= last)
            return false;
        base += step;
    }
}

int pool_choose(const struct subnet *pools, int family, const struct subnet *taken, size_t taken_count,
                struct subnet *ret, struct err *err)
{
    struct subnet_list host = {0};
    int r = list_routes(&host, family);
    bool found = false;

    if (r < 0) {
        free(host.rows);
        return err_errno(err, r, "cannot read the host's routes");
    }
    list_resolvers(&host);
    for (const struct subnet *pool = pools; !found && pool->prefix; pool++)
        found = pool->base.family == family && choose_of_row(pool, taken, taken_count, &host, ret);
    free(host.rows);
    if (found)
        return 0;
    return err_set(
        err, ERR_CONFLICT,
        "all predefined address pools have been fully subnetted: give the network a --subnet, or the daemon "
        "another --default-address-pool");
}

void address_set_finish(struct address_set *set)
{
    free(set->taken);
    *set = (struct address_set){0};
}

/* Where the distance is, or would be. */
static size_t position(const struct address_set *set, __uint128_t distance)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->taken[middle] < distance)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_taken(const struct address_set *set, __uint128_t distance)
{
    size_t at = position(set, distance);

    return at < set->count && set->taken[at] == distance;
}

static void insert(struct address_set *set, __uint128_t distance)
{
    size_t at = position(set, distance);

    set->taken = xreallocarray(set->taken, set->count + 1, sizeof(*set->taken));
    memmove(set->taken + at + 1, set->taken + at, (set->count - at) * sizeof(*set->taken));
    set->taken[at] = distance;
    set->count++;
}

/* The lowest distance from `first` on that isn't taken: the end of the row without a gap that begins there. */
static __uint128_t first_free(const struct address_set *set, __uint128_t first)
{
    size_t start = position(set, first), low = start, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->taken[middle] - first == middle - start)
            low = middle + 1;
        else
            high = middle;
    }
    return first + (low - start);
}

int address_take_free(struct address_set *set, const struct subnet *subnet, const struct subnet *range,
                      struct address *ret)
{
    int family = subnet->base.family, bits = address_bits(family);
    __uint128_t first = range->base.value - subnet->base.value;
    __uint128_t last = first + (((__uint128_t)1 << (bits - range->prefix)) - 1);
    __uint128_t end = ((__uint128_t)1 << (bits - subnet->prefix)) - 1; /* the subnet's last */

    if (family == AF_INET && last == end)
        last--;
    first = first_free(set, first ? first : 1);
    if (first > last)
        return -ENOSPC;
    insert(set, first);
    *ret = (struct address){.family = family, .value = subnet->base.value + first};
    return 0;
}

int address_take(struct address_set *set, const struct subnet *subnet, const struct address *address)
{
    if (!subnet_contains(subnet, address))
        return -EADDRNOTAVAIL;
    if (is_taken(set, address->value - subnet->base.value))
        return -EADDRINUSE;
    insert(set, address->value - subnet->base.value);
    return 0;
}

void address_release(struct address_set *set, const struct subnet *subnet, const struct address *address)
{
    __uint128_t distance = address->value - subnet->base.value;
    size_t at = position(set, distance);

    if (!subnet_contains(subnet, address) || at >= set->count || set->taken[at] != distance)
        return;
    set->count--;
    memmove(set->taken + at, set->taken + at + 1, (set->count - at) * sizeof(*set->taken));
}
