/* One container in memory, and the table of all. For src/engine only.
 *
 * JSON documents that hang on a container are immutable once they are there: whoever changes one builds a new
 * one and swaps it under the lock. So a reader takes the lock for a few instructions, keeps references, and
 * is never kept waiting by what an operation is doing. */
#ifndef KEG_ENGINE_CONTAINER_H
#define KEG_ENGINE_CONTAINER_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/db.h"
#include "engine/internal.h"

enum { CONTAINER_ID_SIZE = 65, CONTAINER_NAME_MAX = 255 };

/* In the order of container.c's names. */
enum container_status {
    CONTAINER_CREATED,
    CONTAINER_RUNNING,
    CONTAINER_PAUSED,
    CONTAINER_RESTARTING,
    CONTAINER_REMOVING,
    CONTAINER_EXITED,
    CONTAINER_DEAD,
};

/* In the order of container.c's names. */
enum container_health { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

struct container_state {
    enum container_status status;
    enum container_health health; /* HEALTH_NONE: it isn't checked */
    int failing_streak;
    int pid;
    int exit_code;
    bool oom_killed;
    bool starting;       /* between "the monitor was spawned" and its answer */
    bool stop_requested; /* by stop or kill: no restart policy brings it back */
    int64_t started_at, finished_at;
    char error[1000];
};

struct pending_attach;
struct storage_copy;
struct engine_wait;
struct list_kept;
void list_kept_free(struct list_kept *k);

struct container {
    atomic_uint references;
    struct engine *engine;

    /* constant */
    char id[CONTAINER_ID_SIZE];
    int64_t created;
    char *image_id;  /* "sha256:…" */
    char *image_ref; /* as the user named it */
    bool tty, open_stdin, stdin_once, auto_remove;

    pthread_mutex_t operation; /* see internal.h */

    pthread_mutex_t lock; /* guards what follows */
    char *name;
    json_t *config;         /* Docker's Config, complete */
    json_t *host_config;    /* Docker's HostConfig without members that have their default */
    json_t *network_config; /* {network name: EndpointSettings as asked for} */
    json_t
        *mounts; /* [{"Type","Name","Source","Destination","Driver","Mode","RW","Propagation"}] + "Options" */
    json_t *endpoints; /* what is up: see endpoints.h; an empty array when nothing is */
    struct container_state state;
    bool removing;
    atomic_bool restarting; /* by hand: the end on the way is no removal, and recorded as one that a start follows */
    bool gone;             /* removed: only references are left */
    unsigned restart_count;
    struct list_kept *list_kept; /* its row in a list: list_rows.c */
    int64_t told;                /* the time of the last event that its monitor told, and that is published */
    struct engine_wait *waits;
    struct pending_attach *pending; /* clients that wait for the start */
    unsigned announced;             /* … and those whose connection is just being upgraded */
    bool handed_over;               /* the start under way has taken `pending` */
    struct storage_copy *writer;    /* what unpacks into it while it is at rest: see copies.h */
    pthread_cond_t announced_done;  /* also: `writer` has changed */

    pthread_mutex_t reading_lock; /* stats.c; guards these two, and is held while it reads */
    json_t *reading;
    int64_t reading_at; /* CLOCK_MONOTONIC */

