/* Restart policies. What a container needs to start is kept from its first start: the request, the configuration's memfd,
 * the network namespace the monitor stands in, with everything that kegd has put into it. So an end and the next start need
 * nobody else.
 *
 *     ended ── policy says no, or stopped by hand ──► exit
 *       └───── "restarting", back-off ──► start again ── fails ──► exit, with the error */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
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
    const char *host_mounts = json_str(request, "host_mounts");

    r->monitor = m;
    r->timer.handler = restart_ring;
    r->request = json_text(request);
    r->config = take_fd(config);
    r->host_mounts = host_mounts ? open(host_mounts, O_RDONLY | O_CLOEXEC) : -EBADF;
    r->sources = (unsigned)json_int_or(request, "sources", 0);
    r->count = (unsigned)json_int_or(request, "restart_count", 0);
    restart_configure(m, json_object_get(request, "restart"));
}

void restart_finish(struct monitor *m)
{
    free(m->restarts.request);
    free(m->restarts.resources);
    close_fd(&m->restarts.config);
    close_fd(&m->restarts.host_mounts);
}

void restart_drop_sources(struct monitor *m)
{
    for (unsigned n = 0; n < m->restarts.sources; n++) {
        char name[32];

        snprintf(name, sizeof(name), "source-%u", n);
        (void)umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW);
    }
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
    if (r->forced || r->manual || str_eq(r->policy, "always") || str_eq(r->policy, "unless-stopped"))
        return true;
    return str_eq(r->policy, "on-failure") && m->exit_code != 0 && (r->limit == 0 || r->count < r->limit);
}

void restart_wait(struct monitor *m)
{
    struct restarts *r = &m->restarts;

    r->forced = false;
    if (r->manual) {
        loop_timer_set(&m->loop, &r->timer, 1);
        return;
    }
    if (r->delay == 0 || m->finished_at - m->started_at >= RAN_WELL)
        r->delay = DELAY_FIRST;
    else
        r->delay = MIN_OF(2 * r->delay, DELAY_MAX);
    loop_timer_set(&m->loop, &r->timer, r->delay);
}

int restart_by_hand(struct monitor *m, struct connection *asker, int signal, int64_t timeout, struct err *err)
{
    m->restarts.manual = true;
    m->restarts.asker = asker;
    m->restarts.stopped = false;
    if (m->status == MONITOR_RUNNING)
        return stop_begin(m, signal, timeout, err);
    m->restarts.left = true;
    monitor_give_up(m);
    return 0;
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

/* An overlay that was mounted volatile refuses to be mounted again, as nobody knows whether the machine went down in between. We
 * do: it didn't. */
static void renew_overlay(const json_t *overlay)
{
    static const struct {
        const char *path;
        int flags;
    } marks[] = {{"work/incompat/volatile/dirty", 0},
                 {"work/incompat/volatile", AT_REMOVEDIR},
                 {"work/incompat", AT_REMOVEDIR}};
    const char *work = json_str(overlay, "work");
    _cleanup_close_ int dir = work && json_bool_or(overlay, "volatile", false)
                                  ? open(work, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
                                  : -EBADF;

    for (size_t i = 0; dir >= 0 && i < ARRAY_SIZE(marks); i++)
        (void)unlinkat(dir, marks[i].path, marks[i].flags);
}

int restart_renew(const struct monitor *m, const json_t *request, json_t *config, struct err *err)
{
    const char *text = m->restarts.resources;
    _cleanup_json_ json_t *resources = text ? json_parse(text, strlen(text), "resources", err) : NULL;
    json_t *now = json_at(config, "linux.resources");

    if (text && !resources)
        return -1;
    renew_overlay(json_object_get(request, "overlay"));
    if (resources && now)
        json_object_update(now, resources);
    return renew_namespaces(json_object_get(request, "joins"), config, err);
}
