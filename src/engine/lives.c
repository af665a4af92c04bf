/* What monitors tell of their containers: events and changes of state, as they come, or read from the journal that a monitor
 * keeps for a kegd that was away. `told` makes certain that nothing is told twice. Only the end of it all is elsewhere
 * (exit.c), as it has more to do. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/exec.h"
#include "engine/monitors.h"
#include "engine/oci.h"
#include "engine/signals.h"
#include "monitor/protocol.h"

enum { JOURNAL_MAX = 512 * 1024, RESULTS_MAX = 1024 * 1024, STOP_TIMEOUT_S = 10 };

/* ---- single events ---- */

void container_tell_volumes(struct container *c, bool mounted)
{
    const json_t *m;
    size_t i;
    json_array_foreach (c->mounts, i, m) {
        if (!str_eq(json_str(m, "Type"), "volume"))
            continue;
        _cleanup_json_ json_t *attributes = json_object();
        json_set_str(attributes, "container", c->id);
        json_set_str(attributes, "driver", json_str_or(m, "Driver", "local"));
        if (mounted) {
            json_set_str(attributes, "destination", json_str_or(m, "Destination", ""));
            json_set_str(attributes, "propagation", json_str_or(m, "Propagation", ""));
            json_set_str(attributes, "read/write", json_bool_or(m, "RW", true) ? "true" : "false");
        }
        events_add(c->engine->events, "volume", mounted ? "mount" : "unmount", json_str_or(m, "Name", ""),
                   attributes);
    }
}

void container_tell_end(struct container *c, int exit_code, int64_t ran, int64_t time)
{
    char code[16], seconds[32];
    snprintf(code, sizeof(code), "%d", exit_code);
    snprintf(seconds, sizeof(seconds), "%lld", (long long)(MAX_OF(ran, INT64_C(0)) / CLOCK_NS_PER_S));
    container_event_at(c, time, "die", "execDuration", seconds, "exitCode", code, NULL);
}

static void heard_start(struct container *c, const json_t *packet, int64_t time)
{
    pthread_mutex_lock(&c->lock);
    c->state.status = CONTAINER_RUNNING;
    c->state.pid = (int)json_int_or(packet, "pid", 0);
    c->state.started_at = json_int_or(packet, "started_at", time);
    c->state.oom_killed = false;
    c->state.exit_code = 0;
    c->state.failing_streak = 0;
    if (c->state.health != HEALTH_NONE)
        c->state.health = HEALTH_STARTING;
    c->restart_count = (unsigned)json_int_or(packet, "restart_count", 0);
    pthread_mutex_unlock(&c->lock);
    container_save(c, NULL);
    container_event_at(c, time, "start", NULL);
    if (json_bool_or(packet, "manual", false))
        container_event_at(c, time, "restart", NULL);
}

static void heard_restarting(struct container *c, const json_t *packet, int64_t time)
{
    pthread_mutex_lock(&c->lock);
    c->state.status = CONTAINER_RESTARTING;
    c->state.pid = 0;
    c->state.exit_code = (int)json_int_or(packet, "exit_code", 0);
    c->state.oom_killed = json_bool_or(packet, "oom_killed", false);
    c->state.finished_at = json_int_or(packet, "finished_at", time);
    c->restart_count = (unsigned)json_int_or(packet, "restart_count", 0);
    if (c->state.health != HEALTH_NONE)
        c->state.health = HEALTH_UNHEALTHY;
    pthread_mutex_unlock(&c->lock);
    execs_container_ended(c);
    container_save(c, NULL);
    container_tell_end(c, c->state.exit_code, c->state.finished_at - json_int_or(packet, "started_at", time),
                       time);
    if (json_bool_or(packet, "manual", false)) /* a kegd that went meanwhile was asked for it */
        container_event_at(c, time, "stop", NULL);
    container_notify(c, MOMENT_RESTARTING, NULL);
}

/* The end that an earlier kegd, or a connection that broke, has missed. */
static void heard_exit(struct container *c, const json_t *packet, int64_t time)
{
    if (!json_bool_or(packet, "again", false))
        container_tell_end(c, (int)json_int_or(packet, "exit_code", 0),
                           json_int_or(packet, "finished_at", time) - c->state.started_at, time);
}

static void heard_health(struct container *c, const json_t *packet, int64_t time)
{
    const char *status = json_str_or(packet, "status", "");
    _cleanup_free_ char *action = xasprintf("health_status: %s", status);
    pthread_mutex_lock(&c->lock);
    c->state.health = container_health_from_name(status);
    c->state.failing_streak = (int)json_int_or(packet, "failing_streak", 0);
    pthread_mutex_unlock(&c->lock);
    container_event_at(c, time, action, NULL);
}

