/* The container's end of an endpoint: its addresses and routes, by a netlink socket of its namespace. */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "network/internal.h"

/* An interface of another namespace gets IPv6: nobody's advertisements are listened to, and no time goes by with looking
 * for duplicates. The calling thread goes there and comes back. */
static int enable_ipv6(const char *interface, int netns)
{
    static const char *const settings[][2] = {{"accept_ra", "0"}, {"accept_dad", "0"}, {"disable_ipv6", "0"}};
    _cleanup_close_ int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    int r = 0;

    if (own < 0 || setns(netns, CLONE_NEWNET) < 0)
        return -errno;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(settings); i++)
        r = link_write_sysctl(interface, "ipv6", settings[i][0], settings[i][1]);
    if (setns(own, CLONE_NEWNET) < 0)
        abort(); /* this thread would do everything in the wrong place from now on */
    return r;
}

/* Where the link itself is the way out, and other networks' gateways come first. */
static void put_link_routes(struct netlink *request, const struct network *n, int index)
{
    for (int i = 0; i < 2; i++) {
        struct rtmsg route = {.rtm_family = i ? AF_INET6 : AF_INET,
                              .rtm_table = RT_TABLE_MAIN,
                              .rtm_protocol = RTPROT_BOOT,
                              .rtm_scope = RT_SCOPE_LINK,
                              .rtm_type = RTN_UNICAST};

        if (!(i ? n->ipv6 : n->ipv4))
            continue;
        netlink_begin(request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &route, sizeof(route));
        netlink_put_u32(request, RTA_OIF, (uint32_t)index);
        netlink_put_u32(request, RTA_PRIORITY, 4096);
        netlink_end(request);
    }
}

/* A link of macvlan or ipvlan can't come up while the one that had its address before is still on its way out. */
static int run_patiently(struct netlink *request, int inner)
{
    enum { TRIES = 100, PAUSE_US = 20000 };
    struct netlink again = *request;
    int r = netlink_run(request, inner, NULL);

    for (int i = 0; (r == -EADDRINUSE || r == -EBUSY) && i < TRIES; i++) {
        struct netlink next = again;

        usleep(PAUSE_US);
        r = netlink_run(&next, inner, NULL);
    }
    return r;
}

int link_configure_inside(const struct network *n, const struct network_endpoint *e, int netns_fd, int inner)
{
    const struct {
        const char *text;
        int prefix;
    } addresses[] = {{e->ip, e->prefix}, {e->ip6, e->prefix6}};
    struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct netlink request = NETLINK_INIT;
    int index = netlink_link_index(inner, e->interface), r = 0;

    if (index < 0)
        return index;
    if (*e->ip6)
        r = enable_ipv6(e->interface, netns_fd);
    if (r < 0)
        return r;
    up.ifi_index = index;
    netlink_begin(&request, RTM_NEWLINK, 0, &up, sizeof(up));
    netlink_end(&request);
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        struct subnet in = {.prefix = addresses[i].prefix};

        if (!*addresses[i].text)
            continue;
        if (address_parse(addresses[i].text, &in.base) < 0)
            return -EINVAL;
        link_put_address(&request, index, &in.base, &in);
    }
    if (n->gateless && !n->internal)
        put_link_routes(&request, n, index);
    return run_patiently(&request, inner);
}

static int add_default_route(int inner, int family, const char *interface, const char *gateway)
{
    struct rtmsg route = {.rtm_family = (unsigned char)family,
                          .rtm_table = RT_TABLE_MAIN,
                          .rtm_protocol = RTPROT_BOOT,
                          .rtm_scope = RT_SCOPE_UNIVERSE,
                          .rtm_type = RTN_UNICAST};
    unsigned char bytes[ADDRESS_BYTES_MAX];
    struct netlink request = NETLINK_INIT;
    int index = netlink_link_index(inner, interface);
    struct address a;

    if (index < 0)
        return index;
    if (address_parse(gateway, &a) < 0 || a.family != family)
        return -EINVAL;
    netlink_begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &route, sizeof(route));
    netlink_put(&request, RTA_GATEWAY, bytes, address_to_bytes(&a, bytes));
    netlink_put_u32(&request, RTA_OIF, (uint32_t)index);
    netlink_end(&request);
    return netlink_run(&request, inner, NULL);
}

static int remove_default_route(int inner, int family)
{
    struct rtmsg route = {.rtm_family = (unsigned char)family,
                          .rtm_table = RT_TABLE_MAIN,
                          .rtm_protocol = RTPROT_BOOT, /* ours alone */
                          .rtm_scope = RT_SCOPE_NOWHERE};
    struct netlink request = NETLINK_INIT;
    int r;

    netlink_begin(&request, RTM_DELROUTE, 0, &route, sizeof(route));
    netlink_end(&request);
    r = netlink_run(&request, inner, NULL);
    return r == -ESRCH ? 0 : r;
}

int link_default_route(int inner, int family, const char *interface, const char *gateway)
{
    return *gateway ? add_default_route(inner, family, interface, gateway)
                    : remove_default_route(inner, family);
}
