/* Resources: HostConfig's members become linux.resources, by tables. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/kernel_limits.h"
#include "engine/oci.h"

struct resource_row {
    const char *docker, *group, *oci;
};

static const struct resource_row numbers[] = {
    {"Memory", "memory", "limit"},
    {"MemoryReservation", "memory", "reservation"},
    {"MemorySwap", "memory", "swap"},
    {"KernelMemoryTCP", "memory", "kernelTCP"},
    {"CpuShares", "cpu", "shares"},
    {"CpuPeriod", "cpu", "period"},
    {"CpuQuota", "cpu", "quota"},
    {"CpuRealtimePeriod", "cpu", "realtimePeriod"},
    {"CpuRealtimeRuntime", "cpu", "realtimeRuntime"},
    {"PidsLimit", "pids", "limit"},
    {"BlkioWeight", "blockIO", "weight"},
};

static const struct resource_row strings[] = {
    {"CpusetCpus", "cpu", "cpus"},
    {"CpusetMems", "cpu", "mems"},
};

static const struct resource_row throttles[] = {
    {"BlkioWeightDevice", "blockIO", "weightDevice"},
    {"BlkioDeviceReadBps", "blockIO", "throttleReadBpsDevice"},
    {"BlkioDeviceWriteBps", "blockIO", "throttleWriteBpsDevice"},
    {"BlkioDeviceReadIOps", "blockIO", "throttleReadIOPSDevice"},
    {"BlkioDeviceWriteIOps", "blockIO", "throttleWriteIOPSDevice"},
};

static json_t *group_of(json_t *resources, const char *name)
{
    json_t *group = json_object_get(resources, name);
    if (!group) {
        group = json_object();
        json_object_set_new(resources, name, group);
    }
    return group;
}

static int add_throttle(json_t *resources, const json_t *host_config, const struct resource_row *row,
                        struct err *err)
{
    const json_t *list = json_object_get(host_config, row->docker), *d;
    bool weight = str_eq(row->oci, "weightDevice");
    size_t i;
    json_array_foreach (list, i, d) {
        const char *path = json_str_or(d, "Path", "");
        struct stat st;
        if (stat(path, &st) < 0)
            return err_set(err, ERR_INVALID, "%s: %.256s: %s", row->docker, path, strerror(errno));
        if (!S_ISBLK(st.st_mode))
            return err_set(err, ERR_INVALID, "%s: %.256s is not a block device", row->docker, path);
        json_t *group = group_of(resources, row->group), *array = json_object_get(group, row->oci),
               *one = json_object();
        if (!array) {
            array = json_array();
            json_object_set_new(group, row->oci, array);
        }
        json_set_int(one, "major", major(st.st_rdev));
        json_set_int(one, "minor", minor(st.st_rdev));
        json_set_int(one, weight ? "weight" : "rate", json_int_or(d, weight ? "Weight" : "Rate", 0));
        json_array_append_new(array, one);
    }
    return 0;
}

static void add_memory_extras(json_t *resources, const json_t *host_config)
{
    int64_t limit = json_int_or(host_config, "Memory", 0), swap = json_int_or(host_config, "MemorySwap", 0);
    const json_t *swappiness = json_object_get(host_config, "MemorySwappiness");
    if (limit > 0 && swap == 0) /* as much swap as memory */
        json_set_int(group_of(resources, "memory"), "swap", 2 * limit);
    if ((limit > 0 || swap != 0) && !kernel_has_limit("memory", "memory.memsw.limit_in_bytes"))
        json_object_del(group_of(resources, "memory"), "swap");
    if (json_integer_value(swappiness) >= 0 && json_is_integer(swappiness))
        json_set_int(group_of(resources, "memory"), "swappiness", json_integer_value(swappiness));
    if (json_bool_or(host_config, "OomKillDisable", false))
        json_set_bool(group_of(resources, "memory"), "disableOOMKiller", true);
}

json_t *oci_resources(const json_t *host_config, struct err *err)
{
    _cleanup_json_ json_t *resources = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        int64_t n = json_int_or(host_config, numbers[i].docker, 0);
        if (n != 0)
            json_set_int(group_of(resources, numbers[i].group), numbers[i].oci, n);
    }
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
        const char *s = json_str_or(host_config, strings[i].docker, "");
        if (*s)
            json_set_str(group_of(resources, strings[i].group), strings[i].oci, s);
    }
    int64_t nano = json_int_or(host_config, "NanoCpus", 0);
    if (nano > 0) {
        json_set_int(group_of(resources, "cpu"), "period", 100000);
        json_set_int(group_of(resources, "cpu"), "quota", nano / 10000);
    }
    add_memory_extras(resources, host_config);
    for (size_t i = 0; i < ARRAY_SIZE(throttles); i++)
        if (add_throttle(resources, host_config, &throttles[i], err) < 0)
            return NULL;
    return take_ptr(&resources);
}
