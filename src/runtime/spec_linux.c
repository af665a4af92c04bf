/* `linux` of the configuration. */
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/rdt.h"
#include "runtime/spec.h"
#include "runtime/spec_fields.h"
#include "sys/cgroup.h"

static const struct spec_field mapping_fields[] = {
    {"containerID", SPEC_U32, offsetof(struct id_mapping, container), SPEC_REQUIRED},
    {"hostID", SPEC_U32, offsetof(struct id_mapping, host), SPEC_REQUIRED},
    {"size", SPEC_U32, offsetof(struct id_mapping, size), SPEC_REQUIRED},
};

enum { MAPPINGS_MAX = 340 }; /* the kernel's limit */

int spec_mappings_parse(const json_t *array, const char *at, struct id_mapping **ret, size_t *ret_count,
                        struct err *err)
{
    size_t n = json_array_size(array);

    if (!array || json_is_null(array))
        return 0;
    if (!json_is_array(array) || n > MAPPINGS_MAX)
        return spec_error(err, at, "mappings: expected an array of at most %d", MAPPINGS_MAX);
    *ret = xcalloc(n ? n : 1, sizeof(**ret));
    *ret_count = n;
    for (size_t i = 0; i < n; i++) {
        char where[256];

        snprintf(where, sizeof(where), "%s mappings[%zu]", at, i);
        if (spec_read(json_array_get(array, i), where, mapping_fields, ARRAY_SIZE(mapping_fields), &(*ret)[i],
                      err) < 0)
            return -1;
        if ((*ret)[i].size == 0)
            return spec_error(err, where, "size is 0");
    }
    return 0;
}

static int namespaces_parse(const json_t *array, struct spec *spec, struct err *err)
{
    size_t i;
    json_t *item;

    json_array_foreach (array, i, item) {
        struct {
            const char *type, *path;
        } entry = {0};
        static const struct spec_field fields[] = {
            {"type", SPEC_STRING, 0, SPEC_REQUIRED},
            {"path", SPEC_STRING, sizeof(char *), 0},
        };
        char at[48];
        int kind;

        snprintf(at, sizeof(at), "linux.namespaces[%zu]", i);
        if (spec_read(item, at, fields, ARRAY_SIZE(fields), &entry, err) < 0)
            return -1;
        kind = namespace_from_name(entry.type);
        if (kind < 0)
            return spec_error(err, at, "unknown namespace type \"%s\"", entry.type);
        if (spec->namespaces[kind].wanted)
            return spec_error(err, at, "namespace \"%s\" is listed twice", entry.type);
        if (!str_empty(entry.path) && !path_is_absolute(entry.path))
            return spec_error(err, at, "path \"%s\" is not absolute", entry.path);
        spec->namespaces[kind] =
            (struct spec_namespace){.wanted = true, .path = str_empty(entry.path) ? NULL : entry.path};
    }
    return 0;
}

static const struct spec_field device_fields[] = {
    {"path", SPEC_PATH, offsetof(struct spec_device, path), SPEC_REQUIRED},
    {"type", SPEC_STRING, offsetof(struct spec_device, type_name), SPEC_REQUIRED},
    {"major", SPEC_I64, offsetof(struct spec_device, major), 0},
    {"minor", SPEC_I64, offsetof(struct spec_device, minor), 0},
    {"fileMode", SPEC_U32, offsetof(struct spec_device, mode), 0},
    {"uid", SPEC_U32, offsetof(struct spec_device, uid), 0},
    {"gid", SPEC_U32, offsetof(struct spec_device, gid), 0},
};

static int device_parse(const json_t *json, const char *at, struct spec_device *device, struct err *err)
{
    device->mode = 0666;
    if (spec_read(json, at, device_fields, ARRAY_SIZE(device_fields), device, err) < 0)
        return -1;
    if (strlen(device->type_name) == 1 && strchr("cu", *device->type_name))
        device->type = S_IFCHR;
    else if (str_eq(device->type_name, "b"))
        device->type = S_IFBLK;
    else if (str_eq(device->type_name, "p"))
        device->type = S_IFIFO;
    else
        return spec_error(err, at, "device type \"%s\" is none of c, b, u, p", device->type_name);
    device->mode &= 07777;
    return 0;
}

