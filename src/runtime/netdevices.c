/* linux.netDevices: interfaces of the host move into the container's network namespace, with their name, addresses and
 * state as config-linux.md, "Network Devices", has it. Nothing takes them back: the kernel does, when the namespace ends. */
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "runtime/internal.h"
#include "sys/netlink.h"

enum { ADDRESSES_MAX = 128 };

/* An address as the kernel told it: the fixed part and those attributes that make sense elsewhere. */
struct address {
    struct ifaddrmsg message;
    size_t len;
    char attributes[160] __attribute__((aligned(4)));
};

struct move {
    const char *name, *new_name; /* there and here */
    int host, container;         /* netlink sockets */
    int index, new_index;
    struct address *addresses;
    size_t count;
};

static int take_address(const struct nlmsghdr *message, void *arg)
{
    static const unsigned char wanted[] = {IFA_ADDRESS, IFA_LOCAL,       IFA_BROADCAST,
                                           IFA_ANYCAST, IFA_RT_PRIORITY, IFA_FLAGS};
    const struct ifaddrmsg *info = NLMSG_DATA(message);
    const struct rtattr *table[IFA_MAX + 1];
    struct move *m = arg;
    struct address *a = &m->addresses[m->count];
    uint32_t flags = info->ifa_flags;

    if ((int)info->ifa_index != m->index || info->ifa_scope != RT_SCOPE_UNIVERSE || m->count == ADDRESSES_MAX)
        return 0;
    netlink_attributes(message, sizeof(*info), table, IFA_MAX);
    if (table[IFA_FLAGS])
        memcpy(&flags, RTA_DATA(table[IFA_FLAGS]), sizeof(flags));
    if (!(flags & IFA_F_PERMANENT))
        return 0;
    *a = (struct address){.message = *info};
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        const struct rtattr *attribute = table[wanted[i]];

        if (!attribute || a->len + RTA_ALIGN(attribute->rta_len) > sizeof(a->attributes))
            continue;
        memcpy(a->attributes + a->len, attribute, attribute->rta_len);
        a->len += RTA_ALIGN(attribute->rta_len);
    }
    m->count++;
    return 0;
}

static int read_addresses(struct move *m, struct err *err)
{
    struct ifaddrmsg info = {.ifa_family = AF_UNSPEC};
    struct netlink n = NETLINK_INIT;
    int result;

    netlink_begin(&n, RTM_GETADDR, NLM_F_DUMP, &info, sizeof(info));
    netlink_end(&n);
    result = netlink_query(&n, m->host, take_address, m);
    return result < 0 ? err_errno(err, result, "read the addresses of network device %s", m->name) : 0;
}

struct indexes {
    int wanted, highest;
    bool taken;
};

static int take_link(const struct nlmsghdr *message, void *arg)
{
    const struct ifinfomsg *info = NLMSG_DATA(message);
    struct indexes *in = arg;

    in->taken |= info->ifi_index == in->wanted;
    in->highest = MAX_OF(in->highest, info->ifi_index);
    return 0;
}

/* A device keeps its index where that is free; else it gets one that is known beforehand, for what follows goes by it: with
 * a name like "eth%d" the kernel chooses the name. */
static int choose_index(struct move *m, struct err *err)
{
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
    struct indexes in = {.wanted = m->index};
    struct netlink n = NETLINK_INIT;
    int result;

    netlink_begin(&n, RTM_GETLINK, NLM_F_DUMP, &info, sizeof(info));
    netlink_end(&n);
    result = netlink_query(&n, m->container, take_link, &in);
    if (result < 0)
        return err_errno(err, result, "list the container's network devices");
    m->new_index = in.taken ? in.highest + 1 : m->index;
    return 0;
}

