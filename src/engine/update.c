/* POST /containers/{id}/update: limits and the restart policy of a container, also while it runs. */
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/fields.h"
#include "engine/kernel_limits.h"
#include "engine/monitors.h"
#include "engine/oci.h"
#include "engine/runtimes.h"
#include "engine/validate.h"
#include "sys/cgroup.h"

static const char *const updatable[] = {
    "CpuShares",
    "Memory",
    "BlkioWeight",
    "BlkioWeightDevice",
    "BlkioDeviceReadBps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteIOps",
    "CpuPeriod",
    "CpuQuota",
    "CpuRealtimePeriod",
    "CpuRealtimeRuntime",
    "CpusetCpus",
    "CpusetMems",
    "MemoryReservation",
    "MemorySwap",
    "NanoCpus",
    "PidsLimit",
    "RestartPolicy",
};

/* What the request changes: members that are set; zero and absent leave things as they are. */
static json_t *read_changes(const json_t *body, struct err *err)
{
    _cleanup_json_ json_t *all = fields_compact(host_config_fields, body, "UpdateConfig", err);
    json_t *changes = all ? json_object() : NULL;
    for (size_t i = 0; all && i < ARRAY_SIZE(updatable); i++)
        if (json_object_get(all, updatable[i]))
            json_object_set(changes, updatable[i], json_object_get(all, updatable[i]));
    if (str_empty(json_str(json_object_get(changes, "RestartPolicy"), "Name")))
        json_object_del(changes, "RestartPolicy");
    return changes;
}

/* More memory than the swap limit allows is the user's to mend; Docker says so in these words. */
static int check_memory(const json_t *now, const json_t *changes, struct err *err)
{
    int64_t limit = json_int_or(changes, "Memory", 0), swap = json_int_or(now, "MemorySwap", 0);
    if (limit > 0 && !json_object_get(changes, "MemorySwap") && swap > 0 && limit > swap)
        return err_set(err, ERR_CONFLICT,
                       "Memory limit should be smaller than already set memoryswap limit, update the "
                       "memoryswap at the same time");
    return 0;
}

/* Between two starts there is no cgroup: then it is for the next one. */
/* One of two ways to say the same stays what it was chosen to be; and who is removed at its end isn't started again. */
static int check_rivals(const json_t *now, const json_t *changes, struct err *err)
{
    static const struct {
        const char *change, *set, *words;
    } rows[] = {
        {"NanoCpus", "CpuPeriod", "Nano CPUs cannot be updated as CPU Period"},
        {"NanoCpus", "CpuQuota", "Nano CPUs cannot be updated as CPU Quota"},
        {"CpuPeriod", "NanoCpus", "CPU Period cannot be updated as NanoCPUs"},
        {"CpuQuota", "NanoCpus", "CPU Quota cannot be updated as NanoCPUs"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (json_int_or(changes, rows[i].change, 0) > 0 && json_int_or(now, rows[i].set, 0) > 0)
            return err_set(err, ERR_CONFLICT, "Conflicting options: %s has already been set", rows[i].words);
    const json_t *policy = json_object_get(changes, "RestartPolicy");
    if (policy && json_bool_or(now, "AutoRemove", false) && !str_eq(json_str(policy, "Name"), "no"))
        return err_set(err, ERR_CONFLICT,
                       "Restart policy cannot be updated because AutoRemove is enabled for the container");
    return 0;
}

static int apply_now(struct container *c, const json_t *resources, struct err *err)
{
    _cleanup_free_ char *path = container_cgroup_path(c);
    struct err why = {0};
    struct cgroup *cg = cgroup_open_path(path, &why);
    if (!cg)
        return why.kind == ERR_NOT_FOUND ? 0 : err_pass(err, &why);
    int r = cgroup_apply(cg, resources, err);
    cgroup_free(cg);
    return r;
}

/* Its monitor needs to know, for the next start that its policy brings. now: it has another runtime set them. */
static int tell_monitor(struct container *c, const json_t *resources, bool now, struct err *err)
{
    _cleanup_json_ json_t *request = json_object();
    json_set_str(request, "op", "update");
    json_object_set_new(request, "restart", container_restart_part(c));
    json_object_set_new(request, "resources", json_deep_copy(resources));
    json_set_bool(request, "now", now);
    return monitor_request(c, request, NULL, 0, NULL, err);
}

/* Takes `host_config` over when it is on disk. */
static int keep(struct container *c, json_t *host_config, struct err *err)
{
    pthread_mutex_lock(&c->lock);
    json_t *old = c->host_config;
    c->host_config = json_incref(host_config);
    pthread_mutex_unlock(&c->lock);
    if (container_keep(c, err) == 0) {
        json_decref(old);
        return 0;
    }
    pthread_mutex_lock(&c->lock);
    c->host_config = old;
    pthread_mutex_unlock(&c->lock);
    json_decref(host_config);
    return -1;
}

static int update_locked(struct container *c, const json_t *changes, json_t *warnings, struct err *err)
{
    if (c->removing)
        return err_set(err, ERR_CONFLICT, "container is marked for removal and cannot be \"update\"");
    _cleanup_json_ json_t *merged = json_copy(c->host_config);
    json_object_update(merged, (json_t *)changes);
    if (check_memory(c->host_config, changes, err) < 0 || check_rivals(c->host_config, changes, err) < 0)
        return -1;
    kernel_limits_adapt(merged, warnings);
    if (container_validate(&c->engine->options, c->config, merged, warnings, err) < 0)
        return -1;
    bool runs = container_status_runs(c->state.status);
    _cleanup_json_ json_t *resources = runs ? oci_resources(merged, err) : NULL;
    bool foreign = runs && runtimes_is_foreign(c);
    if (runs && (!resources || (foreign ? tell_monitor(c, resources, /* now= */ true, err)
                                        : apply_now(c, resources, err)) < 0))
        return -1;
    if (keep(c, merged, err) < 0)
        return -1;
    if (runs)
        tell_monitor(c, resources, /* now= */ false, NULL);
    container_event(c, "update", NULL);
    return 0;
}

int engine_container_update(struct engine *e, const char *ref, const json_t *body, json_t **ret,
                            struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    _cleanup_json_ json_t *changes = c ? read_changes(body, err) : NULL, *warnings = json_array();
    if (!changes || container_check_restart_policy(json_object_get(changes, "RestartPolicy"), err) < 0)
        return -1;
    pthread_mutex_lock(&c->operation);
    int r = update_locked(c, changes, warnings, err);
    pthread_mutex_unlock(&c->operation);
    if (r < 0)
        return err && err->kind == ERR_INVALID ? -1 : err_wrap(err, "Cannot update container %s", c->id);
    *ret = json_object();
    json_object_set(*ret, "Warnings", json_array_size(warnings) ? warnings : json_null());
    return 0;
}
