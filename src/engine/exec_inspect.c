/* What is known of execs, and of what they have left behind. */
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "engine/exec_internal.h"
#include "engine/monitors.h"

enum { LAST_WORDS_S = 2 };

static json_t *process_config(const struct exec *ex)
{
    const json_t *cmd = json_object_get(ex->config, "Cmd");
    json_t *process = json_object(), *arguments = json_array();
    json_set_bool(process, "tty", json_bool_or(ex->config, "Tty", false));
    json_set_str(process, "entrypoint", json_string_value(json_array_get(cmd, 0)));
    for (size_t i = 1; i < json_array_size(cmd); i++)
        json_array_append(arguments, json_array_get(cmd, i));
    json_object_set_new(process, "arguments", arguments);
    json_set_bool(process, "privileged", json_bool_or(ex->config, "Privileged", false));
    const char *user = json_str_or(ex->config, "User", "");
    if (*user)
        json_set_str(process, "user", user);
    return process;
}

/* A monitor that answers no more has said how it ended: the watcher is about to hear it. */
static void wait_exec(struct execs *x, const char *id)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LAST_WORDS_S;
    pthread_mutex_lock(&x->lock);
    for (const struct exec *ex; (ex = execs_find(x, id)) && ex->running;)
        if (pthread_cond_clockwait(&x->ended, &x->lock, CLOCK_MONOTONIC, &until) != 0)
            break;
    pthread_mutex_unlock(&x->lock);
}

/* The client sees its stream end and asks at once, perhaps before the watcher has heard the event: so what is
 * believed to run is asked about. */
static void refresh_exec(struct engine *e, struct exec *ex)
{
    _cleanup_container_ struct container *c = containers_find(e, ex->container, NULL);
    _cleanup_json_ json_t *request = json_object(), *state = NULL;
    json_set_str(request, "op", "state");
    if (!c || monitor_request(c, request, NULL, 0, &state, NULL) < 0) {
        wait_exec(e->execs, ex->id);
        return;
    }
    const json_t *own = json_object_get(json_object_get(state, "execs"), ex->id);
    if (!own || json_bool_or(own, "running", true))
        return;
    pthread_mutex_lock(&e->execs->lock);
    struct exec *known = execs_find(e->execs, ex->id);
    if (known)
        execs_end(e->execs, known, (int)json_int_or(own, "exit_code", EXEC_GONE_CODE),
                  json_bool_or(own, "left", false));
    pthread_mutex_unlock(&e->execs->lock);
}

/* What it has started and goes on after its end: a new array. */
static json_t *left_pids(struct engine *e, const struct exec *ex, bool end)
{
    _cleanup_container_ struct container *c = containers_find(e, ex->container, NULL);
    _cleanup_json_ json_t *request = json_object(), *reply = NULL;
    json_set_str(request, "op", "exec-left");
    json_set_str(request, "exec_id", ex->id);
    json_set_bool(request, "end", end);
    if (!c || monitor_request(c, request, NULL, 0, &reply, NULL) < 0)
        return json_array();
    json_t *pids = json_object_get(reply, "pids");
    if (json_array_size(pids) == 0) {
        pthread_mutex_lock(&e->execs->lock);
        struct exec *known = execs_find(e->execs, ex->id);
        if (known)
            known->left = false;
        pthread_mutex_unlock(&e->execs->lock);
    }
    return pids ? json_incref(pids) : json_array();
}

int engine_exec_end(struct engine *e, const char *exec_id, struct err *err)
{
    struct exec ex;
    if (execs_get(e, exec_id, &ex, err) < 0)
        return -1;
    json_decref(ex.config);
    if (ex.running || ex.left)
        json_decref(left_pids(e, &ex, /* end= */ true));
    return 0;
}

int engine_exec_inspect(struct engine *e, const char *exec_id, json_t **ret, struct err *err)
{
    struct exec ex;
    if (execs_get(e, exec_id, &ex, err) < 0)
        return -1;
    if (ex.running) {
        json_decref(ex.config);
        refresh_exec(e, &ex);
        if (execs_get(e, exec_id, &ex, err) < 0)
            return -1;
    }
    json_t *info = json_object();
    json_set_str(info, "ID", ex.id);
    json_set_bool(info, "Running", ex.running);
    json_object_set_new(info, "ExitCode", ex.ended_at ? json_integer(ex.exit_code) : json_null());
    json_object_set_new(info, "ProcessConfig", process_config(&ex));
    json_set_bool(info, "OpenStdin", json_bool_or(ex.config, "AttachStdin", false));
    json_set_bool(info, "OpenStderr", json_bool_or(ex.config, "AttachStderr", false));
    json_set_bool(info, "OpenStdout", json_bool_or(ex.config, "AttachStdout", false));
    json_set_bool(info, "CanRemove", false);
    json_set_str(info, "ContainerID", ex.container);
    json_set_str(info, "DetachKeys", ex.detach_keys);
    json_set_int(info, "Pid", ex.pid);
    json_object_set_new(info, "LeftPids", ex.left ? left_pids(e, &ex, /* end= */ false) : json_array());
    json_decref(ex.config);
    *ret = info;
    return 0;
}
