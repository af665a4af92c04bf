/* The monitor's life: its set-up, its loop, the container's end.
 *
 * It is spawned by kegd and outlives it: a session of its own, nothing on 0, 1, 2, every signal blocked,
 * orphans of the container's processes come to it. When nothing has happened for a second the memory of past
 * work is given back. */
#include "monitor/monitor.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "monitor/protocol.h"
#include "monitor/scratch.h"
#include "sys/cgroup.h"
#include "sys/pidfd.h"

#define OOM_SCORE_FILE "/proc/self/oom_score_adj"
#define OOM_SCORE_OWN  "-999"

enum { IDLE_MS = 1000, OOM_PATIENCE_MS = 20 };
#define HELD_NS (2 * CLOCK_NS_PER_S)

/* --- set-up --- */

static int detach_from_parent(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        return -errno;
    for (int fd = 0; fd < 3; fd++)
        if (dup2(null, fd) < 0)
            return -errno;
    if (null > 2)
        close(null);
    prctl(PR_SET_NAME, "keg-monitor"); /* otherwise it is called as the descriptor that was executed */
    setsid();                          /* fails only for a session's leader: fine */
    umask(0022);
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* The machine should lose a container's processes first; not allowed everywhere, and then left alone. */
static void lower_oom_score(struct monitor *m)
{
    _cleanup_close_ int fd = open(OOM_SCORE_FILE, O_RDWR | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, m->oom_score_adj, sizeof(m->oom_score_adj) - 1);

    while (n > 0 && m->oom_score_adj[n - 1] == '\n')
        n--;
    m->oom_score_adj[n > 0 ? n : 0] = '\0';
    if (n > 0)
        (void)!write(fd, OOM_SCORE_OWN, sizeof(OOM_SCORE_OWN) - 1);
}

static void children_ready(struct loop_source *source, uint32_t events);

static int watch_children(struct monitor *m)
{
    sigset_t all, child;

    sigfillset(&all);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
        return -errno;
    m->signals = (struct loop_source){.fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK),
                                      .handler = children_ready};
    if (m->signals.fd < 0)
        return -errno;
    return loop_set(&m->loop, &m->signals, EPOLLIN);
}

/* --- the OOM killer --- */

/* Looks whether it has struck since the last look. */
static bool note_oom(struct monitor *m)
{
    unsigned long kills = m->container ? runtime_oom_kills(m->container) : 0;

    if (kills <= m->oom_seen)
        return false;
    m->oom_seen = kills;
    m->oom_killed = true;
    journal_add(m, json_pack("{s:s}", "event", "oom"), clock_now());
    return true;
}

static void oom_ready(struct loop_source *source, _unused_ uint32_t events)
{
    struct monitor *m = LOOP_OWNER(source, struct monitor, oom);

    cgroup_oom_drain(source->fd);
    for (int i = 0; i < OOM_PATIENCE_MS && !note_oom(m); i++)
        poll(NULL, 0, 1); /* cgroup v1 tells just before it kills */
}

void monitor_watch_oom(struct monitor *m)
{
    m->oom = (struct loop_source){.fd = runtime_oom_fd(m->container), .handler = oom_ready};
    if (m->oom.fd >= 0)
        loop_set(&m->loop, &m->oom, EPOLLIN);
}

/* --- sessions --- */

bool monitor_session_event(struct monitor *m, const struct session *s, const char *name)
{
    json_t *event = json_pack("{s:s}", "event", name);

    if (s->id)
        json_set_str(event, "exec_id", s->id);
    return server_event(m->server, event);
}

static void main_attached(struct session *s)
{
    monitor_session_event(s->owner, s, "attach");
}

static void main_detached(struct session *s)
{
    monitor_session_event(s->owner, s, "detach");
}

static void main_ended(struct session *s)
{
    struct monitor *m = s->owner;
    struct session **link = &m->old_mains;

    while (*link && *link != s)
        link = &(*link)->next;
    if (*link)
        *link = s->next;
    else
        m->main = NULL;
    session_free(s);
}

static const struct session_events main_events = {
    .attached = main_attached,
    .detached = main_detached,
    .ended = main_ended,
};

/* --- the end --- */

static void close_log(struct monitor *m)
{
    if (m->main)
        m->main->log = NULL;
    m->log = logger_close(m->log);
}

