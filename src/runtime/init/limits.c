/* What the process may use: rlimits, scheduling, CPU affinity, NUMA policy. */
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/init/init.h"
#include "sys/rlimit.h"

struct named_value {
    const char *name;
    unsigned value;
};

static const struct named_value policies[] = {
    {"SCHED_OTHER", 0}, {"SCHED_FIFO", 1}, {"SCHED_RR", 2},       {"SCHED_BATCH", 3},
    {"SCHED_ISO", 4},   {"SCHED_IDLE", 5}, {"SCHED_DEADLINE", 6},
};

static const struct named_value policy_flags[] = {
    {"SCHED_FLAG_RESET_ON_FORK", 0x01},  {"SCHED_FLAG_RECLAIM", 0x02},
    {"SCHED_FLAG_DL_OVERRUN", 0x04},     {"SCHED_FLAG_KEEP_POLICY", 0x08},
    {"SCHED_FLAG_KEEP_PARAMS", 0x10},    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40},
};

static const struct named_value memory_modes[] = {
    {"MPOL_DEFAULT", 0},
    {"MPOL_PREFERRED", 1},
    {"MPOL_BIND", 2},
    {"MPOL_INTERLEAVE", 3},
    {"MPOL_LOCAL", 4},
    {"MPOL_PREFERRED_MANY", 5},
    {"MPOL_WEIGHTED_INTERLEAVE", 6},
};

static const struct named_value memory_flags[] = {
    {"MPOL_F_STATIC_NODES", 1 << 15},
    {"MPOL_F_RELATIVE_NODES", 1 << 14},
    {"MPOL_F_NUMA_BALANCING", 1 << 13},
};

static int value_of(const struct named_value *table, size_t count, const char *name, unsigned *ret)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(table[i].name, name)) {
            *ret = table[i].value;
            return 0;
        }
    return -EINVAL;
}

static int rlimit_failed(const struct spec_rlimit *limit, int errnum, rlim_t hard, struct err *err)
{
    unsigned long long soft = limit->value.rlim_cur, most = limit->value.rlim_max;
    const char *name = rlimit_name(limit->resource);

    if (errnum != EPERM)
        return err_errno(err, errnum, "set rlimit %s to %llu:%llu", name, soft, most);
    return err_errno(err, EPERM,
                     "set rlimit %s to %llu:%llu: the hard limit here is %llu, and raising it needs "
                     "CAP_SYS_RESOURCE",
                     name, soft, most, (unsigned long long)hard);
}

int process_raise_rlimits(const struct spec_process *p, pid_t pid, struct err *err)
{
    for (size_t i = 0; i < p->rlimit_count; i++) {
        const struct spec_rlimit *limit = &p->rlimits[i];
        __rlimit_resource_t resource = (__rlimit_resource_t)limit->resource;
        struct rlimit raised = {0};
        rlim_t hard;

        if (prlimit(pid, resource, NULL, &raised) < 0)
            return rlimit_failed(limit, errno, 0, err);
        if (raised.rlim_max >= limit->value.rlim_max)
            continue;
        hard = raised.rlim_max;
        raised.rlim_max = limit->value.rlim_max;
        if (prlimit(pid, resource, &raised, NULL) < 0)
            return rlimit_failed(limit, errno, hard, err);
    }
    return 0;
}

int process_set_rlimits(const struct spec_process *p, bool of_user, struct err *err)
{
    for (size_t i = 0; i < p->rlimit_count; i++) {
        const struct spec_rlimit *limit = &p->rlimits[i];
        struct rlimit now = {0};

        if (of_user != (limit->resource == RLIMIT_NPROC) ||
            setrlimit((__rlimit_resource_t)limit->resource, &limit->value) == 0)
            continue;
        int errnum = errno;

        getrlimit((__rlimit_resource_t)limit->resource, &now);
        return rlimit_failed(limit, errnum, now.rlim_max, err);
    }
    return 0;
}

/* What a refusal most often means: the kernel gives but one errno for all of it. */
static const char *scheduler_remedy(unsigned policy)
{
    switch (policy) {
    case SCHED_FIFO:
    case SCHED_RR:
        return "it needs CAP_SYS_NICE and, on cgroup v1, a real-time budget: "
               "linux.resources.cpu.realtimeRuntime";
    case SCHED_DEADLINE:
        return "it needs CAP_SYS_NICE; this process scheduler can't be used together with AllowedCPUs, that "
               "is with "
               "linux.resources.cpu.cpus";
    default:
        return "it needs CAP_SYS_NICE";
    }
}

