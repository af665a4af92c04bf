/* OCI linux.resources, as a table: one row a setting, in the order in which they are applied. Settings that
 * the kernel checks against each other are written together (struct writes), in whatever order it accepts.
 *
 * To add a setting: a row in `settings`. A plain number or string needs no code: NULL functions write it as
 * it is (on v2, -1 becomes "max"). */
#include "sys/cgroup_setting.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "sys/cgroup_systemd.h"

int setting_missing(const struct target *t, const char *file, struct err *err)
{
    if (!file)
        return err_set(err, ERR_NOT_IMPLEMENTED, "resources.%s: cgroup %s has no such setting", t->row->path,
                       t->v2 ? "v2" : "v1");
    return err_set(err, ERR_NOT_IMPLEMENTED, "resources.%s: this kernel has no %s", t->row->path, file);
}

int setting_write(const struct target *t, const char *file, const char *value, struct err *err)
{
    if (!file)
        return setting_missing(t, NULL, err);
    int r = file_write_at(t->dir, file, value);
    if (r == -ENOENT || r == -524 /* ENOTSUPP, which the C library doesn't know */ || r == -EOPNOTSUPP)
        return setting_missing(t, file, err);
    if (r == -EINVAL || r == -ERANGE)
        return err_set(err, ERR_INVALID, "resources.%s: the kernel refuses \"%s\" for %s: %s", t->row->path,
                       value, file, strerror(-r));
    return r < 0 ? err_errno(err, r, "resources.%s: write \"%s\" to %s", t->row->path, value, file) : 0;
}

const char *setting_file(const struct target *t)
{
    return t->v2 ? t->row->v2 : t->row->v1;
}

bool setting_has_file(const struct target *t, const char *file)
{
    return faccessat(t->dir, file, F_OK, 0) == 0;
}

void setting_format(const struct target *t, int64_t value, char out[32])
{
    if (t->v2 && value == -1)
        strcpy(out, "max");
    else
        snprintf(out, 32, "%lld", (long long)value);
}

static int setting_plain(const struct target *t, const json_t *value, struct err *err)
{
    if (json_is_string(value))
        return setting_write(t, setting_file(t), json_string_value(value), err);
    char text[32];
    if (json_is_boolean(value))
        snprintf(text, sizeof(text), "%d", json_is_true(value));
    else
        setting_format(t, json_integer_value(value), text);
    return setting_write(t, setting_file(t), text, err);
}

/* Files the kernel checks against each other. */
struct writes {
    struct {
        const char *file;
        char value[32];
        bool done;
    } item[4];
    size_t count;
};

static void writes_add(struct writes *w, const struct target *t, const char *file, int64_t value)
{
    w->item[w->count].file = file;
    setting_format(t, value, w->item[w->count].value);
    w->count++;
}

/* Passes over what isn't written yet until all is or a pass brings nothing: raising wants one order, lowering
 * the other.*/
static int writes_run(struct writes *w, const struct target *t, struct err *err)
{
    size_t left = w->count, before;
    struct err last = {};
    do {
        before = left;
        for (size_t i = 0; i < w->count; i++) {
            if (w->item[i].done || setting_write(t, w->item[i].file, w->item[i].value, &last) < 0)
                continue;
            w->item[i].done = true;
            left--;
        }
    } while (left > 0 && left < before);
    if (left > 0 && err)
        *err = last;
    return left > 0 ? -1 : 0;
}

static int64_t setting_int(const struct target *t, const char *path)
{
    const json_t *value = json_at(t->resources, path);
    return json_is_integer(value) ? json_integer_value(value) : 0;
}

/* --- memory --- */

/* memory.checkBeforeUpdate: a limit below what is in use would have processes killed. */
static int memory_check_before_update(const struct target *t, int64_t limit, int64_t swap, struct err *err)
{
    const struct {
        const char *what;
        int64_t limit;
    } rows[] = {{"memory+swap limit", swap}, {"memory limit", limit}};
    uint64_t usage = 0;
    if (!json_is_true(json_at(t->resources, "memory.checkBeforeUpdate")))
        return 0;
    int r = cgroup_read_u64(t->dir, t->v2 ? "memory.current" : "memory.usage_in_bytes", &usage);
    if (r < 0)
        return err_errno(err, r, "resources.memory.checkBeforeUpdate: read the usage");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].limit > 0 && (uint64_t)rows[i].limit <= usage)
            return err_set(err, ERR_CONFLICT,
                           "resources.memory: rejecting %s %lld <= usage %llu (checkBeforeUpdate is set)",
                           rows[i].what, (long long)rows[i].limit, (unsigned long long)usage);
    return 0;
}

