/* What the engine says about itself and its host: /version and /info. */
#include "engine/system.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/images.h"
#include "engine/internal.h"
#include "engine/logs.h"
#include "engine/runtimes.h"
#include "engine/system_parts.h"
#include "image/platform.h"
#include "image/pull.h"
#include "storage/storage.h"
#include "sys/cgroup.h"

/* ---- version ---- */

static json_t *system_component(const char *name, json_t *details)
{
    return json_pack("{s:s, s:s, s:o}", "Name", name, "Version", KEG_VERSION, "Details", details);
}

json_t *engine_version(void)
{
    struct platform host;
    struct utsname kernel;
    json_t *version = json_object(), *components = json_array();

    platform_host(&host);
    uname(&kernel);
    json_array_append_new(
        components,
        system_component("Engine",
                         json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "ApiVersion",
                                   ENGINE_API_VERSION, "Arch", host.architecture, "BuildTime", "",
                                   "Experimental", "false", "GitCommit", "", "GoVersion", "", "KernelVersion",
                                   kernel.release, "MinAPIVersion", ENGINE_API_VERSION_MIN, "Os", "linux")));
    json_array_append_new(components, system_component("keg-runtime", json_object()));
    json_object_set_new(version, "Platform", json_pack("{s:s}", "Name", "keg"));
    json_object_set_new(version, "Components", components);
    json_set_str(version, "Version", KEG_VERSION);
    json_set_str(version, "ApiVersion", ENGINE_API_VERSION);
    json_set_str(version, "MinAPIVersion", ENGINE_API_VERSION_MIN);
    json_set_str(version, "GitCommit", "");
    json_set_str(version, "GoVersion", ""); /* clients print it; this is C */
    json_set_str(version, "Os", "linux");
    json_set_str(version, "Arch", host.architecture);
    json_set_str(version, "KernelVersion", kernel.release);
    json_set_str(version, "BuildTime", "");
    return version;
}

/* ---- info ---- */

struct system_counts {
    int all, running, paused, stopped;
};

static int system_count(void *arg, const struct container_brief *c)
{
    struct system_counts *n = arg;

    n->all++;
    if (c->paused)
        n->paused++;
    else if (c->running)
        n->running++;
    else
        n->stopped++;
    return 0;
}

static void system_add_counts(struct engine *e, json_t *info)
{
    struct system_counts n = {0};

    engine_containers_each(e, system_count, &n);
    json_set_int(info, "Containers", n.all);
    json_set_int(info, "ContainersRunning", n.running);
    json_set_int(info, "ContainersPaused", n.paused);
    json_set_int(info, "ContainersStopped", n.stopped);
    json_set_int(info, "Images", engine_image_count(e));
}

static void system_add_storage(struct engine *e, json_t *info)
{
    char *const *status = storage_driver_status(e->storage);
    json_t *rows = json_array();

    for (size_t i = 0; status && status[i] && status[i + 1]; i += 2)
        json_array_append_new(rows, json_pack("[s, s]", status[i], status[i + 1]));
    json_set_str(info, "Driver", storage_driver_name(e->storage));
    json_object_set_new(info, "DriverStatus", rows);
    json_set_str(info, "DockerRootDir", e->options.data_root);
}

static bool system_file_is_one(const char *path)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(16);

    return file_read(AT_FDCWD, path, &b) == 0 && b.len && b.data[0] == '1';
}

static void system_add_limits(json_t *info)
{
    static const struct {
        const char *member, *controller;
    } rows[] = {
        {"MemoryLimit", "memory"}, {"SwapLimit", "memory"}, {"CpuCfsPeriod", "cpu"}, {"CpuCfsQuota", "cpu"},
        {"CPUShares", "cpu"},      {"CPUSet", "cpuset"},    {"PidsLimit", "pids"},
    };
    enum cgroup_mode mode = cgroup_mode();

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        json_set_bool(info, rows[i].member, cgroup_has_controller(rows[i].controller));
    if (mode != CGROUP_MODE_UNIFIED)
        json_set_bool(info, "KernelMemoryTCP", cgroup_has_controller("memory"));
    json_set_bool(info, "OomKillDisable", mode != CGROUP_MODE_UNIFIED && cgroup_has_controller("memory"));
    json_set_str(info, "CgroupDriver", mode == CGROUP_MODE_NONE ? "none" : "cgroupfs");
    json_set_str(info, "CgroupVersion", mode == CGROUP_MODE_UNIFIED ? "2" : "1");
    json_set_bool(info, "IPv4Forwarding", system_file_is_one("/proc/sys/net/ipv4/ip_forward"));
}

