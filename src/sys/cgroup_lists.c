/* Settings that are lists: an entry a device, page size, interface or file. */
#include "sys/cgroup_setting.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

/* --- block I/O --- */

/* OCI's 10…1000 to io.weight's 1…10000. */
int64_t cgroup_weight_from_blkio(int64_t weight)
{
    return 1 + (weight - 10) * 9999 / 990;
}

/* Weights live in the scheduler's own file (BFQ), which takes OCI's range, or in the controller's. `device`
 * is "" or "major:minor ". */
static int io_write_weight(const struct target *t, const char *device, int64_t weight, const char *v1_file,
                           const char *v1_bfq, struct err *err)
{
    char text[64];
    const char *file = t->v2 ? "io.bfq.weight" : v1_bfq;
    if (weight < 10 || weight > 1000)
        return err_set(err, ERR_INVALID, "resources.%s: weight %lld isn't between 10 and 1000", t->row->path,
                       (long long)weight);
    snprintf(text, sizeof(text), "%s%lld", device, (long long)weight);
    if (!file || !setting_has_file(t, file)) {
        file = t->v2 ? "io.weight" : v1_file;
        if (t->v2)
            snprintf(text, sizeof(text), "%s%lld", *device ? device : "default ",
                     (long long)cgroup_weight_from_blkio(weight));
    }
    return setting_write(t, file, text, err);
}

int setting_io_weight(const struct target *t, const json_t *value, struct err *err)
{
    return io_write_weight(t, "", json_integer_value(value), "blkio.weight", "blkio.bfq.weight", err);
}

int setting_io_leaf_weight(const struct target *t, const json_t *value, struct err *err)
{
    if (t->v2)
        return setting_missing(t, NULL, err);
    return io_write_weight(t, "", json_integer_value(value), "blkio.leaf_weight", NULL, err);
}

int setting_io_weight_device(const struct target *t, const json_t *value, struct err *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach ((json_t *)value, i, entry) {
        char device[48];
        snprintf(device, sizeof(device), "%lld:%lld ", (long long)json_int_or(entry, "major", 0),
                 (long long)json_int_or(entry, "minor", 0));
        int64_t weight = json_int_or(entry, "weight", 0), leaf = json_int_or(entry, "leafWeight", 0);
        if (weight &&
            io_write_weight(t, device, weight, "blkio.weight_device", "blkio.bfq.weight_device", err) < 0)
            return -1;
        if (leaf && t->v2)
            return err_set(err, ERR_NOT_IMPLEMENTED, "resources.%s: cgroup v2 has no leafWeight",
                           t->row->path);
        if (leaf && io_write_weight(t, device, leaf, "blkio.leaf_weight_device", NULL, err) < 0)
            return -1;
    }
    return 0;
}

/* The row's v2 member is the key within io.max. */
int setting_io_throttle(const struct target *t, const json_t *value, struct err *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach ((json_t *)value, i, entry) {
        char text[96];
        long long major = json_int_or(entry, "major", 0), minor = json_int_or(entry, "minor", 0);
        long long rate = json_int_or(entry, "rate", 0);
        if (!t->v2)
            snprintf(text, sizeof(text), "%lld:%lld %lld", major, minor, rate);
        else if (rate > 0)
            snprintf(text, sizeof(text), "%lld:%lld %s=%lld", major, minor, t->row->v2, rate);
        else
            snprintf(text, sizeof(text), "%lld:%lld %s=max", major, minor, t->row->v2);
        if (setting_write(t, t->v2 ? "io.max" : t->row->v1, text, err) < 0)
            return -1;
    }
    return 0;
}

/* --- the rest --- */

