/* Options become the body of POST /containers/create, member for member what docker sends. */
#include "cli/create.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/option_checks.h"
#include "cli/terminal.h"

enum { FILE_MAX = 16 * 1024 * 1024 };

/* ---- small pieces ---- */

json_t *create_list(char *const *values, bool null_if_empty)
{
    return !values && null_if_empty ? json_null() : json_from_strv(values);
}

json_t *create_map(char *const *pairs)
{
    json_t *map = json_object();

    for (; pairs && *pairs; pairs++) {
        const char *equals = strchr(*pairs, '=');
        _cleanup_free_ char *key = equals ? xstrndup(*pairs, (size_t)(equals - *pairs)) : xstrdup(*pairs);

        json_set_str(map, key, equals ? equals + 1 : "");
    }
    return map;
}

static int push_variable(char ***list, const char *text, bool environment, struct err *err)
{
    _cleanup_free_ char *name = xstrndup(text, strcspn(text, "="));
    const char *value;

    if ((environment ? option_check_env : option_check_label)(text, err) < 0)
        return -1;
    if (!environment || strchr(text, '=')) {
        strv_push(list, text);
        return 0;
    }
    value = getenv(name);
    if (value)
        strv_push_take(list, xasprintf("%s=%s", name, value));
    return 0;
}

/* Any file, pipes (of <(…)) as well. 0 or -errno. */
static int read_whole(const char *path, struct buf *text)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -errno : fd_read_all(fd, text);
}

/* In Go's small letters, where tools know them. */
static const char *read_error(int r)
{
    return r == -ENOENT ? "no such file or directory" : r == -EISDIR ? "is a directory" : strerror(-r);
}

static int read_variable_file(char ***list, const char *path, bool environment, struct err *err)
{
    _cleanup_(buf_finish) struct buf text = BUF_INIT(FILE_MAX);
    _cleanup_strv_ char **lines = NULL;
    int r = read_whole(path, &text);

    if (r == -EISDIR)
        return err_set(err, ERR_INVALID, "invalid env file (%s): read %s: is a directory", path, path);
    if (r < 0)
        return err_set(err, ERR_INVALID, "open %s: %s", path, read_error(r));
    lines = strv_split(buf_str(&text), '\n');
    for (char **line = lines; *line; line++) {
        const char *start = *line + strspn(*line, " \t");
        const char *equals = strchr(start, '=');
        size_t name_len = equals ? (size_t)(equals - start) : strlen(start);

        (*line)[strcspn(*line, "\r")] = '\0';
        if (!*start || *start == '#')
            continue;
        for (size_t i = 0; i < name_len; i++)
            if (isspace((unsigned char)start[i]))
                return err_set(err, ERR_INVALID,
                               "invalid env file (%s): variable '%.*s' contains whitespaces", path,
                               (int)name_len, start);
        if (name_len == 0)
            return err_set(err, ERR_INVALID, "invalid env file (%s): no variable name on line '%s'", path,
                           start);
        if (push_variable(list, start, environment, err) < 0)
            return -1;
    }
    return 0;
}

int create_read_variables(char *const *values, char *const *files, bool environment, char ***ret,
                          struct err *err)
{
    _cleanup_strv_ char **list = NULL;

    for (; files && *files; files++)
        if (read_variable_file(&list, *files, environment, err) < 0)
            return -1;
    for (; values && *values; values++)
        if (push_variable(&list, *values, environment, err) < 0)
            return -1;
    *ret = take_ptr(&list);
    return 0;
}

json_t *create_restart_policy(const char *text, struct err *err)
{
    const char *colon = strchr(text, ':');
    _cleanup_free_ char *name = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);
    int64_t count = 0;

    if (colon && (!*name || (colon[1] && str_to_i64(colon + 1, &count) < 0))) {
        err_set(err, ERR_INVALID,
                *name ? "invalid restart policy format: maximum retry count must be an integer"
                      : "invalid restart policy format: no policy provided before colon");
        return NULL;
    }
    return json_pack("{s:s, s:I}", "Name", name, "MaximumRetryCount", (json_int_t)count);
}

