/* rtnetlink requests in batches. */
#include "sys/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { ANSWER_SIZE = 32768 };

int netlink_open(void)
{
    int on = 1, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0)
        return -errno;
    /* acknowledgements without a copy of the request: a batch's answers stay small */
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
    setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
    return fd;
}

int netlink_open_in(int netns, int own)
{
    int fd, back;

    if (setns(netns, CLONE_NEWNET) < 0)
        return -errno;
    fd = netlink_open();
    back = setns(own, CLONE_NEWNET) < 0 ? -errno : 0;
    if (back < 0 && fd >= 0)
        close(fd);
    return back < 0 ? back : fd;
}

static void *reserve(struct netlink *n, size_t len)
{
    size_t aligned = NLMSG_ALIGN(len);
    void *at = n->data + n->len;

    if (n->error || aligned > sizeof(n->data) - n->len) {
        n->error = n->error ? n->error : -EMSGSIZE;
        return NULL;
    }
    memset(at, 0, aligned);
    n->len += aligned;
    return at;
}

void netlink_begin(struct netlink *n, uint16_t type, uint16_t flags, const void *header, size_t header_len)
{
    struct nlmsghdr *message;

    n->current = n->len;
    message = reserve(n, NLMSG_HDRLEN);
    if (!message)
        return;
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    message->nlmsg_seq = n->count + 1;
    netlink_put_raw(n, header, header_len);
}

void netlink_put_raw(struct netlink *n, const void *data, size_t len)
{
    void *at = reserve(n, len);

    if (at && len)
        memcpy(at, data, len);
}

void netlink_put(struct netlink *n, uint16_t attribute, const void *data, size_t len)
{
    struct rtattr *a = reserve(n, RTA_LENGTH(len));

    if (!a)
        return;
    a->rta_type = attribute;
    a->rta_len = (unsigned short)RTA_LENGTH(len);
    if (len)
        memcpy(RTA_DATA(a), data, len);
}

void netlink_put_u32(struct netlink *n, uint16_t attribute, uint32_t value)
{
    netlink_put(n, attribute, &value, sizeof(value));
}

void netlink_put_u8(struct netlink *n, uint16_t attribute, uint8_t value)
{
    netlink_put(n, attribute, &value, sizeof(value));
}

void netlink_put_str(struct netlink *n, uint16_t attribute, const char *value)
{
    netlink_put(n, attribute, value, strlen(value) + 1);
}

size_t netlink_nest(struct netlink *n, uint16_t attribute)
{
    size_t at = n->len;

    netlink_put(n, attribute | NLA_F_NESTED, NULL, 0);
    return at;
}

void netlink_nest_end(struct netlink *n, size_t nest)
{
    if (!n->error)
        ((struct rtattr *)(n->data + nest))->rta_len = (unsigned short)(n->len - nest);
}

void netlink_end(struct netlink *n)
{
    if (n->error)
        return;
    ((struct nlmsghdr *)(n->data + n->current))->nlmsg_len = (uint32_t)(n->len - n->current);
    n->count++;
}

static int send_all(struct netlink *n, int fd)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent;

    if (n->error)
        return n->error;
    do
        sent = sendto(fd, n->data, n->len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

static ssize_t receive(int fd, char *answer)
{
    ssize_t got;

    do
        got = recv(fd, answer, ANSWER_SIZE, MSG_TRUNC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    return got > ANSWER_SIZE ? -EMSGSIZE : got;
}

int netlink_run(struct netlink *n, int fd, unsigned *ret_failed)
{
    char answer[ANSWER_SIZE] __attribute__((aligned(8)));
    unsigned pending = n->count, failed = 0;
    int first = 0, r = send_all(n, fd);

    if (r < 0)
        return r;
    while (pending) {
        ssize_t got = receive(fd, answer);

        if (got < 0)
            return (int)got;
        for (struct nlmsghdr *m = (void *)answer; NLMSG_OK(m, got); m = NLMSG_NEXT(m, got)) {
            struct nlmsgerr *e = NLMSG_DATA(m);

            if (m->nlmsg_type != NLMSG_ERROR)
                continue;
            if (e->error && !first) {
                first = e->error;
                failed = m->nlmsg_seq - 1;
            }
            if (pending)
                pending--;
        }
    }
    if (ret_failed)
        *ret_failed = failed;
    return first;
}

int netlink_query(struct netlink *n, int fd, netlink_visit visit, void *arg)
{
    char answer[ANSWER_SIZE] __attribute__((aligned(8)));
    struct nlmsghdr *request = (struct nlmsghdr *)n->data;
    int r, result = 0;

    request->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
    r = send_all(n, fd);
    if (r < 0)
        return r;
    for (;;) {
        ssize_t got = receive(fd, answer);

        if (got < 0)
            return (int)got;
        for (struct nlmsghdr *m = (void *)answer; NLMSG_OK(m, got); m = NLMSG_NEXT(m, got)) {
            if (m->nlmsg_type == NLMSG_ERROR)
                return ((struct nlmsgerr *)NLMSG_DATA(m))->error;
            if (m->nlmsg_type == NLMSG_DONE)
                return result;
            if (result >= 0)
                result = visit(m, arg);
            if (!(m->nlmsg_flags & NLM_F_MULTI))
                return result;
        }
    }
}

void netlink_attributes(const struct nlmsghdr *message, size_t header_len, const struct rtattr **table,
                        unsigned max)
{
    size_t left = message->nlmsg_len - NLMSG_SPACE(header_len);
    const struct rtattr *a = (const void *)((const char *)NLMSG_DATA(message) + NLMSG_ALIGN(header_len));

    memset(table, 0, (max + 1) * sizeof(*table));
    for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if ((a->rta_type & NLA_TYPE_MASK) <= max)
            table[a->rta_type & NLA_TYPE_MASK] = a;
}

static int take_index(const struct nlmsghdr *message, void *arg)
{
    const struct ifinfomsg *info = NLMSG_DATA(message);

    *(int *)arg = info->ifi_index;
    return 0;
}

int netlink_link_index(int fd, const char *name)
{
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
    struct netlink n = NETLINK_INIT;
    int index = 0, r;

    netlink_begin(&n, RTM_GETLINK, 0, &info, sizeof(info));
    netlink_put_str(&n, IFLA_IFNAME, name);
    netlink_end(&n);
    r = netlink_query(&n, fd, take_index, &index);
    return r < 0 ? r : index ? index : -ENODEV;
}

int netlink_link_delete(int fd, const char *name)
{
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
    struct netlink n = NETLINK_INIT;

    netlink_begin(&n, RTM_DELLINK, 0, &info, sizeof(info));
    netlink_put_str(&n, IFLA_IFNAME, name);
    netlink_end(&n);
    return netlink_run(&n, fd, NULL);
}
