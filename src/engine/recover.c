/* Recovery. A container is in one of these cases:
 *
 *     its record says "removing", or it removes itself and has ended     the removal is finished
 *     its monitor answers                                               it is watched again, its network restored
 *     its monitor left a result                                         it ended meanwhile
 *     its RUN directory is there, and no monitor                        that was killed: what still runs is, too; 137
 *     its record says it ran, and nothing else is known                 the host went down: exit code 255
 *
 * Directories of DATA/containers and RUN/containers without a record are of creations that were cut short. */
#include "engine/recover.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/endpoints.h"
#include "engine/exec.h"
#include "engine/monitors.h"
#include "engine/mounts.h"
#include "engine/namespaces.h"
#include "engine/start_order.h"
#include "engine/zones.h"
#include "monitor/protocol.h"
#include "network/network.h"
#include "storage/storage.h"

enum { UNKNOWN_CODE = 255, LOST_CODE = 137, RESULT_MAX = 1024 * 1024 };

/* ---- records ---- */

static int load_row(void *arg, const char *key, const char *name, json_t *value)
{
    struct engine *e = arg;
    struct err err = {0};
    _cleanup_container_ struct container *c = container_from_json(e, key, name, value, &err);
    if (!c || containers_add(e, c, &err) < 0)
        log_error("%s", err.message);
    else
        containers_show(e, c);
    return 0;
}

int recover_load(struct engine *e, struct err *err)
{
    return db_each(e->db, DB_CONTAINERS, load_row, e, err);
}

/* ---- those that ran ---- */

/* True when the monitor answers and its container runs. */
static bool take_up(struct container *c)
{
    _cleanup_json_ json_t *state = NULL;
    struct monitor *m = monitor_watch(c, &state, NULL);
    if (!m ||
        !(str_eq(json_str(state, "status"), "running") || str_eq(json_str(state, "status"), "restarting"))) {
        monitor_free(m);
        return false;
    }
    container_catch_up(c);
    container_take_state(c, state);
    execs_restore(c, json_object_get(state, "execs"));
    endpoints_restore(c);
    watcher_add(c->engine, m);
    return true;
}

static json_t *read_result(struct container *c)
{
    _cleanup_free_ char *path = container_run_path(c, MONITOR_EXIT);
    return json_load(AT_FDCWD, path, RESULT_MAX, NULL);
}

/* Gives back what it held, and notes how it ended. */
static void note_ended(struct container *c, const json_t *result, bool lost)
{
    struct container_state *s = &c->state;
    _cleanup_free_ char *run = container_run_path(c, NULL);
    struct exit_report report = {.exit_code = lost ? LOST_CODE : UNKNOWN_CODE, .finished_at = clock_now()};
    bool told = container_catch_up(c);
    if (result)
        exit_report_read(&report, result);
    s->status = CONTAINER_EXITED;
    s->pid = 0;
    s->exit_code = report.exit_code;
    s->oom_killed = report.oom_killed;
    s->stop_requested = s->stop_requested || report.stopped;
    s->started_at = json_int_or(result, "started_at", s->started_at);
    s->finished_at = report.finished_at;
    if (*report.error)
        snprintf(s->error, sizeof(s->error), "%s", report.error);
    if (s->health != HEALTH_NONE)
        s->health = HEALTH_UNHEALTHY;
    if (report.restart || (!result && container_wants_restart(c, s->exit_code)))
        s->status = CONTAINER_RESTARTING; /* until start_wanted() */
    container_clean_cgroups(c);
    endpoints_detach(c);
    namespaces_release(c);
    container_keep_health_log(c);
    container_save(c, NULL);
    path_remove_all(AT_FDCWD, run);
    if (!told && c->told < s->finished_at)
        container_tell_end(c, s->exit_code, result ? s->finished_at - s->started_at : 0, s->finished_at);
}

static bool has_run_directory(struct container *c)
{
    _cleanup_free_ char *run = container_run_path(c, NULL);
    return access(run, F_OK) == 0;
}

static void remove_now(struct container *c)
{
    struct err err = {0};
    pthread_mutex_lock(&c->operation);
    c->removing = false;
    if (container_remove_locked(c, c->auto_remove, &err) < 0)
        log_error("%s", err.message);
    pthread_mutex_unlock(&c->operation);
}

/* Its record is on the disk when its creation is acknowledged, its directory some time later: a power cut in between takes
 * an empty one. */
