/* update: options and --resources become OCI's linux.resources. */
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/command/command.h"
#include "sys/resctrl.h"

enum { RESOURCES_MAX = 1024 * 1024 };

enum limit_form { FORM_NUMBER, FORM_BYTES, FORM_TEXT };

/* By enum update_limit. */
static const struct {
    const char *option, *section, *member;
    enum limit_form form;
} limits[LIMIT_COUNT] = {
    [LIMIT_BLKIO_WEIGHT] = {"blkio-weight", "blockIO", "weight", FORM_NUMBER},
    [LIMIT_CPU_PERIOD] = {"cpu-period", "cpu", "period", FORM_NUMBER},
    [LIMIT_CPU_QUOTA] = {"cpu-quota", "cpu", "quota", FORM_NUMBER},
    [LIMIT_CPU_BURST] = {"cpu-burst", "cpu", "burst", FORM_NUMBER},
    [LIMIT_CPU_SHARES] = {"cpu-share", "cpu", "shares", FORM_NUMBER},
    [LIMIT_CPU_RT_PERIOD] = {"cpu-rt-period", "cpu", "realtimePeriod", FORM_NUMBER},
    [LIMIT_CPU_RT_RUNTIME] = {"cpu-rt-runtime", "cpu", "realtimeRuntime", FORM_NUMBER},
    [LIMIT_CPU_IDLE] = {"cpu-idle", "cpu", "idle", FORM_NUMBER},
    [LIMIT_CPUSET_CPUS] = {"cpuset-cpus", "cpu", "cpus", FORM_TEXT},
    [LIMIT_CPUSET_MEMS] = {"cpuset-mems", "cpu", "mems", FORM_TEXT},
    [LIMIT_KERNEL_MEMORY] = {"kernel-memory", "memory", "kernel", FORM_BYTES},
    [LIMIT_KERNEL_MEMORY_TCP] = {"kernel-memory-tcp", "memory", "kernelTCP", FORM_BYTES},
    [LIMIT_MEMORY] = {"memory", "memory", "limit", FORM_BYTES},
    [LIMIT_MEMORY_RESERVATION] = {"memory-reservation", "memory", "reservation", FORM_BYTES},
    [LIMIT_MEMORY_SWAP] = {"memory-swap", "memory", "swap", FORM_BYTES},
    [LIMIT_PIDS] = {"pids-limit", "pids", "limit", FORM_NUMBER},
};

static int add_limit(json_t *resources, size_t i, const char *text, struct err *err)
{
    json_t *section = json_object_get(resources, limits[i].section);
    int64_t value;
    int result;

    if (!section)
        json_object_set_new(resources, limits[i].section, section = json_object());
    if (limits[i].form == FORM_TEXT) {
        json_set_str(section, limits[i].member, text);
        return 0;
    }
    result = limits[i].form == FORM_BYTES && !str_eq(text, "-1") ? str_to_bytes(text, &value)
                                                                 : str_to_i64(text, &value);
    if (result < 0)
        return err_set(err, ERR_INVALID, "invalid value for %s: \"%s\"", limits[i].option, text);
    json_set_int(section, limits[i].member, value);
    return 0;
}

static json_t *read_standard_input(struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(RESOURCES_MAX);
    int result = fd_read_all(STDIN_FILENO, &text);

    if (result >= 0)
        return json_parse_wide(buf_str(&text), text.len, "resources", err);
    err_errno(err, result, "read standard input");
    return NULL;
}

/* Read from --resources, in which case the other options don't count, as runc has it. */
static json_t *requested(const struct request *request, struct err *err)
{
    _cleanup_json_ json_t *resources = NULL;

    if (str_eq(request->resources, "-"))
        return read_standard_input(err);
    if (request->resources)
        return command_load_json(request->resources, err);
    resources = json_object();
    for (size_t i = 0; i < LIMIT_COUNT; i++)
        if (!str_empty(request->limits[i]) && add_limit(resources, i, request->limits[i], err) < 0)
            return NULL;
    return take_ptr(&resources);
}

int command_update(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = command_open(request, err);
    _cleanup_json_ json_t *resources = c ? requested(request, err) : NULL;

    if (!resources || runtime_update(c, resources, err) < 0)
        return -1;
    return resctrl_set(request->id, request->l3_cache_schema, request->memory_bandwidth_schema,
                       runtime_pid(c), err);
}
