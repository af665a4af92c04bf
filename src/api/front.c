/* kegd's side of keg-tls serve. */
#include "api/front.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"

enum { STACK = 64 * 1024, WORDS_MAX = 1000 };

struct front {
    int listening, control;
    char **argv;
    pid_t pid;
    void (*client)(void *arg, int fd);
    void *arg;
    pthread_t thread;
    bool runs;
    atomic_bool ending;
};

static int front_exec(struct front *f, int control)
{
    char *nothing[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, f->listening, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, control, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    r = posix_spawn(&f->pid, f->argv[0], &actions, &attributes, f->argv, nothing);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return -r;
}

static void front_end(struct front *f)
{
    close_fd(&f->control);
    if (f->pid <= 0)
        return;
    kill(f->pid, SIGKILL);
    while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    f->pid = 0;
}

/* Starts keg-tls and waits for what it says to its files. */
static int front_start(struct front *f, struct err *err)
{
    _cleanup_close_ int theirs = -EBADF;
    char words[WORDS_MAX + 1];
    int pair[2], r;
    ssize_t n;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, errno, "start keg-tls");
    f->control = pair[0];
    theirs = pair[1];
    r = front_exec(f, theirs);
    close_fd(&theirs);
    if (r < 0) {
        f->pid = 0;
        close_fd(&f->control);
        return err_errno(err, r, "start %s", f->argv[0]);
    }
    n = recv(f->control, words, WORDS_MAX, 0);
    words[MAX_OF(n, (ssize_t)0)] = '\0';
    if (str_eq(words, "ready"))
        return 0;
    front_end(f);
    return err_set(err, ERR_INVALID, "%s", *words ? words : "keg-tls ended before it said anything");
}

static void front_restart(struct front *f)
{
    const struct timespec pause = {.tv_sec = 1};
    struct err err = {0};

    front_end(f);
    log_error("keg-tls has ended: its connections are lost, another one is started");
    while (!f->ending && front_start(f, &err) < 0) {
        log_error("no TLS at present: %s", err.message);
        nanosleep(&pause, NULL);
    }
}

static void *front_work(void *arg)
{
    struct front *f = arg;

    while (!f->ending) {
        char byte;
        size_t count = 0;
        int fd = -EBADF;
        ssize_t n = fd_receive_message(f->control, &byte, 1, &fd, 1, &count);

        if (count)
            f->client(f->arg, fd);
        else if (n <= 0 && !f->ending)
            front_restart(f);
    }
    return NULL;
}

static char **front_arguments(const char *verb, const struct front_tls *tls, struct err *err)
{
    char *program = path_beside("keg-tls"), **argv = NULL;

    if (!program) {
        err_set(err, ERR_SYSTEM, "keg-tls not found: it belongs beside kegd or in ../libexec/keg");
        return NULL;
    }
    strv_push_take(&argv, program);
    strv_push(&argv, verb);
    if (tls->verify && tls->ca)
        strv_push_take(&argv, xasprintf("--ca=%s", tls->ca));
    strv_push_take(&argv, xasprintf("--cert=%s", tls->cert));
    strv_push_take(&argv, xasprintf("--key=%s", tls->key));
    if (tls->verify)
        strv_push(&argv, "--verify");
    return argv;
}

int front_check(const struct front_tls *tls, struct err *err)
{
    struct front f = {.listening = open("/dev/null", O_RDONLY | O_CLOEXEC), .control = -EBADF};
    int r;

    f.argv = front_arguments("check", tls, err);
    r = f.argv ? front_start(&f, err) : -1;
    front_end(&f);
    close_fd(&f.listening);
    strv_free(f.argv);
    return r;
}

struct front *front_new(int fd, const struct front_tls *tls, void (*client)(void *arg, int fd), void *arg,
                        struct err *err)
{
    struct front *f = xcalloc(1, sizeof(*f));
    pthread_attr_t attr;
    int r;

    f->listening = fd;
    f->control = -EBADF;
    f->client = client;
    f->arg = arg;
    f->argv = front_arguments("serve", tls, err);
    if (!f->argv || front_start(f, err) < 0)
        return front_free(f);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    r = pthread_create(&f->thread, &attr, front_work, f);
    pthread_attr_destroy(&attr);
    f->runs = r == 0;
    if (f->runs)
        return f;
    err_errno(err, r, "start a thread for TLS");
    return front_free(f);
}

struct front *front_free(struct front *f)
{
    if (!f)
        return NULL;
    f->ending = true;
    if (f->control >= 0)
        shutdown(f->control, SHUT_RDWR); /* wakes the thread */
    if (f->runs)
        pthread_join(f->thread, NULL);
    front_end(f);
    close_fd(&f->listening);
    strv_free(f->argv);
    free(f);
    return NULL;
}
