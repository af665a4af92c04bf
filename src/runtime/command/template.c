/* spec: a config.json to start from. Its content is what runc writes. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/command/command.h"
#include "sys/cgroup.h"

/* For whom a row is. */
enum { ROOT = 1, ROOTLESS = 2, EVERYBODY = ROOT | ROOTLESS };

static const struct {
    const char *destination, *type, *source, *options; /* separated by commas; "": none */
    int who;
} mounts[] = {
    {"/proc", "proc", "proc", "", EVERYBODY},
    {"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k", EVERYBODY},
    {"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5", ROOT},
    {"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620", ROOTLESS},
    {"/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k", EVERYBODY},
    {"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev", EVERYBODY},
    {"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro", ROOT},
    {"/sys", "none", "/sys", "rbind,nosuid,noexec,nodev,ro", ROOTLESS},
    {"/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro", EVERYBODY},
};

static const struct {
    const char *type;
    int who;
    bool v2_only; /* on v1 the host's paths are what people are used to see */
} kinds[] = {
    {"pid", EVERYBODY, false},   {"network", ROOT, false},    {"ipc", EVERYBODY, false},
    {"uts", EVERYBODY, false},   {"mount", EVERYBODY, false}, {"user", ROOTLESS, false},
    {"cgroup", EVERYBODY, true},
};

static const char *const masked[] = {
    "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
};

static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                       "/proc/sysrq-trigger"};

static json_t *strings(const char *const *list, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_string(list[i]));
    return array;
}

static json_t *capability_sets(void)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    static const char *const names[] = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
    json_t *object = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        json_object_set_new(object, sets[i], strings(names, ARRAY_SIZE(names)));
    return object;
}

static json_t *mount_list(int who)
{
    json_t *array = json_array();

    for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
        json_t *mount;

        if (!(mounts[i].who & who))
            continue;
        mount = json_pack("{s:s, s:s, s:s}", "destination", mounts[i].destination, "type", mounts[i].type,
                          "source", mounts[i].source);
        if (*mounts[i].options) {
            _cleanup_strv_ char **options = strv_split(mounts[i].options, ',');

            json_object_set_new(mount, "options", json_from_strv(options));
        }
        json_array_append_new(array, mount);
    }
    return array;
}

static json_t *namespace_list(int who)
{
    bool v2 = cgroup_mode() == CGROUP_MODE_UNIFIED;
    json_t *array = json_array();

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].who & who && (v2 || !kinds[i].v2_only))
            json_array_append_new(array, json_pack("{s:s}", "type", kinds[i].type));
    return array;
}

static json_t *process(void)
{
    return json_pack("{s:b, s:{s:i, s:i}, s:[s], s:[s, s], s:s, s:o, s:[{s:s, s:i, s:i}], s:b}", "terminal",
                     1, "user", "uid", 0, "gid", 0, "args", "sh", "env",
                     "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", "cwd",
                     "/", "capabilities", capability_sets(), "rlimits", "type", "RLIMIT_NOFILE", "hard", 1024,
                     "soft", 1024, "noNewPrivileges", 1);
}

static json_t *mapping(unsigned host)
{
    return json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID", (json_int_t)host, "size", 1);
}

static json_t *linux_part(int who)
{
    json_t *object = json_object();

    if (who == ROOTLESS) {
        json_object_set_new(object, "uidMappings", mapping(geteuid()));
        json_object_set_new(object, "gidMappings", mapping(getegid()));
    } else {
        json_object_set_new(object, "resources",
                            json_pack("{s:[{s:b, s:s}]}", "devices", "allow", 0, "access", "rwm"));
    }
    json_object_set_new(object, "namespaces", namespace_list(who));
    json_object_set_new(object, "maskedPaths", strings(masked, ARRAY_SIZE(masked)));
    json_object_set_new(object, "readonlyPaths", strings(readonly, ARRAY_SIZE(readonly)));
    return object;
}

int command_spec(struct request *request, struct err *err)
{
    int who = request->rootless ? ROOTLESS : ROOT;
    _cleanup_free_ char *path = path_join(request->bundle ? request->bundle : ".", "config.json"),
                        *text = NULL;
    _cleanup_json_ json_t *spec =
        json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o}", "ociVersion", "1.3.0", "process", process(),
                  "root", "path", "rootfs", "readonly", 1, "hostname", request->program, "mounts",
                  mount_list(who), "linux", linux_part(who));
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_CONFLICT, "File config.json exists. Remove it first");
    if (fd < 0)
        return err_errno(err, errno, "make %s", path);
    text = json_dumps(spec, JSON_INDENT(4));
    return fd_write_full(fd, text, strlen(text)) < 0 ? err_errno(err, errno, "write %s", path) : 0;
}
