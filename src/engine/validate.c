/* One function per subject, and the list of them at the end. */
#include "engine/validate.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/exec.h"
#include "engine/logs.h"
#include "engine/monitors.h"
#include "engine/published.h"
#include "engine/signals.h"
#include "engine/validate_parts.h"

static int invalid(struct err *err, const char *text)
{
    return err_set(err, ERR_INVALID, "%s", text);
}

/* ---- the program ---- */

static int check_process(const struct subject *s, struct err *err)
{
    const char *cwd = json_str_or(s->config, "WorkingDir", ""),
               *stop = json_str_or(s->config, "StopSignal", "");
    const json_t *row;
    size_t i;
    int ignored;
    if (*cwd && *cwd != '/')
        return err_set(err, ERR_INVALID,
                       "the working directory '%.256s' is invalid, it needs to be an absolute path", cwd);
    json_array_foreach (json_object_get(s->config, "Env"), i, row) {
        const char *text = json_string_value(row);
        if (!*text || *text == '=')
            return err_set(err, ERR_INVALID, "invalid environment variable: %.256s", text);
    }
    if (*stop && signal_parse(stop, &ignored, err) < 0)
        return -1;
    if (json_array_size(json_object_get(s->config, "Cmd")) +
            json_array_size(json_object_get(s->config, "Entrypoint")) ==
        0)
        return invalid(err, "no command specified");
    return 0;
}

static int check_hostname(const struct subject *s, struct err *err)
{
    const char *name = json_str_or(s->config, "Hostname", "");
    const char *domain = json_str_or(s->config, "Domainname", "");
    if (strlen(domain) > 64 || strpbrk(domain, " \t\r\n/"))
        return err_set(err, ERR_INVALID, "invalid domain name format: %.80s", domain);
    if (strlen(name) > 64)
        return err_set(err, ERR_INVALID, "invalid hostname '%.80s': longer than 64 characters", name);
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == '/')
            return err_set(err, ERR_INVALID, "invalid hostname format: %.80s", name);
    return 0;
}

static int check_health(const struct subject *s, struct err *err)
{
    static const char *const times[] = {"Interval", "Timeout", "StartPeriod", "StartInterval"};
    const json_t *health = json_object_get(s->config, "Healthcheck"), *test = json_object_get(health, "Test"),
                 *word;
    size_t i;
    if (test && !json_is_null(test) && !json_is_array(test))
        return err_set(err, ERR_INVALID, "invalid JSON: Healthcheck.Test must be a list of strings");
    for (i = 0; i < ARRAY_SIZE(times); i++) {
        int64_t ns = json_int_or(health, times[i], 0);
        if (ns && ns < 1000000)
            return err_set(err, ERR_INVALID, "%s in Healthcheck cannot be less than 1ms", times[i]);
    }
    if (json_int_or(health, "Retries", 0) < 0)
        return err_set(err, ERR_INVALID, "Retries in Healthcheck cannot be negative");
    json_array_foreach (test, i, word) {
        if (!json_is_string(word))
            return err_set(err, ERR_INVALID, "invalid JSON: Healthcheck.Test must be a list of strings");
    }
    return 0;
}

/* keg's own. */
static int check_labels(const struct subject *s, struct err *err)
{
    const json_t *labels = json_object_get(s->config, "Labels");
    const char *action = json_str_or(labels, HEALTH_ACTION_LABEL, "none"),
               *end = json_str_or(labels, EXEC_END_LABEL, "");
    if (!str_eq(action, "none") && !str_eq(action, "restart") && !str_eq(action, "stop") &&
        !str_eq(action, "kill"))
        return err_set(err, ERR_INVALID, "label %s=%.64s: must be none, restart, stop or kill",
                       HEALTH_ACTION_LABEL, action);
    if (!exec_end_is_known(end))
        return err_set(err, ERR_INVALID, "label %s=%.64s: must be none, process or client", EXEC_END_LABEL,
                       end);
    return 0;
}

/* ---- ports ---- */

