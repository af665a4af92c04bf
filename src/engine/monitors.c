/* Spawning monitors, and the packets exchanged with them. */
#include "engine/monitors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "monitor/protocol.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

enum { ANSWER_TIMEOUT_S = 120, BURY_TIMEOUT_MS = 10000, FIRST_FREE_FD = 10 };

struct spawner {
    int program; /* the sealed copy */
};

/* ---- the sealed copy ---- */

static int memfd_new(const char *name, unsigned flags)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    return fd < 0 && errno == EINVAL ? memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

static int memfd_seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

struct spawner *spawner_new(const char *libexec, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/keg-monitor", libexec);
    _cleanup_close_ int file = open(path, O_RDONLY | O_CLOEXEC), copy = memfd_new("keg-monitor", MFD_EXEC);
    struct stat st;
    if (file < 0 || fstat(file, &st) < 0) {
        err_errno(err, errno, "open %s", path);
        return NULL;
    }
    for (off_t done = 0; copy >= 0 && done < st.st_size;)
        if (sendfile(copy, file, &done, (size_t)(st.st_size - done)) <= 0)
            close_fd(&copy);
    if (copy < 0 || fchmod(copy, 0700) < 0 || memfd_seal(copy) < 0) {
        err_errno(err, errno, "copy %s into memory", path);
        return NULL;
    }
    struct spawner *s = xcalloc(1, sizeof(*s));
    s->program = fcntl(copy, F_DUPFD_CLOEXEC, FIRST_FREE_FD); /* out of the way of what a monitor is given */
    if (s->program < 0) {
        err_errno(err, errno, "duplicate a descriptor");
        return spawner_free(s);
    }
    return s;
}

struct spawner *spawner_free(struct spawner *s)
{
    if (s)
        close_fd(&s->program);
    free(s);
    return NULL;
}

/* ---- one monitor ---- */

struct monitor *monitor_free(struct monitor *m)
{
    if (!m)
        return NULL;
    close_fd(&m->sock);
    close_fd(&m->pidfd);
    container_unref(m->container);
    free(m);
    return NULL;
}

static struct monitor *monitor_new(struct container *c, int sock, int pidfd)
{
    struct monitor *m = xcalloc(1, sizeof(*m));
    *m = (struct monitor){.container = container_ref(c), .sock = sock, .pidfd = pidfd};
    return m;
}

static int spawn_program(const struct spawner *s, const char *directory, int sock, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    char program[64], *argv[] = {"keg-monitor", NULL}, *envp[] = {NULL};
    snprintf(program, sizeof(program), "/proc/self/fd/%d", s->program);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    posix_spawn_file_actions_adddup2(&actions, 0, 2);
    posix_spawn_file_actions_adddup2(&actions, sock, MONITOR_CONTROL_FD);
    posix_spawn_file_actions_addchdir_np(&actions, directory);
    int r = posix_spawn(ret_pid, program, &actions, &attr, argv, envp);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return r;
}

static void set_timeouts(int sock)
{
    const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

struct monitor *monitor_spawn(struct container *c, struct err *err)
{
    _cleanup_free_ char *directory = container_run_path(c, NULL);
    int pair[2];
    pid_t pid;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        err_errno(err, errno, "make a socket pair");
        return NULL;
    }
    int r = spawn_program(c->engine->spawner, directory, pair[1], &pid);
    close(pair[1]);
    if (r != 0) {
        close(pair[0]);
        err_errno(err, r, "start keg-monitor");
        return NULL;
    }
    set_timeouts(pair[0]); /* one that hangs while it starts a container keeps nobody for ever */
    /* Our child can't be reaped by anybody else, so the number is still its own. */
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return monitor_new(c, pair[0], pidfd < 0 ? -EBADF : pidfd);
}

static int connect_to(const struct container *c, struct err *err)
{
    _cleanup_free_ char *path = container_run_path(c, MONITOR_SOCKET);
    int sock = unix_connect(path, SOCK_SEQPACKET);
    if (sock < 0)
        return err_set(err, ERR_UNAVAILABLE, "the monitor of container %.12s doesn't answer: %s", c->id,
                       strerror(-sock));
    return sock;
}

void monitor_bury(struct monitor *m)
{
    struct pollfd p = {.fd = m->pidfd >= 0 ? m->pidfd : m->sock, .events = POLLIN};
    poll(&p, 1, BURY_TIMEOUT_MS);
    if (m->pidfd >= 0) {
        siginfo_t ignored;
        syscall(SYS_pidfd_send_signal, m->pidfd, SIGKILL, NULL, 0);
        waitid(P_PIDFD, (id_t)m->pidfd, &ignored, WEXITED);
    }
}

/* ---- packets ---- */

int monitor_send(int sock, const json_t *packet, const int *fds, size_t nfds, struct err *err)
{
    _cleanup_free_ char *text = json_text(packet);
    if (!text || strlen(text) > MONITOR_PACKET_MAX)
        return err_set(err, ERR_SYSTEM, "a message to the monitor is too long");
    int r = fd_send_message(sock, text, strlen(text), fds, nfds);
    return r < 0 ? err_errno(err, r, "send to the monitor") : 0;
}

