/* Volumes: a directory and a row each, and who uses them. The table in memory is the database's. */
#include "engine/volumes.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/container.h"
#include "volume/volume.h"

#define ANONYMOUS_LABEL "com.docker.volume.anonymous"

struct engine_volumes {
    pthread_mutex_t lock; /* outside the database's */
    json_t *rows;         /* {name: {"CreatedAt" (ns),"Labels","Options","Removing" while it is}} */
    json_t *uses;         /* {name: {container id: true}} */
    json_t *holds;        /* {name: how many need its mount who aren't containers that run} */
};

/* ---- the table ---- */

static int volumes_load_row(void *arg, const char *key, const char *name _unused_, json_t *value)
{
    json_object_set(arg, key, value);
    return 0;
}

static bool volume_has_row(void *arg, const char *name)
{
    return json_object_get(arg, name) != NULL;
}

static int volume_drop(struct engine *e, const char *name, struct err *err);

/* Finishes what an earlier kegd began: removals, and directories that were made but not recorded. */
static void volumes_recover(struct engine *e)
{
    const char *name;
    json_t *row;
    void *next;
    struct err err = {0};

    json_object_foreach_safe (e->volumes->rows, next, name, row) {
        _cleanup_free_ char *copy = xstrdup(name);

        if (json_object_get(row, "Removing") && volume_drop(e, copy, &err) < 0)
            log_warn("%s", err.message);
    }
    volume_directories_sweep(e->options.data_root, volume_has_row, e->volumes->rows);
}

int engine_volumes_open(struct engine *e, struct err *err)
{
    struct engine_volumes *v = xcalloc(1, sizeof(*v));

    pthread_mutex_init(&v->lock, NULL);
    v->rows = json_object();
    v->uses = json_object();
    v->holds = json_object();
    e->volumes = v;
    if (db_each(e->db, DB_VOLUMES, volumes_load_row, v->rows, err) < 0)
        return err_wrap(err, "cannot read the volumes");
    volumes_recover(e);
    return 0;
}

void engine_volumes_close(struct engine *e)
{
    if (!e->volumes)
        return;
    json_decref(e->volumes->rows);
    json_decref(e->volumes->uses);
    json_decref(e->volumes->holds);
    pthread_mutex_destroy(&e->volumes->lock);
    free(e->volumes);
    e->volumes = NULL;
}

static char *volume_path(const struct engine *e, const char *name)
{
    return xasprintf("%s/volumes/%s/_data", e->options.data_root, name);
}

static json_t *volume_json(const struct engine *e, const char *name, const json_t *row)
{
    _cleanup_free_ char *path = volume_path(e, name);
    json_t *json = json_object(), *labels = json_object_get(row, "Labels"),
           *options = json_object_get(row, "Options");
    char created[CLOCK_TEXT_SIZE];

    clock_format(json_int_or(row, "CreatedAt", 0) / CLOCK_NS_PER_S * CLOCK_NS_PER_S, created);
    json_set_str(json, "CreatedAt", created);
    json_set_str(json, "Driver", "local");
    json_object_set(json, "Labels", labels ? labels : json_null());
    json_set_str(json, "Mountpoint", path);
    json_set_str(json, "Name", name);
    json_object_set(json, "Options", options ? options : json_null());
    json_set_str(json, "Scope", "local");
    return json;
}

static bool volume_is_used(const struct engine_volumes *v, const char *name)
{
    return json_object_size(json_object_get(v->uses, name)) > 0;
}

static bool volume_is_anonymous(const json_t *row)
{
    return json_object_get(json_object_get(row, "Labels"), ANONYMOUS_LABEL) != NULL;
}

static void volume_event(struct engine *e, const char *action, const char *name)
{
    _cleanup_json_ json_t *attributes = json_pack("{s:s}", "driver", "local");

    events_add(e->events, "volume", action, name, attributes);
}

static int volume_not_found(const char *name, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
}

/* ---- making one ---- */

static int volume_check_new(const char *name, const char *driver, const json_t *options, struct err *err)
{
    if (volume_name_check(name, err) < 0)
        return err_wrap(err, "create %s", name);
    if (!str_empty(driver) && !str_eq(driver, "local"))
        return err_set(err, ERR_NOT_FOUND,
                       "create %s: error looking up volume plugin %s: plugin \"%s\" not found", name, driver,
                       driver);
    return volume_local_check(options, err) < 0 ? err_wrap(err, "create %s", name) : 0;
}

