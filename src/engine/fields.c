/* Docker's objects as tables. Source: Docker Engine API 1.51, ContainerConfig, HostConfig, EndpointSettings.
 */
#include "engine/fields.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/str.h"

#define NONE_SHOWN NULL

/* ---- objects within objects ---- */

static const struct field health_fields[] = {
    {"Test", FIELD_STRINGS, NONE_SHOWN},
    {"Interval", FIELD_INT, NONE_SHOWN},
    {"Timeout", FIELD_INT, NONE_SHOWN},
    {"StartPeriod", FIELD_INT, NONE_SHOWN},
    {"StartInterval", FIELD_INT, NONE_SHOWN},
    {"Retries", FIELD_INT, NONE_SHOWN},
    {NULL},
};

static const struct field log_fields[] = {
    {"Type", FIELD_STRING, "\"\""},
    {"Config", FIELD_STRING_MAP, "{}"},
    {NULL},
};

static const struct field restart_fields[] = {
    {"Name", FIELD_STRING, "\"no\""},
    {"MaximumRetryCount", FIELD_INT, "0"},
    {NULL},
};

static const struct field binding_fields[] = {
    {"HostIp", FIELD_STRING, "\"\""},
    {"HostPort", FIELD_STRING, "\"\""},
    {NULL},
};

static const struct field weight_fields[] = {
    {"Path", FIELD_STRING, "\"\""},
    {"Weight", FIELD_UINT16, "0"},
    {NULL},
};

static const struct field rate_fields[] = {
    {"Path", FIELD_STRING, "\"\""},
    {"Rate", FIELD_UINT, "0"},
    {NULL},
};

static const struct field device_fields[] = {
    {"PathOnHost", FIELD_STRING, "\"\""},
    {"PathInContainer", FIELD_STRING, "\"\""},
    {"CgroupPermissions", FIELD_STRING, "\"\""},
    {NULL},
};

static const struct field device_request_fields[] = {
    {"Driver", FIELD_STRING, "\"\""},
    {"Count", FIELD_INT, "0"},
    {"DeviceIDs", FIELD_STRINGS, "null", FIELD_KEEP_EMPTY},
    {"Capabilities", FIELD_LISTS, "null", FIELD_KEEP_EMPTY},
    {"Options", FIELD_STRING_MAP, "null", FIELD_KEEP_EMPTY},
    {NULL},
};

static const struct field ulimit_fields[] = {
    {"Name", FIELD_STRING, "\"\""},
    {"Hard", FIELD_INT, "0"},
    {"Soft", FIELD_INT, "0"},
    {NULL},
};

static const struct field bind_fields[] = {
    {"Propagation", FIELD_STRING, NONE_SHOWN},          {"NonRecursive", FIELD_BOOL, NONE_SHOWN},
    {"CreateMountpoint", FIELD_BOOL, NONE_SHOWN},       {"ReadOnlyNonRecursive", FIELD_BOOL, NONE_SHOWN},
    {"ReadOnlyForceRecursive", FIELD_BOOL, NONE_SHOWN}, {NULL},
};

static const struct field volume_driver_fields[] = {
    {"Name", FIELD_STRING, NONE_SHOWN},
    {"Options", FIELD_STRING_MAP, NONE_SHOWN},
    {NULL},
};

static const struct field mount_volume_fields[] = {
    {"NoCopy", FIELD_BOOL, NONE_SHOWN},
    {"Labels", FIELD_STRING_MAP, NONE_SHOWN},
    {"Subpath", FIELD_STRING, NONE_SHOWN},
    {"DriverConfig", FIELD_OBJECT, NONE_SHOWN, 0, volume_driver_fields},
    {NULL},
};

static const struct field image_fields[] = {
    {"Subpath", FIELD_STRING, NONE_SHOWN},
    {NULL},
};

static const struct field tmpfs_fields[] = {
    {"SizeBytes", FIELD_INT, NONE_SHOWN},
    {"Mode", FIELD_INT, NONE_SHOWN},
    {"Options", FIELD_LISTS, NONE_SHOWN},
    {NULL},
};

