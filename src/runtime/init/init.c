/* Init's way from clone3() to execve(), as a table of steps.
 *
 * Until "pivot" the process stands on the host's root, in a mount namespace of its own: paths of the host may
 * be used, the container's only through rootfs/. From "pivot" on there is nothing but the container.
 * Privileges are given up in "identity" (bounding set, ids) and finally, after the start, in
 * process_confine(). */
#include "runtime/init/init.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/internal.h"
#include "runtime/sync.h"
#include "sys/pidfd.h"

/* Joins those that have a path, but for two that clones enter and the cgroup's, which has to wait. With `passing_over`
 * those that refuse stay for a second try, in the user namespace that is going to be joined and may own them. */
static int join_namespaces(struct init *in, bool passing_over, struct err *err)
{
    for (int kind = 0; kind < NAMESPACE_COUNT; kind++) {
        int result;

        if (in->namespaces[kind] < 0 || kind == NAMESPACE_PID || kind == NAMESPACE_USER ||
            kind == NAMESPACE_CGROUP)
            continue;
        result = namespace_join(in->namespaces[kind], namespaces[kind].flag);
        if (result == -EPERM && passing_over)
            continue;
        if (result < 0)
            return err_errno(err, result, "join the %s namespace %s", namespaces[kind].name,
                             in->spec->namespaces[kind].path);
        close_fd(&in->namespaces[kind]);
    }
    return 0;
}

static int step_namespaces(struct init *in, struct err *err)
{
    static const enum namespace_kind own[] = {NAMESPACE_NETWORK, NAMESPACE_IPC, NAMESPACE_UTS,
                                              NAMESPACE_MOUNT};
    uint64_t flags = 0;

    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        if (spec_makes(in->spec, own[i]))
            flags |= namespaces[own[i]].flag;
    if (join_namespaces(in, /* passing_over= */ false, err) < 0)
        return -1;
    if (flags && unshare((int)flags) < 0)
        return err_errno(err, errno, "make namespaces");
    if (spec_makes(in->spec, NAMESPACE_NETWORK)) {
        int result = namespace_loopback_up();

        if (result < 0)
            return err_errno(err, result, "bring up the loopback device");
    }
    return 0;
}

/* Offsets can't be changed once somebody is inside, so it is made, set, and entered by the way of children. */
static int make_time_namespace(const struct init *in, struct err *err)
{
    _cleanup_close_ int made = -EBADF;
    int result;

    if (launch_make_time_namespace(in->procfs, in->spec->time_offsets, err) < 0)
        return -1;
    made = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    result = made < 0 ? -errno : namespace_join(made, CLONE_NEWTIME);
    return result < 0 ? err_errno(err, result, "join the time namespace") : 0;
}

/* Waits for the mappings, then is root in the user namespace, which all that is made from here on belongs to. */
static int step_user(struct init *in, struct err *err)
{
    in->rootfs.caller = in->sync;
    if (spec_makes(in->spec, NAMESPACE_USER)) {
        if (sync_expect(in->sync, SYNC_GO, NULL, err) < 0)
            return -1;
        /* while the files of /proc/self are still ours, which those of a process that has changed its ids aren't */
        if (in->spec->time_offsets && make_time_namespace(in, err) < 0)
            return -1;
    }
    if (!in->rootfs.foreign_user)
        return 0;
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return err_errno(err, errno, "become root in the user namespace (are ids 0 mapped?)");
    return 0;
}

/* The caller has made the cgroup by now. Into it first, so that a new cgroup namespace has it as its root. */
static int enter_cgroup(struct init *in, struct err *err)
{
    int fds[CGROUP_JOIN_MAX];
    size_t count;

    if (in->in_cgroup)
        return 0;
    in->in_cgroup = true;
    if (in->cgroup) {
        if (sync_receive_cgroup(in->sync, fds, CGROUP_JOIN_MAX, &count, err) < 0 ||
            cgroup_adopt_join_fds(in->cgroup, fds, count, err) < 0 ||
            cgroup_attach(in->cgroup, 0, in->born_in_cgroup ? CGROUP_BORN_UNIFIED : 0, err) < 0)
            return -1;
    }
    if (in->namespaces[NAMESPACE_CGROUP] >= 0) {
        int result = namespace_join(in->namespaces[NAMESPACE_CGROUP], CLONE_NEWCGROUP);

        if (result < 0)
            return err_errno(err, result, "join the cgroup namespace %s",
                             in->spec->namespaces[NAMESPACE_CGROUP].path);
    }
    if (spec_makes(in->spec, NAMESPACE_CGROUP) && unshare(CLONE_NEWCGROUP) < 0)
        return err_errno(err, errno, "make a cgroup namespace");
    return 0;
}

