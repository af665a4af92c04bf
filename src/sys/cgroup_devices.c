/* OCI device rules: v1 takes them one line each, v2 as one program (sys/bpf.h). Both begin with nothing
 * allowed. */
#include "sys/cgroup_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "sys/bpf.h"

enum { DEVICE_RULES_MAX = 400 };

static const struct {
    char letter;
    uint32_t bit;
} accesses[] = {{'m', BPF_DEVCG_ACC_MKNOD}, {'r', BPF_DEVCG_ACC_READ}, {'w', BPF_DEVCG_ACC_WRITE}};

static int device_parse_access(const char *text, uint32_t *ret)
{
    *ret = 0;
    for (; *text; text++) {
        uint32_t bit = 0;
        for (size_t i = 0; i < ARRAY_SIZE(accesses); i++)
            if (accesses[i].letter == *text)
                bit = accesses[i].bit;
        if (!bit && *text != 'a') /* which older configurations have here; it adds nothing, as with others */
            return -EINVAL;
        *ret |= bit;
    }
    return *ret ? 0 : -EINVAL;
}

static int device_parse_number(const json_t *object, const char *key, int64_t *ret)
{
    const json_t *value = json_object_get(object, key);
    *ret = BPF_DEVICE_ANY;
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < BPF_DEVICE_ANY ||
        json_integer_value(value) > 0xfffff)
        return -EINVAL;
    *ret = json_integer_value(value);
    return 0;
}

static int device_parse_rule(const json_t *object, size_t index, struct bpf_device_rule *ret, struct err *err)
{
    const char *type = json_str_or(object, "type", "a");
    const json_t *allow = json_object_get(object, "allow");
    if (!json_is_boolean(allow))
        return err_set(err, ERR_INVALID, "resources.devices[%zu]: \"allow\" must be true or false", index);
    ret->allow = json_is_true(allow);
    if (str_eq(type, "a") || str_eq(type, ""))
        ret->type = 0;
    else if (str_eq(type, "c") || str_eq(type, "u"))
        ret->type = BPF_DEVCG_DEV_CHAR;
    else if (str_eq(type, "b"))
        ret->type = BPF_DEVCG_DEV_BLOCK;
    else
        return err_set(err, ERR_INVALID, "resources.devices[%zu]: type \"%s\" isn't a, b or c", index, type);
    if (device_parse_number(object, "major", &ret->major) < 0 ||
        device_parse_number(object, "minor", &ret->minor) < 0)
        return err_set(err, ERR_INVALID, "resources.devices[%zu]: major or minor isn't a device number",
                       index);
    const char *access = json_str_or(object, "access", "rwm");
    if (device_parse_access(*access ? access : "rwm", &ret->access) < 0)
        return err_set(err, ERR_INVALID, "resources.devices[%zu]: access \"%s\" isn't made of r, w and m",
                       index, access);
    /* v1 knows "a" only for everything at once; a narrower one would mean more there than it says. */
    if (!ret->type && (ret->major != BPF_DEVICE_ANY || ret->minor != BPF_DEVICE_ANY || ret->access != 7))
        return err_set(err, ERR_INVALID,
                       "resources.devices[%zu]: type \"a\" goes with every number and access rwm only",
                       index);
    return 0;
}

static void device_format_number(char out[16], int64_t number)
{
    if (number == BPF_DEVICE_ANY)
        strcpy(out, "*");
    else
        snprintf(out, 16, "%u", (unsigned)number);
}

/* "c 1:3 rwm"; "a" for everything. */
static void device_format_rule(const struct bpf_device_rule *rule, char *out, size_t size)
{
    if (!rule->type) {
        snprintf(out, size, "a");
        return;
    }
    char major[16], minor[16], access[4] = "";
    device_format_number(major, rule->major);
    device_format_number(minor, rule->minor);
    for (size_t i = 0, n = 0; i < ARRAY_SIZE(accesses); i++)
        if (rule->access & accesses[i].bit)
            access[n++] = accesses[i].letter;
    snprintf(out, size, "%c %s:%s %s", rule->type == BPF_DEVCG_DEV_CHAR ? 'c' : 'b', major, minor, access);
}

static int device_apply_v1(int dir, const struct bpf_device_rule *rules, size_t count, struct err *err)
{
    _cleanup_close_ int allow = openat(dir, "devices.allow", O_WRONLY | O_CLOEXEC);
    _cleanup_close_ int deny = openat(dir, "devices.deny", O_WRONLY | O_CLOEXEC);
    if (allow < 0 || deny < 0)
        return err_errno(err, errno, "open the device rules");
    if (write(deny, "a", 1) < 0)
        return err_errno(err, errno, "deny all devices");
    for (size_t i = 0; i < count; i++) {
        char line[64];
        device_format_rule(&rules[i], line, sizeof(line));
        if (write(rules[i].allow ? allow : deny, line, strlen(line)) < 0)
            return err_errno(err, errno, "resources.devices[%zu]: %s \"%s\"", i,
                             rules[i].allow ? "allow" : "deny", line);
    }
    return 0;
}

/* The rules of v1 are replaced one by one: whoever runs meanwhile would find what is allowed before and after denied in
 * between. So nobody runs, where somebody may. */
static int device_replace_v1(struct cgroup *cg, int tree, const struct bpf_device_rule *rules, size_t count,
                             struct err *err)
{
    bool stop = !cg->is_new[tree] && !cgroup_is_empty(cg) && !cgroup_is_frozen(cg) &&
                cgroup_freeze(cg, true, NULL) == 0;
    int r = device_apply_v1(cg->fd[tree], rules, count, err);
    if (stop && cgroup_freeze(cg, false, r < 0 ? NULL : err) < 0)
        return -1;
    return r;
}

static int device_apply_v2(int dir, const struct bpf_device_rule *rules, size_t count, struct err *err)
{
    size_t max = bpf_device_program_max(count);
    _cleanup_free_ struct bpf_insn *program = xcalloc(max, sizeof(*program));
    int length = bpf_device_program(rules, count, program, max);
    if (length < 0)
        return err_errno(err, length, "resources.devices: generate the program");
    _cleanup_close_ int fd = bpf_device_load(program, (size_t)length);
    if (fd < 0)
        return err_errno(err, fd, "resources.devices: load the BPF program");
    int r = bpf_device_attach(dir, fd);
    return r < 0 ? err_errno(err, r, "resources.devices: attach the BPF program") : 0;
}

int cgroup_apply_devices(struct cgroup *cg, const json_t *devices, struct err *err)
{
    size_t count = json_array_size(devices);
    if (count == 0)
        return 0;
    if (count > DEVICE_RULES_MAX)
        return err_set(err, ERR_INVALID, "resources.devices: %zu rules; at most %d are possible", count,
                       DEVICE_RULES_MAX);
    _cleanup_free_ struct bpf_device_rule *rules = xcalloc(count, sizeof(*rules));
    for (size_t i = 0; i < count; i++)
        if (device_parse_rule(json_array_get(devices, i), i, &rules[i], err) < 0)
            return -1;
    int tree = cgroup_tree_of(cg, CTL_DEVICES);
    if (tree < 0)
        return err_set(err, ERR_NOT_IMPLEMENTED, "resources.devices: no devices controller is available");
    if (cgroup_layout()->trees[tree].info.v2)
        return device_apply_v2(cg->fd[tree], rules, count, err);
    return device_replace_v1(cg, tree, rules, count, err);
}