/* OCI's swap is memory + swap, v2's is swap alone. */
int cgroup_swap_alone(int64_t limit, int64_t swap, int64_t *ret, struct err *err)
{
    if (swap == -1) {
        *ret = -1;
        return 0;
    }
    if (limit <= 0)
        return err_set(err, ERR_INVALID, "resources.memory.swap: it can't be set without a memory.limit");
    if (swap < limit)
        return err_set(err, ERR_INVALID,
                       "resources.memory.swap: memory+swap (%lld) is less than memory.limit (%lld)",
                       (long long)swap, (long long)limit);
    *ret = swap - limit;
    return 0;
}

/* memory.limit and memory.swap, whichever are given. */
static int memory_limits(const struct target *t, const json_t *value _unused_, struct err *err)
{
    int64_t limit = setting_int(t, "memory.limit"), swap = setting_int(t, "memory.swap");
    const char *swap_file = t->v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
    struct writes w = {};
    if (memory_check_before_update(t, limit, swap, err) < 0)
        return -1;
    if (limit == -1 && swap == 0) /* no limit includes swap, where it is counted */
        swap = -1;
    if (swap && !(swap == -1 && !setting_has_file(t, swap_file))) {
        int64_t file_value = swap;
        if (t->v2 && cgroup_swap_alone(limit, swap, &file_value, err) < 0)
            return -1;
        writes_add(&w, t, swap_file, file_value);
    }
    if (limit)
        writes_add(&w, t, t->v2 ? "memory.max" : "memory.limit_in_bytes", limit);
    return writes_run(&w, t, err);
}

/* When memory.limit is there too, its row has done both. 0 alone is no swap at all on v2, and nothing on v1, where it would
 * be no memory either. */
static int memory_swap_alone(const struct target *t, const json_t *value, struct err *err)
{
    if (json_integer_value(value) == 0 && (!t->v2 || setting_int(t, "memory.limit")))
        return 0;
    if (json_integer_value(value) == 0)
        return setting_has_file(t, "memory.swap.max") ? setting_write(t, "memory.swap.max", "0", err) : 0;
    return setting_int(t, "memory.limit") ? 0 : memory_limits(t, value, err);
}

static int memory_swappiness(const struct target *t, const json_t *value, struct err *err)
{
    if (json_integer_value(value) < 0 || json_integer_value(value) > 100)
        return err_set(err, ERR_INVALID, "resources.memory.swappiness: %lld isn't between 0 and 100",
                       (long long)json_integer_value(value));
    return setting_plain(t, value, err);
}

/* Switches whose harmless position needs no file. */
static int memory_disable_oom_killer(const struct target *t, const json_t *value, struct err *err)
{
    return json_is_true(value) ? setting_plain(t, value, err) : 0;
}

static int memory_use_hierarchy(const struct target *t, const json_t *value, struct err *err)
{
    return t->v2 && json_is_true(value) ? 0 : setting_plain(t, value, err);
}

/* --- cpu --- */

/* v1 shares (2…262144, usually 1024) to v2 weight (1…10000, usually 100), such that the usual values meet:
 * quadratic in log2, as runc and crun do it. */
int64_t cgroup_weight_from_shares(int64_t shares)
{
    double l = log2((double)MIN_OF(MAX_OF(shares, 2), 262144));
    return MIN_OF((int64_t)ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0)), 10000);
}

/* cpu.shares and cpu.idle: as long as a group is idle the kernel takes no shares for it, so that leaving that state goes
 * before, and entering it after. */
static int cpu_shares(const struct target *t, const json_t *value, struct err *err)
{
    const json_t *idle = json_at(t->resources, "cpu.idle");
    int64_t shares = json_integer_value(value);
    struct writes w = {};
    writes_add(&w, t, setting_file(t), t->v2 ? cgroup_weight_from_shares(shares) : shares);
    if (json_is_integer(idle))
        writes_add(&w, t, "cpu.idle", json_integer_value(idle));
    return writes_run(&w, t, err);
}

