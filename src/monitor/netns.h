/* The container's network namespace, as the monitor makes and holds it. */
#ifndef KEG_MONITOR_NETNS_H
#define KEG_MONITOR_NETNS_H

#include <sys/types.h>

#include "base/err.h"

struct netns {
    int host_fd; /* where the monitor came from */
    int fd;      /* the container's */
};

#define NETNS_UNSET                                                                                          \
    {                                                                                                        \
        -EBADF, -EBADF                                                                                       \
    }

/* Moves the calling process into a new network namespace and brings its loopback up. *ret_socket: a bound
 * NETLINK_ROUTE socket of that namespace, the caller's. */
int netns_make(struct netns *n, int *ret_socket, struct err *err);
/* The same for the network namespace that process `pid` already has; the caller ends up inside, too. */
int netns_join(struct netns *n, pid_t pid, int *ret_socket, struct err *err);
/* Goes back and lets go: the namespace ends with its last process. */
void netns_leave(struct netns *n);

#endif