static int devices_parse(const json_t *array, struct spec *spec, struct err *err)
{
    size_t n = json_array_size(array);

    spec->devices = xcalloc(n ? n : 1, sizeof(*spec->devices));
    spec->device_count = n;
    for (size_t i = 0; i < n; i++) {
        char at[48];

        snprintf(at, sizeof(at), "linux.devices[%zu]", i);
        if (device_parse(json_array_get(array, i), at, &spec->devices[i], err) < 0)
            return -1;
    }
    return 0;
}

static int personality_parse(const json_t *json, struct spec *spec, struct err *err)
{
    const char *domain = json_str(json, "domain");

    if (!json)
        return 0;
    if (str_eq(domain, "LINUX"))
        spec->personality = 0;
    else if (str_eq(domain, "LINUX32"))
        spec->personality = 8;
    else
        return spec_error(err, "linux.personality.domain", "expected LINUX or LINUX32");
    return json_array_size(json_object_get(json, "flags"))
               ? spec_error(err, "linux.personality.flags", "no flags are supported")
               : 0;
}

static bool selinux_enabled(void)
{
    return access("/sys/fs/selinux/enforce", F_OK) == 0;
}

static int net_devices_check(const struct spec *spec, struct err *err)
{
    const char *name;
    json_t *device;

    if (!json_object_size(spec->net_devices))
        return 0;
    if (!spec->namespaces[NAMESPACE_NETWORK].wanted)
        return spec_error(err, "linux.netDevices",
                          "devices can't be moved without a \"network\" namespace in linux.namespaces");
    json_object_foreach ((json_t *)spec->net_devices, name, device)
        if (!*name || !json_is_object(device))
            return spec_error(err, "linux.netDevices", "\"%s\": expected the name of a device and an object",
                              name);
    return 0;
}

/* Without mappings the container's root is the caller: an unmapped one could do nothing at all. */
static void map_caller(struct spec *spec)
{
    if (!spec_makes(spec, NAMESPACE_USER) || spec->uid_count || spec->gid_count)
        return;
    spec->uids = xcalloc(1, sizeof(*spec->uids));
    spec->gids = xcalloc(1, sizeof(*spec->gids));
    *spec->uids = (struct id_mapping){0, geteuid(), 1};
    *spec->gids = (struct id_mapping){0, getegid(), 1};
    spec->uid_count = spec->gid_count = 1;
}

static int time_offsets_check(const json_t *offsets, struct err *err)
{
    const char *clock;
    json_t *offset;

    json_object_foreach ((json_t *)offsets, clock, offset) {
        struct {
            int64_t seconds;
            uint32_t nanoseconds;
        } ignored;
        static const struct spec_field fields[] = {{"secs", SPEC_I64, 0, 0}, {"nanosecs", SPEC_U32, 8, 0}};
        char at[64];

        snprintf(at, sizeof(at), "linux.timeOffsets.%s", clock);
        if (spec_read(offset, at, fields, ARRAY_SIZE(fields), &ignored, err) < 0)
            return -1;
    }
    return 0;
}

