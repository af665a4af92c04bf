/* events: statistics every now and then, and when the container ran out of memory. */
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/command/command.h"
#include "runtime/command/stats.h"
#include "sys/cgroup.h"
#include "sys/pidfd.h"

#define INTERVAL_NS (5 * CLOCK_NS_PER_S)

/* One line; false when nobody reads it any more. */
static bool print_event(const char *type, const char *id, json_t *data)
{
    _cleanup_json_ json_t *event = json_pack("{s:s, s:s, s:o*}", "type", type, "id", id, "data", data);
    _cleanup_free_ char *text = json_text(event);

    return puts(text) >= 0 && fflush(stdout) == 0;
}

static int print_stats(struct request *request, struct runtime_container *c, struct err *err)
{
    json_t *data = stats_json(runtime_cgroup(c), err);

    if (!data)
        return -1;
    return print_event("stats", request->id, data) ? 0
                                                   : err_set(err, ERR_CANCELLED, "standard output is closed");
}

static int wait_time(int64_t until)
{
    int64_t left = until - clock_monotonic();

    return left <= 0 ? 0 : (int)MIN_OF(left / 1000000 + 1, 3600 * 1000);
}

/* The kernel tells of a shortage a moment before it counts whom it killed for it: after a word of it the count is looked
 * at again for a while. */
#define OOM_SETTLES_NS (1 * CLOCK_NS_PER_S)
enum { OOM_LOOK_MS = 20 };

/* How long to wait for events, ms. */
static int patience(int64_t next, int64_t looks_until)
{
    int whole = wait_time(next);

    return clock_monotonic() < looks_until ? MIN_OF(whole, (int)OOM_LOOK_MS) : whole;
}

/* Until the container ends. */
static int watch(struct request *request, struct runtime_container *c, int64_t interval, struct err *err)
{
    int64_t next = clock_monotonic() + interval, looks_until = 0;
    unsigned long kills = runtime_oom_kills(c);
    struct pollfd p[] = {
        {.fd = runtime_pidfd(c), .events = POLLIN},
        {.fd = runtime_oom_fd(c), .events = POLLIN | POLLPRI},
    };

    for (;;) {
        int n = poll(p, ARRAY_SIZE(p), patience(next, looks_until));
        unsigned long now;

        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "wait for events");
        if (n > 0 && p[1].revents) {
            cgroup_oom_drain(p[1].fd);
            looks_until = clock_monotonic() + OOM_SETTLES_NS;
        }
        now = runtime_oom_kills(c);
        if (now > kills && !print_event("oom", request->id, NULL))
            return 0;
        kills = now > kills ? now : kills;
        if (n > 0 && p[0].revents)
            return 0;
        if (clock_monotonic() < next)
            continue;
        next += interval;
        if (print_stats(request, c, err) < 0)
            return pidfd_wait_exit(runtime_pidfd(c), 0) == 1 ? 0 : -1;
    }
}

int command_events(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = command_open(request, err);
    int64_t interval = INTERVAL_NS;

    if (!c)
        return -1;
    if (request->interval && (clock_parse_duration(request->interval, &interval) < 0 || interval <= 0))
        return err_set(err, ERR_INVALID, "duration interval must be greater than 0");
    if (runtime_pidfd(c) < 0)
        return err_set(err, ERR_CONFLICT, "container with id %s is not running", request->id);
    if (!runtime_cgroup(c))
        return err_set(err, ERR_CONFLICT, "container has no cgroup");
    return request->stats ? print_stats(request, c, err) : watch(request, c, interval, err);
}
