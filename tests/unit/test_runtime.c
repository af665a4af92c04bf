/* The configuration's parser; and containers on layers, with root's privileges. */
#include <dirent.h>
#include <fcntl.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/rdt.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"
#include "sys/cgroup.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

/* A configuration that is right, with one member replaced: "a.b.0.c" is set to the JSON text. */
static json_t *config_with(const char *path, const char *value)
{
    static const char text[] =
        "{\"ociVersion\":\"1.3.0\",\"process\":{\"args\":[\"/bin/sh\"],\"cwd\":\"/\",\"env\":[\"PATH=/bin\"],"
        "\"user\":{\"uid\":0,\"gid\":0}},\"root\":{\"path\":\"rootfs\"},\"mounts\":[{\"destination\":\"/"
        "proc\","
        "\"type\":\"proc\",\"source\":\"proc\"}],\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":"
        "\"mount\"},"
        "{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"network\"},{\"type\":\"cgroup\"}]}}";
    json_t *config = json_parse(text, strlen(text), "test", NULL), *at = config;
    _cleanup_strv_ char **parts = path ? strv_split(path, '.') : NULL;

    for (char **part = parts; part && *part; part++) {
        json_t *next;

        if (!part[1]) {
            next = json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
            assert_non_null(next);
            assert_int_equal(json_is_array(at) ? json_array_append_new(at, next)
                                               : json_object_set_new(at, *part, next),
                             0);
            break;
        }
        next = json_object_get(at, *part);
        if (!next)
            json_object_set_new(at, *part, next = json_object());
        at = next;
    }
    return config;
}

