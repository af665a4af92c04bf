/* macvlan and ipvlan: containers stand on an interface of the host's with links of their own, without bridge, rules or
 * ports. The parent is an interface that is there, a VLAN of one ("eth0.10") that is made, or a dummy. */
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "network/internal.h"

enum { VLAN_LAST = 4094 };

struct word {
    const char *text;
    uint32_t value;
};

/* The first is the default. */
static const struct word macvlan_modes[] = {{"bridge", MACVLAN_MODE_BRIDGE},
                                            {"private", MACVLAN_MODE_PRIVATE},
                                            {"vepa", MACVLAN_MODE_VEPA},
                                            {"passthru", MACVLAN_MODE_PASSTHRU},
                                            {NULL, 0}};
static const struct word ipvlan_modes[] = {
    {"l2", IPVLAN_MODE_L2}, {"l3", IPVLAN_MODE_L3}, {"l3s", IPVLAN_MODE_L3S}, {NULL, 0}};
static const struct word ipvlan_flags[] = {
    {"bridge", 0}, {"private", IPVLAN_F_PRIVATE}, {"vepa", IPVLAN_F_VEPA}, {NULL, 0}};

static int choose(const struct word *words, const char *text, uint32_t *ret)
{
    const struct word *w = words;

    while (w->text && !str_empty(text) && !str_eq(w->text, text))
        w++;
    if (!w->text)
        return -EINVAL;
    *ret = w->value;
    return 0;
}

/* ---- what can be had ---- */

static int check_parent(struct network *n, const struct network_definition *d, struct err *err)
{
    if (str_eq(d->parent, "lo"))
        return err_set(err, ERR_INVALID, "loopback interface is not a valid %s parent link", n->driver->name);
    if (d->parent && (strlen(d->parent) >= IFNAMSIZ || strpbrk(d->parent, "/ \"\n")))
        return err_set(err, ERR_INVALID, "invalid parent %s: at most %d characters, no slash or blank",
                       d->parent, IFNAMSIZ - 1);
    if (str_empty(d->parent)) { /* nothing leads out of a dummy */
        snprintf(n->bridge, sizeof(n->bridge), "d%c-%.12s", n->driver == &vlan_macvlan ? 'm' : 'i', d->id);
        n->internal = true;
    } else {
        snprintf(n->bridge, sizeof(n->bridge), "%s", d->parent);
    }
    return 0;
}

static int check_macvlan(struct network *n, const struct network_definition *d, struct err *err)
{
    if (choose(macvlan_modes, d->mode, &n->mode) < 0)
        return err_set(
            err, ERR_SYSTEM,
            "requested macvlan mode '%s' is not valid, 'bridge' mode is the macvlan driver default", d->mode);
    return check_parent(n, d, err);
}

static int check_ipvlan(struct network *n, const struct network_definition *d, struct err *err)
{
    if (choose(ipvlan_modes, d->mode, &n->mode) < 0)
        return err_set(err, ERR_SYSTEM,
                       "requested ipvlan mode '%s' is not valid, 'l2' mode is the ipvlan driver default",
                       d->mode);
    if (choose(ipvlan_flags, d->flag, &n->flag) < 0)
        return err_set(err, ERR_SYSTEM,
                       "requested ipvlan flag '%s' is not valid, 'bridge' is the ipvlan driver default",
                       d->flag);
    n->gateless = n->mode != IPVLAN_MODE_L2;
    return check_parent(n, d, err);
}

/* ---- parents ---- */

/* A link of ours that is up: a dummy, or VLAN `tag` of another. */
static int create_parent(const struct network *n, int fd, int lower, uint16_t tag)
{
    struct ifinfomsg info = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct netlink request = NETLINK_INIT;
    size_t nest, data;

    netlink_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
    netlink_put_str(&request, IFLA_IFNAME, n->bridge);
    if (lower)
        netlink_put_u32(&request, IFLA_LINK, (uint32_t)lower);
    nest = netlink_nest(&request, IFLA_LINKINFO);
    netlink_put_str(&request, IFLA_INFO_KIND, lower ? "vlan" : "dummy");
    if (lower) {
        data = netlink_nest(&request, IFLA_INFO_DATA);
        netlink_put(&request, IFLA_VLAN_ID, &tag, sizeof(tag));
        netlink_nest_end(&request, data);
    }
    netlink_nest_end(&request, nest);
    netlink_end(&request);
    info = (struct ifinfomsg){0};
    netlink_begin(&request, RTM_SETLINK, 0, &info, sizeof(info));
    netlink_put_str(&request, IFLA_IFNAME, n->bridge);
    link_put_alias(&request, n->host);
    netlink_end(&request);
    return netlink_run(&request, fd, NULL);
}

