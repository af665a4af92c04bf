/* The container's cgroup: begun before init is cloned, made whole and given its limits while init does its mounts. */
#include "base/json.h"
#include "base/str.h"
#include "runtime/internal.h"
#include "runtime/sync.h"
#include "sys/cgroup.h"

/* What every container may use, after the configuration's own rules; the last that matches decides. OCI config-linux.md,
 * "Default Devices", and making any node (which gives no access to it). */
static const struct {
    const char *type, *access;
    int major, minor; /* -1: any */
} device_rules[] = {
    {"c", "m", -1, -1}, {"b", "m", -1, -1}, {"c", "rwm", 1, 3}, {"c", "rwm", 1, 5}, {"c", "rwm", 1, 7},
    {"c", "rwm", 1, 8}, {"c", "rwm", 1, 9}, {"c", "rwm", 5, 0}, {"c", "rwm", 5, 2}, {"c", "rwm", 136, -1},
};

/* linux.resources with all device rules: nothing, then the configuration's, then the default devices. */
static json_t *complete_resources(const struct spec *spec)
{
    json_t *resources = spec->resources ? json_copy((json_t *)spec->resources) : json_object();
    json_t *devices = json_pack("[{s:b, s:s}]", "allow", 0, "access", "rwm");

    json_array_extend(devices, json_object_get(resources, "devices"));
    for (size_t i = 0; i < ARRAY_SIZE(device_rules); i++)
        json_array_append_new(devices,
                              json_pack("{s:b, s:s, s:s, s:i, s:i}", "allow", 1, "access",
                                        device_rules[i].access, "type", device_rules[i].type, "major",
                                        device_rules[i].major, "minor", device_rules[i].minor));
    json_object_set_new(resources, "devices", devices);
    return resources;
}

int launch_begin_cgroup(struct runtime_container *c, struct err *err)
{
    _cleanup_free_ char *path = str_empty(c->spec->cgroups_path) ? xasprintf("/keg-runtime-%s", c->id)
                                                                 : xstrdup(c->spec->cgroups_path);

    if (cgroup_mode() == CGROUP_MODE_NONE)
        return 0;
    c->cgroup = cgroup_begin(path, err);
    return c->cgroup ? 0 : -1;
}

int launch_finish_cgroup(struct runtime_container *c, struct err *err)
{
    _cleanup_json_ json_t *resources = NULL;
    int fds[CGROUP_JOIN_MAX];

    if (!c->cgroup)
        return 0;
    resources = complete_resources(c->spec);
    if (cgroup_finish(c->cgroup, err) < 0 || cgroup_apply(c->cgroup, resources, err) < 0 ||
        cgroup_prepare_join(c->cgroup, err) < 0)
        return -1;
    if (sync_send_cgroup(c->sync, fds, cgroup_join_fds(c->cgroup, fds)) < 0)
        return sync_expect(c->sync, SYNC_END, NULL, err); /* it has failed: let it tell why */
    return 0;
}