/* The value of a line NAME=value of /etc/os-release, quotes dropped; the caller frees. "" when there is none.
 */
static char *system_os_release(const char *text, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        const char *value = line + len + 1;
        size_t n;

        if (strncmp(line, name, len) != 0 || line[len] != '=')
            continue;
        n = strcspn(value, "\n");
        if (n >= 2 && value[0] == '"' && value[n - 1] == '"')
            return xstrndup(value + 1, n - 2);
        return xstrndup(value, n);
    }
    return xstrdup("");
}

static void system_add_host(json_t *info)
{
    _cleanup_(buf_finish) struct buf release = BUF_INIT(64 * 1024);
    _cleanup_free_ char *name = NULL, *version = NULL;
    struct utsname kernel;
    struct sysinfo memory;

    if (file_read(AT_FDCWD, "/etc/os-release", &release) < 0)
        file_read(AT_FDCWD, "/usr/lib/os-release", &release);
    name = system_os_release(buf_str(&release), "PRETTY_NAME");
    version = system_os_release(buf_str(&release), "VERSION_ID");
    uname(&kernel);
    json_set_str(info, "KernelVersion", kernel.release);
    json_set_str(info, "OperatingSystem", *name ? name : "Linux");
    json_set_str(info, "OSVersion", version);
    json_set_str(info, "OSType", "linux");
    json_set_str(info, "Architecture", kernel.machine);
    json_set_str(info, "Name", kernel.nodename);
    json_set_int(info, "NCPU", sysconf(_SC_NPROCESSORS_ONLN));
    if (sysinfo(&memory) == 0)
        json_set_int(info, "MemTotal", (int64_t)memory.totalram * memory.mem_unit);
}

static int system_count_entries(const char *path)
{
    DIR *directory = opendir(path);
    int n = -3; /* ".", "..", and the one that reads */

    while (directory && readdir(directory))
        n++;
    if (directory)
        closedir(directory);
    return MAX_OF(n, 0);
}

static void system_add_process(struct engine *e, json_t *info)
{
    char now[CLOCK_TEXT_SIZE];

    clock_format(clock_now(), now);
    json_set_str(info, "ID", e->id);
    json_set_bool(info, "Debug", log_get_level() == LOG_LEVEL_DEBUG);
    json_set_int(info, "NFd", system_count_entries("/proc/self/fd"));
    json_set_int(info, "NGoroutines", system_count_entries("/proc/self/task") + 1); /* threads */
    json_set_str(info, "SystemTime", now);
    json_set_int(info, "NEventsListener", events_listeners(e->events));
    json_set_str(info, "ServerVersion", KEG_VERSION);
    json_set_bool(info, "ExperimentalBuild", false);
    json_set_bool(info, "LiveRestoreEnabled", true);
    json_set_str(info, "LoggingDriver", e->options.log_driver ? e->options.log_driver : "json-file");
    json_set_str(info, "Isolation", "");
    pthread_mutex_lock(&e->options_lock);
    json_object_set_new(info, "Labels", json_from_strv((char *const *)e->options.labels));
    pthread_mutex_unlock(&e->options_lock);
}

