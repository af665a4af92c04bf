/* The processes of a container: those of its cgroup; without one, those of its pid namespace. */
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "runtime/internal.h"
#include "sys/pidfd.h"

/* The pid namespace's number; 0 when the process is gone, or not to be looked at. */
static ino_t pid_namespace_of(const char *process)
{
    char path[300];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%s/ns/pid", process);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

static ino_t pid_namespace_of_init(const struct runtime_container *c)
{
    char name[16];

    snprintf(name, sizeof(name), "%d", c->pid);
    return c->pidfd < 0 ? 0 : pid_namespace_of(name);
}

static int in_namespace(ino_t wanted, pid_t **ret_pids, size_t *ret_count, struct err *err)
{
    DIR *dir = opendir("/proc");
    const struct dirent *e;

    if (!dir)
        return err_errno(err, errno, "open /proc");
    while ((e = readdir(dir))) {
        if (!isdigit((unsigned char)*e->d_name) || pid_namespace_of(e->d_name) != wanted)
            continue;
        *ret_pids = xreallocarray(*ret_pids, *ret_count + 1, sizeof(**ret_pids));
        (*ret_pids)[(*ret_count)++] = (pid_t)strtol(e->d_name, NULL, 10);
    }
    closedir(dir);
    return 0;
}

int runtime_pids(struct runtime_container *c, pid_t **ret_pids, size_t *ret_count, struct err *err)
{
    ino_t wanted;

    *ret_pids = NULL;
    *ret_count = 0;
    if (c->cgroup)
        return cgroup_pids(c->cgroup, /* recursive= */ true, ret_pids, ret_count, err);
    if (c->pidfd < 0)
        return 0;
    wanted = pid_namespace_of_init(c);
    if (!wanted || wanted == pid_namespace_of("self"))
        return err_set(err, ERR_CONFLICT,
                       "container has no cgroup and no pid namespace of its own: its processes "
                       "can't be told from others");
    return in_namespace(wanted, ret_pids, ret_count, err);
}

int processes_signal(struct runtime_container *c, int signal, struct err *err)
{
    _cleanup_free_ pid_t *pids = NULL;
    size_t count;

    if (runtime_pids(c, &pids, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        _cleanup_close_ int pidfd = pidfd_from_pid(pids[i]);
        char name[16];

        snprintf(name, sizeof(name), "%d", pids[i]);
        if (pidfd >= 0 && pid_namespace_of(name) == pid_namespace_of_init(c))
            (void)pidfd_signal(pidfd,
                               signal); /* looked at with the descriptor in hand: it is still that one */
    }
    return 0;
}