/* Orphans and whatever else has ended. */
static void reap_rest(void)
{
    siginfo_t info;

    while (process_wait_end(P_ALL, 0, /* hang= */ false, &info) == 0 && info.si_pid)
        ;
}

static void remove_container(struct monitor *m)
{
    loop_remove(&m->loop, &m->oom); /* the descriptor is the container's */
    if (m->container)
        runtime_destroy(m->container, /* force= */ true, NULL);
    m->container = runtime_container_free(m->container);
}

/* From here on only clients are served. */
static void leave(struct monitor *m)
{
    m->status = MONITOR_STOPPED;
    server_stop_listening(m->server);
    unlink(MONITOR_SOCKET);
    restart_drop_sources(m);
    m->dns = dns_close(m->dns);
    netns_leave(&m->netns);
    if (m->main)
        session_close(m->main);
}

/* Everything of the container that is the kernel's. */
static void clear_away(struct monitor *m)
{
    loop_timer_stop(&m->loop, &m->stop_timer);
    session_drain(m->main);
    close_log(m);
    remove_container(m);
    health_end(m);
    monitor_execs_end(m);
    reap_rest();
}

/* "exit": it is over. again: the end itself was told as "restarting" before; err: why it couldn't be started again, or NULL. */
static void tell_exit(struct monitor *m, bool again, const struct err *err)
{
    json_t *event =
        json_pack("{s:s, s:i, s:b, s:I, s:b}", "event", "exit", "exit_code", m->exit_code, "oom_killed",
                  m->oom_killed, "finished_at", (json_int_t)m->finished_at, "stopped", m->restarts.stopped);

    if (again)
        json_set_bool(event, "again", true);
    if (m->restarts.left)
        json_set_bool(event, "restart", true);
    if (err)
        json_object_update_new(event, json_from_err(err));
    m->status = MONITOR_STOPPED;
    m->failure = err;
    monitor_write_state(m, MONITOR_EXIT);
    m->failure = NULL;
    journal_add(m, event, m->finished_at);
    leave(m);
}

/* Clients of the end that was are let go; new ones may come. */
static void begin_restart(struct monitor *m)
{
    struct session *old = m->main;

    m->status = MONITOR_RESTARTING;
    m->restarts.count = m->restarts.manual ? 0 : m->restarts.count + 1;
    monitor_write_state(m, MONITOR_STATE);
    journal_add(m,
                json_pack("{s:s, s:i, s:b, s:I, s:I, s:i, s:b}", "event", "restarting", "exit_code",
                          m->exit_code, "oom_killed", m->oom_killed, "started_at", (json_int_t)m->started_at,
                          "finished_at", (json_int_t)m->finished_at, "restart_count", (int)m->restarts.count,
                          "manual", m->restarts.manual),
                m->finished_at);
    m->main = session_new(&m->loop, /* id= */ NULL, &main_events, m);
    old->next = m->old_mains;
    m->old_mains = old;
    session_close(old);
    restart_wait(m);
}

void monitor_ended(struct monitor *m, int exit_code)
{
    struct err err = {0};

    if (m->status != MONITOR_RUNNING) {
        err_set(&err, ERR_SYSTEM, "the container's first process ended before its program was started");
        monitor_abandon(m, &err);
        return;
    }
    m->finished_at = clock_now();
    m->exit_code = exit_code;
    note_oom(m);
    clear_away(m);
    m->restarts.left =
        restart_is_wanted(m) && (m->restarts.by_kegd || (m->restarts.manual && m->restarts.asker));
    if (!m->restarts.left && restart_is_wanted(m)) {
        begin_restart(m);
        return;
    }
    tell_exit(m, /* again= */ false, NULL);
}

void monitor_give_up(struct monitor *m)
{
    restart_cancel(m);
    tell_exit(m, /* again= */ true, NULL);
}

void monitor_abandon(struct monitor *m, const struct err *err)
{
    if (m->status == MONITOR_STOPPED)
        return;
    clear_away(m);
    if (m->started_at) { /* it has run before */
        m->exit_code = err->kind == ERR_NO_PROGRAM ? 127 : err->kind == ERR_CANNOT_INVOKE ? 126 : 128;
        tell_exit(m, /* again= */ true, err);
        return;
    }
    if (m->starter)
        connection_reply_error(m->starter, err);
    m->starter = NULL;
    m->network_pending = false;
    leave(m);
}

