/* OCI linux.resources, as a table: one row a setting, in the order in which they are applied. Settings that
 * the kernel checks against each other are written together (struct writes), in whatever order it accepts.
 *
 * To add a setting: a row in `settings`. A plain number or string needs no code: NULL functions write it as
 * it is (on v2, -1 becomes "max"). */
#include "sys/cgroup_internal.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "sys/cgroup_systemd.h"

struct setting;

/* One setting on its way into one directory. */
struct target {
    struct cgroup *cg;
    const json_t *resources;
    const struct setting *row;
    bool v2;
    int dir;
};

typedef int setting_fn(const struct target *t, const json_t *value, struct err *err);

struct setting {
    const char *path; /* below linux.resources */
    unsigned controller;
    const char *v1, *v2; /* file; NULL: this version has nothing of the kind */
    setting_fn *apply;   /* NULL: the value as it is */
    bool zero_counts;    /* 0 is a value; otherwise it means "unset" */
};

static int setting_missing(const struct target *t, const char *file, struct err *err)
{
    if (!file)
        return err_set(err, ERR_NOT_IMPLEMENTED, "resources.%s: cgroup %s has no such setting", t->row->path,
                       t->v2 ? "v2" : "v1");
    return err_set(err, ERR_NOT_IMPLEMENTED, "resources.%s: this kernel has no %s", t->row->path, file);
}

/* Writes one file; the error names the setting, the file and the value. */
static int setting_write(const struct target *t, const char *file, const char *value, struct err *err)
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

static const char *setting_file(const struct target *t)
{
    return t->v2 ? t->row->v2 : t->row->v1;
}

static bool setting_has_file(const struct target *t, const char *file)
{
    return faccessat(t->dir, file, F_OK, 0) == 0;
}

/* A number as text: on v2 "max" for -1. */
static void setting_format(const struct target *t, int64_t value, char out[32])
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

/* --- block I/O --- */

/* OCI's 10…1000 to io.weight's 1…10000. */
int64_t cgroup_weight_from_blkio(int64_t weight)
{
    return 1 + (weight - 10) * 9999 / 990;
}

/* Weights live in the scheduler's own file (BFQ), which takes OCI's range, or in the controller's. `device`
 * is "" or "major:minor ". */
static int io_write_weight(const struct target *t, const char *device, int64_t weight, const char *v1_file,
                           const char *v1_bfq, struct err *err)
{
    char text[64];
    const char *file = t->v2 ? "io.bfq.weight" : v1_bfq;
    if (weight < 10 || weight > 1000)
        return err_set(err, ERR_INVALID, "resources.%s: weight %lld isn't between 10 and 1000", t->row->path,
                       (long long)weight);
    snprintf(text, sizeof(text), "%s%lld", device, (long long)weight);
    if (!file || !setting_has_file(t, file)) {
        file = t->v2 ? "io.weight" : v1_file;
        if (t->v2)
            snprintf(text, sizeof(text), "%s%lld", *device ? device : "default ",
                     (long long)cgroup_weight_from_blkio(weight));
    }
    return setting_write(t, file, text, err);
}

static int io_weight(const struct target *t, const json_t *value, struct err *err)
{
    return io_write_weight(t, "", json_integer_value(value), "blkio.weight", "blkio.bfq.weight", err);
}

static int io_leaf_weight(const struct target *t, const json_t *value, struct err *err)
{
    if (t->v2)
        return setting_missing(t, NULL, err);
    return io_write_weight(t, "", json_integer_value(value), "blkio.leaf_weight", NULL, err);
}

static int io_weight_device(const struct target *t, const json_t *value, struct err *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach ((json_t *)value, i, entry) {
        char device[48];
        snprintf(device, sizeof(device), "%lld:%lld ", (long long)json_int_or(entry, "major", 0),
                 (long long)json_int_or(entry, "minor", 0));
        int64_t weight = json_int_or(entry, "weight", 0), leaf = json_int_or(entry, "leafWeight", 0);
        if (weight &&
            io_write_weight(t, device, weight, "blkio.weight_device", "blkio.bfq.weight_device", err) < 0)
            return -1;
        if (leaf && t->v2)
            return err_set(err, ERR_NOT_IMPLEMENTED, "resources.%s: cgroup v2 has no leafWeight",
                           t->row->path);
        if (leaf && io_write_weight(t, device, leaf, "blkio.leaf_weight_device", NULL, err) < 0)
            return -1;
    }
    return 0;
}