static int cpu_idle_alone(const struct target *t, const json_t *value, struct err *err)
{
    return setting_int(t, "cpu.shares") ? 0 : setting_plain(t, value, err);
}

/* v2: "quota period" in one file. What isn't given stays. */
static int cpu_bandwidth_v2(const struct target *t, int64_t quota, int64_t period, struct err *err)
{
    char current[64] = "max 100000", text[64];
    (void)cgroup_read(t->dir, "cpu.max", current, sizeof(current));
    size_t first = strcspn(current, " ");
    if (period == 0)
        period = current[first] ? strtoll(current + first, NULL, 10) : 100000;
    if (quota < 0)
        snprintf(text, sizeof(text), "max %lld", (long long)period);
    else if (quota > 0)
        snprintf(text, sizeof(text), "%lld %lld", (long long)quota, (long long)period);
    else
        snprintf(text, sizeof(text), "%.*s %lld", (int)first, current, (long long)period);
    return setting_write(t, "cpu.max", text, err);
}

/* cpu.quota, cpu.period and cpu.burst: the first row that is given does all. */
static int cpu_bandwidth(const struct target *t, const json_t *value _unused_, struct err *err)
{
    static const char *const burst_path = "cpu.burst";
    int64_t quota = setting_int(t, "cpu.quota"), period = setting_int(t, "cpu.period");
    const json_t *burst = json_at(t->resources, burst_path);
    struct writes w = {};
    if (t->v2 && (quota || period) && cpu_bandwidth_v2(t, quota, period, err) < 0)
        return -1;
    if (!t->v2 && period)
        writes_add(&w, t, "cpu.cfs_period_us", period);
    if (!t->v2 && quota)
        writes_add(&w, t, "cpu.cfs_quota_us", quota);
    if (json_is_integer(burst))
        writes_add(&w, t, t->v2 ? "cpu.max.burst" : "cpu.cfs_burst_us", json_integer_value(burst));
    return writes_run(&w, t, err);
}

static int cpu_period_alone(const struct target *t, const json_t *value, struct err *err)
{
    return setting_int(t, "cpu.quota") ? 0 : cpu_bandwidth(t, value, err);
}

static int cpu_burst_alone(const struct target *t, const json_t *value, struct err *err)
{
    return setting_int(t, "cpu.quota") || setting_int(t, "cpu.period") ? 0 : cpu_bandwidth(t, value, err);
}

static int cpu_realtime(const struct target *t, const json_t *value _unused_, struct err *err)
{
    int64_t runtime = setting_int(t, "cpu.realtimeRuntime"), period = setting_int(t, "cpu.realtimePeriod");
    struct writes w = {};
    if (t->v2)
        return setting_missing(t, NULL, err);
    if (period)
        writes_add(&w, t, "cpu.rt_period_us", period);
    if (runtime)
        writes_add(&w, t, "cpu.rt_runtime_us", runtime);
    return writes_run(&w, t, err);
}

static int cpu_realtime_period_alone(const struct target *t, const json_t *value, struct err *err)
{
    return setting_int(t, "cpu.realtimeRuntime") ? 0 : cpu_realtime(t, value, err);
}

/* --- pids --- */

/* "max" on both versions. */
static int pids_limit(const struct target *t, const json_t *value, struct err *err)
{
    char text[32] = "max";
    if (json_integer_value(value) > 0)
        snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
    return setting_write(t, setting_file(t), text, err);
}

/* --- the table --- */

static int devices_apply(const struct target *t, const json_t *value, struct err *err)
{
    return cgroup_apply_devices(t->cg, value, err);
}