/* kegd has gone: before "start" was answered nobody would ever know of this container. */
static void connection_gone(void *arg, struct connection *c)
{
    struct monitor *m = arg;
    struct err err = {0};

    if (c == m->restarts.asker)
        m->restarts.asker = NULL; /* the rest is ours */
    if (c != m->starter && (c != m->control || m->status != MONITOR_IDLE))
        return;
    m->starter = NULL;
    err_set(&err, ERR_CANCELLED, "the one who asked went away");
    monitor_abandon(m, &err);
}

/* --- children --- */

int monitor_exit_code(const siginfo_t *info)
{
    return info->si_code == CLD_EXITED ? info->si_status & 255 : 128 + info->si_status;
}

static void children_ready(struct loop_source *source, _unused_ uint32_t events)
{
    struct monitor *m = LOOP_OWNER(source, struct monitor, signals);
    struct signalfd_siginfo ignored[8];
    int init_code = -1;

    while (read(source->fd, ignored, sizeof(ignored)) > 0)
        ;
    note_oom(m);
    for (;;) {
        siginfo_t info;

        if (process_wait_end(P_ALL, 0, /* hang= */ false, &info) < 0 || info.si_pid == 0)
            break;
        if (info.si_pid == m->pid)
            init_code = monitor_exit_code(&info);
        else if (!health_probe_ended(m, info.si_pid, monitor_exit_code(&info)))
            monitor_exec_ended(m, info.si_pid, monitor_exit_code(&info));
    }
    if (init_code >= 0 && m->status != MONITOR_STOPPED && m->status != MONITOR_RESTARTING)
        monitor_ended(m, init_code);
}

/* --- the program --- */

static void release_memory(struct monitor *m)
{
    logger_release(m->log);
    scratch_release();
    malloc_trim(0);
}

static bool is_served(const struct monitor *m)
{
    return m->status == MONITOR_STOPPED && !m->main && !m->old_mains && !m->execs &&
           server_flushed(m->server);
}

/* What a burst took is given back when nothing comes for a while, and now and then also while something does: a line a second, or
 * a check, mustn't hold it for ever. */
static int monitor_run(struct monitor *m)
{
    int64_t released = clock_monotonic();

    while (!is_served(m)) {
        int r = loop_turn(&m->loop, scratch_used() ? IDLE_MS : -1);

        if (r < 0)
            return r;
        if (r == 0 || (scratch_used() && clock_monotonic() - released > HELD_NS)) {
            release_memory(m);
            released = clock_monotonic();
        }
        server_sweep(m->server);
    }
    return 0;
}

static int monitor_init(struct monitor *m)
{
    int r = detach_from_parent();

    lower_oom_score(m);
    if (r == 0)
        r = loop_init(&m->loop);
    if (r == 0)
        r = watch_children(m);
    if (r < 0)
        return r;
    fd_set_cloexec(MONITOR_CONTROL_FD, true);
    m->server = server_new(&m->loop, monitor_request, connection_gone, m);
    m->main = session_new(&m->loop, /* id= */ NULL, &main_events, m);
    m->control = server_adopt(m->server, MONITOR_CONTROL_FD);
    return server_listen(m->server, MONITOR_SOCKET, NULL);
}

static void monitor_finish(struct monitor *m)
{
    session_free(m->main);
    while (m->old_mains) {
        struct session *s = m->old_mains;

        m->old_mains = s->next;
        session_free(s);
    }
    monitor_execs_free(m);
    health_free(m);
    restart_finish(m);
    logger_close(m->log);
    server_free(m->server);
    loop_close(&m->loop, &m->signals);
    loop_finish(&m->loop);
    free(m->seccomp_cache);
}

int monitor_main(void)
{
    struct monitor m = {.loop = {-EBADF},
                        .signals = LOOP_SOURCE_UNSET,
                        .oom = LOOP_SOURCE_UNSET,
                        .netns = NETNS_UNSET,
                        .restarts = {.config = -EBADF, .host_mounts = -EBADF}};
    int r = monitor_init(&m);

    if (r == 0)
        r = monitor_run(&m);
    monitor_finish(&m);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
