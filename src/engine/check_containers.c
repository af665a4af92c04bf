/* Containers and volumes: rows without directories, directories without rows. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/check_internal.h"
#include "engine/container.h"
#include "engine/validate_parts.h"
#include "engine/volumes.h"
#include "storage/storage.h"
#include "volume/volume.h"

enum { LEAVING_US = 10000, LEAVING_TRIES = 1000 };

/* ---- those in the way ---- */

static bool stands_on(struct engine *e, const struct container *c, const char *chain_id)
{
    const json_t *item;
    bool found = false;
    size_t i;

    engine_images_lock(e);
    json_array_foreach (json_object_get(json_object_get(e->images->rows, c->image_id), "Layers"), i, item)
        found = found || str_eq(json_string_value(item), chain_id);
    engine_images_unlock(e);
    return found;
}

int check_hold(struct engine *e, const char *chain_id, struct container ***ret, struct err *err)
{
    struct container **list = containers_list_all(e), **to = list;
    int r = 0;

    for (struct container **c = list; *c; c++) {
        bool runs;

        if (r < 0 || !stands_on(e, *c, chain_id) || pthread_mutex_trylock(&(*c)->operation) != 0) {
            if (r == 0 && stands_on(e, *c, chain_id))
                r = err_set(err, ERR_CONFLICT, "container %s is being started or stopped: repair again",
                            (*c)->name);
            container_unref(*c);
            continue;
        }
        pthread_mutex_lock(&(*c)->lock);
        runs = container_status_runs((*c)->state.status) || (*c)->state.starting;
        pthread_mutex_unlock(&(*c)->lock);
        if (runs)
            r = err_set(err, ERR_CONFLICT, "container %s runs on it: stop it and repair again", (*c)->name);
        *to++ = *c;
    }
    *to = NULL;
    if (r == 0)
        *ret = list;
    else
        check_release(list);
    return r;
}

void check_release(struct container **held)
{
    for (struct container **c = held; c && *c; c++)
        pthread_mutex_unlock(&(*c)->operation);
    if (held)
        containers_list_free(held);
}

/* ---- containers ---- */

static char *top_layer(struct engine *e, const char *image_id)
{
    const json_t *row, *layers;
    char *top = NULL;

    engine_images_lock(e);
    row = json_object_get(e->images->rows, image_id);
    layers = json_object_get(row, "Layers");
    if (row)
        top = xstrdup(json_array_size(layers)
                          ? json_string_value(json_array_get(layers, json_array_size(layers) - 1))
                          : "");
    engine_images_unlock(e);
    return top;
}

int container_mend(struct container *c, struct err *err)
{
    _cleanup_free_ char *top = top_layer(c->engine, c->image_id);

    if (!top)
        return err_set(err, ERR_NOT_FOUND, "its image %s isn't here any more", c->image_id);
    if (storage_container_mend(c->engine->storage, c->id, top, err) < 0)
        return -1;
    return storage_container_limit(c->engine->storage, c->id, validate_storage_size(c->host_config), err);
}

static void check_container(struct check *x, struct container *c)
{
    _cleanup_free_ char *name = NULL;
    struct err why = {0}, failure = {0};
    json_t *finding;
    int r = -1;

    /* one that is being made, started or removed is whole before or after that */
    if (pthread_mutex_trylock(&c->operation) != 0)
        return;
    x->counts[COUNT_CONTAINERS]++;
    pthread_mutex_lock(&c->lock);
    name = xstrdup(c->name);
    pthread_mutex_unlock(&c->lock);
    if (!c->gone && !c->removing && storage_container_probe(x->e->storage, c->id, &why) < 0) {
        finding = check_found(x, "container", "missing", c->id, name, &why);
        if (container_status_runs(c->state.status))
            err_set(&failure, ERR_CONFLICT, "it runs: stop it and repair again");
        else
            r = x->o->repair ? container_mend(c, &failure) : -1;
        if (x->o->repair)
            check_repaired(finding, r, &failure);
    }
    pthread_mutex_unlock(&c->operation);
}

