/* An overlay mount, detached. */
#ifndef KEG_STORAGE_WORKER_OVERLAY_H
#define KEG_STORAGE_WORKER_OVERLAY_H

#include <stddef.h>

#include "base/err.h"

/* Mounts `lower` (directories, topmost first) as one tree: read-only, or with upper >= 0 writable there, with
 * `work`. Needs a private mount namespace and CAP_SYS_ADMIN. A descriptor of the mount or -1. */
int overlay_mount(const int *lower, size_t n, int upper, int work, struct err *err);

#endif
