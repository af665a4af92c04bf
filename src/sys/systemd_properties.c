/* OCI's resources, device rules and annotations as properties of a systemd unit.
 *
 * To add a limit: a row in `numbers` if it is one number, else a function in systemd_put_limits(). */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "sys/cgroup_internal.h"
#include "sys/cgroup_systemd.h"
#include "sys/dbus.h"

#define ANNOTATION "org.systemd.property."

enum { CPUS_MAX = 8192, QUOTA_STEP_US = 10000, US_PER_S = 1000000, PERIOD_DEFAULT_US = 100000 };

static void put_name(struct buf *b, const char *name, const char *signature)
{
    dbus_put_struct(b);
    dbus_put_string(b, name);
    dbus_put_signature(b, signature);
}

static void put_number(struct buf *b, const char *name, uint64_t value)
{
    put_name(b, name, "t");
    dbus_put_u64(b, value);
}

static void put_string(struct buf *b, const char *name, const char *value)
{
    put_name(b, name, "s");
    dbus_put_string(b, value);
}

/* --- limits --- */

static int64_t as_it_is(int64_t value)
{
    return value;
}

static int64_t no_limit_below_one(int64_t value)
{
    return value > 0 ? value : -1;
}

/* -1 becomes "infinity", which is the highest number. 0 is no wish. */
static const struct {
    const char *path, *v1, *v2; /* NULL: no such property */
    int64_t (*v2_value)(int64_t value);
} numbers[] = {
    {"memory.limit", "MemoryLimit", "MemoryMax", as_it_is},
    {"memory.reservation", NULL, "MemoryLow", as_it_is},
    {"cpu.shares", "CPUShares", "CPUWeight", cgroup_weight_from_shares},
    {"blockIO.weight", "BlockIOWeight", "IOWeight", cgroup_weight_from_blkio},
    {"pids.limit", "TasksMax", "TasksMax", no_limit_below_one},
};

static void put_numbers(struct buf *b, const json_t *resources, bool v2)
{
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        const json_t *value = json_at(resources, numbers[i].path);
        const char *name = v2 ? numbers[i].v2 : numbers[i].v1;
        if (name && json_integer_value(value))
            put_number(
                b, name,
                (uint64_t)(v2 ? numbers[i].v2_value(json_integer_value(value)) : json_integer_value(value)));
    }
}

static int put_swap(struct buf *b, const json_t *memory, struct err *err)
{
    int64_t limit = json_int_or(memory, "limit", 0), swap = json_int_or(memory, "swap", 0), value;
    if (limit == -1 && swap == 0)
        swap = -1;
    if (swap == 0)
        return 0;
    if (cgroup_swap_alone(limit, swap, &value, err) < 0)
        return -1;
    put_number(b, "MemorySwapMax", (uint64_t)value);
    return 0;
}

/* systemd counts the quota per second, in steps of ten milliseconds. */
static void put_quota(struct buf *b, int64_t quota, int64_t period)
{
    uint64_t per_second = UINT64_MAX;
    if (period > 0)
        put_number(b, "CPUQuotaPeriodUSec", (uint64_t)period);
    if (quota == 0)
        return;
    if (quota > 0) {
        per_second = (uint64_t)quota * US_PER_S / (uint64_t)(period > 0 ? period : PERIOD_DEFAULT_US);
        per_second = (per_second + QUOTA_STEP_US - 1) / QUOTA_STEP_US * QUOTA_STEP_US;
    }
    put_number(b, "CPUQuotaPerSecUSec", per_second);
}

/* "0-2,7" as a mask of bits, the lowest first. */
static int put_mask(struct buf *b, const char *name, const char *list, struct err *err)
{
    _cleanup_strv_ char **ranges = strv_split(list, ',');
    uint8_t mask[CPUS_MAX / 8] = {};
    size_t length = 0;
    for (size_t i = 0; ranges[i]; i++) {
        unsigned first, last;
        int n = sscanf(ranges[i], "%u-%u", &first, &last);
        last = n == 2 ? last : first;
        if (n < 1 || first > last || last >= CPUS_MAX)
            return err_set(err, ERR_INVALID, "%s: \"%s\" is no list of numbers", name, list);
        for (unsigned bit = first; bit <= last; bit++)
            mask[bit / 8] |= (uint8_t)(1u << bit % 8);
        length = MAX_OF(length, last / 8 + 1);
    }
    put_name(b, name, "ay");
    struct dbus_array array = dbus_open_array(b, 1);
    for (size_t i = 0; i < length; i++)
        dbus_put_byte(b, mask[i]);
    dbus_close_array(b, array);
    return 0;
}