static int set_scheduler(const struct spec_scheduler *s, struct err *err)
{
    struct sched_attr attr = {
        .size = sizeof(attr),
        .sched_nice = s->nice,
        .sched_priority = (uint32_t)s->priority,
        .sched_runtime = s->runtime,
        .sched_deadline = s->deadline,
        .sched_period = s->period,
    };
    unsigned value;

    if (value_of(policies, ARRAY_SIZE(policies), s->policy, &value) < 0)
        return err_set(err, ERR_INVALID, "process.scheduler.policy: unknown policy \"%s\"", s->policy);
    attr.sched_policy = value;
    for (const char **flag = s->flags; flag && *flag; flag++) {
        if (value_of(policy_flags, ARRAY_SIZE(policy_flags), *flag, &value) < 0)
            return err_set(err, ERR_INVALID, "process.scheduler.flags: unknown flag \"%s\"", *flag);
        attr.sched_flags |= value;
    }
    if (syscall(SYS_sched_setattr, 0, &attr, 0) == 0)
        return 0;
    if (errno == EPERM)
        return err_errno(err, EPERM, "set the scheduler %s (%s)", s->policy,
                         scheduler_remedy(attr.sched_policy));
    return err_errno(err, errno, "set the scheduler %s", s->policy);
}

int process_set_priority(const struct spec_process *p, struct err *err)
{
    if (p->scheduler.policy && set_scheduler(&p->scheduler, err) < 0)
        return -1;
    if (p->io_priority >= 0 && syscall(SYS_ioprio_set, /* IOPRIO_WHO_PROCESS */ 1, 0, p->io_priority) < 0)
        return err_errno(err, errno, "set the I/O priority (the class for real time needs CAP_SYS_NICE)");
    return 0;
}

int process_set_personality(int64_t persona, struct err *err)
{
    return persona >= 0 && personality((unsigned long)persona) < 0
               ? err_errno(err, errno, "set the personality")
               : 0;
}

/* "0-3,7" into bits. */
static int parse_list(const char *text, unsigned long *bits, size_t max)
{
    _cleanup_strv_ char **parts = strv_split(text, ',');

    for (char **part = parts; *part; part++) {
        char *dash = strchr(*part, '-');
        uint32_t first, last;

        if (dash)
            *dash = '\0';
        if (str_to_u32(*part, &first) < 0 || str_to_u32(dash ? dash + 1 : *part, &last) < 0 || last >= max ||
            first > last)
            return -EINVAL;
        for (uint32_t i = first; i <= last; i++)
            bits[i / (8 * sizeof(long))] |= 1UL << i % (8 * sizeof(long));
    }
    return 0;
}

enum { LIST_MAX = 1024 };

int process_set_affinity(const char *cpus, struct err *err)
{
    unsigned long bits[LIST_MAX / (8 * sizeof(long))] = {0};

    if (str_empty(cpus))
        return 0;
    if (parse_list(cpus, bits, LIST_MAX) < 0)
        return err_set(err, ERR_INVALID, "process.execCPUAffinity: \"%s\" is no list of CPUs", cpus);
    if (syscall(SYS_sched_setaffinity, 0, sizeof(bits), bits) < 0)
        return err_errno(err, errno, "set the CPU affinity %s", cpus);
    log_debug("nsexec: affinity: 0x%lx", bits[0]);
    return 0;
}

void process_reset_affinity(void)
{
    unsigned long bits[LIST_MAX / (8 * sizeof(long))];

    memset(bits, 0xff, sizeof(bits));
    if (syscall(SYS_sched_setaffinity, 0, sizeof(bits), bits) <
        0) /* it stays as the caller's, which is no less */
        log_debug("reset the CPU affinity: %s", strerror(errno));
}

int process_set_memory_policy(const json_t *policy, struct err *err)
{
    unsigned long bits[LIST_MAX / (8 * sizeof(long))] = {0};
    const char *mode = json_str(policy, "mode"), *nodes = json_str_or(policy, "nodes", "");
    _cleanup_strv_ char **flags = json_strv(policy, "flags");
    unsigned value = 0, extra;

    if (!policy)
        return 0;
    if (value_of(memory_modes, ARRAY_SIZE(memory_modes), mode, &value) < 0)
        return err_set(err, ERR_INVALID, "linux.memoryPolicy.mode: unknown mode \"%s\"", mode ? mode : "");
    for (char **flag = flags; flag && *flag; flag++) {
        if (value_of(memory_flags, ARRAY_SIZE(memory_flags), *flag, &extra) < 0)
            return err_set(err, ERR_INVALID, "linux.memoryPolicy.flags: unknown flag \"%s\"", *flag);
        value |= extra;
    }
    if (*nodes && parse_list(nodes, bits, LIST_MAX) < 0)
        return err_set(err, ERR_INVALID, "linux.memoryPolicy.nodes: \"%s\" is no list of nodes", nodes);
    return syscall(SYS_set_mempolicy, value, *nodes ? bits : NULL, *nodes ? LIST_MAX : 0) < 0
               ? err_errno(err, errno, "set the memory policy %s", mode)
               : 0;
}

static json_t *names_of(const struct named_value *table, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(table[i].name));
    return list;
}

json_t *process_memory_modes(void)
{
    return names_of(memory_modes, ARRAY_SIZE(memory_modes));
}

json_t *process_memory_flags(void)
{
    return names_of(memory_flags, ARRAY_SIZE(memory_flags));
}
