/* `process` of the configuration, and of exec. */
#include <limits.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "runtime/spec.h"
#include "runtime/spec_fields.h"
#include "sys/rlimit.h"

static const struct spec_field process_fields[] = {
    {"terminal", SPEC_BOOL, offsetof(struct spec_process, terminal), 0},
    {"args", SPEC_STRINGS, offsetof(struct spec_process, args), SPEC_REQUIRED},
    {"env", SPEC_STRINGS, offsetof(struct spec_process, env), 0},
    {"cwd", SPEC_PATH, offsetof(struct spec_process, cwd), SPEC_REQUIRED},
    {"noNewPrivileges", SPEC_BOOL, offsetof(struct spec_process, no_new_privileges), 0},
    {"apparmorProfile", SPEC_STRING, offsetof(struct spec_process, apparmor_profile), 0},
    {"selinuxLabel", SPEC_STRING, offsetof(struct spec_process, selinux_label), 0},
    {"oomScoreAdj", SPEC_I64, offsetof(struct spec_process, oom_score_adj), 0},
};

/* What has rows or rules of its own. */
struct parts {
    const json_t *user, *size, *affinity, *scheduler, *io_priority, *capabilities, *rlimits;
};

static const struct spec_field part_fields[] = {
    {"user", SPEC_OBJECT, offsetof(struct parts, user), 0},
    {"consoleSize", SPEC_OBJECT, offsetof(struct parts, size), 0},
    {"execCPUAffinity", SPEC_OBJECT, offsetof(struct parts, affinity), 0},
    {"scheduler", SPEC_OBJECT, offsetof(struct parts, scheduler), 0},
    {"ioPriority", SPEC_OBJECT, offsetof(struct parts, io_priority), 0},
    {"capabilities", SPEC_OBJECT, offsetof(struct parts, capabilities), 0},
    {"rlimits", SPEC_ARRAY, offsetof(struct parts, rlimits), 0},
};

static const struct spec_field groups_fields[] = {{"additionalGids", SPEC_ARRAY, 0, 0}};

static const struct spec_field user_fields[] = {
    {"uid", SPEC_U32, offsetof(struct spec_process, uid), 0},
    {"gid", SPEC_U32, offsetof(struct spec_process, gid), 0},
    {"umask", SPEC_I64, offsetof(struct spec_process, umask), 0},
};

static const struct spec_field size_fields[] = {
    {"height", SPEC_U16, offsetof(struct spec_process, rows), 0},
    {"width", SPEC_U16, offsetof(struct spec_process, columns), 0},
};

static const struct spec_field affinity_fields[] = {
    {"initial", SPEC_STRING, offsetof(struct spec_process, cpus_initial), 0},
    {"final", SPEC_STRING, offsetof(struct spec_process, cpus_final), 0},
};

static const struct spec_field scheduler_fields[] = {
    {"policy", SPEC_STRING, offsetof(struct spec_scheduler, policy), SPEC_REQUIRED},
    {"nice", SPEC_I32, offsetof(struct spec_scheduler, nice), 0},
    {"priority", SPEC_I32, offsetof(struct spec_scheduler, priority), 0},
    {"flags", SPEC_STRINGS, offsetof(struct spec_scheduler, flags), 0},
    {"runtime", SPEC_U64, offsetof(struct spec_scheduler, runtime), 0},
    {"deadline", SPEC_U64, offsetof(struct spec_scheduler, deadline), 0},
    {"period", SPEC_U64, offsetof(struct spec_scheduler, period), 0},
};

static int groups_parse(const json_t *array, struct spec_process *p, struct err *err)
{
    size_t n = json_array_size(array), i;
    json_t *item;

    if (n > NGROUPS_MAX)
        return spec_error(err, "process.user.additionalGids", "more than %d groups", NGROUPS_MAX);
    p->groups = xcalloc(n ? n : 1, sizeof(*p->groups));
    json_array_foreach (array, i, item) {
        json_int_t gid = json_integer_value(item);

        if (!json_is_integer(item) || gid < 0 || gid >= UINT32_MAX)
            return spec_error(err, "process.user.additionalGids", "[%zu] is no group id", i);
        p->groups[p->group_count++] = (gid_t)gid;
    }
    return 0;
}

