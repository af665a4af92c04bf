/* Bridges and veth pairs by rtnetlink. A bridge carries the instance's tag in its alias: that is how the next
 * kegd knows what is its own. A veth pair is one request: made, its far end in the container's namespace, its
 * near end enslaved and up. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/str.h"
#include "network/internal.h"
#include "sys/netlink.h"

static void bridge_alias(const struct network_host *h, char out[64])
{
    snprintf(out, 64, "keg:%s", h->tag);
}

void link_put_alias(struct netlink *request, const struct network_host *h)
{
    char alias[64];

    bridge_alias(h, alias);
    netlink_put(request, IFLA_IFALIAS, alias, strlen(alias));
}

int link_parse_mac(const char *text, unsigned char out[6])
{
    return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &out[0], &out[1], &out[2], &out[3], &out[4],
                  &out[5]) == 6
               ? 0
               : -EINVAL;
}

int link_write_sysctl(const char *interface, const char *family, const char *name, const char *value)
{
    char path[160];

    snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, interface, name);
    return file_write_at(AT_FDCWD, path, value);
}

/* ---- bridges ---- */

static int check_bridge(struct network *n, const struct network_definition *d, struct err *err)
{
    if (d->bridge && (strlen(d->bridge) >= IFNAMSIZ || strpbrk(d->bridge, "/ \"\n") || !*d->bridge))
        return err_set(err, ERR_INVALID, "invalid bridge name %s: at most %d characters, no slash or blank",
                       d->bridge, IFNAMSIZ - 1);
    if (d->bridge)
        snprintf(n->bridge, sizeof(n->bridge), "%s", d->bridge);
    else if (str_eq(d->name, "bridge"))
        snprintf(n->bridge, sizeof(n->bridge), "%.14s0", n->host->bridge_prefix);
    else
        snprintf(n->bridge, sizeof(n->bridge), "br-%.12s", d->id);
    if (!n->mtu)
        n->mtu = link_default_mtu();
    return 0;
}

static int create_bridge(const struct network *n, int fd)
{
    struct ifinfomsg info = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    uint32_t last = htonl((uint32_t)n->pools[0].gateway.value);
    struct netlink request = NETLINK_INIT;
    unsigned char mac[6] = {0x02, 0x42};
    size_t nest;

    memcpy(mac + 2, &last, 4); /* fixed: a bridge without one takes over its ports' and changes with them */
    netlink_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
    netlink_put_str(&request, IFLA_IFNAME, n->bridge);
    netlink_put(&request, IFLA_ADDRESS, mac, sizeof(mac));
    netlink_put_u32(&request, IFLA_MTU, (uint32_t)n->mtu);
    nest = netlink_nest(&request, IFLA_LINKINFO);
    netlink_put_str(&request, IFLA_INFO_KIND, "bridge");
    netlink_nest_end(&request, nest);
    netlink_end(&request);
    info = (struct ifinfomsg){0};
    netlink_begin(&request, RTM_SETLINK, 0, &info, sizeof(info));
    netlink_put_str(&request, IFLA_IFNAME, n->bridge);
    link_put_alias(&request, n->host);
    netlink_end(&request);
    return netlink_run(&request, fd, NULL);
}

void link_put_address(struct netlink *request, int index, const struct address *a, const struct subnet *in)
{
    struct ifaddrmsg header = {.ifa_family = (unsigned char)a->family,
                               .ifa_prefixlen = (unsigned char)in->prefix,
                               .ifa_flags = a->family == AF_INET6 ? IFA_F_NODAD : 0,
                               .ifa_index = (uint32_t)index};
    unsigned char bytes[ADDRESS_BYTES_MAX], all[ADDRESS_BYTES_MAX];
    struct address broadcast = subnet_broadcast(in);
    size_t len = address_to_bytes(a, bytes);

    netlink_begin(request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header));
    netlink_put(request, IFA_LOCAL, bytes, len);
    netlink_put(request, IFA_ADDRESS, bytes, len);
    if (broadcast.family)
        netlink_put(request, IFA_BROADCAST, all, address_to_bytes(&broadcast, all));
    netlink_end(request);
}

static int set_bridge_sysctls(const struct network *n)
{
    int r;

    if (!n->ipv6) {
        r = link_write_sysctl(n->bridge, "ipv6", "disable_ipv6", "1");
        if (r < 0 && r != -ENOENT) /* a kernel without IPv6 has nothing to disable */
            return r;
    } else if ((r = link_write_sysctl(n->bridge, "ipv6", "accept_ra", "0")) < 0 ||
               (r = link_write_sysctl(n->bridge, "ipv6", "accept_dad", "0")) < 0 ||
               (r = link_write_sysctl(n->bridge, "ipv6", "disable_ipv6", "0")) < 0) {
        return r;
    }
    /* published ports answer on 127.0.0.1 as well; the table keeps strangers' packets to 127/8 out */
    return n->ipv4 ? link_write_sysctl(n->bridge, "ipv4", "route_localnet", "1") : 0;
}

