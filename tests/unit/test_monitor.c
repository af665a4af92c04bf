/* The whole monitor over a fake runtime: protocol, streams, exits. It runs in a child process, as under kegd.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"

enum { PATIENCE_MS = 10000 };

struct fixture {
    char dir[64];
    pid_t pid;      /* the monitor */
    int control;    /* kegd's end */
    json_t *events; /* those that came while waiting for replies */
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    int ends[2];

    strcpy(f->dir, "/tmp/keg-monitor-XXXXXX");
    if (!mkdtemp(f->dir) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    f->pid = fork();
    if (f->pid == 0) {
        if (chdir(f->dir) < 0 || dup2(ends[1], MONITOR_CONTROL_FD) < 0)
            _exit(99);
        closefrom(MONITOR_CONTROL_FD + 1);
        _exit(monitor_main());
    }
    close(ends[1]);
    f->control = ends[0];
    f->events = json_array();
    *state = f;
    return f->pid < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    close_fd(&f->control);
    if (f->pid > 0) {
        kill(f->pid, SIGKILL);
        waitpid(f->pid, NULL, 0);
    }
    json_decref(f->events);
    path_remove_all(AT_FDCWD, f->dir);
    free(f);
    return 0;
}

/* --- a small client --- */

static int memfd_of(const char *text)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
    return fd;
}

static json_t *receive(int sock)
{
    static char data[MONITOR_PACKET_MAX];
    struct pollfd p = {.fd = sock, .events = POLLIN};
    int fds[FD_PASS_MAX];
    size_t nfds;
    ssize_t n;
    json_t *json;

    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    n = fd_receive_message(sock, data, sizeof(data), fds, FD_PASS_MAX, &nfds);
    assert_true(n > 0);
    for (size_t i = 0; i < nfds; i++)
        close(fds[i]);
    json = json_parse(data, (size_t)n, "packet", NULL);
    assert_non_null(json);
    return json;
}

/* Sends a request (fds are closed) and returns the reply; events that come before it are kept. */
static json_t *request_on(struct fixture *f, int sock, const char *text, int fd0, int fd1)
{
    int fds[] = {fd0, fd1};
    size_t nfds = fd1 >= 0 ? 2 : fd0 >= 0 ? 1 : 0;

    assert_int_equal(fd_send_message(sock, text, strlen(text), fds, nfds), 0);
    for (size_t i = 0; i < nfds; i++)
        close(fds[i]);
    for (;;) {
        json_t *json = receive(sock);

        if (!json_object_get(json, "event"))
            return json;
        json_array_append_new(f->events, json);
    }
}

static void assert_ok(struct fixture *f, const char *text, int fd0, int fd1)
{
    _cleanup_json_ json_t *reply = request_on(f, f->control, text, fd0, fd1);

    if (!json_object_get(reply, "ok"))
        fail_msg("%s", json_str_or(json_object_get(reply, "error"), "message", "no ok"));
}

static void assert_error(struct fixture *f, const char *text, int fd0, int fd1, const char *kind)
{
    _cleanup_json_ json_t *reply = request_on(f, f->control, text, fd0, fd1);

    assert_string_equal(json_str_or(json_object_get(reply, "error"), "kind", ""), kind);
}

/* Waits for the event; others are passed over. The caller's. */
static json_t *await_event(struct fixture *f, const char *name)
{
    for (;;) {
        json_t *json;

        if (json_array_size(f->events)) {
            json = json_incref(json_array_get(f->events, 0));
            json_array_remove(f->events, 0);
        } else {
            json = receive(f->control);
        }
        if (str_eq(json_str(json, "event"), name))
            return json;
        json_decref(json);
    }
}

static void assert_exit(struct fixture *f, int code)
{
    _cleanup_json_ json_t *event = await_event(f, "exit");

    assert_int_equal(json_int_or(event, "exit_code", -1), code);
}

/* The monitor has gone by itself. */
static void assert_left(struct fixture *f)
{
    int status;

    for (int i = 0; i < PATIENCE_MS; i++) {
        if (waitpid(f->pid, &status, WNOHANG) == f->pid) {
            f->pid = 0;
            assert_int_equal(status, 0);
            return;
        }
        poll(NULL, 0, 1);
    }
    fail_msg("the monitor didn't leave");
}

