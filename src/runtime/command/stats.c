/* See stats.h. What sys/cgroup.h doesn't tell is read from the cgroup's files, wherever they are. */
#include "runtime/command/stats.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "sys/cgroup.h"

enum { FILE_MAX = 64 * 1024 };

/* JSON's integers have 63 bits here: "no limit" is the highest. */
static json_int_t clip(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (json_int_t)value;
}

static void set_number(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer(clip(value)));
}

static void set_unless_zero(json_t *object, const char *key, uint64_t value)
{
    if (value)
        set_number(object, key, value);
}

/* A file of the cgroup in the first hierarchy that has it. 0 or -errno. */
static int read_file(const struct cgroup *cg, const char *name, struct buf *out)
{
    size_t count;

    cgroup_hierarchies(&count);
    for (size_t i = 0; i < count; i++) {
        _cleanup_free_ char *directory = cgroup_directory(cg, i),
                            *path = directory ? path_join(directory, name) : NULL;

        if (path && file_read(AT_FDCWD, path, out) == 0)
            return 0;
        buf_reset(out);
    }
    return -ENOENT;
}

/* 0 where there is none, UINT64_MAX for "max". */
static uint64_t read_number(const struct cgroup *cg, const char *name)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(FILE_MAX);
    uint64_t value = 0;

    if (read_file(cg, name, &text) < 0)
        return 0;
    if (str_starts(buf_str(&text), "max"))
        return UINT64_MAX;
    return sscanf(buf_str(&text), "%" SCNu64, &value) == 1 ? value : 0;
}

/* Numbers between blanks; NULL when there are none. */
static json_t *read_numbers(const struct cgroup *cg, const char *name)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(FILE_MAX);
    json_t *array = NULL;
    char *rest, *word;
    uint64_t value;

    if (read_file(cg, name, &text) < 0)
        return NULL;
    rest = text.data;
    while ((word = strsep(&rest, " \n"))) {
        if (str_to_u64(word, &value) < 0)
            continue;
        if (!array)
            array = json_array();
        json_array_append_new(array, json_integer(clip(value)));
    }
    return array;
}

/* "0-2,5" as [0,1,2,5]. */
static json_t *read_list(const struct cgroup *cg, const char *name)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(FILE_MAX);
    json_t *array = NULL;
    char *rest, *part;

    if (read_file(cg, name, &text) < 0)
        return NULL;
    rest = text.data;
    while ((part = strsep(&rest, ",\n"))) {
        unsigned first, last;
        int n = sscanf(part, "%u-%u", &first, &last);

        if (n < 1)
            continue;
        if (!array)
            array = json_array();
        for (unsigned i = first; i <= (n == 2 ? last : first) && i <= UINT16_MAX; i++)
            json_array_append_new(array, json_integer(i));
    }
    return array;
}

static void set_unless_null(json_t *object, const char *key, json_t *value)
{
    if (value)
        json_object_set_new(object, key, value);
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" by line; NULL where the kernel doesn't tell. */
static json_t *pressure(const struct cgroup *cg, const char *name)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(FILE_MAX);
    json_t *psi = NULL;
    char *rest, *line;

    if (read_file(cg, name, &text) < 0)
        return NULL;
    rest = text.data;
    while ((line = strsep(&rest, "\n"))) {
        double avg10, avg60, avg300;
        uint64_t total;
        char kind[8];

        if (sscanf(line, "%7s avg10=%lf avg60=%lf avg300=%lf total=%" SCNu64, kind, &avg10, &avg60, &avg300,
                   &total) != 5)
            continue;
        if (!psi)
            psi = json_object();
        json_object_set_new(psi, kind,
                            json_pack("{s:f, s:f, s:f, s:I}", "avg10", avg10, "avg60", avg60, "avg300",
                                      avg300, "total", clip(total)));
    }
    return psi;
}

static json_t *cpu(const struct cgroup *cg, const struct cgroup_stats *stats)
{
    json_t *usage = json_object(), *throttling = json_object();
    json_t *cpu = json_pack("{s:o, s:o}", "usage", usage, "throttling", throttling);

    set_unless_zero(usage, "total", stats->cpu_total);
    if (json_array_size(stats->cpu_percpu))
        json_object_set(usage, "percpu", stats->cpu_percpu);
    set_unless_null(usage, "percpu_kernel", read_numbers(cg, "cpuacct.usage_percpu_sys"));
    set_unless_null(usage, "percpu_user", read_numbers(cg, "cpuacct.usage_percpu_user"));
    set_number(usage, "kernel", stats->cpu_system);
    set_number(usage, "user", stats->cpu_user);
    set_unless_zero(throttling, "periods", stats->cpu_periods);
    set_unless_zero(throttling, "throttledPeriods", stats->cpu_throttled_periods);
    set_unless_zero(throttling, "throttledTime", stats->cpu_throttled_time);
    set_unless_null(cpu, "psi", pressure(cg, "cpu.pressure"));
    return cpu;
}

