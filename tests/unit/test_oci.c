/* Composing: users, environments, and the parts of an OCI configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/fields.h"
#include "engine/oci.h"

/* ---- users ---- */

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "web:x:1000:1001::/home/web:/bin/sh\n"
                             "broken line\n"
                             "nouid:x:abc:0::/:\n"
                             "big:x:4294967296:0::/:\n"
                             "4294967296:x:0:0::/:\n"
                             "123:x:0:0::/evil:\n"
                             "7up:x:77:77::/home/7up:/bin/sh\n"
                             "nohome:x:5:5\n"
                             "last:x:9:9::/home/last:/bin/sh";
static const char group[] = "root:x:0:\n"
                            "web:x:1001:\n"
                            "wheel:x:10:root,web\n"
                            "audio:x:29:web\n"
                            "not:x:30:webber,we\n"
                            "55:x:0:\n"
                            "bad:x:zz:web\n";

struct user_row {
    const char *spec;
    int ok;
    uint32_t uid, gid;
    const char *home, *groups;
};

static const struct user_row user_rows[] = {
    {"", 1, 0, 0, "/root", "0,10"},
    {"root", 1, 0, 0, "/root", "0,10"},
    {"web", 1, 1000, 1001, "/home/web", "1001,10,29"},
    {"1000", 1, 1000, 1001, "/home/web", "1001,10,29"},
    {"1", 1, 1, 0, "/", "0"},
    {"1:", 1, 1, 0, "/", "0"},
    {"0:1", 1, 0, 1, "/root", "1"},
    {"web:wheel", 1, 1000, 10, "/home/web", "10"},
    {"web:77", 1, 1000, 77, "/home/web", "77"},
    {"4711:4712", 1, 4711, 4712, "/", "4712"},
    {"2147483647", 1, 2147483647, 0, "/", "0"},
    {"7up", 1, 77, 77, "/home/7up", "77"},
    {"nohome", 1, 5, 5, "/", "5"},
    {"last", 1, 9, 9, "/home/last", "9"},
    /* numbers are numbers, whatever the image's files call people */
    {"123", 1, 123, 0, "/", "0"},
    {"1:55", 1, 1, 55, "/", "55"},
    {"4294967296", 0, 0, 0, NULL, NULL},
    {"4294967295", 0, 0, 0, NULL, NULL},
    {"2147483648", 0, 0, 0, NULL, NULL},
    {"99999999999999999999", 0, 0, 0, NULL, NULL},
    {"01", 0, 0, 0, NULL, NULL},
    {"+1", 0, 0, 0, NULL, NULL},
    {"-1", 0, 0, 0, NULL, NULL},
    {"1:01", 0, 0, 0, NULL, NULL},
    {"1:+1", 0, 0, 0, NULL, NULL},
    {"1:4294967296", 0, 0, 0, NULL, NULL},
    {"nobody", 0, 0, 0, NULL, NULL},
    {"broken line", 0, 0, 0, NULL, NULL},
    {"nouid", 0, 0, 0, NULL, NULL},
    {"big", 0, 0, 0, NULL, NULL},
    {"web:nogroup", 0, 0, 0, NULL, NULL},
    {"a:b:c", 0, 0, 0, NULL, NULL},
};

static char *groups_text(const struct oci_user *u)
{
    struct buf b = BUF_INIT(4096);
    for (size_t i = 0; i < u->group_count; i++)
        buf_printf(&b, "%s%u", i ? "," : "", u->groups[i]);
    return buf_take(&b);
}

static void test_users(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(user_rows); i++) {
        const struct user_row *row = &user_rows[i];
        struct oci_user u;
        struct err err = {0};
        int r = oci_user_resolve(row->spec, NULL, passwd, group, &u, &err);
        print_message("%s\n", row->spec);
        assert_int_equal(r, row->ok ? 0 : -1);
        if (row->ok) {
            _cleanup_free_ char *groups = groups_text(&u);
            assert_int_equal(u.uid, row->uid);
            assert_int_equal(u.gid, row->gid);
            assert_string_equal(u.home, row->home);
            assert_string_equal(groups, row->groups);
        } else {
            assert_int_equal(err.kind, ERR_INVALID);
        }
        oci_user_finish(&u);
    }
}

static void test_extra_groups(void **state)
{
    (void)state;
    char *extra[] = {"audio", "4000", "wheel", NULL}, *bad[] = {"-5", NULL};
    struct oci_user u;
    assert_int_equal(oci_user_resolve("root", extra, passwd, group, &u, NULL), 0);
    _cleanup_free_ char *groups = groups_text(&u);
    assert_string_equal(groups, "0,10,29,4000");
    oci_user_finish(&u);
    assert_int_equal(oci_user_resolve("root", bad, passwd, group, &u, NULL), -1);
    oci_user_finish(&u);
}