/* A directory that stands for a resctrl filesystem, with one group made beforehand. */
static void test_rdt(void **state _unused_)
{
    char path[] = "/tmp/keg-rdt-XXXXXX";
    _cleanup_close_ int root = open(mkdtemp(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(buf_finish) struct buf text = BUF_INIT(100);
    struct err err = {0};
    struct stat st;
    static const struct {
        const char *json, *expect; /* NULL: it works */
    } cases[] = {
        {"{\"closID\":\"there\"}", NULL},
        {"{\"closID\":\"there\",\"l3CacheSchema\":\"L3:0=f\",\"schemata\":[\"L2:0=1\"]}", NULL},
        {"{\"closID\":\"there\",\"memBwSchema\":\"MB:0=10\"}", "not in its schemata"},
        {"{\"closID\":\"elsewhere\"}", "there is no group elsewhere"},
        {"{\"closID\":\"new\",\"memBwSchema\":\"MB:0=10\"}", "MB:0=10"}, /* no file schemata appears here */
        {"{}", "tasks"},
    };

    assert_int_equal(mkdirat(root, "there", 0755), 0);
    assert_int_equal(file_replace(root, "there/schemata", "    L3:0=f\n    L2:0=1\n", 22, 0644, false), 0);
    assert_int_equal(file_replace(root, "there/tasks", "", 0, 0644, false), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_json_ json_t *rdt = json_loads(cases[i].json, 0, NULL);
        int result = rdt_apply(root, rdt, "me", 4711, &err);

        if ((result < 0) != (cases[i].expect != NULL) ||
            (result < 0 && !strstr(err.message, cases[i].expect)))
            fail_msg("case %zu: %d: %s", i, result, err.message);
    }
    assert_int_equal(file_read(root, "there/tasks", &text), 0);
    assert_string_equal(buf_str(&text), "4711");
    assert_int_equal(fstatat(root, "new", &st, 0), -1);
    assert_int_equal(fstatat(root, "me", &st, 0), -1);
    assert_int_equal(path_remove_all(AT_FDCWD, path), 0);
}

static void test_spec_good(void **state _unused_)
{
    _cleanup_json_ json_t *config =
        config_with("process.rlimits", "[{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":"
                                       "18446744073709551615.0}]");
    struct err err = {0};
    _cleanup_(spec_free_p) struct spec *spec = spec_parse(config, &err);

    assert_non_null(spec);
    assert_string_equal(spec->process.args[0], "/bin/sh");
    assert_null(spec->process.args[1]);
    assert_true(spec_makes(spec, NAMESPACE_PID));
    assert_false(spec_makes(spec, NAMESPACE_USER));
    assert_true(spec->process.rlimits[0].value.rlim_max == RLIM_INFINITY);
    assert_true(spec->process.umask == INT64_MIN);
    assert_int_equal(spec->mount_count, 1);
}

static void test_spec_bad(void **state _unused_)
{
    static const struct {
        const char *path, *value, *expect;
        enum err_kind kind;
    } cases[] = {
        {"process.args", "[]", "process.args", ERR_INVALID},
        {"process.args", "[1]", "process.args: expected an array of strings", ERR_INVALID},
        {"process.args", "[\"a\\u0000b\"]", "process.args", ERR_INVALID},
        {"process", "1", "process: expected an object", ERR_INVALID},
        {"process.capabilities", "[]", "process.capabilities: expected an object", ERR_INVALID},
        {"process.capabilities.bounding", "{}", "bounding: expected an array", ERR_INVALID},
        {"process.capabilities.bounding", "[1]", "bounding: expected an array of strings", ERR_INVALID},
        {"process.rlimits", "{}", "process.rlimits: expected an array", ERR_INVALID},
        {"process.scheduler", "\"x\"", "process.scheduler: expected an object", ERR_INVALID},
        {"process.user.umask", "-1", "no file mode", ERR_INVALID},
        {"process.user.additionalGids", "{}", "additionalGids: expected an array", ERR_INVALID},
        {"mounts", "{}", "mounts: expected an array", ERR_INVALID},
        {"hooks", "[]", "hooks: expected an object", ERR_INVALID},
        {"hooks.prestart", "{}", "hooks.prestart: expected an array", ERR_INVALID},
        {"linux.resources.memory", "\"1g\"", "resources.memory: expected an object", ERR_INVALID},
        {"linux.resources.memory.limit", "\"1g\"", "memory.limit: expected a whole number", ERR_INVALID},
        {"linux.resources.cpu.quota", "1.5", "cpu.quota: expected a whole number", ERR_INVALID},
        {"linux.resources.cpu.cpus", "[0]", "cpu.cpus: expected a string", ERR_INVALID},
        {"linux.resources.pids.limit", "true", "pids.limit: expected a whole number", ERR_INVALID},
        {"linux.resources.devices", "{}", "resources.devices: expected an array", ERR_INVALID},
        {"linux.resources.unified", "[]", "resources.unified: expected an object", ERR_INVALID},
        {"linux.resources.blockIO.throttleReadBpsDevice", "[{\"rate\":\"1m\"}]", "rate: expected a number",
         ERR_INVALID},
        {"process.cwd", "\"here\"", "process.cwd: expected an absolute path", ERR_INVALID},
        {"process.user.uid", "4294967296", "process.user.uid: expected a number from 0 to 4294967295",
         ERR_INVALID},
        {"process.user.uid", "-1", "process.user.uid", ERR_INVALID},
        {"process.user.uid", "4294967295", "no user", ERR_INVALID},
        {"process.user.additionalGids", "[\"0\"]", "additionalGids", ERR_INVALID},
        {"process.rlimits", "[{\"type\":\"RLIMIT_X\",\"soft\":1,\"hard\":1}]", "process.rlimits[0]",
         ERR_INVALID},
        {"process.oomScoreAdj", "1001", "oomScoreAdj", ERR_INVALID},
        {"process.ioPriority", "{\"class\":\"x\"}", "ioPriority", ERR_INVALID},
        {"mounts.x", "{\"destination\":\"/x\"}", "mounts[1]", ERR_INVALID},
        {"mounts.x", "{\"destination\":\"/x\",\"options\":[\"bind\"]}", "no source", ERR_INVALID},
        {"mounts.x", "{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":[\"idmap\"]}", "idmapped",
         ERR_INVALID},
        {"linux.namespaces.x", "{\"type\":\"pid\"}", "listed twice", ERR_INVALID},
        {"linux.namespaces.x", "{\"type\":\"dream\"}", "unknown namespace type", ERR_INVALID},
        {"linux.namespaces.x", "{\"type\":\"time\",\"path\":\"ns\"}", "not absolute", ERR_INVALID},
        {"linux",
         "{\"namespaces\":[{\"type\":\"user\"}],\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]"
         "}",
         "needs both uidMappings and gidMappings", ERR_INVALID},
        {"linux", "{\"namespaces\":[],\"maskedPaths\":[\"/proc/kcore\"]}", "need a mount namespace",
         ERR_INVALID},
        {"linux", "{\"namespaces\":[],\"rootfsPropagation\":\"slave\"}", "needs a mount namespace",
         ERR_INVALID},
        {"linux.uidMappings", "[{\"containerID\":0,\"hostID\":0,\"size\":0}]", "size is 0", ERR_INVALID},
        {"linux.timeOffsets", "{\"boottime\":{\"secs\":1}}", "time namespace", ERR_INVALID},
        {"linux.timeOffsets", "{\"boottime\":1}", "timeOffsets.boottime: expected an object", ERR_INVALID},
        {"linux.timeOffsets", "{\"boottime\":{\"secs\":\"1\"}}", "secs: expected a number", ERR_INVALID},
        {"linux.rootfsPropagation", "\"sideways\"", "no propagation", ERR_INVALID},
        {"linux.devices", "[{\"path\":\"/dev/x\",\"type\":\"q\"}]", "linux.devices[0]", ERR_INVALID},
        {"linux.intelRdt", "{\"closID\":\"../x\"}", "no name of a group", ERR_INVALID},
        {"linux.intelRdt", "{\"memBwSchema\":\"L3:0=f\"}", "MB:", ERR_INVALID},
        {"linux.netDevices", "{\"eth0\":1}", "expected the name of a device", ERR_INVALID},
        {"hooks.prestart", "[{\"path\":\"relative\"}]", "hooks.prestart[0].path", ERR_INVALID},
        {"hooks.poststop", "[{\"path\":\"/x\",\"timeout\":0}]", "timeout", ERR_INVALID},
        {"ociVersion", "\"2.0.0\"", "ociVersion", ERR_INVALID},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_json_ json_t *config = config_with(cases[i].path, cases[i].value);
        struct err err = {0};

        if (spec_parse(config, &err))
            fail_msg("case %zu is accepted: %s", i, cases[i].value);
        assert_int_equal(err.kind, cases[i].kind);
        if (!strstr(err.message, cases[i].expect))
            fail_msg("case %zu: no \"%s\" in \"%s\"", i, cases[i].expect, err.message);
    }
}

static void test_spec_names_need_a_namespace(void **state _unused_)
{
    _cleanup_json_ json_t *config = config_with("hostname", "\"web\"");
    struct err err = {0};

    json_object_set_new(json_object_get(config, "linux"), "namespaces",
                        json_loads("[{\"type\":\"mount\"}]", 0, NULL));
    assert_null(spec_parse(config, &err));
    assert_non_null(strstr(err.message, "hostname"));
}

static void test_mount_options(void **state _unused_)
{
    static const struct {
        const char *options;
        uint64_t set, recursive_set, recursive_clear;
        unsigned long propagation;
        const char *data;
    } cases[] = {
        {"\"ro\",\"nosuid\"", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, 0, ""},
        {"\"ro\",\"rw\"", 0, 0, 0, 0, ""},
        {"\"noatime\",\"strictatime\"", MOUNT_ATTR_STRICTATIME, 0, 0, 0, ""},
        {"\"noatime\",\"relatime\"", 0, 0, 0, 0, ""},
        {"\"rro\",\"rnoexec\"", 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, 0, 0, ""},
        {"\"rro\",\"rrw\"", 0, 0, MOUNT_ATTR_RDONLY, 0, ""},
        {"\"rslave\",\"size=1m\",\"sync\",\"mode=755\"", 0, 0, 0, MS_SLAVE | MS_REC, "size=1m,sync,mode=755"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *json =
            xasprintf("{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":[%s]}", cases[i].options);
        _cleanup_json_ json_t *config = config_with("mounts.x", json);
        _cleanup_(spec_free_p) struct spec *spec = spec_parse(config, NULL);
        _cleanup_free_ char *data = NULL;

        assert_non_null(spec);
        assert_true(spec->mounts[1].set == cases[i].set);
        assert_true(spec->mounts[1].recursive_set == cases[i].recursive_set);
        assert_true(spec->mounts[1].recursive_clear == cases[i].recursive_clear);
        assert_true(spec->mounts[1].propagation == cases[i].propagation);
        data = spec->mounts[1].options ? strv_join(spec->mounts[1].options, ",") : xstrdup("");
        assert_string_equal(data, cases[i].data);
    }
}

static void test_procfs_is_confined(void **state _unused_)
{
    _cleanup_close_ int procfs = procfs_open();

    assert_true(procfs >= 0);
    assert_true(procfs_open_file(procfs, "self/../self/status", O_RDONLY) >= -ELOOP);
    assert_int_equal(procfs_open_file(procfs, "../etc/passwd", O_RDONLY), -EXDEV);
    assert_int_equal(procfs_open_file(procfs, "self/root/etc/passwd", O_RDONLY), -ELOOP);
    assert_int_equal(procfs_open_file(procfs, "self/fd/0", O_RDONLY), -ELOOP);
}

/* Containers: two layers, a writable one, busybox as the program. */

struct place {
    char *root, *top, *bottom, *upper, *work, *state;
};

static void write_file(const char *directory, const char *name, const char *content)
{
    _cleanup_free_ char *path = path_join(directory, name);

    assert_int_equal(file_replace(AT_FDCWD, path, content, strlen(content), 0644, false), 0);
}

static char *make_directory(const char *root, const char *name)
{
    char *path = path_join(root, name);

    assert_int_equal(path_mkdir_all(path, 0755), 0);
    return path;
}

static int place_setup(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));
    _cleanup_free_ char *bin = NULL, *shell = NULL, *command = NULL;
    char pattern[] = "/var/tmp/keg-unit.XXXXXX";

    *state = p;
    if (getuid() != 0 || access("/bin/busybox", X_OK) < 0)
        return 0;
    cgroup_mode(); /* opens the hierarchies, once a process */
    p->root = xstrdup(mkdtemp(pattern));
    p->top = make_directory(p->root, "top");
    p->bottom = make_directory(p->root, "bottom");
    p->upper = make_directory(p->root, "upper");
    p->work = make_directory(p->root, "work");
    p->state = make_directory(p->root, "state");
    bin = make_directory(p->bottom, "bin");
    free(make_directory(p->bottom, "proc"));
    free(make_directory(p->bottom, "dev"));
    command = xasprintf("cp /bin/busybox %s/sh", bin);
    assert_int_equal(system(command), 0);
    write_file(p->bottom, "both", "bottom");
    write_file(p->bottom, "low", "low");
    write_file(p->top, "both", "top");
    return 0;
}

static int place_teardown(void **state)
{
    struct place *p = *state;

    if (p->root)
        assert_int_equal(path_remove_all(AT_FDCWD, p->root), 0);
    free(p->root);
    free(p->top);
    free(p->bottom);
    free(p->upper);
    free(p->work);
    free(p->state);
    free(p);
    return 0;
}

#define NEED_PLACE(p)                                                                                        \
    if (!(p)->root) {                                                                                        \
        print_message("needs root and /bin/busybox\n");                                                      \
        skip();                                                                                              \
    }

static size_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static json_t *shell_config(const char *command)
{
    json_t *config = config_with("linux.cgroupsPath", "\"/keg-unit-runtime\"");

    json_array_append_new(json_object_get(config, "mounts"),
                          json_pack("{s:s, s:s}", "destination", "/dev", "type", "tmpfs"));
    json_object_set_new(json_object_get(config, "process"), "args",
                        json_pack("[s,s,s]", "/bin/sh", "-c", command));
    return config;
}

/* Runs a command and gives its output and wait status. */
static char *run(struct place *p, bool writable, const char *command, int *ret_status)
{
    const char *lower[] = {p->top, p->bottom, NULL};
    struct runtime_overlay overlay = {.lower = lower, .upper = writable ? p->upper : NULL, .work = p->work};
    _cleanup_json_ json_t *config = shell_config(command);
    _cleanup_(buf_finish) struct buf output = BUF_INIT(65536);
    struct err err = {0};
    int pipe_fds[2];
    struct runtime_container *c;

    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    c = runtime_create(config,
                       &(struct runtime_create_options){.id = "keg-unit",
                                                        .overlay = &overlay,
                                                        .state_dir = p->state,
                                                        .stdio = {-EBADF, pipe_fds[1], pipe_fds[1]}},
                       &err);
    close(pipe_fds[1]);
    if (!c)
        fail_msg("%s", err.message);
    assert_int_equal(runtime_start(c, &err), 0);
    assert_int_equal(fd_read_all(pipe_fds[0], &output), 0);
    assert_int_equal(pidfd_reap(runtime_pidfd(c), true, ret_status), 0);
    assert_int_equal(runtime_destroy(c, false, &err), 0);
    runtime_container_free(c);
    close(pipe_fds[0]);
    return buf_take(&output);
}

static void test_overlay(void **state)
{
    struct place *p = *state;
    _cleanup_free_ char *output = NULL, *again = NULL, *path = NULL;
    size_t before;
    int status;

    NEED_PLACE(p);
    before = open_descriptors();
    output = run(p, true, "read a </both; read b </low; echo $a $b; echo new >/file; exit 3", &status);
    assert_string_equal(output, "top low\n");
    assert_int_equal(WEXITSTATUS(status), 3);
    path = path_join(p->upper, "file");
    assert_int_equal(access(path, F_OK), 0);
    again = run(p, false, "echo x >/y || read a </both; echo $a", &status);
    assert_non_null(strstr(again, "Read-only file system"));
    assert_non_null(strstr(again, "top\n"));
    assert_int_equal(open_descriptors(), before);
}

/* As on a kernel that has mount(2) alone. */
static void refuse_mount_calls(void)
{
    static const int calls[] = {SCMP_SYS(fsopen), SCMP_SYS(open_tree), SCMP_SYS(move_mount),
                                SCMP_SYS(mount_setattr)};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        assert_int_equal(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), calls[i], 0), 0);
    assert_int_equal(seccomp_load(filter), 0);
    seccomp_release(filter);
}

