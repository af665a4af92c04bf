/* Passing readiness on: see notify.h. */
#include "runtime/command/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "sys/pidfd.h"

#define DIRECTORY "notify"
#define SOCKET    "notify.sock"
#define INSIDE    "/run/notify"

enum { DATAGRAM_MAX = 4096, BARRIER_MS = 30000 };

static const char *manager(void)
{
    const char *path = getenv("NOTIFY_SOCKET");

    return str_empty(path) ? NULL : path;
}

bool notify_is_wanted(void)
{
    return manager() != NULL;
}

int notify_prepare(const char *state_dir, json_t *config, struct err *err)
{
    _cleanup_free_ char *directory = path_join(state_dir, DIRECTORY);
    json_t *process = json_object_get(config, "process"), *mounts, *env;

    if (!json_is_object(process))
        return 0;
    if (mkdir(directory, 0755) < 0)
        return err_errno(err, errno, "make %s", directory);
    mounts = json_object_get(config, "mounts");
    if (!mounts)
        json_object_set_new(config, "mounts", mounts = json_array());
    env = json_object_get(process, "env");
    if (!env)
        json_object_set_new(process, "env", env = json_array());
    json_array_append_new(mounts, json_pack("{s:s, s:s, s:s, s:[s,s,s,s,s]}", "destination", INSIDE, "type",
                                            "bind", "source", directory, "options", "bind", "nosuid",
                                            "noexec", "nodev", "ro"));
    json_array_append_new(env, json_string("NOTIFY_SOCKET=" INSIDE "/" SOCKET));
    return 0;
}

/* By way of the directory's descriptor: paths of sockets are short. The container's user, whoever it is, may write to it. */
static int bind_proxy(const char *directory)
{
    _cleanup_close_ int dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (dir < 0 || fd < 0)
        return -errno;
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" SOCKET, dir);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || fchmodat(dir, SOCKET, 0777, 0) < 0)
        return -errno;
    return take_fd(&fd);
}

/* '@' stands for the NUL of an abstract name. */
static int connect_manager(const char *path)
{
    _cleanup_close_ int fd = -EBADF;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(path);

    if (*path != '@')
        return unix_connect(path, SOCK_DGRAM);
    if (n > sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, n);
    address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
        return -errno;
    return take_fd(&fd);
}

int notify_open(struct notify *notify, const char *state_dir, struct err *err)
{
    _cleanup_free_ char *directory = path_join(state_dir, DIRECTORY);

    if (!manager() || access(directory, F_OK) < 0)
        return 0;
    notify->host = connect_manager(manager());
    if (notify->host < 0)
        return err_errno(err, notify->host, "connect to NOTIFY_SOCKET %s", manager());
    notify->proxy = bind_proxy(directory);
    return notify->proxy < 0 ? err_errno(err, notify->proxy, "bind a socket in %s", directory) : 0;
}

void notify_close(struct notify *notify)
{
    close_fd(&notify->host);
    close_fd(&notify->proxy);
}

/* The manager closes the descriptor when it has worked off what was sent before: only then may the sender go. */
static void wait_for_manager(int host)
{
    int ends[2];
    struct pollfd p;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    p = (struct pollfd){.fd = ends[0]};
    if (fd_send_message(host, "BARRIER=1", strlen("BARRIER=1"), &ends[1], 1) == 0) {
        close_fd(&ends[1]);
        (void)poll(&p, 1, BARRIER_MS);
    }
    close_fd(&ends[0]);
    close_fd(&ends[1]);
}

/* The line that begins with READY=, NULL if there is none. */
static const char *find_ready(char *datagram)
{
    for (char *rest = datagram, *line; (line = strsep(&rest, "\n"));)
        if (str_starts(line, "READY="))
            return line;
    return NULL;
}

bool notify_forward(struct notify *notify, pid_t pid)
{
    char datagram[DATAGRAM_MAX + 1], text[32];
    ssize_t n = recv(notify->proxy, datagram, DATAGRAM_MAX, 0);
    const char *ready;

    if (n < 0)
        return false;
    datagram[n] = '\0';
    ready = find_ready(datagram);
    if (!ready)
        return false;
    (void)send(notify->host, ready, strlen(ready), MSG_NOSIGNAL);
    if (pid > 0) {
        snprintf(text, sizeof(text), "MAINPID=%d", pid);
        (void)send(notify->host, text, strlen(text), MSG_NOSIGNAL);
        wait_for_manager(notify->host);
    }
    notify_close(notify);
    return true;
}

void notify_wait(struct notify *notify, pid_t pid, int pidfd)
{
    struct pollfd p[] = {{.fd = notify->proxy, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};

    while (notify->proxy >= 0 && (poll(p, ARRAY_SIZE(p), -1) >= 0 || errno == EINTR)) {
        if (p[0].revents && notify_forward(notify, pid))
            return;
        if (p[1].revents)
            return;
    }
}
