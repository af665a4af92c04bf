/* What a kegd has in the kernel besides its containers: bridges, the nftables table, the cgroups' parent. While anything
 * runs they stay, whatever becomes of kegd; when it ends with nothing running, they go, and the next start makes them
 * again. */
#include <unistd.h>

#include "base/log.h"
#include "engine/internal.h"
#include "network/network.h"
#include "sys/cgroup.h"

static int is_running(void *arg, const struct container_brief *c)
{
    (void)arg;
    return c->running;
}

/* Only empty directories: rmdir() refuses what anybody still uses. */
static void remove_cgroup_parent(const struct engine *e)
{
    _cleanup_free_ char *path = xasprintf("/%s", e->tag);
    _cleanup_(cgroup_free_p) struct cgroup *cg = cgroup_open_path(path, NULL);
    size_t count;

    cgroup_hierarchies(&count);
    for (size_t i = 0; cg && i < count; i++) {
        _cleanup_free_ char *directory = cgroup_directory(cg, i);

        if (directory && rmdir(directory) < 0)
            log_debug("cgroup %s stays: in use", directory);
    }
}

void engine_dismantle(struct engine *e)
{
    struct err err = {0};

    if (!e->containers || engine_containers_each(e, is_running, NULL))
        return;
    if (e->network_host && network_host_dismantle(e->network_host, &err) < 0)
        log_warn("%s", err.message);
    remove_cgroup_parent(e);
}
