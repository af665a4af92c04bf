/* Docker's objects as tables. Source: Docker Engine API 1.51, ContainerConfig, HostConfig, EndpointSettings.
 */
#include "engine/fields.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"

#define NONE_SHOWN NULL

const struct field config_fields[] = {
    {"Hostname", FIELD_STRING, "\"\""},
    {"Domainname", FIELD_STRING, "\"\""},
    {"User", FIELD_STRING, "\"\""},
    {"AttachStdin", FIELD_BOOL, "false"},
    {"AttachStdout", FIELD_BOOL, "false"},
    {"AttachStderr", FIELD_BOOL, "false"},
    {"ExposedPorts", FIELD_SET, NONE_SHOWN},
    {"Tty", FIELD_BOOL, "false"},
    {"OpenStdin", FIELD_BOOL, "false"},
    {"StdinOnce", FIELD_BOOL, "false"},
    {"Env", FIELD_STRINGS, "[]"},
    {"Cmd", FIELD_ARGS, "null", FIELD_KEEP_EMPTY},
    {"Healthcheck", FIELD_OBJECT, NONE_SHOWN},
    {"ArgsEscaped", FIELD_BOOL, NONE_SHOWN, FIELD_DROPPED},
    {"Image", FIELD_STRING, "\"\""},
    {"Volumes", FIELD_SET, "null"},
    {"WorkingDir", FIELD_STRING, "\"\""},
    {"Entrypoint", FIELD_ARGS, "null", FIELD_KEEP_EMPTY},
    {"NetworkDisabled", FIELD_BOOL, NONE_SHOWN},
    {"MacAddress", FIELD_STRING, NONE_SHOWN},
    {"OnBuild", FIELD_STRINGS, "null"},
    {"Labels", FIELD_STRING_MAP, "{}"},
    {"StopSignal", FIELD_STRING, NONE_SHOWN},
    {"StopTimeout", FIELD_INT, NONE_SHOWN},
    {"Shell", FIELD_STRINGS, NONE_SHOWN},
    {NULL},
};