/* Options of another type than the mount's are refused, empty ones as well. */
static const struct field mount_fields[] = {
    {"Type", FIELD_STRING, NONE_SHOWN},
    {"Source", FIELD_STRING, NONE_SHOWN},
    {"Target", FIELD_STRING, NONE_SHOWN},
    {"ReadOnly", FIELD_BOOL, NONE_SHOWN},
    {"Consistency", FIELD_STRING, NONE_SHOWN},
    {"BindOptions", FIELD_OBJECT, NONE_SHOWN, FIELD_KEEP_EMPTY, bind_fields},
    {"VolumeOptions", FIELD_OBJECT, NONE_SHOWN, FIELD_KEEP_EMPTY, mount_volume_fields},
    {"ImageOptions", FIELD_OBJECT, NONE_SHOWN, FIELD_KEEP_EMPTY, image_fields},
    {"TmpfsOptions", FIELD_OBJECT, NONE_SHOWN, FIELD_KEEP_EMPTY, tmpfs_fields},
    {"ClusterOptions", FIELD_OBJECT, NONE_SHOWN, FIELD_KEEP_EMPTY},
    {NULL},
};

static const struct field ipam_fields[] = {
    {"IPv4Address", FIELD_STRING, NONE_SHOWN},
    {"IPv6Address", FIELD_STRING, NONE_SHOWN},
    {"LinkLocalIPs", FIELD_STRINGS, NONE_SHOWN},
    {NULL},
};

/* ---- the objects ---- */

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
    {"Healthcheck", FIELD_OBJECT, NONE_SHOWN, 0, health_fields},
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
    {"StopTimeout", FIELD_INT, NONE_SHOWN, FIELD_KEEP_EMPTY},
    {"Shell", FIELD_STRINGS, NONE_SHOWN},
    {NULL},
};

const struct field host_config_fields[] = {
    {"Binds", FIELD_STRINGS, "null"},
    {"ContainerIDFile", FIELD_STRING, "\"\""},
    {"LogConfig", FIELD_OBJECT, "{\"Type\":\"json-file\",\"Config\":{}}", 0, log_fields},
    {"NetworkMode", FIELD_STRING, "\"bridge\""},
    {"PortBindings", FIELD_PORTS, "{}", 0, binding_fields},
    {"RestartPolicy", FIELD_OBJECT, "{\"Name\":\"no\",\"MaximumRetryCount\":0}", 0, restart_fields},
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
    {"BlkioWeight", FIELD_UINT16, "0"},
    {"BlkioWeightDevice", FIELD_OBJECTS, "[]", 0, weight_fields},
    {"BlkioDeviceReadBps", FIELD_OBJECTS, "[]", 0, rate_fields},
    {"BlkioDeviceWriteBps", FIELD_OBJECTS, "[]", 0, rate_fields},
    {"BlkioDeviceReadIOps", FIELD_OBJECTS, "[]", 0, rate_fields},
    {"BlkioDeviceWriteIOps", FIELD_OBJECTS, "[]", 0, rate_fields},
    {"CpuPeriod", FIELD_INT, "0"},
    {"CpuQuota", FIELD_INT, "0"},
    {"CpuRealtimePeriod", FIELD_INT, "0"},
    {"CpuRealtimeRuntime", FIELD_INT, "0"},
    {"CpusetCpus", FIELD_STRING, "\"\""},
    {"CpusetMems", FIELD_STRING, "\"\""},
    {"Devices", FIELD_OBJECTS, "[]", 0, device_fields},
    {"DeviceCgroupRules", FIELD_STRINGS, "null"},
    {"DeviceRequests", FIELD_OBJECTS, "null", 0, device_request_fields},
    {"KernelMemory", FIELD_INT, NONE_SHOWN, FIELD_DROPPED},
    {"KernelMemoryTCP", FIELD_INT, NONE_SHOWN},
    {"MemoryReservation", FIELD_INT, "0"},
    {"MemorySwap", FIELD_INT, "0"},
    {"MemorySwappiness", FIELD_INT, "null", FIELD_KEEP_EMPTY},
    {"OomKillDisable", FIELD_BOOL, "null"},
    {"Init", FIELD_BOOL, NONE_SHOWN, FIELD_KEEP_EMPTY},
    {"PidsLimit", FIELD_INT, "null"},
    {"Ulimits", FIELD_OBJECTS, "[]", 0, ulimit_fields},
    {"CpuCount", FIELD_INT, "0"},
    {"CpuPercent", FIELD_INT, "0"},
    {"IOMaximumIOps", FIELD_INT, "0"},
    {"IOMaximumBandwidth", FIELD_INT, "0"},
    {"Mounts", FIELD_OBJECTS, NONE_SHOWN, 0, mount_fields},
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
    {"IPAMConfig", FIELD_OBJECT, "null", FIELD_KEEP_EMPTY, ipam_fields},
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

static bool all_of(const json_t *array, json_type type)
{
    size_t i;
    const json_t *value;
    json_array_foreach (array, i, value)
        if (json_typeof(value) != type && !json_is_null(value))
            return false;
    return true;
}

static bool members_are(const json_t *object, json_type type)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)object, key, value) {
        if (json_typeof(value) != type && !json_is_null(value))
            return false;
    }
    return true;
}

