/* Waiting for containers: each waiter has an eventfd, so that it can watch its client at the same time. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/monitors.h"

/* An end that a restart policy follows up is one for clients, as Docker has it; ENDED is one that stays. */
enum wait_condition { WAIT_NOT_RUNNING, WAIT_NEXT_EXIT, WAIT_REMOVED, WAIT_ENDED };

static const char *const condition_names[] = {"not-running", "next-exit", "removed"};

struct engine_wait {
    struct container *c;
    enum wait_condition condition;
    int fd;
    bool done;
    int exit_code;
    char error[256];
    struct engine_wait *next;
};

static void wait_complete(struct engine_wait *w, const struct container *c, const char *error)
{
    if (w->done)
        return;
    w->done = true;
    w->exit_code = c->state.exit_code;
    snprintf(w->error, sizeof(w->error), "%s", error ? error : "");
    eventfd_write(w->fd, 1);
}

void container_notify(struct container *c, enum container_moment moment, const char *error)
{
    pthread_mutex_lock(&c->lock);
    if (moment == MOMENT_REMOVED)
        c->gone = true;
    for (struct engine_wait *w = c->waits; w; w = w->next)
        if (moment == MOMENT_REMOVED || w->condition == WAIT_NEXT_EXIT || w->condition == WAIT_NOT_RUNNING ||
            (moment == MOMENT_EXITED && w->condition == WAIT_ENDED))
            wait_complete(w, c, error);
    pthread_mutex_unlock(&c->lock);
}

static bool wait_is_done(struct engine_wait *w)
{
    pthread_mutex_lock(&w->c->lock);
    bool done = w->done;
    pthread_mutex_unlock(&w->c->lock);
    return done;
}

static struct engine_wait *wait_new(struct container *c, enum wait_condition condition, struct err *err)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        err_errno(err, errno, "make an eventfd");
        return NULL;
    }
    struct engine_wait *w = xcalloc(1, sizeof(*w));
    *w = (struct engine_wait){.c = container_ref(c), .condition = condition, .fd = fd};
    pthread_mutex_lock(&c->lock);
    w->next = c->waits;
    c->waits = w;
    bool runs = c->state.starting || container_status_runs(c->state.status);
    if (c->gone || ((condition == WAIT_NOT_RUNNING || condition == WAIT_ENDED) && !runs))
        wait_complete(w, c, NULL);
    pthread_mutex_unlock(&c->lock);
    return w;
}

void container_wait_free(struct engine_wait *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->c->lock);
    for (struct engine_wait **p = &w->c->waits; *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            break;
        }
    pthread_mutex_unlock(&w->c->lock);
    close(w->fd);
    container_unref(w->c);
    free(w);
}

struct engine_wait *engine_container_wait_begin(struct engine *e, const char *ref, const char *condition,
                                                struct err *err)
{
    size_t i = 0;
    while (condition && *condition && i < ARRAY_SIZE(condition_names) &&
           !str_eq(condition_names[i], condition))
        i++;
    if (i == ARRAY_SIZE(condition_names)) {
        err_set(err, ERR_INVALID, "invalid condition: \"%.64s\"", condition);
        return NULL;
    }
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    return c ? wait_new(c, (enum wait_condition)i, err) : NULL;
}

struct engine_wait *container_wait_end(struct container *c, struct err *err)
{
    return wait_new(c, WAIT_ENDED, err);
}

int engine_container_wait_finish(struct engine_wait *w, int client_fd, json_t **ret, struct err *err)
{
    struct engine *e = w->c->engine;
    int r = 0;
    while (r >= 0 && !wait_is_done(w))
        r = engine_wait_readable(e, w->fd, client_fd, -1, err);
    if (wait_is_done(w)) { /* from here on nothing changes it */
        r = 0;
        *ret = json_object();
        json_set_int(*ret, "StatusCode", w->exit_code);
        if (*w->error) {
            json_t *error = json_object();
            json_set_str(error, "Message", w->error);
            json_object_set_new(*ret, "Error", error);
        }
    }
    container_wait_free(w);
    return r < 0 ? -1 : 0;
}

int container_wait_fd(const struct engine_wait *w)
{
    return w->fd;
}

int container_wait_ended(struct container *c, int timeout_ms)
{
    struct engine_wait *w = wait_new(c, WAIT_ENDED, NULL);
    if (!w)
        return 0;
    int64_t deadline = clock_monotonic() + timeout_ms * 1000000LL;
    struct pollfd p = {.fd = w->fd, .events = POLLIN};
    for (;;) {
        int64_t left = timeout_ms < 0 ? -1 : (deadline - clock_monotonic()) / 1000000;
        int n = poll(&p, 1, timeout_ms < 0 ? -1 : (int)MAX_OF(left, 0));
        if (n >= 0 || errno != EINTR)
            break;
    }
    bool ended = wait_is_done(w);
    container_wait_free(w);
    return ended;
}
