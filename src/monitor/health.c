/* Health checks: a probe is an exec of the monitor's own, with its output in a small buffer.
 *
 *     timer rings ── frozen ──► later
 *       └── probe runs ── ends, or its time is over (it is killed with everything it started) ──► result, timer
 *
 * A probe has a cgroup of its own below the container's, so that what it started is found. The results are kept in
 * MONITOR_HEALTH and nowhere else; a change of the status is an event, and may lead to an action (keg's own label). */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"
#include "sys/cgroup.h"

enum {
    OUTPUT_MAX = 4096,
    RESULTS_MAX = 5,
    RESULTS_BYTES = 1024 * 1024,
    ID_BYTES = 32,
    TIMED_OUT = -1,
    RETRIES = 3,
    FROZEN_AGAIN_S = 1,
};

#define INTERVAL       (30 * CLOCK_NS_PER_S)
#define TIMEOUT        (30 * CLOCK_NS_PER_S)
#define START_INTERVAL (5 * CLOCK_NS_PER_S)

enum health_status { HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };
enum health_action { ACTION_NONE, ACTION_RESTART, ACTION_STOP, ACTION_KILL };

static const char *const status_names[] = {"starting", "healthy", "unhealthy"};
static const char *const action_names[] = {"none", "restart", "stop", "kill"};

struct health {
    struct monitor *monitor;
    json_t *args;
    int64_t interval, timeout, start_period, start_interval;
    unsigned retries;
    enum health_action action;
    int stop_signal; /* for the actions that stop */
    int64_t stop_timeout;

    enum health_status status;
    unsigned streak; /* failures in a row */
    struct loop_timer next, limit;

    /* the probe that runs */
    struct session *session; /* NULL: none */
    char id[2 * ID_BYTES + 1];
    int64_t began;
    bool timed_out;
    struct buf output;
    unsigned group; /* "keg-probe.N": in those before it something lives on that earlier ones have started */
};

/* ---- results ---- */

static json_t *results_load(void)
{
    json_t *results = json_load(AT_FDCWD, MONITOR_HEALTH, RESULTS_BYTES, NULL);

    if (json_is_array(results))
        return results;
    json_decref(results);
    return json_array();
}

/* "1m30s", "500ms": as Go prints a duration. */
static void duration_text(int64_t ns, char text[64])
{
    int64_t seconds = ns / CLOCK_NS_PER_S, rest = ns % CLOCK_NS_PER_S;
    char fraction[16] = "";

    if (ns < CLOCK_NS_PER_S) {
        snprintf(text, 64, "%gms", (double)ns / 1e6);
        return;
    }
    if (rest) {
        snprintf(fraction, sizeof(fraction), ".%09lld", (long long)rest);
        for (size_t n = strlen(fraction); fraction[n - 1] == '0'; n--)
            fraction[n - 1] = '\0';
    }
    if (seconds < 60)
        snprintf(text, 64, "%lld%ss", (long long)seconds, fraction);
    else if (seconds < 3600)
        snprintf(text, 64, "%lldm%lld%ss", (long long)seconds / 60, (long long)seconds % 60, fraction);
    else
        snprintf(text, 64, "%lldh%lldm%lld%ss", (long long)seconds / 3600, (long long)seconds / 60 % 60,
                 (long long)seconds % 60, fraction);
}

static json_t *result_output(const struct health *h, const char *error)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(OUTPUT_MAX + 256);
    char limit[64];

    if (h->timed_out) {
        duration_text(h->timeout, limit);
        buf_printf(&text, "Health check exceeded timeout (%s)%s", limit, h->output.len ? ": " : "");
    }
    if (error)
        buf_printf(&text, "%.1000s", error);
    buf_append(&text, h->output.data, MIN_OF(h->output.len, (size_t)OUTPUT_MAX));
    if (h->output.len > OUTPUT_MAX)
        buf_puts(&text, "...");
    return json_string_lossy(text.data ? text.data : "", text.len);
}

static void results_add(const struct health *h, int exit_code, const char *error)
{
    _cleanup_json_ json_t *results = results_load();
    _cleanup_free_ char *text = NULL;
    char began[CLOCK_TEXT_SIZE], ended[CLOCK_TEXT_SIZE];

    while (json_array_size(results) >= RESULTS_MAX)
        json_array_remove(results, 0);
    clock_format(h->began, began);
    clock_format(clock_now(), ended);
    json_array_append_new(results, json_pack("{s:s, s:s, s:i, s:o}", "Start", began, "End", ended, "ExitCode",
                                             exit_code, "Output", result_output(h, error)));
    text = json_text(results);
    if (text)
        file_replace(AT_FDCWD, MONITOR_HEALTH, text, strlen(text), 0600, /* sync= */ false);
}

/* ---- what follows ---- */

static void act(struct health *h)
{
    struct monitor *m = h->monitor;

    if (h->action == ACTION_KILL)
        stop_signal(m, SIGKILL, /* all= */ false, NULL);
    if (h->action != ACTION_RESTART && h->action != ACTION_STOP)
        return;
    if (h->action == ACTION_RESTART)
        m->restarts.forced = true;
    else
        m->restarts.stopped = true;
    stop_begin(m, h->stop_signal, h->stop_timeout, NULL);
}

