/* Networks: drivers behind one ops table (bridge, host, none, container), address pools, NAT and published
 * ports.
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
    const char *bip;           /* "172.30.0.1/16" for the default bridge, NULL: choose */
    const char *const *pools;  /* "base,size" rows as --default-address-pool; NULL: built in */
    bool ip_forward;           /* set net.ipv4.ip_forward (--ip-forward) */
    bool nat;                  /* --iptables / --ip-masq: write the table at all */
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

struct network_definition {
    const char *id; /* 64 hexadecimal characters */
    const char *name;
    const char *driver; /* "bridge"; "host", "none" have no state; others ERR_NOT_IMPLEMENTED */
    const char *bridge; /* name of the bridge device; NULL: chosen */
    const char
        *subnet; /* "172.31.0.0/16"; NULL: chosen from the pools, avoiding the host's routes and resolvers */
    const char *gateway;         /* NULL: first address */
    const char *ip_range;        /* NULL: whole subnet */
    const char *const *reserved; /* addresses that nobody gets; NULL: none */
    bool internal;               /* no way out */
    bool icc;                    /* containers may talk to each other */
    bool masquerade;
    int mtu; /* 0: 1500 or the default route's */
};

/* Makes (or finds again) the bridge and its rules. The returned network belongs to the host until
 * network_remove(). ERR_INVALID, ERR_CONFLICT (overlaps, no pool left), ERR_NOT_IMPLEMENTED. */
struct network *network_create(struct network_host *h, const struct network_definition *d, struct err *err);
/* ERR_CONFLICT while endpoints are attached. */
int network_remove(struct network *n, struct err *err);

/* What was chosen; strings live as long as the network. */
const char *network_bridge(const struct network *n);
const char *network_subnet(const struct network *n);  /* "172.17.0.0/16" */
const char *network_gateway(const struct network *n); /* "172.17.0.1" */

struct network_port {
    char protocol[8];               /* "tcp" or "udp" */
    char host_ip[INET6_ADDRSTRLEN]; /* "" is every address */
    uint16_t host_port;             /* 0: chosen from the ephemeral range; filled in */
    uint16_t container_port;
};

struct network_endpoint {
    char container_id[65];
    char interface[16];       /* inside: "eth0" */
    char host_interface[16];  /* veth's host end */
    char mac[18];             /* "" : derived from the address, as docker does */
    char ip[INET_ADDRSTRLEN]; /* "" : chosen */
    int prefix;               /* length */
    char gateway[INET_ADDRSTRLEN];
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
/* The same for a namespace that lives on: the interface has gone when it returns. */
int network_leave(struct network *n, const struct network_endpoint *endpoint, struct err *err);

/* By which interface (of an endpoint) a namespace reaches what isn't on its networks; gateway "": not at all. */
int network_default_route(int inner, const char *interface, const char *gateway, struct err *err);
/* The ports of an endpoint that was attached without any. Errors as network_attach(). */
int network_publish(struct network *n, struct network_endpoint *endpoint, struct err *err);
/* Takes an endpoint's ports back; it stays. */
int network_unpublish(struct network *n, const struct network_endpoint *endpoint, struct err *err);

#endif