static json_t *cpuset(const struct cgroup *cg)
{
    static const char *const names[] = {"cpu_exclusive",   "mem_hardwall",       "mem_exclusive",
                                        "memory_migrate",  "memory_spread_page", "memory_spread_slab",
                                        "memory_pressure", "sched_load_balance", "sched_relax_domain_level"};
    json_t *cpuset = json_object();

    set_unless_null(cpuset, "cpus", read_list(cg, "cpuset.cpus"));
    set_unless_null(cpuset, "mems", read_list(cg, "cpuset.mems"));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *file = xasprintf("cpuset.%s", names[i]);
        _cleanup_(buf_finish) struct buf text = BUF_INIT(FILE_MAX);
        long long value = 0;

        if (read_file(cg, file, &text) == 0)
            (void)sscanf(buf_str(&text), "%lld", &value);
        json_set_int(cpuset, names[i], value);
    }
    return cpuset;
}

static json_t *memory_entry(uint64_t limit, uint64_t usage, uint64_t max, uint64_t failcnt)
{
    json_t *entry = json_object();

    set_number(entry, "limit", limit);
    set_unless_zero(entry, "usage", usage);
    set_unless_zero(entry, "max", max);
    set_number(entry, "failcnt", failcnt);
    return entry;
}

/* v1's four files of one kind; all zero where there are none. */
static json_t *memory_files(const struct cgroup *cg, const char *prefix)
{
    static const char *const files[] = {"limit_in_bytes", "usage_in_bytes", "max_usage_in_bytes", "failcnt"};
    uint64_t values[ARRAY_SIZE(files)];

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        _cleanup_free_ char *file = xasprintf("%s.%s", prefix, files[i]);

        values[i] = read_number(cg, file);
    }
    return memory_entry(values[0], values[1], values[2], values[3]);
}

static json_t *memory(const struct cgroup *cg, const struct cgroup_stats *stats)
{
    bool v2 = cgroup_mode() == CGROUP_MODE_UNIFIED;
    json_t *memory = json_object();

    set_unless_zero(memory, "cache", (uint64_t)json_int_or(stats->memory_stat, v2 ? "file" : "cache", 0));
    json_object_set_new(memory, "usage",
                        v2 ? memory_entry(stats->memory_limit, stats->memory_usage, stats->memory_max_usage,
                                          stats->memory_failcnt)
                           : memory_files(cg, "memory"));
    json_object_set_new(memory, "swap",
                        v2 ? memory_entry(read_number(cg, "memory.swap.max"),
                                          read_number(cg, "memory.swap.current"),
                                          read_number(cg, "memory.swap.peak"), 0)
                           : memory_files(cg, "memory.memsw"));
    json_object_set_new(memory, "kernel", memory_files(cg, "memory.kmem"));
    json_object_set_new(memory, "kernelTCP", memory_files(cg, "memory.kmem.tcp"));
    if (json_object_size(stats->memory_stat))
        json_object_set(memory, "raw", stats->memory_stat);
    set_unless_null(memory, "psi", pressure(cg, "memory.pressure"));
    return memory;
}

/* Operations with a capital letter. */
static json_t *block_entries(const json_t *entries)
{
    json_t *array = json_array(), *entry;
    size_t i;

    json_array_foreach (entries, i, entry) {
        json_t *copy = json_copy(entry);
        _cleanup_free_ char *operation = xstrdup(json_str_or(entry, "op", ""));

        if (*operation >= 'a' && *operation <= 'z')
            *operation = (char)(*operation - 'a' + 'A');
        json_set_str(copy, "op", operation);
        json_array_append_new(array, copy);
    }
    return array;
}

static json_t *block(const struct cgroup *cg, const struct cgroup_stats *stats)
{
    json_t *block = json_object();

    if (json_array_size(stats->io_bytes))
        json_object_set_new(block, "ioServiceBytesRecursive", block_entries(stats->io_bytes));
    if (json_array_size(stats->io_serviced))
        json_object_set_new(block, "ioServicedRecursive", block_entries(stats->io_serviced));
    set_unless_null(block, "psi", pressure(cg, "io.pressure"));
    return block;
}

static json_t *pids(const struct cgroup_stats *stats)
{
    json_t *pids = json_object();

    set_unless_zero(pids, "current", stats->pids_current);
    if (stats->pids_limit != UINT64_MAX)
        set_unless_zero(pids, "limit", stats->pids_limit);
    return pids;
}

json_t *stats_json(struct cgroup *cg, struct err *err)
{
    struct cgroup_stats stats;
    json_t *data = NULL;

    if (cgroup_stats(cg, /* details= */ true, &stats, err) == 0)
        data = json_pack("{s:o, s:o, s:o, s:o, s:o, s:{}, s:{}, s:n}", "cpu", cpu(cg, &stats), "cpuset",
                         cpuset(cg), "memory", memory(cg, &stats), "pids", pids(&stats), "blkio",
                         block(cg, &stats), "hugetlb", "intel_rdt", "network_interfaces");
    cgroup_stats_finish(&stats);
    return data;
}
