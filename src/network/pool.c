/* Subnets that don't collide with what the host reaches already, and the addresses inside them. */
#include "network/pool.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/netlink.h"

#define IP(a, b, c, d) (__builtin_bswap32(((uint32_t)(a) << 24) | ((b) << 16) | ((c) << 8) | (d)))

const struct subnet pool_default_bridge[] = {{IP(172, 17, 0, 0), 16, 16},
                                             {IP(172, 18, 0, 0), 15, 16},
                                             {IP(172, 20, 0, 0), 14, 16},
                                             {IP(172, 24, 0, 0), 13, 16},
                                             {IP(192, 168, 0, 0), 16, 20},
                                             {IP(10, 0, 0, 0), 8, 16},
                                             {0}};
const struct subnet pool_default_networks[] = {{IP(172, 18, 0, 0), 15, 24}, {IP(172, 20, 0, 0), 14, 24},
                                               {IP(172, 24, 0, 0), 13, 24}, {IP(192, 168, 0, 0), 16, 24},
                                               {IP(10, 0, 0, 0), 8, 24},    {0}};

static uint32_t prefix_mask(int prefix)
{
    return prefix == 0 ? 0 : htonl(~(uint32_t)0 << (32 - prefix));
}

int subnet_parse(const char *text, struct subnet *ret, uint32_t *ret_address)
{
    _cleanup_free_ char *copy = xstrdup(text ? text : "");
    char *slash = strchr(copy, '/');
    struct in_addr address;
    uint32_t prefix;

    if (!slash)
        return -EINVAL;
    *slash = '\0';
    if (inet_pton(AF_INET, copy, &address) != 1 || str_to_u32(slash + 1, &prefix) < 0 || prefix > 32)
        return -EINVAL;
    *ret = (struct subnet){.base = address.s_addr & prefix_mask((int)prefix), .prefix = (int)prefix};
    if (ret_address)
        *ret_address = address.s_addr;
    return 0;
}

void subnet_format(const struct subnet *s, char out[24])
{
    char address[INET_ADDRSTRLEN];

    snprintf(out, 24, "%s/%d", inet_ntop(AF_INET, &s->base, address, sizeof(address)), s->prefix);
}

bool subnet_contains(const struct subnet *s, uint32_t address)
{
    return (address & prefix_mask(s->prefix)) == s->base;
}

bool subnet_overlaps(const struct subnet *a, const struct subnet *b)
{
    uint32_t mask = prefix_mask(MIN_OF(a->prefix, b->prefix));

    return (a->base & mask) == (b->base & mask);
}

int pool_parse(const char *text, struct subnet *ret)
{
    _cleanup_strv_ char **parts = strv_split(text, ',');
    uint32_t size = 0;
    bool based = false;

    for (char **p = parts; *p; p++) {
        const char *value;

        if ((value = str_after(*p, "base="))) {
            if (subnet_parse(value, ret, NULL) < 0)
                return -EINVAL;
            based = true;
        } else if ((value = str_after(*p, "size="))) {
            if (str_to_u32(value, &size) < 0)
                return -EINVAL;
        } else {
            return -EINVAL;
        }
    }
    if (!based || size > 30 || (int)size < ret->prefix || ret->prefix == 0)
        return -EINVAL;
    ret->size = (int)size;
    return 0;
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
    if (route->rtm_family != AF_INET || route->rtm_dst_len == 0 || !a[RTA_DST])
        return 0;
    memcpy(&s.base, RTA_DATA(a[RTA_DST]), sizeof(s.base));
    list_add(arg, s);
    return 0;
}

/* Everything the host has a route to, the default route aside. */
static int list_routes(struct subnet_list *list)
{
    _cleanup_close_ int fd = netlink_open();
    struct rtmsg route = {.rtm_family = AF_INET};
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
        struct subnet s = {.prefix = 32};
        char address[64];

        if (sscanf(*line, " nameserver %63s", address) == 1 && inet_pton(AF_INET, address, &s.base) == 1)
            list_add(list, s);
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

int pool_choose(const struct subnet *pools, const struct subnet *taken, size_t taken_count,
                struct subnet *ret, struct err *err)
{
    struct subnet_list host = {0};
    int r = list_routes(&host);

    if (r < 0) {
        free(host.rows);
        return err_errno(err, r, "cannot read the host's routes");
    }
    list_resolvers(&host);
    for (const struct subnet *pool = pools; pool->prefix; pool++) {
        uint32_t step = (uint32_t)1 << (32 - pool->size), first = ntohl(pool->base);
        uint64_t end = (uint64_t)first + ((uint64_t)1 << (32 - pool->prefix));

        for (uint64_t base = first; base < end; base += step) {
            struct subnet candidate = {.base = htonl((uint32_t)base), .prefix = pool->size};

            if (find_overlap(taken, taken_count, &candidate) ||
                find_overlap(host.rows, host.count, &candidate))
                continue;
            free(host.rows);
            *ret = candidate;
            return 0;
        }
    }
    free(host.rows);
    return err_set(
        err, ERR_CONFLICT,
        "all predefined address pools have been fully subnetted: give the network a --subnet, or the daemon "
        "another --default-address-pool");
}

void address_set_finish(struct address_set *set)
{
    free(set->words);
    *set = (struct address_set){0};
}

static bool bit_take(struct address_set *set, uint32_t index)
{
    size_t word = index / 64;

    if (word >= set->word_count) {
        set->words = xreallocarray(set->words, word + 1, sizeof(*set->words));
        memset(set->words + set->word_count, 0, (word + 1 - set->word_count) * sizeof(*set->words));
        set->word_count = word + 1;
    }
    if (set->words[word] & ((uint64_t)1 << (index % 64)))
        return false;
    set->words[word] |= (uint64_t)1 << (index % 64);
    return true;
}

int address_take_free(struct address_set *set, const struct subnet *subnet, const struct subnet *range,
                      uint32_t *ret)
{
    uint32_t base = ntohl(subnet->base), first = ntohl(range->base) - base;
    uint64_t count = (uint64_t)1 << (32 - range->prefix), total = (uint64_t)1 << (32 - subnet->prefix);

    for (uint64_t i = first; i < first + count; i++) {
        if (i == 0 || i == total - 1)
            continue;
        if (i % 64 == 0 && i / 64 < set->word_count && set->words[i / 64] == UINT64_MAX) {
            i += 63;
            continue;
        }
        if (bit_take(set, (uint32_t)i)) {
            *ret = htonl(base + (uint32_t)i);
            return 0;
        }
    }
    return -ENOSPC;
}

int address_take(struct address_set *set, const struct subnet *subnet, uint32_t address)
{
    if (!subnet_contains(subnet, address))
        return -EADDRNOTAVAIL;
    return bit_take(set, ntohl(address) - ntohl(subnet->base)) ? 0 : -EADDRINUSE;
}

void address_release(struct address_set *set, const struct subnet *subnet, uint32_t address)
{
    uint32_t index = ntohl(address) - ntohl(subnet->base);

    if (subnet_contains(subnet, address) && index / 64 < set->word_count)
        set->words[index / 64] &= ~((uint64_t)1 << (index % 64));
}