static int validate(const struct spec *spec, struct err *err)
{
    const struct spec_namespace *user = &spec->namespaces[NAMESPACE_USER];

    if (!str_empty(spec->mount_label) && selinux_enabled())
        return err_set(err, ERR_NOT_IMPLEMENTED, "linux.mountLabel is not supported");
    if (spec_makes(spec, NAMESPACE_USER) && (!spec->uid_count || !spec->gid_count))
        return spec_error(err, "linux.namespaces",
                          "a new user namespace needs both uidMappings and gidMappings");
    if (!user->wanted && (spec->uid_count || spec->gid_count))
        return spec_error(err, "linux.uidMappings", "mappings need a user namespace in linux.namespaces");
    if (!spec->namespaces[NAMESPACE_MOUNT].wanted &&
        ((spec->masked_paths && *spec->masked_paths) || (spec->readonly_paths && *spec->readonly_paths)))
        return spec_error(err, "linux.maskedPaths",
                          "masked and read-only paths need a mount namespace in linux.namespaces");
    if (!spec->namespaces[NAMESPACE_MOUNT].wanted && spec->root_propagation_name)
        return spec_error(err, "linux.rootfsPropagation", "it needs a mount namespace in linux.namespaces");
    if (spec->time_offsets && json_object_size(spec->time_offsets) && !spec_makes(spec, NAMESPACE_TIME))
        return spec_error(err, "linux.timeOffsets", "offsets need a new time namespace in linux.namespaces");
    if (spec->root_propagation_name && !spec->root_propagation)
        return spec_error(err, "linux.rootfsPropagation", "\"%s\" is no propagation",
                          spec->root_propagation_name);
    return 0;
}

int spec_linux_parse(const json_t *json, struct spec *spec, struct err *err)
{
    struct {
        const json_t *namespaces, *devices, *uids, *gids, *personality;
    } parts = {0};
    static const struct spec_field part_fields[] = {
        {"namespaces", SPEC_ARRAY, 0 * sizeof(json_t *), 0},
        {"devices", SPEC_ARRAY, 1 * sizeof(json_t *), 0},
        {"uidMappings", SPEC_ARRAY, 2 * sizeof(json_t *), 0},
        {"gidMappings", SPEC_ARRAY, 3 * sizeof(json_t *), 0},
        {"personality", SPEC_OBJECT, 4 * sizeof(json_t *), 0},
    };
    static const struct spec_field fields[] = {
        {"timeOffsets", SPEC_OBJECT, offsetof(struct spec, time_offsets), 0},
        {"cgroupsPath", SPEC_STRING, offsetof(struct spec, cgroups_path), 0},
        {"resources", SPEC_OBJECT, offsetof(struct spec, resources), 0},
        {"sysctl", SPEC_OBJECT, offsetof(struct spec, sysctl), 0},
        {"seccomp", SPEC_OBJECT, offsetof(struct spec, seccomp), 0},
        {"maskedPaths", SPEC_STRINGS, offsetof(struct spec, masked_paths), 0},
        {"readonlyPaths", SPEC_STRINGS, offsetof(struct spec, readonly_paths), 0},
        {"rootfsPropagation", SPEC_STRING, offsetof(struct spec, root_propagation_name), 0},
        {"mountLabel", SPEC_STRING, offsetof(struct spec, mount_label), 0},
        {"memoryPolicy", SPEC_OBJECT, offsetof(struct spec, memory_policy), 0},
        {"netDevices", SPEC_OBJECT, offsetof(struct spec, net_devices), 0},
        {"intelRdt", SPEC_OBJECT, offsetof(struct spec, intel_rdt), 0},
    };

    if (spec_read(json, "linux", part_fields, ARRAY_SIZE(part_fields), &parts, err) < 0 ||
        spec_read(json, "linux", fields, ARRAY_SIZE(fields), spec, err) < 0)
        return -1;
    if (str_empty(spec->root_propagation_name))
        spec->root_propagation_name = NULL;
    spec->root_propagation = spec_propagation(spec->root_propagation_name);
    if (namespaces_parse(parts.namespaces, spec, err) < 0 || devices_parse(parts.devices, spec, err) < 0 ||
        personality_parse(parts.personality, spec, err) < 0 ||
        spec_mappings_parse(parts.uids, "linux.uidMappings", &spec->uids, &spec->uid_count, err) < 0 ||
        spec_mappings_parse(parts.gids, "linux.gidMappings", &spec->gids, &spec->gid_count, err) < 0)
        return -1;
    if (cgroup_check(spec->resources, err) < 0 || net_devices_check(spec, err) < 0 ||
        rdt_check(spec->intel_rdt, err) < 0)
        return -1;
    map_caller(spec);
    return time_offsets_check(spec->time_offsets, err) < 0 ? -1 : validate(spec, err);
}