int container_parse_port(const char *text, uint16_t *ret_port, char ret_protocol[8], struct err *err)
{
    const char *slash = strchr(text, '/');
    _cleanup_free_ char *digits = xstrndup(text, slash ? (size_t)(slash - text) : strlen(text));
    const char *protocol = slash ? slash + 1 : "tcp";
    uint32_t port;
    if (str_to_u32(digits, &port) < 0 || port > 65535)
        return err_set(err, ERR_INVALID, "invalid port specification: \"%.64s\"", text);
    if (!str_eq(protocol, "tcp") && !str_eq(protocol, "udp") && !str_eq(protocol, "sctp"))
        return err_set(err, ERR_INVALID, "invalid proto: %.32s", protocol);
    *ret_port = (uint16_t)port;
    snprintf(ret_protocol, 8, "%s", protocol);
    return 0;
}

static int check_ports(const struct subject *s, struct err *err)
{
    const char *key;
    json_t *bindings;
    const json_t *binding;
    uint16_t port, first, last;
    char protocol[8];
    size_t i;
    json_object_foreach (json_object_get(s->config, "ExposedPorts"), key, bindings) {
        if (container_parse_port(key, &port, protocol, err) < 0)
            return -1;
    }
    json_object_foreach (json_object_get(s->host, "PortBindings"), key, bindings) {
        if (container_parse_port(key, &port, protocol, err) < 0)
            return -1;
        json_array_foreach (bindings, i, binding) {
            if (published_parse_host(json_str_or(binding, "HostPort", ""), &first, &last, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* ---- resources ---- */

#define MEBIBYTE (1024 * 1024LL)

static int check_memory(const struct subject *s, struct err *err)
{
    int64_t limit = json_int_or(s->host, "Memory", 0), swap = json_int_or(s->host, "MemorySwap", 0);
    int64_t reservation = json_int_or(s->host, "MemoryReservation", 0);
    int64_t swappiness = json_int_or(s->host, "MemorySwappiness", -1);
    if (limit < 0 || (limit > 0 && limit < 6 * MEBIBYTE))
        return invalid(err, "Minimum memory limit allowed is 6MB");
    if (limit > 0 && swap > 0 && swap < limit)
        return invalid(err, "Minimum memoryswap limit should be larger than memory limit, see usage");
    if (limit == 0 && swap > 0)
        return invalid(err, "You should always set the Memory limit when using Memoryswap limit, see usage");
    if (reservation < 0 || (reservation > 0 && reservation < 6 * MEBIBYTE))
        return invalid(err, "Minimum memory reservation allowed is 6MB");
    if (limit > 0 && reservation > limit)
        return invalid(err, "Minimum memory limit can not be less than memory reservation limit, see usage");
    if (swappiness < -1 || swappiness > 100)
        return err_set(err, ERR_INVALID, "Invalid value: %lld, valid memory swappiness range is 0-100",
                       (long long)swappiness);
    if (json_int_or(s->host, "ShmSize", 0) < 0)
        return invalid(err, "SHM size can not be less than 0");
    return 0;
}

static int check_cpu(const struct subject *s, struct err *err)
{
    int64_t nano = json_int_or(s->host, "NanoCpus", 0), period = json_int_or(s->host, "CpuPeriod", 0);
    int64_t quota = json_int_or(s->host, "CpuQuota", 0);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (nano > 0 && period > 0)
        return invalid(err, "Conflicting options: Nano CPUs and CPU Period cannot both be set");
    if (nano > 0 && quota > 0)
        return invalid(err, "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    if (nano < 0 || (nano > 0 && nano < 10000000) || nano > cpus * 1000000000LL)
        return err_set(err, ERR_INVALID,
                       "range of CPUs is from 0.01 to %ld.00, as there are only %ld CPUs available", cpus,
                       cpus);
    if (period != 0 && (period < 1000 || period > 1000000))
        return invalid(
            err, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    if (quota > 0 && quota < 1000)
        return invalid(err, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
    int64_t shares = json_int_or(s->host, "CpuShares", 0);
    if (shares < 0)
        return err_set(err, ERR_INVALID, "invalid CPU shares (%lld): value must be a positive integer",
                       (long long)shares);
    return 0;
}

/* "0-3,5": its last number in ret_last, -1 for an empty list; false: no list. */
static bool read_cpu_list(const char *text, int64_t *ret_last)
{
    *ret_last = -1;
    while (*text) {
        char *end;
        long long number = strtoll(text, &end, 10);
        if (end == text || *text < '0' || *text > '9' || (*end && *end != ',' && *end != '-'))
            return false;
        *ret_last = number > *ret_last ? number : *ret_last;
        text = *end ? end + 1 : end;
    }
    return true;
}

/* A list of processors or memory nodes, and the kernel's list of those that are there. */
static int check_cpu_list(const struct subject *s, const char *member, const char *title, const char *online,
                          const char *plural, struct err *err)
{
    const char *text = json_str_or(s->host, member, "");
    _cleanup_(buf_finish) struct buf there = BUF_INIT(4096);
    int64_t last, last_there;
    if (!read_cpu_list(text, &last))
        return err_set(err, ERR_INVALID, "Invalid value %.128s for cpuset %s: invalid format: %.128s", text,
                       title, text);
    if (last < 0 || file_read(AT_FDCWD, online, &there) < 0)
        return 0;
    _cleanup_free_ char *available = xstrndup(buf_str(&there), strcspn(buf_str(&there), "\n"));
    if (read_cpu_list(available, &last_there) && last > last_there)
        return err_set(err, ERR_INVALID, "Requested %s are not available - requested %.128s, available: %s",
                       plural, text, available);
    return 0;
}

static int check_other_resources(const struct subject *s, struct err *err)
{
    int64_t weight = json_int_or(s->host, "BlkioWeight", 0), adj = json_int_or(s->host, "OomScoreAdj", 0);
    const char *parent = json_str_or(s->host, "CgroupParent", "");
    if (weight != 0 && (weight < 10 || weight > 1000))
        return invalid(err, "Range of blkio weight is from 10 to 1000");
    if (adj < -1000 || adj > 1000)
        return err_set(err, ERR_INVALID, "Invalid value %lld, range for oom score adj is [-1000, 1000]",
                       (long long)adj);
    if (check_cpu_list(s, "CpusetCpus", "cpus", "/sys/devices/system/cpu/online", "CPUs", err) < 0 ||
        check_cpu_list(s, "CpusetMems", "mems", "/sys/devices/system/node/online", "memory nodes", err) < 0)
        return -1;
    if (strstr(parent, ".."))
        return err_set(err, ERR_INVALID, "invalid cgroup parent: %.128s", parent);
    return 0;
}

/* ---- namespaces ---- */

struct mode_row {
    const char *member, *before, *after; /* what is said around a wrong value */
    const char *const *values;
    bool container_too; /* "container:x" */
};

static const struct mode_row modes[] = {
    {"PidMode", "invalid PID mode: ", "", (const char *const[]){"host", NULL}, true},
    {"IpcMode", "invalid IPC mode: ", "", (const char *const[]){"none", "private", "shareable", "host", NULL},
     true},
    {"UTSMode", "invalid UTS mode: ", "", (const char *const[]){"host", NULL}, false},
    {"CgroupnsMode", "invalid cgroup namespace mode: ", "", (const char *const[]){"private", "host", NULL},
     false},
    {"UsernsMode", "invalid userns mode: ", "", (const char *const[]){"host", NULL}, false},
    {"Isolation", "invalid isolation (", "): linux only supports 'default'",
     (const char *const[]){"default", NULL}, false},
};

static int check_modes(const struct subject *s, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        const struct mode_row *m = &modes[i];
        const char *value = json_str_or(s->host, m->member, "");
        const char *other = str_after(value, "container:");
        bool good = !*value || (m->container_too && other && *other);
        for (const char *const *v = m->values; *v && !good; v++)
            good = str_eq(*v, value);
        if (!good)
            return err_set(err, ERR_INVALID, "%s%.128s%s", m->before, value, m->after);
    }
    return 0;
}

static bool has_any(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_array_size(value) + json_object_size(value) > 0 || *json_str_or(object, key, "");
}

/* What belongs to a namespace that is another's cannot be chosen. */
static int check_conflicts(const struct subject *s, struct err *err)
{
    const char *network = json_str_or(s->host, "NetworkMode", "");
    const char *other = str_after(network, "container:");
    bool has_hostname = has_any(s->config, "Hostname"), has_ports = has_any(s->host, "PortBindings");
    if (str_eq(json_str(s->host, "UTSMode"), "host") && has_hostname)
        return invalid(err, "conflicting options: hostname and the UTS mode");
    if (str_eq(network, "host") && has_ports)
        json_array_append_new(s->warnings,
                              json_string("Published ports are discarded when using host network mode"));
    if (!other)
        return 0;
    if (!*other)
        return invalid(err, "invalid network mode: container name or ID is missing");
    if (has_hostname)
        return invalid(err, "conflicting options: hostname and the network mode");
    if (has_any(s->host, "Dns"))
        return invalid(err, "conflicting options: dns and the network mode");
    if (has_any(s->host, "ExtraHosts"))
        return invalid(err, "conflicting options: custom host-to-IP mapping and the network mode");
    if (has_any(s->config, "MacAddress"))
        return invalid(err, "conflicting options: mac-address and the network mode");
    if (has_ports || json_bool_or(s->host, "PublishAllPorts", false))
        return invalid(err, "conflicting options: port publishing and the container type network mode");
    if (has_any(s->config, "ExposedPorts"))
        return invalid(err, "conflicting options: port exposing and the container type network mode");
    return 0;
}

/* ---- policies ---- */

int container_check_restart_policy(const json_t *policy, struct err *err)
{
    const char *name = json_str_or(policy, "Name", "");
    int64_t count = json_int_or(policy, "MaximumRetryCount", 0);
    static const char *const names[] = {"", "no", "always", "on-failure", "unless-stopped"};
    bool known = false;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        known = known || str_eq(names[i], name);
    if (!known)
        return err_set(
            err, ERR_INVALID,
            "invalid restart policy: unknown policy '%.64s'; use one of 'no', 'always', 'on-failure', or "
            "'unless-stopped'",
            name);
    if (count < 0)
        return invalid(err, "invalid restart policy: maximum retry count cannot be negative");
    if (count > 0 && !str_eq(name, "on-failure"))
        return invalid(err, "invalid restart policy: maximum retry count can only be used with 'on-failure'");
    return 0;
}

static int check_restart(const struct subject *s, struct err *err)
{
    const json_t *policy = json_object_get(s->host, "RestartPolicy");
    const char *name = json_str_or(policy, "Name", "");
    if (container_check_restart_policy(policy, err) < 0)
        return -1;
    if (json_bool_or(s->host, "AutoRemove", false) && *name && !str_eq(name, "no"))
        return invalid(err, "can't create 'AutoRemove' container with restart policy");
    return 0;
}

static int check_log(const struct subject *s, struct err *err)
{
    struct log_settings settings;
    return log_settings_parse(json_object_get(s->host, "LogConfig"), &settings, err);
}

int container_validate(const struct engine_options *options, const json_t *config, const json_t *host_config,
                       json_t *warnings, struct err *err)
{
    static int (*const checks[])(const struct subject *s, struct err *err) = {
        check_process,        check_hostname,   check_health,          check_labels,      check_ports,
        check_memory,         check_cpu,        check_other_resources, validate_realtime, validate_oom,
        validate_foreign,     validate_storage, check_modes,           check_conflicts,   validate_links,
        validate_extra_hosts, validate_dns,     validate_mac,          check_restart,     check_log,
        validate_annotations, validate_ulimits, validate_security,
    };
    const struct subject s = {
        .options = options, .config = config, .host = host_config, .warnings = warnings};
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
        if (checks[i](&s, err) < 0)
            return -1;
    return 0;
}