const struct field host_config_fields[] = {
    {"Binds", FIELD_STRINGS, "null"},
    {"ContainerIDFile", FIELD_STRING, "\"\""},
    {"LogConfig", FIELD_OBJECT, "{\"Type\":\"json-file\",\"Config\":{}}"},
    {"NetworkMode", FIELD_STRING, "\"bridge\""},
    {"PortBindings", FIELD_PORTS, "{}"},
    {"RestartPolicy", FIELD_OBJECT, "{\"Name\":\"no\",\"MaximumRetryCount\":0}"},
    {"AutoRemove", FIELD_BOOL, "false"},
    {"VolumeDriver", FIELD_STRING, "\"\""},
    {"VolumesFrom", FIELD_STRINGS, "null"},
    {"ConsoleSize", FIELD_INTS, "[0,0]"},
    {"Annotations", FIELD_STRING_MAP, NONE_SHOWN},
    {"CapAdd", FIELD_STRINGS, "null"},
    {"CapDrop", FIELD_STRINGS, "null"},
    {"CgroupnsMode", FIELD_STRING, "\"private\""},
    {"Dns", FIELD_STRINGS, "[]"},
    {"DnsOptions", FIELD_STRINGS, "[]"},
    {"DnsSearch", FIELD_STRINGS, "[]"},
    {"ExtraHosts", FIELD_STRINGS, "null"},
    {"GroupAdd", FIELD_STRINGS, "null"},
    {"IpcMode", FIELD_STRING, "\"private\""},
    {"Cgroup", FIELD_STRING, "\"\""},
    {"Links", FIELD_STRINGS, "null"},
    {"OomScoreAdj", FIELD_INT, "0"},
    {"PidMode", FIELD_STRING, "\"\""},
    {"Privileged", FIELD_BOOL, "false"},
    {"PublishAllPorts", FIELD_BOOL, "false"},
    {"ReadonlyRootfs", FIELD_BOOL, "false"},
    {"SecurityOpt", FIELD_STRINGS, "null", FIELD_KEEP_EMPTY},
    {"StorageOpt", FIELD_STRING_MAP, NONE_SHOWN},
    {"Tmpfs", FIELD_STRING_MAP, NONE_SHOWN},
    {"UTSMode", FIELD_STRING, "\"\""},
    {"UsernsMode", FIELD_STRING, "\"\""},
    {"ShmSize", FIELD_INT, "67108864"},
    {"Sysctls", FIELD_STRING_MAP, NONE_SHOWN},
    {"Runtime", FIELD_STRING, "\"runc\""},
    {"Isolation", FIELD_STRING, "\"\""},
    {"CpuShares", FIELD_INT, "0"},
    {"Memory", FIELD_INT, "0"},
    {"NanoCpus", FIELD_INT, "0"},
    {"CgroupParent", FIELD_STRING, "\"\""},
    {"BlkioWeight", FIELD_INT, "0"},
    {"BlkioWeightDevice", FIELD_OBJECTS, "[]"},
    {"BlkioDeviceReadBps", FIELD_OBJECTS, "[]"},
    {"BlkioDeviceWriteBps", FIELD_OBJECTS, "[]"},
    {"BlkioDeviceReadIOps", FIELD_OBJECTS, "[]"},
    {"BlkioDeviceWriteIOps", FIELD_OBJECTS, "[]"},
    {"CpuPeriod", FIELD_INT, "0"},
    {"CpuQuota", FIELD_INT, "0"},
    {"CpuRealtimePeriod", FIELD_INT, "0"},
    {"CpuRealtimeRuntime", FIELD_INT, "0"},
    {"CpusetCpus", FIELD_STRING, "\"\""},
    {"CpusetMems", FIELD_STRING, "\"\""},
    {"Devices", FIELD_OBJECTS, "[]"},
    {"DeviceCgroupRules", FIELD_STRINGS, "null"},
    {"DeviceRequests", FIELD_OBJECTS, "null"},
    {"KernelMemory", FIELD_INT, NONE_SHOWN, FIELD_DROPPED},
    {"KernelMemoryTCP", FIELD_INT, NONE_SHOWN},
    {"MemoryReservation", FIELD_INT, "0"},
    {"MemorySwap", FIELD_INT, "0"},
    {"MemorySwappiness", FIELD_INT, "null", FIELD_KEEP_EMPTY},
    {"OomKillDisable", FIELD_BOOL, "null"},
    {"Init", FIELD_BOOL, NONE_SHOWN, FIELD_KEEP_EMPTY},
    {"PidsLimit", FIELD_INT, "null"},
    {"Ulimits", FIELD_OBJECTS, "[]"},
    {"CpuCount", FIELD_INT, "0"},
    {"CpuPercent", FIELD_INT, "0"},
    {"IOMaximumIOps", FIELD_INT, "0"},
    {"IOMaximumBandwidth", FIELD_INT, "0"},
    {"Mounts", FIELD_OBJECTS, NONE_SHOWN},
    {"MaskedPaths", FIELD_STRINGS,
     "[\"/proc/asound\",\"/proc/acpi\",\"/proc/interrupts\",\"/proc/kcore\",\"/proc/keys\",\"/proc/"
     "latency_stats\","
     "\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\",\"/proc/scsi\",\"/sys/firmware\","
     "\"/sys/devices/virtual/powercap\"]",
     FIELD_KEEP_EMPTY},
    {"ReadonlyPaths", FIELD_STRINGS,
     "[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/sysrq-trigger\"]", FIELD_KEEP_EMPTY},
    {NULL},
};

const struct field endpoint_fields[] = {
    {"IPAMConfig", FIELD_OBJECT, "null", FIELD_KEEP_EMPTY},
    {"Links", FIELD_STRINGS, "null"},
    {"Aliases", FIELD_STRINGS, "null", FIELD_KEEP_EMPTY},
    {"MacAddress", FIELD_STRING, "\"\""},
    {"DriverOpts", FIELD_STRING_MAP, "null"},
    {"GwPriority", FIELD_INT, "0"},
    {"NetworkID", FIELD_STRING, "\"\""},
    {"EndpointID", FIELD_STRING, "\"\""},
    {"Gateway", FIELD_STRING, "\"\""},
    {"IPAddress", FIELD_STRING, "\"\""},
    {"IPPrefixLen", FIELD_INT, "0"},
    {"IPv6Gateway", FIELD_STRING, "\"\""},
    {"GlobalIPv6Address", FIELD_STRING, "\"\""},
    {"GlobalIPv6PrefixLen", FIELD_INT, "0"},
    {"DNSNames", FIELD_STRINGS, "null"},
    {NULL},
};

