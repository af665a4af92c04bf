/* features: what this runtime can do. Source: OCI features.md and features-linux.md. */
#include <string.h>

#include "base/json.h"
#include "runtime/command/command.h"
#include "runtime/init/init.h"
#include "runtime/spec.h"
#include "sys/capability.h"
#include "sys/seccomp.h"

/* Annotations that change what happens on the host: whoever passes on those of strangers has to leave them out. */
static const char *const unsafe_annotations[] = {"run.oci.hooks.", "run.oci.pidfd_receiver",
                                                 "run.oci.keep_original_groups", "org.systemd.property.",
                                                 "org.criu.config"};

static json_t *strings(const char *const *list, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_string(list[i]));
    return array;
}

static json_t *enabled(void)
{
    return json_pack("{s:b}", "enabled", 1);
}

static json_t *namespace_names(void)
{
    json_t *array = json_array();

    for (int i = 0; i < NAMESPACE_COUNT; i++)
        json_array_append_new(array, json_string(namespaces[i].name));
    return array;
}

/* All that are known by name, whether or not this kernel has them. */
static json_t *capability_names(void)
{
    json_t *array = json_array();
    const char *name;

    for (int i = 0; (name = capability_name(i)); i++)
        json_array_append_new(array, json_string(name));
    return array;
}

static json_t *seccomp(void)
{
    return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "enabled", 1, "actions", seccomp_known_actions(),
                     "operators", seccomp_known_operators(), "archs", seccomp_known_architectures(),
                     "knownFlags", seccomp_known_flags(), "supportedFlags", seccomp_supported_flags());
}

static json_t *linux_part(void)
{
    json_t *object =
        json_pack("{s:o, s:o}", "namespaces", namespace_names(), "capabilities", capability_names());

    json_object_set_new(
        object, "cgroup",
        json_pack("{s:b, s:b, s:b, s:b, s:b}", "v1", 1, "v2", 1, "systemd", 1, "systemdUser", 1, "rdma", 1));
    json_object_set_new(object, "seccomp", seccomp());
    json_object_set_new(object, "apparmor", enabled());
    json_object_set_new(object, "selinux", enabled());
    json_object_set_new(object, "intelRdt",
                        json_pack("{s:b, s:b, s:b}", "enabled", 1, "schemata", 1, "monitoring", 1));
    json_object_set_new(
        object, "memoryPolicy",
        json_pack("{s:o, s:o}", "modes", process_memory_modes(), "flags", process_memory_flags()));
    json_object_set_new(object, "mountExtensions", json_pack("{s:o}", "idmap", enabled()));
    json_object_set_new(object, "netDevices", enabled());
    return object;
}

int command_features(struct request *request, struct err *err)
{
    _cleanup_json_ json_t *features = json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:{s:s}, s:o}", "ociVersionMin", "1.0.0", "ociVersionMax", "1.3.0",
        "hooks", strings(spec_hook_stage_names, HOOK_STAGE_COUNT), "mountOptions", spec_mount_option_names(),
        "linux", linux_part(), "annotations", "org.opencontainers.runc.checkpoint.enabled", "true",
        "potentiallyUnsafeConfigAnnotations", strings(unsafe_annotations, ARRAY_SIZE(unsafe_annotations)));

    (void)request;
    return features ? command_print_json(features, /* compact= */ false)
                    : err_set(err, ERR_SYSTEM, "out of memory");
}
