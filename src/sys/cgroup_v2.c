/* What only the unified hierarchy needs: a controller exists in a cgroup when its parent lists it in
 * cgroup.subtree_control, and a cgroup that lists any must hold no processes itself (the root is exempt).
 * Source: cgroup-v2.rst, "Enabling and Disabling" and "No Internal Process Constraint". */
#include "sys/cgroup_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* Moves every process of `dir` into a leaf below it. They may fork meanwhile: a few rounds. */
static int v2_vacate(int dir)
{
    if (mkdirat(dir, CGROUP_LEAF, 0755) < 0 && errno != EEXIST)
        return -errno;
    for (int round = 0; round < 5; round++) {
        _cleanup_(buf_finish) struct buf b = BUF_INIT(1 << 20);
        _cleanup_close_ int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return -errno;
        int r = fd_read_all(fd, &b);
        if (r < 0)
            return r;
        if (b.len == 0)
            return 0;
        _cleanup_strv_ char **pids = strv_split(buf_str(&b), '\n');
        for (size_t i = 0; pids[i]; i++)
            if (*pids[i] && (r = file_write_at(dir, CGROUP_LEAF "/cgroup.procs", pids[i])) < 0 && r != -ESRCH)
                return r;
    }
    return -EBUSY;
}

/* Enables the controllers in `bits` one by one: one that can't be doesn't hinder the others. What is missing
 * is reported when a setting needs it. Returns -EBUSY if processes are in the way. */
static int v2_enable_each(int dir, unsigned bits)
{
    int r = 0;
    for (unsigned bit = 1; bit <= CTL_MISC; bit <<= 1) {
        if (!(bits & bit))
            continue;
        char word[32];
        snprintf(word, sizeof(word), "+%s", cgroup_controller_name(bit));
        if (file_write_at(dir, "cgroup.subtree_control", word) == -EBUSY)
            r = -EBUSY;
    }
    return r;
}

/* The controllers that `dir` has and doesn't yet give to its children. */
static unsigned v2_to_enable(int dir)
{
    char text[256];
    if (cgroup_read(dir, "cgroup.controllers", text, sizeof(text)) <= 0)
        return 0;
    unsigned wanted = cgroup_controllers_from_text(text);
    if (cgroup_read(dir, "cgroup.subtree_control", text, sizeof(text)) < 0)
        return 0;
    return wanted & ~cgroup_controllers_from_text(text);
}

/* The root of all (which has no type) may hold processes and give controllers to its children. */
static bool v2_processes_are_in_the_way(int dir)
{
    char first[32];

    return faccessat(dir, "cgroup.type", F_OK, 0) == 0 &&
           cgroup_read(dir, "cgroup.procs", first, sizeof(first)) > 0;
}

/* Processes are moved first: enabling those controllers that tolerate them (cpu, pids) would make this a root of threads,
 * whose children no process can enter. Only those of our own cgroup are ours to move. */
static void v2_enable_children(const struct cgroup_tree *tree, const char *rel, int dir)
{
    _cleanup_free_ char *own = NULL;
    unsigned bits = v2_to_enable(dir);

    if (!bits)
        return;
    if (v2_processes_are_in_the_way(dir) &&
        (cgroup_own_path(tree, &own) < 0 || !str_eq(own, rel) || v2_vacate(dir) < 0))
        return;
    (void)v2_enable_each(dir, bits);
}

void cgroup_v2_enable(const struct cgroup_tree *tree, const char *rel, int fd)
{
    char text[256];
    if (!tree->controllers || cgroup_read(tree->fd, "cgroup.controllers", text, sizeof(text)) <= 0)
        return; /* hybrid: all controllers are v1's */
    unsigned offered = cgroup_controllers_from_text(text);
    if (cgroup_read(fd, "cgroup.controllers", text, sizeof(text)) >= 0 &&
        (cgroup_controllers_from_text(text) & offered) == offered)
        return; /* enabled down to here by an earlier container */
    v2_enable_children(tree, "", tree->fd);
    for (const char *slash = strchr(rel, '/'); slash; slash = strchr(slash + 1, '/')) {
        _cleanup_free_ char *up = xstrndup(rel, (size_t)(slash - rel));
        _cleanup_close_ int dir = openat(tree->fd, up, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
            return;
        v2_enable_children(tree, up, dir);
    }
}