static int make_bridge(const struct network *n)
{
    _cleanup_close_ int fd = netlink_open();
    struct netlink request = NETLINK_INIT;
    int index, r;

    if (fd < 0)
        return fd;
    r = create_bridge(n, fd);
    if (r < 0 && r != -EEXIST)
        return r;
    index = netlink_link_index(fd, n->bridge);
    if (index < 0)
        return index;
    r = set_bridge_sysctls(n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n->pool_count; i++)
        link_put_address(&request, index, &n->pools[i].gateway, &n->pools[i].subnet);
    return netlink_run(&request, fd, NULL);
}

static int bridge_up(const struct network *n, struct err *err)
{
    int r = make_bridge(n);

    return r < 0 ? err_errno(err, r, "cannot make bridge %s with address %s", n->bridge,
                             n->pools[0].gateway_text)
                 : 0;
}

static void put_peer(struct netlink *request, const struct network *n, const struct network_endpoint *e,
                     const unsigned char mac[6], int netns_fd)
{
    struct ifinfomsg info = {0}; /* not up yet: the kernel refuses that before the ends are paired */
    size_t peer = netlink_nest(request, VETH_INFO_PEER);

    netlink_put_raw(request, &info, sizeof(info));
    netlink_put_str(request, IFLA_IFNAME, e->interface);
    netlink_put(request, IFLA_ADDRESS, mac, 6);
    netlink_put_u32(request, IFLA_MTU, (uint32_t)n->mtu);
    netlink_put_u32(request, IFLA_NET_NS_FD, (uint32_t)netns_fd);
    netlink_nest_end(request, peer);
}

static int attach_veth(const struct network *n, struct network_endpoint *e, int netns_fd)
{
    _cleanup_close_ int fd = netlink_open();
    struct ifinfomsg info = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct netlink request = NETLINK_INIT;
    unsigned char mac[6];
    size_t link_info, data;
    char random[8];
    int bridge;

    if (fd < 0)
        return fd;
    if (link_parse_mac(e->mac, mac) < 0)
        return -EINVAL;
    if (!*e->host_interface) {
        random_hex(random, 3);
        snprintf(e->host_interface, sizeof(e->host_interface), "veth%.6s%c", random, e->container_id[0]);
    }
    bridge = netlink_link_index(fd, n->bridge);
    if (bridge < 0)
        return bridge;
    netlink_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
    netlink_put_str(&request, IFLA_IFNAME, e->host_interface);
    netlink_put_u32(&request, IFLA_MTU, (uint32_t)n->mtu);
    netlink_put_u32(&request, IFLA_MASTER, (uint32_t)bridge);
    link_info = netlink_nest(&request, IFLA_LINKINFO);
    netlink_put_str(&request, IFLA_INFO_KIND, "veth");
    data = netlink_nest(&request, IFLA_INFO_DATA);
    put_peer(&request, n, e, mac, netns_fd);
    netlink_nest_end(&request, data);
    netlink_nest_end(&request, link_info);
    netlink_end(&request);
    return netlink_run(&request, fd, NULL);
}

const struct network_driver link_bridge = {
    .name = "bridge", .isolates = true, .check = check_bridge, .up = bridge_up, .attach = attach_veth};

int link_delete(const char *name)
{
    _cleanup_close_ int fd = netlink_open();
    int r;

    if (fd < 0)
        return fd;
    r = netlink_link_delete(fd, name);
    return r == -ENODEV ? 0 : r;
}

static bool alias_is_ours(const struct network_host *h, const struct rtattr *alias)
{
    char ours[64];

    bridge_alias(h, ours);
    return alias && strlen(ours) <= RTA_PAYLOAD(alias) &&
           strncmp(RTA_DATA(alias), ours, RTA_PAYLOAD(alias)) == 0;
}

struct alias_question {
    const struct network_host *host;
    bool ours;
};

static int check_alias(const struct nlmsghdr *message, void *arg)
{
    struct alias_question *q = arg;
    const struct rtattr *a[IFLA_IFALIAS + 1];

    netlink_attributes(message, sizeof(struct ifinfomsg), a, IFLA_IFALIAS);
    q->ours = alias_is_ours(q->host, a[IFLA_IFALIAS]);
    return 0;
}

