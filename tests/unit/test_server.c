/* The HTTP server against clients that dribble, say nothing, or are too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/deadline.h"
#include "api/server.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

enum { TIMEOUT_MS = 400, PIECE_MS = 20, LIMIT = 3 };

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static struct server *server;

static int setup(void **state)
{
    int fd;
    struct err err = {0};

    (void)state;
    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/keg-server-%d", (int)getpid());
    fd = unix_listen(address.sun_path, SOCK_STREAM, 0600);
    server =
        server_new(&(struct server_options){.connection_limit = LIMIT, .request_timeout_ms = TIMEOUT_MS});
    return fd < 0 || listen(fd, 10) < 0 ? -1 : server_listen(server, fd, &err);
}

static int teardown(void **state)
{
    (void)state;
    server = server_free(server);
    return unlink(address.sun_path);
}

static int client(void)
{
    int fd = unix_connect(address.sun_path, SOCK_STREAM);

    assert_true(fd >= 0);
    return fd;
}

static bool readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms) == 1;
}

/* Sends `text`, then a byte of `filler` every so often. How many milliseconds it took until the server ended it; -1: it didn't
 * within ten times its limit. */
static int64_t dribble(const char *text, char filler)
{
    _cleanup_close_ int fd = client();
    int64_t begun = clock_monotonic();
    char answer[512];

    assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
    while ((clock_monotonic() - begun) / 1000000 < 10 * TIMEOUT_MS) {
        if (readable(fd, PIECE_MS) && read(fd, answer, sizeof(answer)) <= 0)
            return (clock_monotonic() - begun) / 1000000;
        if (send(fd, &filler, 1, MSG_NOSIGNAL) < 0)
            return (clock_monotonic() - begun) / 1000000;
    }
    return -1;
}

static void test_dribblers(void **state)
{
    static const char *const texts[] = {
        "GET /_ping HTTP/1.1\r\nHost: ",
        "G",
        "POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
        "10000\r\n\r\n{",
        "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        int64_t took = dribble(texts[i], 'x');

        assert_true(took >= TIMEOUT_MS - 1);
    }
}

static void test_silence(void **state)
{
    _cleanup_close_ int fd = client();
    char byte;

    (void)state;
    assert_true(readable(fd, 10 * TIMEOUT_MS));
    assert_int_equal(read(fd, &byte, 1), 0);
}

/* Every request begins the time anew. */
static void test_kept_alive(void **state)
{
    static const char request[] = "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n";
    _cleanup_close_ int fd = client();
    int64_t begun = clock_monotonic();
    char answer[1024];

    (void)state;
    while ((clock_monotonic() - begun) / 1000000 < 2 * TIMEOUT_MS) {
        assert_int_equal(fd_write_full(fd, request, sizeof(request) - 1), 0);
        assert_true(readable(fd, TIMEOUT_MS));
        assert_true(read(fd, answer, sizeof(answer)) > 0);
        assert_int_equal(strncmp(answer, "HTTP/1.1 200", 12), 0);
        (void)readable(fd, TIMEOUT_MS / 4);
    }
}

/* One too many is turned away, and finds a place when another has gone. */
static void test_limit(void **state)
{
    static const char request[] = "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n";
    int fds[LIMIT];
    char answer[1024];

    (void)state;
    for (int i = 0; i < LIMIT; i++) {
        fds[i] = client();
        assert_int_equal(fd_write_full(fds[i], request, sizeof(request) - 1), 0);
        assert_true(readable(fds[i], 10 * TIMEOUT_MS) && read(fds[i], answer, sizeof(answer)) > 0);
    }
    _cleanup_close_ int more = client();
    assert_true(readable(more, 10 * TIMEOUT_MS) || fd_write_full(more, request, sizeof(request) - 1) < 0);
    assert_true(read(more, answer, sizeof(answer)) <= 0);
    for (int i = 0; i < LIMIT; i++)
        close(fds[i]);
    for (int i = 0; i < 100; i++) {
        _cleanup_close_ int fd = client();
        ssize_t n;

        n = send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
        if (n > 0 && readable(fd, TIMEOUT_MS) && read(fd, answer, sizeof(answer)) > 0)
            return;
        poll(NULL, 0, PIECE_MS);
    }
    fail_msg("no place was free again");
}

/* What is done with the deadlines themselves. */
static void test_deadlines(void **state)
{
    struct deadlines *all = deadlines_new(50, NULL);
    int pairs[4][2];
    struct deadline *d[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[i]), 0);
        d[i] = deadline_add(all, pairs[i][0]);
    }
    deadline_stop(all, d[1]);
    deadline_release(all, d[2]);
    deadline_restart(all, d[2]);
    deadline_remove(all, d[3]);
    assert_true(readable(pairs[0][1], 5000));
    assert_false(readable(pairs[1][1], 100));
    assert_false(readable(pairs[2][1], 0) || readable(pairs[3][1], 0));
    deadline_restart(all, d[1]);
    assert_true(readable(pairs[1][1], 5000));
    for (int i = 0; i < 3; i++)
        deadline_remove(all, d[i]);
    assert_null(deadlines_free(all));
    for (int i = 0; i < 8; i++)
        close(pairs[i / 2][i % 2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dribblers), cmocka_unit_test(test_silence),   cmocka_unit_test(test_kept_alive),
        cmocka_unit_test(test_limit),     cmocka_unit_test(test_deadlines),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
