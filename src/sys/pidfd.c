/* pidfds and clone3. */
#include "sys/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"

int pidfd_from_pid(pid_t pid)
{
    long fd = syscall(SYS_pidfd_open, pid, 0); /* close-on-exec always */

    if (fd < 0 && errno == EINVAL &&
        pid > 0) /* it has ended, but its id is still that of a group or session */
        return -ESRCH;
    return fd < 0 ? -errno : (int)fd;
}

int pidfd_signal(int pidfd, int signal)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int pidfd_wait_exit(int pidfd, int timeout_ms)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int n;

    do
        n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR && timeout_ms < 0);
    return n < 0 ? -errno : n;
}

/* The signal it stopped for is its own affair; that of a trap isn't one. */
static void let_go(const siginfo_t *stopped)
{
    long signal = (stopped->si_status & 0x7f) == SIGTRAP ? 0 : stopped->si_status & 0x7f;

    ptrace(PTRACE_DETACH, stopped->si_pid, NULL, (void *)signal);
}

int process_wait_end(idtype_t type, id_t id, bool hang, siginfo_t *ret)
{
    for (;;) {
        *ret = (siginfo_t){0};
        if (waitid(type, id, ret, WEXITED | (hang ? 0 : WNOHANG)) < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (ret->si_code != CLD_TRAPPED && ret->si_code != CLD_STOPPED)
            return 0;
        let_go(ret);
    }
}

int pidfd_reap(int pidfd, bool hang, int *ret_status)
{
    siginfo_t info;
    int r = process_wait_end((idtype_t)P_PIDFD, (id_t)pidfd, hang, &info);

    if (r < 0)
        return r;
    if (info.si_pid == 0)
        return -EAGAIN;
    if (ret_status)
        *ret_status = info.si_code == CLD_EXITED
                          ? W_EXITCODE(info.si_status, 0)
                          : info.si_status | (info.si_code == CLD_DUMPED ? WCOREFLAG : 0);
    return 0;
}

int process_start_time(pid_t pid, uint64_t *ret_ticks, char *ret_state)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(4096);
    unsigned long long ticks;
    char path[32], state;
    const char *rest;
    int r;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    r = file_read(AT_FDCWD, path, &b);
    if (r < 0)
        return r;
    rest = strrchr(buf_str(&b), ')'); /* the name may hold anything, but nothing after it holds a ')' */
    if (!rest ||
        sscanf(rest + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
               &state, &ticks) != 2)
        return -EINVAL;
    *ret_ticks = ticks;
    if (ret_state)
        *ret_state = state;
    return 0;
}

pid_t process_clone(uint64_t flags, int cgroup, int *ret_pidfd)
{
    int pidfd = -EBADF;
    struct clone_args args = {
        .flags = flags | (ret_pidfd ? CLONE_PIDFD : 0) | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
        .cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0,
    };
    long pid = syscall(SYS_clone3, &args, sizeof(args));

    if (pid < 0)
        return (pid_t)-errno;
    if (ret_pidfd && pid > 0)
        *ret_pidfd = pidfd;
    return (pid_t)pid;
}

void process_set_visible(bool visible)
{
    prctl(PR_SET_DUMPABLE, visible, 0, 0, 0);
}

void process_reset_signals(void)
{
    /* the kernel's own struct: the C library's call refuses the two signals it keeps for itself, which may have been
     * inherited ignored all the same */
    static const struct {
        unsigned long handler, flags, restorer, mask;
    } by_default;
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        if (i != SIGKILL && i != SIGSTOP)
            syscall(SYS_rt_sigaction, i, &by_default, NULL, sizeof(by_default.mask));
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}
