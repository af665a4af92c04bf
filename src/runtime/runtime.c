/* The life of a container, as runtime.h has it. */
#include "runtime/runtime.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/foreign.h"
#include "runtime/internal.h"
#include "runtime/rdt.h"
#include "sys/pidfd.h"

enum { DESTROY_TIMEOUT_MS = 10000 };

struct runtime_container *container_new(const struct runtime_create_options *options)
{
    struct runtime_container *c = xcalloc(1, sizeof(*c));

    c->pidfd = c->sync = c->console = c->oom_fd = -EBADF;
    if (options) {
        c->id = xstrdup(options->id);
        c->state_dir = xstrdup(options->state_dir);
        c->bundle = xstrdup(options->bundle);
        c->detached = options->detached;
        c->rootless = options->rootless;
        c->cgroups = options->cgroups;
        c->is_child = true;
    }
    return c;
}

struct runtime_container *runtime_container_free(struct runtime_container *c)
{
    if (!c)
        return NULL;
    close_fd(&c->pidfd);
    close_fd(&c->sync);
    close_fd(&c->console);
    close_fd(&c->oom_fd);
    cgroup_free(c->cgroup);
    spec_free(c->spec);
    foreign_free(c->foreign);
    free(c->id);
    free(c->state_dir);
    free(c->bundle);
    free(c);
    return NULL;
}

static void leave_rdt(const struct runtime_container *c)
{
    _cleanup_close_ int root = c->spec->intel_rdt ? rdt_open(NULL) : -EBADF;

    if (root >= 0)
        rdt_remove(root, c->spec->intel_rdt, c->id);
}

/* What of a failed creation can't be removed is told after the reason, and stays known for runtime_sweep(). */
static void undo_create(struct runtime_container *c, struct err *err)
{
    struct err left = {0};

    leave_rdt(c);
    if ((c->cgroup && cgroup_destroy(c->cgroup, DESTROY_TIMEOUT_MS, &left) < 0) || state_remove(c, &left) < 0)
        err_add(err, "and then it could not be cleaned up: %s", left.message);
}

struct runtime_container *runtime_create(const json_t *config, const struct runtime_create_options *options,
                                         struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = container_new(options);

    c->spec = spec_parse(config, err);
    if (!c->spec)
        return NULL;
    if (options->program) {
        if (foreign_create(c, config, options, err) == 0)
            return take_ptr(&c);
        foreign_destroy(c, NULL);
        return NULL;
    }
    if (launch_begin_cgroup(c, err) == 0 && launch_init(c, options, err) == 0)
        return take_ptr(&c);
    if (c->cgroup && cgroup_oom_kills(c->cgroup) > 0)
        err_add(err,
                "the kernel killed for want of memory: the limit, linux.resources.memory.limit, is too low");
    undo_create(c, err);
    return NULL;
}

pid_t runtime_pid(const struct runtime_container *c)
{
    return c->pid;
}

int runtime_pidfd(const struct runtime_container *c)
{
    return c->pidfd;
}

struct cgroup *runtime_cgroup(struct runtime_container *c)
{
    return c->cgroup;
}

int runtime_take_console(struct runtime_container *c)
{
    return take_fd(&c->console);
}

int runtime_start(struct runtime_container *c, struct err *err)
{
    _cleanup_free_ char *path = c->state_dir ? path_join(c->state_dir, START_SOCKET) : NULL;
    _cleanup_close_ int socket = take_fd(&c->sync);
    int result;

    if (c->foreign)
        return foreign_start(c, err);
    if (c->detached || !c->is_child) {
        close_fd(&socket);
        socket = path ? unix_connect(path, SOCK_SEQPACKET) : -EBADF;
    }
    if (socket < 0 && path && socket != -ENOENT && socket != -ECONNREFUSED)
        return err_errno(err, socket, "connect to %s", path);
    if (socket < 0)
        return err_set(err, ERR_CONFLICT, "cannot start a container that is %s", state_status(c));
    if (path && unlink(path) < 0 &&
        errno != ENOENT) /* it says that nobody has started it: gone before somebody has */
        return err_errno(err, errno, "remove %s", path);
    result = launch_start(c, socket, err);
    if (result < 0)
        return -1;
    c->started = true;
    if (hooks_run(c, HOOK_POSTSTART, "running", -EBADF, NULL, err) == 0)
        return 0;
    pidfd_signal(c->pidfd, SIGKILL); /* OCI runtime.md, "Lifecycle", step 9 */
    return -1;
}

