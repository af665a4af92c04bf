/* The caller's side of init: everything that is prepared before clone3(), and the conversation until
 * execve(). */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/init/init.h"
#include "runtime/internal.h"
#include "runtime/mappings.h"
#include "runtime/rdt.h"
#include "runtime/sync.h"
#include "sys/capability.h"
#include "sys/mount.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

void launch_kill(int *pidfd)
{
    if (*pidfd < 0)
        return;
    pidfd_signal(*pidfd, SIGKILL);
    pidfd_reap(*pidfd, /* hang= */ true, NULL);
    close_fd(pidfd);
}

static int open_namespaces(struct init *in, struct err *err)
{
    for (int kind = 0; kind < NAMESPACE_COUNT; kind++) {
        const char *path = in->spec->namespaces[kind].path;

        in->namespaces[kind] = path ? namespace_open(path, (enum namespace_kind)kind) : -EBADF;
        if (path && in->namespaces[kind] == -EINVAL)
            return err_set(err, ERR_INVALID, "%s is not a %s namespace", path, namespaces[kind].name);
        if (path && in->namespaces[kind] < 0)
            return err_errno(err, in->namespaces[kind], "open the %s namespace %s", namespaces[kind].name,
                             path);
    }
    return 0;
}

/* Which namespaces clone3() makes: those that can't be made from inside. The others init makes itself, while the caller
 * goes on with the cgroup (a network namespace alone takes most of a millisecond). A time namespace with offsets is made
 * before, as they can't be changed once somebody is inside. */
static uint64_t flags_to_make(const struct spec *spec)
{
    static const enum namespace_kind kinds[] = {NAMESPACE_USER, NAMESPACE_PID, NAMESPACE_TIME};
    uint64_t flags = 0;

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (spec_makes(spec, kinds[i]))
            flags |= namespaces[kinds[i]].flag;
    return spec->time_offsets ? flags & ~(uint64_t)CLONE_NEWTIME : flags;
}

/* Those two namespaces are entered by children only, so the caller can go in, clone, and come back. */
struct detour {
    int pid, time; /* the way back, -EBADF: not gone */
};

static int detour_enter(struct detour *d, struct init *in, struct err *err)
{
    *d = (struct detour){-EBADF, -EBADF};
    if (in->namespaces[NAMESPACE_PID] >= 0 && !in->in_between) {
        int result;

        d->pid = namespace_open_of(0, NAMESPACE_PID);
        result = d->pid < 0 ? d->pid : namespace_join(in->namespaces[NAMESPACE_PID], CLONE_NEWPID);
        if (result < 0)
            return err_errno(err, result, "join the pid namespace %s",
                             in->spec->namespaces[NAMESPACE_PID].path);
    }
    if (in->spec->time_offsets && spec_makes(in->spec, NAMESPACE_TIME) &&
        !spec_makes(in->spec, NAMESPACE_USER)) { /* there init makes it, inside: see step_user() */
        d->time = namespace_open_of(0, NAMESPACE_TIME);
        if (d->time < 0)
            return err_errno(err, d->time, "open the time namespace");
        return launch_make_time_namespace(in->procfs, in->spec->time_offsets, err);
    }
    return 0;
}

static void detour_leave(struct detour *d)
{
    if (d->pid >= 0)
        namespace_join(d->pid, CLONE_NEWPID);
    if (d->time >= 0)
        namespace_join(d->time, CLONE_NEWTIME);
    close_fd(&d->pid);
    close_fd(&d->time);
}

static int get_filter(struct init *in, struct err *err)
{
    const struct spec *spec = in->spec;

    if (!spec->seccomp)
        return 0;
    if (str_eq(json_str(spec->annotations, "run.oci.seccomp_fail_unknown_syscall"), "1") &&
        seccomp_check_names(spec->seccomp, err) < 0)
        return err_wrap(err, "linux.seccomp");
    in->filter =
        seccomp_get(spec->seccomp, spec->process.capabilities.bounding, in->options->seccomp_cache_dir, err);
    if (!in->filter)
        return err_wrap(err, "linux.seccomp");
    log_debug("seccomp filter flags: %u", in->filter->flags);
    if (in->filter->wants_listener && !json_str(spec->seccomp, "listenerPath"))
        return err_set(err, ERR_INVALID, "linux.seccomp: SCMP_ACT_NOTIFY needs a listenerPath");
    return 0;
}

static int open_start_socket(struct init *in, struct err *err)
{
    _cleanup_free_ char *path = NULL;

    if (!in->options->detached)
        return 0;
    if (!in->options->state_dir)
        return err_set(err, ERR_INVALID, "a container that another process starts needs a state directory");
    path = path_join(in->options->state_dir, START_SOCKET);
    in->start_socket = unix_listen(path, SOCK_SEQPACKET, 0600);
    return in->start_socket < 0 ? err_errno(err, in->start_socket, "listen on %s", path) : 0;
}

