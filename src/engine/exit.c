/* The end of a container: what it held on the host is given back, then those who wait hear of it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/endpoints.h"
#include "engine/exec.h"
#include "engine/monitors.h"
#include "engine/mount_sources.h"
#include "engine/mounts.h"
#include "engine/namespaces.h"
#include "monitor/protocol.h"
#include "sys/cgroup.h"

enum {
    CGROUP_TIMEOUT_MS = 5000,
    LOST_CODE = 137,
    RESULT_MAX = 1024 * 1024,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 60000
};

void container_clean_cgroups(struct container *c)
{
    _cleanup_free_ char *path = container_cgroup_path(c);
    struct err err = {0};
    struct cgroup *cg = cgroup_open_path(path, &err);
    if (!cg)
        return;
    if (cgroup_destroy(cg, CGROUP_TIMEOUT_MS, &err) < 0)
        log_warn("container %.12s: %s", c->id, err.message);
    cgroup_free(cg);
}

/* The monitor went without a word: what it left on disk says how the container ended, or nothing does. */
static void look_for_result(struct container *c, struct exit_report *report)
{
    _cleanup_free_ char *path = container_run_path(c, MONITOR_EXIT);
    _cleanup_json_ json_t *result = json_load(AT_FDCWD, path, RESULT_MAX, NULL);
    if (result) {
        exit_report_read(report, result);
        report->told = container_catch_up(c) || report->told;
        return;
    }
    container_catch_up(c);
    log_warn("container %.12s: its monitor has gone; what still runs of it is killed", c->id);
    report->exit_code = LOST_CODE;
}

/* A lost connection is not a lost monitor: one that we were too slow for has let go of us. True when it is there, and its
 * container runs; when that has ended meanwhile, the report is filled. */
static bool still_there(struct container *c, struct exit_report *report)
{
    _cleanup_json_ json_t *state = NULL;
    struct monitor *m = monitor_watch(c, &state, NULL);
    if (!m)
        return false;
    report->told = container_catch_up(c);
    if (str_eq(json_str(state, "status"), "stopped")) {
        bool told = report->told;
        exit_report_read(report, state);
        report->told = report->told || told;
        monitor_free(m);
        return false;
    }
    container_take_state(c, state);
    execs_restore(c, json_object_get(state, "execs"));
    watcher_add(c->engine, m);
    return true;
}

static void give_back(struct container *c, const struct exit_report *report)
{
    if (report->lost)
        container_clean_cgroups(c);
    endpoints_detach(c);
    container_tell_volumes(c, /* mounted= */ false);
    namespaces_release(c);
    execs_container_ended(c);
}

static void remove_run_directory(struct container *c)
{
    _cleanup_free_ char *run = container_run_path(c, NULL);
    path_remove_all(AT_FDCWD, run);
}

/* ---- restart policies: carried out by monitors (monitor/restart.c), but for those that are lost themselves ---- */

/* Nobody stopped or removes it, and the engine stays. */
static bool may_restart(struct container *c)
{
    pthread_mutex_lock(&c->lock);
    bool may = !c->state.stop_requested && !c->removing;
    pthread_mutex_unlock(&c->lock);
    return may && !c->engine->closing;
}

bool container_wants_restart(struct container *c, int exit_code)
{
    const json_t *policy = json_object_get(c->host_config, "RestartPolicy");
    const char *name = json_str_or(policy, "Name", "");
    int64_t limit = json_int_or(policy, "MaximumRetryCount", 0);
    if (!may_restart(c))
        return false;
    if (str_eq(name, "always") || str_eq(name, "unless-stopped"))
        return true;
    return str_eq(name, "on-failure") && exit_code != 0 && (limit == 0 || c->restart_count < (uint64_t)limit);
}

/* Doubles from a tenth of a second; a container that ran for ten seconds starts from there again. */
static int restart_delay_ms(const struct container *c)
{
    int64_t ran = c->state.finished_at - c->state.started_at;
    if (ran > 10 * CLOCK_NS_PER_S)
        return BACKOFF_FIRST_MS;
    unsigned shift = MIN_OF(c->restart_count, 10u);
    return MIN_OF(BACKOFF_FIRST_MS << shift, BACKOFF_MAX_MS);
}

/* Sleeps, unless the engine closes; then starts it again if it is still wanted. Called without c->operation. */
static void restart_after_delay(struct container *c)
{
    int delay = restart_delay_ms(c);
    struct err err = {0};
    int64_t until = clock_monotonic() + delay * 1000000LL;
    while (clock_monotonic() < until && may_restart(c))
        if (engine_wait_readable(c->engine, -1, -1, MIN_OF(delay, 200), &err) < 0)
            return;
    pthread_mutex_lock(&c->operation);
    if (c->state.status == CONTAINER_RESTARTING && may_restart(c)) {
        c->restart_count++;
        if (container_start_locked(c, &err) < 0) {
            log_warn("container %.12s: %s", c->id, err.message);
            pthread_mutex_lock(&c->lock);
            c->state.status = CONTAINER_EXITED;
            pthread_mutex_unlock(&c->lock);
            container_save(c, NULL);
            container_notify(c, MOMENT_EXITED, err.message);
        }
    }
    pthread_mutex_unlock(&c->operation);
}

/* ---- */

static void note_ended(struct container *c, const struct exit_report *report, bool restarts)
{
    pthread_mutex_lock(&c->lock);
    int64_t duration = report->finished_at - c->state.started_at;
    c->state.status = restarts ? CONTAINER_RESTARTING : CONTAINER_EXITED;
    c->state.pid = 0;
    c->state.exit_code = report->exit_code;
    c->state.oom_killed = report->oom_killed;
    c->state.finished_at = report->finished_at;
    c->state.stop_requested = c->state.stop_requested || report->stopped;
    if (c->state.health != HEALTH_NONE)
        c->state.health = HEALTH_UNHEALTHY; /* nobody looks any more */
    if (*report->error)
        snprintf(c->state.error, sizeof(c->state.error), "%s", report->error);
    pthread_mutex_unlock(&c->lock);
    container_keep_health_log(c);
    if (!c->auto_remove || c->restarting)
        container_save(c, NULL);
    if (!report->told)
        container_tell_end(c, report->exit_code, duration, report->time ? report->time : report->finished_at);
}

void container_exited(struct container *c, const struct exit_report *original)
{
    struct exit_report report = *original;
    pthread_mutex_lock(&c->operation);
    if (!container_status_runs(c->state.status)) {
        pthread_mutex_unlock(&c->operation);
        return;
    }
    if (report.lost && still_there(c, &report)) {
        pthread_mutex_unlock(&c->operation);
        return;
    }
    if (report.lost)
        look_for_result(c, &report);
    give_back(c, &report);
    bool wanted =
             report.lost ? container_wants_restart(c, report.exit_code) : report.restart && may_restart(c),
         restarts = wanted && !c->restarting, /* else stop.c does */
        removes = c->auto_remove && !c->restarting && !c->removing;
    note_ended(c, &report, restarts);
    mount_sources_sweep(c); /* before what they are mounted on goes */
    mounts_ended(c);
    if (!removes) /* else it goes with the rest; only now, because the exit code is there until the record has it */
        remove_run_directory(c);
    container_notify(c, restarts ? MOMENT_RESTARTING : MOMENT_EXITED, NULL);
    struct err err = {0};
    if (removes && container_remove_locked(c, /* anonymous_volumes= */ true, &err) < 0)
        log_error("container %.12s: %s", c->id, err.message);
    pthread_mutex_unlock(&c->operation);
    if (restarts)
        restart_after_delay(c);
}
