/* The container's name server, at 127.0.0.11 port 53 of its network namespace, by UDP and TCP. What dns_names.h knows is
 * answered, everything else is asked of others and passed on. Works without kegd.
 *
 * Its sockets have ports of their own and packets are steered to them (sys/steer.h), so that a container may bind port 53
 * of all addresses; where the kernel can't do that they are bound to port 53. */
#ifndef KEG_MONITOR_DNS_H
#define KEG_MONITOR_DNS_H

#include "base/err.h"
#include "monitor/loop.h"
#include "monitor/netns.h"

struct dns;

/* The caller is in the container's network namespace, and stays there while it lives; netns is the caller's. file:
 * dns_names.h's. */
struct dns *dns_open(struct loop *loop, const struct netns *netns, const char *file, struct err *err);
struct dns *dns_close(struct dns *d);

#endif
