/* GET /containers/{id}/json, and renaming. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/apparmor.h"
#include "engine/container.h"
#include "engine/endpoints.h"
#include "engine/exec.h"
#include "engine/fields.h"
#include "engine/links.h"
#include "engine/monitors.h"
#include "engine/mounts.h"
#include "engine/namespaces.h"
#include "engine/netfiles.h"
#include "engine/networks.h"
#include "storage/storage.h"
#include "sys/cgroup.h"

void container_sizes(struct engine *e, const struct container *c, int64_t *ret_own, int64_t *ret_total)
{
    *ret_own = *ret_total = 0;
    storage_container_size(e->storage, c->id, ret_own, NULL);
    _cleanup_json_ json_t *image = db_get(e->db, DB_IMAGES, c->image_id, NULL);
    *ret_total = *ret_own + json_int_or(image, "Size", 0);
}

static void set_time(json_t *json, const char *key, int64_t ns)
{
    char text[CLOCK_TEXT_SIZE];
    clock_format(ns, text);
    json_set_str(json, key, text);
}

static json_t *state_json(const struct container_state *s)
{
    json_t *json = json_object();
    enum container_status status = s->status;
    json_set_str(json, "Status", container_status_name(status));
    json_set_bool(json, "Running", container_status_runs(status));
    json_set_bool(json, "Paused", status == CONTAINER_PAUSED);
    json_set_bool(json, "Restarting", status == CONTAINER_RESTARTING);
    json_set_bool(json, "OOMKilled", s->oom_killed);
    json_set_bool(json, "Dead", status == CONTAINER_DEAD);
    json_set_int(json, "Pid", s->pid);
    json_set_int(json, "ExitCode", s->exit_code);
    json_set_str(json, "Error", s->error);
    set_time(json, "StartedAt", s->started_at);
    set_time(json, "FinishedAt", s->finished_at);
    return json;
}

static void add_health(json_t *json, struct container *c, const struct container_state *s)
{
    if (s->health == HEALTH_NONE)
        return;
    json_t *health = json_object();
    json_set_str(health, "Status", container_health_name(s->health));
    json_set_int(health, "FailingStreak", s->failing_streak);
    json_object_set_new(health, "Log", container_health_log(c));
    json_object_set_new(json, "Health", health);
}

/* Path and Args: the first word of the program, and the rest. */
static void add_program(json_t *json, const json_t *config)
{
    const char *const members[] = {"Entrypoint", "Cmd"};
    json_t *args = json_array(), *word;
    const char *path = NULL;
    size_t i;
    for (size_t m = 0; m < ARRAY_SIZE(members); m++)
        json_array_foreach (json_object_get(config, members[m]), i, word) {
            if (path)
                json_array_append(args, word);
            else
                path = json_string_value(word);
        }
    json_set_str(json, "Path", path ? path : "");
    json_object_set_new(json, "Args", args);
}

static void add_file(json_t *json, const char *key, struct container *c, const char *name, bool there)
{
    _cleanup_free_ char *path = there ? container_data_path(c, name) : xstrdup("");
    json_set_str(json, key, path);
}

static void add_files(json_t *json, struct container *c, const struct container_state *s)
{
    _cleanup_json_ json_t *host_config = container_host_config(c);
    const json_t *driver = json_object_get(host_config, "LogConfig");
    bool started = s->started_at != 0,
         logged = started && str_eq(json_str_or(driver, "Type", "json-file"), "json-file");
    _cleanup_free_ char *log = container_log_path(c);
    add_file(json, "ResolvConfPath", c, NETFILE_RESOLV, started);
    add_file(json, "HostnamePath", c, NETFILE_HOSTNAME, started);
    add_file(json, "HostsPath", c, NETFILE_HOSTS, started);
    json_set_str(json, "LogPath", logged ? log : "");
}

