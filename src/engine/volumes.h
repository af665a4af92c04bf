/* Volumes as the API sees them, and what containers need of them: DATA/volumes/<name>/_data and a row each.
 */
#ifndef KEG_ENGINE_VOLUMES_H
#define KEG_ENGINE_VOLUMES_H

#include <jansson.h>
#include <stdbool.h>

#include "engine/engine.h"

/* ---- for the rest of the engine ---- */

/* Called by engine_open(). */
int engine_volumes_open(struct engine *e, struct err *err);
void engine_volumes_close(struct engine *e);

/* What a container mounts. */
struct engine_volume {
    char *name;
    char *path;   /* DATA/volumes/<name>/_data */
    char *driver; /* "local" */
    bool created; /* by this call: empty, so the image's content is to be copied in */
};
void engine_volume_finish(struct engine_volume *v);
#define _cleanup_engine_volume_ _cleanup_(engine_volume_finish)

/* Finds the volume or makes it; name NULL or "": a new anonymous one (64 hexadecimal characters). driver
 * NULL: any, "local" for a new one. options and labels (objects or NULL) matter to a new one. ERR_INVALID for
 * a bad name, ERR_CONFLICT when it exists with another driver. */
int engine_volume_ensure(struct engine *e, const char *name, const char *driver, const json_t *options,
                         const json_t *labels, struct engine_volume *ret, struct err *err);
/* A container's record names the volume from here on (removal is ERR_CONFLICT), or no longer. Told at create,
 * at remove, and at start-up for every record. */
void engine_volume_use(struct engine *e, const char *name, const char *container_id);
void engine_volume_release(struct engine *e, const char *name, const char *container_id);
/* For volumes with options: mounts what they say, for a container that is being started. It stays until
 * engine_volume_unmount_unused() finds no container of it that runs, and nobody who holds it. */
int engine_volume_mount(struct engine *e, const char *name, struct err *err);
void engine_volume_unmount_unused(struct engine *e, const char *name);
/* The same for somebody else (a copy, one that fills it): mounted until as many have let go as held it. */
int engine_volume_hold(struct engine *e, const char *name, struct err *err);
void engine_volume_let_go(struct engine *e, const char *name);
/* How many containers use it. */
int engine_volume_users(struct engine *e, const char *name);
/* For `rm -v`: removes the volume if it is anonymous and nobody uses it any more. */
void engine_volume_remove_anonymous(struct engine *e, const char *name);

/* ---- for the API ---- */

/* filters: dangling, driver, label, name. ret: {"Volumes":[…],"Warnings":null}. */
int engine_volume_list(struct engine *e, const json_t *filters, json_t **ret, struct err *err);
int engine_volume_inspect(struct engine *e, const char *name, json_t **ret, struct err *err);
/* body: {"Name","Driver","DriverOpts","Labels"}; ret: as inspect. */
int engine_volume_create(struct engine *e, const json_t *body, json_t **ret, struct err *err);
int engine_volume_remove(struct engine *e, const char *name, bool force, struct err *err);
/* ret: {"VolumesDeleted","SpaceReclaimed"}. Anonymous ones only, unless the filter all=1. */
int engine_volume_prune(struct engine *e, const json_t *filters, json_t **ret, struct err *err);

#endif
