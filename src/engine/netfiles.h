/* /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: files in DATA/containers/<id>, bound into it. */
#ifndef KEG_ENGINE_NETFILES_H
#define KEG_ENGINE_NETFILES_H

#include "base/buf.h"
#include "engine/container.h"

#define NETFILE_HOSTS    "hosts"
#define NETFILE_HOSTNAME "hostname"
#define NETFILE_RESOLV   "resolv.conf"

/* Writes all three, for a container whose addresses aren't known yet. host_network: the host's own hosts and
 * resolvers. */
int netfiles_write(struct container *c, bool host_network, struct err *err);
/* Adds the lines of the container's own addresses, and of those it links to, to hosts. */
int netfiles_add_addresses(struct container *c, const json_t *endpoints, struct err *err);
/* Adds the line of one endpoint more, of a running container. */
int netfiles_add_address(struct container *c, const json_t *endpoint, struct err *err);
/* Takes the lines of an address out of hosts. */
int netfiles_remove_address(struct container *c, const char *address, struct err *err);
/* resolv.conf anew, for a running container that came to its first network of users; one that was edited stays. */
int netfiles_update_resolv(struct container *c, const json_t *networks_before, struct err *err);
/* "Dns", "DnsSearch", "DnsOptions": what the container says, else what the engine says; a new reference, may be NULL. */
json_t *netfiles_setting(const struct container *c, const char *key);

/* The hosts of a running container, written anew: what it links to has another address. */
int netfiles_rewrite_hosts(struct container *c, struct err *err);
/* Between name and address in a row of ExtraHosts, "name=address" or "name:address"; NULL. */
const char *netfiles_host_separator(const char *row);

/* For tests: the content of resolv.conf from the host's text. served: the container has a name server of its own
 * (zones.h), which alone is named. Name servers on loopback are left out unless host_network, those with IPv6 addresses
 * as well unless ipv6; with none left, public ones take their place. dns, search, options: arrays of strings that replace
 * the host's (NULL or empty: keep). What else the host's file says follows last. */
struct netfiles_resolv {
    bool host_network, served, ipv6;
    const json_t *dns, *search, *options;
};
/* In resolv_conf.c. */
int netfiles_compose_resolv(const char *host_text, const struct netfiles_resolv *r, struct buf *out);

#endif