static bool are_lists_of_strings(const json_t *array)
{
    size_t i;
    const json_t *value;
    json_array_foreach (array, i, value)
        if (!json_is_array(value) || !all_of(value, JSON_STRING))
            return false;
    return true;
}

static bool is_between(const json_t *v, json_int_t first, json_int_t last)
{
    return json_is_integer(v) && json_integer_value(v) >= first && json_integer_value(v) <= last;
}

/* NULL when the value has the type, else what was expected. */
static const char *type_mismatch(enum field_type type, const json_t *v)
{
    switch (type) {
    case FIELD_STRING:
        return json_is_string(v) ? NULL : "a string";
    case FIELD_INT:
        return json_is_integer(v) ? NULL : "a whole number";
    case FIELD_UINT:
        return is_between(v, 0, INT64_MAX) ? NULL : "a whole number, not below 0";
    case FIELD_UINT16:
        return is_between(v, 0, UINT16_MAX) ? NULL : "a whole number from 0 to 65535";
    case FIELD_BOOL:
        return json_is_boolean(v) ? NULL : "true or false";
    case FIELD_ARGS:
        if (json_is_string(v))
            return NULL;
        return json_is_array(v) && all_of(v, JSON_STRING) ? NULL : "a string or a list of strings";
    case FIELD_STRINGS:
        return json_is_array(v) && all_of(v, JSON_STRING) ? NULL : "a list of strings";
    case FIELD_LISTS:
        return json_is_array(v) && are_lists_of_strings(v) ? NULL : "a list of lists of strings";
    case FIELD_STRING_MAP:
        return json_is_object(v) && members_are(v, JSON_STRING) ? NULL : "an object of strings";
    case FIELD_SET:
        return json_is_object(v) && members_are(v, JSON_OBJECT) ? NULL : "an object of empty objects";
    case FIELD_OBJECT:
        return json_is_object(v) ? NULL : "an object";
    case FIELD_OBJECTS:
        return json_is_array(v) && all_of(v, JSON_OBJECT) ? NULL : "a list of objects";
    case FIELD_INTS:
        return json_is_array(v) && all_of(v, JSON_INTEGER) ? NULL : "a list of numbers";
    case FIELD_PORTS:
        return json_is_object(v) && members_are(v, JSON_ARRAY) ? NULL : "an object of lists";
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

/* ---- what is kept ---- */

/* Null is an empty string in a list or a map of strings. A new reference. */
static json_t *strings_of(const json_t *value)
{
    json_t *copy = json_copy((json_t *)value), *item;
    const char *key;
    size_t i;
    json_array_foreach (copy, i, item)
        if (json_is_null(item))
            json_array_set_new(copy, i, json_string(""));
    json_object_foreach (copy, key, item)
        if (json_is_null(item))
            json_object_set_new(copy, key, json_string(""));
    return copy;
}

static json_t *compact_list(const struct field *f, const json_t *list, const char *where, struct err *err)
{
    _cleanup_json_ json_t *compact = json_array();
    const json_t *item;
    size_t i;
    if (list && !json_is_null(list) && (!json_is_array(list) || !all_of(list, JSON_OBJECT))) {
        err_set(err, ERR_INVALID, "invalid JSON: %s must be a list of objects", where);
        return NULL;
    }
    json_array_foreach (list, i, item) {
        json_t *members = fields_compact(f->members, item, where, err);
        if (!members)
            return NULL;
        json_array_append_new(compact, members);
    }
    return take_ptr(&compact);
}

static json_t *compact_lists(const struct field *f, const json_t *map, const char *where, struct err *err)
{
    _cleanup_json_ json_t *compact = json_object();
    const char *key;
    json_t *list;
    json_object_foreach ((json_t *)map, key, list) {
        json_t *items = json_is_null(list) ? json_null() : compact_list(f, list, where, err);
        if (!items)
            return NULL;
        json_object_set_new(compact, key, items);
    }
    return take_ptr(&compact);
}

/* As a container keeps it; of the right type. A new reference, or NULL. */
static json_t *compact_value(const struct field *f, json_t *value, const char *where, struct err *err)
{
    _cleanup_free_ char *inner = f->members ? xasprintf("%s.%s", where, f->name) : NULL;
    switch (f->type) {
    case FIELD_ARGS:
        return json_is_string(value) ? json_pack("[O]", value) : strings_of(value);
    case FIELD_STRINGS:
    case FIELD_STRING_MAP:
        return strings_of(value);
    case FIELD_OBJECT:
        return inner ? fields_compact(f->members, value, inner, err) : json_incref(value);
    case FIELD_OBJECTS:
        return inner ? compact_list(f, value, inner, err) : json_incref(value);
    case FIELD_PORTS:
        return inner ? compact_lists(f, value, inner, err) : json_incref(value);
    default:
        return json_incref(value);
    }
}

static int compact_add(json_t *compact, const struct field *f, json_t *value, const char *where,
                       struct err *err)
{
    const char *expected = json_is_null(value) ? NULL : type_mismatch(f->type, value);
    if (expected)
        return err_set(err, ERR_INVALID, "invalid JSON: %s.%s must be %s", where, f->name, expected);
    if (json_is_null(value) || f->flags & FIELD_DROPPED)
        return 0;
    if ((f->flags & FIELD_REFUSED) && !is_empty(value))
        return err_set(err, ERR_NOT_IMPLEMENTED, "%s.%s is not supported yet", where, f->name);
    json_t *kept = compact_value(f, value, where, err);
    if (!kept)
        return -1;
    if (is_empty(kept) && !(f->flags & FIELD_KEEP_EMPTY))
        json_decref(kept);
    else
        json_object_set_new(compact, f->name, kept);
    return 0;
}

static const struct field *find_field(const struct field *fields, const char *name,
                                      int (*compare)(const char *a, const char *b))
{
    for (const struct field *f = fields; f->name; f++)
        if (compare(f->name, name) == 0)
            return f;
    return NULL;
}

/* Members that are written otherwise than in the table ("hostname"), unless they are there in its letters as well. */
static int compact_others(json_t *compact, const struct field *fields, const json_t *object,
                          const char *where, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)object, key, value) {
        const struct field *f = find_field(fields, key, strcmp) ? NULL : find_field(fields, key, strcasecmp);
        if (f && !json_object_get(object, f->name) && compact_add(compact, f, value, where, err) < 0)
            return -1;
    }
    return 0;
}