static int check(struct move *m, struct err *err)
{
    if (!*m->new_name || strlen(m->new_name) >= IFNAMSIZ || strpbrk(m->new_name, "/: \t\n") ||
        str_eq(m->new_name, ".") || str_eq(m->new_name, ".."))
        return err_set(err, ERR_INVALID, "linux.netDevices: \"%s\" is no name for a network device",
                       m->new_name);
    m->index = netlink_link_index(m->host, m->name);
    if (m->index == -ENODEV)
        return err_set(err, ERR_INVALID, "linux.netDevices: there is no network device %s", m->name);
    if (m->index < 0)
        return err_errno(err, m->index, "look up network device %s", m->name);
    if (!strchr(m->new_name, '%') && netlink_link_index(m->container, m->new_name) > 0)
        return err_set(err, ERR_INVALID,
                       "linux.netDevices: cannot move %s: the container's network namespace has a %s already",
                       m->name, m->new_name);
    return choose_index(m, err);
}

static int move_device(struct move *m, int netns, struct err *err)
{
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = m->index};
    struct netlink n = NETLINK_INIT;
    int result;

    netlink_begin(&n, RTM_NEWLINK, 0, &info, sizeof(info));
    netlink_put_u32(&n, IFLA_NET_NS_FD, (uint32_t)netns);
    netlink_put_str(&n, IFLA_IFNAME, m->new_name);
    if (m->new_index != m->index)
        netlink_put_u32(&n, IFLA_NEW_IFINDEX, (uint32_t)m->new_index);
    netlink_end(&n);
    result = netlink_run(&n, m->host, NULL);
    return result < 0 ? err_errno(err, result, "move network device %s into the container as %s", m->name,
                                  m->new_name)
                      : 0;
}

/* What moving has taken away. */
static int restore(struct move *m, struct err *err)
{
    struct ifinfomsg up = {.ifi_index = m->new_index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct netlink n = NETLINK_INIT;
    int result = 0;

    for (size_t i = 0; i < m->count && result == 0; i++) {
        struct address *a = &m->addresses[i];

        n = (struct netlink)NETLINK_INIT;
        a->message.ifa_index = (unsigned)m->new_index;
        netlink_begin(&n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &a->message, sizeof(a->message));
        netlink_put_raw(&n, a->attributes, a->len);
        netlink_end(&n);
        result = netlink_run(&n, m->container, NULL);
    }
    if (result < 0)
        return err_errno(err, result, "give network device %s its addresses", m->new_name);
    n = (struct netlink)NETLINK_INIT;
    netlink_begin(&n, RTM_NEWLINK, 0, &up, sizeof(up));
    netlink_end(&n);
    result = netlink_run(&n, m->container, NULL);
    return result < 0 ? err_errno(err, result, "bring up network device %s", m->new_name) : 0;
}

static int move_all(const json_t *devices, int netns, int host, int container, struct err *err)
{
    _cleanup_free_ struct address *addresses = xcalloc(ADDRESSES_MAX, sizeof(*addresses));
    const char *name;
    json_t *device;

    json_object_foreach ((json_t *)devices, name, device) {
        const char *new_name = json_str(device, "name");
        struct move m = {.name = name,
                         .new_name = str_empty(new_name) ? name : new_name,
                         .host = host,
                         .container = container,
                         .addresses = addresses};

        if (check(&m, err) < 0 || read_addresses(&m, err) < 0 || move_device(&m, netns, err) < 0 ||
            restore(&m, err) < 0)
            return -1;
    }
    return 0;
}

int netdevices_move(const struct runtime_container *c, struct err *err)
{
    _cleanup_close_ int netns = namespace_open_of(c->pid, NAMESPACE_NETWORK);
    _cleanup_close_ int own = namespace_open_of(0, NAMESPACE_NETWORK);
    _cleanup_close_ int host = netlink_open(), container = -EBADF;

    if (netns < 0 || own < 0 || host < 0)
        return err_errno(err, netns < 0 ? netns : own < 0 ? own : host, "open network namespaces");
    container = netlink_open_in(netns, own);
    if (container < 0)
        return err_errno(err, container, "open a socket in the container's network namespace");
    return move_all(c->spec->net_devices, netns, host, container, err);
}
