/* A container's mounts: from what users state to Docker's MountPoint objects (see oci_mounts.c for the member
 * that is ours), with the volumes behind them. */
#ifndef KEG_ENGINE_MOUNTS_H
#define KEG_ENGINE_MOUNTS_H

#include "engine/container.h"

struct storage_rootfs;

/* Resolves VolumesFrom, Binds, Mounts and Config.Volumes; makes volumes that don't exist, fills new ones from
 * the image. Sets c->mounts; hints go to warnings. On failure what was made so far hangs on c->mounts too, for mounts_release(). */
int mounts_prepare(struct container *c, const struct storage_rootfs *rootfs, json_t *warnings,
                   struct err *err);
/* The container no longer uses its volumes; `anonymous` removes those that only it had. */
void mounts_release(struct container *c, bool anonymous);
/* The container doesn't run any more: what is mounted in volumes for it may go. */
void mounts_ended(struct container *c);
/* Tells the volumes who uses them: at start-up, for a container from the database. */
void mounts_claim(struct container *c);
/* Before a start: makes missing host directories of -v, ERR_INVALID for a bind whose source is gone. */
int mounts_check_sources(const json_t *mounts, struct err *err);
/* propagation.c: ERR_INVALID with Docker's words for a shared or slave bind of what isn't shared on the host. */
int mounts_check_propagation(const json_t *m, struct err *err);
/* As inspect shows them: without our member. A new array. */
json_t *mounts_shown(const json_t *mounts);

#endif