static void test_overlay_by_mount(void **state)
{
    struct place *p = *state;
    pid_t pid;
    int status;

    NEED_PLACE(p);
    pid = fork(); /* how mounts are made is decided once a process */
    if (pid == 0) {
        _cleanup_free_ char *output = NULL;

        refuse_mount_calls();
        output = run(p, true, "read a </both; read b </low; echo $a $b; exit 4", &status);
        _exit(str_eq(output, "top low\n") ? WEXITSTATUS(status) : 99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 4);
}

static void test_failures_leave_nothing(void **state)
{
    struct place *p = *state;
    static const struct {
        const char *path, *value;
        enum err_kind kind;
    } cases[] = {
        {"process.args", "[\"nope\"]", ERR_NO_PROGRAM},
        {"process.args", "[\"/low\"]", ERR_CANNOT_INVOKE},
        {"process.cwd", "\"/low\"", ERR_CANNOT_INVOKE},
        {"process.rlimits", "[{\"type\":\"RLIMIT_NOFILE\",\"soft\":2,\"hard\":1}]", ERR_INVALID},
        {"process.rlimits", "[{\"type\":\"RLIMIT_NOFILE\",\"soft\":2,\"hard\":4611686018427387904}]",
         ERR_SYSTEM},
        {"mounts.x", "{\"destination\":\"/x\",\"source\":\"/nowhere\",\"options\":[\"bind\"]}", ERR_SYSTEM},
        {"mounts.x", "{\"destination\":\"/x\",\"type\":\"nosuchfs\",\"source\":\"x\"}", ERR_SYSTEM},
        {"linux.sysctl", "{\"kernel.core_pattern\":\"x\"}", ERR_INVALID},
        {"hooks.createRuntime", "[{\"path\":\"/bin/false\"}]", ERR_SYSTEM},
        {"hooks.createContainer", "[{\"path\":\"/bin/false\"}]", ERR_SYSTEM},
        {"linux.namespaces.x", "{\"type\":\"time\",\"path\":\"/proc/self/ns/pid\"}", ERR_INVALID},
    };
    size_t before;

    NEED_PLACE(p);
    before = open_descriptors();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *lower[] = {p->top, p->bottom, NULL};
        struct runtime_overlay overlay = {.lower = lower, .upper = p->upper, .work = p->work};
        _cleanup_json_ json_t *config = config_with(cases[i].path, cases[i].value);
        struct err err = {0};
        struct stat st;

        json_object_set_new(json_object_get(config, "linux"), "cgroupsPath",
                            json_string("/keg-unit-runtime"));
        assert_null(runtime_create(config,
                                   &(struct runtime_create_options){.id = "keg-unit",
                                                                    .overlay = &overlay,
                                                                    .state_dir = p->state,
                                                                    .stdio = {-EBADF, -EBADF, -EBADF}},
                                   &err));
        if (err.kind != cases[i].kind)
            fail_msg("case %zu: %s: %s", i, err_kind_name(err.kind), err.message);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(open_descriptors(), before);
        assert_int_equal(stat("/sys/fs/cgroup/pids/keg-unit-runtime", &st), -1);
        assert_int_equal(rmdir(p->state), 0);
        assert_int_equal(mkdir(p->state, 0700), 0);
    }
}