static void set_status(struct health *h, enum health_status status)
{
    if (status == h->status)
        return;
    h->status = status;
    monitor_write_state(h->monitor, MONITOR_STATE);
    journal_add(h->monitor,
                json_pack("{s:s, s:s, s:i}", "event", "health", "status", status_names[status],
                          "failing_streak", (int)h->streak),
                clock_now());
    if (status == HEALTH_UNHEALTHY)
        act(h);
}

static void judge(struct health *h, int exit_code)
{
    if (exit_code == 0) {
        h->streak = 0;
        set_status(h, HEALTH_HEALTHY);
        return;
    }
    if (h->status == HEALTH_STARTING && h->began - h->monitor->started_at < h->start_period)
        return;
    h->streak++;
    if (h->streak >= h->retries)
        set_status(h, HEALTH_UNHEALTHY);
}

static void wait_for_next(struct health *h)
{
    bool starts = h->status == HEALTH_STARTING && clock_now() - h->monitor->started_at < h->start_period;

    loop_timer_set(&h->monitor->loop, &h->next, starts ? h->start_interval : h->interval);
}

static void conclude(struct health *h, int exit_code, const char *error)
{
    results_add(h, exit_code, error);
    buf_finish(&h->output);
    malloc_trim(0); /* until the next one this was all */
    judge(h, exit_code);
    wait_for_next(h);
}

/* ---- the probe ---- */

static void probe_output(struct session *s, const char *data, size_t len)
{
    struct health *h = ((struct monitor *)s->owner)->health;
    size_t room = OUTPUT_MAX + 1 - MIN_OF(h->output.len, (size_t)OUTPUT_MAX + 1);

    buf_append(&h->output, data, MIN_OF(len, room)); /* one byte more tells that there was more */
}

static void probe_ignored(_unused_ struct session *s)
{
}

static const struct session_events probe_events = {
    .attached = probe_ignored,
    .detached = probe_ignored,
    .ended = probe_ignored,
    .output = probe_output,
};

static void probe_tell(const struct health *h, const char *event, int exit_code)
{
    json_t *packet = json_pack("{s:s, s:s}", "event", event, "exec_id", h->id);

    if (str_eq(event, "probe-start"))
        json_object_set(packet, "args", h->args);
    else
        json_set_int(packet, "exit_code", exit_code);
    journal_add(h->monitor, packet, clock_now());
}

static void group_name(const struct health *h, char name[32])
{
    snprintf(name, 32, "keg-probe.%u", h->group);
}

/* The first that nothing lives in: so there are never more of them than something lives in, and one. */
static void choose_group(struct health *h, const struct cgroup *cg, char name[32])
{
    h->group = 0;
    for (group_name(h, name); cg && cgroup_group_remove(cg, name) == -EBUSY; group_name(h, name))
        h->group++;
}

/* The container's own process with other arguments. */
static json_t *probe_process(const struct health *h, struct err *err)
{
    _cleanup_json_ json_t *config = monitor_read_json(h->monitor->restarts.config, "configuration", err);
    json_t *process = json_object_get(config, "process");

    if (!process)
        return NULL;
    monitor_set_oom_score(h->monitor, process);
    json_object_set(process, "args", h->args);
    json_set_bool(process, "terminal", false);
    json_object_del(process, "consoleSize");
    return json_incref(process);
}

static int probe_run(struct health *h, struct err *err)
{
    struct monitor *m = h->monitor;
    _cleanup_json_ json_t *process = probe_process(h, err);
    char name[32];
    struct cgroup *cg = runtime_cgroup(m->container);
    struct runtime_exec_options options = {.process = process,
                                           .stdio = {-EBADF, -EBADF, -EBADF},
                                           .group = -EBADF,
                                           .seccomp_cache_dir = m->seccomp_cache};
    int pidfd = -EBADF, master = -EBADF, r;

    choose_group(h, cg, name);
    if (!process || session_make_stdio(h->session, /* outputs= */ true, options.stdio, err) < 0)
        return -1;
    if (cg)
        options.group = cgroup_group_make(cg, name);
    r = runtime_exec(m->container, &options, &h->session->pid, &pidfd, &master, err);
    for (int i = 0; i < 3; i++)
        close_fd(&options.stdio[i]);
    close_fd(&options.group);
    close_fd(&pidfd);
    close_fd(&master);
    return r;
}

static void probe_forget(struct health *h)
{
    struct cgroup *cg = h->monitor->container ? runtime_cgroup(h->monitor->container) : NULL;
    char name[32];

    group_name(h, name);
    if (cg)
        (void)cgroup_group_remove(cg, name);
    h->session = session_free(h->session);
}

/* "exec_die" and the like need an id as kegd makes them. */
static void make_id(struct health *h)
{
    unsigned char bytes[ID_BYTES] = {0};

    (void)!getrandom(bytes, sizeof(bytes), 0);
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(h->id + 2 * i, 3, "%02x", bytes[i]);
}

