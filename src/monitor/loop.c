/* The event loop over epoll. */
#include "monitor/loop.h"

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

int loop_turn(struct loop *l, int timeout_ms)
{
    struct epoll_event event;
    struct loop_source *source;
    int n = epoll_wait(l->epoll_fd, &event, 1, timeout_ms);

    if (n < 0)
        return errno == EINTR ? 1 : -errno;
    if (n == 0)
        return 0;
    source = event.data.ptr;
    source->handler(source, event.events);
    return 1;
}