/* ---- environment ---- */

static void test_env(void **state)
{
    (void)state;
    _cleanup_json_ json_t *env = json_pack("[sss]", "PATH=/bin", "A=1", "B=2");
    _cleanup_json_ json_t *rows = json_pack("[sssss]", "A=x", "AB=3", "B", "NEW=", "GONE");
    oci_env_apply(env, rows);
    _cleanup_free_ char *text = json_text(env);
    assert_string_equal(text, "[\"PATH=/bin\",\"A=x\",\"AB=3\",\"NEW=\"]");
}

/* ---- whole configurations ---- */

static struct engine_options options;

/* Composes from JSON texts; host and mounts may be NULL. */
static json_t *compose(const char *config_text, const char *host_text, const char *mounts_text,
                       struct err *err)
{
    _cleanup_json_ json_t *config = json_loads(config_text, 0, NULL);
    _cleanup_json_ json_t *given = json_loads(host_text ? host_text : "{}", 0, NULL);
    _cleanup_json_ json_t *host = fields_compact(host_config_fields, given, "HostConfig", err);
    _cleanup_json_ json_t *mounts = json_loads(mounts_text ? mounts_text : "[]", 0, NULL);
    assert_non_null(config);
    assert_non_null(mounts);
    if (!host)
        return NULL;
    const struct oci_input in = {
        .options = &options,
        .config = config,
        .host_config = host,
        .mounts = mounts,
        .hostname = "here",
        .cgroup_path = "/keg/x",
        .hosts_file = "/d/hosts",
        .namespaces = {[OCI_NS_NETWORK] = {.given = true}},
    };
    return oci_compose(&in, err);
}

static void assert_json(const json_t *actual, const char *expected_text)
{
    json_error_t error;
    _cleanup_json_ json_t *expected = json_loads(expected_text, JSON_DECODE_ANY, &error);
    _cleanup_free_ char *text = json_dumps(actual, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!expected)
        fail_msg("%s", error.text);
    if (!json_equal(expected, actual))
        fail_msg("expected %s\n     got %s", expected_text, text);
}

static const json_t *mount_of(const json_t *oci, const char *destination)
{
    const json_t *m;
    size_t i;
    json_array_foreach (json_object_get(oci, "mounts"), i, m) {
        if (str_eq(json_str(m, "destination"), destination))
            return m;
    }
    return NULL;
}

#define TRUE_CONFIG "{\"Cmd\":[\"true\"],\"Env\":[\"A=1\"]}"

