/* state, list, ps, features, spec. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/command/command.h"
#include "runtime/internal.h"
#include "sys/capability.h"
#include "sys/cgroup.h"
#include "sys/seccomp.h"

static int print_json(const json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(2));

    puts(text);
    free(text);
    return 0;
}

/* OCI's state and what else runc tells. */
static json_t *state_of(struct runtime_container *c)
{
    json_t *state = state_json(c, state_status(c));
    _cleanup_free_ char *path = path_join(c->state_dir, STATE_FILE),
                        *root = c->bundle && c->spec->root_path && !path_is_absolute(c->spec->root_path)
                                    ? path_join(c->bundle, c->spec->root_path)
                                    : xstrdup(c->spec->root_path ? c->spec->root_path : "");
    char created[CLOCK_TEXT_SIZE];
    struct stat st;

    if (!json_object_get(state, "pid"))
        json_set_int(state, "pid", 0);
    json_set_str(state, "rootfs", root);
    if (stat(path, &st) == 0) {
        clock_format(st.st_mtim.tv_sec * CLOCK_NS_PER_S + st.st_mtim.tv_nsec, created);
        json_set_str(state, "created", created);
    }
    json_set_str(state, "owner", "");
    return state;
}

int command_state(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = command_open(request, err);
    _cleanup_json_ json_t *state = c ? state_of(c) : NULL;

    return state ? print_json(state) : -1;
}

static json_t *list(const struct request *request)
{
    json_t *array = json_array();
    DIR *dir = opendir(request->root);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        _cleanup_free_ char *path = path_join(request->root, entry->d_name);
        _cleanup_(runtime_container_free_p) struct runtime_container *c = NULL;

        if (entry->d_name[0] == '.')
            continue;
        c = runtime_open(path, NULL);
        if (c)
            json_array_append_new(array, state_of(c));
    }
    if (dir)
        closedir(dir);
    return array;
}

int command_list(struct request *request, struct err *err)
{
    _cleanup_json_ json_t *containers = list(request);
    json_t *c;
    size_t i;

    (void)err;
    if (str_eq(request->format, "json"))
        return print_json(containers);
    if (!request->quiet)
        printf("%-24s %-8s %-10s %-40s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED");
    json_array_foreach (containers, i, c) {
        if (request->quiet)
            printf("%s\n", json_str_or(c, "id", ""));
        else
            printf("%-24s %-8lld %-10s %-40s %s\n", json_str_or(c, "id", ""),
                   (long long)json_int_or(c, "pid", 0), json_str_or(c, "status", ""),
                   json_str_or(c, "bundle", ""), json_str_or(c, "created", ""));
    }
    return 0;
}

int command_ps(struct request *request, struct err *err)
{
    _cleanup_(runtime_container_free_p) struct runtime_container *c = command_open(request, err);
    _cleanup_json_ json_t *array = json_array();
    _cleanup_free_ pid_t *pids = NULL;
    size_t count = 0;

    if (!c)
        return -1;
    if (!c->cgroup)
        return err_set(err, ERR_CONFLICT, "container has no cgroup");
    if (cgroup_pids(c->cgroup, /* recursive= */ true, &pids, &count, err) < 0)
        return -1;
    if (!str_eq(request->format, "json")) {
        printf("%8s CMD\n", "PID");
        for (size_t i = 0; i < count; i++) {
            _cleanup_(buf_finish) struct buf name = BUF_INIT(4096);
            char path[40];

            snprintf(path, sizeof(path), "/proc/%d/comm", pids[i]);
            if (file_read(AT_FDCWD, path, &name) == 0)
                printf("%8d %s", pids[i], buf_str(&name));
        }
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_integer(pids[i]));
    return print_json(array);
}

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
                  capability_mask_to_json(capability_all()), "cgroup", "v1", 1, "v2", 1, "systemd", 0,
                  "systemdUser", 0, "rdma", 1, "seccomp", "enabled", 1, "actions", seccomp_known_actions(),
                  "operators", seccomp_known_operators(), "archs", seccomp_known_architectures(),
                  "knownFlags", seccomp_known_flags(), "apparmor", "enabled", 1, "selinux", "enabled", 0,
                  "mountExtensions", "idmap", "enabled", 1, "annotations", "org.opencontainers.runc.version",
                  "", "potentiallyUnsafeConfigAnnotations");
    if (!features)
        return err_set(err, ERR_SYSTEM, "out of memory");
    json_object_del(features, "annotations");
    return print_json(features);
}

static json_t *capability_sets(void)
{
    json_t *names = json_pack("[s,s,s]", "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE");
    json_t *sets = json_pack("{s:O, s:O, s:O}", "bounding", names, "effective", names, "permitted", names);

    json_decref(names);
    return sets;
}

static json_t *mount(const char *destination, const char *type, const char *options)
{
    _cleanup_strv_ char **list_of = strv_split(options, ',');

    return json_pack("{s:s, s:s, s:s, s:o}", "destination", destination, "type", type, "source", type,
                     "options", json_from_strv(list_of));
}

/* What OCI runtimes write for a start: a shell on ./rootfs, read-only. */
static json_t *example(void)
{
    static const struct {
        const char *destination, *type, *options;
    } mounts[] = {
        {"/proc", "proc", "nosuid,noexec,nodev"},
        {"/dev", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
        {"/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
        {"/dev/shm", "tmpfs", "nosuid,noexec,nodev,mode=1777,size=65536k"},
        {"/dev/mqueue", "mqueue", "nosuid,noexec,nodev"},
        {"/sys", "sysfs", "nosuid,noexec,nodev,ro"},
        {"/sys/fs/cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro"},
    };
    static const char *const kinds[] = {"pid", "network", "ipc", "uts", "mount", "cgroup"};
    json_t *mount_list = json_array(), *namespace_list = json_array();

    for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
        json_array_append_new(mount_list, mount(mounts[i].destination, mounts[i].type, mounts[i].options));
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        json_array_append_new(namespace_list, json_pack("{s:s}", "type", kinds[i]));
    return json_pack("{s:s, s:{s:b, s:{s:i,s:i}, s:[s], s:[s,s], s:s, s:o, s:[{s:s,s:i,s:i}], s:b}, "
                     "s:{s:s,s:b}, s:s, s:o, "
                     "s:{s:{s:[{s:b,s:s}]}, s:o, s:[s,s,s,s,s,s,s,s,s,s], s:[s,s,s,s,s]}}",
                     "ociVersion", "1.3.0", "process", "terminal", 1, "user", "uid", 0, "gid", 0, "args",
                     "sh", "env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                     "TERM=xterm", "cwd", "/", "capabilities", capability_sets(), "rlimits", "type",
                     "RLIMIT_NOFILE", "hard", 1024, "soft", 1024, "noNewPrivileges", 1, "root", "path",
                     "rootfs", "readonly", 1, "hostname", "keg", "mounts", mount_list, "linux", "resources",
                     "devices", "allow", 0, "access", "rwm", "namespaces", namespace_list, "maskedPaths",
                     "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                     "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
                     "/proc/scsi", "readonlyPaths", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                     "/proc/sysrq-trigger");
}

int command_spec(struct request *request, struct err *err)
{
    _cleanup_free_ char *path = path_join(request->bundle ? request->bundle : ".", "config.json");
    _cleanup_json_ json_t *spec = example();
    _cleanup_free_ char *text = json_dumps(spec, JSON_INDENT(4));
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0)
        return err_errno(err, errno, "make %s", path);
    return fd_write_full(fd, text, strlen(text)) < 0 ? err_errno(err, errno, "write %s", path) : 0;
}