static int rlimits_parse(const json_t *array, struct spec_process *p, struct err *err)
{
    size_t n = json_array_size(array);

    p->rlimits = xcalloc(n ? n : 1, sizeof(*p->rlimits));
    for (size_t i = 0; i < n; i++) {
        struct {
            const char *type;
            uint64_t soft, hard;
        } limit = {0};
        static const struct spec_field fields[] = {
            {"type", SPEC_STRING, 0, SPEC_REQUIRED},
            {"soft", SPEC_U64, 8, SPEC_REQUIRED},
            {"hard", SPEC_U64, 16, SPEC_REQUIRED},
        };
        char at[48];
        int resource;

        snprintf(at, sizeof(at), "process.rlimits[%zu]", i);
        if (spec_read(json_array_get(array, i), at, fields, ARRAY_SIZE(fields), &limit, err) < 0)
            return -1;
        resource = rlimit_from_name(limit.type);
        if (resource < 0)
            return spec_error(err, at, "unknown limit \"%s\"", limit.type);
        if (limit.soft > limit.hard)
            return spec_error(err, at, "%s: soft %llu is above hard %llu", limit.type,
                              (unsigned long long)limit.soft, (unsigned long long)limit.hard);
        for (size_t k = 0; k < p->rlimit_count; k++)
            if (p->rlimits[k].resource == resource)
                return spec_error(err, at, "%s is listed twice", limit.type);
        p->rlimits[p->rlimit_count++] =
            (struct spec_rlimit){resource, {.rlim_cur = limit.soft, .rlim_max = limit.hard}};
    }
    return 0;
}

static int io_priority_parse(const json_t *json, struct spec_process *p, struct err *err)
{
    static const char *const classes[] = {"", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"};
    const char *name = json_str(json, "class");
    int64_t priority = json_int_or(json, "priority", 0);

    if (!json || json_is_null(json))
        return 0;
    for (int i = 1; i < (int)ARRAY_SIZE(classes); i++)
        if (str_eq(classes[i], name) && priority >= 0 && priority <= 7) {
            p->io_priority = i << 13 | (int)priority;
            return 0;
        }
    return spec_error(err, "process.ioPriority",
                      "needs a class IOPRIO_CLASS_RT, _BE or _IDLE and a priority 0…7");
}

/* sched(7): 0 < runtime <= deadline <= period, and the kernel's bounds. Its own answer would be "Invalid argument" alone. */
static int deadline_check(const json_t *json, const struct spec_scheduler *s, struct err *err)
{
    static const char at[] = "process.scheduler: sched_setattr";
    static const char *const required[] = {"runtime", "deadline"};
    enum { RUNTIME_MIN = 1024 };

    for (size_t i = 0; i < ARRAY_SIZE(required); i++)
        if (!json_object_get(json, required[i]))
            return spec_error(err, at, "`SCHED_DEADLINE` requires `%s`", required[i]);
    if (!s->runtime)
        return spec_error(err, at, "`SCHED_DEADLINE` runtime must be greater than 0");
    if (s->runtime < RUNTIME_MIN || s->runtime > INT64_MAX)
        return spec_error(err, at, "`SCHED_DEADLINE` runtime must be between %d and %lld nanoseconds",
                          RUNTIME_MIN, (long long)INT64_MAX);
    if (s->runtime > s->deadline)
        return spec_error(err, at, "`SCHED_DEADLINE` runtime %llu must be <= deadline %llu",
                          (unsigned long long)s->runtime, (unsigned long long)s->deadline);
    if (s->period && s->deadline > s->period)
        return spec_error(err, at, "`SCHED_DEADLINE` deadline %llu must be <= period %llu",
                          (unsigned long long)s->deadline, (unsigned long long)s->period);
    return 0;
}

static int scheduler_parse(const json_t *json, struct spec_scheduler *s, struct err *err)
{
    if (!json_is_object(json))
        return 0;
    if (spec_read(json, "process.scheduler", scheduler_fields, ARRAY_SIZE(scheduler_fields), s, err) < 0)
        return -1;
    return str_eq(s->policy, "SCHED_DEADLINE") ? deadline_check(json, s, err) : 0;
}

static int validate(const struct spec_process *p, struct err *err)
{
    if (!p->args[0])
        return spec_error(err, "process.args", "empty");
    if (p->uid == UINT32_MAX || p->gid == UINT32_MAX)
        return spec_error(err, "process.user", "4294967295 is no user or group id");
    if (p->oom_score_adj != INT64_MIN && (p->oom_score_adj < -1000 || p->oom_score_adj > 1000))
        return spec_error(err, "process.oomScoreAdj", "must be from -1000 to 1000");
    if (p->umask != INT64_MIN && (p->umask < 0 || p->umask > 07777))
        return spec_error(err, "process.user.umask", "%lld is no file mode", (long long)p->umask);
    return 0;
}

static int capabilities_parse(const json_t *json, struct spec_process *p, struct err *err)
{
    static const char *const sets[] = {"bounding", "permitted", "effective", "inheritable", "ambient"};

    for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
        const json_t *set = json_object_get(json, sets[i]);
        size_t k;
        json_t *name;

        if (set && !json_is_array(set) && !json_is_null(set))
            return spec_error(err, "process.capabilities", "%s: expected an array of strings", sets[i]);
        json_array_foreach (set, k, name)
            if (!json_is_string(name))
                return spec_error(err, "process.capabilities", "%s: expected an array of strings", sets[i]);
    }
    p->has_capabilities = json != NULL;
    p->capabilities = capability_sets_from_json(json);
    return 0;
}

