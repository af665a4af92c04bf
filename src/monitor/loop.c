/* The event loop over epoll. */
#include "monitor/loop.h"

#include <limits.h>

#include "base/clock.h"
#include "base/str.h"

int loop_init(struct loop *l)
{
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return l->epoll_fd < 0 ? -errno : 0;
}

void loop_finish(struct loop *l)
{
    close_fd(&l->epoll_fd);
}

int loop_set(struct loop *l, struct loop_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    if (source->added && source->events == events)
        return 0;
    if (epoll_ctl(l->epoll_fd, source->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, source->fd, &event) < 0)
        return -errno;
    source->added = true;
    source->events = events;
    return 0;
}

void loop_remove(struct loop *l, struct loop_source *source)
{
    if (!source->added)
        return;
    epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    source->added = false;
}

void loop_close(struct loop *l, struct loop_source *source)
{
    loop_remove(l, source);
    close_fd(&source->fd);
}

void loop_timer_stop(struct loop *l, struct loop_timer *timer)
{
    struct loop_timer **link = &l->timers;

    while (*link && *link != timer)
        link = &(*link)->next;
    if (*link)
        *link = timer->next;
    timer->at = 0;
}

void loop_timer_set(struct loop *l, struct loop_timer *timer, int64_t ns)
{
    struct loop_timer **link = &l->timers;

    loop_timer_stop(l, timer);
    timer->at = clock_monotonic() + MAX_OF(ns, INT64_C(0));
    while (*link && (*link)->at <= timer->at)
        link = &(*link)->next;
    timer->next = *link;
    *link = timer;
}

/* The time until the first timer rings, or timeout_ms if that is shorter. */
static int loop_patience(const struct loop *l, int timeout_ms)
{
    int64_t left;

    if (!l->timers)
        return timeout_ms;
    left = (MAX_OF(l->timers->at - clock_monotonic(), INT64_C(0)) + 999999) / 1000000;
    left = MIN_OF(left, (int64_t)INT_MAX);
    return timeout_ms >= 0 && timeout_ms < left ? timeout_ms : (int)left;
}

static bool loop_ring(struct loop *l)
{
    struct loop_timer *timer = l->timers;

    if (!timer || timer->at > clock_monotonic())
        return false;
    loop_timer_stop(l, timer);
    timer->handler(timer);
    return true;
}

int loop_turn(struct loop *l, int timeout_ms)
{
    struct epoll_event event;
    struct loop_source *source;
    int n;

    if (loop_ring(l))
        return 1;
    n = epoll_wait(l->epoll_fd, &event, 1, loop_patience(l, timeout_ms));
    if (n < 0)
        return errno == EINTR ? 1 : -errno;
    if (n == 0)
        return loop_ring(l);
    source = event.data.ptr;
    source->handler(source, event.events);
    return 1;
}
