/* A client that finds no daemon starts one, detached, and waits for its socket. */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/client.h"

#define START_TIMEOUT_NS (10 * CLOCK_NS_PER_S)
#define LOG_DIRECTORY    "/run/keg"
#define LOG_PATH         LOG_DIRECTORY "/kegd.log"

extern char **environ;

static int spawn_detached(const char *path, const char *host, pid_t *ret_pid, struct err *err)
{
    char *argv[] = {(char *)path, (char *)"-H", (char *)host, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int r;

    if (!host)
        argv[1] = NULL;
    path_mkdir_all(LOG_DIRECTORY, 0700);
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    sigaddset(&none, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, LOG_PATH, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    /* the caller's pipes would never end while the daemon lives */
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawn_file_actions_addchdir_np(&actions, "/");
    r = posix_spawn(ret_pid, path, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return r ? err_errno(err, r, "cannot start %s", path) : 0;
}

/* The last line of the daemon's log, for the error message. */
static void last_words(char *out, size_t size)
{
    _cleanup_(buf_finish) struct buf log = BUF_INIT(16 * 1024 * 1024);
    const char *line;

    snprintf(out, size, "its log is empty");
    if (file_read(AT_FDCWD, LOG_PATH, &log) < 0 || !log.len)
        return;
    while (log.len && log.data[log.len - 1] == '\n')
        log.data[--log.len] = '\0';
    line = strrchr(log.data, '\n');
    snprintf(out, size, "%s", line ? line + 1 : log.data);
}

static bool answers(const char *socket_path)
{
    int fd = unix_connect(socket_path, SOCK_STREAM);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

int daemon_start(const char *host, bool host_is_default, struct err *err)
{
    _cleanup_free_ char *kegd = path_beside("kegd");
    const char *socket_path = str_after(host, "unix://");
    struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};
    int64_t deadline = clock_monotonic() + START_TIMEOUT_NS;
    char words[600];
    bool gone = false;
    pid_t pid;

    if (!kegd)
        return err_set(err, ERR_UNAVAILABLE,
                       "Cannot connect to the keg daemon at %s, and there is no kegd beside keg to start",
                       host);
    if (geteuid() != 0)
        return err_set(err, ERR_UNAVAILABLE,
                       "Cannot connect to the keg daemon at %s. Is kegd running? (only root can start it)",
                       host);
    if (spawn_detached(kegd, host_is_default ? NULL : host, &pid, err) < 0)
        return -1;
    while (clock_monotonic() < deadline) {
        if (answers(socket_path))
            return 0;
        if (!gone && waitpid(pid, NULL, WNOHANG) == pid) {
            gone = true; /* another client's daemon may have won: give that one a moment */
            deadline = clock_monotonic() + CLOCK_NS_PER_S / 2;
        }
        nanosleep(&pause, NULL);
    }
    last_words(words, sizeof(words));
    return err_set(err, ERR_UNAVAILABLE, "kegd %s; the end of " LOG_PATH ": %s",
                   gone ? "stopped right after its start" : "doesn't answer after 10 seconds", words);
}