static int step_session(struct init *in, struct err *err)
{
    if (setsid() < 0)
        return err_errno(err, errno, "make a session");
    return in->options->no_new_keyring ? 0 : process_new_keyring(in->options->id, err);
}

static int step_host_side(struct init *in, struct err *err)
{
    return in->sources_open ? 0 : rootfs_open_host(&in->rootfs, err);
}

static int step_root(struct init *in, struct err *err)
{
    return rootfs_mount_root(&in->rootfs, err);
}

/* As far as the first mount of cgroups without waiting for them. */
static int step_mounts(struct init *in, struct err *err)
{
    size_t first = 0;

    while (first < in->spec->mount_count && !rootfs_is_cgroup(&in->spec->mounts[first]))
        first++;
    if (rootfs_mount_range(&in->rootfs, 0, first, err) < 0 || enter_cgroup(in, err) < 0)
        return -1;
    return rootfs_mount_range(&in->rootfs, first, in->spec->mount_count, err);
}

static int step_devices(struct init *in, struct err *err)
{
    _cleanup_close_ int master = -EBADF;

    if (rootfs_make_devices(&in->rootfs, err) < 0)
        return -1;
    if (!in->spec->has_process || !in->spec->process.terminal)
        return 0;
    if (rootfs_make_console(&in->rootfs, &in->spec->process, &master, &in->slave, err) < 0)
        return -1;
    /* the caller takes it from here; its other messages carry no descriptor */
    return sync_send(in->sync, SYNC_READY, master) < 0 ? err_set(err, ERR_SYSTEM, "the caller went away") : 0;
}

static int step_hooks(struct init *in, struct err *err)
{
    const struct spec_hooks *hooks = in->spec->hooks;

    if (json_object_size(in->spec->net_devices) &&
        (sync_send(in->sync, SYNC_NETWORK, -1) < 0 || sync_expect(in->sync, SYNC_GO, NULL, err) < 0))
        return -1;
    if (hooks[HOOK_PRESTART].count || hooks[HOOK_CREATE_RUNTIME].count) {
        if (sync_send(in->sync, SYNC_HOOKS, -1) < 0 || sync_expect(in->sync, SYNC_GO, NULL, err) < 0)
            return -1;
    }
    return hooks_run(in->container, HOOK_CREATE_CONTAINER, "creating", in->rootfs.root, NULL, err);
}

static int step_masks(struct init *in, struct err *err)
{
    if (rootfs_mask(&in->rootfs, err) < 0)
        return -1;
    return rootfs_seal(&in->rootfs, err);
}

static int step_names(struct init *in, struct err *err)
{
    const struct spec *spec = in->spec;

    if (!str_empty(spec->hostname) && sethostname(spec->hostname, strlen(spec->hostname)) < 0)
        return err_errno(err, errno, "set the host name %s", spec->hostname);
    if (!str_empty(spec->domainname) && setdomainname(spec->domainname, strlen(spec->domainname)) < 0)
        return err_errno(err, errno, "set the domain name %s", spec->domainname);
    return init_apply_sysctls(in, err);
}

static int step_pivot(struct init *in, struct err *err)
{
    return rootfs_pivot(&in->rootfs, err);
}

static int step_limits(struct init *in, struct err *err)
{
    const struct spec *spec = in->spec;

    process_reset_affinity();
    if (process_set_personality(spec->personality, err) < 0 ||
        process_set_memory_policy(spec->memory_policy, err) < 0)
        return -1;
    return spec->has_process ? process_set_priority(&spec->process, err) : 0;
}

static int step_identity(struct init *in, struct err *err)
{
    const struct spec_process *p = &in->spec->process;

    if (!in->spec->has_process)
        return 0;
    if (process_set_stdio(p, in->options->stdio, in->slave, err) < 0 || process_set_directory(p, err) < 0 ||
        process_set_label(p, in->procfs, err) < 0 || process_find_program(p, err, &in->program) < 0)
        return -1;
    return process_set_identity(p, err);
}

static const struct {
    const char *doing; /* put before the error; NULL where the messages need none */
    int (*run)(struct init *in, struct err *err);
} steps[] = {
    {"user namespace", step_user},
    {NULL, step_namespaces},
    {NULL, step_session},
    {NULL, step_host_side},
    {NULL, step_root},
    {"unable to start container process: error during container init", step_mounts},
    {NULL, step_devices},
    {NULL, step_hooks},
    {NULL, step_masks},
    {NULL, step_names},
    {NULL, step_pivot},
    {NULL, step_limits},
    {NULL, step_identity},
};

static void end_on_signal(int signal)
{
    _exit(128 + signal);
}

/* The first process of a pid namespace is deaf to signals it doesn't handle; one that only waits has no reason to be. */
static void listen_to_signals(bool on)
{
    static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

    for (size_t i = 0; i < ARRAY_SIZE(ending); i++)
        signal(ending[i], on ? end_on_signal : SIG_DFL);
}

