/* One more process in a running container: cloned into its pid namespace, it joins the rest by init's pidfd.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/foreign.h"
#include "runtime/init/init.h"
#include "runtime/internal.h"
#include "runtime/rdt.h"
#include "runtime/sync.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"
#include "sys/pty.h"

struct exec {
    struct runtime_container *container;
    const struct runtime_exec_options *options;
    struct spec_process process;
    struct seccomp_filter *filter;
    struct cgroup *cgroup, *below; /* what it joins, NULL: nothing; the same when it is ours to close */
    int procfs, sync;
    bool born_in_cgroup;
    /* Where the right to enter the pid namespace comes with the user namespace (for an ordinary user), a process in between
     * joins both, with all the rest, and clones the real one as its sibling. */
    bool in_between;
};

/* Those namespaces of init that aren't the caller's too. The user namespace can't be joined by those who are
 * in it. */
static int find_namespaces(struct runtime_container *c, int procfs, struct err *err)
{
    uint64_t flags = 0;

    for (int kind = 0; kind < NAMESPACE_COUNT; kind++) {
        char own[40], theirs[40];
        struct stat a, b;

        snprintf(own, sizeof(own), "self/ns/%s", namespaces[kind].file);
        snprintf(theirs, sizeof(theirs), "%d/ns/%s", c->pid, namespaces[kind].file);
        if (fstatat(procfs, own, &a, 0) < 0) {
            if (errno != ENOENT)
                return err_errno(err, errno, "look at the own %s namespace", namespaces[kind].name);
            continue; /* a kind this kernel doesn't have */
        }
        if (fstatat(procfs, theirs, &b, 0) < 0 && (errno == ENOENT || errno == ESRCH))
            return err_set(err, ERR_CONFLICT, "container not running");
        else if (errno && !b.st_ino)
            return err_errno(err, errno, "look at the container's %s namespace", namespaces[kind].name);
        if (a.st_ino != b.st_ino)
            flags |= namespaces[kind].flag;
    }
    c->join_flags = flags;
    return 0;
}

static int make_console(const struct exec *x, int *ret_slave, struct err *err)
{
    _cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), pts = -EBADF, master = -EBADF;
    int result;

    pts = root < 0 ? -errno : path_open_in_root(root, "dev/pts", O_PATH | O_DIRECTORY, 0);
    result = pts < 0 ? pts : pty_open(pts, &master, ret_slave);
    if (result < 0)
        return err_errno(err, result, "open a terminal in the container's /dev/pts");
    if (x->process.rows && x->process.columns)
        (void)pty_resize(master, x->process.rows, x->process.columns);
    if (x->options->plain_lines)
        (void)pty_leave_line_ends(master);
    if (x->process.uid && fchown(*ret_slave, x->process.uid, (gid_t)-1) < 0)
        return err_errno(err, errno, "give the terminal to user %u", x->process.uid);
    return sync_send(x->sync, SYNC_READY, master) < 0 ? err_set(err, ERR_SYSTEM, "the caller went away") : 0;
}

/* The words are runc's, for those who search logs. */
static void log_affinity(void)
{
    unsigned long bits[1024 / (8 * sizeof(long))] = {0};

    if (log_get_level() == LOG_LEVEL_DEBUG && syscall(SYS_sched_getaffinity, 0, sizeof(bits), bits) > 0)
        log_debug("nsexec[%d]: affinity: 0x%lx", getpid(), bits[0]);
}