/* With the lock held. */
static int volume_make(struct engine *e, const char *name, const json_t *options, const json_t *labels,
                       bool anonymous, struct err *err)
{
    _cleanup_free_ char *path = NULL;
    json_t *row, *all = labels ? json_deep_copy(labels) : NULL;

    if (anonymous) {
        if (!all)
            all = json_object();
        json_set_str(all, ANONYMOUS_LABEL, "");
    }
    row = json_object();
    json_set_int(row, "CreatedAt", clock_now());
    json_object_set_new(row, "Labels", all ? all : json_null());
    json_object_set_new(row, "Options", json_is_object(options) ? json_deep_copy(options) : json_null());
    if (volume_directory_create(e->options.data_root, name, !anonymous, &path, err) < 0 ||
        db_put(e->db, DB_VOLUMES, name, NULL, row, anonymous ? DB_LAZY : DB_SYNCED, err) < 0) {
        volume_directories_sweep(e->options.data_root, volume_has_row, e->volumes->rows);
        json_decref(row);
        return err_wrap(err, "create %s", name);
    }
    json_object_set_new(e->volumes->rows, name, row);
    volume_event(e, "create", name);
    return 0;
}

int engine_volume_ensure(struct engine *e, const char *name, const char *driver, const json_t *options,
                         const json_t *labels, struct engine_volume *ret, struct err *err)
{
    bool anonymous = str_empty(name), created = false;
    char random[65];
    int r;

    if (anonymous) {
        random_hex(random, 32);
        name = random;
    }
    if (labels && !json_is_object(labels))
        labels = NULL;
    r = volume_check_new(name, driver, options, err);
    if (r < 0)
        return -1;
    pthread_mutex_lock(&e->volumes->lock);
    if (!json_object_get(e->volumes->rows, name)) {
        r = volume_make(e, name, options, labels, anonymous, err);
        created = r == 0;
    }
    pthread_mutex_unlock(&e->volumes->lock);
    if (r == 0)
        *ret = (struct engine_volume){.name = xstrdup(name),
                                      .path = volume_path(e, name),
                                      .driver = xstrdup("local"),
                                      .created = created};
    return r;
}

void engine_volume_finish(struct engine_volume *v)
{
    free(v->name);
    free(v->path);
    free(v->driver);
    *v = (struct engine_volume){0};
}

int engine_volume_create(struct engine *e, const json_t *body, json_t **ret, struct err *err)
{
    _cleanup_engine_volume_ struct engine_volume v = {0};

    if (json_object_get(body, "ClusterVolumeSpec") &&
        !json_is_null(json_object_get(body, "ClusterVolumeSpec")))
        return err_set(err, ERR_NOT_IMPLEMENTED, "cluster volumes are not supported by keg");
    if (engine_volume_ensure(e, json_str(body, "Name"), json_str(body, "Driver"),
                             json_object_get(body, "DriverOpts"), json_object_get(body, "Labels"), &v,
                             err) < 0)
        return -1;
    return engine_volume_inspect(e, v.name, ret, err);
}

/* ---- use ---- */

void engine_volume_use(struct engine *e, const char *name, const char *container_id)
{
    json_t *users;

    if (str_empty(name))
        return;
    pthread_mutex_lock(&e->volumes->lock);
    users = json_object_get(e->volumes->uses, name);
    if (!users) {
        users = json_object();
        json_object_set_new(e->volumes->uses, name, users);
    }
    json_object_set_new(users, container_id, json_true());
    pthread_mutex_unlock(&e->volumes->lock);
}

void engine_volume_release(struct engine *e, const char *name, const char *container_id)
{
    json_t *users;

    if (str_empty(name))
        return;
    pthread_mutex_lock(&e->volumes->lock);
    users = json_object_get(e->volumes->uses, name);
    json_object_del(users, container_id);
    if (users && json_object_size(users) == 0)
        json_object_del(e->volumes->uses, name);
    pthread_mutex_unlock(&e->volumes->lock);
}