#define START_PLAIN "{\"op\":\"start\",\"id\":\"t\",\"open_stdin\":true,\"stdin_once\":true"
#define START_TERMINAL                                                                                       \
    "{\"op\":\"start\",\"id\":\"t\",\"tty\":true,\"open_stdin\":true,\"console_size\":[33,77]"
#define ATTACH_ALL "\"stdin\":true,\"stdout\":true,\"stderr\":true"

static int config_of(const char *script, bool terminal)
{
    _cleanup_json_ json_t *config =
        json_pack("{s:{s:b, s:[s, s, s]}}", "process", "terminal", terminal, "args", "/bin/sh", "-c", script);
    _cleanup_free_ char *text = json_text(config);

    return memfd_of(text);
}

static void start(struct fixture *f, const char *script)
{
    assert_ok(f, START_PLAIN ",\"network\":\"inherit\"}", config_of(script, false), -1);
}

static void start_logged(struct fixture *f, const char *script)
{
    _cleanup_free_ char *text =
        xasprintf(START_PLAIN ",\"log\":{\"driver\":\"json-file\",\"path\":\"%s/log\"}}", f->dir);

    assert_ok(f, text, config_of(script, false), -1);
}

/* Attaches; returns the client's end. */
static int attach(struct fixture *f, const char *members)
{
    _cleanup_free_ char *text = xasprintf("{\"op\":\"attach\",%s}", members);
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_ok(f, text, ends[1], -1);
    return ends[0];
}

static int attach_exec(struct fixture *f, const char *id, const char *members, const char *script,
                       bool terminal)
{
    _cleanup_free_ char *text =
        xasprintf("{\"op\":\"exec\",\"exec_id\":\"%s\",\"open_stdin\":true,\"tty\":%s,"
                  "\"attach\":{%s}}",
                  id, terminal ? "true" : "false", members);
    _cleanup_json_ json_t *process =
        json_pack("{s:b, s:[s, s, s]}", "terminal", terminal, "args", "/bin/sh", "-c", script);
    _cleanup_free_ char *process_text = json_text(process);
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_ok(f, text, memfd_of(process_text), ends[1]);
    return ends[0];
}

/* Everything up to the end of the stream, or with `until` up to that text. The caller frees. */
static char *read_stream(int fd, const char *until, size_t *ret_len)
{
    struct buf b = BUF_INIT(64 * 1024 * 1024);

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (until && strstr(buf_str(&b), until))
            break;
        assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
        n = buf_read_fd(&b, fd, 65536);
        assert_true(n >= 0);
        if (n == 0)
            break;
    }
    if (ret_len)
        *ret_len = b.len;
    if (b.len == 0)
        buf_puts(&b, "");
    return buf_take(&b);
}

static void assert_stream(int fd, const char *expected)
{
    _cleanup_free_ char *text = read_stream(fd, NULL, NULL);

    assert_string_equal(text, expected);
    close(fd);
}

static char *read_file(struct fixture *f, const char *name)
{
    _cleanup_free_ char *path = path_join(f->dir, name);
    _cleanup_(buf_finish) struct buf b = BUF_INIT(64 * 1024 * 1024);

    return file_read(AT_FDCWD, path, &b) < 0 ? NULL : buf_take(&b);
}

/* --- tests --- */

static void test_run_and_exit(void **state)
{
    struct fixture *f = *state;
    int client = attach(f, ATTACH_ALL);
    _cleanup_free_ char *exit_text = NULL, *log = NULL;
    _cleanup_json_ json_t *exit_json = NULL;

    start_logged(f, "echo out; echo err >&2; exit 7");
    assert_exit(f, 7);
    exit_text = read_file(f, MONITOR_EXIT);
    exit_json = json_parse(exit_text, strlen(exit_text), "exit", NULL);
    assert_string_equal(json_str(exit_json, "status"), "stopped");
    assert_int_equal(json_int_or(exit_json, "exit_code", -1), 7);
    assert_true(json_int_or(exit_json, "finished_at", 0) >= json_int_or(exit_json, "started_at", 0));
    log = read_file(f, "log");
    assert_non_null(strstr(log, "{\"log\":\"out\\n\",\"stream\":\"stdout\",\"time\":\""));
    assert_non_null(strstr(log, "{\"log\":\"err\\n\",\"stream\":\"stderr\",\"time\":\""));
    {
        _cleanup_free_ char *text = read_stream(client, NULL, NULL);

        assert_int_equal(strlen(text), 8);
        assert_non_null(strstr(text, "out\n"));
        assert_non_null(strstr(text, "err\n"));
    }
    close(client);
    assert_left(f);
    assert_null(read_file(f, MONITOR_SOCKET));
}