/* That may take long, and others may enter the container meanwhile: nothing of the host's is held. */
static int let_go(struct init *in, struct err *err)
{
    int kept[] = {in->sync, in->start_socket};

    log_set_level(LOG_LEVEL_FATAL); /* there is nowhere left to write to */
    return process_close_descriptors(in->options->preserve_fds, kept, ARRAY_SIZE(kept), err);
}

/* Waits to be started: by the caller, or by whoever connects to start.sock. */
static int wait_for_start(struct init *in, struct err *err)
{
    bool is_detached = in->start_socket >= 0;
    int result;

    log_debug("init: closing the pipe to signal completion");
    if (is_detached && let_go(in, err) < 0)
        return -1;
    if (is_detached)
        listen_to_signals(true);
    result = sync_send(in->sync, SYNC_READY, -1);
    if (result < 0)
        return err_errno(err, result, "the caller went away");
    if (is_detached) {
        int connection = accept4(in->start_socket, NULL, NULL, SOCK_CLOEXEC);

        if (connection < 0)
            return err_errno(err, errno, "accept on %s", START_SOCKET);
        close_fd(&in->sync);
        close_fd(&in->start_socket);
        in->sync = connection;
    }
    result = sync_expect(in->sync, SYNC_START, NULL, err);
    if (is_detached)
        listen_to_signals(false);
    return result;
}

static int execute(struct init *in, struct err *err)
{
    const struct spec_process *p = &in->spec->process;
    int sync = in->sync;
    char **env;

    if (!in->spec->has_process)
        return err_set(err, ERR_INVALID, "invalid configuration: process: missing, and needed to start");
    if (process_make_env(p, &env, err) < 0)
        return -1;
    /* before the announcement, which fails where the caller is gone already */
    if (in->options->bound && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_errno(err, errno, "ask for a signal at the caller's end");
    if (sync_announce(in->sync, err) < 0)
        return -1;
    if (process_close_descriptors(in->options->preserve_fds, &sync, 1, err) < 0 ||
        process_confine(p, in->filter, in->sync, err) < 0)
        return -1;
    /* as confined as the program; a filter has to let through what it takes to run them */
    if (hooks_run(in->container, HOOK_START_CONTAINER, "created", -EBADF, env, err) < 0)
        return -1;
    return process_execute(p, in->program, env, err);
}

/* A user namespace that owns the others has to be joined before them; one that doesn't takes away the right to join them. */
static int join_all(struct init *in, struct err *err)
{
    int user = in->namespaces[NAMESPACE_USER], pids = in->namespaces[NAMESPACE_PID];
    int pid_result = pids < 0 ? 0 : namespace_join(pids, CLONE_NEWPID), result;

    if (join_namespaces(in, /* passing_over= */ user >= 0, err) < 0)
        return -1;
    result = user >= 0 ? namespace_join(user, CLONE_NEWUSER) : 0;
    if (result < 0)
        return err_errno(err, result, "join the user namespace %s",
                         in->spec->namespaces[NAMESPACE_USER].path);
    if (pid_result == -EPERM && user >= 0)
        pid_result = namespace_join(pids, CLONE_NEWPID);
    if (pid_result < 0)
        return err_errno(err, pid_result, "join the pid namespace %s",
                         in->spec->namespaces[NAMESPACE_PID].path);
    return user >= 0 ? join_namespaces(in, /* passing_over= */ false, err) : 0;
}

/* The step in between (see init.h): joins with the host's privileges what init, in its user namespace, may not, and clones
 * init as a sibling. */
static int clone_inside(struct init *in, struct err *err)
{
    pid_t pid;

    if (join_all(in, err) < 0)
        return -1;
    pid = process_clone(in->clone_flags | CLONE_PARENT, -EBADF, NULL);
    if (pid < 0)
        return err_errno(err, pid, "clone the container's process");
    if (pid > 0) {
        sync_send_pid(in->sync, pid);
        _exit(0);
    }
    return sync_expect(in->sync, SYNC_GO, NULL, err); /* the caller is to hear of us first */
}

void init_run(struct init *in)
{
    struct err err = {0};
    int result;

    process_reset_signals();
    log_debug("child process in init()");
    result = in->in_between ? clone_inside(in, &err) : 0;
    for (size_t i = 0; result == 0 && i < ARRAY_SIZE(steps); i++) {
        result = steps[i].run(in, &err);
        if (result < 0 && steps[i].doing)
            err_wrap(&err, "%s", steps[i].doing);
    }
    if (result == 0)
        result = wait_for_start(in, &err);
    if (result == 0)
        execute(in, &err);
    sync_send_error(in->sync, &err);
    _exit(err_kind_exit_code(err.kind));
}
