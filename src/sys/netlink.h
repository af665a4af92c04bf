/* rtnetlink: requests built into one buffer, sent together, answered together.
 *
 *     _cleanup_(netlink_finish) struct netlink n = NETLINK_INIT;
 *     netlink_begin(&n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
 *     netlink_put_str(&n, IFLA_IFNAME, "keg0");
 *     size_t nest = netlink_nest(&n, IFLA_LINKINFO); … netlink_nest_end(&n, nest);
 *     netlink_end(&n);                                  // further requests may follow
 *     r = netlink_run(&n, fd, &failed);                 // 0, or the -errno of request number `failed`
 *
 * Source: rtnetlink(7), linux/rtnetlink.h. All return 0 or more, or -errno. */
#ifndef KEG_SYS_NETLINK_H
#define KEG_SYS_NETLINK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

enum { NETLINK_BUFFER_SIZE = 4096 };

struct netlink {
    char data[NETLINK_BUFFER_SIZE] __attribute__((aligned(8)));
    size_t len;     /* bytes of finished and current requests */
    size_t current; /* offset of the request being built */
    unsigned count; /* finished requests */
    int error;      /* first -errno while building (-EMSGSIZE) */
};

#define NETLINK_INIT                                                                                         \
    {                                                                                                        \
        .len = 0                                                                                             \
    }

/* A NETLINK_ROUTE socket, bound in the caller's network namespace, close-on-exec. */
int netlink_open(void);
/* The same in another network namespace; the calling thread goes there and comes back to `own`. */
int netlink_open_in(int netns, int own);

/* Starts a request of `type` with NLM_F_REQUEST|NLM_F_ACK and `flags`, and its fixed header (ifinfomsg, …).
 */
void netlink_begin(struct netlink *n, uint16_t type, uint16_t flags, const void *header, size_t header_len);
void netlink_put(struct netlink *n, uint16_t attribute, const void *data, size_t len);
void netlink_put_u32(struct netlink *n, uint16_t attribute, uint32_t value);
void netlink_put_u8(struct netlink *n, uint16_t attribute, uint8_t value);
void netlink_put_str(struct netlink *n, uint16_t attribute, const char *value);
/* Opens a nested attribute; give what it returns to netlink_nest_end(). */
size_t netlink_nest(struct netlink *n, uint16_t attribute);
void netlink_nest_end(struct netlink *n, size_t nest);
/* Bytes without an attribute header (the ifinfomsg inside VETH_INFO_PEER). */
void netlink_put_raw(struct netlink *n, const void *data, size_t len);
void netlink_end(struct netlink *n);

/* Sends all requests in one message and reads every acknowledgement. On an error *ret_failed (may be NULL) is
 * the number of the first request that failed, from 0; later ones may have been carried out. */
int netlink_run(struct netlink *n, int fd, unsigned *ret_failed);

/* Called for each message of an answer; a negative return ends the walk with that value. */
typedef int (*netlink_visit)(const struct nlmsghdr *message, void *arg);
/* Sends one request and visits its answers: the single message of a get, or all of a dump (NLM_F_DUMP in
 * flags). */
int netlink_query(struct netlink *n, int fd, netlink_visit visit, void *arg);

/* The attributes behind a fixed header: table[type] = attribute or NULL, for types up to max. */
struct rtattr;
void netlink_attributes(const struct nlmsghdr *message, size_t header_len, const struct rtattr **table,
                        unsigned max);

/* Interface index by name in the namespace of the socket. Index or -ENODEV. */
int netlink_link_index(int fd, const char *name);
int netlink_link_delete(int fd, const char *name);

#endif