static void test_exit_by_signal(void **state)
{
    struct fixture *f = *state;

    start(f, "exec sleep 60");
    assert_ok(f, "{\"op\":\"signal\",\"signal\":9}", -1, -1);
    assert_exit(f, 137);
    assert_left(f);
}

static void test_failed_starts(void **state)
{
    struct fixture *f = *state;
    int client = attach(f, ATTACH_ALL);

    assert_error(f, START_PLAIN "}", memfd_of("{\"process\":{\"args\":[\"/nonexistent\"]}}"), -1,
                 "no program");
    assert_stream(client, "");
    assert_left(f);
}

static void test_refused_configuration(void **state)
{
    struct fixture *f = *state;

    assert_error(f, START_PLAIN "}", memfd_of("{}"), -1, "invalid");
    assert_left(f);
}

static void test_requests_in_the_wrong_state(void **state)
{
    struct fixture *f = *state;

    assert_error(f, "{\"op\":\"signal\",\"signal\":9}", -1, -1, "conflict");
    assert_error(f, "{\"op\":\"exec\",\"exec_id\":\"e\"}", memfd_of("{}"), -1, "conflict");
    assert_error(f, "{\"op\":\"dance\"}", -1, -1, "not implemented");
    assert_error(f, "{\"op\":7}", -1, -1, "invalid");
    assert_error(f, "[", -1, -1, "invalid");
    assert_error(f, "{\"op\":\"attach\"}", -1, -1, "invalid");
    assert_error(f, "{\"op\":\"attach\",\"detach_keys\":\"foo\"}", memfd_of("x"), -1, "invalid");
    assert_error(f, "{\"op\":\"attach\"}", memfd_of("x"), -1, "invalid");
    assert_error(f, "{\"op\":\"resize\",\"exec_id\":\"none\",\"height\":1,\"width\":1}", -1, -1, "not found");
    start(f, "sleep 60");
    assert_error(f, START_PLAIN "}", config_of("true", false), -1, "conflict");
    assert_error(f, "{\"op\":\"resize\",\"height\":1,\"width\":1}", -1, -1, "invalid");
}

static void test_stdin_and_half_close(void **state)
{
    struct fixture *f = *state;
    int client = attach(f, ATTACH_ALL ",\"input\":\"6561726c790a\"");

    assert_int_equal(fd_write_full(client, "late\n", 5), 0);
    start(f, "cat; echo end");
    shutdown(client, SHUT_WR);
    assert_stream(client, "early\nlate\nend\n");
    assert_exit(f, 0);
    assert_left(f);
}

/* More input than any buffer holds, and all of it back: back-pressure both ways, not a byte lost. */
static void test_large_echo(void **state)
{
    struct fixture *f = *state;
    int client = attach(f, ATTACH_ALL);
    enum { SIZE = 5 * 1000 * 1000 };
    char *data = xmalloc(SIZE);
    _cleanup_(buf_finish) struct buf back = BUF_INIT(2 * SIZE);
    size_t sent = 0;

    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)('a' + (i * 7 + i / 1000) % 26);
    start(f, "cat");
    while (back.len < SIZE) {
        struct pollfd p = {.fd = client, .events = (short)(POLLIN | (sent < SIZE ? POLLOUT : 0))};
        ssize_t n;

        assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
        if (p.revents & POLLOUT) {
            n = send(client, data + sent, SIZE - sent, MSG_DONTWAIT);
            sent += n > 0 ? (size_t)n : 0;
            if (sent == SIZE)
                shutdown(client, SHUT_WR);
        }
        if (p.revents & POLLIN)
            assert_true(buf_read_fd(&back, client, 65536) > 0);
    }
    assert_memory_equal(back.data, data, SIZE);
    assert_stream(client, "");
    assert_exit(f, 0);
    free(data);
}