static void test_defaults(void **state)
{
    (void)state;
    struct err err = {0};
    _cleanup_json_ json_t *oci = compose(TRUE_CONFIG, NULL, NULL, &err);
    assert_non_null(oci);
    assert_json(json_at(oci, "process.args"), "[\"true\"]");
    assert_json(
        json_at(oci, "process.env"),
        "[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"HOSTNAME=here\",\"A=1\","
        "\"HOME=/\"]");
    assert_json(json_at(oci, "process.user"), "{\"uid\":0,\"gid\":0,\"additionalGids\":[0]}");
    assert_json(json_at(oci, "process.cwd"), "\"/\"");
    assert_null(json_at(oci, "process.noNewPrivileges"));
    assert_null(json_at(oci, "process.capabilities.inheritable"));
    assert_null(json_at(oci, "process.capabilities.ambient"));
    assert_json(json_object_get(oci, "hostname"), "\"here\"");
    assert_json(json_at(oci, "linux.namespaces"), "[{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":"
                                                  "\"ipc\"},{\"type\":\"uts\"},{\"type\":\"cgroup\"}]");
    assert_json(json_at(oci, "linux.seccomp"), "{\"kegProfile\":\"default\"}");
    assert_json(json_at(oci, "linux.readonlyPaths"),
                "[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/sysrq-trigger\"]");
    assert_json(json_array_get(json_at(oci, "linux.resources.devices"), 0),
                "{\"allow\":false,\"access\":\"rwm\"}");
    assert_json(mount_of(oci, "/dev/shm"),
                "{\"destination\":\"/dev/"
                "shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":[\"nosuid\",\"noexec\","
                "\"nodev\",\"mode=1777\",\"size=67108864\"]}");
    assert_json(mount_of(oci, "/etc/hosts"),
                "{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"/d/hosts\","
                "\"options\":[\"rbind\",\"rprivate\"]}");
    assert_null(mount_of(oci, "/etc/resolv.conf"));
}

static void test_privileged(void **state)
{
    (void)state;
    struct err err = {0};
    _cleanup_json_ json_t *oci = compose(TRUE_CONFIG, "{\"Privileged\":true}", NULL, &err);
    assert_non_null(oci);
    assert_null(json_at(oci, "linux.seccomp"));
    assert_null(json_at(oci, "linux.maskedPaths"));
    assert_null(json_at(oci, "linux.readonlyPaths"));
    assert_json(json_at(oci, "linux.resources.devices"), "[{\"allow\":true,\"access\":\"rwm\"}]");
    assert_json(json_object_get(mount_of(oci, "/sys"), "options"),
                "[\"nosuid\",\"noexec\",\"nodev\",\"rw\"]");
    assert_true(json_array_size(json_at(oci, "linux.devices")) > 0);
}

static void test_resources(void **state)
{
    (void)state;
    struct err err = {0};
    _cleanup_json_ json_t *host =
        json_loads("{\"Memory\":67108864,\"NanoCpus\":500000000,\"PidsLimit\":50,\"CpusetCpus\":\"0\","
                   "\"CpuShares\":512,\"BlkioWeight\":300,\"MemorySwappiness\":0,\"OomKillDisable\":true}",
                   0, NULL);
    _cleanup_json_ json_t *resources = oci_resources(host, &err);
    assert_json(resources,
                "{\"memory\":{\"limit\":67108864,\"swap\":134217728,\"swappiness\":0,"
                "\"disableOOMKiller\":true},\"cpu\":{\"shares\":512,\"cpus\":\"0\",\"period\":100000,"
                "\"quota\":50000},\"pids\":{\"limit\":50},\"blockIO\":{\"weight\":300}}");
    _cleanup_json_ json_t *no_such =
        json_loads("{\"BlkioDeviceReadBps\":[{\"Path\":\"/nope\",\"Rate\":1}]}", 0, NULL);
    assert_null(oci_resources(no_such, &err));
    assert_int_equal(err.kind, ERR_INVALID);
}

static void test_mounts(void **state)
{
    (void)state;
    struct err err = {0};
    _cleanup_json_ json_t *oci = compose(
        TRUE_CONFIG, "{\"Tmpfs\":{\"/t\":\"exec,size=1m\"},\"IpcMode\":\"none\",\"ReadonlyRootfs\":true}",
        "[{\"Type\":\"bind\",\"Source\":\"/deep\",\"Destination\":\"/a/b/"
        "c\",\"RW\":false,\"Propagation\":\"rslave\"},"
        "{\"Type\":\"volume\",\"Source\":\"/v\",\"Destination\":\"/a\",\"RW\":true},"
        "{\"Type\":\"bind\",\"Source\":\"/h\",\"Destination\":\"/etc/"
        "hosts\",\"RW\":true,\"Propagation\":\"rprivate\"},"
        "{\"Type\":\"tmpfs\",\"Destination\":\"/m\",\"RW\":true,\"Options\":{\"Data\":\"size=5\"}}]",
        &err);
    assert_non_null(oci);
    assert_null(mount_of(oci, "/dev/shm"));
    assert_json(json_at(oci, "root.readonly"), "true");
    assert_json(json_at(oci, "linux.rootfsPropagation"), "\"rslave\"");
    assert_json(json_object_get(mount_of(oci, "/t"), "options"),
                "[\"noexec\",\"nosuid\",\"nodev\",\"exec\",\"size=1m\"]");
    assert_json(json_object_get(mount_of(oci, "/m"), "options"),
                "[\"noexec\",\"nosuid\",\"nodev\",\"size=5\"]");
    assert_json(json_object_get(mount_of(oci, "/a/b/c"), "options"), "[\"rbind\",\"rro\",\"rslave\"]");
    assert_json(json_object_get(mount_of(oci, "/etc/hosts"), "source"), "\"/h\"");
    size_t shallow = 0, deep = 0, i;
    const json_t *m;
    json_array_foreach (json_object_get(oci, "mounts"), i, m) {
        shallow = str_eq(json_str(m, "destination"), "/a") ? i : shallow;
        deep = str_eq(json_str(m, "destination"), "/a/b/c") ? i : deep;
    }
    assert_true(shallow < deep);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *config, *host, *message;
    } rows[] = {
        {"{}", NULL, "no command specified"},
        {TRUE_CONFIG, "{\"SecurityOpt\":[\"nope\"]}", "invalid --security-opt"},
        {TRUE_CONFIG, "{\"SecurityOpt\":[\"seccomp=not json\"]}", "Decoding seccomp profile failed"},
        {TRUE_CONFIG, "{\"CapAdd\":[\"NOPE\"]}", "NOPE"},
        {TRUE_CONFIG, "{\"Ulimits\":[{\"Name\":\"nope\",\"Soft\":1,\"Hard\":1}]}",
         "invalid ulimit type: nope"},
        {TRUE_CONFIG, "{\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":2,\"Hard\":1}]}",
         "less than or equal to hard limit"},
        {TRUE_CONFIG, "{\"Devices\":[{\"PathOnHost\":\"/nope\"}]}", "/nope"},
        {TRUE_CONFIG, "{\"Devices\":[{\"PathOnHost\":\"/dev/null\",\"CgroupPermissions\":\"x\"}]}",
         "permissions"},
        {TRUE_CONFIG, "{\"DeviceCgroupRules\":[\"c 1:3\"]}", "invalid device cgroup rule"},
        {TRUE_CONFIG, "{\"DeviceCgroupRules\":[\"c 1:3 rwm more\"]}", "invalid device cgroup rule"},
        {TRUE_CONFIG, "{\"Sysctls\":{\"../../x\":\"1\"}}", "invalid sysctl name"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};
        _cleanup_json_ json_t *oci = compose(rows[i].config, rows[i].host, NULL, &err);
        print_message("%s\n", rows[i].message);
        assert_null(oci);
        assert_non_null(strstr(err.message, rows[i].message));
    }
}

