/* A place in the tree of a container, running or at rest: for what goes in and out of it (take.c, put.c).
 *
 * The process shuts itself in with the container's root as its own root; whatever the container does with its names
 * meanwhile, none leads anywhere else. Paths are opened below `root` by base/path.h. */
#ifndef KEG_STORAGE_WORKER_PLACE_H
#define KEG_STORAGE_WORKER_PLACE_H

#include "base/err.h"
#include "storage/worker/worker.h"

struct place {
    struct worker_place *order; /* as kegd gave it; lives as long as the process */
    const char *path, *name;    /* of it */
    int root;
};

/* Reads the order, makes or enters the tree, and gives up what isn't needed any more; sandbox_seal() is the caller's, when it
 * has made its threads. */
int place_enter(const struct worker_options *o, struct place *ret, struct err *err);

#endif
