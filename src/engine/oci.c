/* The frame of an OCI configuration. */
#include "engine/oci.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/cdi.h"
#include "engine/fields.h"

static const char *const namespace_types[OCI_NS_COUNT] = {
    [OCI_NS_PID] = "pid", [OCI_NS_NETWORK] = "network", [OCI_NS_IPC] = "ipc",
    [OCI_NS_UTS] = "uts", [OCI_NS_CGROUP] = "cgroup",
};

static void add_namespace(json_t *list, const char *type, const char *path)
{
    json_t *ns = json_object();
    json_set_str(ns, "type", type);
    if (*path)
        json_set_str(ns, "path", path);
    json_array_append_new(list, ns);
}

static json_t *frame_namespaces(const struct oci_input *in)
{
    json_t *list = json_array();
    add_namespace(list, "mount", "");
    for (size_t i = 0; i < OCI_NS_COUNT; i++)
        if (!in->namespaces[i].host && !in->namespaces[i].given)
            add_namespace(list, namespace_types[i], in->namespaces[i].path);
    return list;
}

/* The user's list ([] says: none), or the default; nothing for privileged containers. */
static void frame_paths(const struct oci_input *in, json_t *linux_part, const char *docker, const char *oci)
{
    json_t *own = json_object_get(in->host_config, docker);
    if (own)
        json_object_set(linux_part, oci, own);
    else if (!json_bool_or(in->host_config, "Privileged", false))
        for (const struct field *f = host_config_fields; f->name; f++)
            if (str_eq(f->name, docker))
                json_object_set_new(linux_part, oci, json_loads(f->otherwise, 0, NULL));
}

/* New network namespaces let everybody bind low ports and ping, as Docker's do. */
static const char *const network_sysctls[][2] = {
    {"net.ipv4.ip_unprivileged_port_start", "0"},
    {"net.ipv4.ping_group_range", "0 2147483647"},
};

static int frame_sysctls(const struct oci_input *in, json_t *linux_part, struct err *err)
{
    const struct oci_namespace_choice *net = &in->namespaces[OCI_NS_NETWORK];
    json_t *sysctl = json_object(), *value;
    const char *key;
    json_object_set_new(linux_part, "sysctl", sysctl);
    if (!net->host && !*net->path)
        for (size_t i = 0; i < ARRAY_SIZE(network_sysctls); i++)
            json_set_str(sysctl, network_sysctls[i][0], network_sysctls[i][1]);
    json_object_foreach (json_object_get(in->host_config, "Sysctls"), key, value) {
        if (strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/") !=
                strlen(key) ||
            strstr(key, ".."))
            return err_set(err, ERR_INVALID, "invalid sysctl name '%.128s'", key);
        if (net->host && str_starts(key, "net."))
            return err_set(err, ERR_INVALID, "sysctl \"%.128s\" not allowed in host network namespace", key);
        json_object_set(sysctl, key, value);
    }
    return 0;
}

/* The strongest propagation a mount asks for is what the root needs. */
static const char *frame_propagation(const struct oci_input *in)
{
    const char *needed = NULL;
    const json_t *m;
    size_t i;
    json_array_foreach (in->mounts, i, m) {
        const char *p = json_str_or(m, "Propagation", "");
        if (str_eq(p, "shared") || str_eq(p, "rshared"))
            return "shared";
        if (str_eq(p, "slave") || str_eq(p, "rslave"))
            needed = "rslave";
    }
    return needed;
}

static json_t *frame_linux(const struct oci_input *in, struct err *err)
{
    _cleanup_json_ json_t *part = json_object(), *devices = NULL, *rules = NULL;
    _cleanup_json_ json_t *resources = oci_resources(in->host_config, err);
    uint64_t capabilities;
    bool failed;
    if (!resources || oci_devices(in, &devices, &rules, err) < 0 ||
        oci_capabilities(in->host_config, &capabilities, err) < 0)
        return NULL;
    json_object_set(resources, "devices", rules);
    json_object_set_new(part, "namespaces", frame_namespaces(in));
    json_set_str(part, "cgroupsPath", in->cgroup_path);
    json_object_set(part, "resources", resources);
    json_object_set(part, "devices", devices);
    json_t *seccomp = oci_seccomp(in, capabilities, &failed, err);
    if (failed || frame_sysctls(in, part, err) < 0) {
        json_decref(seccomp);
        return NULL;
    }
    if (seccomp)
        json_object_set_new(part, "seccomp", seccomp);
    if (frame_propagation(in))
        json_set_str(part, "rootfsPropagation", frame_propagation(in));
    frame_paths(in, part, "MaskedPaths", "maskedPaths");
    frame_paths(in, part, "ReadonlyPaths", "readonlyPaths");
    return take_ptr(&part);
}

json_t *oci_compose(const struct oci_input *in, struct err *err)
{
    _cleanup_json_ json_t *process = oci_process(in, err);
    _cleanup_json_ json_t *linux_part = process ? frame_linux(in, err) : NULL;
    _cleanup_json_ json_t *mounts = linux_part ? oci_mounts(in, err) : NULL;
    if (!mounts)
        return NULL;
    json_t *oci = json_object(), *root = json_object();
    json_set_str(oci, "ociVersion", in->portable ? "1.0.2" : "1.2.0"); /* older runtimes know no later one */
    json_object_set(oci, "process", process);
    json_set_str(root, "path", "/");
    if (json_bool_or(in->host_config, "ReadonlyRootfs", false))
        json_set_bool(root, "readonly", true);
    json_object_set_new(oci, "root", root);
    if (!in->namespaces[OCI_NS_UTS].host) {
        json_set_str(oci, "hostname", in->hostname);
        if (in->domainname && *in->domainname)
            json_set_str(oci, "domainname", in->domainname);
    }
    json_object_set(oci, "mounts", mounts);
    if (json_object_get(in->host_config, "Annotations"))
        json_object_set(oci, "annotations", json_object_get(in->host_config, "Annotations"));
    json_object_set(oci, "linux", linux_part);
    if (cdi_apply(in->options->cdi_dirs, json_object_get(in->host_config, "DeviceRequests"), oci, err) < 0) {
        json_decref(oci);
        return NULL;
    }
    return oci;
}
