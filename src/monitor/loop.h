/* The monitor's event loop: one epoll instance, one event a turn.
 *
 * Because a turn delivers a single event, a handler may free any source, its own included. Sources are
 * level-triggered; the kernel moves a source to the end of its ready list after each delivery, so that a busy
 * one starves nobody. */
#ifndef KEG_MONITOR_LOOP_H
#define KEG_MONITOR_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/cleanup.h"

struct loop_timer;

struct loop {
    int epoll_fd;
    struct loop_timer *timers; /* those that are set */
};

struct loop_source;
typedef void loop_handler(struct loop_source *source, uint32_t events);

/* Embedded in what owns the descriptor; LOOP_OWNER() finds the way back. */
struct loop_source {
    int fd; /* the owner's */
    bool added;
    uint32_t events;
    loop_handler *handler;
};

#define LOOP_OWNER(source, type, member) ((type *)((char *)(source)-offsetof(type, member)))
#define LOOP_SOURCE_UNSET                                                                                    \
    {                                                                                                        \
        .fd = -EBADF                                                                                         \
    }

/* Embedded in what waits; rings once. */
struct loop_timer {
    struct loop_timer *next;
    int64_t at; /* clock_monotonic(); 0: not set */
    void (*handler)(struct loop_timer *timer);
};

/* 0 or -errno. */
int loop_init(struct loop *l);
void loop_finish(struct loop *l);
/* Adds the source or changes what it waits for. With 0 it still hears EPOLLHUP and EPOLLERR. 0 or -errno. */
int loop_set(struct loop *l, struct loop_source *source, uint32_t events);
/* Stops watching; nothing happens when it wasn't watched. */
void loop_remove(struct loop *l, struct loop_source *source);
/* Stops watching and closes the descriptor. */
void loop_close(struct loop *l, struct loop_source *source);
/* Rings in `ns` from now; one that is set already is set anew. */
void loop_timer_set(struct loop *l, struct loop_timer *timer, int64_t ns);
void loop_timer_stop(struct loop *l, struct loop_timer *timer);
/* Waits for one event and delivers it, or lets a timer ring. 1, 0 after `timeout_ms` (-1: none) without any, or -errno. */
int loop_turn(struct loop *l, int timeout_ms);

#endif
