/* Storage drivers: in which form layers are kept, and what a container's root filesystem is made of.
 *
 * A layer is always unpacked, settled and synced as a directory tree in overlay's form (char 0:0 for what is
 * removed, trusted.overlay.opaque), LAYER/diff. That tree stays what a layer is, whichever the driver: it is packed,
 * exported and looked into through LAYER/diff. A driver may keep it in another form as long as it shows it there
 * (erofs: an image that is mounted), and may derive more from it (btrfs: LAYER/tree, a subvolume of the merged tree).
 *
 * With any driver, a layer that carries hundreds of others has LAYER/flat too, when it was needed: the merged tree up to it,
 * since the kernel merges no more than 500 (layer.c).
 *
 * Containers are of two kinds:
 *   layered  CONTAINER/upper and CONTAINER/work, an overlay over the layers, which the runtime mounts
 *   whole    CONTAINER/root, one tree of its own that holds everything
 * What a whole one has changed is found by comparing it with what it was made of.
 *
 *     driver   layers are                containers are
 *     overlay  directories               layered
 *     vfs      directories               whole: a copy
 *     btrfs    directories, subvolumes   whole: a snapshot
 *     erofs    EROFS images              layered
 *
 * To add one: a file driver_<name>.c with a struct storage_driver, a row in driver.c, a line here and in
 * docs/kegd.md; tests/system/drivers.bats runs the same cases against each row. */
#ifndef KEG_STORAGE_DRIVER_H
#define KEG_STORAGE_DRIVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"

struct storage;
struct storage_layer;

struct storage_driver {
    const char *name;         /* what docker info shows, and DATA/layers/.driver says */
    const char *const *names; /* what --storage-driver takes; NULL-ended */

    /* Whether it works on this data root: ERR_INVALID with what is missing, and the remedy. */
    int (*probe)(struct storage *s, struct err *err);
    /* Appends docker info's rows, name and value, to *rows. */
    void (*status)(const struct storage *s, char ***rows);

    /* ---- Layers. Any may be NULL: the layer is the directory LAYER/diff and nothing else. ---- */

    /* The file below LAYER/ that holds the layer, for a look whether it is there. */
    const char *layer_file;
    /* Gives a whole, settled stage (the directory `stage` below DATA/layers) the form that layers are kept in, before
     * the sync that makes it one. May add to what is said of the layer. */
    int (*layer_seal)(struct storage *s, const char *stage, struct storage_layer *layer, struct err *err);
    /* Makes LAYER/diff show the layer's tree, if it doesn't yet. From any thread. */
    int (*layer_show)(struct storage *s, const struct storage_layer *layer, struct err *err);
    /* The opposite, before the directory `name` below DATA/layers is removed, or the store closed. */
    void (*layer_hide)(struct storage *s, const char *name);
    /* Whether what is stored is what was made, besides what a look at the tree finds. -1 with what is wrong. */
    int (*layer_verify)(struct storage *s, const struct storage_layer *layer, struct err *err);
    /* Removes `name` below dirfd, as tree_remove_until() does, which NULL stands for. */
    int (*remove)(int dirfd, const char *name, const atomic_bool *stop);

    /* ---- Containers. NULL: layered. ---- */

    /* Makes `root` in the container's directory `dir`, on the image layer `top` ("": none), init layer included. */
    int (*root_make)(struct storage *s, int dir, const char *top, struct err *err);
    /* What such a root was made of, topmost first, appended to *paths: one plain tree, or layers in overlay's form.
     * NULL: the init layer and the image's. */
    int (*root_origin)(struct storage *s, const char *top, char ***paths, struct err *err);
    /* Limits what a container whose layer is new may take: the directory `dir` is its own. NULL: it can't. */
    int (*limit)(int dir, int64_t bytes, struct err *err);
};

extern const struct storage_driver overlay_driver, vfs_driver, btrfs_driver, erofs_driver;

/* By one of its names. NULL with ERR_INVALID. */
const struct storage_driver *driver_find(const char *name, struct err *err);
/* The driver for a store that is being opened, its directories made: the one it is used with, else the one named (NULL:
 * overlay), which is then recorded. ERR_CONFLICT when the store is used with another one; ERR_INVALID. */
const struct storage_driver *driver_choose(struct storage *s, const char *name, struct err *err);

/* `limit` of layered containers: by project quotas, of `upper` and `work`. */
int driver_limit_layered(int dir, int64_t bytes, struct err *err);

/* Removes `name` below dirfd as the driver has to. 0 or -errno. */
int driver_remove(const struct storage_driver *driver, int dirfd, const char *name, const atomic_bool *stop);

/* The type of a file system as docker info names it ("extfs"). */
const char *filesystem_name(int fd);
/* Whether directories can be in overlay's form on the data root: device nodes 0:0 and trusted.overlay.opaque. 0 or
 * -errno. */
int driver_probe_overlay_form(struct storage *s);

#endif
