/* Stopping, killing, restarting, pausing. None of it holds the container's operation while it waits for the end, because
 * the end itself needs it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/monitors.h"
#include "engine/runtimes.h"
#include "engine/signals.h"
#include "sys/cgroup.h"

enum { STOP_TIMEOUT_S = 10, TIMEOUT_MAX_S = 1000000, KILL_TIMEOUT_MS = 30000 };

static enum container_status status_of(struct container *c)
{
    pthread_mutex_lock(&c->lock);
    enum container_status status = c->state.status;
    pthread_mutex_unlock(&c->lock);
    return status;
}

static int not_running(struct container *c, struct err *err)
{
    return err_set(err, ERR_CONFLICT, "container %s is not running", c->id);
}

/* ---- signals ---- */

/* manual: no restart policy brings it back. The monitor tells the event. */
static int send_signal(struct container *c, int number, bool manual, struct err *err)
{
    _cleanup_json_ json_t *request = json_object();
    json_set_str(request, "op", "signal");
    json_set_int(request, "signal", number);
    json_set_bool(request, "manual", manual);
    return monitor_request(c, request, NULL, 0, NULL, err);
}

/* The monitor sends the signal, and SIGKILL when the time (s; negative: for ever) is over. Returns the connection: as long as it
 * is open a restart is ours to complete, else the monitor's. */
static int send_stop(struct container *c, bool restart, int number, int timeout_s, struct err *err)
{
    _cleanup_json_ json_t *request = json_object();
    json_set_str(request, "op", restart ? "restart" : "stop");
    json_set_int(request, "signal", number);
    json_set_int(request, "timeout", timeout_s < 0 ? -1 : timeout_s * CLOCK_NS_PER_S);
    return monitor_request_open(c, request, NULL, 0, NULL, err);
}

static int thaw(struct container *c, struct err *err);
static bool stop_restarting(struct container *c);

/* SIGKILL, and waits for the end. */
static int kill_and_wait(struct container *c, struct err *err)
{
    struct err why = {0};
    if (status_of(c) == CONTAINER_PAUSED)
        thaw(c, NULL);
    int r = send_signal(c, SIGKILL, /* manual= */ true, &why);
    if (container_wait_ended(c, r < 0 ? 1000 : KILL_TIMEOUT_MS))
        return 0;
    if (r < 0)
        return stop_restarting(c) ? 0 : err_pass(err, &why);
    return err_set(err, ERR_UNAVAILABLE, "tried to kill container %s, but did not receive an exit event",
                   c->id);
}

static void request_stop(struct container *c)
{
    pthread_mutex_lock(&c->lock);
    c->state.stop_requested = true;
    pthread_mutex_unlock(&c->lock);
}

/* ---- stop ---- */

static int stop_signal(struct container *c, const char *asked, int *ret, struct err *err)
{
    const char *own = json_str_or(c->config, "StopSignal", "SIGTERM");
    return signal_parse(str_empty(asked) ? own : asked, ret, err);
}

static int stop_timeout(struct container *c, int asked)
{
    if (asked != ENGINE_TIMEOUT_DEFAULT)
        return asked;
    return (int)json_int_or(c->config, "StopTimeout", STOP_TIMEOUT_S);
}

/* Between two starts, and without a monitor: it only has to be noted. */
static bool stop_restarting(struct container *c)
{
    pthread_mutex_lock(&c->operation);
    pthread_mutex_lock(&c->lock);
    bool was = c->state.status == CONTAINER_RESTARTING;
    if (was)
        c->state.status = CONTAINER_EXITED;
    pthread_mutex_unlock(&c->lock);
    if (was) {
        container_save(c, NULL);
        container_notify(c, MOMENT_EXITED, NULL);
    }
    pthread_mutex_unlock(&c->operation);
    return was;
}

static int stop_container(struct container *c, bool restart, const char *signal, int timeout_s,
                          struct err *err)
{
    int number, timeout = MIN_OF(stop_timeout(c, timeout_s), TIMEOUT_MAX_S);
    struct err why = {0};
    if (stop_signal(c, signal, &number, err) < 0)
        return -1;
    if (!restart)
        request_stop(c);
    if (status_of(c) == CONTAINER_PAUSED)
        thaw(c, NULL);
    _cleanup_close_ int r = send_stop(c, restart, number, timeout, &why);
    if (container_wait_ended(c, r < 0 ? 1000 : timeout < 0 ? -1 : timeout * 1000 + KILL_TIMEOUT_MS))
        return 0;
    if (r < 0)
        return stop_restarting(c) ? 0 : err_pass(err, &why);
    return kill_and_wait(c, err);
}

