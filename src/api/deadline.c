/* Connections and their deadlines. All timeouts are the same, so that a new deadline is never the first of several. */
#include "api/deadline.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

enum { STACK = 64 * 1024 };

struct deadline {
    struct deadline *next, *previous;
    int fd;
    int64_t at; /* monotonic ns */
    bool waits, released;
};

struct deadlines {
    pthread_t thread;
    pthread_mutex_t lock; /* of all there is below */
    pthread_cond_t changed;
    struct deadline *first;
    int64_t timeout; /* ns */
    bool idle;       /* the thread waits for nothing */
    bool stop;
};

/* Shuts down what is late. When the next one will be, or 0. */
static int64_t expire(struct deadlines *all)
{
    int64_t now = clock_monotonic(), next = 0;

    for (struct deadline *d = all->first; d; d = d->next) {
        if (!d->waits)
            continue;
        if (d->at <= now) {
            log_debug("http: a connection has brought no request in time, and is closed");
            shutdown(d->fd, SHUT_RDWR);
            d->waits = false;
        } else if (!next || d->at < next) {
            next = d->at;
        }
    }
    return next;
}

static void *work(void *arg)
{
    struct deadlines *all = arg;

    pthread_mutex_lock(&all->lock);
    while (!all->stop) {
        int64_t next = expire(all);
        struct timespec until = {.tv_sec = next / CLOCK_NS_PER_S, .tv_nsec = next % CLOCK_NS_PER_S};

        all->idle = next == 0;
        if (next)
            pthread_cond_timedwait(&all->changed, &all->lock, &until);
        else
            pthread_cond_wait(&all->changed, &all->lock);
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

struct deadlines *deadlines_new(int64_t timeout_ms, struct err *err)
{
    struct deadlines *all = xcalloc(1, sizeof(*all));
    pthread_condattr_t monotonic;
    pthread_attr_t attr;
    int r;

    all->timeout = timeout_ms * 1000000;
    pthread_mutex_init(&all->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&all->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    r = pthread_create(&all->thread, &attr, work, all);
    pthread_attr_destroy(&attr);
    if (r == 0)
        return all;
    err_errno(err, r, "cannot start a thread for the deadlines of requests");
    free(all);
    return NULL;
}

struct deadlines *deadlines_free(struct deadlines *all)
{
    if (!all)
        return NULL;
    pthread_mutex_lock(&all->lock);
    all->stop = true;
    pthread_cond_signal(&all->changed);
    pthread_mutex_unlock(&all->lock);
    pthread_join(all->thread, NULL);
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
    free(all);
    return NULL;
}

static void start(struct deadlines *all, struct deadline *d)
{
    d->waits = true;
    d->at = clock_monotonic() + all->timeout;
    if (all->idle)
        pthread_cond_signal(&all->changed);
}

struct deadline *deadline_add(struct deadlines *all, int fd)
{
    struct deadline *d = xcalloc(1, sizeof(*d));

    d->fd = fd;
    pthread_mutex_lock(&all->lock);
    d->next = all->first;
    if (d->next)
        d->next->previous = d;
    all->first = d;
    start(all, d);
    pthread_mutex_unlock(&all->lock);
    return d;
}

void deadline_remove(struct deadlines *all, struct deadline *d)
{
    pthread_mutex_lock(&all->lock);
    if (d->previous)
        d->previous->next = d->next;
    else
        all->first = d->next;
    if (d->next)
        d->next->previous = d->previous;
    pthread_mutex_unlock(&all->lock);
    free(d);
}

void deadline_stop(struct deadlines *all, struct deadline *d)
{
    pthread_mutex_lock(&all->lock);
    d->waits = false;
    pthread_mutex_unlock(&all->lock);
}

void deadline_restart(struct deadlines *all, struct deadline *d)
{
    pthread_mutex_lock(&all->lock);
    if (!d->released)
        start(all, d);
    pthread_mutex_unlock(&all->lock);
}

void deadline_release(struct deadlines *all, struct deadline *d)
{
    pthread_mutex_lock(&all->lock);
    d->waits = false;
    d->released = true;
    pthread_mutex_unlock(&all->lock);
}
