/* Processes by descriptor. All return 0 or more, or -errno. */
#ifndef KEG_SYS_PIDFD_H
#define KEG_SYS_PIDFD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>

/* pidfd_open(2); the process needs not be a child. */
int pidfd_from_pid(pid_t pid);
int pidfd_signal(int pidfd, int signal);
/* 1 when the process has ended, 0 when `timeout_ms` have passed (-1: no limit). */
int pidfd_wait_exit(int pidfd, int timeout_ms);
/* waitid(2) for ends alone. A child can make its parent its tracer, unasked (PTRACE_TRACEME), and then waitid() tells its
 * stops as well, whatever was asked for: such a child is let go on and passed over. ret->si_pid is 0 when `hang` is
 * false and nothing has ended. */
int process_wait_end(idtype_t type, id_t id, bool hang, siginfo_t *ret);
/* Reaps a child and gives its wait status in the form of waitpid(2). -EAGAIN when `hang` is false and it
 * lives. */
int pidfd_reap(int pidfd, bool hang, int *ret_status);
/* When a process started, in clock ticks since boot (proc_pid_stat(5), field 22): with its pid this names it
 * for good. */
int process_start_time(pid_t pid, uint64_t *ret_ticks, char *ret_state);

/* Like fork(), by clone3(2): 0 in the child, its pid in the parent. `flags` are CLONE_NEW… and CLONE_PARENT;
 * *ret_pidfd (may be NULL) is close-on-exec; cgroup >= 0 is a v2 directory to be born in. The caller must be
 * single-threaded. */
pid_t process_clone(uint64_t flags, int cgroup, int *ret_pidfd);
/* Whether others of the same user may trace this process and look at its /proc/PID/{fd,exe,mem} (PR_SET_DUMPABLE).
 * Children inherit it; execve() puts it back. */
void process_set_visible(bool visible);
/* Unblocks all signals and puts every handler back, ignored ones too: what a program expects at birth. */
void process_reset_signals(void);

#endif
