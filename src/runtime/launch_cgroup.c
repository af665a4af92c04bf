/* The container's cgroup: begun before init is cloned, made whole and given its limits while init does its mounts. */
#include <sys/mount.h>

#include "base/json.h"
#include "base/str.h"
#include "runtime/internal.h"
#include "runtime/rootfs/rootfs.h"
#include "runtime/sync.h"
#include "sys/cgroup.h"

/* What every container may use, after the configuration's own rules; the last that matches decides. OCI config-linux.md,
 * "Default Devices", making any node (which gives no access to it), and tun, which is no more than a network namespace
 * allows its owner and others allow as well. */
static const struct {
    const char *type, *access;
    int major, minor; /* -1: any */
} device_rules[] = {
    {"c", "m", -1, -1}, {"b", "m", -1, -1},    {"c", "rwm", 1, 3},    {"c", "rwm", 1, 5},
    {"c", "rwm", 1, 7}, {"c", "rwm", 1, 8},    {"c", "rwm", 1, 9},    {"c", "rwm", 5, 0},
    {"c", "rwm", 5, 2}, {"c", "rwm", 136, -1}, {"c", "rwm", 10, 200},
};

json_t *launch_complete_devices(const json_t *devices_of_spec)
{
    json_t *devices = json_pack("[{s:b, s:s}]", "allow", 0, "access", "rwm");

    json_array_extend(devices, (json_t *)devices_of_spec);
    for (size_t i = 0; i < ARRAY_SIZE(device_rules); i++)
        json_array_append_new(devices,
                              json_pack("{s:b, s:s, s:s, s:i, s:i}", "allow", 1, "access",
                                        device_rules[i].access, "type", device_rules[i].type, "major",
                                        device_rules[i].major, "minor", device_rules[i].minor));
    return devices;
}

static json_t *complete_resources(const struct spec *spec)
{
    json_t *resources = spec->resources ? json_copy((json_t *)spec->resources) : json_object();

    json_object_set_new(resources, "devices", launch_complete_devices(json_object_get(resources, "devices")));
    return resources;
}

/* Whether anything is asked for: no empty object or list, 0, false or null. */
static bool asks_for_something(const json_t *json)
{
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_object(json)) {
        json_object_foreach ((json_t *)json, key, item)
            if (asks_for_something(item))
                return true;
        return false;
    }
    json_array_foreach (json, i, item)
        if (asks_for_something(item))
            return true;
    return json_is_number(json) ? json_number_value(json) != 0 : json_is_true(json) || json_is_string(json);
}

/* The first part of linux.resources that limits something ("pids"), or NULL. */
static const char *find_limit(const json_t *resources)
{
    const char *key;
    json_t *part;

    json_object_foreach ((json_t *)resources, key, part)
        if (!str_eq(key, "devices") && asks_for_something(part))
            return key;
    return NULL;
}

/* As root the path counts from the top. An ordinary user's container gets a cgroup where the user may make one below the
 * own (v2's delegation; v1 where somebody has given it), else none; one that is named in the configuration has to be. */
int launch_begin_cgroup(struct runtime_container *c, struct err *err)
{
    _cleanup_free_ char *path = NULL;
    bool begins = false;

    if (c->cgroups == RUNTIME_CGROUPS_DISABLED)
        return 0;
    if (cgroup_find(err) < 0)
        return -1;
    if (cgroup_mode() == CGROUP_MODE_NONE)
        return 0;
    if (c->cgroups == RUNTIME_CGROUPS_SYSTEMD) {
        c->cgroup = cgroup_plan_unit(c->spec->cgroups_path, c->id, c->rootless, err);
    } else if (str_empty(c->spec->cgroups_path) && c->rootless) {
        path = xasprintf("keg-runtime-%s", c->id);
        c->cgroup = cgroup_begin_where_allowed(path, err);
    } else {
        path = str_empty(c->spec->cgroups_path) ? xasprintf("/keg-runtime/%s", c->id)
                                                : xstrdup(c->spec->cgroups_path);
        c->cgroup = cgroup_plan(path, err);
        begins = true;
    }
    if (!c->cgroup || state_plan(c, err) < 0)
        return -1;
    if (begins && cgroup_begin_planned(c->cgroup, err) < 0)
        return err_wrap(err, "unable to apply cgroup configuration");
    return 0;
}

