/* Networks: bridges, macvlan and ipvlan, address pools of both families, NAT and published ports.
 *
 * A struct network_host is what one kegd owns of a host's networking: its bridges (named after the instance's
 * tag) and its nftables table. Nothing here touches the engine's database: the engine keeps definitions and
 * leases, and hands them back at start (network_restore, network_reserve).
 *
 * All functions are thread-safe. None enters a container's namespace: addresses and routes inside are set
 * through a NETLINK_ROUTE socket that was bound there. Privileges: CAP_NET_ADMIN in the host's network
 * namespace. */
#ifndef KEG_NETWORK_NETWORK_H
#define KEG_NETWORK_NETWORK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct network_host;
struct network;

struct network_host_options {
    const char *tag;           /* instance tag: nftables table */
    const char *bridge_prefix; /* "keg" or "kg1a2b3c": the default bridge is <prefix>0, others br-<id12> */
    const char *seed;          /* what the host's own IPv6 addresses are derived from (pool_local) */
    const char *const *pools;  /* "base,size" rows as --default-address-pool; NULL: built in */
    bool ip_forward; /* set net.ipv4.ip_forward, with IPv6 net.ipv6.conf.all.forwarding (--ip-forward) */
    bool nat, nat6;  /* --iptables, --ip6tables: write the tables at all */
};

/* Prepares the table; nothing of an earlier life of this instance stays in it that isn't restored before
 * network_host_settle(). */
struct network_host *network_host_open(const struct network_host_options *options, struct err *err);
struct network_host *network_host_free(struct network_host *h); /* leaves bridges and rules in place */
DEFINE_CLEANUP_PTR(struct network_host, network_host_free)
/* After everything known was restored: removes bridges, veths and rules of this instance that nobody claimed.
 */
int network_host_settle(struct network_host *h, struct err *err);

/* Takes every bridge and the table away, at the end of a life in which nothing is attached any more; the next life makes
 * them again. Goes on after an error, reports the first. */
int network_host_dismantle(struct network_host *h, struct err *err);

struct network_subnet {
    const char *subnet;          /* "172.31.0.0/16", "fd00:1::/64"; with a host part: the gateway's address */
    const char *gateway;         /* NULL: the first address of the range */
    const char *ip_range;        /* NULL: whole subnet */
    const char *const *reserved; /* addresses that nobody gets; NULL: none */
};

struct network_definition {
    const char *id; /* 64 hexadecimal characters */
    const char *name;
    const char *driver; /* "bridge", "macvlan", "ipvlan" */
    const char *bridge; /* name of the bridge device; NULL: chosen */
    const char
        *parent; /* of macvlan and ipvlan; NULL or "": a dummy of our own. "eth0.10": VLAN 10 of eth0 */
    const char *mode, *flag; /* likewise; NULL: the driver's default */
    bool ipv4, ipv6; /* a family without a subnet gets one from the pools that avoids the host's routes and
                                resolvers; subnets of a family that isn't wanted are passed over */
    const struct network_subnet *subnets;
    size_t subnet_count;
    bool internal; /* no way out */
    bool icc;      /* containers may talk to each other */
    bool masquerade;
    int mtu; /* 0: 1500 or the default route's */
};

/* Makes (or finds again) the bridge or parent and its rules. The returned network belongs to the host until
 * network_remove(). ERR_INVALID, ERR_CONFLICT (overlaps, no pool left), ERR_NOT_IMPLEMENTED. */
struct network *network_create(struct network_host *h, const struct network_definition *d, struct err *err);
/* ERR_CONFLICT while endpoints are attached. */
int network_remove(struct network *n, struct err *err);

/* What was chosen; strings live as long as the network. */
const char *network_bridge(const struct network *n);
size_t network_pool_count(const struct network *n);
const char *network_subnet(const struct network *n, size_t i);  /* "172.17.0.0/16" */
const char *network_gateway(const struct network *n, size_t i); /* "172.17.0.1"; "" with none */
/* By which address containers get out; "" when they don't, or not by this family. */
const char *network_way_out(const struct network *n, int family);
/* Whether ports can be published. */
bool network_publishes(const struct network *n);

struct network_port {
    char protocol[8];               /* "tcp", "udp" or "sctp" */
    char host_ip[INET6_ADDRSTRLEN]; /* "" is every IPv4 address, "::" every IPv6 one */
    bool twin;                      /* gets the host port of the one before it, or that one another */
    uint16_t host_port;             /* 0: chosen from the ephemeral range; filled in */
    uint16_t container_port;
};

struct network_endpoint {
    char container_id[65];
    char interface[16];       /* inside: "eth0" */
    char host_interface[16];  /* veth's host end */
    char mac[18];             /* "" : derived from the address, so that neighbours' caches stay true */
    char ip[INET_ADDRSTRLEN]; /* "" : chosen, where the network has the family */
    int prefix;               /* length */
    char gateway[INET_ADDRSTRLEN];
    char ip6[INET6_ADDRSTRLEN];
    int prefix6;
    char gateway6[INET6_ADDRSTRLEN];
    struct network_port *ports; /* the caller's array */
    size_t port_count;
};

/* Joins a namespace to the network: chooses address and ports where they are open, makes the veth pair in one
 * netlink batch, configures inside through `inner` (NETLINK_ROUTE socket bound in the namespace; lo is up
 * already), publishes ports in one nftables transaction. The default route is network_default_route()'s. Errors: ERR_CONFLICT ("address already in use",
 * docker's text "Bind for 0.0.0.0:8080 failed: port is already allocated"). Nothing stays after an error. */
int network_attach(struct network *n, struct network_endpoint *endpoint, int netns_fd, int inner,
                   struct err *err);
/* The endpoint of a container that runs already (after kegd's restart): address and ports are taken again and
 * the port rules are put back. */
int network_restore(struct network *n, const struct network_endpoint *endpoint, struct err *err);
/* Takes address and ports back. The veth goes with its namespace; if that lives on, it is removed a little later, and until
 * then the address isn't given to anybody else. Never fails half-way: goes on, reports the first error. */
int network_detach(struct network *n, const struct network_endpoint *endpoint, struct err *err);
/* The same for a namespace that lives on (inner as above): the interface has gone when it returns. */
int network_leave(struct network *n, const struct network_endpoint *endpoint, int inner, struct err *err);

/* By which interface (of an endpoint) a namespace reaches what isn't on its networks by a family; gateway "": not
 * at all. */
int network_default_route(int inner, int family, const char *interface, const char *gateway, struct err *err);
/* The ports of an endpoint that was attached without any. Errors as network_attach(). */
int network_publish(struct network *n, struct network_endpoint *endpoint, struct err *err);
/* Takes an endpoint's ports back; it stays. */
int network_unpublish(struct network *n, const struct network_endpoint *endpoint, struct err *err);

#endif