int setting_hugepages(const struct target *t, const json_t *value, struct err *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach ((json_t *)value, i, entry) {
        const char *size = json_str_or(entry, "pageSize", json_str(entry, "pagesize")); /* Go doesn't mind */
        if (!size || strlen(size) > 16 || strpbrk(size, "/."))
            return err_set(err, ERR_INVALID, "resources.hugepageLimits[%zu]: pageSize isn't like \"2MB\"", i);
        char file[64], text[32];
        const json_t *limit = json_object_get(entry, "limit");
        if (!json_is_integer(limit))
            return err_set(err, ERR_INVALID, "resources.hugepageLimits[%zu]: limit is missing", i);
        setting_format(t, json_integer_value(limit), text);
        snprintf(file, sizeof(file), "hugetlb.%s.%s", size, t->v2 ? "max" : "limit_in_bytes");
        if (setting_write(t, file, text, err) < 0)
            return -1;
        /* Reserved pages are counted apart since Linux 5.7. */
        snprintf(file, sizeof(file), "hugetlb.%s.rsvd.%s", size, t->v2 ? "max" : "limit_in_bytes");
        if (setting_has_file(t, file) && setting_write(t, file, text, err) < 0)
            return -1;
    }
    return 0;
}

int setting_network_priorities(const struct target *t, const json_t *value, struct err *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach ((json_t *)value, i, entry) {
        char text[96];
        snprintf(text, sizeof(text), "%.32s %lld", json_str_or(entry, "name", ""),
                 (long long)json_int_or(entry, "priority", 0));
        if (setting_write(t, setting_file(t), text, err) < 0)
            return -1;
    }
    return 0;
}

int setting_rdma(const struct target *t, const json_t *value, struct err *err)
{
    const char *device;
    json_t *entry;
    json_object_foreach ((json_t *)value, device, entry) {
        char text[160];
        int n = snprintf(text, sizeof(text), "%.64s", device);
        if (json_object_get(entry, "hcaHandles"))
            n += snprintf(text + n, sizeof(text) - (size_t)n, " hca_handle=%lld",
                          (long long)json_int_or(entry, "hcaHandles", 0));
        if (json_object_get(entry, "hcaObjects"))
            snprintf(text + n, sizeof(text) - (size_t)n, " hca_object=%lld",
                     (long long)json_int_or(entry, "hcaObjects", 0));
        if (setting_write(t, "rdma.max", text, err) < 0)
            return -1;
    }
    return 0;
}

/* Why a file by that name isn't there: the form of the name, a controller that isn't to be had, or the kernel. */
static int unified_missing(const struct target *t, const char *file, struct err *err)
{
    char controllers[256] = "";
    size_t length = strcspn(file, ".");
    if (!file[length])
        return err_set(err, ERR_INVALID,
                       "resources.unified: the specified key has not the form CONTROLLER.VALUE `%s`", file);
    (void)cgroup_read(t->dir, "cgroup.controllers", controllers, sizeof(controllers));
    _cleanup_strv_ char **names = strv_split(controllers, ' ');
    _cleanup_free_ char *controller = xstrndup(file, length);
    if (!strv_contains(names, controller) && !str_eq(controller, "cgroup"))
        return err_set(err, ERR_NOT_IMPLEMENTED,
                       "resources.unified: the requested cgroup controller `%s` is not available",
                       controller);
    return err_set(err, ERR_NOT_IMPLEMENTED,
                   "resources.unified: this kernel has no %s: no such file or directory", file);
}

/* The kernel takes one line a write: io.max of several devices is several. */
static int unified_lines(const struct target *t, const char *file, const char *text, struct err *err)
{
    _cleanup_strv_ char **line = strv_split(text, '\n');
    for (size_t i = 0; line[i]; i++)
        if (*line[i] && setting_write(t, file, line[i], err) < 0)
            return -1;
    return 0;
}

/* Files of v2 by name. A file of a controller that isn't enabled is missing, which setting_write() reports.
 */
int setting_unified(const struct target *t, const json_t *value, struct err *err)
{
    const char *file;
    json_t *text;
    json_object_foreach ((json_t *)value, file, text) {
        if (strchr(file, '/') || file[0] == '.' || !json_is_string(text))
            return err_set(err, ERR_INVALID, "resources.unified: \"%s\" isn't a file name with a text", file);
        if (!setting_has_file(t, file))
            return unified_missing(t, file, err);
        if (unified_lines(t, file, json_string_value(text), err) < 0)
            return -1;
    }
    return 0;
}
