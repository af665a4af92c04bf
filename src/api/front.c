/* kegd's side of keg-tls serve. */
#include "api/front.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"

enum { STACK = 64 * 1024, WORDS_MAX = 1000, PROCESSES_MAX = 64 };

/* A keg-tls. */
struct process {
    pid_t pid;
    int control;
    bool retired; /* accepts nobody any more, and ends with its last connection */
};

struct front {
    int listening, wake; /* wake: an eventfd that the thread looks at */
    void (*client)(void *arg, int fd);
    void *arg;
    pthread_t thread;
    bool runs;
    atomic_bool ending;
    pthread_mutex_t lock; /* of what follows */
    char **argv;
    struct process processes[PROCESSES_MAX]; /* the last one accepts */
    size_t count;
};

static int front_exec(char *const *argv, int listening, int control, pid_t *ret)
{
    char *nothing[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, listening, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, control, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    r = posix_spawn(ret, argv[0], &actions, &attributes, argv, nothing);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return -r;
}

static void process_end(struct process *p)
{
    close_fd(&p->control);
    if (p->pid <= 0)
        return;
    kill(p->pid, SIGKILL);
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    p->pid = 0;
}

/* Starts keg-tls and waits for what it says to its files. */
static int process_start(char *const *argv, int listening, struct process *ret, struct err *err)
{
    struct process p = {.control = -EBADF};
    _cleanup_close_ int theirs = -EBADF;
    char words[WORDS_MAX + 1];
    int pair[2], r;
    ssize_t n;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, errno, "start keg-tls");
    p.control = pair[0];
    theirs = pair[1];
    r = front_exec(argv, listening, theirs, &p.pid);
    close_fd(&theirs);
    if (r < 0) {
        close_fd(&p.control);
        return err_errno(err, r, "start %s", argv[0]);
    }
    n = recv(p.control, words, WORDS_MAX, 0);
    words[MAX_OF(n, (ssize_t)0)] = '\0';
    if (str_eq(words, "ready")) {
        *ret = p;
        return 0;
    }
    process_end(&p);
    return err_set(err, ERR_INVALID, "%s", *words ? words : "keg-tls ended before it said anything");
}

/* Under the lock: another one, as the one that accepts. */
static int front_start(struct front *f, struct err *err)
{
    if (f->count == PROCESSES_MAX)
        return err_set(err, ERR_CONFLICT, "%d keg-tls of earlier certificates still have connections",
                       PROCESSES_MAX - 1);
    if (process_start(f->argv, f->listening, &f->processes[f->count], err) < 0)
        return -1;
    f->count++;
    return 0;
}

/* A process has ended; under the lock. */
static void front_bury(struct front *f, size_t i)
{
    bool retired = f->processes[i].retired;

    process_end(&f->processes[i]);
    memmove(&f->processes[i], &f->processes[i + 1], (f->count - i - 1) * sizeof(struct process));
    f->count--;
    if (!retired)
        log_error("keg-tls has ended: its connections are lost, another one is started");
}

/* One that accepts is needed; where there is none to be had the next second brings one. */
static void front_keep(struct front *f)
{
    const struct timespec pause = {.tv_sec = 1};
    struct err err = {0};
    int r = 0;

    pthread_mutex_lock(&f->lock);
    if (!f->ending && (f->count == 0 || f->processes[f->count - 1].retired))
        r = front_start(f, &err);
    pthread_mutex_unlock(&f->lock);
    if (r == 0)
        return;
    log_error("no TLS at present: %s", err.message);
    nanosleep(&pause, NULL);
}

/* Takes what a process has to give. */
static void front_receive(struct front *f, size_t i)
{
    char byte;
    size_t count = 0;
    int fd = -EBADF;
    ssize_t n = fd_receive_message(f->processes[i].control, &byte, 1, &fd, 1, &count);

    if (count)
        f->client(f->arg, fd);
    else if (n <= 0 && !f->ending)
        front_bury(f, i);
}

static void *front_work(void *arg)
{
    struct front *f = arg;

    while (!f->ending) {
        struct pollfd polled[PROCESSES_MAX + 1] = {{.fd = f->wake, .events = POLLIN}};
        uint64_t number;
        size_t n;

        front_keep(f);
        pthread_mutex_lock(&f->lock);
        n = f->count;
        for (size_t i = 0; i < n; i++)
            polled[i + 1] = (struct pollfd){.fd = f->processes[i].control, .events = POLLIN};
        pthread_mutex_unlock(&f->lock);
        if (poll(polled, n + 1, -1) < 0)
            continue;
        if (polled[0].revents)
            (void)!read(f->wake, &number, sizeof(number));
        pthread_mutex_lock(&f->lock); /* only this thread removes any: those of before are the first n */
        for (size_t i = n; i > 0; i--)
            if (polled[i].revents)
                front_receive(f, i - 1);
        pthread_mutex_unlock(&f->lock);
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
    _cleanup_close_ int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    _cleanup_strv_ char **argv = front_arguments("check", tls, err);
    struct process p;

    if (!argv || process_start(argv, nothing, &p, err) < 0)
        return -1;
    process_end(&p);
    return 0;
}

static int front_start_thread(struct front *f, struct err *err)
{
    pthread_attr_t attr;
    int r;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    r = pthread_create(&f->thread, &attr, front_work, f);
    pthread_attr_destroy(&attr);
    f->runs = r == 0;
    return f->runs ? 0 : err_errno(err, r, "start a thread for TLS");
}

struct front *front_new(int fd, const struct front_tls *tls, void (*client)(void *arg, int fd), void *arg,
                        struct err *err)
{
    struct front *f = xcalloc(1, sizeof(*f));

    pthread_mutex_init(&f->lock, NULL);
    f->listening = fd;
    f->client = client;
    f->arg = arg;
    f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->argv = front_arguments("serve", tls, err);
    if (!f->argv || front_start(f, err) < 0 || front_start_thread(f, err) < 0)
        return front_free(f);
    return f;
}

static void front_wake(const struct front *f)
{
    const uint64_t one = 1;

    (void)!write(f->wake, &one, sizeof(one));
}

int front_reload(struct front *f, const struct front_tls *tls, struct err *err)
{
    char **argv = front_arguments("serve", tls, err), **earlier;
    int r;

    if (!argv)
        return -1;
    pthread_mutex_lock(&f->lock);
    earlier = f->argv;
    f->argv = argv;
    r = front_start(f, err);
    if (r < 0)
        f->argv = earlier;
    for (size_t i = 0; r == 0 && i + 1 < f->count; i++) {
        if (!f->processes[i].retired)
            kill(f->processes[i].pid, SIGHUP);
        f->processes[i].retired = true;
    }
    pthread_mutex_unlock(&f->lock);
    strv_free(r < 0 ? argv : earlier);
    front_wake(f);
    return r;
}

struct front *front_free(struct front *f)
{
    if (!f)
        return NULL;
    f->ending = true;
    front_wake(f);
    if (f->runs)
        pthread_join(f->thread, NULL);
    for (size_t i = 0; i < f->count; i++)
        process_end(&f->processes[i]);
    close_fd(&f->listening);
    close_fd(&f->wake);
    strv_free(f->argv);
    pthread_mutex_destroy(&f->lock);
    free(f);
    return NULL;
}
