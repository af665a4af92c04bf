/* One thread listens to all monitors. It only reads and notes: what takes time (a container's end) gets a
 * thread of its own, so that no container's end keeps another's waiting. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/exec.h"
#include "engine/monitors.h"

enum { EVENTS_AT_ONCE = 32, THREAD_STACK = 256 * 1024 };

struct watcher {
    struct engine *engine;
    int epoll, stop_fd;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    size_t workers;
    struct source *sources; /* all that are open, for the end */
};

/* One descriptor in the epoll: a monitor's connection, or the pidfd of one that is our child. */
struct source {
    struct monitor *monitor; /* NULL: a pidfd */
    int fd;
    struct source *next, **link;
};

/* ---- sources; the lock guards the list only ---- */

static void source_add(struct watcher *w, struct monitor *m, int fd)
{
    struct source *s = xcalloc(1, sizeof(*s));
    *s = (struct source){.monitor = m, .fd = fd};
    pthread_mutex_lock(&w->lock);
    s->next = w->sources;
    s->link = &w->sources;
    if (s->next)
        s->next->link = &s->next;
    w->sources = s;
    pthread_mutex_unlock(&w->lock);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        log_error("cannot listen to a monitor: %s", strerror(errno));
}

static void source_remove(struct watcher *w, struct source *s)
{
    pthread_mutex_lock(&w->lock);
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    pthread_mutex_unlock(&w->lock);
    epoll_ctl(w->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    if (s->monitor)
        monitor_free(s->monitor);
    else
        close(s->fd);
    free(s);
}

void watcher_add(struct engine *e, struct monitor *m)
{
    struct watcher *w = e->watcher;
    int pidfd = take_fd(&m->pidfd);
    if (pidfd >= 0)
        source_add(w, NULL, pidfd);
    source_add(w, m, m->sock);
}

/* ---- ends ---- */

struct exit_work {
    struct watcher *watcher;
    struct container *container;
    struct exit_report report;
};

static void *exit_thread(void *arg)
{
    struct exit_work *work = arg;
    struct watcher *w = work->watcher;
    container_exited(work->container, &work->report);
    container_unref(work->container);
    free(work);
    pthread_mutex_lock(&w->lock);
    if (--w->workers == 0)
        pthread_cond_broadcast(&w->idle);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

void watcher_report_exit(struct engine *e, struct container *c, const struct exit_report *report)
{
    struct exit_work *work = xcalloc(1, sizeof(*work));
    *work = (struct exit_work){.watcher = e->watcher, .container = container_ref(c), .report = *report};
    pthread_mutex_lock(&e->watcher->lock);
    e->watcher->workers++;
    pthread_mutex_unlock(&e->watcher->lock);
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int r = pthread_create(&thread, &attr, exit_thread, work);
    pthread_attr_destroy(&attr);
    if (r != 0) /* slower for the others, but done */
        exit_thread(work);
}

void exit_report_read(struct exit_report *report, const json_t *packet)
{
    struct err error = {0};
    *report = (struct exit_report){
        .exit_code = (int)json_int_or(packet, "exit_code", 255),
        .oom_killed = json_bool_or(packet, "oom_killed", false),
        .stopped = json_bool_or(packet, "stopped", false),
        .restart = json_bool_or(packet, "restart", false),
        .told = json_bool_or(packet, "again", false),
        .finished_at = json_int_or(packet, "finished_at", clock_now()),
        .time = json_int_or(packet, "time", 0),
    };
    if (json_take_err(packet, &error) < 0) {
        err_wrap(&error, "failed to create task for container");
        snprintf(report->error, sizeof(report->error), "%s", error.message);
    }
}

static void handle_exit(struct watcher *w, struct monitor *m, const json_t *packet)
{
    struct exit_report report;
    exit_report_read(&report, packet);
    m->exit_seen = true;
    if (container_is_news(m->container, packet))
        watcher_report_exit(w->engine, m->container, &report);
}

/* ---- events ---- */

static void handle_packet(struct watcher *w, struct monitor *m, const json_t *packet)
{
    const char *event = json_str_or(packet, "event", "");
    if (str_eq(event, "exit"))
        handle_exit(w, m, packet);
    else if (str_eq(event, "detach"))
        container_event(m->container, json_str(packet, "exec_id") ? "exec_detach" : "detach", "execID",
                        json_str_or(packet, "exec_id", ""), NULL);
    else
        container_heard(m->container, packet);
}

static void handle_connection(struct watcher *w, struct source *s)
{
    struct monitor *m = s->monitor;
    struct err err = {0};
    _cleanup_json_ json_t *packet = monitor_receive(m->sock, NULL, NULL, &err);
    if (packet) {
        handle_packet(w, m, packet);
        return;
    }
    if (!m->exit_seen)
        watcher_report_exit(w->engine, m->container,
                            &(struct exit_report){.lost = true, .finished_at = clock_now()});
    source_remove(w, s);
}

static void handle_child(struct watcher *w, struct source *s)
{
    siginfo_t ignored;
    waitid(P_PIDFD, (id_t)s->fd, &ignored, WEXITED | WNOHANG);
    source_remove(w, s);
}

static void *watcher_thread(void *arg)
{
    struct watcher *w = arg;
    struct epoll_event events[EVENTS_AT_ONCE];
    for (;;) {
        int n = epoll_wait(w->epoll, events, EVENTS_AT_ONCE, -1);
        for (int i = 0; i < n; i++) {
            struct source *s = events[i].data.ptr;
            if (!s)
                return NULL;
            if (s->monitor)
                handle_connection(w, s);
            else
                handle_child(w, s);
        }
        if (n < 0 && errno != EINTR)
            return NULL;
    }
}

/* ---- life ---- */

struct watcher *watcher_new(struct engine *e, struct err *err)
{
    struct watcher *w = xcalloc(1, sizeof(*w));
    w->engine = e;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->idle, NULL);
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    int r = w->epoll < 0 || w->stop_fd < 0 || epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->stop_fd, &event) < 0
                ? errno
                : 0;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    if (r == 0)
        r = pthread_create(&w->thread, &attr, watcher_thread, w);
    pthread_attr_destroy(&attr);
    if (r == 0)
        return w;
    err_errno(err, r, "start the thread that listens to monitors");
    close_fd(&w->epoll);
    close_fd(&w->stop_fd);
    free(w);
    return NULL;
}

struct watcher *watcher_free(struct watcher *w)
{
    if (!w)
        return NULL;
    eventfd_write(w->stop_fd, 1);
    pthread_join(w->thread, NULL);
    pthread_mutex_lock(&w->lock);
    while (w->workers > 0)
        pthread_cond_wait(&w->idle, &w->lock);
    pthread_mutex_unlock(&w->lock);
    while (w->sources)
        source_remove(w, w->sources);
    close_fd(&w->epoll);
    close_fd(&w->stop_fd);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->idle);
    free(w);
    return NULL;
}
