/* features: what this runtime can do. Source: OCI features.md. */
#include <string.h>

#include "base/json.h"
#include "runtime/command/command.h"
#include "runtime/spec.h"
#include "sys/capability.h"
#include "sys/seccomp.h"

int command_features(struct request *request, struct err *err)
{
    _cleanup_json_ json_t *features = NULL;
    json_t *kinds = json_array();

    (void)request;
    (void)err;
    for (int i = 0; i < NAMESPACE_COUNT; i++)
        json_array_append_new(kinds, json_string(namespaces[i].name));
    features =
        json_pack("{s:s, s:s, s:[s,s,s,s,s,s], s:o, s:{s:o, s:o, s:{s:b,s:b,s:b,s:b,s:b}, "
                  "s:{s:b,s:o,s:o,s:o,s:o}, s:{s:b}, s:{s:b}, s:{s:{s:b}}}, s:{s:s}, s:[]}",
                  "ociVersionMin", "1.0.0", "ociVersionMax", "1.3.0", "hooks", "prestart", "createRuntime",
                  "createContainer", "startContainer", "poststart", "poststop", "mountOptions",
                  spec_mount_option_names(), "linux", "namespaces", kinds, "capabilities",
                  capability_mask_to_json(capability_all()), "cgroup", "v1", 1, "v2", 1, "systemd", 1,
                  "systemdUser", 1, "rdma", 1, "seccomp", "enabled", 1, "actions", seccomp_known_actions(),
                  "operators", seccomp_known_operators(), "archs", seccomp_known_architectures(),
                  "knownFlags", seccomp_known_flags(), "apparmor", "enabled", 1, "selinux", "enabled", 0,
                  "mountExtensions", "idmap", "enabled", 1, "annotations", "org.opencontainers.runc.version",
                  "", "potentiallyUnsafeConfigAnnotations");
    if (!features)
        return err_set(err, ERR_SYSTEM, "out of memory");
    json_object_del(features, "annotations");
    return command_print_json(features, /* compact= */ false);
}