static bool needs_process_in_between(const struct init *in)
{
    if (in->namespaces[NAMESPACE_USER] >= 0)
        return true;
    for (int kind = 0; kind < NAMESPACE_COUNT; kind++)
        if (in->namespaces[kind] >= 0 && kind != NAMESPACE_PID && kind != NAMESPACE_CGROUP)
            return spec_makes(in->spec, NAMESPACE_USER);
    return false;
}

/* An ordinary user may not: then init opens the sources, by what that user may see. */
static bool may_clone_mounts(void)
{
    struct capability_sets held = {0};

    return capability_get(&held) == 0 && held.effective & CAPABILITY_BIT(CAP_SYS_ADMIN);
}

static int prepare(struct init *in, struct err *err)
{
    in->procfs = in->rootfs.procfs = procfs_open();
    if (in->procfs < 0)
        return err_errno(err, in->procfs, "open /proc");
    if (open_namespaces(in, err) < 0 || get_filter(in, err) < 0 || open_start_socket(in, err) < 0 ||
        rootfs_open_mappings(&in->rootfs, err) < 0)
        return -1;
    in->in_between = needs_process_in_between(in);
    in->rootfs.foreign_user = in->spec->namespaces[NAMESPACE_USER].wanted;
    in->clone_flags = flags_to_make(in->spec);
    if (in->rootfs.foreign_user && mount_api_available() && may_clone_mounts()) {
        in->sources_open = true;
        return rootfs_open_host(&in->rootfs, err);
    }
    return 0;
}

static int clone_init(struct runtime_container *c, struct init *in, struct err *err)
{
    int unified = c->cgroup && !in->in_between ? cgroup_unified_fd(c->cgroup) : -EBADF, pair[2];
    struct detour detour;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, errno, "make a socket pair");
    log_debug("nsexec container setup");
    in->sync = pair[1];
    in->born_in_cgroup = unified >= 0;
    if (detour_enter(&detour, in, err) < 0) {
        detour_leave(&detour);
        close(pair[0]);
        close(pair[1]);
        return -1;
    }
    if (in->namespaces[NAMESPACE_PID] >= 0) /* others are in there, who must not look into it */
        process_set_visible(false);
    pid = process_clone(in->in_between ? 0 : in->clone_flags, unified, &c->pidfd);
    if (pid == 0) {
        close(pair[0]);
        init_run(in);
    }
    if (in->namespaces[NAMESPACE_PID] >= 0)
        process_set_visible(true);
    detour_leave(&detour);
    close(pair[1]);
    c->sync = pair[0];
    c->pid = pid;
    return pid < 0 ? err_errno(err, pid, "clone the container's process") : 0;
}

int launch_follow(int socket, pid_t *pid, int *pidfd, struct err *err)
{
    int32_t next = 0;
    enum sync_type type = sync_receive(socket, NULL, &next, err);

    if (type != SYNC_PID)
        return type == SYNC_ERROR ? -1 : err_set(err, ERR_SYSTEM, "the container's process ended early");
    pidfd_reap(*pidfd, /* hang= */ true, NULL);
    close_fd(pidfd);
    *pid = next;
    *pidfd = pidfd_from_pid(next);
    if (*pidfd < 0)
        return err_errno(err, *pidfd, "open the container's process");
    return sync_send(socket, SYNC_GO, -1) < 0
               ? err_set(err, ERR_SYSTEM, "the container's process ended early")
               : 0;
}

static int set_oom_score(const struct runtime_container *c, int procfs, struct err *err)
{
    char name[16];

    snprintf(name, sizeof(name), "%d", c->pid);
    return c->spec->has_process ? oom_score_set(procfs, name, c->spec->process.oom_score_adj, err) : 0;
}

static int join_rdt(struct runtime_container *c, struct err *err)
{
    _cleanup_close_ int root = rdt_open(err);

    return root < 0 ? -1 : rdt_apply(root, c->spec->intel_rdt, c->id, c->pid, err);
}

static int settle(struct runtime_container *c, struct init *in, struct err *err)
{
    const struct spec *spec = c->spec;
    int result;

    if (in->in_between && launch_follow(c->sync, &c->pid, &c->pidfd, err) < 0)
        return -1;
    if (spec_makes(spec, NAMESPACE_USER) && mappings_write(in->procfs, c->pid, spec, err) < 0)
        return -1;
    if (set_oom_score(c, in->procfs, err) < 0 ||
        (spec->has_process && process_raise_rlimits(&spec->process, c->pid, err) < 0) ||
        (spec->intel_rdt && join_rdt(c, err) < 0))
        return -1;
    if (spec_makes(spec, NAMESPACE_USER) && sync_send(c->sync, SYNC_GO, -1) < 0)
        return err_set(err, ERR_SYSTEM, "the container's process ended early");
    result = process_start_time(c->pid, &c->start_time, NULL);
    if (result < 0)
        return err_errno(err, result, "look at the container's process");
    if (launch_finish_cgroup(c, err) < 0)
        return -1;
    return state_save(c, err);
}

