/* One thread while there is something to remove, none else. */
#include "storage/trash.h"

#include <linux/ioprio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "storage/driver.h"

enum { THREAD_STACK = 256 * 1024 };

struct trash {
    int dir;
    const struct storage_driver *driver;
    pthread_mutex_t lock; /* over names and running */
    pthread_cond_t ended; /* running became false */
    char **names;
    bool running;
    atomic_bool stop;
};

struct trash *trash_new(int dirfd, const struct storage_driver *driver)
{
    struct trash *t = xcalloc(1, sizeof(*t));

    t->dir = dirfd;
    t->driver = driver;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->ended, NULL);
    return t;
}

/* The next name, which the caller frees; NULL ends the thread. */
static char *take_name(struct trash *t)
{
    char *name = NULL;

    pthread_mutex_lock(&t->lock);
    if (t->names && *t->names && !t->stop) {
        name = t->names[0];
        for (char **n = t->names; *n; n++)
            n[0] = n[1];
    } else {
        t->running = false;
        pthread_cond_broadcast(&t->ended);
    }
    pthread_mutex_unlock(&t->lock);
    return name;
}

static void *empty_thread(void *arg)
{
    struct trash *t = arg;
    char *name;

    /* only when the disk has nothing else to do, where its scheduler knows the difference */
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
    while ((name = take_name(t))) {
        (void)driver_remove(t->driver, t->dir, name, &t->stop);
        free(name);
    }
    return NULL;
}

void trash_add(struct trash *t, const char *name)
{
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_mutex_lock(&t->lock);
    strv_push(&t->names, name);
    if (!t->running && !t->stop)
        t->running = pthread_create(&thread, &attr, empty_thread, t) == 0;
    pthread_mutex_unlock(&t->lock);
    pthread_attr_destroy(&attr);
}

void trash_wait(struct trash *t)
{
    pthread_mutex_lock(&t->lock);
    while (t->running)
        pthread_cond_wait(&t->ended, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

void trash_free(struct trash *t)
{
    if (!t)
        return;
    t->stop = true;
    trash_wait(t);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->ended);
    strv_free(t->names);
    free(t);
}
