/* The names that a container sees. kegd writes them (replacing files by rename), whoever answers reads them when they
 * are used, so that both can come and go.
 *
 * The container's file, MONITOR_NAMES in its RUN directory, a line each:
 *     zone NETWORK PATH       a network the container is on, in the order of their weight; NETWORK is its name, "-" for
 *                             one that can't be written
 *     link ALIAS NAME         in the zone above, ALIAS stands for NAME, for this container alone
 *     server host | ADDRESS   who is asked for other names: the host's resolvers, from the host's network; or a server,
 *                             from the container's. None: what isn't known doesn't exist
 *     short-names-end-here    names without a dot aren't asked for elsewhere (the user set ndots)
 *
 * A zone's file, a line for each address of a container on the network: the address and the container's names, the first
 * its own; all in lower case, single blanks between them. */
#ifndef KEG_MONITOR_DNS_NAMES_H
#define KEG_MONITOR_DNS_NAMES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { DNS_ADDRESSES_MAX = 1024, DNS_SERVERS_MAX = 3 };

struct dns_names;

/* file: the container's. It needn't be there yet. */
struct dns_names *dns_names_new(const char *file);
struct dns_names *dns_names_free(struct dns_names *n);

/* Of a name: addresses in network byte order. */
struct dns_found {
    size_t four_count, six_count;
    uint32_t four[DNS_ADDRESSES_MAX];
    struct in6_addr six[DNS_ADDRESSES_MAX];
};
/* name: lower case, without a dot at the end; "name.network" is looked for in that network. 0 or -ENOENT. */
int dns_names_find(struct dns_names *n, const char *name, struct dns_found *ret);
/* "name.network" of an address of a family (in network byte order), or -ENOENT. */
int dns_names_reverse(struct dns_names *n, int family, const void *address, char *out, size_t size);

struct dns_server {
    bool host; /* to be asked from the host's network */
    struct sockaddr_storage address;
    socklen_t len;
};
/* Who is asked for `name`, which isn't known here. Returns how many. */
size_t dns_names_servers(struct dns_names *n, const char *name, struct dns_server out[DNS_SERVERS_MAX]);

#endif
