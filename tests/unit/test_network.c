/* Networks end to end, in namespaces of the test's own: addresses, published ports from the loopback and from
 * the network, conflicts, and nothing left after detaching. Needs root. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "network/network.h"
#include "network/pool.h"
#include "sys/netlink.h"

static void loopback_up(void)
{
    _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
}

struct inside {
    int netns, netlink;
};

/* A namespace such as a container's: its descriptor, and a netlink socket bound in it. */
static struct inside make_inside(void)
{
    _cleanup_close_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    struct inside in;

    assert_int_equal(unshare(CLONE_NEWNET), 0);
    loopback_up();
    in.netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    in.netlink = netlink_open();
    assert_true(in.netns >= 0 && in.netlink >= 0);
    assert_int_equal(setns(home, CLONE_NEWNET), 0);
    return in;
}

/* Serves one TCP connection on port 80 of the namespace, answering "hello". */
static pid_t serve(int netns)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(80)}; /* IPv4 as well */
    int ready[2], listener, on = 1;
    char c;
    pid_t pid;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        if (setns(netns, CLONE_NEWNET) < 0)
            _exit(1);
        listener = socket(AF_INET6, SOCK_STREAM, 0);
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(listener, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(listener, 8) < 0)
            _exit(2);
        close(ready[1]);
        for (;;) {
            int client = accept(listener, NULL, NULL);

            if (write(client, "hello", 5) != 5)
                _exit(3);
            close(client);
        }
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 0); /* closed: it listens */
    close(ready[0]);
    return pid;
}

static void fetch(const char *address, uint16_t port, char out[16])
{
    bool six = strchr(address, ':') != NULL;
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct timeval patience = {.tv_sec = 3};
    _cleanup_close_ int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t n;

    inet_pton(AF_INET, address, &four.sin_addr);
    inet_pton(AF_INET6, address, &to.sin6_addr);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    out[0] = '\0';
    if (connect(fd, six ? (struct sockaddr *)&to : (struct sockaddr *)&four,
                six ? sizeof(to) : sizeof(four)) < 0)
        return;
    n = read(fd, out, 15);
    out[n > 0 ? n : 0] = '\0';
}