/* A client that left after its input: what it sent still arrives. */
static void test_input_of_a_client_that_left(void **state)
{
    struct fixture *f = *state;
    int client = attach(f, "\"stdin\":true");

    start_logged(f, "cat");
    assert_int_equal(fd_write_full(client, "last words\n", 11), 0);
    close(client);
    assert_exit(f, 0);
    {
        _cleanup_free_ char *log = read_file(f, "log");

        assert_non_null(strstr(log, "last words\\n"));
    }
    assert_left(f);
}

static void test_framed(void **state)
{
    struct fixture *f = *state;
    int client = attach(f, "\"stdout\":true,\"stderr\":true,\"framed\":true");
    size_t len;
    char *text;

    start(f, "echo one; sleep 0.1; echo three >&2");
    text = read_stream(client, NULL, &len);
    assert_int_equal(len, 8 + 4 + 8 + 6);
    free(text);
    close(client);
    client = -1;
    assert_exit(f, 0);
}

static void test_frame_header(void **state)
{
    struct fixture *f = *state;
    int client = attach(f, "\"stdout\":true,\"stderr\":true,\"framed\":true");
    char frame[14];

    start(f, "echo hello >&2; sleep 60");
    assert_int_equal(fd_read_full(client, frame, sizeof(frame)), sizeof(frame));
    assert_memory_equal(frame, "\x02\0\0\0\0\0\0\x06hello\n", sizeof(frame));
    close(client);
}

/* A client that doesn't read holds the program back, and gets everything in the end; one that left doesn't
 * count. */
static void test_slow_client(void **state)
{
    struct fixture *f = *state;
    int slow = attach(f, "\"stdout\":true"), gone = attach(f, "\"stdout\":true");
    size_t len;
    char *text;

    close(gone);
    start(f, "head -c 3000000 /dev/zero | tr '\\0' x; echo; exit 3");
    poll(NULL, 0, 200);
    {
        _cleanup_json_ json_t *reply = request_on(f, f->control, "{\"op\":\"state\"}", -1, -1);

        assert_string_equal(json_str(json_at(reply, "ok"), "status"), "running");
    }
    text = read_stream(slow, NULL, &len);
    assert_int_equal(len, 3000001);
    free(text);
    assert_exit(f, 3);
    close(slow);
    assert_left(f);
}

/* The exit is known at once even when an attached client is stuck; it still gets the last output. */
static void test_exit_with_a_stuck_client(void **state)
{
    struct fixture *f = *state;
    int stuck = attach(f, "\"stdout\":true");
    size_t len;
    char *text;

    start_logged(f, "head -c 200000 /dev/zero | tr '\\0' x; exit 4");
    assert_exit(f, 4);
    text = read_stream(stuck, NULL, &len);
    assert_int_equal(len, 200000);
    free(text);
    close(stuck);
    assert_left(f);
}

static void test_terminal(void **state)
{
    struct fixture *f = *state;
    int client = attach(f, ATTACH_ALL);
    char *text;

    assert_ok(f, START_TERMINAL "}",
              config_of("stty size; stty -echo; read l; stty size; echo \"got $l\"", true), -1);
    text = read_stream(client, "33 77\r\n", NULL);
    free(text);
    assert_ok(f, "{\"op\":\"resize\",\"height\":11,\"width\":22}", -1, -1);
    poll(NULL, 0, 100); /* stty -echo */
    assert_int_equal(fd_write_full(client, "line\r", 5), 0);
    text = read_stream(client, "got line\r\n", NULL);
    assert_non_null(strstr(text, "11 22\r\n"));
    free(text);
    assert_exit(f, 0);
    close(client);
    assert_left(f);
}

/* The program may close its terminal for a while. */
static void test_terminal_closed_and_opened(void **state)
{
    struct fixture *f = *state;
    int client = attach(f, ATTACH_ALL);
    char *text;

    assert_ok(f, START_TERMINAL "}",
              config_of("t=$(tty); exec <&- >&- 2>&-; sleep 0.2; exec <$t >$t 2>&1; echo back", true), -1);
    text = read_stream(client, NULL, NULL);
    assert_string_equal(text, "back\r\n");
    free(text);
    assert_exit(f, 0);
    close(client);
}

