/* One table: a member, what it needs, and the words. */
#include "engine/kernel_limits.h"

#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "sys/cgroup.h"

struct limit_row {
    const char *member;
    const char *controller; /* NULL: Linux has no such thing */
    const char *files;      /* of v1; NULL: always there */
    bool v1_only;
    int64_t instead; /* 0: the member is removed */
    const char *warning;
};

#define UNSUPPORTED(what) "Your kernel does not support " what " or the cgroup is not mounted. "

static const struct limit_row rows[] = {
    {"MemorySwap", "memory", "memory.memsw.limit_in_bytes", false, -1,
     UNSUPPORTED("swap limit capabilities") "Memory limited without swap."},
    {"MemorySwappiness", "memory", "memory.swappiness", true, 0,
     UNSUPPORTED("memory swappiness capabilities") "Memory swappiness discarded."},
    {"MemoryReservation", "memory", "memory.soft_limit_in_bytes", false, 0,
     UNSUPPORTED("memory soft limit capabilities") "Limitation discarded."},
    {"OomKillDisable", "memory", "memory.oom_control", true, 0,
     "Your kernel does not support OomKillDisable. OomKillDisable discarded."},
    {"PidsLimit", "pids", NULL, false, 0, UNSUPPORTED("PIDs limit capabilities") "PIDs limit discarded."},
    {"CpuShares", "cpu", "cpu.shares", false, 0, UNSUPPORTED("CPU shares") "Shares discarded."},
    {"CpuPeriod", "cpu", "cpu.cfs_period_us", false, 0,
     UNSUPPORTED("CPU CFS scheduler") "CPU period/quota discarded."},
    {"CpuQuota", "cpu", "cpu.cfs_quota_us", false, 0,
     UNSUPPORTED("CPU CFS scheduler") "CPU period/quota discarded."},
    {"CpusetCpus", "cpuset", NULL, false, 0, UNSUPPORTED("cpuset") "Cpuset discarded."},
    {"CpusetMems", "cpuset", NULL, false, 0, UNSUPPORTED("cpuset") "Cpuset discarded."},
    {"BlkioWeight", "blkio", "blkio.weight|blkio.bfq.weight", false, 0,
     UNSUPPORTED("Block I/O weight") "Weight discarded."},
    {"BlkioWeightDevice", "blkio", "blkio.weight_device|blkio.bfq.weight_device", false, 0,
     UNSUPPORTED("Block I/O weight_device") "Weight-device discarded."},
    {"KernelMemoryTCP", "memory", "memory.kmem.tcp.limit_in_bytes", true, 0,
     UNSUPPORTED("kernel memory TCP limit capabilities") "Limitation discarded."},
    {"CpuPercent", NULL, NULL, false, 0, "linux does not support CPU percent. Percent discarded."},
};

/* The v1 hierarchy of a controller, or NULL. */
static const struct cgroup_hierarchy *find_hierarchy(const char *controller)
{
    size_t count;
    const struct cgroup_hierarchy *h = cgroup_hierarchies(&count);
    for (size_t i = 0; i < count; i++) {
        _cleanup_strv_ char **names = h[i].v2 ? NULL : strv_split(h[i].options, ',');
        if (strv_contains(names, controller))
            return &h[i];
    }
    return NULL;
}

bool kernel_has_limit(const char *controller, const char *files)
{
    const struct cgroup_hierarchy *h = find_hierarchy(controller);
    if (!h || !files)
        return true;
    _cleanup_strv_ char **names = strv_split(files, '|');
    for (char **name = names; *name; name++) {
        _cleanup_free_ char *path = path_join(h->mountpoint, *name);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

static bool is_supported(const struct limit_row *row)
{
    const char *controller =
        str_eq(row->controller, "blkio") && cgroup_mode() == CGROUP_MODE_UNIFIED ? "io" : row->controller;
    if (!row->controller)
        return false;
    if (row->v1_only && cgroup_mode() == CGROUP_MODE_UNIFIED)
        return false;
    return cgroup_has_controller(controller) && kernel_has_limit(row->controller, row->files);
}

void kernel_limits_adapt(json_t *host_config, json_t *warnings)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const json_t *value = json_object_get(host_config, rows[i].member);
        if (!value || json_is_false(value) || is_supported(&rows[i]))
            continue;
        if (rows[i].instead)
            json_set_int(host_config, rows[i].member, rows[i].instead);
        else
            json_object_del(host_config, rows[i].member);
        json_array_append_new(warnings, json_string(rows[i].warning));
    }
}