int engine_volume_users(struct engine *e, const char *name)
{
    int n;

    pthread_mutex_lock(&e->volumes->lock);
    n = (int)json_object_size(json_object_get(e->volumes->uses, name));
    pthread_mutex_unlock(&e->volumes->lock);
    return n;
}

/* ---- mounting ---- */

/* With the lock held. */
static void volume_count_hold(struct engine_volumes *v, const char *name, int more)
{
    int64_t holds = json_int_or(v->holds, name, 0) + more;

    if (holds > 0)
        json_set_int(v->holds, name, holds);
    else
        json_object_del(v->holds, name);
}

static int volume_mount(struct engine *e, const char *name, bool hold, struct err *err)
{
    _cleanup_free_ char *path = volume_path(e, name);
    int r;

    pthread_mutex_lock(&e->volumes->lock);
    r = volume_local_mount(json_object_get(json_object_get(e->volumes->rows, name), "Options"), path, err);
    if (r == 0 && hold)
        volume_count_hold(e->volumes, name, 1);
    pthread_mutex_unlock(&e->volumes->lock);
    return r < 0 ? err_wrap(err, "error while mounting volume '%s'", path) : 0;
}

int engine_volume_mount(struct engine *e, const char *name, struct err *err)
{
    return volume_mount(e, name, /* hold= */ false, err);
}

int engine_volume_hold(struct engine *e, const char *name, struct err *err)
{
    return volume_mount(e, name, /* hold= */ true, err);
}

void engine_volume_let_go(struct engine *e, const char *name)
{
    pthread_mutex_lock(&e->volumes->lock);
    volume_count_hold(e->volumes, name, -1);
    pthread_mutex_unlock(&e->volumes->lock);
    engine_volume_unmount_unused(e, name);
}

/* With the lock held, so that nobody who starts just now is overlooked: it says so before it mounts. */
static bool volume_runs(struct engine *e, const char *name)
{
    const char *id;
    json_t *ignored;

    json_object_foreach (json_object_get(e->volumes->uses, name), id, ignored) {
        _cleanup_container_ struct container *c = containers_find(e, id, NULL);
        bool runs = false;

        if (c) {
            pthread_mutex_lock(&c->lock);
            runs = c->state.starting || container_status_runs(c->state.status);
            pthread_mutex_unlock(&c->lock);
        }
        if (runs)
            return true;
    }
    return false;
}

void engine_volume_unmount_unused(struct engine *e, const char *name)
{
    _cleanup_free_ char *path = volume_path(e, name);
    struct err err = {0};

    pthread_mutex_lock(&e->volumes->lock);
    if (json_object_size(json_object_get(json_object_get(e->volumes->rows, name), "Options")) &&
        !json_object_get(e->volumes->holds, name) && !volume_runs(e, name) &&
        volume_local_unmount(path, &err) < 0)
        log_warn("volume %s: %s", name, err.message);
    pthread_mutex_unlock(&e->volumes->lock);
}

/* ---- removal ---- */

/* With the lock held. The row says so first and goes last, so that a removal that was cut short is finished by the next
 * kegd. */
static int volume_drop(struct engine *e, const char *name, struct err *err)
{
    json_t *row = json_object_get(e->volumes->rows, name);
    _cleanup_free_ char *path = volume_path(e, name);
    enum db_durability durability = volume_is_anonymous(row) ? DB_LAZY : DB_SYNCED;

    if (volume_local_unmount(path, err) < 0) /* what is mounted there isn't ours to remove */
        return err_wrap(err, "remove %s", name);
    json_set_bool(row, "Removing", true);
    if (db_put(e->db, DB_VOLUMES, name, NULL, row, durability, err) < 0 ||
        volume_directory_remove(e->options.data_root, name, err) < 0 ||
        db_delete(e->db, DB_VOLUMES, name, durability, err) < 0) {
        json_object_del(row, "Removing");
        /* They are told that it failed: what is in it by then no later kegd removes. */
        if (access(path, F_OK) == 0)
            (void)db_put(e->db, DB_VOLUMES, name, NULL, row, durability, NULL);
        return err_wrap(err, "remove %s", name);
    }
    json_object_del(e->volumes->rows, name);
    volume_event(e, "destroy", name);
    return 0;
}

