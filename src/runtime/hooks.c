/* Hooks: programs that run at stages of a container's life. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "runtime/internal.h"
#include "sys/pidfd.h"

extern char **environ;

/* In the child: the state on 0, stdout and stderr as they are, no other descriptor. */
static _noreturn_ void become(const struct spec_hook *hook, int input)
{
    const char *const self[] = {hook->path, NULL}, *const none[] = {NULL};

    process_reset_signals();
    if (dup2(input, STDIN_FILENO) < 0)
        _exit(127);
    close_range(3, ~0U, 0);
    execve(hook->path, (char *const *)(hook->args && hook->args[0] ? hook->args : (const char **)self),
           (char *const *)(hook->env ? hook->env : (const char **)none));
    _exit(127);
}

static int wait_for(const struct spec_hook *hook, const char *stage, int pidfd, struct err *err)
{
    int timeout = hook->timeout > 0 && hook->timeout < 1000000 ? (int)hook->timeout * 1000 : -1, status = 0;

    if (pidfd_wait_exit(pidfd, timeout) == 0) {
        launch_kill(&pidfd);
        return err_set(err, ERR_SYSTEM, "%s hook %s: not done after %lld seconds", stage, hook->path,
                       (long long)hook->timeout);
    }
    if (pidfd_reap(pidfd, /* hang= */ true, &status) < 0)
        return err_errno(err, errno, "%s hook %s", stage, hook->path);
    if (WIFSIGNALED(status))
        return err_set(err, ERR_SYSTEM, "%s hook %s: killed by signal %d", stage, hook->path,
                       WTERMSIG(status));
    if (WEXITSTATUS(status))
        return err_set(err, ERR_SYSTEM, "%s hook %s: exit status %d", stage, hook->path, WEXITSTATUS(status));
    return 0;
}

static int run(const struct spec_hook *hook, const char *stage, const char *state, struct err *err)
{
    _cleanup_close_ int input = -EBADF, output = -EBADF, pidfd = -EBADF;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    int pipe_fds[2];
    pid_t pid;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return err_errno(err, errno, "%s hook %s", stage, hook->path);
    input = pipe_fds[0];
    output = pipe_fds[1];
    pid = process_clone(0, -EBADF, &pidfd);
    if (pid == 0)
        become(hook, input);
    if (pid < 0)
        return err_errno(err, pid, "%s hook %s", stage, hook->path);
    close_fd(&input);
    sigaction(SIGPIPE, &ignore, &before);
    (void)fd_write_full(output, state, strlen(state)); /* one that doesn't read it is fine */
    sigaction(SIGPIPE, &before, NULL);
    close_fd(&output);
    return wait_for(hook, stage, pidfd, err);
}

int hooks_run(const struct spec_hooks *hooks, const char *stage, const json_t *state, struct err *err)
{
    _cleanup_free_ char *text = hooks->count ? json_text(state) : NULL;

    for (size_t i = 0; i < hooks->count; i++)
        if (run(&hooks->list[i], stage, text, err) < 0)
            return -1;
    return 0;
}
