/* New limits for a container that is there: applied, and recorded for the update after this one. */
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "runtime/foreign.h"
#include "runtime/internal.h"
#include "sys/cgroup.h"

/* Whether two entries of a list are about the same thing (a device, a page size, an interface). */
static bool same_subject(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"major", "minor", "pageSize", "name"};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const json_t *left = json_object_get(a, keys[i]), *right = json_object_get(b, keys[i]);

        if ((left || right) && !(left && right && json_equal((json_t *)left, (json_t *)right)))
            return false;
    }
    return true;
}

static void merge(json_t *into, const json_t *changes);

/* Entries for what is already in the list change that one (the last, as it is the one that counts). */
static void merge_list(json_t *into, const json_t *changes)
{
    json_t *change;
    size_t i;

    json_array_foreach ((json_t *)changes, i, change) {
        json_t *found = NULL;

        for (size_t k = json_array_size(into); !found && k-- > 0;)
            if (same_subject(json_array_get(into, k), change))
                found = json_array_get(into, k);
        if (found)
            merge(found, change);
        else
            json_array_append_new(into, json_deep_copy(change));
    }
}

/* What `changes` says outranks what was there; what it doesn't mention stays. */
static void merge(json_t *into, const json_t *changes)
{
    const char *key;
    json_t *change;

    json_object_foreach ((json_t *)changes, key, change) {
        json_t *old = json_object_get(into, key);

        if (json_is_null(change))
            continue;
        if (json_is_object(old) && json_is_object(change))
            merge(old, change);
        else if (json_is_array(old) && json_is_array(change) && !str_eq(key, "devices"))
            merge_list(old, change);
        else
            json_object_set_new(into, key, json_deep_copy(change));
    }
}

/* Settings that mean something only together: what isn't given is what was set before. */
static void complete_memory(json_t *resources, const json_t *recorded)
{
    json_t *memory = json_object_get(resources, "memory"), *old = json_object_get(recorded, "memory");
    int64_t limit = json_int_or(memory, "limit", 0), swap = json_int_or(memory, "swap", 0);

    if (!limit && swap > 0 && json_int_or(old, "limit", 0))
        json_object_set(memory, "limit", json_object_get(old, "limit"));
    if (limit > 0 && !swap && json_int_or(old, "swap", 0))
        json_object_set(memory, "swap", json_object_get(old, "swap"));
}

/* The like for the two halves of the CPU quota, which systemd wants both. */
static void complete_quota(json_t *resources, const json_t *recorded)
{
    json_t *cpu = json_object_get(resources, "cpu"), *old = json_object_get(recorded, "cpu");
    int64_t quota = json_int_or(cpu, "quota", 0), period = json_int_or(cpu, "period", 0);

    if (quota && !period && json_int_or(old, "period", 0))
        json_object_set(cpu, "period", json_object_get(old, "period"));
    if (period && !quota && json_int_or(old, "quota", 0))
        json_object_set(cpu, "quota", json_object_get(old, "quota"));
}

/* Of `recorded`, what has a counterpart in `changes`: the way back. */
static json_t *counterpart(const json_t *recorded, const json_t *changes)
{
    json_t *back = json_object();
    const char *key;
    json_t *change;

    json_object_foreach ((json_t *)changes, key, change) {
        json_t *old = json_object_get(recorded, key);

        if (json_is_object(old) && json_is_object(change))
            json_object_set_new(back, key, counterpart(old, change));
        else if (old)
            json_object_set(back, key, old);
    }
    return back;
}

/* linux.resources of the container's configuration, made if there is none. Borrowed. */
static json_t *recorded_resources(struct runtime_container *c)
{
    json_t *linux_json = json_object_get(c->spec->json, "linux"), *resources;

    if (!json_is_object(linux_json))
        json_object_set_new(c->spec->json, "linux", linux_json = json_object());
    resources = json_object_get(linux_json, "resources");
    if (!json_is_object(resources))
        json_object_set_new(linux_json, "resources", resources = json_object());
    c->spec->resources = resources;
    return resources;
}

static int apply(struct runtime_container *c, const json_t *changes, struct err *err)
{
    _cleanup_json_ json_t *resources = json_copy((json_t *)changes);
    const json_t *devices = json_object_get(changes, "devices");

    if (json_array_size(devices))
        json_object_set_new(resources, "devices", launch_complete_devices(devices));
    return cgroup_update(c->cgroup, resources, err);
}

int runtime_update(struct runtime_container *c, const json_t *resources, struct err *err)
{
    _cleanup_json_ json_t *changes = json_deep_copy(resources), *back = NULL;
    json_t *recorded = recorded_resources(c);

    if (c->foreign)
        return foreign_update(c, resources, err);
    if (!json_is_object(changes))
        return err_set(err, ERR_INVALID, "the resources are no JSON object");
    if (cgroup_check(changes, err) < 0)
        return -1;
    if (c->pidfd < 0)
        return err_set(err, ERR_CONFLICT, "container not running");
    if (!c->cgroup)
        return err_set(err, ERR_CONFLICT, "container has no cgroup");
    complete_memory(changes, recorded);
    complete_quota(changes, recorded);
    back = counterpart(recorded, changes);
    if (apply(c, changes, err) < 0) {
        (void)apply(c, back, NULL);
        return -1;
    }
    merge(recorded, changes);
    if (state_save_config(c, err) == 0)
        return 0;
    (void)apply(c, back, NULL); /* what is in force is what is recorded */
    return -1;
}
