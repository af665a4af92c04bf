/* The process of a running container, as /proc shows it. */
#ifndef KEG_ENGINE_PROC_H
#define KEG_ENGINE_PROC_H

#include "engine/container.h"

/* Opens /proc/PID of the container's first process (O_PATH): what is opened below it is that process's or nothing, for it
 * was looked at whether it is in the container's cgroup. -ESRCH: it doesn't run, or just ended. */
int container_proc_open(const struct container *c, int pid);

#endif
