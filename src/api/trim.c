/* Answers in the shape that an older API version had. */
#include "api/trim.h"

#include <stddef.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

static void trim_each(json_t *list, void (*fn)(json_t *item))
{
    json_t *item;
    size_t i;

    json_array_foreach (list, i, item)
        fn(item);
}

/* 1.44 dropped VirtualSize, which was the same as Size for long. */
static void trim_virtual_size(json_t *image)
{
    json_set_int(image, "VirtualSize", json_int_or(image, "Size", 0));
}

static void trim_virtual_sizes(json_t *images)
{
    trim_each(images, trim_virtual_size);
}

static void trim_virtual_sizes_of_df(json_t *usage)
{
    trim_each(json_object_get(usage, "Images"), trim_virtual_size);
}

/* 1.43 dropped the placeholders for no name at all, and null for none of one kind. */
static void trim_none(json_t *image)
{
    bool tags = json_array_size(json_object_get(image, "RepoTags")) > 0;
    bool digests = json_array_size(json_object_get(image, "RepoDigests")) > 0;

    if (!tags)
        json_object_set_new(image, "RepoTags", digests ? json_null() : json_pack("[s]", "<none>:<none>"));
    if (!digests)
        json_object_set_new(image, "RepoDigests", tags ? json_null() : json_pack("[s]", "<none>@<none>"));
}

static void trim_nones(json_t *images)
{
    trim_each(images, trim_none);
}

static void trim_container_count(json_t *image)
{
    json_set_int(image, "Containers", -1);
}

static void trim_container_counts(json_t *images)
{
    trim_each(images, trim_container_count);
}

static void trim_manifest(json_t *container)
{
    json_object_del(container, "ImageManifestDescriptor");
}

static void trim_manifests(json_t *containers)
{
    trim_each(containers, trim_manifest);
}

static void trim_annotation(json_t *container)
{
    json_object_del(json_object_get(container, "HostConfig"), "Annotations");
}

static void trim_annotations(json_t *containers)
{
    trim_each(containers, trim_annotation);
}

static void trim_add_alias(json_t *aliases, const char *name)
{
    const json_t *alias;
    size_t i;

    json_array_foreach (aliases, i, alias)
        if (str_eq(json_string_value(alias), name))
            return;
    json_array_append_new(aliases, json_string(name));
}

/* 1.45 dropped the names that Docker itself gives from the aliases on users' networks: DNSNames has them. */
static void trim_aliases(json_t *container)
{
    const char *id = json_str_or(container, "Id", ""), *network;
    const char *hostname = json_str_or(json_object_get(container, "Config"), "Hostname", "");
    _cleanup_free_ char *short_id = xstrndup(id, 12);
    json_t *endpoint;

    json_object_foreach (json_at(container, "NetworkSettings.Networks"), network, endpoint) {
        json_t *aliases = json_object_get(endpoint, "Aliases");

        if (str_eq(network, "bridge") || str_eq(network, "host") || str_eq(network, "none"))
            continue;
        if (!json_is_array(aliases))
            json_object_set_new(endpoint, "Aliases", aliases = json_array());
        trim_add_alias(aliases, short_id);
        if (*hostname)
            trim_add_alias(aliases, hostname);
    }
}

/* 1.50 dropped from images' configurations what only containers have. */
static void trim_fill_config(json_t *config)
{
    static const char *const flags[] = {"AttachStdin", "AttachStdout", "AttachStderr",
                                        "OpenStdin",   "StdinOnce",    "Tty"};
    static const char *const texts[] = {"Domainname", "Hostname", "Image"};

    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if (!json_object_get(config, flags[i]))
            json_set_bool(config, flags[i], false);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (!json_object_get(config, texts[i]))
            json_set_str(config, texts[i], "");
}

static void trim_image_config(json_t *image)
{
    trim_fill_config(json_object_get(image, "Config"));
}

/* 1.45 dropped the container that an image was made of. */
static void trim_image_container(json_t *image)
{
    static const char *const nothing[] = {"Cmd", "Entrypoint", "Env", "Labels", "OnBuild", "Volumes"};
    json_t *config = json_object();

    trim_fill_config(config);
    for (size_t i = 0; i < ARRAY_SIZE(nothing); i++)
        json_object_set_new(config, nothing[i], json_null());
    json_set_str(config, "User", "");
    json_set_str(config, "WorkingDir", "");
    json_object_set_new(image, "ContainerConfig", config);
}

/* 1.50 dropped what isn't asked any more. */
static void trim_bridge_filters(json_t *info)
{
    json_set_bool(info, "BridgeNfIptables", false);
    json_set_bool(info, "BridgeNfIp6tables", false);
}

/* 1.49 brought the firewall, and dropped which commits are expected. */
static void trim_firewall(json_t *info)
{
    static const char *const commits[] = {"RuncCommit", "ContainerdCommit", "InitCommit"};

    json_object_del(info, "FirewallBackend");
    for (size_t i = 0; i < ARRAY_SIZE(commits); i++) {
        json_t *commit = json_object_get(info, commits[i]);

        if (*json_str_or(commit, "ID", ""))
            json_set_str(commit, "Expected", json_str(commit, "ID"));
    }
}

/* 1.47 dropped these. */
static void trim_nondistributable(json_t *info)
{
    json_t *registries = json_object_get(info, "RegistryConfig");

    json_object_set_new(registries, "AllowNondistributableArtifactsCIDRs", json_null());
    json_object_set_new(registries, "AllowNondistributableArtifactsHostnames", json_null());
}

static void trim_containerd(json_t *info)
{
    json_object_del(info, "Containerd");
}

static void trim_runtime_status(json_t *info)
{
    const char *name;
    json_t *runtime;

    json_object_foreach (json_object_get(info, "Runtimes"), name, runtime)
        json_object_del(runtime, "status");
}

static void trim_kernel_memory(json_t *info)
{
    json_set_bool(info, "KernelMemory", true);
}

static const struct {
    const char *pattern;
    unsigned below; /* versions before this one */
    void (*change)(json_t *answer);
} rows[] = {
    {"/info", 1050, trim_bridge_filters},
    {"/info", 1049, trim_firewall},
    {"/info", 1047, trim_nondistributable},
    {"/info", 1046, trim_containerd},
    {"/info", 1044, trim_runtime_status},
    {"/info", 1042, trim_kernel_memory},
    {"/containers/json", 1048, trim_manifests},
    {"/containers/json", 1046, trim_annotations},
    {"/containers/{id*}/json", 1048, trim_manifest},
    {"/containers/{id*}/json", 1045, trim_aliases},
    {"/images/{name*}/json", 1050, trim_image_config},
    {"/images/{name*}/json", 1045, trim_image_container},
    {"/images/json", 1051, trim_container_counts},
    {"/images/json", 1044, trim_virtual_sizes},
    {"/images/json", 1043, trim_nones},
    {"/images/{name*}/json", 1044, trim_virtual_size},
    {"/system/df", 1044, trim_virtual_sizes_of_df},
};

bool trim_changes(const char *pattern, unsigned version)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (version < rows[i].below && str_eq(rows[i].pattern, pattern))
            return true;
    return false;
}

void trim_answer(const char *pattern, unsigned version, json_t *answer)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (version < rows[i].below && str_eq(rows[i].pattern, pattern))
            rows[i].change(answer);
}