int spec_process_parse(const json_t *json, struct spec_process *p, struct err *err)
{
    struct parts parts = {0};
    const json_t *groups = NULL;

    *p = (struct spec_process){.umask = INT64_MIN, .oom_score_adj = INT64_MIN, .io_priority = -1};
    if (spec_read(json, "process", process_fields, ARRAY_SIZE(process_fields), p, err) < 0 ||
        spec_read(json, "process", part_fields, ARRAY_SIZE(part_fields), &parts, err) < 0)
        return -1;
    if (parts.user &&
        (spec_read(parts.user, "process.user", user_fields, ARRAY_SIZE(user_fields), p, err) < 0 ||
         spec_read(parts.user, "process.user", groups_fields, ARRAY_SIZE(groups_fields), &groups, err) < 0))
        return -1;
    if (parts.size && p->terminal &&
        spec_read(parts.size, "process.consoleSize", size_fields, ARRAY_SIZE(size_fields), p, err) < 0)
        return -1;
    if (parts.affinity && spec_read(parts.affinity, "process.execCPUAffinity", affinity_fields,
                                    ARRAY_SIZE(affinity_fields), p, err) < 0)
        return -1;
    if (scheduler_parse(parts.scheduler, &p->scheduler, err) < 0 || groups_parse(groups, p, err) < 0 ||
        rlimits_parse(parts.rlimits, p, err) < 0 || io_priority_parse(parts.io_priority, p, err) < 0 ||
        capabilities_parse(parts.capabilities, p, err) < 0)
        return -1;
    return validate(p, err);
}

void spec_process_finish(struct spec_process *p)
{
    free(p->args);
    free(p->env);
    free(p->groups);
    free(p->rlimits);
    free(p->scheduler.flags);
}

void spec_process_inherit(struct spec_process *p, const struct spec_process *of)
{
    if (!p->has_capabilities)
        p->capabilities = of->capabilities;
    p->keep_groups = of->keep_groups;
    if (p->oom_score_adj == INT64_MIN)
        p->oom_score_adj = of->oom_score_adj;
    if (!p->rlimit_count && of->rlimit_count) {
        free(p->rlimits);
        p->rlimits = xcalloc(of->rlimit_count, sizeof(*p->rlimits));
        memcpy(p->rlimits, of->rlimits, of->rlimit_count * sizeof(*p->rlimits));
        p->rlimit_count = of->rlimit_count;
    }
    if (!p->scheduler.policy && of->scheduler.policy) {
        size_t flags = 0;

        while (of->scheduler.flags && of->scheduler.flags[flags])
            flags++;
        p->scheduler = of->scheduler;
        p->scheduler.flags = xcalloc(flags + 1, sizeof(*p->scheduler.flags));
        for (size_t i = 0; i < flags; i++)
            p->scheduler.flags[i] = of->scheduler.flags[i];
    }
    if (p->io_priority < 0)
        p->io_priority = of->io_priority;
    if (str_empty(p->apparmor_profile))
        p->apparmor_profile = of->apparmor_profile;
    if (str_empty(p->selinux_label))
        p->selinux_label = of->selinux_label;
    if (!p->cpus_initial && !p->cpus_final) {
        p->cpus_initial = of->cpus_initial;
        p->cpus_final = of->cpus_final;
    }
}