/* ---- host ---- */

void create_limits(const struct args *args, json_t *host)
{
    static const struct {
        const char *option, *name;
        enum option_kind kind;
    } limits[] = {{"cpu-shares", "CpuShares", OPTION_INT},
                  {"memory", "Memory", OPTION_BYTES},
                  {"cpus", "NanoCpus", OPTION_DECIMAL},
                  {"blkio-weight", "BlkioWeight", OPTION_INT},
                  {"cpu-period", "CpuPeriod", OPTION_INT},
                  {"cpu-quota", "CpuQuota", OPTION_INT},
                  {"cpu-rt-period", "CpuRealtimePeriod", OPTION_INT},
                  {"cpu-rt-runtime", "CpuRealtimeRuntime", OPTION_INT},
                  {"memory-reservation", "MemoryReservation", OPTION_BYTES},
                  {"memory-swap", "MemorySwap", OPTION_BYTES}};

    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        const char *option = limits[i].option;

        json_set_int(host, limits[i].name,
                     limits[i].kind == OPTION_BYTES     ? args_bytes(args, option)
                     : limits[i].kind == OPTION_DECIMAL ? args_nano(args, option)
                                                        : args_int(args, option, 0));
    }
    json_set_str(host, "CpusetCpus", args_str(args, "cpuset-cpus"));
    json_set_str(host, "CpusetMems", args_str(args, "cpuset-mems"));
}

/* "seccomp=FILE" carries the file's content; systempaths=unconfined is two lists of its own. */
static int add_security(const char *option, json_t **list, json_t *host, struct err *err)
{
    const char *path = str_after(option, "seccomp="), *colon;
    _cleanup_(buf_finish) struct buf text = BUF_INIT(FILE_MAX);
    _cleanup_json_ json_t *profile = NULL;
    _cleanup_free_ char *compact = NULL, *inlined = NULL;
    int r;

    if (str_eq(option, "systempaths=unconfined")) {
        json_object_set_new(host, "MaskedPaths", json_array());
        json_object_set_new(host, "ReadonlyPaths", json_array());
        return 0;
    }
    colon = strchr(option, ':');
    if (!strchr(option, '=') && !colon && !str_eq(option, "no-new-privileges"))
        return err_set(err, ERR_INVALID, "Invalid --security-opt: \"%s\"", option);
    if (path && !*path)
        return err_set(err, ERR_INVALID, "Invalid --security-opt: \"%s\"", option);
    if (path && !str_eq(path, "unconfined") && !str_eq(path, "builtin")) {
        r = read_whole(path, &text);
        if (r < 0)
            return err_set(err, ERR_INVALID, "opening seccomp profile (%s) failed: %s %s: %s", path,
                           r == -EISDIR ? "read" : "open", path, read_error(r));
        profile = json_parse(buf_str(&text), text.len, path, err);
        if (!profile)
            return err_wrap(err, "compacting json for seccomp profile (%s) failed", path);
        compact = json_text(profile);
        inlined = xasprintf("seccomp=%s", compact);
        option = inlined;
    }
    if (!*list)
        *list = json_array();
    json_array_append_new(*list, json_string_lossy(option, strlen(option)));
    return 0;
}

static int set_security(const struct args *args, json_t *host, struct err *err)
{
    _cleanup_json_ json_t *list = NULL;

    json_object_set_new(host, "MaskedPaths", json_null());
    json_object_set_new(host, "ReadonlyPaths", json_null());
    for (char **o = args_list(args, "security-opt"); o && *o; o++)
        if (add_security(*o, &list, host, err) < 0)
            return -1;
    json_object_set(host, "SecurityOpt", list ? list : json_null());
    return 0;
}