static void test_security_options(void **state)
{
    (void)state;
    struct err err = {0};
    _cleanup_json_ json_t *open =
        compose(TRUE_CONFIG, "{\"SecurityOpt\":[\"seccomp=unconfined\"]}", NULL, &err);
    assert_null(json_at(open, "linux.seccomp"));
    _cleanup_json_ json_t *old =
        compose(TRUE_CONFIG, "{\"SecurityOpt\":[\"seccomp:unconfined\",\"label:disable\"]}", NULL, &err);
    assert_non_null(old);
    assert_null(json_at(old, "linux.seccomp"));
    _cleanup_json_ json_t *own = compose(TRUE_CONFIG,
                                         "{\"SecurityOpt\":[\"no-new-privileges\",\"seccomp={"
                                         "\\\"defaultAction\\\":\\\"SCMP_ACT_ALLOW\\\"}\"]}",
                                         NULL, &err);
    assert_json(json_at(own, "process.noNewPrivileges"), "true");
    assert_json(json_at(own, "linux.seccomp.defaultAction"), "\"SCMP_ACT_ALLOW\"");
    _cleanup_json_ json_t *masks =
        compose(TRUE_CONFIG, "{\"MaskedPaths\":[],\"ReadonlyPaths\":[\"/x\"]}", NULL, &err);
    assert_json(json_at(masks, "linux.maskedPaths"), "[]");
    assert_json(json_at(masks, "linux.readonlyPaths"), "[\"/x\"]");
}

static void test_exec(void **state)
{
    (void)state;
    struct err err = {0};
    _cleanup_json_ json_t *config = json_loads(
        "{\"Cmd\":[\"x\"],\"Env\":[\"A=1\",\"B=2\"],\"WorkingDir\":\"/w\",\"User\":\"5\"}", 0, NULL);
    _cleanup_json_ json_t *host = json_loads("{\"CapDrop\":[\"ALL\"]}", 0, NULL);
    _cleanup_json_ json_t *body =
        json_loads("{\"Cmd\":[\"ls\",\"-l\"],\"Env\":[\"B=3\"],\"User\":\"\",\"Tty\":true}", 0, NULL);
    const struct oci_input in = {.options = &options, .config = config, .host_config = host, .hostname = "h"};
    _cleanup_json_ json_t *process = oci_compose_exec(&in, body, &err);
    assert_non_null(process);
    assert_json(json_object_get(process, "args"), "[\"ls\",\"-l\"]");
    assert_json(json_object_get(process, "cwd"), "\"/w\"");
    assert_json(json_at(process, "user.uid"), "5");
    assert_json(json_object_get(process, "capabilities"),
                "{\"bounding\":[],\"effective\":[],\"permitted\":[]}");
    assert_json(json_object_get(process, "env"), "[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/"
                                                 "sbin:/bin\",\"HOSTNAME=h\",\"TERM=xterm\","
                                                 "\"A=1\",\"B=3\",\"HOME=/\"]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_extra_groups),
        cmocka_unit_test(test_env),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_privileged),
        cmocka_unit_test(test_resources),
        cmocka_unit_test(test_mounts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_security_options),
        cmocka_unit_test(test_exec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
