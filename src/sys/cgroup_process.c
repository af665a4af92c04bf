/* The processes of a cgroup: listed, signalled, frozen, killed; and those the kernel killed. */
#include "sys/cgroup_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

enum { FREEZE_TIMEOUT_MS = 2000, PIDS_TEXT_MAX = 64 << 20 };

struct pid_list {
    pid_t *pids;
    size_t count, size;
    bool recursive;
    size_t stop_after; /* 0: all of them */
};

static void pid_list_add(struct pid_list *list, pid_t pid)
{
    if (list->count == list->size) {
        list->size = list->size ? list->size * 2 : 64;
        list->pids = xreallocarray(list->pids, list->size, sizeof(*list->pids));
    }
    list->pids[list->count++] = pid;
}

static int pid_list_read(struct pid_list *list, int dir)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(PIDS_TEXT_MAX);
    _cleanup_close_ int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = fd_read_all(fd, &b);
    if (r < 0)
        return r;
    for (const char *p = buf_str(&b); *p;) {
        long pid = strtol(p, NULL, 10);
        if (pid > 0) /* 0: a process outside our pid namespace */
            pid_list_add(list, (pid_t)pid);
        p += strcspn(p, "\n");
        p += *p == '\n';
    }
    return 0;
}

static int pid_list_walk(void *arg, int dirfd, const char *name)
{
    struct pid_list *list = arg;
    _cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int r = fd < 0 ? -errno : pid_list_read(list, fd);
    if (r >= 0 && list->recursive && !(list->stop_after && list->count >= list->stop_after))
        r = cgroup_each_child(fd, pid_list_walk, list);
    return r == -ENOENT || r == -ENODEV ? 0 : r; /* it went away meanwhile */
}

/* The tree in which membership is read: v2 if it is there, else any. */
static int cgroup_membership_fd(const struct cgroup *cg)
{
    int i = cgroup_tree_v2(cg);
    if (i >= 0)
        return cg->fd[i];
    for (i = 0; i < CGROUP_TREES_MAX; i++)
        if (cg->fd[i] >= 0)
            return cg->fd[i];
    return -EBADF;
}

int cgroup_pids_below(int dir, const char *name, pid_t **ret_pids, size_t *ret_count)
{
    struct pid_list list = {.recursive = true};
    int r = pid_list_walk(&list, dir, name);
    if (r < 0) {
        free(list.pids);
        return r;
    }
    *ret_pids = list.pids;
    *ret_count = list.count;
    return 0;
}

int cgroup_pids(struct cgroup *cg, bool recursive, pid_t **ret_pids, size_t *ret_count, struct err *err)
{
    struct pid_list list = {.recursive = recursive};
    int r = pid_list_walk(&list, cgroup_membership_fd(cg), ".");
    if (r < 0) {
        free(list.pids);
        return err_errno(err, r, "list the processes of cgroup %s", cg->path);
    }
    *ret_pids = list.pids;
    *ret_count = list.count;
    return 0;
}

bool cgroup_is_empty(struct cgroup *cg)
{
    struct pid_list list = {.recursive = true, .stop_after = 1};
    (void)pid_list_walk(&list, cgroup_membership_fd(cg), ".");
    free(list.pids);
    return list.count == 0;
}

/* How a cgroup is frozen where it is: by v2 where there is one (a frozen process can still be killed then),
 * else v1. */
struct freezer {
    int fd;
    const char *file, *freeze, *thaw;
    const char *state_file;
    const char *frozen; /* a line of state_file that says so */
};

static bool freezer_find(const struct cgroup *cg, struct freezer *ret)
{
    int i = cgroup_tree_v2(cg);
    if (i >= 0 && faccessat(cg->fd[i], "cgroup.freeze", F_OK, 0) == 0) {
        *ret = (struct freezer){cg->fd[i], "cgroup.freeze", "1", "0", "cgroup.events", "frozen 1"};
        return true;
    }
    i = cgroup_tree_of(cg, CTL_FREEZER);
    if (i < 0)
        return false;
    *ret = (struct freezer){cg->fd[i], "freezer.state", "FROZEN", "THAWED", "freezer.state", "FROZEN"};
    return true;
}

static int freezer_is_frozen(const struct freezer *f)
{
    char text[256];
    ssize_t n = cgroup_read(f->fd, f->state_file, text, sizeof(text));
    return n < 0 ? (int)n : strstr(text, f->frozen) != NULL;
}

bool cgroup_is_frozen(struct cgroup *cg)
{
    struct freezer f;
    return freezer_find(cg, &f) && freezer_is_frozen(&f) > 0;
}

