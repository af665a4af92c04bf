/* What a cgroup has used, read from whichever files its hierarchies keep. */
#include "sys/cgroup_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"

enum { STAT_TEXT_MAX = 16384, NS_PER_US = 1000, NO_LIMIT_PAGES = 4096 };

static uint64_t stat_u64(int dir, const char *file)
{
    uint64_t value = 0;
    (void)cgroup_read_u64(dir, file, &value);
    return value;
}

/* v1 says "no limit" with a number close to 2^63. */
static uint64_t stat_v1_limit(int dir, const char *file)
{
    uint64_t value = stat_u64(dir, file);
    return value >= (uint64_t)INT64_MAX - NO_LIMIT_PAGES * 16 ? UINT64_MAX : value;
}

/* Splits "a 1\nb 2\n" into an object. */
static json_t *stat_object(const char *text)
{
    json_t *object = json_object();
    while (*text) {
        char key[64];
        unsigned long long value;
        if (sscanf(text, "%63s %llu", key, &value) == 2)
            json_object_set_new(object, key, json_integer((json_int_t)value));
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return object;
}

static void stats_cpu_v1(const struct cgroup *cg, bool details, struct cgroup_stats *s)
{
    char text[STAT_TEXT_MAX];
    int i = cgroup_tree_of(cg, CTL_CPUACCT);
    if (i >= 0) {
        s->cpu_total = stat_u64(cg->fd[i], "cpuacct.usage");
        s->cpu_user = stat_u64(cg->fd[i], "cpuacct.usage_user");
        s->cpu_system = stat_u64(cg->fd[i], "cpuacct.usage_sys");
        if (details && cgroup_read(cg->fd[i], "cpuacct.usage_percpu", text, sizeof(text)) >= 0) {
            s->cpu_percpu = json_array();
            char *end = text;
            for (const char *p = text; *p; p = end) {
                unsigned long long value = strtoull(p, &end, 10);
                if (end == p)
                    break;
                json_array_append_new(s->cpu_percpu, json_integer((json_int_t)value));
            }
        }
    }
    i = cgroup_tree_of(cg, CTL_CPU);
    if (i >= 0 && cgroup_read(cg->fd[i], "cpu.stat", text, sizeof(text)) >= 0) {
        s->cpu_periods = cgroup_text_value(text, "nr_periods", 0);
        s->cpu_throttled_periods = cgroup_text_value(text, "nr_throttled", 0);
        s->cpu_throttled_time = cgroup_text_value(text, "throttled_time", 0);
    }
}

static void stats_cpu_v2(int dir, struct cgroup_stats *s)
{
    char text[STAT_TEXT_MAX];
    if (cgroup_read(dir, "cpu.stat", text, sizeof(text)) < 0)
        return;
    s->cpu_total = cgroup_text_value(text, "usage_usec", 0) * NS_PER_US;
    s->cpu_user = cgroup_text_value(text, "user_usec", 0) * NS_PER_US;
    s->cpu_system = cgroup_text_value(text, "system_usec", 0) * NS_PER_US;
    s->cpu_periods = cgroup_text_value(text, "nr_periods", 0);
    s->cpu_throttled_periods = cgroup_text_value(text, "nr_throttled", 0);
    s->cpu_throttled_time = cgroup_text_value(text, "throttled_usec", 0) * NS_PER_US;
}

static void stats_memory(const struct cgroup *cg, bool details, struct cgroup_stats *s)
{
    int i = cgroup_tree_of(cg, CTL_MEMORY);
    char text[STAT_TEXT_MAX];
    s->memory_limit = UINT64_MAX;
    if (i < 0)
        return;
    int dir = cg->fd[i];
    bool v2 = cgroup_layout()->trees[i].info.v2;
    s->memory_usage = stat_u64(dir, v2 ? "memory.current" : "memory.usage_in_bytes");
    s->memory_max_usage = stat_u64(dir, v2 ? "memory.peak" : "memory.max_usage_in_bytes");
    s->memory_limit = v2 ? stat_u64(dir, "memory.max") : stat_v1_limit(dir, "memory.limit_in_bytes");
    if (v2) {
        s->swap_usage = stat_u64(dir, "memory.swap.current");
        if (cgroup_read(dir, "memory.events", text, sizeof(text)) >= 0)
            s->memory_failcnt = cgroup_text_value(text, "max", 0);
    } else {
        uint64_t both = stat_u64(dir, "memory.memsw.usage_in_bytes");
        s->swap_usage = both > s->memory_usage ? both - s->memory_usage : 0;
        s->memory_failcnt = stat_u64(dir, "memory.failcnt");
    }
    if (cgroup_read(dir, "memory.stat", text, sizeof(text)) >= 0) {
        s->memory_inactive_file = cgroup_text_value(text, v2 ? "inactive_file" : "total_inactive_file", 0);
        if (details)
            s->memory_stat = stat_object(text);
    }
}

static void stats_pids(const struct cgroup *cg, struct cgroup_stats *s)
{
    int i = cgroup_tree_of(cg, CTL_PIDS);
    s->pids_limit = UINT64_MAX;
    if (i < 0)
        return;
    s->pids_current = stat_u64(cg->fd[i], "pids.current");
    s->pids_limit = stat_u64(cg->fd[i], "pids.max");
}

static void stats_io_add(json_t *array, unsigned major, unsigned minor, const char *op,
                         unsigned long long value)
{
    json_array_append_new(array, json_pack("{s:i, s:i, s:s, s:I}", "major", (int)major, "minor", (int)minor,
                                           "op", op, "value", (json_int_t)value));
}

/* "8:0 Read 4096" a line; the sum line has no device. */
static json_t *stats_io_v1(int dir, const char *bfq, const char *plain)
{
    char text[STAT_TEXT_MAX] = "";
    json_t *array = json_array();
    if (cgroup_read(dir, bfq, text, sizeof(text)) < 0)
        (void)cgroup_read(dir, plain, text, sizeof(text));
    for (const char *p = text; *p;) {
        unsigned major, minor;
        char op[16];
        unsigned long long value;
        if (sscanf(p, "%u:%u %15s %llu", &major, &minor, op, &value) == 4) {
            for (char *c = op; *c; c++)
                *c = (char)(*c | ' '); /* lower case */
            stats_io_add(array, major, minor, op, value);
        }
        p += strcspn(p, "\n");
        p += *p == '\n';
    }
    return array;
}

/* io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6" a line. */
static void stats_io_v2(int dir, struct cgroup_stats *s)
{
    static const struct {
        const char *key, *op;
        bool bytes;
    } keys[] = {{"rbytes=", "read", true}, {"wbytes=", "write", true}, {"dbytes=", "discard", true},
                {"rios=", "read", false},  {"wios=", "write", false},  {"dios=", "discard", false}};
    char text[STAT_TEXT_MAX];
    s->io_bytes = json_array();
    s->io_serviced = json_array();
    if (cgroup_read(dir, "io.stat", text, sizeof(text)) < 0)
        return;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        unsigned major, minor;
        if (sscanf(line, "%u:%u ", &major, &minor) != 2)
            continue;
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
            const char *at = strstr(line, keys[i].key);
            if (at)
                stats_io_add(keys[i].bytes ? s->io_bytes : s->io_serviced, major, minor, keys[i].op,
                             strtoull(at + strlen(keys[i].key), NULL, 10));
        }
    }
}

