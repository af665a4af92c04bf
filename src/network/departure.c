/* Endpoints on their way out: a thread that looks from time to time whether their interfaces have gone. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"
#include "network/internal.h"
#include "sys/netlink.h"

enum { LOOKS_BEFORE_FORCE = 8, LOOK_EVERY_MS = 150 };

struct departure {
    struct departure *next;
    struct network *network;
    struct address addresses[2]; /* either may be none */
    char interface[IFNAMSIZ];
    int64_t due; /* monotonic ns */
    int looks;
};

struct departures {
    struct network_host *host;
    pthread_mutex_t lock; /* never held over a system call that waits; host->lock may be taken inside */
    pthread_cond_t changed;
    struct departure *first;
    pthread_t thread;
    bool running, ending, busy; /* busy: the thread has an entry in hand */
};

struct departures *departures_new(struct network_host *h)
{
    struct departures *d = xcalloc(1, sizeof(*d));
    pthread_condattr_t monotonic;

    d->host = h;
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&d->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return d;
}

static bool is_gone(const char *interface)
{
    _cleanup_close_ int fd = netlink_open();

    return fd >= 0 && netlink_link_index(fd, interface) == -ENODEV;
}

/* The interface has gone: gives the address back and frees the entry. */
static void finish(struct departures *d, struct departure *e)
{
    pthread_mutex_lock(&d->host->lock);
    network_give_back(e->network, e->addresses);
    pthread_mutex_unlock(&d->host->lock);
    free(e);
}

static struct departure *take(struct departure **at)
{
    struct departure *e = *at;

    *at = e->next;
    e->next = NULL;
    return e;
}

static struct departure **find_due(struct departures *d, int64_t now)
{
    for (struct departure **at = &d->first; *at; at = &(*at)->next)
        if ((*at)->due <= now)
            return at;
    return NULL;
}

static void wait_a_look(struct departures *d)
{
    struct timespec until;
    int64_t ns = clock_monotonic() + (int64_t)LOOK_EVERY_MS * 1000000;

    if (!d->first) {
        pthread_cond_wait(&d->changed, &d->lock);
        return;
    }
    until = (struct timespec){.tv_sec = ns / CLOCK_NS_PER_S, .tv_nsec = ns % CLOCK_NS_PER_S};
    pthread_cond_timedwait(&d->changed, &d->lock, &until);
}

/* One look at one entry, without the lock. True when it is done with. */
static bool look_at(struct departure *e)
{
    if (is_gone(e->interface))
        return true;
    if (++e->looks < LOOKS_BEFORE_FORCE)
        return false;
    link_delete(e->interface);
    return is_gone(e->interface);
}

static void *run(void *arg)
{
    struct departures *d = arg;

    pthread_mutex_lock(&d->lock);
    while (!d->ending) {
        struct departure **at = find_due(d, clock_monotonic()), *e;
        bool done;

        if (!at) {
            wait_a_look(d);
            continue;
        }
        e = take(at);
        d->busy = true;
        pthread_mutex_unlock(&d->lock);
        done = look_at(e);
        pthread_mutex_lock(&d->lock);
        if (done) {
            finish(d, e);
        } else {
            e->due = clock_monotonic() + (int64_t)LOOK_EVERY_MS * 1000000;
            e->next = d->first;
            d->first = e;
        }
        d->busy = false;
        pthread_cond_broadcast(&d->changed);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* The thread takes no signals: they are for the program's own. Lock held. */
static void start_thread(struct departures *d)
{
    sigset_t all, before;

    if (d->running)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    d->running = pthread_create(&d->thread, NULL, run, d) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void departures_add(struct departures *d, struct network *n, const struct address addresses[2],
                    const char *host_interface)
{
    struct departure *e = xcalloc(1, sizeof(*e));

    e->network = n;
    memcpy(e->addresses, addresses, sizeof(e->addresses));
    e->due = clock_monotonic() + (int64_t)LOOK_EVERY_MS * 1000000;
    snprintf(e->interface, sizeof(e->interface), "%s", host_interface);
    pthread_mutex_lock(&d->lock);
    e->next = d->first;
    d->first = e;
    start_thread(d);
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

static bool concerns(const struct departure *e, const struct network *n, const struct address *address)
{
    return e->network == n &&
           (!address || address_equal(&e->addresses[0], address) || address_equal(&e->addresses[1], address));
}

void departures_finish(struct departures *d, struct network *n, const struct address *address)
{
    pthread_mutex_lock(&d->lock);
    while (d->busy)
        pthread_cond_wait(&d->changed, &d->lock);
    for (struct departure **at = &d->first; *at;) {
        struct departure *e;

        if (!concerns(*at, n, address)) {
            at = &(*at)->next;
            continue;
        }
        e = take(at);
        pthread_mutex_unlock(&d->lock);
        link_delete(e->interface);
        pthread_mutex_lock(&d->lock);
        finish(d, e);
        at = &d->first; /* the list may have changed meanwhile */
    }
    pthread_mutex_unlock(&d->lock);
}

struct departures *departures_free(struct departures *d)
{
    if (!d)
        return NULL;
    pthread_mutex_lock(&d->lock);
    d->ending = true;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    if (d->running)
        pthread_join(d->thread, NULL);
    while (d->first)
        free(take(&d->first));
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->changed);
    free(d);
    return NULL;
}
