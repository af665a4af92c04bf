/* Spawning keg-layer and hearing from it. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/internal.h"

/* Descriptors for the worker are first copied above all the numbers they will have there, so that none is
 * overwritten before it is used. */
enum { FD_ABOVE = WORKER_FD_LOWER + WORKER_LOWER_MAX };

struct plan {
    posix_spawn_file_actions_t actions;
    int *copies;
    size_t n_copies;
};

static void plan_finish(struct plan *p)
{
    for (size_t i = 0; i < p->n_copies; i++)
        close(p->copies[i]);
    free(p->copies);
    posix_spawn_file_actions_destroy(&p->actions);
}

static int plan_fd(struct plan *p, int fd, int number)
{
    int copy;

    if (fd < 0)
        return 0;
    copy = fcntl(fd, F_DUPFD_CLOEXEC, FD_ABOVE);
    if (copy < 0)
        return -errno;
    p->copies = xreallocarray(p->copies, p->n_copies + 1, sizeof(*p->copies));
    p->copies[p->n_copies++] = copy;
    return -posix_spawn_file_actions_adddup2(&p->actions, copy, number);
}

static int plan_all(struct plan *p, const struct worker_spec *spec, int report, int shared)
{
    const int fds[][2] = {
        {report, WORKER_FD_REPORT},       {shared, WORKER_FD_SHARED},   {spec->input, WORKER_FD_INPUT},
        {spec->output, WORKER_FD_OUTPUT}, {spec->tree, WORKER_FD_TREE}, {spec->pending, WORKER_FD_PENDING},
        {spec->work, WORKER_FD_WORK},
    };
    int r = -posix_spawn_file_actions_addopen(&p->actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);

    if (r == 0)
        r = -posix_spawn_file_actions_adddup2(&p->actions, STDIN_FILENO, STDOUT_FILENO);
    for (size_t i = 0; i < ARRAY_SIZE(fds) && r == 0; i++)
        r = plan_fd(p, fds[i][0], fds[i][1]);
    for (size_t i = 0; i < spec->n_lower && r == 0; i++)
        r = plan_fd(p, spec->lower[i], WORKER_FD_LOWER + (int)i);
    return r;
}

/* Its own process group, so that a terminal's signals don't reach it; nothing blocked, nothing ignored. */
static void set_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attr, &none);
    posix_spawnattr_setsigdefault(attr, &all);
    posix_spawnattr_setpgroup(attr, 0);
    posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static int spawn(struct storage *s, const struct worker_spec *spec, struct plan *plan, pid_t *ret)
{
    char numbers[5][24];
    char *argv[] = {(char *)"keg-layer", (char *)spec->verb, numbers[0], numbers[1],
                    numbers[2],          numbers[3],         numbers[4], NULL};
    char *envp[] = {NULL};
    posix_spawnattr_t attr;
    int r;

    snprintf(numbers[0], sizeof(numbers[0]), "%" PRId64, spec->limits.max_entries);
    snprintf(numbers[1], sizeof(numbers[1]), "%" PRId64, spec->limits.max_bytes);
    snprintf(numbers[2], sizeof(numbers[2]), "%" PRId64, spec->limits.max_ratio);
    snprintf(numbers[3], sizeof(numbers[3]), "%d", (int)spec->store);
    snprintf(numbers[4], sizeof(numbers[4]), "%zu", spec->n_lower);
    posix_spawnattr_init(&attr);
    set_attributes(&attr);
    r = -posix_spawn(ret, s->worker, &plan->actions, &attr, argv, envp);
    posix_spawnattr_destroy(&attr);
    return r;
}

/* The page of counters. Its size is sealed: the worker can't take it away under our feet. */
static int new_shared(struct worker_shared **ret)
{
    _cleanup_close_ int fd = memfd_create("keg-layer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct worker_shared *map;

    if (fd < 0 || ftruncate(fd, sizeof(**ret)) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    map = mmap(NULL, sizeof(*map), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    *ret = map;
    return take_fd(&fd);
}

static void drop_shared(struct worker *w)
{
    if (w->shared)
        munmap(w->shared, sizeof(*w->shared));
    w->shared = NULL;
}

int worker_spawn(struct storage *s, const struct worker_spec *spec, struct worker *ret, struct err *err)
{
    _cleanup_close_ int read_end = -EBADF, write_end = -EBADF, shared = -EBADF;
    _cleanup_(plan_finish) struct plan plan = {};
    struct worker w = {.report = -EBADF};
    int ends[2], r;

    posix_spawn_file_actions_init(&plan.actions);
    if (spec->n_lower > WORKER_LOWER_MAX)
        return err_set(err, ERR_INVALID, "an image of %zu layers is too deep (%d are possible)",
                       spec->n_lower, WORKER_LOWER_MAX);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, errno, "cannot make a pipe");
    read_end = ends[0];
    write_end = ends[1];
    shared = new_shared(&w.shared);
    r = shared < 0 ? shared : plan_all(&plan, spec, write_end, shared);
    if (r == 0)
        r = spawn(s, spec, &plan, &w.pid);
    if (r < 0) {
        drop_shared(&w);
        return err_errno(err, r, "cannot start %s", s->worker);
    }
    w.report = take_fd(&read_end);
    *ret = w;
    return 0;
}

void worker_await(struct worker *w)
{
    siginfo_t info;

    while (waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
}

static int check_end(int status, ssize_t len, const struct worker_report *report, struct err *err)
{
    if (len == sizeof(*report) && report->magic == WORKER_REPORT_MAGIC)
        return 0;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        return err_set(err, ERR_SYSTEM, "the layer worker was ended: it made a system call it may not make");
    if (WIFSIGNALED(status))
        return err_set(err, ERR_SYSTEM, "the layer worker was killed by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    return err_set(err, ERR_SYSTEM, "the layer worker ended without a report (exit status %d)",
                   WEXITSTATUS(status));
}

int worker_finish(struct worker *w, struct worker_report *ret, struct err *err)
{
    ssize_t len;
    int status = 0, r;

    worker_await(w);
    len = fd_read_full(w->report, ret, sizeof(*ret));
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    w->pid = 0;
    close_fd(&w->report);
    drop_shared(w);
    r = check_end(status, len, ret, err);
    if (r < 0)
        return -1;
    ret->err.message[sizeof(ret->err.message) - 1] = '\0';
    ret->blob_hex[sizeof(ret->blob_hex) - 1] = '\0';
    ret->diff_hex[sizeof(ret->diff_hex) - 1] = '\0';
    if (!ret->failed)
        return 0;
    if (ret->err.kind <= ERR_NONE || ret->err.kind >= ERR_KIND_COUNT)
        ret->err.kind = ERR_SYSTEM;
    return err_pass(err, &ret->err);
}

int worker_run(struct storage *s, const struct worker_spec *spec, struct worker_report *ret, struct err *err)
{
    struct worker w;

    if (worker_spawn(s, spec, &w, err) < 0)
        return -1;
    return worker_finish(&w, ret, err);
}

void close_dirs(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close_fd(&fds[i]);
    free(fds);
}

int open_dirs(char *const *paths, int **ret, size_t *ret_n, struct err *err)
{
    size_t n = strv_len(paths);
    int *fds = xcalloc(n + 1, sizeof(*fds));

    for (size_t i = 0; i < n; i++) {
        fds[i] = open(paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fds[i] < 0) {
            err_errno(err, errno, "cannot open the layer %s", paths[i]);
            close_dirs(fds, i);
            return -1;
        }
    }
    *ret = fds;
    *ret_n = n;
    return 0;
}
