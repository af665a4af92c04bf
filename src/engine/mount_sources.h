/* Sources of mounts that aren't just a path: a part of a volume, an image. They are mounted below RUN/containers/<id>, so that
 * what users of the volume do to symlinks meanwhile leads nowhere else, and stay as long as the container runs: its monitor
 * starts it again from them. */
#ifndef KEG_ENGINE_MOUNT_SOURCES_H
#define KEG_ENGINE_MOUNT_SOURCES_H

#include "engine/container.h"

struct mount_sources {
    json_t *mounts; /* the container's, with sources that the runtime can open */
    char **places;  /* in the order in which they were mounted */
};

/* RUN/containers/<id> is there. ERR_NOT_FOUND for a subpath that isn't there. */
int mount_sources_open(struct container *c, struct mount_sources *ret, struct err *err);
/* The container doesn't start: they go. */
void mount_sources_finish(struct mount_sources *s);
/* It runs: they stay. Frees what there is to free. */
void mount_sources_keep(struct mount_sources *s);
/* It has ended: its monitor has taken them away, or was killed. Before RUN/containers/<id> is removed. */
void mount_sources_sweep(struct container *c);

#endif