static void mend(struct container *c)
{
    struct err missing = {0}, err = {0};
    if (storage_container_probe(c->engine->storage, c->id, &missing) == 0)
        return;
    if (container_mend(c, &err) < 0)
        log_warn("container %s lacks its layers: %s; they can't be made anew: %s", c->name, missing.message,
                 err.message);
    else
        log_warn("container %s: its writable layer never reached the disk: it has an empty one", c->name);
}

/* What a start that was cut short has made goes again. */
static void undo_start(struct container *c)
{
    _cleanup_free_ char *run = container_run_path(c, NULL);
    container_clean_cgroups(c);
    endpoints_detach(c);
    namespaces_release(c);
    path_remove_all(AT_FDCWD, run);
}

static void recover_container(struct container *c)
{
    bool ran = container_status_runs(c->state.status), there = has_run_directory(c), removing = c->removing;
    mounts_claim(c);
    if (there)
        c->told = events_last_of(c->engine->events, c->id);
    if (there && take_up(c)) {
        if (removing) { /* a forced removal was cut short */
            container_kill_and_wait(c, NULL);
            remove_now(c);
        }
        return;
    }
    if (c->state.status == CONTAINER_RESTARTING && !there)
        return mend(c); /* it waits for its next start: see start_wanted() */
    if (ran || there) {
        _cleanup_json_ json_t *result = read_result(c);
        /* between two starts its end is on record: what there is comes of the second one */
        if (result || (ran && c->state.status != CONTAINER_RESTARTING))
            note_ended(c, result, there);
        else
            undo_start(c);
    }
    if (removing ||
        (c->auto_remove && (ran || c->state.finished_at) && c->state.status != CONTAINER_RESTARTING))
        remove_now(c);
    else
        mend(c);
}

/* ---- what has no record ---- */

static bool is_id(const char *name)
{
    return strlen(name) == CONTAINER_ID_SIZE - 1 && strspn(name, "0123456789abcdef") == CONTAINER_ID_SIZE - 1;
}

/* Ends the monitor of a container that nobody knows: kills its processes; then it leaves by itself. */
static void end_stranger(struct engine *e, const char *id)
{
    struct container *c = container_new(e, id);
    c->host_config = json_object();
    container_clean_cgroups(c);
    container_unref(c);
}

static void sweep_directory(struct engine *e, const char *root, bool layers)
{
    _cleanup_free_ char *path = path_join(root, "containers");
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (!is_id(entry->d_name))
            continue;
        _cleanup_container_ struct container *c = containers_find(e, entry->d_name, NULL);
        if (c)
            continue;
        log_debug("remove what is left of container %.12s", entry->d_name);
        if (layers)
            storage_container_remove(e->storage, entry->d_name, NULL);
        else
            end_stranger(e, entry->d_name);
        path_remove_all(dirfd(dir), entry->d_name);
    }
    if (dir)
        closedir(dir);
}

/* ---- restart policies ---- */

static bool is_wanted(struct container *c)
{
    const char *policy = json_str_or(json_object_get(c->host_config, "RestartPolicy"), "Name", "");
    if (c->state.status == CONTAINER_RESTARTING)
        return !c->state.stop_requested;
    if (container_status_runs(c->state.status) || c->state.started_at == 0)
        return false;
    return str_eq(policy, "always") || (str_eq(policy, "unless-stopped") && !c->state.stop_requested);
}

static bool prepare_wanted(struct container *c)
{
    bool wanted = !c->gone && is_wanted(c);
    if (c->state.status == CONTAINER_RESTARTING && has_run_directory(c))
        return false; /* its monitor does it */
    pthread_mutex_lock(&c->lock);
    if (c->state.status == CONTAINER_RESTARTING) {
        c->state.status = CONTAINER_EXITED;
        c->restart_count++;
    }
    pthread_mutex_unlock(&c->lock);
    return wanted;
}

static void start_wanted(struct container *c)
{
    struct err err = {0};
    pthread_mutex_lock(&c->operation);
    if (prepare_wanted(c) && container_start_locked(c, &err) < 0)
        log_warn("container %s: %s", c->name, err.message);
    pthread_mutex_unlock(&c->operation);
}

int recover_run(struct engine *e, struct err *err)
{
    _cleanup_(containers_list_free_p) struct container **list = containers_list(e, NULL);
    events_hold(e->events);
    for (struct container **c = list; *c; c++)
        recover_container(*c);
    events_release(e->events);
    sweep_directory(e, e->options.exec_root, /* layers= */ false);
    sweep_directory(e, e->options.data_root, /* layers= */ true);
    zones_settle(e);
    if (e->network_host && network_host_settle(e->network_host, err) < 0)
        return -1;
    start_order_run(e, list, start_wanted);
    return 0;
}
