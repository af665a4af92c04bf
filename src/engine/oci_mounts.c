/* Mounts: the table of what every container has, then the user's (by depth, so that parents come first), then
 * the engine's files. What the user mounts at a destination replaces the table's row for it.
 *
 * A container's "mounts" are Docker's MountPoint objects, with one member more, "Options", which inspect
 * doesn't show:
 *     bind    {"NonRecursive":b,"ReadOnlyNonRecursive":b,"CreateSource":b}
 *     volume  {"Subpath":"a/b"}
 *     image   {"TopLayer":chain id,"Subpath":"a/b"}; the Source is the image's id
 *     tmpfs   {"Data":"size=…,mode=…"}
 * What is mounted of volumes and images in part, mount_sources.c has put into Source by the time this is called. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/oci.h"

struct default_mount {
    const char *destination, *type, *source, *options;
};

/* In order. A row's options are comma-separated. */
static const struct default_mount default_mounts[] = {
    {"/proc", "proc", "proc", "nosuid,noexec,nodev"},
    {"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
    {"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
    {"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"},
    {"/sys/fs/cgroup", "cgroup", "cgroup", "ro,nosuid,noexec,nodev"},
    {"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"},
    {"/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777"},
};

static void add_mount(json_t *mounts, const char *destination, const char *type, const char *source,
                      const char *options)
{
    _cleanup_strv_ char **list = strv_split(options, ',');
    json_t *m = json_object();
    json_set_str(m, "destination", destination);
    json_set_str(m, "type", type);
    json_set_str(m, "source", source);
    json_object_set_new(m, "options", json_from_strv(list));
    json_array_append_new(mounts, m);
}

static bool user_mounts_at(const struct oci_input *in, const char *destination)
{
    size_t i;
    const json_t *m;
    json_array_foreach (in->mounts, i, m)
        if (str_eq(json_str(m, "Destination"), destination))
            return true;
    return json_object_get(json_object_get(in->host_config, "Tmpfs"), destination) != NULL;
}

/* ---- the table ---- */

static void add_shm(const struct oci_input *in, json_t *mounts, const struct default_mount *row)
{
    if (str_eq(json_str(in->host_config, "IpcMode"), "none"))
        return;
    if (in->shm_dir) {
        add_mount(mounts, row->destination, "bind", in->shm_dir, "rbind,rprivate,nosuid,noexec,nodev");
        return;
    }
    int64_t size = json_int_or(in->host_config, "ShmSize", in->options->shm_size);
    _cleanup_free_ char *options =
        xasprintf("%s,size=%lld", row->options, (long long)(size > 0 ? size : 64 << 20));
    add_mount(mounts, row->destination, row->type, row->source, options);
}

static void add_defaults(const struct oci_input *in, json_t *mounts)
{
    bool privileged = json_bool_or(in->host_config, "Privileged", false);
    struct oci_security security;
    if (oci_security_parse(in->host_config, &security, NULL) < 0)
        security.writable_cgroups = false;
    for (size_t i = 0; i < ARRAY_SIZE(default_mounts); i++) {
        const struct default_mount *row = &default_mounts[i];
        const char *options = row->options;
        if (user_mounts_at(in, row->destination))
            continue;
        if (str_eq(row->destination, "/dev/shm")) {
            add_shm(in, mounts, row);
            continue;
        }
        bool cgroups = str_eq(row->type, "cgroup");
        if ((privileged && str_starts(row->destination, "/sys")) || (cgroups && security.writable_cgroups))
            options = "nosuid,noexec,nodev,rw";
        add_mount(mounts, row->destination, row->type, row->source, options);
    }
}

/* ---- the user's ---- */

static void add_bind(json_t *mounts, const json_t *m)
{
    const json_t *o = json_object_get(m, "Options");
    const char *propagation = json_str_or(m, "Propagation", "");
    bool flat = json_bool_or(o, "NonRecursive", false);
    bool ro_flat = flat || json_bool_or(o, "ReadOnlyNonRecursive", false);
    /* a writable one names no flag: that would take off what its source has (noexec, nosuid) */
    const char *access = json_bool_or(m, "RW", true) ? "" : ro_flat ? ",ro" : ",rro";
    _cleanup_free_ char *options =
        xasprintf("%s%s,%s", flat ? "bind" : "rbind", access, *propagation ? propagation : "rprivate");
    add_mount(mounts, json_str(m, "Destination"), "bind", json_str_or(m, "Source", ""), options);
}

static void add_tmpfs(json_t *mounts, const char *destination, const char *data, bool writable)
{
    _cleanup_free_ char *options =
        xasprintf("noexec,nosuid,nodev%s%s%s", *data ? "," : "", data, writable ? "" : ",ro");
    add_mount(mounts, destination, "tmpfs", "tmpfs", options);
}

static size_t depth_of(const json_t *mount)
{
    size_t depth = 0;
    for (const char *p = json_str(mount, "destination"); p && *p; p++)
        depth += *p == '/' && p[1];
    return depth;
}

/* Appends rows to mounts, shallow ones first, otherwise in their order. */
static void append_by_depth(json_t *mounts, const json_t *rows)
{
    size_t deepest = 0, i;
    json_t *row;
    json_array_foreach (rows, i, row)
        deepest = MAX_OF(deepest, depth_of(row));
    for (size_t depth = 0; depth <= deepest; depth++)
        json_array_foreach (rows, i, row) {
            if (depth_of(row) == depth)
                json_array_append(mounts, row);
        }
}

static void add_users(const struct oci_input *in, json_t *mounts)
{
    _cleanup_json_ json_t *rows = json_array();
    const char *destination;
    json_t *m, *data;
    size_t i;
    json_object_foreach (json_object_get(in->host_config, "Tmpfs"), destination, data) {
        add_tmpfs(rows, destination, json_string_value(data), true);
    }
    json_array_foreach (in->mounts, i, m) {
        if (str_eq(json_str(m, "Type"), "tmpfs"))
            add_tmpfs(rows, json_str(m, "Destination"),
                      json_str_or(json_object_get(m, "Options"), "Data", ""), json_bool_or(m, "RW", true));
        else
            add_bind(rows, m);
    }
    append_by_depth(mounts, rows);
}

/* ---- the engine's ---- */

static void add_files(const struct oci_input *in, json_t *mounts)
{
    const struct {
        const char *destination, *source, *options;
    } files[] = {
        {"/etc/resolv.conf", in->resolv_file, "rbind,rprivate"},
        {"/etc/hostname", in->hostname_file, "rbind,rprivate"},
        {"/etc/hosts", in->hosts_file, "rbind,rprivate"},
        {"/sbin/docker-init", in->init_program, "bind,ro"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (files[i].source && !user_mounts_at(in, files[i].destination))
            add_mount(mounts, files[i].destination, "bind", files[i].source, files[i].options);
}

json_t *oci_mounts(const struct oci_input *in, struct err *err)
{
    json_t *mounts = json_array();
    (void)err;
    add_defaults(in, mounts);
    add_users(in, mounts);
    add_files(in, mounts);
    return mounts;
}
