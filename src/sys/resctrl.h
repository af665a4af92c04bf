/* Intel's Resource Director Technology by way of the resctrl filesystem: shares of the last level cache and of memory
 * bandwidth. Source: the kernel's resctrl.rst, OCI config-linux.md, "IntelRdt". */
#ifndef KEG_SYS_RESCTRL_H
#define KEG_SYS_RESCTRL_H

#include <sys/types.h>

#include "base/err.h"

/* Writes schemata ("L3:0=f;1=f0", "MB:0=70"; NULL or "": none) into the group of that name, which is made, with `pid` in it,
 * where it is missing. Does nothing when neither is given. ERR_NOT_IMPLEMENTED when the machine or the kernel has no such
 * control, or /sys/fs/resctrl isn't mounted; ERR_INVALID with the kernel's own words for a schema it refuses. */
int resctrl_set(const char *group, const char *l3_schema, const char *bandwidth_schema, pid_t pid,
                struct err *err);
/* One line into the schemata of a group's directory; `root` is the filesystem's. ERR_INVALID as above. */
int resctrl_write_schema(int root, int directory, const char *schema, struct err *err);

#endif