bool runtime_was_started(const struct runtime_container *c)
{
    return c->started;
}

/* Without a pid namespace of its own nobody ends with init. */
static bool outlives_init(const struct runtime_container *c)
{
    return c->cgroup && !spec_makes(c->spec, NAMESPACE_PID) && !cgroup_is_empty(c->cgroup);
}

int runtime_kill(struct runtime_container *c, int signal, bool all, struct err *err)
{
    int result;

    if (c->foreign)
        return foreign_kill(c, signal, all, err);
    if (c->cgroup && (all || (signal == SIGKILL && outlives_init(c))))
        return signal == SIGKILL ? cgroup_kill(c->cgroup, err) : cgroup_signal(c->cgroup, signal, err);
    if (all && !c->cgroup && signal != SIGKILL && spec_makes(c->spec, NAMESPACE_PID) && c->pidfd >= 0)
        return processes_signal(c, signal, err);
    result = c->pidfd < 0 ? -ESRCH : pidfd_signal(c->pidfd, signal);
    if (result == -ESRCH)
        return err_set(err, ERR_CONFLICT, "container not running");
    if (result < 0)
        return err_errno(err, result, "signal the container's init");
    if (signal == SIGKILL && c->cgroup && cgroup_is_frozen(c->cgroup)) /* v1 lets no frozen process die */
        return cgroup_freeze(c->cgroup, /* freeze= */ false, err);
    return 0;
}

static int check_deletable(struct runtime_container *c, struct err *err)
{
    const char *status = state_status(c);

    if (str_eq(status, "stopped") || str_eq(status, "created"))
        return 0;
    return err_set(err, ERR_CONFLICT, "cannot delete container %s that is not stopped: %s", c->id, status);
}

int runtime_destroy(struct runtime_container *c, bool force, struct err *err)
{
    if (!force && check_deletable(c, err) < 0)
        return -1;
    if (c->foreign)
        return foreign_destroy(c, err);
    close_fd(&c->sync); /* an init that was never started goes by itself */
    if (c->pidfd >= 0)
        pidfd_signal(c->pidfd, SIGKILL);
    if (c->cgroup && cgroup_destroy(c->cgroup, DESTROY_TIMEOUT_MS, err) < 0)
        return -1;
    if (c->pidfd >= 0 && !c->is_child && pidfd_wait_exit(c->pidfd, DESTROY_TIMEOUT_MS) == 0)
        return err_set(err, ERR_CONFLICT, "container %s doesn't end", c->id);
    leave_rdt(c);
    if (state_remove(c, err) < 0)
        return -1;
    return hooks_run(c, HOOK_POSTSTOP, "stopped", -EBADF, NULL, err) < 0 ? 1 : 0;
}

int runtime_freeze(struct runtime_container *c, bool freeze, struct err *err)
{
    if (c->foreign)
        return foreign_freeze(c, freeze, err);
    return c->cgroup ? cgroup_freeze(c->cgroup, freeze, err)
                     : err_set(err, ERR_CONFLICT, "container has no cgroup");
}

unsigned long runtime_oom_kills(const struct runtime_container *c)
{
    return c->cgroup ? (unsigned long)cgroup_oom_kills(c->cgroup) : 0;
}

int runtime_oom_fd(struct runtime_container *c)
{
    if (c->oom_fd == -EBADF && c->cgroup)
        c->oom_fd = cgroup_oom_fd(c->cgroup, NULL);
    return c->oom_fd < 0 ? -1 : c->oom_fd;
}