static const struct setting settings[] = {
    {"devices", CTL_DEVICES, "devices.allow", "", devices_apply, .kind = SETTING_LIST},
    {"memory.limit", CTL_MEMORY, "memory.limit_in_bytes", "memory.max", memory_limits},
    {"memory.swap", CTL_MEMORY, "memory.memsw.limit_in_bytes", "memory.swap.max", memory_swap_alone,
     .zero_counts = true},
    {"memory.reservation", CTL_MEMORY, "memory.soft_limit_in_bytes", "memory.low", NULL},
    {"memory.kernel", CTL_MEMORY, "memory.kmem.limit_in_bytes", NULL, NULL},
    {"memory.kernelTCP", CTL_MEMORY, "memory.kmem.tcp.limit_in_bytes", NULL, NULL},
    {"memory.swappiness", CTL_MEMORY, "memory.swappiness", NULL, memory_swappiness, .zero_counts = true},
    {"memory.disableOOMKiller", CTL_MEMORY, "memory.oom_control", NULL, memory_disable_oom_killer,
     .kind = SETTING_SWITCH},
    {"memory.useHierarchy", CTL_MEMORY, "memory.use_hierarchy", NULL, memory_use_hierarchy,
     .kind = SETTING_SWITCH},
    {"cpu.shares", CTL_CPU, "cpu.shares", "cpu.weight", cpu_shares},
    {"cpu.quota", CTL_CPU, "cpu.cfs_quota_us", "cpu.max", cpu_bandwidth},
    {"cpu.period", CTL_CPU, "cpu.cfs_period_us", "cpu.max", cpu_period_alone},
    {"cpu.burst", CTL_CPU, "cpu.cfs_burst_us", "cpu.max.burst", cpu_burst_alone, .zero_counts = true},
    {"cpu.realtimeRuntime", CTL_CPU, "cpu.rt_runtime_us", NULL, cpu_realtime},
    {"cpu.realtimePeriod", CTL_CPU, "cpu.rt_period_us", NULL, cpu_realtime_period_alone},
    {"cpu.idle", CTL_CPU, "cpu.idle", "cpu.idle", cpu_idle_alone, .zero_counts = true},
    {"cpu.cpus", CTL_CPUSET, "cpuset.cpus", "cpuset.cpus", NULL, .kind = SETTING_TEXT},
    {"cpu.mems", CTL_CPUSET, "cpuset.mems", "cpuset.mems", NULL, .kind = SETTING_TEXT},
    {"pids.limit", CTL_PIDS, "pids.max", "pids.max", pids_limit},
    {"blockIO.weight", CTL_IO, "blkio.weight", "io.weight", setting_io_weight},
    {"blockIO.leafWeight", CTL_IO, "blkio.leaf_weight", NULL, setting_io_leaf_weight},
    {"blockIO.weightDevice", CTL_IO, "blkio.weight_device", "io.weight", setting_io_weight_device,
     .kind = SETTING_LIST},
    {"blockIO.throttleReadBpsDevice", CTL_IO, "blkio.throttle.read_bps_device", "rbps", setting_io_throttle,
     .kind = SETTING_LIST},
    {"blockIO.throttleWriteBpsDevice", CTL_IO, "blkio.throttle.write_bps_device", "wbps", setting_io_throttle,
     .kind = SETTING_LIST},
    {"blockIO.throttleReadIOPSDevice", CTL_IO, "blkio.throttle.read_iops_device", "riops",
     setting_io_throttle, .kind = SETTING_LIST},
    {"blockIO.throttleWriteIOPSDevice", CTL_IO, "blkio.throttle.write_iops_device", "wiops",
     setting_io_throttle, .kind = SETTING_LIST},
    {"hugepageLimits", CTL_HUGETLB, "hugetlb", "hugetlb", setting_hugepages, .kind = SETTING_LIST},
    {"network.classID", CTL_NET_CLS, "net_cls.classid", NULL, NULL},
    {"network.priorities", CTL_NET_PRIO, "net_prio.ifpriomap", NULL, setting_network_priorities,
     .kind = SETTING_LIST},
    {"rdma", CTL_RDMA, "rdma.max", "rdma.max", setting_rdma, .kind = SETTING_OBJECT},
    {"unified", 0, NULL, "", setting_unified,
     .kind = SETTING_OBJECT}, /* last: what is said by file name outranks the rest */
};

/* What asks for nothing: absent, null, empty, "", and 0 where that means unset. */
static bool setting_is_unset(const struct setting *row, const json_t *value)
{
    if (!value || json_is_null(value))
        return true;
    if (json_is_integer(value))
        return json_integer_value(value) == 0 && !row->zero_counts;
    if (json_is_string(value))
        return json_string_length(value) == 0;
    if (json_is_array(value))
        return json_array_size(value) == 0;
    return json_is_object(value) && json_object_size(value) == 0;
}

