/* Removing a container. Its record says so first, so that a removal that was cut short is finished at the next start;
 * the record goes last. With containers that remove themselves it goes first. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/attach.h"
#include "engine/copies.h"
#include "engine/exec.h"
#include "engine/links.h"
#include "engine/monitors.h"
#include "engine/mount_sources.h"
#include "engine/mounts.h"
#include "engine/namespaces.h"
#include "storage/storage.h"

static void set_removing(struct container *c, bool removing)
{
    pthread_mutex_lock(&c->lock);
    c->removing = removing;
    pthread_mutex_unlock(&c->lock);
}

static int remove_places(struct container *c, struct err *err)
{
    _cleanup_free_ char *data = container_data_path(c, NULL), *run = container_run_path(c, NULL);
    namespaces_release(c);
    mount_sources_sweep(c);
    if (storage_container_remove(c->engine->storage, c->id, err) < 0)
        return -1;
    int r = path_remove_all(AT_FDCWD, data);
    if (r < 0)
        return err_errno(err, r, "remove %s", data);
    path_remove_all(AT_FDCWD, run);
    return 0;
}

/* From here on nobody finds it. */
static int forget(struct container *c, bool anonymous_volumes, struct err *err)
{
    struct engine *e = c->engine;
    container_drop_pending(c);
    execs_forget(c);
    mounts_release(c, anonymous_volumes);
    int r = db_delete(e->db, DB_CONTAINERS, c->id, c->auto_remove ? DB_LAZY : DB_SYNCED, err);
    if (r < 0 && !c->auto_remove)
        return -1; /* a full disk: it is there until the record has gone */
    containers_remove(e, c);
    container_event(c, "destroy", NULL);
    container_notify(c, MOMENT_REMOVED, NULL);
    return r;
}

/* One that removes itself was never promised to be kept: who waits for it needn't wait for its files. Should kegd die
 * in between, they are swept at the next start, as they have no record. */
static int remove_itself(struct container *c, bool anonymous_volumes, struct err *err)
{
    struct err why = {0};
    int forgotten = forget(c, anonymous_volumes, &why);
    if (remove_places(c, err) < 0)
        return -1;
    if (forgotten < 0) /* the disk was full; now there is room */
        return db_delete(c->engine->db, DB_CONTAINERS, c->id, DB_LAZY, err);
    return 0;
}

int container_remove_locked(struct container *c, bool anonymous_volumes, struct err *err)
{
    set_removing(c, true);
    container_end_writer(c, /* patiently= */ false);
    if (c->auto_remove) {
        c->engine->leaving++;
        int r = remove_itself(c, anonymous_volumes, err);
        c->engine->leaving--;
        return r;
    }
    container_save(c, NULL); /* only a precaution: on a full disk removing is what helps */
    if (remove_places(c, err) < 0 || forget(c, anonymous_volumes, err) < 0) {
        set_removing(c, false);
        container_notify(c, MOMENT_EXITED, err ? err->message : NULL);
        return err_wrap(err, "cannot remove container \"%s\"", c->name);
    }
    return 0;
}

static int check_removable(struct container *c, bool force, struct err *err)
{
    pthread_mutex_lock(&c->lock);
    enum container_status status = c->state.status;
    bool removing = c->removing;
    pthread_mutex_unlock(&c->lock);
    if (removing)
        return err_set(err, ERR_CONFLICT, "removal of container %s is already in progress", c->id);
    if (!container_status_runs(status) || force)
        return 0;
    return err_set(err, ERR_CONFLICT,
                   "cannot remove container \"%s\": container is %s: %sstop the container before "
                   "removing or force remove",
                   c->name, container_status_name(status),
                   status == CONTAINER_PAUSED ? "unpause and then " : "");
}

/* Kills and takes the operation with the container ended; it may have been started again in between. */
static int end_and_lock(struct container *c, struct err *err)
{
    for (;;) {
        pthread_mutex_lock(&c->operation);
        if (!container_status_runs(c->state.status))
            return 0;
        pthread_mutex_unlock(&c->operation);
        if (container_kill_and_wait(c, err) < 0)
            return -1;
    }
}

int engine_container_remove(struct engine *e, const char *ref, const struct engine_remove_options *o,
                            struct err *err)
{
    if (o->link)
        return links_remove(e, ref, err);
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    if (!c)
        return -1;
    if (check_removable(c, o->force, err) < 0)
        return -1;
    if (o->force ? end_and_lock(c, err) < 0 : pthread_mutex_lock(&c->operation) != 0)
        return -1;
    int r = 0;
    if (!c->gone) /* one that removes itself may have been quicker */
        r = check_removable(c, /* force= */ false, err);
    if (r == 0 && !c->gone)
        r = container_remove_locked(c, o->volumes || c->auto_remove, err);
    pthread_mutex_unlock(&c->operation);
    return r;
}

/* ---- prune ---- */

static bool prune_wants(struct container *c, const json_t *filters, int64_t until)
{
    pthread_mutex_lock(&c->lock);
    bool idle = !container_status_runs(c->state.status) && !c->removing && !c->state.starting;
    pthread_mutex_unlock(&c->lock);
    const json_t *labels = json_object_get(c->config, "Labels");
    if (!idle || (until && c->created > until) || !filters_match_labels(filters, "label", labels))
        return false;
    return !filters_has(filters, "label!") || !filters_match_labels(filters, "label!", labels);
}

int engine_container_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err)
{
    static const char *const allowed[] = {"until", "label", "label!", NULL};
    int64_t until = 0, space = 0;
    if (filters_check(filters, allowed, err) < 0)
        return -1;
    const char *text = filters_value(filters, "until", 0);
    if (text && filters_value(filters, "until", 1))
        return err_set(err, ERR_INVALID, "more than one until filter specified");
    if (text && clock_parse_since(text, clock_now(), &until) < 0)
        return err_set(err, ERR_INVALID, "invalid filter 'until=[%s]'", text);
    _cleanup_json_ json_t *deleted = json_array();
    _cleanup_(containers_list_free_p) struct container **list = containers_list(e, NULL);
    for (struct container **c = list; *c; c++) {
        const struct engine_remove_options plain = {.force = false};
        int64_t size = 0;
        if (!prune_wants(*c, filters, until))
            continue;
        storage_container_size(e->storage, (*c)->id, &size, NULL);
        if (engine_container_remove(e, (*c)->id, &plain, NULL) < 0)
            continue;
        space += size;
        json_array_append_new(deleted, json_string((*c)->id));
    }
    *ret = json_object();
    json_object_set(*ret, "ContainersDeleted", json_array_size(deleted) ? deleted : json_null());
    json_set_int(*ret, "SpaceReclaimed", space);
    events_add_prune(e->events, "container", space);
    return 0;
}
