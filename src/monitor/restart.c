/* Restart policies. What a container needs to start is kept from its first start: the request, the configuration's memfd,
 * the network namespace the monitor stands in, with everything that kegd has put into it. So an end and the next start need
 * nobody else.
 *
 *     ended ── policy says no, or stopped by hand ──► exit
 *       └───── "restarting", back-off ──► start again ── fails ──► exit, with the error */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"

#define DELAY_FIRST (CLOCK_NS_PER_S / 10)
#define DELAY_MAX   (60 * CLOCK_NS_PER_S)
#define RAN_WELL    (10 * CLOCK_NS_PER_S) /* after that the delays begin anew */

enum { STATE_MAX = 256 * 1024, CGROUP_FILE_MAX = 64 * 1024 };

static void restart_ring(struct loop_timer *timer)
{
    struct restarts *r = (struct restarts *)((char *)timer - offsetof(struct restarts, timer));

    monitor_start_again(r->monitor);
}

void restart_remember(struct monitor *m, const json_t *request, int *config)
{
    struct restarts *r = &m->restarts;

    r->monitor = m;
    r->timer.handler = restart_ring;
    r->request = json_text(request);
    r->config = take_fd(config);
    r->by_kegd = json_bool_or(json_object_get(request, "restart"), "by_kegd", false);
    r->count = (unsigned)json_int_or(request, "restart_count", 0);
    restart_configure(m, json_object_get(request, "restart"));
}

void restart_finish(struct monitor *m)
{
    free(m->restarts.request);
    free(m->restarts.resources);
    close_fd(&m->restarts.config);
}

void restart_configure(struct monitor *m, const json_t *policy)
{
    if (!policy)
        return;
    snprintf(m->restarts.policy, sizeof(m->restarts.policy), "%s", json_str_or(policy, "name", ""));
    m->restarts.limit = (unsigned)json_int_or(policy, "limit", 0);
}

void restart_set_resources(struct monitor *m, const json_t *resources)
{
    free(m->restarts.resources);
    m->restarts.resources = json_text(resources);
}

bool restart_is_wanted(const struct monitor *m)
{
    const struct restarts *r = &m->restarts;

    if (r->stopped)
        return false;
    if (r->forced || str_eq(r->policy, "always") || str_eq(r->policy, "unless-stopped"))
        return true;
    return str_eq(r->policy, "on-failure") && m->exit_code != 0 && (r->limit == 0 || r->count < r->limit);
}

void restart_wait(struct monitor *m)
{
    struct restarts *r = &m->restarts;

    if (r->delay == 0 || m->finished_at - m->started_at >= RAN_WELL)
        r->delay = DELAY_FIRST;
    else
        r->delay = MIN_OF(2 * r->delay, DELAY_MAX);
    r->forced = false;
    loop_timer_set(&m->loop, &r->timer, r->delay);
}

void restart_cancel(struct monitor *m)
{
    loop_timer_stop(&m->loop, &m->restarts.timer);
}

/* ---- the configuration, as it has to be by now ---- */

/* Whether the process is the container's still: a monitor that was killed has written nothing since, and its number may be
 * anybody's. */
static bool is_process_of(const char *id, int pid)
{
    _cleanup_(buf_finish) struct buf cgroups = BUF_INIT(CGROUP_FILE_MAX);
    char path[32];

    snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
    return pid > 0 && file_read(AT_FDCWD, path, &cgroups) == 0 && strstr(buf_str(&cgroups), id);
}

/* The first process of another container, which may have been restarted itself since. */
static int pid_of_other(const char *id, const char *what, struct err *err)
{
    _cleanup_free_ char *state = xasprintf("../%s/" MONITOR_STATE, id);
    _cleanup_free_ char *ended = xasprintf("../%s/" MONITOR_EXIT, id);
    _cleanup_json_ json_t *other = json_load(AT_FDCWD, state, STATE_MAX, NULL);
    int pid = (int)json_int_or(other, "pid", 0);

    if (access(ended, F_OK) == 0 || !is_process_of(id, pid))
        return err_set(err, ERR_CONFLICT, "cannot join %s namespace of a non running container: %s", what,
                       id);
    return pid;
}

/* Namespaces of other containers are named by the processes that they had. */
static int renew_namespaces(const json_t *joins, json_t *config, struct err *err)
{
    json_t *ns;
    size_t i;

    json_array_foreach (json_at(config, "linux.namespaces"), i, ns) {
        const char *type = json_str_or(ns, "type", ""), *other = json_str(joins, type);
        char path[64];
        int pid;

        if (!other)
            continue;
        pid = pid_of_other(other, type, err);
        if (pid < 0)
            return -1;
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, str_eq(type, "network") ? "net" : type);
        json_set_str(ns, "path", path);
    }
    return 0;
}

int restart_renew(const struct monitor *m, const json_t *request, json_t *config, struct err *err)
{
    const char *text = m->restarts.resources;
    _cleanup_json_ json_t *resources = text ? json_parse(text, strlen(text), "resources", err) : NULL;
    json_t *now = json_at(config, "linux.resources");

    if (text && !resources)
        return -1;
    if (resources && now)
        json_object_update(now, resources);
    return renew_namespaces(json_object_get(request, "joins"), config, err);
}