static void system_add_parts(struct engine *e, json_t *info)
{
    json_object_set_new(info, "Plugins",
                        json_pack("{s:[s], s:[s, s, s, s, s], s:n, s:o}", "Volume", "local", "Network",
                                  "bridge", "host", "ipvlan", "macvlan", "null", "Authorization", "Log",
                                  log_driver_names()));
    pthread_mutex_lock(&e->options_lock);
    system_add_registries(e, info);
    pthread_mutex_unlock(&e->options_lock);
    json_set_str(info, "IndexServerAddress", "https://index.docker.io/v1/");
    json_object_set_new(info, "GenericResources", json_null());
    system_add_proxies(info);
    runtimes_describe(e, info);
    json_object_set_new(info, "Swarm",
                        json_pack("{s:s, s:s, s:s, s:b, s:s, s:n}", "NodeID", "", "NodeAddr", "",
                                  "LocalNodeState", "inactive", "ControlAvailable", 0, "Error", "",
                                  "RemoteManagers"));
    json_set_str(info, "InitBinary", "keg-init");
    for (const char *const *name =
             (const char *const[]){"ContainerdCommit", "RuncCommit", "InitCommit", NULL};
         *name; name++)
        json_object_set_new(info, *name, json_pack("{s:s}", "ID", ""));
    system_add_security(e, info);
    system_add_pools(e, info);
    system_add_devices(e, info);
    json_object_set_new(info, "FirewallBackend", json_pack("{s:s}", "Driver", "nftables"));
    json_object_set_new(info, "CDISpecDirs", json_from_strv((char *const *)e->options.cdi_dirs));
}

static void system_add_warnings(const struct engine *e, json_t *info)
{
    static const struct {
        const char *member, *text;
    } rows[] = {
        {"MemoryLimit", "WARNING: No memory limit support"},
        {"SwapLimit", "WARNING: No swap limit support"},
        {"CpuCfsQuota", "WARNING: No cpu cfs quota support"},
        {"CPUShares", "WARNING: No cpu shares support"},
        {"CPUSet", "WARNING: No cpuset support"},
        {"IPv4Forwarding", "WARNING: IPv4 forwarding is disabled"},
    };
    const char *profile = e->options.seccomp_profile;
    json_t *warnings = json_array();

    for (const char *const *host = e->options.open_hosts; host && *host; host++) {
        _cleanup_free_ char *text =
            xasprintf("WARNING: API is accessible on %s.\n"
                      "         Access to the remote API is equivalent to root access on the host. Refer\n"
                      "         to the 'Docker daemon attack surface' section in the documentation for\n"
                      "         more information: https://docs.docker.com/go/attack-surface/",
                      *host);
        json_array_append_new(warnings, json_string_lossy(text, strlen(text)));
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (!json_bool_or(info, rows[i].member, false))
            json_array_append_new(warnings, json_string(rows[i].text));
    if (!str_empty(profile) && !str_eq(profile, "builtin"))
        json_array_append_new(warnings,
                              json_string("WARNING: daemon is not using the default seccomp profile"));
    json_object_set(info, "Warnings", json_array_size(warnings) ? warnings : json_null());
    json_decref(warnings);
}

int engine_info(struct engine *e, json_t **ret, struct err *err _unused_)
{
    json_t *info = json_object();

    system_add_process(e, info);
    system_add_counts(e, info);
    system_add_storage(e, info);
    system_add_limits(info);
    system_add_host(info);
    system_add_parts(e, info);
    system_add_warnings(e, info);
    *ret = info;
    return 0;
}

/* ---- login ---- */

int engine_login(struct engine *e, const json_t *body, json_t **ret, struct err *err)
{
    const char *server = json_str(body, "serveraddress");
    const struct registry_auth auth = {
        .username = json_str(body, "username"),
        .password = json_str(body, "password"),
        .identity_token = json_str(body, "identitytoken"),
        .registry_token = json_str(body, "registrytoken"),
        .server_address = server,
    };
    _cleanup_free_ char *token = NULL;

    if (image_login(e->image_store, str_empty(server) ? NULL : server, &auth, &token, err) < 0)
        return -1;
    *ret = json_object();
    json_set_str(*ret, "Status", "Login Succeeded");
    json_set_str(*ret, "IdentityToken", token ? token : "");
    return 0;
}
