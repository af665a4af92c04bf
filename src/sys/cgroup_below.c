/* What lies below a container's cgroup: groups that processes of the container have made, and that it may make. */
#include "sys/cgroup_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

enum { DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW };

/* Whether `below` names nothing above where it starts. */
static int check_below(const char *below, struct err *err)
{
    _cleanup_strv_ char **part = strv_split(below, '/');

    for (size_t i = 0; part[i]; i++)
        if (str_eq(part[i], ".."))
            return err_set(err, ERR_INVALID, "--cgroup: %s is not a sub cgroup path", below);
    return 0;
}

static int open_below_in(struct cgroup *to, const struct cgroup *cg, size_t i, const char *below,
                         struct err *err)
{
    const struct cgroup_tree *tree = &cgroup_layout()->trees[i];
    _cleanup_free_ char *joined = path_join(cg->rel[i], below), *rel = path_clean(joined);

    free(to->rel[i]);
    to->rel[i] = take_ptr(&rel);
    close_fd(&to->fd[i]);
    to->fd[i] = openat(tree->fd, to->rel[i], DIRECTORY_FLAGS);
    if (to->fd[i] >= 0)
        return 0;
    if (errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND,
                       "adding pid to cgroup %s/%s/cgroup.procs: no such file or directory",
                       tree->info.mountpoint, to->rel[i]);
    return err_errno(err, errno, "open cgroup %s/%s", tree->info.mountpoint, to->rel[i]);
}

/* One specification: the controllers it names (0: every hierarchy) and the path behind them. */
static int parse_below(const char *text, unsigned *ret_controllers, const char **ret_below, struct err *err)
{
    const char *colon = strchr(text, ':');
    _cleanup_free_ char *names = colon ? xstrndup(text, (size_t)(colon - text)) : NULL;
    _cleanup_strv_ char **name = names ? strv_split(names, ',') : NULL;

    *ret_controllers = 0;
    *ret_below = colon ? colon + 1 : text;
    for (size_t i = 0; name && name[i]; i++) {
        unsigned bit = cgroup_controller_from_name(name[i], strlen(name[i]));

        if (!bit || !cgroup_has_controller(name[i]))
            return err_set(err, ERR_INVALID, "--cgroup: unknown controller %s", name[i]);
        *ret_controllers |= bit;
    }
    return check_below(*ret_below, err);
}

struct cgroup *cgroup_open_below(const struct cgroup *cg, char *const *specs, struct err *err)
{
    const struct cgroup_layout *l = cgroup_layout();
    _cleanup_(cgroup_free_p) struct cgroup *to = cgroup_new(cg->path);

    for (size_t i = 0; i < l->count; i++) {
        if (cg->fd[i] >= 0 && open_below_in(to, cg, i, "", err) < 0)
            return NULL;
    }
    for (; specs && *specs; specs++) {
        unsigned controllers;
        const char *below;

        if (parse_below(*specs, &controllers, &below, err) < 0)
            return NULL;
        for (size_t i = 0; i < l->count; i++)
            if (cg->fd[i] >= 0 && (!controllers || (l->trees[i].controllers & controllers)) &&
                open_below_in(to, cg, i, below, err) < 0)
                return NULL;
    }
    return take_ptr(&to);
}

/* The directory of cg in the hierarchy that its groups are in, borrowed: v2, which a process can be born in; else one that is
 * cheap to join. -EBADF without any. */
static int directory_of_groups(const struct cgroup *cg)
{
    int i = cgroup_tree_v2(cg);

    if (i < 0)
        i = cgroup_tree_of(cg, CTL_PIDS);
    for (int k = 0; i < 0 && k < CGROUP_TREES_MAX; k++)
        if (cg->fd[k] >= 0)
            i = k;
    return i < 0 ? -EBADF : cg->fd[i];
}

int cgroup_group_make(const struct cgroup *cg, const char *name)
{
    int dir = directory_of_groups(cg), fd;

    if (dir < 0)
        return dir;
    if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
        return -errno;
    fd = openat(dir, name, DIRECTORY_FLAGS);
    return fd < 0 ? -errno : fd;
}

int cgroup_group_join(int group)
{
    return file_write_at(group, "tasks", "0");
}

int cgroup_group_remove(const struct cgroup *cg, const char *name)
{
    int dir = directory_of_groups(cg);

    if (dir < 0)
        return dir;
    return unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int cgroup_group_pids(const struct cgroup *cg, const char *name, pid_t **ret_pids, size_t *ret_count)
{
    int dir = directory_of_groups(cg);

    return dir < 0 ? dir : cgroup_pids_below(dir, name, ret_pids, ret_count);
}

void cgroup_group_kill(const struct cgroup *cg, const char *name)
{
    enum { ROUNDS = 100 };
    int dir = directory_of_groups(cg);
    _cleanup_free_ char *file = xasprintf("%s/cgroup.kill", name);

    for (int round = 0; round < ROUNDS; round++) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t count = 0;

        if (dir < 0 || cgroup_pids_below(dir, name, &pids, &count) < 0 || count == 0)
            return;
        if (file_write_at(dir, file, "1") < 0)
            for (size_t i = 0; i < count; i++)
                kill(pids[i], SIGKILL);
        poll(NULL, 0, 1);
    }
}

int cgroup_unified_fd_of(const struct cgroup *cg, pid_t pid)
{
    int i = cgroup_tree_v2(cg);
    _cleanup_free_ char *path = NULL;
    if (i < 0)
        return -EBADF;
    int r = cgroup_path_of(&cgroup_layout()->trees[i], pid, &path);
    if (r < 0)
        return r;
    const char *rest = str_after(path, cg->rel[i]);
    if (!rest || (*rest && *rest != '/'))
        return -EXDEV; /* it has been moved out of the container's own */
    int fd = openat(cgroup_layout()->trees[i].fd, path, DIRECTORY_FLAGS);
    return fd < 0 ? -errno : fd;
}

/* The kernel lists what may safely be given away; before Linux 4.15 it was these. */
static void delegated_files(struct buf *names)
{
    static const char usual[] = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";

    if (file_read(AT_FDCWD, "/sys/kernel/cgroup/delegate", names) < 0 || names->len == 0) {
        buf_reset(names);
        buf_puts(names, usual);
    }
}

int cgroup_delegate(struct cgroup *cg, uid_t uid, gid_t gid, struct err *err)
{
    _cleanup_(buf_finish) struct buf names = BUF_INIT(4096);
    int i = cgroup_tree_v2(cg);

    if (i < 0)
        return err_set(err, ERR_NOT_IMPLEMENTED, "delegate cgroup %s: this needs cgroup v2", cg->path);
    if (fchown(cg->fd[i], uid, gid) < 0)
        return err_errno(err, errno, "give cgroup %s to user %u", cg->path, uid);
    delegated_files(&names);
    _cleanup_strv_ char **name = strv_split(buf_str(&names), '\n');
    for (size_t k = 0; name[k]; k++)
        if (*name[k] && !strchr(name[k], '/') && fchownat(cg->fd[i], name[k], uid, gid, 0) < 0 &&
            errno != ENOENT) /* of a controller that isn't enabled here */
            return err_errno(err, errno, "give %s of cgroup %s to user %u", name[k], cg->path, uid);
    return 0;
}