static void test_detach(void **state)
{
    struct fixture *f = *state;
    int client = attach(f, ATTACH_ALL ",\"detach_keys\":\"ctrl-x,y\"");
    json_t *event;
    char *text;

    assert_ok(f, START_TERMINAL "}", config_of("stty -echo; echo ready; read l; echo \"got $l\"", true), -1);
    text = read_stream(client, "ready\r\n", NULL);
    free(text);
    assert_int_equal(fd_write_full(client, "ab\x18y", 4), 0);
    event = await_event(f, "detach");
    assert_null(json_object_get(event, "exec_id"));
    json_decref(event);
    assert_stream(client, "");
    client = attach(f, ATTACH_ALL);
    assert_int_equal(fd_write_full(client, "c\r", 2), 0);
    assert_stream(client, "got abc\r\n");
    assert_exit(f, 0);
    assert_left(f);
}

static void test_exec(void **state)
{
    struct fixture *f = *state;
    json_t *event;
    int client;

    start(f, "sleep 60");
    client = attach_exec(f, "e1", ATTACH_ALL, "read a; echo $a; exit 5", false);
    assert_int_equal(fd_write_full(client, "hi\n", 3), 0);
    assert_stream(client, "hi\n");
    event = await_event(f, "exec-exit");
    assert_string_equal(json_str(event, "exec_id"), "e1");
    assert_int_equal(json_int_or(event, "exit_code", -1), 5);
    json_decref(event);
    client = attach_exec(f, "e2", ATTACH_ALL, "tty >/dev/null && echo terminal", true);
    assert_stream(client, "terminal\r\n");
    assert_error(f, "{\"op\":\"exec\",\"exec_id\":\"e3\",\"attach\":null}",
                 memfd_of("{\"args\":[\"/nonexistent\"]}"), -1, "no program");
    {
        _cleanup_json_ json_t *reply = request_on(f, f->control, "{\"op\":\"state\"}", -1, -1);

        assert_string_equal(json_str(json_at(reply, "ok"), "status"), "running");
        assert_int_equal(json_int_or(json_at(reply, "ok.execs.e1"), "exit_code", -1), 5);
        assert_null(json_at(reply, "ok.execs.e3"));
    }
}

/* An exec ends with its process, whoever still holds its pipes. */
static void test_exec_with_background_child(void **state)
{
    struct fixture *f = *state;
    json_t *event;
    int client;

    start(f, "sleep 60");
    client = attach_exec(f, "e1", ATTACH_ALL, "sleep 5 & echo started", false);
    assert_stream(client, "started\n");
    event = await_event(f, "exec-exit");
    assert_int_equal(json_int_or(event, "exit_code", -1), 0);
    json_decref(event);
}

static void test_execs_end_with_the_container(void **state)
{
    struct fixture *f = *state;
    json_t *event;
    int client;

    start(f, "sleep 60");
    client = attach_exec(f, "e1", ATTACH_ALL, "exec sleep 60", false);
    assert_ok(f, "{\"op\":\"signal\",\"signal\":15}", -1, -1);
    event = await_event(f, "exec-exit");
    assert_int_equal(json_int_or(event, "exit_code", -1), 137);
    json_decref(event);
    assert_exit(f, 143);
    assert_stream(client, "");
    assert_left(f);
}

/* kegd dies: streams go on, a new one finds the state and hears the end. */
static void test_kegd_dies(void **state)
{
    struct fixture *f = *state;
    int client = attach(f, ATTACH_ALL), exec_client, connection = -1;
    _cleanup_free_ char *path = path_join(f->dir, MONITOR_SOCKET);
    char *text;

    start(f, "read a; echo \"a $a\"; read b; echo \"b $b\"; exit 9");
    exec_client = attach_exec(f, "e1", ATTACH_ALL, "read a; echo \"exec $a\"; exit 2", false);
    close_fd(&f->control);
    assert_int_equal(fd_write_full(client, "1\n", 2), 0);
    text = read_stream(client, "a 1\n", NULL);
    free(text);
    assert_int_equal(fd_write_full(exec_client, "2\n", 2), 0);
    assert_stream(exec_client, "exec 2\n");
    connection = unix_connect(path, SOCK_SEQPACKET);
    assert_true(connection >= 0);
    f->control = connection;
    {
        _cleanup_json_ json_t *reply = request_on(f, connection, "{\"op\":\"watch\"}", -1, -1);

        assert_string_equal(json_str(json_at(reply, "ok"), "status"), "running");
        assert_int_equal(json_int_or(json_at(reply, "ok.execs.e1"), "exit_code", -1), 2);
    }
    assert_int_equal(fd_write_full(client, "3\n", 2), 0);
    assert_stream(client, "b 3\n");
    assert_exit(f, 9);
    assert_left(f);
}

