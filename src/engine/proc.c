/* The process of a running container, as /proc shows it. */
#include "engine/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"

enum { CGROUP_FILE_MAX = 64 * 1024 };

int container_proc_open(const struct container *c, int pid)
{
    _cleanup_(buf_finish) struct buf cgroups = BUF_INIT(CGROUP_FILE_MAX);
    _cleanup_close_ int dir = -EBADF;
    char path[32];

    snprintf(path, sizeof(path), "/proc/%d", pid);
    if (pid <= 0)
        return -ESRCH;
    dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || file_read(dir, "cgroup", &cgroups) < 0 || !strstr(buf_str(&cgroups), c->id))
        return -ESRCH;
    return take_fd(&dir);
}