/* "net_admin" → "CAP_NET_ADMIN" */
static json_t *capability_list(char *const *values)
{
    json_t *list = values ? json_array() : json_null();

    for (; values && *values; values++) {
        bool prefixed = strncasecmp(*values, "cap_", 4) == 0 || strcasecmp(*values, "all") == 0;
        _cleanup_free_ char *name = xasprintf("%s%s", prefixed ? "" : "CAP_", *values);

        for (char *c = name; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        json_array_append_new(list, json_string(name));
    }
    return list;
}

/* --add-host takes name:ip and name=ip, the address in brackets or not. */
static json_t *host_list(char *const *values)
{
    json_t *list = values ? json_array() : json_null();

    for (; values && *values; values++) {
        size_t name = strcspn(*values, strchr(*values, '=') ? "=" : ":");
        const char *address = *values + name + 1;
        size_t len = strlen(address);
        bool brackets = len > 2 && *address == '[' && address[len - 1] == ']';
        _cleanup_free_ char *line =
            xasprintf("%.*s:%.*s", (int)name, *values, (int)(len - 2 * brackets), address + brackets);

        json_array_append_new(list, json_string(line));
    }
    return list;
}

static void set_host_lists(const struct args *args, json_t *host)
{
    static const struct {
        const char *option, *name;
        bool null_if_empty;
    } lists[] = {{"volumes-from", "VolumesFrom", true},
                 {"dns", "Dns", false},
                 {"dns-search", "DnsSearch", false},
                 {"group-add", "GroupAdd", true},
                 {"link", "Links", true},
                 {"device-cgroup-rule", "DeviceCgroupRules", true}};
    char **dns_options = args_list(args, "dns-option");

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        json_object_set_new(host, lists[i].name,
                            create_list(args_list(args, lists[i].option), lists[i].null_if_empty));
    json_object_set_new(host, "DnsOptions",
                        create_list(dns_options ? dns_options : args_list(args, "dns-opt"), false));
    json_object_set_new(host, "CapAdd", capability_list(args_list(args, "cap-add")));
    json_object_set_new(host, "CapDrop", capability_list(args_list(args, "cap-drop")));
    json_object_set_new(host, "ExtraHosts", host_list(args_list(args, "add-host")));
}

static void set_host_texts(const struct args *args, json_t *host)
{
    static const struct {
        const char *option, *name;
    } texts[] = {{"volume-driver", "VolumeDriver"},
                 {"cgroupns", "CgroupnsMode"},
                 {"ipc", "IpcMode"},
                 {"pid", "PidMode"},
                 {"uts", "UTSMode"},
                 {"userns", "UsernsMode"},
                 {"isolation", "Isolation"},
                 {"cgroup-parent", "CgroupParent"}};
    static const struct {
        const char *option, *name;
    } flags[] = {{"rm", "AutoRemove"},
                 {"privileged", "Privileged"},
                 {"publish-all", "PublishAllPorts"},
                 {"read-only", "ReadonlyRootfs"},
                 {"oom-kill-disable", "OomKillDisable"}};
    static const struct {
        const char *option, *name;
    } maps[] = {{"annotation", "Annotations"}, {"storage-opt", "StorageOpt"}, {"sysctl", "Sysctls"}};
    static const char *const zeros[] = {"CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth"};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        json_set_str(host, texts[i].name, args_str(args, texts[i].option));
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        json_set_bool(host, flags[i].name, args_bool(args, flags[i].option));
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
        if (args_list(args, maps[i].option))
            json_object_set_new(host, maps[i].name, create_map(args_list(args, maps[i].option)));
    for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
        json_set_int(host, zeros[i], 0);
    json_set_str(host, "Cgroup", "");
    json_set_str(host, "ContainerIDFile", args_str(args, "cidfile"));
    json_set_int(host, "OomScoreAdj", args_int(args, "oom-score-adj", 0));
    json_set_int(host, "MemorySwappiness", args_int(args, "memory-swappiness", -1));
    json_set_int(host, "PidsLimit", args_int(args, "pids-limit", 0));
    json_set_int(host, "ShmSize", args_bytes(args, "shm-size"));
    if (args_given(args, "runtime"))
        json_set_str(host, "Runtime", args_str(args, "runtime"));
    if (args_given(args, "init"))
        json_set_bool(host, "Init", args_bool(args, "init"));
    json_object_set_new(host, "LogConfig",
                        json_pack("{s:s, s:o}", "Type", args_str(args, "log-driver"), "Config",
                                  create_map(args_list(args, "log-opt"))));
}

/* Modes of namespaces that docker's client knows; the daemon checks the rest. */
static int check_modes(const struct args *args, struct err *err)
{
    static const struct {
        const char *option, *what, *values, *prefix;
    } modes[] = {{"uts", "UTS", "host", NULL},
                 {"pid", "PID", "host", "container:"},
                 {"userns", "USER", "host", NULL},
                 {"cgroupns", "CGROUP", "host,private", NULL}};

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        const char *mode = args_str(args, modes[i].option);
        const char *rest = modes[i].prefix ? str_after(mode, modes[i].prefix) : NULL;
        _cleanup_strv_ char **values = strv_split(modes[i].values, ',');
        bool known = !*mode || (rest && *rest);

        for (char **v = values; *v; v++)
            known |= str_eq(*v, mode);
        if (!known)
            return err_set(err, ERR_INVALID, "--%s: invalid %s mode", modes[i].option, modes[i].what);
    }
    return 0;
}

