/* posix_spawn with nothing inherited by accident. */
#include "image/worker_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "image/registry_protocol.h"

static const char *const kept_environment[] = {
    "HTTP_PROXY=",  "HTTPS_PROXY=", "NO_PROXY=",     "ALL_PROXY=",     "http_proxy=",
    "https_proxy=", "no_proxy=",    "all_proxy=",    "SSL_CERT_FILE=", "SSL_CERT_DIR=",
    "RES_OPTIONS=", "LOCALDOMAIN=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
};

static char **kept_variables(void)
{
    char **kept = NULL;

    for (char **variable = environ; variable && *variable; variable++)
        for (size_t i = 0; i < ARRAY_SIZE(kept_environment); i++)
            if (str_starts(*variable, kept_environment[i]))
                strv_push(&kept, *variable);
    return kept;
}

static int spawn(const char *path, const char *program, const char *verb, int input, int sock, pid_t *ret)
{
    char *argv[] = {(char *)program, (char *)verb, NULL};
    _cleanup_strv_ char **environment = kept_variables();
    char *empty[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    if (input >= 0)
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, sock, WORKER_SOCKET_FD);
    posix_spawn_file_actions_addclosefrom_np(&actions, WORKER_SOCKET_FD + 1);
    r = posix_spawn(ret, path, &actions, &attributes, argv, environment ? environment : empty);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return -r;
}

pid_t worker_process_spawn_verb(const char *dir, const char *program, const char *verb, int input,
                                int *ret_sock, struct err *err)
{
    _cleanup_free_ char *path = dir ? path_join(dir, program) : path_beside(program);
    _cleanup_close_ int ours = -EBADF, theirs = -EBADF, high_input = -EBADF, high_sock = -EBADF;
    int pair[2], r;
    pid_t pid;

    if (!path)
        return err_set(err, ERR_SYSTEM, "%s not found: it belongs beside this program or in ../libexec/keg",
                       program);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, errno, "start %s", program);
    ours = pair[0];
    theirs = pair[1];
    /* above the low numbers, so that one dup2 in the child doesn't overwrite the source of the next */
    high_sock = fcntl(theirs, F_DUPFD_CLOEXEC, 10);
    high_input = input >= 0 ? fcntl(input, F_DUPFD_CLOEXEC, 10) : -EBADF;
    if (high_sock < 0 || (input >= 0 && high_input < 0))
        return err_errno(err, errno, "start %s", program);
    r = spawn(path, program, verb, high_input, high_sock, &pid);
    if (r < 0)
        return err_errno(err, r, "start %s", path);
    *ret_sock = take_fd(&ours);
    return pid;
}

pid_t worker_process_spawn(const char *dir, const char *program, int input, int *ret_sock, struct err *err)
{
    return worker_process_spawn_verb(dir, program, NULL, input, ret_sock, err);
}

void worker_process_end(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
