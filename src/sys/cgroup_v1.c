/* What only v1 hierarchies need: a cpuset without CPUs and memory nodes takes no process, and is born
 * without. */
#include "sys/cgroup_internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

enum { CPUSET_TEXT_MAX = 4096 };

static const char *const cpuset_files[] = {"cpuset.cpus", "cpuset.mems"};

static int cpuset_copy(int from, int to)
{
    for (size_t i = 0; i < ARRAY_SIZE(cpuset_files); i++) {
        char text[CPUSET_TEXT_MAX];
        ssize_t n = cgroup_read(to, cpuset_files[i], text, sizeof(text));
        if (n > 0)
            continue;
        if (n == 0)
            n = cgroup_read(from, cpuset_files[i], text, sizeof(text));
        int r = n < 0 ? (int)n : file_write_at(to, cpuset_files[i], text);
        if (r < 0)
            return r;
    }
    return 0;
}

int cgroup_v1_seed_cpuset(const struct cgroup_tree *tree, const char *rel, int fd)
{
    char text[CPUSET_TEXT_MAX];
    ssize_t n = cgroup_read(fd, "cpuset.mems", text, sizeof(text));
    if (n > 0) /* inherited (clone_children), or set before: both are filled together */
        return 0;
    if (n < 0)
        return (int)n;

    const char *slash = strrchr(rel, '/');
    if (!slash)
        return cpuset_copy(tree->fd, fd);
    _cleanup_free_ char *up = xstrndup(rel, (size_t)(slash - rel));
    _cleanup_close_ int parent = openat(tree->fd, up, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return -errno;
    int r = cgroup_v1_seed_cpuset(tree, up, parent);
    if (r < 0)
        return r;
    /* From now on children of this parent are born filled. */
    (void)file_write_at(parent, "cgroup.clone_children", "1");
    return cpuset_copy(parent, fd);
}