static void probe_begin(struct loop_timer *timer)
{
    struct health *h = (struct health *)((char *)timer - offsetof(struct health, next));
    struct monitor *m = h->monitor;
    struct err err = {0};
    struct cgroup *cg = runtime_cgroup(m->container);

    if (cg && cgroup_is_frozen(cg)) {
        loop_timer_set(&m->loop, &h->next, FROZEN_AGAIN_S * CLOCK_NS_PER_S);
        return;
    }
    make_id(h);
    h->began = clock_now();
    h->timed_out = false;
    h->output = (struct buf)BUF_INIT(OUTPUT_MAX + 1);
    h->session = session_new(&m->loop, /* id= */ NULL, &probe_events, m);
    probe_tell(h, "probe-start", 0);
    if (probe_run(h, &err) < 0) {
        probe_tell(h, "probe-exit", err.kind == ERR_NO_PROGRAM ? 127 : 126);
        probe_forget(h);
        conclude(h, TIMED_OUT, err.message);
        return;
    }
    h->session->running = true;
    session_begin(h->session);
    loop_timer_set(&m->loop, &h->limit, h->timeout);
}

/* What it started may be anywhere in the container; its cgroup tells. */
static void probe_kill(const struct health *h)
{
    struct cgroup *cg = runtime_cgroup(h->monitor->container);
    char name[32];

    group_name(h, name);
    if (cg)
        cgroup_group_kill(cg, name);
    kill(h->session->pid, SIGKILL);
}

static void probe_limit(struct loop_timer *timer)
{
    struct health *h = (struct health *)((char *)timer - offsetof(struct health, limit));
    struct cgroup *cg = runtime_cgroup(h->monitor->container);

    if (cg && cgroup_is_frozen(cg)) { /* not its fault */
        loop_timer_set(&h->monitor->loop, &h->limit, h->timeout);
        return;
    }
    h->timed_out = true;
    probe_kill(h);
}

bool health_probe_ended(struct monitor *m, pid_t pid, int exit_code)
{
    struct health *h = m->health;

    if (!h || !h->session || h->session->pid != pid)
        return false;
    loop_timer_stop(&m->loop, &h->limit);
    session_drain(h->session);
    probe_tell(h, "probe-exit", exit_code);
    if (h->timed_out)
        probe_kill(h); /* who was born while the others were killed */
    probe_forget(h);
    conclude(h, h->timed_out ? TIMED_OUT : exit_code, NULL);
    return true;
}

/* ---- life ---- */

static int64_t time_or(const json_t *settings, const char *key, int64_t otherwise)
{
    int64_t ns = json_int_or(settings, key, 0);

    return ns > 0 ? ns : otherwise;
}

void health_configure(struct monitor *m, const json_t *settings)
{
    const char *action = json_str_or(settings, "on_failure", "none");
    struct health *h;

    if (!settings || json_array_size(json_object_get(settings, "args")) == 0)
        return;
    h = m->health = xcalloc(1, sizeof(*h));
    *h = (struct health){.monitor = m,
                         .args = json_incref(json_object_get(settings, "args")),
                         .interval = time_or(settings, "interval", INTERVAL),
                         .timeout = time_or(settings, "timeout", TIMEOUT),
                         .start_period = time_or(settings, "start_period", 0),
                         .start_interval = time_or(settings, "start_interval", START_INTERVAL),
                         .retries = (unsigned)time_or(settings, "retries", RETRIES),
                         .stop_signal = (int)time_or(settings, "stop_signal", SIGTERM),
                         .stop_timeout = json_int_or(settings, "stop_timeout", 10 * CLOCK_NS_PER_S),
                         .next = {.handler = probe_begin},
                         .limit = {.handler = probe_limit}};
    for (size_t i = 0; i < ARRAY_SIZE(action_names); i++)
        if (str_eq(action_names[i], action))
            h->action = (enum health_action)i;
}

void health_begin(struct monitor *m)
{
    if (!m->health)
        return;
    m->health->status = HEALTH_STARTING;
    m->health->streak = 0;
    wait_for_next(m->health);
}

void health_end(struct monitor *m)
{
    struct health *h = m->health;

    if (!h)
        return;
    loop_timer_stop(&m->loop, &h->next);
    loop_timer_stop(&m->loop, &h->limit);
    if (h->session) { /* killed with the container, and reaped with what is left of it */
        probe_tell(h, "probe-exit", 128 + SIGKILL);
        h->session = session_free(h->session);
        buf_finish(&h->output);
    }
}

void health_free(struct monitor *m)
{
    if (!m->health)
        return;
    health_end(m);
    json_decref(m->health->args);
    free(m->health);
    m->health = NULL;
}

json_t *health_json(const struct monitor *m)
{
    const struct health *h = m->health;

    return h ? json_pack("{s:s, s:i}", "status", status_names[h->status], "failing_streak", (int)h->streak)
             : NULL;
}
