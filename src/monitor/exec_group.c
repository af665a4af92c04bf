/* What an exec has started, and perhaps left behind: all of it is in a cgroup of its own, "keg-exec.N" below the container's,
 * where whatever double-forks away still is. The group goes when nothing is in it any more; that is looked at when the exec
 * ends, and later whenever execs are started or asked about. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/str.h"
#include "monitor/monitor.h"
#include "sys/cgroup.h"

enum { NAME_SIZE = 32, PIDS_MAX = 4096 };

/* The container's, with the name of the exec's below it; NULL when it has none. */
static struct cgroup *group_of(struct monitor *m, const struct exec_record *r, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "keg-exec.%u", r->group);
    return r->group && m->container ? runtime_cgroup(m->container) : NULL;
}

int exec_group_make(struct monitor *m, struct exec_record *r)
{
    char name[NAME_SIZE];
    struct cgroup *cg;
    int fd;

    r->group = ++m->exec_groups;
    cg = group_of(m, r, name);
    fd = cg ? cgroup_group_make(cg, name) : -EBADF;
    if (fd < 0)
        r->group = 0;
    return fd < 0 ? -EBADF : fd;
}

json_t *exec_group_pids(struct monitor *m, const struct exec_record *r)
{
    _cleanup_free_ pid_t *pids = NULL;
    char name[NAME_SIZE];
    const struct cgroup *cg = group_of(m, r, name);
    json_t *list = json_array();
    size_t count = 0;

    if (!cg || cgroup_group_pids(cg, name, &pids, &count) < 0)
        return list;
    for (size_t i = 0; i < MIN_OF(count, (size_t)PIDS_MAX); i++)
        json_array_append_new(list, json_integer(pids[i]));
    return list;
}

void exec_group_kill(struct monitor *m, const struct exec_record *r)
{
    char name[NAME_SIZE];
    const struct cgroup *cg = group_of(m, r, name);

    if (cg)
        cgroup_group_kill(cg, name);
}

static bool anything_in(const struct cgroup *cg, const char *name)
{
    _cleanup_free_ pid_t *pids = NULL;
    size_t count = 0;

    return cgroup_group_pids(cg, name, &pids, &count) == 0 && count > 0;
}

void exec_group_end(struct monitor *m, struct exec_record *r)
{
    char name[NAME_SIZE];
    const struct cgroup *cg = group_of(m, r, name);

    r->left = false;
    if (!cg || cgroup_group_remove(cg, name) != -EBUSY)
        r->group = 0;
    else
        r->left = anything_in(cg, name); /* else the kernel isn't done with the one that ended just now */
}

void exec_group_look(struct monitor *m)
{
    for (struct exec_record *r = m->exec_records; r; r = r->next)
        if (r->group && !r->running && r->pid)
            exec_group_end(m, r);
}