/* What of single options docker's client refuses before the daemon sees it. */
static int check_options(const struct args *args, struct err *err)
{
    int64_t swappiness = args_int(args, "memory-swappiness", -1);

    if (swappiness != -1 && (swappiness < 0 || swappiness > 100))
        return err_set(err, ERR_INVALID, "invalid value: %lld. Valid memory swappiness range is 0-100",
                       (long long)swappiness);
    for (char **o = args_list(args, "storage-opt"); o && *o; o++)
        if (!strchr(*o, '='))
            return err_set(err, ERR_INVALID, "invalid storage option");
    if (str_eq(args_str(args, "log-driver"), "none") && args_list(args, "log-opt"))
        return err_set(err, ERR_INVALID, "invalid logging opts for driver none");
    return check_modes(args, err);
}

static int set_host(const struct args *args, json_t *config, json_t *host, struct err *err)
{
    json_t *restart = create_restart_policy(args_str(args, "restart"), err);
    unsigned rows = 0, columns = 0;

    if (!restart)
        return -1;
    json_object_set_new(host, "RestartPolicy", restart);
    if (check_options(args, err) < 0)
        return -1;
    if (args_bool(args, "rm") && !str_eq(json_str(restart, "Name"), "no") && *json_str(restart, "Name"))
        return err_set(err, ERR_INVALID, "conflicting options: cannot specify both --restart and --rm");
    set_host_texts(args, host);
    set_host_lists(args, host);
    create_limits(args, host);
    if (args_bool(args, "tty"))
        terminal_size(&rows, &columns);
    json_object_set_new(host, "ConsoleSize", json_pack("[i, i]", (int)rows, (int)columns));
    if (set_security(args, host, err) < 0 || create_devices(args, host, err) < 0 ||
        create_volumes(args, config, host, err) < 0 || create_ports(args, config, host, err) < 0)
        return -1;
    return 0;
}

/* ---- config ---- */