static void enter_private_network(void)
{
    assert_int_equal(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
    loopback_up();
}

static const char id1[] = "1111111111111111111111111111111111111111111111111111111111111111";
static const char id2[] = "2222222222222222222222222222222222222222222222222222222222222222";

static struct network_host *open_host(void)
{
    struct network_host_options options = {
        .tag = "keg-unit", .bridge_prefix = "kgunit", .ip_forward = true, .nat = true, .nat6 = true};
    struct err err = {0};
    struct network_host *h = network_host_open(&options, &err);

    assert_string_equal(err.message, "");
    assert_non_null(h);
    assert_int_equal(network_host_settle(h, &err), 0);
    return h;
}

static struct network *create(struct network_host *h, const char *name, const char *id, const char *subnet,
                              bool internal)
{
    const struct network_subnet asked = {.subnet = subnet};
    struct network_definition d = {.id = id,
                                   .name = name,
                                   .driver = "bridge",
                                   .ipv4 = true,
                                   .subnets = &asked,
                                   .subnet_count = subnet != NULL,
                                   .icc = true,
                                   .masquerade = true,
                                   .internal = internal};
    struct err err = {0};
    struct network *n = network_create(h, &d, &err);

    assert_string_equal(err.message, "");
    assert_non_null(n);
    return n;
}

static void attach(struct network *n, struct network_endpoint *e, const struct inside *in)
{
    struct err err = {0};
    int r = network_attach(n, e, in->netns, in->netlink, &err);

    assert_string_equal(err.message, "");
    assert_int_equal(r, 0);
}

static bool goes_away(const char *interface)
{
    for (int i = 0; i < 100; i++) {
        if (if_nametoindex(interface) == 0)
            return true;
        usleep(50000);
    }
    return false;
}

static void test_published_port(void **state)
{
    struct network_port ports[] = {{.protocol = "tcp", .host_port = 8080, .container_port = 80},
                                   {.protocol = "tcp", .host_ip = "127.0.0.1", .container_port = 80}};
    struct network_endpoint e = {.ports = ports, .port_count = 2}, other = {.ports = ports, .port_count = 1};
    struct network_host *h = open_host();
    struct network *n = create(h, "bridge", id1, NULL, false);
    struct inside in = make_inside(), in2 = make_inside();
    struct err err = {0};
    char answer[16];
    pid_t server;

    (void)state;
    strcpy(e.container_id, id1);
    strcpy(other.container_id, id2);
    attach(n, &e, &in);
    assert_true(ports[1].host_port >= 32768);
    server = serve(in.netns);
    fetch(e.ip, 80, answer);
    assert_string_equal(answer, "hello");
    fetch("127.0.0.1", 8080, answer);
    assert_string_equal(answer, "hello");
    fetch(network_gateway(n, 0), 8080, answer);
    assert_string_equal(answer, "hello");
    fetch("127.0.0.1", ports[1].host_port, answer);
    assert_string_equal(answer, "hello");
    fetch(network_gateway(n, 0), ports[1].host_port, answer); /* published on the loopback only */
    assert_string_equal(answer, "");

    assert_int_equal(network_attach(n, &other, in2.netns, in2.netlink, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_non_null(strstr(err.message, "Bind for 0.0.0.0:8080 failed: port is already allocated"));
    other.port_count = 0;
    assert_int_equal(network_attach(n, &other, in2.netns, in2.netlink, &err), 0);
    assert_string_not_equal(other.ip, e.ip);
    assert_int_equal(network_remove(n, &err), -1); /* in use */

    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    assert_int_equal(network_detach(n, &e, NULL), 0);
    assert_int_equal(network_detach(n, &other, NULL), 0);
    assert_true(goes_away(e.host_interface)); /* although the namespace lives on */
    fetch("127.0.0.1", 8080, answer);
    assert_string_equal(answer, "");
    assert_int_equal(network_remove(n, &err), 0);
    assert_int_equal(if_nametoindex("kgunit0"), 0);
    network_host_free(h);
    close(in.netns);
    close(in.netlink);
    close(in2.netns);
    close(in2.netlink);
}

static void test_both_families(void **state)
{
    struct network_port ports[] = {{.protocol = "tcp", .container_port = 80},
                                   {.protocol = "tcp", .host_ip = "::", .twin = true, .container_port = 80}};
    struct network_endpoint e = {.ports = ports, .port_count = 2}, second = {.ports = NULL};
    struct network_host *h = open_host();
    struct network_definition d = {.id = id1,
                                   .name = "six",
                                   .driver = "bridge",
                                   .ipv4 = true,
                                   .ipv6 = true,
                                   .icc = true,
                                   .masquerade = true};
    struct inside in = make_inside(), in2 = make_inside();
    struct err err = {0};
    struct network *n = network_create(h, &d, &err);
    char answer[16];
    pid_t server;

    (void)state;
    assert_string_equal(err.message, "");
    assert_int_equal(network_pool_count(n), 2);
    strcpy(e.container_id, id1);
    strcpy(second.container_id, id2);
    attach(n, &e, &in);
    attach(n, &second, &in2);
    assert_string_equal(strrchr(e.ip, '.') + 1, "2");
    assert_string_equal(strrchr(e.ip6, ':') + 1, "2");
    assert_string_equal(strrchr(second.ip6, ':') + 1, "3");
    assert_int_equal(e.prefix6, 64);
    assert_string_equal(e.gateway6, network_gateway(n, 1));
    assert_int_equal(ports[0].host_port, ports[1].host_port);
    server = serve(in.netns);
    const char *const from[] = {e.ip, e.ip6, "127.0.0.1", network_gateway(n, 0), network_gateway(n, 1)};
    for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
        fetch(from[i], i < 2 ? 80 : ports[0].host_port, answer);
        assert_string_equal(answer, "hello");
    }
    fetch("::1", ports[0].host_port, answer); /* refused at once */
    assert_string_equal(answer, "");
    snprintf(ports[0].host_ip, sizeof(ports[0].host_ip), "::1");
    assert_int_equal(network_publish(n, &e, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_IMPLEMENTED);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    assert_int_equal(network_detach(n, &e, NULL), 0);
    assert_int_equal(network_leave(n, &second, in2.netlink, NULL), 0);
    assert_true(goes_away(e.host_interface));
    assert_int_equal(network_remove(n, &err), 0);
    network_host_free(h);
    close(in.netns);
    close(in.netlink);
    close(in2.netns);
    close(in2.netlink);
}

static void test_restore_and_sweep(void **state)
{
    struct network_port port = {.protocol = "tcp", .host_port = 8081, .container_port = 80};
    struct network_endpoint e = {.ports = &port, .port_count = 1};
    struct network_host *h = open_host();
    struct network *n = create(h, "bridge", id1, "10.99.0.0/24", false);
    struct inside in = make_inside();
    struct network_host_options options = {
        .tag = "keg-unit", .bridge_prefix = "kgunit", .nat = true, .nat6 = true};
    struct err err = {0};
    char answer[16];
    pid_t server;

    (void)state;
    strcpy(e.container_id, id1);
    attach(n, &e, &in);
    create(h, "gone", id2, "10.98.0.0/24", false);
    server = serve(in.netns);
    network_host_free(h); /* the engine dies; the container goes on */
    fetch("127.0.0.1", 8081, answer);
    assert_string_equal(answer, "hello");

    h = network_host_open(&options, &err);
    n = create(h, "bridge", id1, "10.99.0.0/24", false);
    assert_int_equal(network_restore(n, &e, &err), 0);
    assert_int_equal(network_host_settle(h, &err), 0);
    assert_int_equal(if_nametoindex("br-222222222222"), 0); /* nobody claimed it */
    assert_int_not_equal(if_nametoindex(e.host_interface), 0);
    fetch("127.0.0.1", 8081, answer);
    assert_string_equal(answer, "hello");
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    assert_int_equal(network_detach(n, &e, NULL), 0);
    assert_int_equal(network_remove(n, &err), 0);
    network_host_free(h);
    close(in.netns);
    close(in.netlink);
}

static void test_addresses(void **state)
{
    struct address_set set = {0};
    struct subnet s;
    struct address address, given, outside;
    char text[SUBNET_TEXT_SIZE];

    (void)state;
    assert_int_equal(subnet_parse("172.30.1.7/29", &s, &given), 0);
    subnet_format(&s, text);
    assert_string_equal(text, "172.30.1.0/29");
    for (unsigned i = 1; i < 7; i++) {
        assert_int_equal(address_take_free(&set, &s, &s, &address), 0);
        assert_true(address.value - s.base.value == i);
    }
    assert_int_equal(address_take_free(&set, &s, &s, &address), -ENOSPC);
    assert_int_equal(address_parse("172.30.1.6", &address), 0);
    assert_int_equal(address_take(&set, &s, &address), -EADDRINUSE);
    assert_int_equal(address_parse("10.0.0.1", &outside), 0);
    assert_int_equal(address_take(&set, &s, &outside), -EADDRNOTAVAIL);
    address_release(&set, &s, &address);
    assert_int_equal(address_take_free(&set, &s, &s, &given), 0);
    assert_true(address_equal(&given, &address));
    address_set_finish(&set);
    for (const char *const *bad =
             (const char *const[]){"", "1.2.3.4", "1.2.3.4/33", "1.2.3/8", "x/8", "1.2.3.4/-1", "fd00::/129",
                                   "fd00::", ":/8", "::ffff:10.0.0.0/104", NULL};
         *bad; bad++)
        assert_int_equal(subnet_parse(*bad, &s, NULL), -EINVAL);
    assert_int_equal(pool_parse("base=10.0.0.0/8,size=24", &s), 0);
    assert_int_equal(pool_parse("10.0.0.0/8,24", &s), 0);
    assert_int_equal(pool_parse("base=fd00::/48,size=64", &s), 0);
    assert_int_equal(pool_parse("base=10.0.0.0/8,size=4", &s), -EINVAL);
}

static void test_addresses_ipv6(void **state)
{
    struct address_set set = {0};
    struct subnet s, range, other;
    struct address address;
    char text[SUBNET_TEXT_SIZE];

    (void)state;
    assert_int_equal(subnet_parse("fd00:1:2:3:ffff::9/64", &s, NULL), 0);
    subnet_format(&s, text);
    assert_string_equal(text, "fd00:1:2:3::/64");
    assert_int_equal(subnet_parse("fd00:1:2:3:8000::/65", &range, NULL), 0);
    assert_int_equal(address_parse("fd00:1:2:3:8000::1", &address), 0);
    assert_int_equal(address_take(&set, &s, &address), 0);
    assert_int_equal(address_take_free(&set, &s, &range, &address), 0);
    assert_string_equal(address_format(&address, text),
                        "fd00:1:2:3:8000::"); /* a range's first is like others */
    assert_int_equal(address_take_free(&set, &s, &range, &address), 0);
    assert_string_equal(address_format(&address, text), "fd00:1:2:3:8000::2");
    assert_int_equal(address_take_free(&set, &s, &s, &address), 0);
    assert_string_equal(address_format(&address, text), "fd00:1:2:3::1");
    assert_true(subnet_overlaps(&s, &range));
    assert_int_equal(subnet_parse("fd00:1:2:4::/64", &other, NULL), 0);
    assert_false(subnet_overlaps(&s, &other));
    assert_int_equal(subnet_parse("0.0.0.0/0", &other, NULL), 0);
    assert_false(subnet_overlaps(&s, &other)); /* of another family */
    other = pool_local("one");
    subnet_format(&other, text);
    assert_true(str_starts(text, "fd") && strstr(text, "::/48"));
    range = pool_local("two");
    assert_false(subnet_overlaps(&other, &range));
    address_set_finish(&set);
}

static void test_pool_avoids_routes(void **state)
{
    struct network_host *h = open_host();
    struct network *a = create(h, "bridge", id1, NULL, false), *b = create(h, "two", id2, NULL, true);
    struct subnet sa, sb;
    struct err err = {0};
    const struct network_subnet asked = {.subnet = network_subnet(a, 0)};
    struct network_definition overlapping = {
        .id = id2, .name = "three", .driver = "bridge", .ipv4 = true, .subnets = &asked, .subnet_count = 1};

    (void)state;
    assert_int_equal(subnet_parse(network_subnet(a, 0), &sa, NULL), 0);
    assert_int_equal(subnet_parse(network_subnet(b, 0), &sb, NULL), 0);
    assert_false(subnet_overlaps(&sa, &sb));
    assert_null(network_create(h, &overlapping, &err));
    assert_non_null(strstr(err.message, "overlaps"));
    overlapping.driver = "overlay";
    assert_null(network_create(h, &overlapping, &err));
    assert_int_equal(err.kind, ERR_NOT_IMPLEMENTED);
    assert_int_equal(network_remove(a, &err), 0);
    assert_int_equal(network_remove(b, &err), 0);
    network_host_free(h);
}

/* What is in the way may hold more subnets than can be tried one by one. */
static void test_pool_behind_large_ones(void **state _unused_)
{
    static const struct {
        const char *pool;
        const char *taken[3];
        const char *chosen; /* NULL: none is left */
    } rows[] = {
        {"fd00::/8,64", {"fd00::/9"}, "fd80::/64"},
        {"fd00::/8,64", {"fd00::/9", "fd80::/64", "fd80:0:0:1::/64"}, "fd80:0:0:2::/64"},
        {"fd00::/8,64", {"fd00::/8"}, NULL},
        {"fd00::/8,64", {"fd80::/9", "fd00::/9"}, NULL},
        {"fd00::/64,66", {"fd00::/66", "fd00::4000:0:0:1/128", "fd00:0:0:0:8000::/65"}, NULL},
        {"203.0.113.0/24,28", {"203.0.113.0/25", "203.0.113.129/32"}, "203.0.113.144/28"},
        {"203.0.113.0/24,28", {"203.0.0.0/16"}, NULL},
        {"255.255.255.0/24,26", {"255.255.255.0/25", "255.255.255.128/26"}, "255.255.255.192/26"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct subnet pools[2] = {0}, taken[3], chosen;
        char text[SUBNET_TEXT_SIZE];
        size_t count = 0;

        assert_int_equal(pool_parse(rows[i].pool, &pools[0]), 0);
        for (; count < ARRAY_SIZE(taken) && rows[i].taken[count]; count++)
            assert_int_equal(subnet_parse(rows[i].taken[count], &taken[count], NULL), 0);
        if (pool_choose(pools, pools[0].base.family, taken, count, &chosen, NULL) < 0) {
            assert_null(rows[i].chosen);
            continue;
        }
        subnet_format(&chosen, text);
        assert_string_equal(text, rows[i].chosen ? rows[i].chosen : "none");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_addresses_ipv6),
        cmocka_unit_test(test_both_families),
        cmocka_unit_test(test_pool_avoids_routes),
        cmocka_unit_test(test_pool_behind_large_ones),
        cmocka_unit_test(test_published_port),
        cmocka_unit_test(test_restore_and_sweep),
    };

    if (geteuid() != 0) {
        puts("skip: needs root");
        return 77;
    }
    enter_private_network();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