static int create_vlan(const struct network *n, int fd, struct err *err)
{
    _cleanup_free_ char *lower = xstrdup(n->bridge);
    char *dot = strchr(lower, '.');
    uint32_t tag = 0;
    int index, r;

    if (!dot || str_to_u32(dot + 1, &tag) < 0)
        return err_set(err, ERR_SYSTEM, "invalid subinterface vlan name %s, example formatting is eth0.10",
                       n->bridge);
    *dot = '\0';
    if (tag == 0 || tag > VLAN_LAST)
        return err_set(err, ERR_SYSTEM, "vlan id must be between 1-4094, received: %u", tag);
    index = netlink_link_index(fd, lower);
    if (index < 0)
        return err_errno(err, index, "failed to find master interface %s on the host", lower);
    r = create_parent(n, fd, index, (uint16_t)tag);
    return r < 0 && r != -EEXIST ? err_errno(err, r, "failed to create %s vlan link", n->bridge) : 0;
}

static int vlan_up(const struct network *n, struct err *err)
{
    _cleanup_close_ int fd = netlink_open();
    int r;

    if (fd < 0)
        return err_errno(err, fd, "open netlink");
    if (netlink_link_index(fd, n->bridge) >= 0)
        return 0;
    if (strlen(n->bridge) != 15 || n->bridge[2] != '-' || strncmp(n->bridge + 3, n->id, 12) != 0)
        return create_vlan(n, fd, err);
    r = create_parent(n, fd, 0, 0);
    return r < 0 && r != -EEXIST
               ? err_errno(err, r, "failed to create %s dummy link: give the network a parent", n->bridge)
               : 0;
}

/* ---- containers ---- */

static void put_kind(struct netlink *request, const struct network *n)
{
    bool is_macvlan = n->driver == &vlan_macvlan;
    size_t link_info = netlink_nest(request, IFLA_LINKINFO), data;
    uint16_t mode = (uint16_t)n->mode, flag = (uint16_t)n->flag;

    netlink_put_str(request, IFLA_INFO_KIND, n->driver->name);
    data = netlink_nest(request, IFLA_INFO_DATA);
    if (is_macvlan)
        netlink_put_u32(request, IFLA_MACVLAN_MODE, n->mode);
    else
        netlink_put(request, IFLA_IPVLAN_MODE, &mode, sizeof(mode));
    if (!is_macvlan && flag)
        netlink_put(request, IFLA_IPVLAN_FLAGS, &flag, sizeof(flag));
    netlink_nest_end(request, data);
    netlink_nest_end(request, link_info);
}

/* The link is born in the container's namespace: on the host there's never a name for it. */
static int vlan_attach(const struct network *n, struct network_endpoint *e, int netns_fd)
{
    _cleanup_close_ int fd = netlink_open();
    struct ifinfomsg info = {0};
    struct netlink request = NETLINK_INIT;
    unsigned char mac[6];
    int parent;

    if (fd < 0)
        return fd;
    parent = netlink_link_index(fd, n->bridge);
    if (parent < 0)
        return parent;
    if (n->driver == &vlan_ipvlan || n->mode == MACVLAN_MODE_PASSTHRU)
        e->mac[0] = '\0'; /* the parent's */
    else if (link_parse_mac(e->mac, mac) < 0)
        return -EINVAL;
    netlink_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
    netlink_put_str(&request, IFLA_IFNAME, e->interface);
    if (*e->mac)
        netlink_put(&request, IFLA_ADDRESS, mac, sizeof(mac));
    if (n->mtu)
        netlink_put_u32(&request, IFLA_MTU, (uint32_t)n->mtu);
    netlink_put_u32(&request, IFLA_LINK, (uint32_t)parent);
    netlink_put_u32(&request, IFLA_NET_NS_FD, (uint32_t)netns_fd);
    put_kind(&request, n);
    netlink_end(&request);
    return netlink_run(&request, fd, NULL);
}

const struct network_driver vlan_macvlan = {
    .name = "macvlan", .check = check_macvlan, .up = vlan_up, .attach = vlan_attach};
const struct network_driver vlan_ipvlan = {
    .name = "ipvlan", .check = check_ipvlan, .up = vlan_up, .attach = vlan_attach};