static int set_health(const struct args *args, json_t *config, struct err *err)
{
    static const struct {
        const char *option, *name;
    } times[] = {{"health-interval", "Interval"},
                 {"health-timeout", "Timeout"},
                 {"health-start-period", "StartPeriod"},
                 {"health-start-interval", "StartInterval"}};
    json_t *health = json_object();

    json_object_set_new(config, "Healthcheck", health);
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        if (args_duration_ns(args, times[i].option) < 0)
            return err_set(err, ERR_INVALID, "--%s cannot be negative", times[i].option);
        if (args_duration_ns(args, times[i].option))
            json_set_int(health, times[i].name, args_duration_ns(args, times[i].option));
    }
    if (args_int(args, "health-retries", 0) < 0)
        return err_set(err, ERR_INVALID, "--health-retries cannot be negative");
    if (args_int(args, "health-retries", 0))
        json_set_int(health, "Retries", args_int(args, "health-retries", 0));
    if (args_given(args, "health-cmd"))
        json_object_set_new(health, "Test", json_pack("[s, s]", "CMD-SHELL", args_str(args, "health-cmd")));
    if (args_bool(args, "no-healthcheck")) {
        if (json_object_size(health))
            return err_set(err, ERR_INVALID, "--no-healthcheck conflicts with --health-* options");
        json_object_set_new(health, "Test", json_pack("[s]", "NONE"));
    }
    if (!json_object_size(health))
        json_object_del(config, "Healthcheck");
    return 0;
}

/* Which streams: -a, else all but stdin without -i, and none when detached. */
static void set_streams(const struct args *args, json_t *config)
{
    bool tty = args_bool(args, "tty"), interactive = args_bool(args, "interactive");
    char **attach = args_list(args, "attach");
    bool detached =
        str_eq(args->path, "run") || str_eq(args->path, "container run") ? args_bool(args, "detach") : false;
    bool in = !attach && interactive && !detached, out = !attach && !detached, errors = out;

    for (; attach && *attach; attach++) {
        in |= strcasecmp(*attach, "stdin") == 0;
        out |= strcasecmp(*attach, "stdout") == 0;
        errors |= strcasecmp(*attach, "stderr") == 0;
    }
    json_set_bool(config, "AttachStdin", in);
    json_set_bool(config, "AttachStdout", out);
    json_set_bool(config, "AttachStderr", errors);
    json_set_bool(config, "Tty", tty);
    json_set_bool(config, "OpenStdin", interactive);
    json_set_bool(config, "StdinOnce", interactive && in);
}

static int set_config(const struct args *args, json_t *config, struct err *err)
{
    _cleanup_strv_ char **environment = NULL, **labels = NULL;
    const char *entrypoint = args_str(args, "entrypoint");
    bool commanded = args->rest_count > 1;

    if (create_read_variables(args_list(args, "env"), args_list(args, "env-file"), true, &environment, err) <
            0 ||
        create_read_variables(args_list(args, "label"), args_list(args, "label-file"), false, &labels, err) <
            0 ||
        set_health(args, config, err) < 0)
        return -1;
    set_streams(args, config);
    json_set_str(config, "Hostname", args_str(args, "hostname"));
    json_set_str(config, "Domainname", args_str(args, "domainname"));
    json_set_str(config, "User", args_str(args, "user"));
    json_set_str(config, "WorkingDir", args_str(args, "workdir"));
    json_set_str(config, "Image", args->rest[0]);
    json_object_set_new(config, "Env", create_list(environment, true));
    json_object_set_new(config, "Cmd", commanded ? json_from_strv(args->rest + 1) : json_null());
    json_object_set_new(config, "Entrypoint",
                        args_given(args, "entrypoint") ? json_pack("[s]", entrypoint) : json_null());
    json_object_set_new(config, "OnBuild", json_null());
    json_object_set_new(config, "Labels", create_map(labels));
    if (args_given(args, "stop-signal"))
        json_set_str(config, "StopSignal", args_str(args, "stop-signal"));
    if (args_given(args, "stop-timeout"))
        json_set_int(config, "StopTimeout", args_int(args, "stop-timeout", 0));
    return 0;
}

json_t *create_body(const struct args *args, struct err *err)
{
    _cleanup_json_ json_t *body = json_object(), *host = json_object();
    json_t *endpoints;

    if (set_config(args, body, err) < 0 || set_host(args, body, host, err) < 0 ||
        create_networks(args, host, &endpoints, err) < 0)
        return NULL;
    json_object_set(body, "HostConfig", host);
    json_object_set_new(body, "NetworkingConfig", json_pack("{s:o}", "EndpointsConfig", endpoints));
    return take_ptr(&body);
}