/* ---- types ---- */

static bool all_of(const json_t *array, json_type type, bool null_too)
{
    size_t i;
    const json_t *value;
    json_array_foreach (array, i, value)
        if (json_typeof(value) != type && !(null_too && json_is_null(value)))
            return false;
    return true;
}

static bool members_are(const json_t *object, json_type type, bool null_too)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)object, key, value) {
        if (json_typeof(value) != type && !(null_too && json_is_null(value)))
            return false;
    }
    return true;
}

/* NULL when the value has the type, else what was expected. */
static const char *type_mismatch(enum field_type type, const json_t *v)
{
    switch (type) {
    case FIELD_STRING:
        return json_is_string(v) ? NULL : "a string";
    case FIELD_INT:
        return json_is_integer(v) ? NULL : "a whole number";
    case FIELD_BOOL:
        return json_is_boolean(v) ? NULL : "true or false";
    case FIELD_ARGS:
        if (json_is_string(v))
            return NULL;
        return json_is_array(v) && all_of(v, JSON_STRING, false) ? NULL : "a string or a list of strings";
    case FIELD_STRINGS:
        return json_is_array(v) && all_of(v, JSON_STRING, false) ? NULL : "a list of strings";
    case FIELD_STRING_MAP:
        return json_is_object(v) && members_are(v, JSON_STRING, false) ? NULL : "an object of strings";
    case FIELD_SET:
        return json_is_object(v) && members_are(v, JSON_OBJECT, true) ? NULL : "an object of empty objects";
    case FIELD_OBJECT:
        return json_is_object(v) ? NULL : "an object";
    case FIELD_OBJECTS:
        return json_is_array(v) && all_of(v, JSON_OBJECT, false) ? NULL : "a list of objects";
    case FIELD_INTS:
        return json_is_array(v) && all_of(v, JSON_INTEGER, false) ? NULL : "a list of numbers";
    case FIELD_PORTS:
        return json_is_object(v) && members_are(v, JSON_ARRAY, true) ? NULL : "an object of lists";
    }
    return "something else";
}

static bool is_empty(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        return json_string_length(v) == 0;
    case JSON_INTEGER:
        return json_integer_value(v) == 0;
    case JSON_ARRAY:
        return json_array_size(v) == 0;
    case JSON_OBJECT:
        return json_object_size(v) == 0;
    default:
        return !json_is_true(v);
    }
}

json_t *fields_compact(const struct field *fields, const json_t *object, const char *where, struct err *err)
{
    _cleanup_json_ json_t *compact = json_object();
    for (const struct field *f = fields; f->name; f++) {
        json_t *value = json_object_get(object, f->name);
        if (!value || json_is_null(value))
            continue;
        const char *expected = type_mismatch(f->type, value);
        if (expected) {
            err_set(err, ERR_INVALID, "invalid JSON: %s.%s must be %s", where, f->name, expected);
            return NULL;
        }
        bool empty = is_empty(value);
        if ((f->flags & FIELD_REFUSED) && !empty) {
            err_set(err, ERR_NOT_IMPLEMENTED, "%s.%s is not supported yet", where, f->name);
            return NULL;
        }
        if ((f->flags & FIELD_DROPPED) || (empty && !(f->flags & FIELD_KEEP_EMPTY)))
            continue;
        if (f->type == FIELD_ARGS && json_is_string(value))
            json_object_set_new(compact, f->name, json_pack("[O]", value));
        else
            json_object_set(compact, f->name, value);
    }
    return take_ptr(&compact);
}

json_t *fields_expand(const struct field *fields, const json_t *compact)
{
    json_t *full = json_object();
    for (const struct field *f = fields; f->name; f++) {
        json_t *value = json_object_get(compact, f->name);
        if (value)
            json_object_set(full, f->name, value);
        else if (f->otherwise)
            json_object_set_new(full, f->name, json_loads(f->otherwise, JSON_DECODE_ANY, NULL));
    }
    return full;
}