/* The row's v2 member is the key within io.max. */
static int io_throttle(const struct target *t, const json_t *value, struct err *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach ((json_t *)value, i, entry) {
        char text[96];
        long long major = json_int_or(entry, "major", 0), minor = json_int_or(entry, "minor", 0);
        long long rate = json_int_or(entry, "rate", 0);
        if (!t->v2)
            snprintf(text, sizeof(text), "%lld:%lld %lld", major, minor, rate);
        else if (rate > 0)
            snprintf(text, sizeof(text), "%lld:%lld %s=%lld", major, minor, t->row->v2, rate);
        else
            snprintf(text, sizeof(text), "%lld:%lld %s=max", major, minor, t->row->v2);
        if (setting_write(t, t->v2 ? "io.max" : t->row->v1, text, err) < 0)
            return -1;
    }
    return 0;
}

/* --- the rest --- */

static int hugepage_limits(const struct target *t, const json_t *value, struct err *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach ((json_t *)value, i, entry) {
        const char *size = json_str_or(entry, "pageSize", json_str(entry, "pagesize")); /* Go doesn't mind */
        if (!size || strlen(size) > 16 || strpbrk(size, "/."))
            return err_set(err, ERR_INVALID, "resources.hugepageLimits[%zu]: pageSize isn't like \"2MB\"", i);
        char file[64], text[32];
        const json_t *limit = json_object_get(entry, "limit");
        if (!json_is_integer(limit))
            return err_set(err, ERR_INVALID, "resources.hugepageLimits[%zu]: limit is missing", i);
        setting_format(t, json_integer_value(limit), text);
        snprintf(file, sizeof(file), "hugetlb.%s.%s", size, t->v2 ? "max" : "limit_in_bytes");
        if (setting_write(t, file, text, err) < 0)
            return -1;
        /* Reserved pages are counted apart since Linux 5.7. */
        snprintf(file, sizeof(file), "hugetlb.%s.rsvd.%s", size, t->v2 ? "max" : "limit_in_bytes");
        if (setting_has_file(t, file) && setting_write(t, file, text, err) < 0)
            return -1;
    }
    return 0;
}

static int network_priorities(const struct target *t, const json_t *value, struct err *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach ((json_t *)value, i, entry) {
        char text[96];
        snprintf(text, sizeof(text), "%.32s %lld", json_str_or(entry, "name", ""),
                 (long long)json_int_or(entry, "priority", 0));
        if (setting_write(t, setting_file(t), text, err) < 0)
            return -1;
    }
    return 0;
}

static int rdma_limits(const struct target *t, const json_t *value, struct err *err)
{
    const char *device;
    json_t *entry;
    json_object_foreach ((json_t *)value, device, entry) {
        char text[160];
        int n = snprintf(text, sizeof(text), "%.64s", device);
        if (json_object_get(entry, "hcaHandles"))
            n += snprintf(text + n, sizeof(text) - (size_t)n, " hca_handle=%lld",
                          (long long)json_int_or(entry, "hcaHandles", 0));
        if (json_object_get(entry, "hcaObjects"))
            snprintf(text + n, sizeof(text) - (size_t)n, " hca_object=%lld",
                     (long long)json_int_or(entry, "hcaObjects", 0));
        if (setting_write(t, "rdma.max", text, err) < 0)
            return -1;
    }
    return 0;
}

/* Why a file by that name isn't there: the form of the name, a controller that isn't to be had, or the kernel. */
static int unified_missing(const struct target *t, const char *file, struct err *err)
{
    char controllers[256] = "";
    size_t length = strcspn(file, ".");
    if (!file[length])
        return err_set(err, ERR_INVALID,
                       "resources.unified: the specified key has not the form CONTROLLER.VALUE `%s`", file);
    (void)cgroup_read(t->dir, "cgroup.controllers", controllers, sizeof(controllers));
    _cleanup_strv_ char **names = strv_split(controllers, ' ');
    _cleanup_free_ char *controller = xstrndup(file, length);
    if (!strv_contains(names, controller) && !str_eq(controller, "cgroup"))
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "resources.unified: the requested cgroup controller `%s` is not available",
                       controller);
    return err_set(err, ERR_NOT_IMPLEMENTED,
                   "resources.unified: this kernel has no %s: no such file or directory", file);
}

/* The kernel takes one line a write: io.max of several devices is several. */
static int unified_lines(const struct target *t, const char *file, const char *text, struct err *err)
{
    _cleanup_strv_ char **line = strv_split(text, '\n');
    for (size_t i = 0; line[i]; i++)
        if (*line[i] && setting_write(t, file, line[i], err) < 0)
            return -1;
    return 0;
}