static void heard_kill(struct container *c, const json_t *packet, int64_t time)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", (int)json_int_or(packet, "signal", 0));
    container_event_at(c, time, "kill", "signal", text, NULL);
}

static void heard_oom(struct container *c, _unused_ const json_t *packet, int64_t time)
{
    container_event_at(c, time, "oom", NULL);
}

static void heard_exec_exit(struct container *c, const json_t *packet, int64_t time)
{
    exec_ended(c, json_str_or(packet, "exec_id", ""), (int)json_int_or(packet, "exit_code", 255),
               json_bool_or(packet, "left", false), time);
}

static void heard_probe_start(struct container *c, const json_t *packet, int64_t time)
{
    const char *id = json_str_or(packet, "exec_id", "");
    _cleanup_free_ char *command = exec_command_text(packet, "args");
    _cleanup_free_ char *create = xasprintf("exec_create: %s", command);
    _cleanup_free_ char *start = xasprintf("exec_start: %s", command);
    container_event_at(c, time, create, "execID", id, NULL);
    container_event_at(c, time, start, "execID", id, NULL);
}

static void heard_probe_exit(struct container *c, const json_t *packet, int64_t time)
{
    char code[16];
    snprintf(code, sizeof(code), "%d", (int)json_int_or(packet, "exit_code", 0));
    container_event_at(c, time, "exec_die", "execID", json_str_or(packet, "exec_id", ""), "exitCode", code,
                       NULL);
}

static const struct {
    const char *event;
    void (*heard)(struct container *c, const json_t *packet, int64_t time);
} rows[] = {
    {"start", heard_start},
    {"restarting", heard_restarting},
    {"exit", heard_exit},
    {"health", heard_health},
    {"kill", heard_kill},
    {"oom", heard_oom},
    {"exec-exit", heard_exec_exit},
    {"probe-start", heard_probe_start},
    {"probe-exit", heard_probe_exit},
};

bool container_is_news(struct container *c, const json_t *packet)
{
    int64_t time = json_int_or(packet, "time", 0);
    pthread_mutex_lock(&c->lock);
    bool news = time == 0 || time > c->told;
    if (time && news)
        c->told = time;
    pthread_mutex_unlock(&c->lock);
    return news;
}

void container_heard(struct container *c, const json_t *packet)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (str_eq(rows[i].event, json_str(packet, "event")) && container_is_news(c, packet))
            rows[i].heard(c, packet, json_int_or(packet, "time", 0));
}

/* ---- the journal ---- */

/* The lines of one file, as objects, behind those that are there. */
static void read_journal(struct container *c, const char *name, json_t *packets)
{
    _cleanup_free_ char *path = container_run_path(c, name);
    _cleanup_(buf_finish) struct buf text = BUF_INIT(JOURNAL_MAX);
    if (file_read(AT_FDCWD, path, &text) < 0)
        return;
    for (char *line = (char *)buf_str(&text), *end; (end = strchr(line, '\n')); line = end + 1) {
        json_t *packet = json_parse(line, (size_t)(end - line), "a monitor's event", NULL);
        if (packet)
            json_array_append_new(packets, packet);
    }
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = json_int_or(*(json_t *const *)a, "time", 0), y = json_int_or(*(json_t *const *)b, "time", 0);
    return (x > y) - (x < y);
}

bool container_catch_up(struct container *c)
{
    static const char *const files[] = {MONITOR_EVENTS_OLD, MONITOR_EVENTS, MONITOR_PROBES_OLD,
                                        MONITOR_PROBES};
    _cleanup_json_ json_t *packets = json_array();
    bool ended = false;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        read_journal(c, files[i], packets);
    size_t count = json_array_size(packets);
    _cleanup_free_ json_t **order = xcalloc(count + 1, sizeof(json_t *));
    for (size_t i = 0; i < count; i++)
        order[i] = json_array_get(packets, i);
    qsort(order, count, sizeof(*order), compare_times);
    for (size_t i = 0; i < count; i++) {
        ended = ended || str_eq(json_str(order[i], "event"), "exit");
        container_heard(c, order[i]);
    }
    return ended;
}

/* ---- state ---- */

void container_take_state(struct container *c, const json_t *state)
{
    const json_t *health = json_object_get(state, "health");
    bool restarting = str_eq(json_str(state, "status"), "restarting");
    pthread_mutex_lock(&c->lock);
    struct container_state *s = &c->state;
    if (restarting)
        s->status = CONTAINER_RESTARTING;
    else if (s->status != CONTAINER_PAUSED)
        s->status = CONTAINER_RUNNING;
    s->pid = (int)json_int_or(state, "pid", 0);
    s->started_at = json_int_or(state, "started_at", s->started_at);
    s->stop_requested = s->stop_requested || json_bool_or(state, "stopped", false);
    s->health = container_health_from_name(json_str(health, "status"));
    s->failing_streak = (int)json_int_or(health, "failing_streak", 0);
    c->restart_count = (unsigned)json_int_or(state, "restart_count", 0);
    pthread_mutex_unlock(&c->lock);
}