static void test_kegd_dies_before_the_start(void **state)
{
    struct fixture *f = *state;

    close_fd(&f->control);
    assert_left(f);
}

/* More peers than the monitor serves at once: the others wait for their turn. */
static void test_many_connections(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *path = path_join(f->dir, MONITOR_SOCKET);
    int socks[100];

    start(f, "sleep 60");
    for (size_t i = 0; i < ARRAY_SIZE(socks); i++) {
        socks[i] = unix_connect(path, SOCK_SEQPACKET);
        assert_true(socks[i] >= 0);
        assert_int_equal(fd_send_message(socks[i], "{\"op\":\"state\"}", 14, NULL, 0), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(socks); i++) {
        json_decref(receive(socks[i]));
        close(socks[i]);
    }
    assert_ok(f, "{\"op\":\"state\"}", -1, -1);
}

/* A watcher that doesn't read is dropped; everybody else goes on. */
static void test_stuck_watcher(void **state)
{
    struct fixture *f = *state;
    _cleanup_free_ char *path = path_join(f->dir, MONITOR_SOCKET);
    _cleanup_close_ int watcher = -EBADF;
    int size = 1;

    start(f, "sleep 60");
    watcher = unix_connect(path, SOCK_SEQPACKET);
    json_decref(request_on(f, watcher, "{\"op\":\"watch\"}", -1, -1));
    setsockopt(watcher, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    for (int i = 0; i < 1500; i++)
        close(attach(f, "\"stdout\":true"));
    {
        struct pollfd p = {.fd = watcher, .events = POLLRDHUP};

        assert_int_equal(poll(&p, 1, 0), 1);
    }
    assert_ok(f, "{\"op\":\"state\"}", -1, -1);
}

static size_t count_descriptors(pid_t pid)
{
    _cleanup_free_ char *path = xasprintf("/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    size_t count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* Clients and execs come and go: no descriptor stays. */
static void test_no_descriptor_leaks(void **state)
{
    struct fixture *f = *state;
    size_t before;

    start(f, "sleep 60");
    assert_ok(f, "{\"op\":\"state\"}", -1, -1); /* "start" is over, with its descriptors */
    before = count_descriptors(f->pid);
    for (int i = 0; i < 100; i++) {
        _cleanup_free_ char *id = xasprintf("e%d", i);

        assert_stream(attach_exec(f, id, ATTACH_ALL, "exit 0", i & 1), "");
        json_decref(await_event(f, "exec-exit"));
        close(attach(f, "\"stdout\":true"));
    }
    for (int i = 0; i < PATIENCE_MS && count_descriptors(f->pid) != before; i++)
        poll(NULL, 0, 1);
    assert_int_equal(count_descriptors(f->pid), before);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        ROW(test_run_and_exit),
        ROW(test_exit_by_signal),
        ROW(test_failed_starts),
        ROW(test_refused_configuration),
        ROW(test_requests_in_the_wrong_state),
        ROW(test_stdin_and_half_close),
        ROW(test_large_echo),
        ROW(test_input_of_a_client_that_left),
        ROW(test_framed),
        ROW(test_frame_header),
        ROW(test_slow_client),
        ROW(test_exit_with_a_stuck_client),
        ROW(test_terminal),
        ROW(test_terminal_closed_and_opened),
        ROW(test_detach),
        ROW(test_exec),
        ROW(test_exec_with_background_child),
        ROW(test_execs_end_with_the_container),
        ROW(test_kegd_dies),
        ROW(test_kegd_dies_before_the_start),
        ROW(test_many_connections),
        ROW(test_stuck_watcher),
        ROW(test_no_descriptor_leaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
