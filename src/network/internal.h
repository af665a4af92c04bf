/* What the files of network/ share. Not for others. */
#ifndef KEG_NETWORK_INTERNAL_H
#define KEG_NETWORK_INTERNAL_H

#include <net/if.h>
#include <pthread.h>

#include "base/buf.h"
#include "network/network.h"
#include "network/pool.h"
#include "sys/netlink.h"

/* One published port as the table has it; host_ip's value 0 is every address of its family. */
struct nat_port {
    char container_id[65];
    const struct network *network;
    uint8_t protocol; /* IPPROTO_… */
    struct address host_ip, ip;
    uint16_t host_port, container_port;
    int holder; /* a socket bound to the port, so that no program of the host takes it; -EBADF if none */
};

/* A subnet of a network, and who is in it. */
struct network_pool {
    struct subnet subnet, range;
    struct address gateway;
    struct address_set addresses;
    char subnet_text[SUBNET_TEXT_SIZE], gateway_text[INET6_ADDRSTRLEN];
};

/* How a network's links are made (link.c, vlan.c). */
struct network_driver {
    const char *name;
    bool isolates; /* behind a bridge of ours: rules, ports, masquerading */
    /* Whether the definition can be had; fills n->mode and n->bridge. */
    int (*check)(struct network *n, const struct network_definition *d, struct err *err);
    int (*up)(const struct network *n, struct err *err);
    /* The container's link, not up yet. 0 or -errno. */
    int (*attach)(const struct network *n, struct network_endpoint *e, int netns_fd);
};

struct network {
    struct network_host *host;
    struct network *next;
    const struct network_driver *driver;
    char id[65], name[256];
    char bridge[IFNAMSIZ]; /* the bridge, or the parent */
    uint32_t mode, flag;   /* of macvlan and ipvlan */
    bool gateless;         /* its links route by themselves: ipvlan's l3 */
    bool ipv4, ipv6, internal, icc, masquerade;
    int mtu;
    struct network_pool *pools;
    size_t pool_count;
    size_t endpoint_count;
};

/* Of an endpoint: its address of a family, with the pool that has it; NULL: none. */
struct network_pool *network_pool_of(const struct network *n, const struct address *a);
/* The first of a family, or NULL. */
struct network_pool *network_first_pool(const struct network *n, int family);

/* Addresses of an endpoint (none where it has none) are free again. Lock held. */
void network_give_back(const struct network *n, const struct address addresses[2]);

struct network_host {
    pthread_mutex_t nft_lock; /* one transaction at a time; never taken while `lock` is held */
    pthread_mutex_t lock;     /* the tables below; never held over a system call that waits */
    char tag[32], bridge_prefix[IFNAMSIZ];
    struct subnet *pools;   /* as asked for; NULL: built in */
    struct subnet local[2]; /* the host's own for IPv6 */
    bool ip_forward, nat, nat6, settled;
    bool table6; /* there may be a table for IPv6 */
    struct network *networks;
    struct nat_port *ports;
    size_t port_count;
    char (*claimed)[IFNAMSIZ]; /* host interfaces restored before settling */
    size_t claimed_count;
    uint16_t next_ephemeral;
    struct departures *departures; /* departure.c */
};

/* departure.c: a veth pair goes with its namespace, which the kernel takes apart at its leisure; deleting it by request
 * would hold the kernel's network lock for tens of milliseconds, against every other start. So an endpoint that leaves
 * keeps its address until its interface is seen gone; one that doesn't go (a process still has the namespace) is
 * removed after a while. */
struct departures *departures_new(struct network_host *h);
struct departures *
departures_free(struct departures *d); /* ends its thread; interfaces are left to the next life */
/* From now on the address is on its way out. No lock held. */
void departures_add(struct departures *d, struct network *n, const struct address addresses[2],
                    const char *host_interface);
/* Removes at once what is on its way out of a network (address NULL: all of it). No lock held. */
void departures_finish(struct departures *d, struct network *n, const struct address *address);

/* nat.c: the nftables table of this instance. */
/* Replaces the whole table by what networks and ports say, in one transaction: no packet sees a half. No lock
 * held. */
int nat_sync(struct network_host *h, struct err *err);
/* Adds or removes elements for some ports in one transaction; falls back to nat_sync when the table isn't
 * what it should be (somebody flushed it). No lock held. */
int nat_change_ports(struct network_host *h, const struct nat_port *ports, size_t count, bool add,
                     struct err *err);

/* Removes the table. No lock held. */
int nat_remove(struct network_host *h, struct err *err);

/* ports.c: lock held for all but the name. */
const char *port_protocol_name(uint8_t number);
/* Reserves every port of the endpoint (numbers chosen for 0), or none. */
int ports_reserve(struct network *n, struct network_endpoint *e, bool restoring, struct err *err);
/* Takes the container's ports out of the table into *ret (the caller frees; holders are closed). Returns how
 * many. */
size_t ports_release(struct network *n, const char *container_id, struct nat_port **ret);

/* link.c: links by rtnetlink. 0 or -errno. */
extern const struct network_driver link_bridge;
/* Marks a link as this instance's. */
void link_put_alias(struct netlink *request, const struct network_host *h);
/* Removes the bridge or parent if this instance made it; one that was there before, by whatever hand, stays. */
int link_bridge_remove(const struct network *n);
int link_configure_inside(const struct network *n, const struct network_endpoint *e, int netns_fd, int inner);
int link_default_route(int inner, int family, const char *interface, const char *gateway);
int link_delete(const char *name);
/* Removes bridges with our alias that no network claims, and their ports that no endpoint claims. */
int link_sweep(struct network_host *h);
int link_default_mtu(void);
int link_parse_mac(const char *text, unsigned char out[6]);
/* family: "ipv4", "ipv6". */
int link_write_sysctl(const char *interface, const char *family, const char *name, const char *value);
/* IPv6 addresses are there at once: nobody else on these links could have them. */
void link_put_address(struct netlink *request, int index, const struct address *a, const struct subnet *in);

/* inside.c: 0 or -errno. */
int link_configure_inside(const struct network *n, const struct network_endpoint *e, int netns_fd, int inner);
int link_default_route(int inner, int family, const char *interface, const char *gateway);

/* vlan.c: links that share an interface of the host's. */
extern const struct network_driver vlan_macvlan, vlan_ipvlan;

#endif
