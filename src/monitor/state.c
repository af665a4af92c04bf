/* The monitor's state as JSON: the reply to "state" and the files in the RUN directory. */
#include <fcntl.h>
#include <string.h>

#include "base/json.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"

static const char *const status_names[] = {
    [MONITOR_IDLE] = "created",          [MONITOR_STARTING] = "created", [MONITOR_RUNNING] = "running",
    [MONITOR_RESTARTING] = "restarting", [MONITOR_STOPPED] = "stopped",
};

json_t *monitor_state_json(const struct monitor *m)
{
    json_t *state = json_object(), *health = health_json(m);

    json_set_str(state, "status", status_names[m->status]);
    json_set_int(state, "pid", m->status == MONITOR_RUNNING ? m->pid : 0);
    json_set_int(state, "started_at", m->started_at);
    json_set_int(state, "exit_code", m->exit_code);
    json_set_bool(state, "oom_killed", m->oom_killed);
    json_set_int(state, "finished_at", m->finished_at);
    json_set_int(state, "restart_count", m->restarts.count);
    json_set_bool(state, "stopped", m->restarts.stopped);
    if (m->restarts.left)
        json_set_bool(state, "restart", true);
    if (m->failure)
        json_object_update_new(state, json_from_err(m->failure));
    if (health)
        json_object_set_new(state, "health", health);
    json_object_set_new(state, "execs", monitor_execs_json(m));
    return state;
}

int monitor_write_state(const struct monitor *m, const char *file)
{
    _cleanup_json_ json_t *state = monitor_state_json(m);
    _cleanup_free_ char *text = json_text(state);

    return text ? file_replace(AT_FDCWD, file, text, strlen(text), 0600, /* sync= */ false) : -ENOMEM;
}