static bool is_of_kind(const json_t *value, enum setting_kind kind)
{
    switch (kind) {
    case SETTING_NUMBER:
        return json_is_integer(value);
    case SETTING_TEXT:
        return json_is_string(value);
    case SETTING_SWITCH:
        return json_is_boolean(value);
    case SETTING_LIST:
        return json_is_array(value);
    case SETTING_OBJECT:
        return json_is_object(value);
    }
    return false;
}

static int check_number(const char *path, const char *member, const json_t *value, struct err *err)
{
    if (!value || json_is_null(value) || json_is_integer(value))
        return 0;
    return err_set(err, ERR_INVALID, "invalid configuration: resources.%s: %s: expected a number", path,
                   member);
}

/* What the entries of lists, and of rdma, count with. */
static int check_entry(const char *path, const json_t *entry, struct err *err)
{
    static const char *const numbers[] = {"major", "minor",    "rate",       "weight",    "leafWeight",
                                          "limit", "priority", "hcaHandles", "hcaObjects"};

    if (!json_is_object(entry))
        return err_set(err, ERR_INVALID, "invalid configuration: resources.%s: expected objects in it", path);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        if (check_number(path, numbers[i], json_object_get(entry, numbers[i]), err) < 0)
            return -1;
    return 0;
}

static int check_setting(const struct setting *row, const json_t *value, struct err *err)
{
    static const char *const expected[] = {[SETTING_NUMBER] = "a whole number",
                                           [SETTING_TEXT] = "a string",
                                           [SETTING_SWITCH] = "a boolean",
                                           [SETTING_LIST] = "an array",
                                           [SETTING_OBJECT] = "an object"};
    const char *key;
    json_t *entry;
    size_t i;

    if (!value || json_is_null(value))
        return 0;
    if (!is_of_kind(value, row->kind))
        return err_set(err, ERR_INVALID, "invalid configuration: resources.%s: expected %s", row->path,
                       expected[row->kind]);
    json_array_foreach ((json_t *)value, i, entry)
        if (check_entry(row->path, entry, err) < 0)
            return -1;
    if (str_eq(row->path, "rdma"))
        json_object_foreach ((json_t *)value, key, entry)
            if (check_entry(row->path, entry, err) < 0)
                return -1;
    return 0;
}

int cgroup_check(const json_t *resources, struct err *err)
{
    static const char *const sections[] = {"memory", "cpu", "pids", "blockIO", "network"};

    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        const json_t *section = json_object_get(resources, sections[i]);

        if (section && !json_is_object(section) && !json_is_null(section))
            return err_set(err, ERR_INVALID, "invalid configuration: resources.%s: expected an object",
                           sections[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (check_setting(&settings[i], json_at(resources, settings[i].path), err) < 0)
            return -1;
    return 0;
}

static int setting_apply(struct cgroup *cg, const json_t *resources, const struct setting *row,
                         const json_t *value, struct err *err)
{
    struct target t = {.cg = cg, .resources = resources, .row = row};
    int tree = row->controller ? cgroup_tree_of(cg, row->controller) : cgroup_tree_v2(cg);
    if (!row->controller && (tree < 0 || cgroup_mode() != CGROUP_MODE_UNIFIED))
        return err_set(err, ERR_NOT_IMPLEMENTED, "invalid configuration: resources.%s needs cgroup v2",
                       row->path);
    /* OOM killer, hierarchy: asking for what is so anyway needs no controller. */
    if (tree < 0)
        return json_is_false(value) ? 0
                                    : err_set(err, ERR_NOT_IMPLEMENTED,
                                              "resources.%s: no %s controller is available on this host",
                                              row->path, cgroup_controller_name(row->controller));
    t.dir = cg->fd[tree];
    t.v2 = cgroup_layout()->trees[tree].info.v2;
    return (row->apply ? row->apply : setting_plain)(&t, value, err);
}

int cgroup_update(struct cgroup *cg, const json_t *resources, struct err *err)
{
    if (cg->unit && cgroup_set_unit(cg, resources, err) < 0)
        return -1;
    return cgroup_apply(cg, resources, err);
}

int cgroup_apply(struct cgroup *cg, const json_t *resources, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        const json_t *value = json_at(resources, settings[i].path);
        if (!setting_is_unset(&settings[i], value) &&
            setting_apply(cg, resources, &settings[i], value, err) < 0)
            return -1;
    }
    return 0;
}
