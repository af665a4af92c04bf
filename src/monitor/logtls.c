/* keg-tls, started for a log server. */
#include "monitor/logtls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"

enum { WORDS_MAX = 1000 };

static char **arguments(const json_t *tls)
{
    static const char *const files[] = {"ca", "cert", "key"};
    char **argv = NULL;

    strv_push(&argv, json_str_or(tls, "program", ""));
    strv_push(&argv, "dial");
    strv_push(&argv, "--confine");
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (!str_empty(json_str(tls, files[i])))
            strv_push_take(&argv, xasprintf("--%s=%s", files[i], json_str(tls, files[i])));
    if (json_bool_or(tls, "verify", true))
        strv_push(&argv, "--verify");
    strv_push(&argv, json_str_or(tls, "host", ""));
    strv_push(&argv, json_str_or(tls, "port", ""));
    return argv;
}

static int start(char *const *argv, int plain, int status)
{
    char *nothing[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    pid_t pid;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, plain, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, status, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    r = posix_spawn(&pid, argv[0], &actions, &attributes, argv, nothing);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return -r;
}

int logtls_dial(const json_t *tls, int *ret_status)
{
    _cleanup_strv_ char **argv = arguments(tls);
    _cleanup_close_ int ours = -EBADF, theirs = -EBADF, status = -EBADF, told = -EBADF;
    int pair[2], ends[2], r;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    ours = pair[0];
    theirs = pair[1];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    status = ends[0];
    told = ends[1];
    r = start(argv, theirs, told);
    if (r < 0)
        return r;
    fd_set_nonblock(ours, true);
    *ret_status = take_fd(&status);
    return take_fd(&ours);
}

int logtls_wait(int status, int timeout_ms, struct err *err)
{
    struct pollfd p = {.fd = status, .events = POLLIN};
    char words[WORDS_MAX + 1];
    ssize_t n;

    if (poll(&p, 1, timeout_ms) <= 0)
        return err_set(err, ERR_UNAVAILABLE, "no answer within %d s", timeout_ms / 1000);
    n = read(status, words, WORDS_MAX);
    if (n == 0)
        return 0;
    words[MAX_OF(n, (ssize_t)0)] = '\0';
    return err_set(err, ERR_UNAVAILABLE, "%s", n < 0 ? "keg-tls cannot be heard" : words);
}
