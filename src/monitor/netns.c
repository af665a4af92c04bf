/* Network namespaces. */
#include "monitor/netns.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"

static int netns_open(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? err_errno(err, errno, "open %s", path) : fd;
}

/* A netlink socket of the current namespace, with which loopback is brought up on the way. */
static int netns_socket(struct err *err)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return err_errno(err, errno, "open netlink");
    if (ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
        return err_errno(err, errno, "bring up loopback");
    return take_fd(&fd);
}

/* The current namespace's interfaces to come have no IPv6 but where kegd gives it to them; loopback keeps its own. */
static void netns_without_ipv6(void)
{
    (void)!file_write_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
}

int netns_make(struct netns *n, int *ret_socket, struct err *err)
{
    n->host_fd = netns_open("/proc/self/ns/net", err);
    if (n->host_fd < 0)
        return -1;
    if (unshare(CLONE_NEWNET) < 0)
        return err_errno(err, errno, "make network namespace");
    n->fd = netns_open("/proc/self/ns/net", err);
    if (n->fd < 0)
        return -1;
    netns_without_ipv6();
    *ret_socket = netns_socket(err);
    return *ret_socket < 0 ? -1 : 0;
}

int netns_join(struct netns *n, pid_t pid, int *ret_socket, struct err *err)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    n->host_fd = netns_open("/proc/self/ns/net", err);
    if (n->host_fd < 0)
        return -1;
    n->fd = netns_open(path, err);
    if (n->fd < 0)
        return -1;
    if (setns(n->fd, CLONE_NEWNET) < 0)
        return err_errno(err, errno, "join network namespace");
    netns_without_ipv6();
    *ret_socket = netns_socket(err);
    return *ret_socket < 0 ? -1 : 0;
}

void netns_leave(struct netns *n)
{
    if (n->host_fd >= 0)
        (void)!setns(n->host_fd, CLONE_NEWNET);
    close_fd(&n->fd);
    close_fd(&n->host_fd);
}