static uint64_t unified_number(const char *text)
{
    uint64_t value;
    return str_to_u64(text, &value) < 0 ? UINT64_MAX : value; /* "max" */
}

/* Files of v2 whose content is a property of systemd's. */
static int put_unified(struct buf *b, const json_t *unified, struct err *err)
{
    static const struct {
        const char *file, *property;
        bool is_mask;
    } files[] = {{"cpu.weight", "CPUWeight", false},
                 {"memory.min", "MemoryMin", false},
                 {"memory.low", "MemoryLow", false},
                 {"memory.high", "MemoryHigh", false},
                 {"memory.max", "MemoryMax", false},
                 {"memory.swap.max", "MemorySwapMax", false},
                 {"pids.max", "TasksMax", false},
                 {"cpuset.cpus", "AllowedCPUs", true},
                 {"cpuset.mems", "AllowedMemoryNodes", true}};
    const char *quota = json_str(unified, "cpu.max");
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        const char *text = json_str(unified, files[i].file);
        if (text && !files[i].is_mask)
            put_number(b, files[i].property, unified_number(text));
        else if (text && put_mask(b, files[i].property, text, err) < 0)
            return -1;
    }
    if (quota) {
        long long used = -1, period = PERIOD_DEFAULT_US;
        if (sscanf(quota, "%lld %lld", &used, &period) < 1)
            sscanf(quota, "max %lld", &period);
        put_quota(b, used, period);
    }
    return 0;
}

int systemd_put_limits(struct buf *b, const json_t *resources, bool v2, struct err *err)
{
    const json_t *cpu = json_object_get(resources, "cpu");
    const char *cpus = json_str(cpu, "cpus"), *mems = json_str(cpu, "mems");
    put_numbers(b, resources, v2);
    put_quota(b, json_int_or(cpu, "quota", 0), json_int_or(cpu, "period", 0));
    if (!v2)
        return 0;
    if ((!str_empty(cpus) && put_mask(b, "AllowedCPUs", cpus, err) < 0) ||
        (!str_empty(mems) && put_mask(b, "AllowedMemoryNodes", mems, err) < 0) ||
        put_swap(b, json_object_get(resources, "memory"), err) < 0)
        return -1;
    return put_unified(b, json_object_get(resources, "unified"), err);
}

/* --- devices --- */

/* The name of a major number in /proc/devices, by which systemd allows all of its minors. */
static bool find_group(const char *devices, char type, int64_t major, char ret[64])
{
    const char *section = strstr(devices, type == 'b' ? "Block devices:" : "Character devices:");
    for (const char *line = section ? strchr(section, '\n') : NULL; line && line[1] && line[1] != '\n';
         line = strchr(line + 1, '\n')) {
        int number;
        if (sscanf(line + 1, "%d %63s", &number, ret) == 2 && number == major)
            return true;
    }
    return false;
}

/* systemd's name for the devices of a rule; false when it has none. */
static bool device_path(const char *devices, char type, const json_t *rule, char *out, size_t size)
{
    int64_t major = json_int_or(rule, "major", -1), minor = json_int_or(rule, "minor", -1);
    const char *kind = type == 'b' ? "block" : "char";
    char group[64];
    if (major < 0 && minor < 0)
        snprintf(out, size, "%s-*", kind);
    else if (major >= 0 && minor >= 0)
        snprintf(out, size, "/dev/%s/%lld:%lld", kind, (long long)major, (long long)minor);
    else if (major >= 0 && find_group(devices, type, major, group))
        snprintf(out, size, "%s-%s", kind, group);
    else
        return false;
    return true;
}

static void put_device(struct buf *b, const char *path, const char *access)
{
    dbus_put_struct(b);
    dbus_put_string(b, path);
    dbus_put_string(b, access);
}

/* The rules behind the last one for all devices; *ret_open: that one allows. */
static size_t rules_that_count(const json_t *devices, bool *ret_open)
{
    size_t from = 0;
    *ret_open = false;
    for (size_t i = 0; i < json_array_size(devices); i++) {
        const json_t *rule = json_array_get(devices, i);
        if (*json_str_or(rule, "type", "a") == 'a') {
            *ret_open = json_bool_or(rule, "allow", false);
            from = i + 1;
        }
    }
    return from;
}