/* Files of v2 by name. A file of a controller that isn't enabled is missing, which setting_write() reports.
 */
static int unified_files(const struct target *t, const json_t *value, struct err *err)
{
    const char *file;
    json_t *text;
    json_object_foreach ((json_t *)value, file, text) {
        if (strchr(file, '/') || file[0] == '.' || !json_is_string(text))
            return err_set(err, ERR_INVALID, "resources.unified: \"%s\" isn't a file name with a text", file);
        if (!setting_has_file(t, file))
            return unified_missing(t, file, err);
        if (unified_lines(t, file, json_string_value(text), err) < 0)
            return -1;
    }
    return 0;
}

static int devices_apply(const struct target *t, const json_t *value, struct err *err)
{
    return cgroup_apply_devices(t->cg, value, err);
}

static const struct setting settings[] = {
    {"devices", CTL_DEVICES, "devices.allow", "", devices_apply},
    {"memory.limit", CTL_MEMORY, "memory.limit_in_bytes", "memory.max", memory_limits},
    {"memory.swap", CTL_MEMORY, "memory.memsw.limit_in_bytes", "memory.swap.max", memory_swap_alone,
     .zero_counts = true},
    {"memory.reservation", CTL_MEMORY, "memory.soft_limit_in_bytes", "memory.low", NULL},
    {"memory.kernel", CTL_MEMORY, "memory.kmem.limit_in_bytes", NULL, NULL},
    {"memory.kernelTCP", CTL_MEMORY, "memory.kmem.tcp.limit_in_bytes", NULL, NULL},
    {"memory.swappiness", CTL_MEMORY, "memory.swappiness", NULL, memory_swappiness, .zero_counts = true},
    {"memory.disableOOMKiller", CTL_MEMORY, "memory.oom_control", NULL, memory_disable_oom_killer},
    {"memory.useHierarchy", CTL_MEMORY, "memory.use_hierarchy", NULL, memory_use_hierarchy},
    {"cpu.shares", CTL_CPU, "cpu.shares", "cpu.weight", cpu_shares},
    {"cpu.quota", CTL_CPU, "cpu.cfs_quota_us", "cpu.max", cpu_bandwidth},
    {"cpu.period", CTL_CPU, "cpu.cfs_period_us", "cpu.max", cpu_period_alone},
    {"cpu.burst", CTL_CPU, "cpu.cfs_burst_us", "cpu.max.burst", cpu_burst_alone, .zero_counts = true},
    {"cpu.realtimeRuntime", CTL_CPU, "cpu.rt_runtime_us", NULL, cpu_realtime},
    {"cpu.realtimePeriod", CTL_CPU, "cpu.rt_period_us", NULL, cpu_realtime_period_alone},
    {"cpu.idle", CTL_CPU, "cpu.idle", "cpu.idle", cpu_idle_alone, .zero_counts = true},
    {"cpu.cpus", CTL_CPUSET, "cpuset.cpus", "cpuset.cpus", NULL},
    {"cpu.mems", CTL_CPUSET, "cpuset.mems", "cpuset.mems", NULL},
    {"pids.limit", CTL_PIDS, "pids.max", "pids.max", pids_limit},
    {"blockIO.weight", CTL_IO, "blkio.weight", "io.weight", io_weight},
    {"blockIO.leafWeight", CTL_IO, "blkio.leaf_weight", NULL, io_leaf_weight},
    {"blockIO.weightDevice", CTL_IO, "blkio.weight_device", "io.weight", io_weight_device},
    {"blockIO.throttleReadBpsDevice", CTL_IO, "blkio.throttle.read_bps_device", "rbps", io_throttle},
    {"blockIO.throttleWriteBpsDevice", CTL_IO, "blkio.throttle.write_bps_device", "wbps", io_throttle},
    {"blockIO.throttleReadIOPSDevice", CTL_IO, "blkio.throttle.read_iops_device", "riops", io_throttle},
    {"blockIO.throttleWriteIOPSDevice", CTL_IO, "blkio.throttle.write_iops_device", "wiops", io_throttle},
    {"hugepageLimits", CTL_HUGETLB, "hugetlb", "hugetlb", hugepage_limits},
    {"network.classID", CTL_NET_CLS, "net_cls.classid", NULL, NULL},
    {"network.priorities", CTL_NET_PRIO, "net_prio.ifpriomap", NULL, network_priorities},
    {"rdma", CTL_RDMA, "rdma.max", "rdma.max", rdma_limits},
    {"unified", 0, NULL, "", unified_files}, /* last: what is said by file name outranks the rest */
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