/* The merged view is mounted nowhere but in the container; this is the way to it from here. */
static void add_merged(json_t *data, const struct container_state *s)
{
    char path[64] = "";
    if (s->pid > 0)
        snprintf(path, sizeof(path), "/proc/%d/root", s->pid);
    json_set_str(data, "MergedDir", path);
}

static void add_layers(json_t *data, const struct storage_rootfs *rootfs, const struct container_state *s)
{
    _cleanup_free_ char *lower = strv_join(rootfs->lower, ":");

    json_set_str(data, "LowerDir", lower);
    add_merged(data, s);
    json_set_str(data, "UpperDir", rootfs->upper);
    json_set_str(data, "WorkDir", rootfs->work);
}

static json_t *driver_json(struct container *c, const struct container_state *s)
{
    struct storage_rootfs rootfs = {0};
    json_t *driver = json_object(), *data = json_object();
    if (storage_container_rootfs(c->engine->storage, c->id, &rootfs, NULL) == 0) {
        json_set_str(data, "ID", c->id);
        if (rootfs.root)
            json_set_str(data, "dir", rootfs.root);
        else
            add_layers(data, &rootfs, s);
    }
    storage_rootfs_finish(&rootfs);
    json_object_set_new(driver, "Data", data);
    json_set_str(driver, "Name", storage_driver_name(c->engine->storage));
    return driver;
}

static const json_t *default_bridge(const json_t *endpoints)
{
    const json_t *row;
    size_t i;
    json_array_foreach (endpoints, i, row)
        if (str_eq(json_str(row, "Network"), "bridge"))
            return row;
    return NULL;
}

/* NetworkSettings: the old flat members repeat the default bridge's. */
static json_t *network_json(struct container *c, const struct container_snapshot *s)
{
    static const char *const texts[] = {"EndpointID", "Gateway",           "IPAddress",
                                        "MacAddress", "GlobalIPv6Address", "IPv6Gateway"};
    const json_t *first = default_bridge(s->endpoints);
    json_t *json = json_object();
    char sandbox[80] = "";
    if (s->state.pid > 0)
        snprintf(sandbox, sizeof(sandbox), "/proc/%d/ns/net", s->state.pid);
    json_set_str(json, "Bridge", "");
    json_set_str(json, "SandboxID", s->state.pid > 0 ? c->id : "");
    json_set_str(json, "SandboxKey", sandbox);
    json_object_set_new(json, "Ports", endpoints_ports(s->config, s->endpoints));
    json_set_bool(json, "HairpinMode", false);
    json_set_str(json, "LinkLocalIPv6Address", "");
    json_set_int(json, "LinkLocalIPv6PrefixLen", 0);
    json_object_set_new(json, "SecondaryIPAddresses", json_null());
    json_object_set_new(json, "SecondaryIPv6Addresses", json_null());
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        json_set_str(json, texts[i], json_str_or(first, texts[i], ""));
    json_set_int(json, "GlobalIPv6PrefixLen", json_int_or(first, "GlobalIPv6PrefixLen", 0));
    json_set_int(json, "IPPrefixLen", json_int_or(first, "IPPrefixLen", 0));
    json_object_set_new(json, "Networks", endpoints_networks(c, s));
    return json;
}