static int apply_limits(struct runtime_container *c, struct err *err)
{
    _cleanup_json_ json_t *resources = complete_resources(c->spec);

    if (!c->rootless)
        return cgroup_apply(c->cgroup, resources, err);
    /* rules for devices are for root to make; an ordinary user can't open more by having none */
    (void)cgroup_apply_devices(c->cgroup, json_object_get(resources, "devices"), NULL);
    json_object_del(resources, "devices");
    return cgroup_apply(c->cgroup, resources, err);
}

/* systemd makes its unit with init in it: only now there is one. */
static int start_unit(struct runtime_container *c, struct err *err)
{
    _cleanup_json_ json_t *resources = NULL;

    if (c->cgroups != RUNTIME_CGROUPS_SYSTEMD)
        return 0;
    resources = complete_resources(c->spec);
    return cgroup_start_unit(c->cgroup, c->pid, resources, c->spec->annotations, err);
}

/* The user and group on the host that 0 in the container is; false when it is nobody's there. */
static bool find_root(const struct spec *spec, uint32_t *ret_uid, uint32_t *ret_gid)
{
    bool uid = false, gid = false;

    for (size_t i = 0; i < spec->uid_count; i++)
        if (spec->uids[i].container == 0) {
            *ret_uid = spec->uids[i].host;
            uid = true;
        }
    for (size_t i = 0; i < spec->gid_count; i++)
        if (spec->gids[i].container == 0) {
            *ret_gid = spec->gids[i].host;
            gid = true;
        }
    return uid && gid;
}

static bool mounts_writable_cgroup(const struct spec *spec)
{
    for (size_t i = 0; i < spec->mount_count; i++)
        if (rootfs_is_cgroup(&spec->mounts[i]) && !(spec->mounts[i].set & MOUNT_ATTR_RDONLY))
            return true;
    return false;
}

/* Where root in a user namespace of the container sees its own cgroup v2 tree, writable, that tree is given to it. */
static int delegate(struct runtime_container *c, struct err *err)
{
    uint32_t uid = 0, gid = 0;

    if (c->rootless || cgroup_unified_fd(c->cgroup) < 0 || !spec_makes(c->spec, NAMESPACE_USER) ||
        !spec_makes(c->spec, NAMESPACE_CGROUP) || !mounts_writable_cgroup(c->spec) ||
        !find_root(c->spec, &uid, &gid))
        return 0;
    return cgroup_delegate(c->cgroup, uid, gid, err);
}

static int complete(struct runtime_container *c, bool *ret_anywhere, struct err *err)
{
    const char *limit = find_limit(c->spec->resources);

    if (c->cgroup && (start_unit(c, err) < 0 || cgroup_finish(c->cgroup, err) < 0))
        return err_wrap(err, "unable to apply cgroup configuration");
    *ret_anywhere = c->cgroup && cgroup_is_anywhere(c->cgroup);
    if (!*ret_anywhere && limit)
        return err_set(err, ERR_INVALID,
                       "cannot set %s limit: container could not join or create cgroup (%s)", limit,
                       c->cgroup                                ? "none is delegated to this user"
                       : c->cgroups == RUNTIME_CGROUPS_DISABLED ? "it is to have none"
                                                                : "no cgroup filesystem is mounted");
    if (*ret_anywhere &&
        (apply_limits(c, err) < 0 || delegate(c, err) < 0 || cgroup_prepare_join(c->cgroup, err) < 0))
        return -1;
    return 0;
}

int launch_finish_cgroup(struct runtime_container *c, struct err *err)
{
    int fds[CGROUP_JOIN_MAX], result;
    bool anywhere;

    if (complete(c, &anywhere, err) < 0)
        return -1;
    if (!c->cgroup)
        return 0;
    result = sync_send_cgroup(c->sync, fds, cgroup_join_fds(c->cgroup, fds));
    if (result == -EPIPE || result == -ECONNRESET)
        return sync_expect(c->sync, SYNC_END, NULL, err); /* it has failed: let it tell why */
    if (result < 0)
        return err_errno(err, result, "hand the cgroup to the container's process");
    if (!anywhere)
        c->cgroup = cgroup_free(c->cgroup);
    return 0;
}

int launch_make_cgroup(struct runtime_container *c, struct err *err)
{
    bool anywhere;

    if (c->cgroups == RUNTIME_CGROUPS_SYSTEMD)
        return err_set(err, ERR_NOT_IMPLEMENTED, "restore: not with cgroups by way of systemd");
    if (launch_begin_cgroup(c, err) < 0 || complete(c, &anywhere, err) < 0)
        return -1;
    if (!anywhere)
        c->cgroup = cgroup_free(c->cgroup);
    return 0;
}