/* ---- what a start tells the monitor of all this ---- */

json_t *container_restart_part(struct container *c)
{
    _cleanup_json_ json_t *host_config = container_host_config(c);
    const json_t *policy = json_object_get(host_config, "RestartPolicy");
    json_t *part = json_object();
    json_set_str(part, "name", json_str_or(policy, "Name", "no"));
    json_set_int(part, "limit", json_int_or(policy, "MaximumRetryCount", 0));
    return part;
}

json_t *container_joins_part(struct container *c)
{
    static const struct {
        const char *member, *type;
    } modes[] = {{"NetworkMode", "network"}, {"IpcMode", "ipc"}, {"PidMode", "pid"}};
    json_t *part = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        const char *ref = str_after(json_str_or(c->host_config, modes[i].member, ""), "container:");
        _cleanup_container_ struct container *other = ref ? containers_find(c->engine, ref, NULL) : NULL;
        if (other)
            json_set_str(part, modes[i].type, other->id);
    }
    return part;
}

/* The program of a probe: a new array, or NULL when there is nothing to check. */
static json_t *probe_args(const struct container *c)
{
    const json_t *test = json_at(c->config, "Healthcheck.Test"), *shell = json_object_get(c->config, "Shell");
    const char *kind = json_string_value(json_array_get(test, 0));
    bool by_shell = str_eq(kind, "CMD-SHELL");
    if ((!by_shell && !str_eq(kind, "CMD")) || json_array_size(test) < 2)
        return NULL;
    json_t *args = !by_shell                ? json_array()
                   : json_array_size(shell) ? json_copy((json_t *)shell)
                                            : json_pack("[s, s]", "/bin/sh", "-c");
    for (size_t i = 1; i < json_array_size(test); i++)
        json_array_append(args, json_array_get(test, i));
    return args;
}

bool container_is_checked(const struct container *c)
{
    _cleanup_json_ json_t *args = probe_args(c);
    return args != NULL;
}

json_t *container_health_part(struct container *c)
{
    static const char *const members[][2] = {{"Interval", "interval"},
                                             {"Timeout", "timeout"},
                                             {"StartPeriod", "start_period"},
                                             {"StartInterval", "start_interval"},
                                             {"Retries", "retries"}};
    const json_t *health = json_object_get(c->config, "Healthcheck");
    json_t *args = probe_args(c), *part;
    int signal, timeout = (int)json_int_or(c->config, "StopTimeout", STOP_TIMEOUT_S);
    if (!args)
        return NULL;
    part = json_object();
    json_object_set_new(part, "args", args);
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        json_set_int(part, members[i][1], json_int_or(health, members[i][0], 0));
    json_set_str(part, "on_failure",
                 json_str_or(json_object_get(c->config, "Labels"), HEALTH_ACTION_LABEL, "none"));
    if (signal_parse(json_str_or(c->config, "StopSignal", "SIGTERM"), &signal, NULL) == 0)
        json_set_int(part, "stop_signal", signal);
    json_set_int(part, "stop_timeout", timeout < 0 ? -1 : timeout * CLOCK_NS_PER_S);
    return part;
}

/* ---- the results of health checks ---- */

json_t *container_health_log(struct container *c)
{
    _cleanup_free_ char *now = container_run_path(c, MONITOR_HEALTH);
    _cleanup_free_ char *kept = container_data_path(c, MONITOR_HEALTH);
    json_t *log = json_load(AT_FDCWD, now, RESULTS_MAX, NULL);
    if (!log)
        log = json_load(AT_FDCWD, kept, RESULTS_MAX, NULL);
    if (json_is_array(log))
        return log;
    json_decref(log);
    return json_array();
}

void container_keep_health_log(struct container *c)
{
    if (c->state.health == HEALTH_NONE || c->auto_remove)
        return;
    _cleanup_json_ json_t *log = container_health_log(c);
    _cleanup_free_ char *path = container_data_path(c, MONITOR_HEALTH), *text = json_text(log);
    if (text)
        file_replace(AT_FDCWD, path, text, strlen(text), 0600, /* sync= */ false);
}

void container_renew_health_log(struct container *c)
{
    if (!container_is_checked(c))
        return;
    _cleanup_free_ char *kept = container_data_path(c, MONITOR_HEALTH);
    _cleanup_free_ char *now = container_run_path(c, MONITOR_HEALTH);
    _cleanup_(buf_finish) struct buf text = BUF_INIT(RESULTS_MAX);
    if (file_read(AT_FDCWD, kept, &text) == 0)
        file_replace(AT_FDCWD, now, text.data, text.len, 0600, /* sync= */ false);
}