int link_bridge_remove(const struct network *n)
{
    _cleanup_close_ int fd = netlink_open();
    struct alias_question q = {.host = n->host};
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
    struct netlink request = NETLINK_INIT;
    int r;

    if (fd < 0)
        return fd;
    netlink_begin(&request, RTM_GETLINK, 0, &info, sizeof(info));
    netlink_put_str(&request, IFLA_IFNAME, n->bridge);
    netlink_end(&request);
    r = netlink_query(&request, fd, check_alias, &q);
    if (r == -ENODEV || (r == 0 && !q.ours))
        return 0;
    if (r == 0)
        r = netlink_link_delete(fd, n->bridge);
    return r == -ENODEV ? 0 : r;
}

struct link_row {
    int index, master;
    char name[IFNAMSIZ];
    bool ours; /* a bridge with our alias */
};

struct link_list {
    const struct network_host *host;
    struct link_row *rows;
    size_t count;
};

static int add_link(const struct nlmsghdr *message, void *arg)
{
    struct link_list *list = arg;
    const struct ifinfomsg *info = NLMSG_DATA(message);
    const struct rtattr *a[IFLA_IFALIAS + 1];
    struct link_row row = {.index = info->ifi_index};

    netlink_attributes(message, sizeof(*info), a, IFLA_IFALIAS);
    if (!a[IFLA_IFNAME])
        return 0;
    snprintf(row.name, sizeof(row.name), "%s", (const char *)RTA_DATA(a[IFLA_IFNAME]));
    if (a[IFLA_MASTER])
        memcpy(&row.master, RTA_DATA(a[IFLA_MASTER]), sizeof(row.master));
    row.ours = alias_is_ours(list->host, a[IFLA_IFALIAS]);
    list->rows = xreallocarray(list->rows, list->count + 1, sizeof(*list->rows));
    list->rows[list->count++] = row;
    return 0;
}

static bool is_claimed(const struct network_host *h, const char *name)
{
    for (const struct network *n = h->networks; n; n = n->next)
        if (str_eq(n->bridge, name))
            return true;
    for (size_t i = 0; i < h->claimed_count; i++)
        if (str_eq(h->claimed[i], name))
            return true;
    return false;
}

static bool master_is_ours(const struct link_list *list, int master)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->rows[i].index == master)
            return list->rows[i].ours;
    return false;
}

int link_sweep(struct network_host *h)
{
    _cleanup_close_ int fd = netlink_open();
    struct link_list list = {.host = h};
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
    struct netlink n = NETLINK_INIT;
    int r;

    if (fd < 0)
        return fd;
    netlink_begin(&n, RTM_GETLINK, NLM_F_DUMP, &info, sizeof(info));
    netlink_end(&n);
    r = netlink_query(&n, fd, add_link, &list);
    for (size_t i = 0; r == 0 && i < list.count; i++) {
        const struct link_row *row = &list.rows[i];

        if ((row->ours || (row->master && master_is_ours(&list, row->master))) && !is_claimed(h, row->name)) {
            r = netlink_link_delete(fd, row->name);
            r = r == -ENODEV ? 0 : r;
        }
    }
    free(list.rows);
    return r;
}

struct default_route {
    int index;
};

static int take_default_route(const struct nlmsghdr *message, void *arg)
{
    const struct rtmsg *route = NLMSG_DATA(message);
    const struct rtattr *a[RTA_MAX + 1];
    struct default_route *found = arg;

    netlink_attributes(message, sizeof(*route), a, RTA_MAX);
    if (route->rtm_family == AF_INET && route->rtm_dst_len == 0 && route->rtm_table == RT_TABLE_MAIN &&
        a[RTA_OIF] && !found->index)
        memcpy(&found->index, RTA_DATA(a[RTA_OIF]), sizeof(found->index));
    return 0;
}

static int take_mtu(const struct nlmsghdr *message, void *arg)
{
    const struct rtattr *a[IFLA_MTU + 1];

    netlink_attributes(message, sizeof(struct ifinfomsg), a, IFLA_MTU);
    if (a[IFLA_MTU])
        memcpy(arg, RTA_DATA(a[IFLA_MTU]), sizeof(int));
    return 0;
}

int link_default_mtu(void)
{
    _cleanup_close_ int fd = netlink_open();
    struct rtmsg route = {.rtm_family = AF_INET};
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
    struct default_route found = {0};
    struct netlink n = NETLINK_INIT;
    int mtu = 1500;

    if (fd < 0)
        return mtu;
    netlink_begin(&n, RTM_GETROUTE, NLM_F_DUMP, &route, sizeof(route));
    netlink_end(&n);
    if (netlink_query(&n, fd, take_default_route, &found) < 0 || !found.index)
        return mtu;
    info.ifi_index = found.index;
    n = (struct netlink)NETLINK_INIT;
    netlink_begin(&n, RTM_GETLINK, 0, &info, sizeof(info));
    netlink_end(&n);
    if (netlink_query(&n, fd, take_mtu, &mtu) < 0 || mtu < 68 || mtu > 1500)
        return 1500;
    return mtu;
}
