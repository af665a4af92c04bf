/* Stopping in time: the signal, the wait, SIGKILL. All of it is the monitor's, so that a stop once asked for is carried out
 * whoever asked. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "monitor/monitor.h"
#include "sys/cgroup.h"

enum { STATUS_MAX = 16384 };

/* Whether it sits in sigwait: it takes what it waits for, and shows it neither as caught nor as blocked meanwhile. */
static bool waits_for_signals(pid_t pid)
{
    enum { COMPAT = 177, COMPAT_TIME64 = 421 }; /* of 32-bit programs */
    _cleanup_(buf_finish) struct buf text = BUF_INIT(STATUS_MAX);
    char path[64], *end;
    long number;

    snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
    if (file_read(AT_FDCWD, path, &text) < 0)
        return true;
    number = strtol(buf_str(&text), &end, 10);
    return end != buf_str(&text) &&
           (number == SYS_rt_sigtimedwait || number == COMPAT || number == COMPAT_TIME64);
}

/* Whether the container's first process will take notice of a signal: the kernel drops what PID 1 of a pid namespace
 * neither catches nor blocks (for signalfd) nor waits for. When in doubt: yes. */
static bool will_notice(const struct monitor *m, int signal)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(STATUS_MAX);
    const char *caught, *blocked;
    char path[64];
    uint64_t mask;

    if (!m->own_pid_namespace)
        return true;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)m->pid);
    if (file_read(AT_FDCWD, path, &text) < 0)
        return true;
    caught = strstr(buf_str(&text), "SigCgt:");
    blocked = strstr(buf_str(&text), "SigBlk:");
    if (!caught || !blocked)
        return true;
    mask = strtoull(caught + strlen("SigCgt:"), NULL, 16) | strtoull(blocked + strlen("SigBlk:"), NULL, 16);
    return (mask & (UINT64_C(1) << (signal - 1))) || waits_for_signals(m->pid);
}

static void thaw(struct monitor *m)
{
    struct cgroup *cg = runtime_cgroup(m->container);

    if (cg && cgroup_is_frozen(cg))
        cgroup_freeze(cg, false, NULL);
}

int stop_signal(struct monitor *m, int signal, bool all, struct err *err)
{
    if (runtime_kill(m->container, signal, all, err) < 0)
        return -1;
    journal_add(m, json_pack("{s:s, s:i}", "event", "kill", "signal", signal), clock_now());
    return 0;
}

static void stop_now(struct monitor *m)
{
    thaw(m);
    stop_signal(m, SIGKILL, /* all= */ false, NULL);
}

static void stop_ring(struct loop_timer *timer)
{
    struct monitor *m = (struct monitor *)((char *)timer - offsetof(struct monitor, stop_timer));

    if (m->status == MONITOR_RUNNING)
        stop_now(m);
}

int stop_begin(struct monitor *m, int signal, int64_t timeout, struct err *err)
{
    struct err why = {0};

    m->stop_timer.handler = stop_ring;
    thaw(m);
    /* Looked at before: afterwards it may be in its handler, or gone. */
    bool noticed = will_notice(m, signal);
    if (stop_signal(m, signal, /* all= */ false, &why) < 0 && why.kind != ERR_CONFLICT)
        return err_pass(err, &why);
    if (!noticed || timeout == 0)
        stop_now(m);
    else if (timeout > 0)
        loop_timer_set(&m->loop, &m->stop_timer, timeout);
    return 0;
}
