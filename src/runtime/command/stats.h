/* Statistics of a container in the shape of runc's `events --stats`. */
#ifndef KEG_RUNTIME_COMMAND_STATS_H
#define KEG_RUNTIME_COMMAND_STATS_H

#include <jansson.h>

#include "base/err.h"

struct cgroup;

/* A new object: cpu, cpuset, memory, pids, blkio, hugetlb, intel_rdt, network_interfaces. Members that runc leaves out when
 * they are zero are left out. NULL on failure. */
json_t *stats_json(struct cgroup *cg, struct err *err);

#endif