/* systemd can only allow; what the rules deny after that is left to the rules of our own, which hold as well. */
int systemd_put_devices(struct buf *b, const json_t *devices, struct err *err)
{
    _cleanup_(buf_finish) struct buf names = BUF_INIT(64 * 1024);
    bool open;
    size_t i = rules_that_count(devices, &open);
    int r = file_read(AT_FDCWD, "/proc/devices", &names);
    if (r < 0)
        return err_errno(err, r, "read /proc/devices");
    put_string(b, "DevicePolicy", open ? "auto" : "strict");
    put_name(b, "DeviceAllow", "a(ss)");
    struct dbus_array array = dbus_open_array(b, 8);
    for (; !open && i < json_array_size(devices); i++) {
        const json_t *rule = json_array_get(devices, i);
        char type = *json_str_or(rule, "type", "a") == 'b' ? 'b' : 'c', path[96];
        if (json_bool_or(rule, "allow", false) &&
            device_path(buf_str(&names), type, rule, path, sizeof(path)))
            put_device(b, path, json_str_or(rule, "access", "rwm"));
    }
    dbus_close_array(b, array);
    return 0;
}

/* --- annotations --- */

/* A quoted text at *at, which moves behind it. The caller frees. */
static char *take_quoted(const char **at)
{
    char quote = **at;
    const char *end = quote == '\'' || quote == '"' ? strchr(*at + 1, quote) : NULL;
    char *text = end ? xstrndup(*at + 1, (size_t)(end - *at - 1)) : NULL;
    if (end)
        *at = end + 1;
    return text;
}

static bool put_list(struct buf *b, const char *name, const char *text)
{
    put_name(b, name, "as");
    struct dbus_array array = dbus_open_array(b, 4);
    for (text++; *text && *text != ']'; text += strspn(text, ", ")) {
        _cleanup_free_ char *item = take_quoted(&text);
        if (!item)
            return false;
        dbus_put_string(b, item);
    }
    dbus_close_array(b, array);
    return str_eq(text, "]");
}

/* "5", "uint64 5"; a number without a type is an int32. */
static bool put_typed_number(struct buf *b, const char *name, const char *text)
{
    static const struct {
        const char *prefix, *signature;
    } types[] = {{"uint64 ", "t"}, {"int64 ", "x"}, {"uint32 ", "u"}, {"int32 ", "i"}, {"", "i"}};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        const char *digits = str_after(text, types[i].prefix);
        int64_t value;
        if (!digits)
            continue;
        if (str_to_i64(digits, &value) < 0)
            return false;
        put_name(b, name, types[i].signature);
        if (strchr("tx", *types[i].signature))
            dbus_put_u64(b, (uint64_t)value);
        else
            dbus_put_u32(b, (uint32_t)value);
        return true;
    }
    return false;
}

static bool put_value(struct buf *b, const char *name, const char *text)
{
    const char *at = text;
    _cleanup_free_ char *quoted = take_quoted(&at);
    size_t length = strlen(name);
    uint64_t seconds;
    if (quoted) {
        put_string(b, name, quoted);
        return *at == '\0';
    }
    if (str_eq(text, "true") || str_eq(text, "false")) {
        put_name(b, name, "b");
        dbus_put_u32(b, str_eq(text, "true"));
        return true;
    }
    if (*text == '[')
        return put_list(b, name, text);
    if (length > 3 && str_ends(name, "Sec") && !str_ends(name, "USec") && str_to_u64(text, &seconds) == 0 &&
        seconds < UINT64_MAX / US_PER_S) { /* unit files have seconds, the bus has only microseconds */
        _cleanup_free_ char *in_us = xasprintf("%.*sUSec", (int)length - 3, name);
        put_number(b, in_us, seconds * US_PER_S);
        return true;
    }
    return put_typed_number(b, name, text);
}

int systemd_put_annotations(struct buf *b, const json_t *annotations, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)annotations, key, value) {
        const char *name = str_after(key, ANNOTATION), *text = json_string_value(value);
        if (!name)
            continue;
        for (const char *c = name; *c; c++)
            if (!isalpha((unsigned char)*c))
                return err_set(err, ERR_INVALID, "annotation %s: that is no name of a property", key);
        if (!*name || !text || !put_value(b, name, text))
            return err_set(err, ERR_INVALID,
                           "annotation %s: \"%s\" is no text in quotes, list of them, number, true or false",
                           key, text ? text : "");
    }
    return 0;
}
