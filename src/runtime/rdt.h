/* linux.intelRdt: a container's place in the resctrl filesystem, that is its share of the last level cache and of memory
 * bandwidth. Source: OCI config-linux.md, "IntelRdt"; the kernel's resctrl.rst. */
#ifndef KEG_RUNTIME_RDT_H
#define KEG_RUNTIME_RDT_H

#include <jansson.h>
#include <sys/types.h>

#include "base/err.h"

/* Checks the object (NULL: none). ERR_INVALID. */
int rdt_check(const json_t *rdt, struct err *err);
/* The group that the object names, or of the container's id: made or compared, and `pid` put into it; likewise its
 * monitoring group. `root` is the resctrl filesystem. On failure nothing new is left. */
int rdt_apply(int root, const json_t *rdt, const char *id, pid_t pid, struct err *err);
/* One more process. */
int rdt_join(int root, const json_t *rdt, const char *id, pid_t pid, struct err *err);
/* Removes what rdt_apply() made for this container alone; it must be empty. */
void rdt_remove(int root, const json_t *rdt, const char *id);
/* The filesystem, where it is mounted; ERR_NOT_IMPLEMENTED where not. */
int rdt_open(struct err *err);

#endif
