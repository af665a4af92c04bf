/* An overlay mount, detached. */
#ifndef KEG_STORAGE_OVERLAY_H
#define KEG_STORAGE_OVERLAY_H

#include <stddef.h>

#include "base/err.h"

/* Mounts `lower` (directories, topmost first) as one tree: read-only, or with upper >= 0 writable there, with `work`:
 * what was written isn't synced when the mount ends. Read-only takes two at least. The directories have to be of this
 * mount namespace. Needs CAP_SYS_ADMIN. A descriptor of the mount or -1. */
int overlay_mount(const int *lower, size_t n, int upper, int work, struct err *err);

#endif
