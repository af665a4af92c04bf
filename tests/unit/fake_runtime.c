/* The runtime's interface over plain fork and exec, without namespaces or cgroups: for tests of the monitor
 * that need no privileges. The configuration's process.args and process.terminal count, nothing else. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/runtime.h"
#include "sys/cgroup.h"

struct runtime_container {
    char **args;
    pid_t pid;
    int go;      /* a byte here lets init go */
    int failure; /* the errno of its execve() comes here, or the end */
    int console;
};

/* In the child: waits for `go`, then becomes the program. */
static _noreturn_ void child_main(char **args, int go, int failure, const int stdio[3], int slave)
{
    sigset_t none;
    char byte;
    int error;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    if (slave >= 0)
        ioctl(slave, TIOCSCTTY, 0);
    for (int fd = 0; fd < 3; fd++)
        dup2(slave >= 0 ? slave : stdio[fd], fd);
    if (read(go, &byte, 1) != 1)
        _exit(1);
    execv(args[0], args);
    error = errno;
    (void)!write(failure, &error, sizeof(error));
    _exit(1);
}

static struct runtime_container *spawn(const json_t *process, const int stdio[3])
{
    struct runtime_container *c = xcalloc(1, sizeof(*c));
    int go[2], failure[2], slave = -EBADF;

    c->args = json_strv(process, "args");
    c->console = -EBADF;
    if (json_bool_or(process, "terminal", false)) {
        c->console = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        unlockpt(c->console);
        slave = ioctl(c->console, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    }
    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(failure, O_CLOEXEC) < 0)
        abort();
    c->pid = fork();
    if (c->pid == 0) {
        close(go[1]);
        child_main(c->args, go[0], failure[1], stdio, slave);
    }
    close(go[0]);
    close(failure[1]);
    close_fd(&slave);
    c->go = go[1];
    c->failure = failure[0];
    return c;
}

struct runtime_container *runtime_create(const json_t *config, const struct runtime_create_options *options,
                                         struct err *err)
{
    const json_t *process = json_object_get(config, "process");

    if (!process) {
        err_set(err, ERR_INVALID, "process: missing");
        return NULL;
    }
    return spawn(process, options->stdio);
}

int runtime_start(struct runtime_container *c, struct err *err)
{
    int error = 0;

    if (write(c->go, "", 1) != 1)
        return err_errno(err, errno, "start");
    close_fd(&c->go);
    if (read(c->failure, &error, sizeof(error)) == sizeof(error))
        return err_set(err, error == ENOENT ? ERR_NO_PROGRAM : ERR_CANNOT_INVOKE, "exec: \"%s\": %s",
                       c->args[0], strerror(error));
    return 0;
}

int runtime_exec(_unused_ struct runtime_container *c, const struct runtime_exec_options *options,
                 pid_t *ret_pid, int *ret_pidfd, int *ret_console, struct err *err)
{
    struct runtime_container *p = spawn(options->process, options->stdio);
    int r = runtime_start(p, err);

    *ret_pid = p->pid;
    *ret_pidfd = -EBADF;
    *ret_console = take_fd(&p->console);
    if (r < 0)
        waitpid(p->pid, NULL, 0);
    runtime_container_free(p);
    return r;
}

struct runtime_container *runtime_container_free(struct runtime_container *c)
{
    if (!c)
        return NULL;
    strv_free(c->args);
    close_fd(&c->go);
    close_fd(&c->failure);
    close_fd(&c->console);
    free(c);
    return NULL;
}

pid_t runtime_pid(const struct runtime_container *c)
{
    return c->pid;
}

int runtime_take_console(struct runtime_container *c)
{
    return take_fd(&c->console);
}

int runtime_kill(struct runtime_container *c, int signal, _unused_ bool all, struct err *err)
{
    return kill(c->pid, signal) < 0 ? err_errno(err, errno, "kill") : 0;
}

int runtime_destroy(struct runtime_container *c, bool force, _unused_ struct err *err)
{
    if (force)
        kill(c->pid, SIGKILL);
    return 0;
}

unsigned long runtime_oom_kills(_unused_ const struct runtime_container *c)
{
    return 0;
}

int runtime_oom_fd(_unused_ struct runtime_container *c)
{
    return -1;
}

struct cgroup *runtime_cgroup(_unused_ struct runtime_container *c)
{
    return NULL;
}

int runtime_update(_unused_ struct runtime_container *c, _unused_ const json_t *resources, struct err *err)
{
    return err_set(err, ERR_NOT_IMPLEMENTED, "no limits here");
}

int runtime_freeze(_unused_ struct runtime_container *c, _unused_ bool freeze, struct err *err)
{
    return err_set(err, ERR_NOT_IMPLEMENTED, "no cgroup here");
}