static bool has_row(struct engine *e, const char *id)
{
    _cleanup_(containers_list_free_p) struct container **list = containers_list_all(e);

    for (struct container **c = list; *c; c++)
        if (str_eq((*c)->id, id))
            return true;
    return false;
}

/* The names in DATA/containers that no container has: they are made after its entry in the table. NULL with err. */
static DIR *list_strangers(struct check *x, const char *path, char ***ret, struct err *err)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir) {
        err_errno(err, errno, "cannot list %s", path);
        return NULL;
    }
    while ((entry = readdir(dir)))
        if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, "..") && !has_row(x->e, entry->d_name))
            strv_push(ret, entry->d_name);
    return dir;
}

/* Until every container of --rm that was on its way out by now has gone. False: there is always one. */
static bool wait_for_leaving(const struct engine *e)
{
    for (int i = 0; e->leaving > 0; i++) {
        if (i == LEAVING_TRIES || e->closing)
            return false;
        usleep(LEAVING_US);
    }
    return true;
}

static void found_directory(struct check *x, int dir, const char *id)
{
    _cleanup_free_ char *name = xasprintf("containers/%s", id);
    json_t *finding = check_found(x, "directory", "orphaned", name, NULL, NULL);
    struct err why = {0};
    int r;

    if (!x->o->repair)
        return;
    (void)storage_container_remove(x->e->storage, id, NULL);
    r = path_remove_all(dir, id);
    if (r < 0)
        err_errno(&why, r, "cannot remove it");
    check_repaired(finding, r, &why);
}

static int check_container_directories(struct check *x, struct err *err)
{
    _cleanup_free_ char *path = path_join(x->e->options.data_root, "containers");
    _cleanup_strv_ char **strangers = NULL;
    DIR *dir = list_strangers(x, path, &strangers, err);

    if (!dir)
        return -1;
    if (strangers && wait_for_leaving(x->e))
        for (char **id = strangers; *id; id++)
            if (faccessat(dirfd(dir), *id, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                found_directory(x, dirfd(dir), *id);
    closedir(dir);
    return 0;
}

int check_containers(struct check *x, struct err *err)
{
    _cleanup_(containers_list_free_p) struct container **list = containers_list(x->e, NULL);

    for (struct container **c = list; *c; c++)
        check_container(x, *c);
    return check_container_directories(x, err);
}

/* ---- volumes ---- */

/* They are people's: a lost one isn't made anew as if nothing had happened, and none is removed. */
static void check_volume(struct check *x, const char *name)
{
    _cleanup_free_ char *path = xasprintf("%s/volumes/%s/_data", x->e->options.data_root, name);
    struct err why = {0};
    struct stat st;

    x->counts[COUNT_VOLUMES]++;
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return;
    err_set(&why, ERR_NOT_FOUND, "%s is missing: put it back, or remove the volume", path);
    check_found(x, "volume", "missing", name, NULL, &why);
}

static bool is_volume(struct engine *e, const char *name)
{
    _cleanup_json_ json_t *volume = NULL;

    return engine_volume_inspect(e, name, &volume, NULL) == 0;
}

static void check_volume_directories(struct check *x, const json_t *known)
{
    _cleanup_free_ char *path = path_join(x->e->options.data_root, "volumes");
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        struct err why = {0};

        if (!volume_name_is_valid(entry->d_name) || json_object_get(known, entry->d_name) ||
            is_volume(x->e, entry->d_name))
            continue;
        err_set(&why, ERR_CONFLICT, "%s/%s may hold data: remove it, or \"keg volume create %s\" takes it up",
                path, entry->d_name, entry->d_name);
        check_found(x, "volume", "orphaned", entry->d_name, NULL, &why);
    }
    if (dir)
        closedir(dir);
}

int check_volumes(struct check *x, struct err *err)
{
    _cleanup_json_ json_t *list = NULL, *known = json_object();
    const json_t *volume;
    size_t i;

    if (engine_volume_list(x->e, NULL, &list, err) < 0)
        return -1;
    json_array_foreach (json_object_get(list, "Volumes"), i, volume) {
        const char *name = json_str_or(volume, "Name", "");

        json_object_set_new(known, name, json_true());
        check_volume(x, name);
    }
    check_volume_directories(x, known);
    return 0;
}