int cgroup_freeze(struct cgroup *cg, bool freeze, struct err *err)
{
    struct freezer f;
    const char *verb = freeze ? "freeze" : "thaw";
    if (!freezer_find(cg, &f)) {
        if (cgroup_tree_v2(cg) >= 0 || cgroup_has_controller("freezer"))
            return err_set(err, ERR_NOT_FOUND, "%s cgroup %s: it is being removed", verb, cg->path);
        return err_set(err, ERR_NOT_IMPLEMENTED, "%s cgroup %s: no freezer is mounted", verb, cg->path);
    }
    int64_t deadline = clock_monotonic() + FREEZE_TIMEOUT_MS * INT64_C(1000000);
    long pause_ns = 100000;
    for (;;) {
        /* v1 may stay FREEZING when it races with forks: asking again helps. */
        int r = file_write_at(f.fd, f.file, freeze ? f.freeze : f.thaw);
        if (r >= 0)
            r = freezer_is_frozen(&f);
        if (r < 0)
            return err_errno(err, r, "%s cgroup %s", verb, cg->path);
        if ((r > 0) == freeze)
            return 0;
        if (clock_monotonic() >= deadline) {
            if (freeze)
                (void)file_write_at(f.fd, f.file, f.thaw);
            return err_set(err, ERR_UNAVAILABLE, "%s cgroup %s: it takes too long; try again", verb,
                           cg->path);
        }
        nanosleep(&(struct timespec){.tv_nsec = pause_ns}, NULL);
        pause_ns = MIN_OF(pause_ns * 2, 10000000);
    }
}

int cgroup_signal(struct cgroup *cg, int signal, struct err *err)
{
    _cleanup_free_ pid_t *pids = NULL;
    size_t count = 0;
    /* Frozen, nobody forks away and no pid is used anew. One that was frozen before stays so. */
    bool freeze = !cgroup_is_frozen(cg) && cgroup_freeze(cg, true, NULL) == 0;
    int r = cgroup_pids(cg, /* recursive= */ true, &pids, &count, err);
    for (size_t i = 0; r == 0 && i < count; i++)
        if (kill(pids[i], signal) < 0 && errno != ESRCH)
            r = err_errno(err, errno, "signal process %d of cgroup %s", pids[i], cg->path);
    if (freeze)
        (void)cgroup_freeze(cg, false, NULL);
    return r;
}

int cgroup_kill(struct cgroup *cg, struct err *err)
{
    int r = 0;
    int i = cgroup_tree_v2(cg);
    if (i < 0 || file_write_at(cg->fd[i], "cgroup.kill", "1") < 0)
        r = cgroup_signal(cg, SIGKILL, err);
    /* What v1 has frozen doesn't die before it is thawed. */
    i = cgroup_tree_of(cg, CTL_FREEZER);
    if (i >= 0 && !cgroup_layout()->trees[i].info.v2)
        (void)file_write_at(cg->fd[i], "freezer.state", "THAWED");
    return r;
}

static void v1_thaw_process(pid_t pid)
{
    const struct cgroup_layout *l = cgroup_layout();

    for (size_t i = 0; i < l->count; i++) {
        const struct cgroup_tree *tree = &l->trees[i];
        _cleanup_free_ char *path = NULL, *file = NULL;

        if (tree->info.v2 || !(tree->controllers & CTL_FREEZER) || cgroup_path_of(tree, pid, &path) < 0)
            continue;
        file = path_join(path, "freezer.state");
        if (*path)
            (void)file_write_at(tree->fd, file, "THAWED");
    }
}

void cgroup_v1_thaw_all(struct cgroup *cg)
{
    _cleanup_free_ pid_t *pids = NULL;
    size_t count = 0;
    if (cgroup_pids(cg, /* recursive= */ true, &pids, &count, NULL) < 0)
        return;
    for (size_t i = 0; i < count; i++)
        v1_thaw_process(pids[i]);
}

uint64_t cgroup_oom_kills(struct cgroup *cg)
{
    int i = cgroup_tree_of(cg, CTL_MEMORY);
    char text[512];
    if (i < 0)
        return 0;
    const char *file = cgroup_layout()->trees[i].info.v2 ? "memory.events" : "memory.oom_control";
    if (cgroup_read(cg->fd[i], file, text, sizeof(text)) < 0)
        return 0;
    return cgroup_text_value(text, "oom_kill", 0);
}

/* v1: an eventfd registered with the memory controller. */
static int cgroup_oom_fd_v1(int dir)
{
    _cleanup_close_ int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    _cleanup_close_ int control = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
    if (event < 0 || control < 0)
        return -errno;
    char line[32];
    snprintf(line, sizeof(line), "%d %d", event, control);
    int r = file_write_at(dir, "cgroup.event_control", line);
    return r < 0 ? r : take_fd(&event);
}

/* v2: the kernel reports a change of memory.events as a modification of the file. */
static int cgroup_oom_fd_v2(int dir)
{
    _cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch < 0)
        return -errno;
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d/memory.events", dir);
    return inotify_add_watch(watch, path, IN_MODIFY) < 0 ? -errno : take_fd(&watch);
}

int cgroup_oom_fd(struct cgroup *cg, struct err *err)
{
    int i = cgroup_tree_of(cg, CTL_MEMORY);
    if (i < 0)
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "watch cgroup %s for lack of memory: there is no memory controller", cg->path);
    int fd = cgroup_layout()->trees[i].info.v2 ? cgroup_oom_fd_v2(cg->fd[i]) : cgroup_oom_fd_v1(cg->fd[i]);
    if (fd < 0)
        return err_errno(err, fd, "watch cgroup %s for lack of memory", cg->path);
    return fd;
}

void cgroup_oom_drain(int fd)
{
    char sink[4096];
    while (read(fd, sink, sizeof(sink)) == (ssize_t)sizeof(sink))
        ;
}
