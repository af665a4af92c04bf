#include "engine/file_watch.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

struct file_watch {
    struct file_watches *all;
    int directory; /* inotify's number: the same for all watches of one directory */
    int changed;   /* eventfd */
    struct file_watch *next;
};

struct file_watches {
    pthread_mutex_t lock;
    struct file_watch *first;
    int notify, stop; /* inotify, eventfd: -EBADF before the first watch */
    pthread_t thread;
};

struct file_watches *file_watches_new(void)
{
    struct file_watches *w = xcalloc(1, sizeof(*w));
    pthread_mutex_init(&w->lock, NULL);
    w->notify = w->stop = -EBADF;
    return w;
}

static void wake(struct file_watches *w, int directory)
{
    pthread_mutex_lock(&w->lock);
    for (struct file_watch *watch = w->first; watch; watch = watch->next)
        if (watch->directory == directory || directory < 0)
            eventfd_write(watch->changed, 1);
    pthread_mutex_unlock(&w->lock);
}

static void *listen_to(void *arg)
{
    struct file_watches *w = arg;
    struct pollfd fds[2] = {{.fd = w->notify, .events = POLLIN}, {.fd = w->stop, .events = POLLIN}};
    char buffer[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
    while (poll(fds, 2, -1) < 0 || !(fds[1].revents & POLLIN)) {
        ssize_t n = read(w->notify, buffer, sizeof(buffer));
        const struct inotify_event *event;
        int last = 0;
        for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof(*event) + event->len)) {
            event = (const struct inotify_event *)(buffer + at);
            if (event->wd != last) /* after an overflow, -1: everybody */
                wake(w, event->wd);
            last = event->wd;
        }
    }
    return NULL;
}

/* With the lock held. */
static int begin(struct file_watches *w, struct err *err)
{
    if (w->notify >= 0)
        return 0;
    w->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->notify < 0)
        return err_errno(err, errno, "inotify (is fs.inotify.max_user_instances used up?)");
    w->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = w->stop < 0 ? errno : pthread_create(&w->thread, NULL, listen_to, w);
    if (r == 0)
        return 0;
    close_fd(&w->stop);
    close_fd(&w->notify);
    return err_errno(err, r, "watch files");
}

struct file_watch *file_watch_add(struct file_watches *w, const char *directory, struct err *err)
{
    struct file_watch *watch = xcalloc(1, sizeof(*watch));
    watch->all = w;
    watch->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_lock(&w->lock);
    bool done = begin(w, err) == 0;
    if (done) {
        watch->directory = inotify_add_watch(w->notify, directory, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
        done = watch->directory >= 0 && watch->changed >= 0;
        if (!done)
            err_errno(err, errno, "watch %s", directory);
    }
    if (done) {
        watch->next = w->first;
        w->first = watch;
    }
    pthread_mutex_unlock(&w->lock);
    if (done)
        return watch;
    close_fd(&watch->changed);
    free(watch);
    return NULL;
}

struct file_watch *file_watch_remove(struct file_watch *watch)
{
    if (!watch)
        return NULL;
    struct file_watches *w = watch->all;
    bool shared = false;
    pthread_mutex_lock(&w->lock);
    for (struct file_watch **p = &w->first; *p;) {
        if (*p == watch) {
            *p = watch->next;
            continue;
        }
        shared = shared || (*p)->directory == watch->directory;
        p = &(*p)->next;
    }
    if (!shared)
        inotify_rm_watch(w->notify, watch->directory);
    pthread_mutex_unlock(&w->lock);
    close_fd(&watch->changed);
    free(watch);
    return NULL;
}

int file_watch_fd(const struct file_watch *watch)
{
    return watch->changed;
}

struct file_watches *file_watches_free(struct file_watches *w)
{
    if (!w)
        return NULL;
    if (w->notify >= 0) {
        eventfd_write(w->stop, 1);
        pthread_join(w->thread, NULL);
    }
    close_fd(&w->notify);
    close_fd(&w->stop);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return NULL;
}