static int join(struct exec *x, struct err *err)
{
    const struct runtime_container *c = x->container;
    uint64_t flags = c->join_flags & ~(uint64_t)(x->in_between ? 0 : CLONE_NEWPID);
    int result;

    if (process_set_affinity(x->process.cpus_initial, err) < 0)
        return -1;
    log_affinity();
    if (x->cgroup && cgroup_attach(x->cgroup, 0, x->born_in_cgroup ? CGROUP_BORN_UNIFIED : 0, err) < 0)
        return -1;
    result = x->options->group > 0 && !x->born_in_cgroup ? cgroup_group_join(x->options->group) : 0;
    if (result < 0)
        return err_errno(err, result, "join the group of the exec");
    result = flags ? namespace_join(c->pidfd, flags) : 0;
    if (result < 0)
        return err_errno(err, result, "join the container's namespaces");
    if (flags & CLONE_NEWUSER && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
        return err_errno(err, errno, "become root in the container's user namespace");
    if (!x->process.cpus_initial && !x->process.cpus_final)
        process_reset_affinity();
    return process_set_affinity(x->process.cpus_final, err);
}

static int clone_inside(struct exec *x, struct err *err)
{
    pid_t pid;

    if (oom_score_set(x->procfs, "self", x->process.oom_score_adj, err) <
        0) /* as long as its files are ours */
        return -1;
    process_set_visible(false);
    if (join(x, err) < 0)
        return -1;
    pid = process_clone(CLONE_PARENT, -EBADF, NULL);
    if (pid < 0)
        return err_errno(err, pid, "clone a process into the container");
    if (pid > 0) {
        sync_send_pid(x->sync, pid);
        _exit(0);
    }
    return sync_expect(x->sync, SYNC_GO, NULL, err); /* the caller is to hear of us first */
}

static int become(struct exec *x, struct err *err)
{
    const struct spec *spec = x->container->spec;
    const struct spec_process *p = &x->process;
    int slave = -EBADF, sync = x->sync;
    char **env, *program;

    if (x->in_between ? clone_inside(x, err) < 0 : join(x, err) < 0)
        return -1;
    if (setsid() < 0)
        return err_errno(err, errno, "make a session");
    if (process_new_keyring(x->container->id, err) < 0 || (p->terminal && make_console(x, &slave, err) < 0) ||
        process_set_stdio(p, x->options->stdio, slave, err) < 0 ||
        process_set_personality(spec->personality, err) < 0 ||
        process_set_memory_policy(spec->memory_policy, err) < 0 || process_set_priority(p, err) < 0 ||
        process_set_directory(p, err) < 0 || process_set_label(p, x->procfs, err) < 0 ||
        process_find_program(p, err, &program) < 0)
        return -1;
    if (process_make_env(p, &env, err) < 0 || sync_announce(x->sync, err) < 0)
        return -1;
    log_debug("setns_init: about to exec");
    if (process_set_identity(p, err) < 0 ||
        process_close_descriptors(x->options->preserve_fds, &sync, 1, err) < 0 ||
        process_confine(p, x->filter, x->sync, err) < 0)
        return -1;
    return process_execute(p, program, env, err);
}

static _noreturn_ void exec_run(struct exec *x)
{
    struct err err = {0};

    process_reset_signals();
    log_debug("child process in init()");
    if (sync_expect(x->sync, SYNC_GO, NULL, &err) == 0)
        become(x, &err);
    sync_send_error(x->sync, &err);
    _exit(err_kind_exit_code(err.kind));
}

/* The container's own, or groups below it. */
static int find_cgroup(struct exec *x, struct err *err)
{
    struct cgroup *own = x->container->cgroup;

    if (own && x->options->cgroups)
        x->below = cgroup_open_below(own, x->options->cgroups, err);
    x->cgroup = own && x->options->cgroups ? x->below : own;
    if (!x->cgroup)
        return own ? -1 : 0;
    return cgroup_prepare_join(x->cgroup, err);
}

/* Its own first, then the container's, as runc has it. Docker's "privileged" is under no filter; its capabilities are
 * the process's own. */
static int prepare(struct exec *x, struct err *err)
{
    const struct spec *spec = x->container->spec;
    struct spec_process *p = &x->process;

    if (spec_process_parse(x->options->process, p, err) < 0)
        return -1;
    if (find_cgroup(x, err) < 0)
        return -1;
    if (spec->has_process)
        spec_process_inherit(p, &spec->process);
    if (x->options->privileged)
        return 0;
    if (!spec->seccomp)
        return 0;
    x->filter =
        seccomp_get(spec->seccomp, spec->process.capabilities.bounding, x->options->seccomp_cache_dir, err);
    return x->filter ? 0 : err_wrap(err, "linux.seccomp");
}

/* Whoever has given the controllers of its v2 group on to groups below can't have processes in it any more: then this one
 * is born where the container's init is now, unless a group was asked for. */
static pid_t clone_near_init(struct exec *x, int *ret_pidfd)
{
    const struct runtime_container *c = x->container;
    int unified = x->cgroup ? cgroup_unified_fd(x->cgroup) : -EBADF;
    pid_t pid;

    x->born_in_cgroup = unified >= 0;
    if (unified >= 0 && x->options->group > 0) {
        pid = process_clone(0, x->options->group, ret_pidfd);
        if (pid != -EBUSY && pid != -EOPNOTSUPP)
            return pid;
    }
    pid = process_clone(0, unified, ret_pidfd);
    if (pid == -EBUSY && !x->options->cgroups) {
        _cleanup_close_ int of_init = cgroup_unified_fd_of(x->cgroup, c->pid);

        if (of_init >= 0)
            pid = process_clone(0, of_init, ret_pidfd);
    }
    return pid;
}

/* A child's pid namespace is set for all children: go in, clone, come back. */
static pid_t clone_into(struct exec *x, int *ret_pidfd)
{
    const struct runtime_container *c = x->container;
    _cleanup_close_ int back = -EBADF;
    pid_t pid;

    if (c->join_flags & CLONE_NEWPID) {
        int result;

        back = namespace_open_of(0, NAMESPACE_PID);
        result = back < 0 ? back : namespace_join(c->pidfd, CLONE_NEWPID);
        x->in_between = result == -EPERM && c->join_flags & CLONE_NEWUSER;
        if (x->in_between)
            close_fd(&back);
        else if (result < 0)
            return result;
    }
    if (!x->in_between) /* what is in the container must not look into it, nor take its descriptors */
        process_set_visible(false);
    log_debug("nsexec container setup");
    pid = clone_near_init(x, ret_pidfd);
    if (pid != 0)
        process_set_visible(true);
    if (pid != 0 && back >= 0)
        namespace_join(back, CLONE_NEWPID);
    return pid;
}

static int not_cloned(const struct exec *x, pid_t error, struct err *err)
{
    if (error != -EBUSY || !x->cgroup)
        return err_errno(err, error, "clone a process into the container");
    return err_set(err, ERR_CONFLICT,
                   "adding pid %d to cgroups: %s/cgroup.procs: device or resource busy (its controllers are "
                   "given to groups below it)",
                   getpid(), cgroup_path(x->cgroup));
}

static int join_rdt(const struct runtime_container *c, pid_t pid, struct err *err)
{
    _cleanup_close_ int root = rdt_open(err);

    return root < 0 ? -1 : rdt_join(root, c->spec->intel_rdt, c->id, pid, err);
}

/* Until execve(): the terminal, a listener, an error or the end. */
static int converse(struct exec *x, pid_t pid, int pidfd, int socket, int *console, struct err *err)
{
    bool executes = false;

    for (;;) {
        int fd = -EBADF;

        switch (sync_receive(socket, &fd, NULL, err)) {
        case SYNC_END:
            if (executes || pidfd_wait_exit(pidfd, SYNC_END_MS) == 0)
                return 0;
            return err_set(err, ERR_SYSTEM, "the process ended before it executed the program");
        case SYNC_EXECUTE:
            executes = true;
            break;
        case SYNC_READY:
            close_fd(console);
            *console = fd;
            break;
        case SYNC_LISTENER:
            if (listener_deliver(x->container, pid, fd, err) < 0 || sync_send(socket, SYNC_GO, -1) < 0) {
                close_fd(&fd);
                return -1;
            }
            close_fd(&fd);
            break;
        case SYNC_ERROR:
            return -1;
        default:
            close_fd(&fd);
            return err_set(err, ERR_SYSTEM, "the process sent an unexpected message");
        }
    }
}

static int spawn(struct exec *x, pid_t *ret_pid, int *ret_pidfd, int *ret_console, struct err *err)
{
    _cleanup_close_ int socket = -EBADF, console = -EBADF;
    int pair[2], pidfd = -EBADF, result;
    char name[16];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, errno, "make a socket pair");
    socket = pair[0];
    x->sync = pair[1];
    pid = clone_into(x, &pidfd);
    if (pid == 0) {
        close(socket);
        exec_run(x);
    }
    close(pair[1]);
    if (pid < 0)
        return not_cloned(x, pid, err);
    snprintf(name, sizeof(name), "%d", pid);
    result = !x->in_between && oom_score_set(x->procfs, name, x->process.oom_score_adj, err) < 0
                 ? -1
                 : process_raise_rlimits(&x->process, pid, err);
    if (result == 0 && x->container->spec->intel_rdt)
        result = join_rdt(x->container, pid, err);
    if (result == 0 && sync_send(socket, SYNC_GO, -1) < 0)
        result = err_set(err, ERR_SYSTEM, "the process ended early");
    if (result == 0 && x->in_between)
        result = launch_follow(socket, &pid, &pidfd, err);
    if (result == 0)
        result = converse(x, pid, pidfd, socket, &console, err);
    if (result < 0) {
        launch_kill(&pidfd);
        return -1;
    }
    *ret_pid = pid;
    *ret_console = take_fd(&console);
    if (ret_pidfd)
        *ret_pidfd = pidfd;
    else
        close_fd(&pidfd);
    return 0;
}

int runtime_exec(struct runtime_container *c, const struct runtime_exec_options *options, pid_t *ret_pid,
                 int *ret_pidfd, int *ret_console, struct err *err)
{
    struct exec x = {.container = c, .options = options, .procfs = -EBADF, .sync = -EBADF};
    int result = -1;

    if (c->pidfd < 0 || pidfd_wait_exit(c->pidfd, 0) != 0)
        return err_set(err, ERR_CONFLICT, "container not running");
    if (c->foreign)
        return foreign_exec(c, options, ret_pid, ret_pidfd, ret_console, err);
    x.procfs = procfs_open();
    if (x.procfs < 0)
        return err_errno(err, x.procfs, "open /proc");
    if (prepare(&x, err) == 0 && (c->join_flags || find_namespaces(c, x.procfs, err) == 0))
        result = spawn(&x, ret_pid, ret_pidfd, ret_console, err);
    seccomp_filter_free(x.filter);
    spec_process_finish(&x.process);
    cgroup_free(x.below);
    close_fd(&x.procfs);
    return result;
}
