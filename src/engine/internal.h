/* What the files of src/engine share: the engine itself. Not for other folders.
 *
 * Locks, outermost first; none but `operation` is held over anything that waits (disk, monitors, processes):
 *   container.operation   one start, stop, remove, rename … of a container at a time
 *   containers.lock       the table: ids, names
 *   container.lock        one container's changing members (see container.h)
 *   the database's own    inside db_… */
#ifndef KEG_ENGINE_INTERNAL_H
#define KEG_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/db.h"
#include "engine/engine.h"
#include "engine/events.h"
#include "engine/filters.h"

struct containers;
struct engine_images;
struct engine_networks;
struct engine_volumes;
struct execs;
struct image_store;
struct network_host;
struct spawner;
struct storage;
struct volume_store;
struct watcher;

struct engine {
    struct engine_options options; /* defaults filled in; strings are the engine's */
    pthread_mutex_t options_lock;  /* over what engine_reload() changes of them */
    char *tag;                     /* "keg", or "keg-1a2b3c" for another exec-root */
    char *bridge_prefix;           /* "keg", or "kg1a2b3c" */
    char *libexec;                 /* where keg-monitor, keg-layer, keg-registry, keg-init are */
    char id[64];                   /* the instance's own id, kept in the database */
    int lock_data, lock_exec;      /* flock()ed for the life of the engine */

    struct db *db;
    struct storage *storage;
    struct image_store *image_store;
    struct network_host *network_host; /* NULL with options.no_networks */
    struct volume_store *volume_store;
    struct events *events;

    struct containers *containers;     /* containers.c */
    struct execs *execs;               /* exec.c */
    struct file_watches *file_watches; /* file_watch.h: those who follow logs */
    struct spawner *spawner;           /* monitors.c: the sealed keg-monitor */
    struct watcher *watcher;           /* watcher.c: the thread that listens to all monitors */
    struct engine_images *images;      /* images.c: what it keeps in memory, may stay NULL */
    struct engine_networks *networks;  /* networks.c */
    struct engine_volumes *volumes;    /* volumes.c */
    atomic_int leaving;       /* remove.c: containers of --rm whose record goes before their files do */
    pthread_mutex_t checking; /* check.c: one check at a time */
    bool was_unclean, opened; /* check.c: how the last life ended; this one has begun */
    bool check_runs;          /* check_thread is to be joined */
    pthread_t check_thread;
    bool order_runs; /* order_thread, of start_order.c, is to be joined */
    pthread_t order_thread;
    atomic_bool closing; /* engine_close() has begun: nothing new is started */
    int interrupt_fd;    /* eventfd, readable once engine_interrupt() was called */
};

/* Waits until `fd` is readable (an eventfd or inotify descriptor; -1: none), the client has hung up, the
 * engine is interrupted, or timeout_ms (-1: none) is over. Returns 1 readable, 0 timeout, -1 and
 * ERR_CANCELLED. */
int engine_wait_readable(struct engine *e, int fd, int client_fd, int timeout_ms, struct err *err);

/* dismantle.c: called by engine_close(). */
void engine_dismantle(struct engine *e);

/* ---- what images.c, networks.c, volumes.c ask about containers ---- */

/* One container, as others need to know it. Everything is borrowed for the call. */
struct container_brief {
    const char *id;
    const char *name;       /* without "/" */
    const char *image_id;   /* "sha256:…" */
    const char *image_ref;  /* as the user named it */
    bool running, paused;   /* who is paused runs as well */
    const json_t *networks; /* {network's name or id as the user gave it: EndpointSettings as asked for} */
    const json_t *mounts;   /* [{Type,Name,Source,Destination,…}] */
};
/* Calls fn for every container until it returns non-zero, which is then returned. No lock is held meanwhile.
 */
int engine_containers_each(struct engine *e, int (*fn)(void *arg, const struct container_brief *c),
                           void *arg);

#endif
