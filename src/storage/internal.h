/* What the files of src/storage share. */
#ifndef KEG_STORAGE_INTERNAL_H
#define KEG_STORAGE_INTERNAL_H

#include <dirent.h>
#include <pthread.h>

#include "base/hash.h"
#include "storage/driver.h"
#include "storage/storage.h"
#include "storage/trash.h"
#include "storage/worker/protocol.h"

/* ---- The store ---- */

struct storage {
    char *layers, *containers; /* absolute paths */
    int layers_fd, containers_fd;
    char *worker;        /* keg-layer */
    struct trash *trash; /* of `layers` */
    const struct storage_driver *driver;
    char **status;
    int64_t default_size, smallest_size; /* of containers; 0: no limit */

    pthread_mutex_t lock; /* over the index, and over names appearing in and vanishing from `layers` */
    struct storage_layer *index;
    size_t n_layers;
    struct storage_stage *stages; /* those there are: the list of what .staging- names are in use */
};

#define STAGING_PREFIX ".staging-"
#define TRASH_PREFIX   ".trash-"
#define MAKING_PREFIX  ".making-" /* what will stand beside a layer's tree */
#define EMPTY_DIRS     ".empty"   /* two empty directories, "1" and "2": overlay wants at least two layers */
#define SCRATCH_DIR    ".scratch" /* stands for the layer below containers of an empty image */

#define FLAT_TREE "flat"

enum {
    NAME_SIZE = 80,
    STACK_MAX = 200, /* with COMMIT_MAX stages on top it fits; and their paths into one packet to a monitor */
    COMMIT_MAX = 100,
};

/* A new name with that prefix. */
void storage_random_name(char ret[NAME_SIZE], const char *prefix);
/* Removes the entry `name` of DATA/layers in the background. */
void storage_trash_add(struct storage *s, const char *name);
/* The hexadecimal part of a digest; NULL with ERR_INVALID when it isn't one. */
const char *storage_digest_hex(const char *digest, struct err *err);

/* ---- The index of layers (layer.c); the lock is held ---- */

struct storage_layer *layer_find(struct storage *s, const char *chain_id);
void layer_index_add(struct storage *s, const struct storage_layer *layer);
/* A layer has another tree now: what was derived from it and from those that stand on it goes. The lock isn't held. */
void layer_forget_derived(struct storage *s, const char *chain_id);
/* DATA/layers, to be read; closedir() it. NULL with err set. */
DIR *layers_list(struct storage *s, struct err *err);
/* Reads DATA/layers into the index. */
int layer_load_all(struct storage *s, struct err *err);
/* Appends two empty trees to a stack, so that it can be mounted read-only whatever is in it. */
void layer_add_empty(struct storage *s, char ***paths);

/* ---- Trees of layers (layer.c); the lock isn't held ---- */

/* The name below DATA/layers of what containers on the image layer `top` ("" or NULL: none) stand on. */
const char *storage_base_name(const char *top);
/* Copies of the layers from chain_id down, topmost first, which the caller frees. */
int layer_stack(struct storage *s, const char *chain_id, struct storage_layer **ret, size_t *ret_n,
                struct err *err);
/* The directory LAYER/diff of one layer, shown; the caller frees. NULL on failure. */
char *layer_path(struct storage *s, const struct storage_layer *layer, struct err *err);
/* The directories of a stack's trees, topmost first, appended to *paths; chain_id "" is no layer. The kernel merges no more
 * than 500: from STACK_MAX on, the lower ones are one tree that has been merged before (LAYER/flat). */
int layer_stack_paths(struct storage *s, const char *chain_id, char ***paths, struct err *err);

/* The image layer that a container stands on; "": none. ERR_NOT_FOUND. */
int storage_container_top(struct storage *s, const char *id, char ret[STORAGE_DIGEST_SIZE], struct err *err);

/* ---- The worker (worker.c) ---- */

struct worker {
    pid_t pid; /* 0: none */
    int report;
    struct worker_shared *shared; /* NULL: none */
};

struct worker_spec {
    const char *verb;
    struct storage_limits limits;           /* all set */
    int input, output, tree, pending, work; /* -EBADF: not given */
    enum worker_store store;                /* of unpack: what becomes of the input */
    const int *lower;
    size_t n_lower;
};
#define WORKER_SPEC_INIT(v)                                                                                  \
    {                                                                                                        \
        .verb = (v), .input = -EBADF, .output = -EBADF, .tree = -EBADF, .pending = -EBADF, .work = -EBADF    \
    }

int worker_spawn(struct storage *s, const struct worker_spec *spec, struct worker *ret, struct err *err);
/* Waits until the worker has ended, but leaves it a zombie, so that its pid stays its own. */
void worker_await(struct worker *w);
/* Reaps the worker and gives its report. -1 with the worker's own error, or with what became of it. */
int worker_finish(struct worker *w, struct worker_report *ret, struct err *err);
/* spawn, await, finish. */
int worker_run(struct storage *s, const struct worker_spec *spec, struct worker_report *ret, struct err *err);

/* Opens directories by path into a new array. -1 closes what was opened. */
int open_dirs(char *const *paths, int **ret, size_t *ret_n, struct err *err);
void close_dirs(int *fds, size_t n);

/* What a packing worker says, for the caller (NULL: nothing). */
void pack_take_result(const struct worker_report *report, struct storage_pack_result *ret);
/* Writes the tree `name` in `dir`, in overlay's form, as an OCI layer tar. */
int pack_directory(struct storage *s, int dir, const char *name, int out, struct storage_pack_result *ret,
                   struct err *err);

/* ---- Stages (unpack.c, commit.c) ---- */

struct storage_stage {
    struct storage *storage;
    struct storage_stage *next; /* storage->stages, under its lock */
    char name[NAME_SIZE];
    struct storage_unpack_result result;
    int64_t pending, pending_links; /* rows in the file "pending" */
    bool root_described;
    int sync; /* the store's directory, opened before the stage's first byte was written: syncfs() tells it of every
                    * write error since, whoever else has heard of it */
    uint64_t born; /* stages in the order of their making */
};

/* Does for a stage what it needs of the layer below, before anybody may look into it. */
int stage_settle(struct storage *s, struct storage_stage *stage, const char *parent, struct err *err);
/* Gives it the driver's form, writes layer.json and brings everything to the disk. */
int stage_finish(struct storage *s, struct storage_stage *stage, struct storage_layer *layer,
                 struct err *err);
/* Whether a name below DATA/layers is a stage's that somebody works on. The lock is held. */
bool stage_is_live(const struct storage *s, const char *name);

#endif