int engine_container_stop(struct engine *e, const char *ref, const char *signal, int timeout_s,
                          struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    if (!c)
        return -1;
    if (!container_status_runs(status_of(c)))
        return err_set(err, ERR_NOT_MODIFIED, "container %s is not running", c->id);
    if (stop_container(c, /* restart= */ false, signal, timeout_s, err) < 0)
        return err_wrap(err, "cannot stop container: %s", ref);
    container_event(c, "stop", NULL);
    return 0;
}

int engine_container_restart(struct engine *e, const char *ref, const char *signal, int timeout_s,
                             struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    if (!c)
        return -1;
    int r = 0;
    c->restarting = true;
    if (container_status_runs(status_of(c))) {
        r = stop_container(c, /* restart= */ true, signal, timeout_s, err);
        if (r == 0)
            container_event(c, "stop", NULL);
    }
    if (r == 0)
        r = engine_container_start(e, c->id, NULL, err);
    c->restarting = false;
    if (r < 0)
        container_save(c, NULL);
    if (r < 0)
        return err_wrap(err, "cannot restart container %s", ref);
    container_event(c, "restart", NULL);
    return 0;
}

/* ---- kill ---- */

int engine_container_kill(struct engine *e, const char *ref, const char *signal, struct err *err)
{
    int number = SIGKILL, stop = 0;
    if (!str_empty(signal) && signal_parse(signal, &number, err) < 0)
        return err_wrap(err, "cannot kill container: %s", ref);
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    if (!c)
        return err_wrap(err, "cannot kill container: %s", ref);
    if (!container_status_runs(status_of(c))) {
        not_running(c, err);
        return err_wrap(err, "cannot kill container: %s", ref);
    }
    /* Without a stop signal of its own any signal is one to Docker, as far as restart policies go. */
    bool manual = number == SIGKILL || str_empty(json_str(c->config, "StopSignal")) ||
                  (stop_signal(c, NULL, &stop, NULL) == 0 && number == stop);
    if (manual)
        request_stop(c);
    int r = number == SIGKILL ? kill_and_wait(c, err) : send_signal(c, number, manual, err);
    return r < 0 ? err_wrap(err, "cannot kill container: %s", ref) : 0;
}

int container_kill_and_wait(struct container *c, struct err *err)
{
    request_stop(c);
    return kill_and_wait(c, err);
}

/* ---- pause ---- */

static int freeze_cgroup(struct container *c, bool on, struct err *err)
{
    _cleanup_free_ char *path = container_cgroup_path(c);
    struct cgroup *cg = cgroup_open_path(path, err);
    if (!cg)
        return -1;
    int r = cgroup_freeze(cg, on, err);
    cgroup_free(cg);
    return r;
}

/* Another runtime's container may be more than a cgroup. */
static int freeze_by_runtime(struct container *c, bool on, struct err *err)
{
    _cleanup_json_ json_t *request = json_object();
    json_set_str(request, "op", "freeze");
    json_set_bool(request, "on", on);
    return monitor_request(c, request, NULL, 0, NULL, err);
}

static int freeze(struct container *c, bool on, struct err *err)
{
    int r = runtimes_is_foreign(c) ? freeze_by_runtime(c, on, err) : freeze_cgroup(c, on, err);
    if (r == 0) {
        pthread_mutex_lock(&c->lock);
        if (container_status_runs(c->state.status))
            c->state.status = on ? CONTAINER_PAUSED : CONTAINER_RUNNING;
        pthread_mutex_unlock(&c->lock);
    }
    return r;
}

static int thaw(struct container *c, struct err *err)
{
    return freeze(c, false, err);
}

int engine_container_pause(struct engine *e, const char *ref, struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    if (!c)
        return -1;
    enum container_status status = status_of(c);
    if (status == CONTAINER_PAUSED)
        return err_set(err, ERR_CONFLICT, "Container %s is already paused", c->id);
    if (status == CONTAINER_RESTARTING)
        return container_is_restarting(c, err);
    if (status != CONTAINER_RUNNING)
        return not_running(c, err);
    struct err why = {0};
    if (freeze(c, true, &why) < 0) {
        if (why.errnum == ENOENT || why.errnum == ENODEV || why.kind == ERR_NOT_FOUND) /* it ended just now */
            return not_running(c, err);
        if (err)
            *err = why;
        return err_wrap(err, "cannot pause container %s", c->id);
    }
    container_save(c, NULL);
    container_event(c, "pause", NULL);
    return 0;
}

int engine_container_unpause(struct engine *e, const char *ref, struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    if (!c)
        return -1;
    if (status_of(c) != CONTAINER_PAUSED)
        return err_set(err, ERR_CONFLICT, "Container %s is not paused", c->id);
    if (thaw(c, err) < 0)
        return err_wrap(err, "cannot unpause container %s", c->id);
    container_save(c, NULL);
    container_event(c, "unpause", NULL);
    return 0;
}