static int volume_in_use(struct engine *e, const char *name, struct err *err)
{
    json_t *users = json_object_get(e->volumes->uses, name);
    const char *container = json_object_iter_key(json_object_iter(users));

    return err_set(err, ERR_CONFLICT, "remove %s: volume is in use - [%s]", name, container ? container : "");
}

int engine_volume_remove(struct engine *e, const char *name, bool force, struct err *err)
{
    int r = 0;

    pthread_mutex_lock(&e->volumes->lock);
    if (volume_is_used(e->volumes, name))
        r = volume_in_use(e, name, err);
    else if (json_object_get(e->volumes->rows, name))
        r = volume_drop(e, name, err);
    else if (!force)
        r = volume_not_found(name, err);
    pthread_mutex_unlock(&e->volumes->lock);
    return r;
}

void engine_volume_remove_anonymous(struct engine *e, const char *name)
{
    if (str_empty(name))
        return;
    pthread_mutex_lock(&e->volumes->lock);
    if (volume_is_anonymous(json_object_get(e->volumes->rows, name)) && !volume_is_used(e->volumes, name))
        volume_drop(e, name, NULL);
    pthread_mutex_unlock(&e->volumes->lock);
}

static bool volume_prunes(struct engine *e, const json_t *filters, bool all, const char *name,
                          const json_t *row)
{
    const json_t *labels = json_object_get(row, "Labels");

    return !volume_is_used(e->volumes, name) && (all || volume_is_anonymous(row)) &&
           filters_match_labels(filters, "label", labels) &&
           !(filters_has(filters, "label!") && filters_match_labels(filters, "label!", labels));
}

int engine_volume_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err)
{
    static const char *const allowed[] = {"all", "label", "label!", NULL};
    json_t *deleted, *row;
    const char *name;
    int64_t reclaimed = 0;
    bool all;
    void *next;
    int r = 0;

    if (filters_check(filters, allowed, err) < 0 || filters_bool(filters, "all", false, &all, err) < 0)
        return -1;
    deleted = json_array();
    pthread_mutex_lock(&e->volumes->lock);
    json_object_foreach_safe (e->volumes->rows, next, name, row) {
        _cleanup_free_ char *copy = xstrdup(name);
        int64_t size;

        if (!volume_prunes(e, filters, all, name, row))
            continue;
        size = volume_directory_size(e->options.data_root, copy);
        r = volume_drop(e, copy, err);
        if (r < 0)
            break;
        reclaimed += MAX_OF(size, 0);
        json_array_append_new(deleted, json_string(copy));
    }
    pthread_mutex_unlock(&e->volumes->lock);
    if (r == 0) {
        *ret = json_pack("{s:O, s:I}", "VolumesDeleted", deleted, "SpaceReclaimed", (json_int_t)reclaimed);
        events_add_prune(e->events, "volume", reclaimed);
    }
    json_decref(deleted);
    return r;
}

/* ---- looking ---- */

int engine_volume_list(struct engine *e, const json_t *filters, json_t **ret, struct err *err)
{
    static const char *const allowed[] = {"dangling", "driver", "label", "name", NULL};
    bool dangling, asked = filters_has(filters, "dangling");
    json_t *list, *row;
    const char *name;

    if (filters_check(filters, allowed, err) < 0 ||
        filters_bool(filters, "dangling", false, &dangling, err) < 0)
        return -1;
    list = json_array();
    pthread_mutex_lock(&e->volumes->lock);
    json_object_foreach (e->volumes->rows, name, row) {
        if ((!asked || volume_is_used(e->volumes, name) != dangling) &&
            filters_match_exact(filters, "driver", "local") && filters_match_text(filters, "name", name) &&
            filters_match_labels(filters, "label", json_object_get(row, "Labels")))
            json_array_append_new(list, volume_json(e, name, row));
    }
    pthread_mutex_unlock(&e->volumes->lock);
    *ret = json_pack("{s:o, s:n}", "Volumes", list, "Warnings");
    return 0;
}

int engine_volume_inspect(struct engine *e, const char *name, json_t **ret, struct err *err)
{
    const json_t *row;
    int r = 0;

    pthread_mutex_lock(&e->volumes->lock);
    row = json_object_get(e->volumes->rows, name);
    if (row)
        *ret = volume_json(e, name, row);
    else
        r = volume_not_found(name, err);
    pthread_mutex_unlock(&e->volumes->lock);
    return r;
}
