/* What the files of network/ share. Not for others. */
#ifndef KEG_NETWORK_INTERNAL_H
#define KEG_NETWORK_INTERNAL_H

#include <net/if.h>
#include <pthread.h>

#include "base/buf.h"
#include "network/network.h"
#include "network/pool.h"

/* One published port as the table has it; host_ip 0 is every address. */
struct nat_port {
    char container_id[65];
    const struct network *network;
    uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    uint32_t host_ip; /* network byte order, as all addresses here */
    uint16_t host_port;
    uint32_t ip;
    uint16_t container_port;
    int holder; /* a socket bound to the port, so that no program of the host takes it; -EBADF if none */
};

struct network {
    struct network_host *host;
    struct network *next;
    char id[65], name[256], driver[32];
    char bridge[IFNAMSIZ];
    struct subnet subnet, range;
    uint32_t gateway;
    char subnet_text[24], gateway_text[INET_ADDRSTRLEN];
    bool internal, icc, masquerade;
    int mtu;
    struct address_set addresses;
    size_t endpoint_count;
};

struct network_host {
    pthread_mutex_t nft_lock; /* one transaction at a time; never taken while `lock` is held */
    pthread_mutex_t lock;     /* the tables below; never held over a system call that waits */
    char tag[32], bridge_prefix[IFNAMSIZ], *bip;
    struct subnet *pools; /* NULL: built in */
    bool ip_forward, nat, settled;
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
void departures_add(struct departures *d, struct network *n, uint32_t address, const char *host_interface);
/* Removes at once what is on its way out of a network (address 0: all of it). No lock held. */
void departures_finish(struct departures *d, struct network *n, uint32_t address);

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

/* ports.c: lock held for all. */
/* Reserves every port of the endpoint (numbers chosen for 0), or none. */
int ports_reserve(struct network *n, struct network_endpoint *e, bool restoring, struct err *err);
/* Takes the container's ports out of the table into *ret (the caller frees; holders are closed). Returns how
 * many. */
size_t ports_release(struct network *n, const char *container_id, struct nat_port **ret);

/* link.c: links by rtnetlink. 0 or -errno. */
int link_bridge_ensure(const struct network *n);
/* Removes the bridge if this instance made it; one that was there before, by whatever hand, stays. */
int link_bridge_remove(const struct network *n);
int link_veth_create(const struct network *n, const struct network_endpoint *e, int netns_fd);
int link_configure_inside(const struct network_endpoint *e, int inner);
int link_default_route(int inner, const char *interface, const char *gateway);
int link_delete(const char *name);
/* Removes bridges with our alias that no network claims, and their ports that no endpoint claims. */
int link_sweep(struct network_host *h);
int link_default_mtu(void);

#endif