static void stats_io(const struct cgroup *cg, struct cgroup_stats *s)
{
    int i = cgroup_tree_of(cg, CTL_IO);
    if (i < 0)
        return;
    if (cgroup_layout()->trees[i].info.v2) {
        stats_io_v2(cg->fd[i], s);
        return;
    }
    s->io_bytes = stats_io_v1(cg->fd[i], "blkio.bfq.io_service_bytes_recursive",
                              "blkio.throttle.io_service_bytes_recursive");
    s->io_serviced =
        stats_io_v1(cg->fd[i], "blkio.bfq.io_serviced_recursive", "blkio.throttle.io_serviced_recursive");
}

int cgroup_stats(struct cgroup *cg, bool details, struct cgroup_stats *ret, struct err *err)
{
    *ret = (struct cgroup_stats){};
    int cpu = cgroup_tree_of(cg, CTL_CPUACCT);
    bool any = false;
    for (size_t i = 0; i < CGROUP_TREES_MAX && !any; i++)
        any = cg->fd[i] >= 0 && faccessat(cg->fd[i], "cgroup.procs", F_OK, 0) == 0;
    if (!any)
        return err_set(err, ERR_NOT_FOUND, "no such cgroup: %s", cg->path);
    if (cpu >= 0 && cgroup_layout()->trees[cpu].info.v2)
        stats_cpu_v2(cg->fd[cpu], ret);
    else
        stats_cpu_v1(cg, details, ret);
    stats_memory(cg, details, ret);
    stats_pids(cg, ret);
    if (details)
        stats_io(cg, ret);
    ret->oom_kills = cgroup_oom_kills(cg);
    return 0;
}

void cgroup_stats_finish(struct cgroup_stats *stats)
{
    json_decref(stats->memory_stat);
    json_decref(stats->cpu_percpu);
    json_decref(stats->io_bytes);
    json_decref(stats->io_serviced);
    *stats = (struct cgroup_stats){};
}