json_t *fields_compact(const struct field *fields, const json_t *object, const char *where, struct err *err)
{
    _cleanup_json_ json_t *compact = json_object();
    size_t found = 0;
    if (object && !json_is_null(object) && !json_is_object(object)) {
        err_set(err, ERR_INVALID, "invalid JSON: %s must be an object", where);
        return NULL;
    }
    for (const struct field *f = fields; f->name; f++) {
        json_t *value = json_object_get(object, f->name);
        found += value != NULL;
        if (value && compact_add(compact, f, value, where, err) < 0)
            return NULL;
    }
    if (found < json_object_size(object) && compact_others(compact, fields, object, where, err) < 0)
        return NULL;
    return take_ptr(&compact);
}

/* ---- what is shown ---- */

static json_t *expand_list(const struct field *f, const json_t *list)
{
    json_t *full = json_array(), *item;
    size_t i;
    json_array_foreach ((json_t *)list, i, item)
        json_array_append_new(full, fields_expand(f->members, item));
    return full;
}

static json_t *expand_lists(const struct field *f, const json_t *map)
{
    json_t *full = json_object(), *list;
    const char *key;
    json_object_foreach ((json_t *)map, key, list)
        json_object_set_new(full, key, json_is_null(list) ? json_null() : expand_list(f, list));
    return full;
}

static json_t *expand_value(const struct field *f, json_t *value)
{
    if (!f->members)
        return json_incref(value);
    if (f->type == FIELD_PORTS)
        return expand_lists(f, value);
    return f->type == FIELD_OBJECTS ? expand_list(f, value) : fields_expand(f->members, value);
}

json_t *fields_expand(const struct field *fields, const json_t *compact)
{
    json_t *full = json_object();
    for (const struct field *f = fields; f->name; f++) {
        json_t *value = json_object_get(compact, f->name);
        if (value)
            json_object_set_new(full, f->name, expand_value(f, value));
        else if (f->otherwise)
            json_object_set_new(full, f->name, json_loads(f->otherwise, JSON_DECODE_ANY, NULL));
    }
    return full;
}