static void test_exec(void **state)
{
    struct place *p = *state;
    const char *lower[] = {p->top, p->bottom, NULL};
    struct runtime_overlay overlay = {.lower = lower, .upper = p->upper, .work = p->work};
    _cleanup_json_ json_t *config = NULL, *process = NULL, *missing = NULL;
    struct err err = {0};
    struct runtime_exec_options options = {.stdio = {-EBADF, -EBADF, -EBADF}};
    int pidfd = -EBADF, console = -EBADF, status;
    struct runtime_container *c;
    size_t before;
    pid_t pid;

    NEED_PLACE(p);
    before = open_descriptors();
    config = shell_config("while :; do sleep 100; done");
    c = runtime_create(config,
                       &(struct runtime_create_options){
                           .id = "keg-unit", .overlay = &overlay, .stdio = {-EBADF, -EBADF, -EBADF}},
                       &err);
    if (!c)
        fail_msg("%s", err.message);
    assert_int_equal(runtime_start(c, &err), 0);
    process = json_pack("{s:[s,s,s], s:s}", "args", "/bin/sh", "-c", "exit 6", "cwd", "/");
    options.process = process;
    if (runtime_exec(c, &options, &pid, &pidfd, &console, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(console, -EBADF);
    assert_int_equal(pidfd_reap(pidfd, true, &status), 0);
    assert_int_equal(WEXITSTATUS(status), 6);
    close_fd(&pidfd);
    missing = json_pack("{s:[s], s:s}", "args", "nope", "cwd", "/");
    options.process = missing;
    assert_int_equal(runtime_exec(c, &options, &pid, &pidfd, &console, &err), -1);
    assert_int_equal(err.kind, ERR_NO_PROGRAM);
    assert_int_equal(runtime_destroy(c, /* force= */ true, &err), 0);
    assert_int_equal(pidfd_reap(runtime_pidfd(c), true, &status), 0);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    runtime_container_free(c);
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rdt),
        cmocka_unit_test(test_spec_good),
        cmocka_unit_test(test_spec_bad),
        cmocka_unit_test(test_spec_names_need_a_namespace),
        cmocka_unit_test(test_mount_options),
        cmocka_unit_test(test_procfs_is_confined),
        cmocka_unit_test_setup_teardown(test_overlay, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_overlay_by_mount, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_failures_leave_nothing, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_exec, place_setup, place_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