static int run_runtime_hooks(struct runtime_container *c, struct err *err)
{
    if (hooks_run(c, HOOK_PRESTART, "created", -EBADF, NULL, err) < 0 ||
        hooks_run(c, HOOK_CREATE_RUNTIME, "creating", -EBADF, NULL, err) < 0)
        return -1;
    return sync_send(c->sync, SYNC_GO, -1) < 0 ? err_set(err, ERR_SYSTEM, "the container's process ended")
                                               : 0;
}

/* What init may not do in its user namespace. */
static int map_mount(struct runtime_container *c, const struct rootfs *r, int32_t number, int tree,
                     struct err *err)
{
    int result = tree < 0 || number < 0 ? -EINVAL : rootfs_map_mount(r, (size_t)number, tree);

    if (result < 0)
        return err_errno(err, result, "map the ids of mounts[%d] of the configuration", number);
    return sync_send(c->sync, SYNC_GO, -1) < 0 ? err_set(err, ERR_SYSTEM, "the container's process ended")
                                               : 0;
}

/* Answers init until it stands ready. */
static int converse(struct runtime_container *c, const struct rootfs *r, struct err *err)
{
    for (;;) {
        int fd = -EBADF, result;
        int32_t number = 0;

        switch (sync_receive(c->sync, &fd, &number, err)) {
        case SYNC_READY:
            if (fd < 0)
                return 0;
            close_fd(&c->console);
            c->console = fd;
            break;
        case SYNC_NETWORK:
            if (netdevices_move(c, err) < 0)
                return -1;
            if (sync_send(c->sync, SYNC_GO, -1) < 0)
                return err_set(err, ERR_SYSTEM, "the container's process ended");
            break;
        case SYNC_MAP:
            result = map_mount(c, r, number, fd, err);
            close_fd(&fd);
            if (result < 0)
                return -1;
            break;
        case SYNC_HOOKS:
            if (run_runtime_hooks(c, err) < 0)
                return -1;
            break;
        case SYNC_ERROR:
            return -1;
        default:
            close_fd(&fd);
            return err_set(err, ERR_SYSTEM, "the container's process ended while it was being set up");
        }
    }
}

int launch_init(struct runtime_container *c, const struct runtime_create_options *options, struct err *err)
{
    struct init in = {
        .container = c,
        .spec = c->spec,
        .options = options,
        .cgroup = c->cgroup,
        .rootfs = {.spec = c->spec, .options = options, .cgroup = c->cgroup},
        .procfs = -EBADF,
        .sync = -EBADF,
        .start_socket = -EBADF,
        .slave = -EBADF,
    };
    int result;

    for (int kind = 0; kind < NAMESPACE_COUNT; kind++)
        in.namespaces[kind] = -EBADF;
    rootfs_init(&in.rootfs);
    result = prepare(&in, err);
    if (result == 0)
        result = clone_init(c, &in, err);
    for (int kind = 0; kind < NAMESPACE_COUNT; kind++)
        close_fd(&in.namespaces[kind]);
    close_fd(&in.start_socket);
    seccomp_filter_free(in.filter);
    if (result == 0)
        result = settle(c, &in, err);
    if (result == 0)
        result = converse(c, &in.rootfs, err);
    rootfs_finish(&in.rootfs);
    close_fd(&in.procfs);
    if (result < 0) {
        launch_kill(&c->pidfd);
        close_fd(&c->sync);
        close_fd(&c->console);
    }
    return result;
}

int launch_start(struct runtime_container *c, int socket, struct err *err)
{
    int result = sync_send(socket, SYNC_START, -1);
    bool executes = false;

    if (result == -EPIPE || result == -ECONNRESET)
        return err_set(err, ERR_CONFLICT, "the container's process has ended");
    if (result < 0)
        return err_errno(err, result, "tell the container's process to start");
    for (;;) {
        _cleanup_close_ int fd = -EBADF;

        switch (sync_receive(socket, &fd, NULL, err)) {
        case SYNC_END: /* closed by execve(), or by the end of a process that hasn't come so far */
            if (executes || c->pidfd < 0 || pidfd_wait_exit(c->pidfd, SYNC_END_MS) == 0)
                return 0;
            return err_set(err, ERR_SYSTEM, "the container's process ended before it executed the program");
        case SYNC_EXECUTE:
            executes = true;
            break;
        case SYNC_LISTENER:
            if (listener_deliver(c, c->pid, fd, err) < 0)
                return -1;
            if (sync_send(socket, SYNC_GO, -1) < 0)
                return err_set(err, ERR_SYSTEM, "the container's process has ended");
            break;
        case SYNC_ERROR:
            return -1;
        default:
            return err_set(err, ERR_SYSTEM, "the container's process sent an unexpected message");
        }
    }
}