    struct container *next_by_id, *next_by_name; /* the table's, under its lock */
    bool visible;                                /* the table's: creation is over */
};

const char *container_status_name(enum container_status status);
/* ERR_CONFLICT in Docker's words; -1. */
int container_is_restarting(const struct container *c, struct err *err);
/* "none", "starting", "healthy", "unhealthy"; and back (HEALTH_NONE for any other). */
const char *container_health_name(enum container_health health);
enum container_health container_health_from_name(const char *name);
/* "Up 2 minutes", "Exited (0) 3 seconds ago", "Created", … The caller frees. */
char *container_status_text(const struct container_state *state, int64_t now);
static inline bool container_status_runs(enum container_status s)
{
    return s == CONTAINER_RUNNING || s == CONTAINER_PAUSED || s == CONTAINER_RESTARTING;
}

/* Copies what never changes out of config and host_config, once they are there. */
void container_settle_constants(struct container *c);
struct container *container_new(struct engine *e, const char *id);
struct container *container_ref(struct container *c);
struct container *container_unref(struct container *c);
DEFINE_CLEANUP_PTR(struct container, container_unref)
#define _cleanup_container_ _cleanup_(container_unref_p)

/* A copy of what changes, with references of its own. */
struct container_snapshot {
    char *name;
    json_t *config, *host_config, *network_config, *mounts, *endpoints;
    struct container_state state;
    unsigned restart_count;
};
void container_snapshot(struct container *c, struct container_snapshot *ret);
/* The present HostConfig, a new reference: for those who don't hold c->operation, since an update replaces it. */
json_t *container_host_config(struct container *c);
void container_snapshot_finish(struct container_snapshot *s);
#define _cleanup_snapshot_ _cleanup_(container_snapshot_finish)

/* The record: a new object, and the way back (NULL: it is damaged). */
json_t *container_to_json(struct container *c);
struct container *container_from_json(struct engine *e, const char *id, const char *name,
                                      const json_t *record, struct err *err);
/* Writes the record. What insert and keep wrote is on disk when they return (unless the container is one that removes
 * itself); save is for what a power cut may take back. */
int container_insert(struct container *c, struct err *err);
int container_save(struct container *c, struct err *err);
int container_keep(struct container *c, struct err *err);

/* RUN/containers/<id> and DATA/containers/<id>, with `file` below (NULL: the directory). The caller frees. */
char *container_run_path(const struct container *c, const char *file);
char *container_data_path(const struct container *c, const char *file);
/* "/keg/<id>", or below the parent that the container asked for. */
char *container_cgroup_path(struct container *c);
char *container_log_path(const struct container *c);

/* Bytes of its writable layer, and of all its layers. Walks a tree: not quick. */
void container_sizes(struct engine *e, const struct container *c, int64_t *ret_own, int64_t *ret_total);

/* Makes anew, empty, what its layers lack (check_containers.c). The operation is held, and it doesn't run. */
int container_mend(struct container *c, struct err *err);

/* After a failure: whether the container is being removed, or was, which explains it. Then err says so (ERR_CONFLICT,
 * ERR_NOT_FOUND with the ref that was asked for). Returns -1. */
int container_failed(struct container *c, const char *ref, struct err *err);

/* An event about the container: its labels, image and name, and the pairs given (key, value, …, NULL). */
void container_event(struct container *c, const char *action, ...) __attribute__((sentinel));
/* … that happened at another time (ns). */
void container_event_at(struct container *c, int64_t time, const char *action, ...) __attribute__((sentinel));

/* ---- the table ---- */

struct containers *containers_new(void);
struct containers *containers_free(struct containers *t);
/* The name is taken from here on. ERR_CONFLICT with Docker's words. The table holds a reference. */
int containers_add(struct engine *e, struct container *c, struct err *err);
/* Creation is over: from here on it is found and listed. */
void containers_show(struct engine *e, struct container *c);
void containers_remove(struct engine *e, struct container *c);
/* Changes the name in the table and the container. ERR_CONFLICT. */
int containers_rename(struct engine *e, struct container *c, const char *name, struct err *err);
/* By id, name or prefix: a new reference. NULL and ERR_NOT_FOUND "No such container: x", or ERR_INVALID for a
 * prefix of several. Containers that are still being created aren't there yet. */
struct container *containers_find(struct engine *e, const char *ref, struct err *err);
/* All of them: an array of references, NULL-terminated, newest first. containers_list_free() gives them back.
 */
struct container **containers_list(struct engine *e, size_t *ret_count);
/* With those that are still being created. */
struct container **containers_list_all(struct engine *e);
void containers_list_free(struct container **list);
static inline void containers_list_free_p(struct container ***list)
{
    containers_list_free(*list);
}

/* ---- names.c ---- */

/* An adjective and a brewer's noun, "amber_lager"; attempt > 0 adds digits. The caller frees. */
char *container_random_name(unsigned attempt);
/* [a-zA-Z0-9][a-zA-Z0-9_.-]+ after an optional "/". ERR_INVALID with Docker's words. *ret: without "/". */
int container_check_name(const char *name, const char **ret, struct err *err);

/* ---- wait.c ---- */

enum container_moment {
    MOMENT_EXITED,     /* and stays so */
    MOMENT_RESTARTING, /* an end, but its restart policy brings it back */
    MOMENT_REMOVED,
};
/* Lets those who wait go; removal lets everybody go. error: a text for the "Error" member, or NULL. */
void container_notify(struct container *c, enum container_moment moment, const char *error);
void container_wait_free(struct engine_wait *w);
/* For its end, and not for one that its restart policy follows up. Freed with container_wait_free(). */
struct engine_wait *container_wait_end(struct container *c, struct err *err);
/* Readable once the wait is over. */
int container_wait_fd(const struct engine_wait *w);

#endif
