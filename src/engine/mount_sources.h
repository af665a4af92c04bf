/* Sources of mounts that aren't just a path: a part of a volume, an image. They are mounted below RUN/containers/<id> for
 * the time of a start, so that what users of the volume do to symlinks in between leads nowhere else. */
#ifndef KEG_ENGINE_MOUNT_SOURCES_H
#define KEG_ENGINE_MOUNT_SOURCES_H

#include "engine/container.h"

struct mount_sources {
    json_t *mounts; /* the container's, with sources that the runtime can open while this struct lives */
    char **places;  /* in the order in which they were mounted */
};

/* Whether there is any among a container's mounts. */
bool mount_sources_needed(const struct container *c);
/* RUN/containers/<id> is there. ERR_NOT_FOUND for a subpath that isn't there. */
int mount_sources_open(struct container *c, struct mount_sources *ret, struct err *err);
/* The container has its own copies by now, or never will. */
void mount_sources_finish(struct mount_sources *s);
/* What a kegd that was killed in between left. Before RUN/containers/<id> is removed. */
void mount_sources_sweep(struct container *c);

#endif