static json_t *inspect_json(struct container *c, const struct container_snapshot *s)
{
    json_t *json = json_object();
    _cleanup_free_ char *slashed = xasprintf("/%s", s->name);
    json_set_str(json, "Id", c->id);
    set_time(json, "Created", c->created);
    add_program(json, s->config);
    json_t *state = state_json(&s->state);
    add_health(state, c, &s->state);
    json_object_set_new(json, "State", state);
    json_set_str(json, "Image", c->image_id);
    add_files(json, c, &s->state);
    json_set_str(json, "Name", slashed);
    json_set_int(json, "RestartCount", s->restart_count);
    json_set_str(json, "Driver", storage_driver_name(c->engine->storage));
    json_set_str(json, "Platform", "linux");
    json_set_str(json, "MountLabel", "");
    json_set_str(json, "ProcessLabel", "");
    const char *apparmor = apparmor_available() ? apparmor_profile(s->host_config) : NULL;
    json_set_str(json, "AppArmorProfile", apparmor ? apparmor : "");
    json_object_set_new(json, "ExecIDs", execs_ids(c));
    json_t *host = fields_expand(host_config_fields, s->host_config);
    if (json_bool_or(s->host_config, "Privileged", false)) {
        json_object_set_new(host, "MaskedPaths", json_null());
        json_object_set_new(host, "ReadonlyPaths", json_null());
    }
    if (json_is_null(json_object_get(host, "OomKillDisable")) && cgroup_mode() != CGROUP_MODE_UNIFIED)
        json_set_bool(host, "OomKillDisable", false); /* there it could have been asked for */
    json_t *links = links_shown(c->engine, s->name, s->host_config);
    if (links)
        json_object_set_new(host, "Links", links);
    json_object_set_new(json, "HostConfig", host);
    json_object_set_new(json, "GraphDriver", driver_json(c, &s->state));
    json_object_set_new(json, "Mounts", mounts_shown(s->mounts));
    json_object_set_new(json, "Config", fields_expand(config_fields, s->config));
    json_object_set_new(json, "NetworkSettings", network_json(c, s));
    return json;
}

int engine_container_inspect(struct engine *e, const char *ref, bool size, json_t **ret, struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    if (!c)
        return -1;
    _cleanup_snapshot_ struct container_snapshot s = {0};
    container_snapshot(c, &s);
    *ret = inspect_json(c, &s);
    if (size) {
        int64_t own, total;
        container_sizes(e, c, &own, &total);
        json_set_int(*ret, "SizeRw", own);
        json_set_int(*ret, "SizeRootFs", total);
    }
    return 0;
}

/* ---- rename ---- */

static int rename_locked(struct container *c, const char *name, struct err *err)
{
    if (c->removing)
        return err_set(err, ERR_CONFLICT, "container %s is marked for removal and cannot be renamed", c->id);
    if (str_eq(c->name, name))
        return err_set(err, ERR_INVALID, "Renaming a container with the same name as its current name");
    _cleanup_free_ char *old = xstrdup(c->name);
    if (containers_rename(c->engine, c, name, err) < 0)
        return err_wrap(err, "Error when allocating new name");
    if (container_keep(c, err) < 0) {
        containers_rename(c->engine, c, old, NULL);
        return -1;
    }
    endpoints_rename(c);
    _cleanup_free_ char *slashed = xasprintf("/%s", old);
    container_event(c, "rename", "oldName", slashed, NULL);
    return 0;
}

int engine_container_rename(struct engine *e, const char *ref, const char *name, struct err *err)
{
    const char *bare;
    if (str_empty(name))
        return err_set(err, ERR_INVALID, "Neither old nor new names may be empty");
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    if (!c)
        return -1;
    if (container_check_name(name, &bare, err) < 0)
        return err_wrap(err, "Error when allocating new name");
    pthread_mutex_lock(&c->operation);
    int r = rename_locked(c, bare, err);
    pthread_mutex_unlock(&c->operation);
    return r;
}

/* ---- changes ---- */

static int add_change(void *arg, char kind, const char *path)
{
    int number = kind == 'A' ? 1 : kind == 'D' ? 2 : 0;
    json_t *change = json_object();

    json_object_set_new(change, "Path", json_string_lossy(path, strlen(path)));
    json_set_int(change, "Kind", number);
    json_array_append_new(arg, change);
    return 0;
}

int engine_container_changes(struct engine *e, const char *ref, json_t **ret, struct err *err)
{
    _cleanup_container_ struct container *c = containers_find(e, ref, err);
    _cleanup_json_ json_t *changes = json_array();

    if (!c)
        return -1;
    if (storage_container_changes(e->storage, c->id, add_change, changes, err) < 0)
        return container_failed(c, ref, err);
    *ret = json_array_size(changes) > 0 ? take_ptr(&changes) : json_null();
    return 0;
}