json_t *monitor_receive(int sock, int *fds, size_t *ret_nfds, struct err *err)
{
    _cleanup_free_ char *data = xmalloc(MONITOR_PACKET_MAX);
    size_t max = fds ? MONITOR_FDS_MAX : 0;
    ssize_t n = fd_receive_message(sock, data, MONITOR_PACKET_MAX, fds, max, ret_nfds);
    if (n == -ECONNRESET) /* told once, before what the monitor said last */
        n = fd_receive_message(sock, data, MONITOR_PACKET_MAX, fds, max, ret_nfds);
    if (n == 0 || n == -ECONNRESET) {
        err_set(err, ERR_UNAVAILABLE, "the monitor has ended");
        return NULL;
    }
    if (n < 0) {
        err_errno(err, (int)n, "receive from the monitor");
        return NULL;
    }
    return json_parse(data, (size_t)n, "monitor", err);
}

int monitor_reply(const json_t *packet, json_t **ret_ok, struct err *err)
{
    const json_t *error = json_object_get(packet, "error");
    if (error) {
        err_set(err, err_kind_from_name(json_str_or(error, "kind", "")), "%s",
                json_str_or(error, "message", "unknown error"));
        if (err)
            err->errnum = (int)json_int_or(error, "errno", 0);
        return -1;
    }
    json_t *ok = json_object_get(packet, "ok");
    if (!ok)
        return err_set(err, ERR_SYSTEM, "the monitor's answer can't be understood");
    if (ret_ok)
        *ret_ok = json_incref(ok);
    return 0;
}

int monitor_ask(int sock, const json_t *request, const int *fds, size_t nfds, json_t **ret_ok,
                struct err *err)
{
    if (monitor_send(sock, request, fds, nfds, err) < 0)
        return -1;
    for (;;) {
        _cleanup_json_ json_t *packet = monitor_receive(sock, NULL, NULL, err);
        if (!packet)
            return -1;
        if (!json_object_get(packet, "event"))
            return monitor_reply(packet, ret_ok, err);
    }
}

int monitor_request_open(struct container *c, const json_t *request, const int *fds, size_t nfds,
                         json_t **ret_ok, struct err *err)
{
    _cleanup_close_ int sock = connect_to(c, NULL);
    if (sock < 0)
        return err_set(err, ERR_CONFLICT, "container %s is not running", c->id);
    set_timeouts(sock);
    struct err why = {0};
    if (monitor_ask(sock, request, fds, nfds, ret_ok, &why) == 0)
        return take_fd(&sock);
    if (why.kind == ERR_UNAVAILABLE || why.errnum == EPIPE) /* it ended just now */
        return err_set(err, ERR_CONFLICT, "container %s is not running", c->id);
    return err_pass(err, &why);
}

int monitor_request(struct container *c, const json_t *request, const int *fds, size_t nfds, json_t **ret_ok,
                    struct err *err)
{
    _cleanup_close_ int sock = monitor_request_open(c, request, fds, nfds, ret_ok, err);
    return sock < 0 ? -1 : 0;
}

int monitor_request_fds(struct container *c, const json_t *request, int *fds, size_t *ret_nfds,
                        struct err *err)
{
    _cleanup_close_ int sock = connect_to(c, NULL);
    if (sock < 0)
        return err_set(err, ERR_CONFLICT, "container %s is not running", c->id);
    set_timeouts(sock);
    if (monitor_send(sock, request, NULL, 0, err) < 0)
        return -1;
    *ret_nfds = 0;
    for (;;) {
        _cleanup_json_ json_t *packet =
            *ret_nfds ? monitor_receive(sock, NULL, NULL, err) : monitor_receive(sock, fds, ret_nfds, err);
        if (packet && json_object_get(packet, "event"))
            continue;
        if (packet && monitor_reply(packet, NULL, err) == 0)
            return 0;
        for (size_t i = 0; i < *ret_nfds; i++)
            close(fds[i]);
        *ret_nfds = 0;
        return -1;
    }
}

int monitor_memfd(const json_t *json, struct err *err)
{
    _cleanup_free_ char *text = json_text(json);
    _cleanup_close_ int fd = memfd_new("keg-config", 0);
    int r = !text ? -EINVAL : fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));
    if (r < 0 || lseek(fd, 0, SEEK_SET) < 0 || memfd_seal(fd) < 0)
        return err_errno(err, r < 0 ? r : errno, "pass a configuration to the monitor");
    return take_fd(&fd);
}

struct monitor *monitor_watch(struct container *c, json_t **ret_state, struct err *err)
{
    _cleanup_close_ int sock = connect_to(c, err);
    if (sock < 0)
        return NULL;
    set_timeouts(sock);
    _cleanup_json_ json_t *request = json_object();
    json_set_str(request, "op", "watch");
    if (monitor_ask(sock, request, NULL, 0, ret_state, err) < 0)
        return NULL;
    return monitor_new(c, take_fd(&sock), -EBADF);
}
