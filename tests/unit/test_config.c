/* kegd's options: the table, the command line, daemon.json, and their conflicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "daemon/options.h"

static char file[64];

static int setup(void **state)
{
    int fd;

    (void)state;
    snprintf(file, sizeof(file), "/tmp/keg-config-XXXXXX");
    fd = mkstemp(file);
    close(fd);
    return fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(file);
}

/* Loads the words of `line` with the file's `content`. */
static int load(struct config *c, const char *line, const char *content, struct err *err)
{
    _cleanup_free_ char *all = xasprintf("kegd --config-file %s%s%s", file, *line ? " " : "", line);
    _cleanup_strv_ char **words = strv_split(all, ' ');

    assert_int_equal(file_replace(AT_FDCWD, file, content, strlen(content), 0600, /* sync= */ false), 0);
    config_init(c);
    return config_load(c, (int)strv_len(words), words, err);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];

        assert_ptr_equal(option_by_name(row->name, strlen(row->name)), row);
        if (row->key)
            assert_ptr_equal(option_by_key(row->key), row);
        if (row->letter)
            assert_ptr_equal(option_by_letter(row->letter), row);
        if (row->kind != OPTION_UNSUPPORTED && row->kind != OPTION_FIXED) {
            assert_non_null(row->help);
            assert_int_equal(row->value == NULL, row->kind == OPTION_BOOL || row->kind == OPTION_SWITCH);
            assert_true(row->offset < sizeof(struct config));
        }
    }
}

static void test_defaults(void **state)
{
    _cleanup_config_ struct config c;
    struct err err = {0};

    (void)state;
    assert_int_equal(load(&c, "", "", &err), 0);
    assert_string_equal(c.data_root, "/var/lib/keg");
    assert_string_equal(c.exec_root, "/run/keg");
    assert_null(c.hosts);
    assert_true(c.iptables && c.ip_forward && c.ip_masq && c.icc && c.live_restore);
    assert_false(c.debug || c.init);
}

static void test_command_line(void **state)
{
    _cleanup_config_ struct config c;
    struct err err = {0};

    (void)state;
    assert_int_equal(load(&c,
                          "-D -H unix:///a --host=tcp://127.0.0.1:1 --data-root /d --iptables=false --init "
                          "--default-ulimit nofile=10:20 --default-ulimit core=-1 --log-opt max-size=10m "
                          "--default-shm-size 1g --default-address-pool base=10.0.0.0/8,size=24 --mtu 1400",
                          "", &err),
                     0);
    assert_true(c.debug && c.init);
    assert_false(c.iptables);
    assert_int_equal(strv_len(c.hosts), 2);
    assert_string_equal(c.hosts[1], "tcp://127.0.0.1:1");
    assert_string_equal(c.data_root, "/d");
    assert_int_equal(json_array_size(c.default_ulimits), 2);
    assert_int_equal(json_int_or(json_array_get(c.default_ulimits, 0), "Hard", 0), 20);
    assert_int_equal(json_int_or(json_array_get(c.default_ulimits, 1), "Soft", 0), -1);
    assert_string_equal(json_str(c.log_options, "max-size"), "10m");
    assert_int_equal(c.default_shm_size, 1 << 30);
    assert_string_equal(c.default_address_pools[0], "10.0.0.0/8,24");
    assert_int_equal(c.mtu, 1400);
}

static void test_file(void **state)
{
    _cleanup_config_ struct config c;
    struct err err = {0};

    (void)state;
    assert_int_equal(
        load(&c, "--debug",
             "{\"data-root\":\"/d\",\"hosts\":[\"unix:///a\"],\"log-opts\":{\"max-file\":\"3\"},"
             "\"default-ulimits\":{\"nofile\":{\"Name\":\"nofile\",\"Hard\":9,\"Soft\":8}},"
             "\"default-address-pools\":[{\"base\":\"10.0.0.0/8\",\"size\":24}],\"ip-masq\":false,"
             "\"max-concurrent-downloads\":5,\"userland-proxy\":false,\"exec-opts\":[\"native.cgroupdriver="
             "cgroupfs\"],\"default-shm-size\":\"8m\",\"insecure-registries\":[\"r\"]}",
             &err),
        0);
    assert_string_equal(c.data_root, "/d");
    assert_string_equal(c.hosts[0], "unix:///a");
    assert_string_equal(json_str(c.log_options, "max-file"), "3");
    assert_int_equal(json_int_or(json_array_get(c.default_ulimits, 0), "Soft", 0), 8);
    assert_string_equal(c.default_address_pools[0], "10.0.0.0/8,24");
    assert_false(c.ip_masq);
    assert_int_equal(c.max_concurrent_downloads, 5);
    assert_int_equal(c.default_shm_size, 8 << 20);
    assert_string_equal(c.insecure_registries[0], "r");
}

static void test_refusals(void **state)
{
    static const struct {
        const char *line, *content;
        enum err_kind kind;
        const char *text;
    } rows[] = {
        {"--nonsense", "", ERR_INVALID, "unknown flag: --nonsense"},
        {"-x", "", ERR_INVALID, "unknown shorthand flag: 'x' in -x"},
        {"word", "", ERR_INVALID, "accepts no arguments"},
        {"--data-root", "", ERR_INVALID, "flag needs an argument: --data-root"},
        {"--debug=maybe", "", ERR_INVALID, "invalid argument \"maybe\" for \"-D, --debug\" flag"},
        {"--default-ulimit nofile=9:8", "", ERR_INVALID, "invalid argument"},
        {"--default-address-pool base=10.0.0.0/8", "", ERR_INVALID, "invalid argument"},
        {"--userns-remap x", "", ERR_NOT_IMPLEMENTED, "--userns-remap is not supported by keg yet"},
        {"--userland-proxy", "", ERR_NOT_IMPLEMENTED,
         "userland-proxy true is not supported by keg: only false"},
        {"", "{\"experimental\":true}", ERR_NOT_IMPLEMENTED,
         "experimental true is not supported by keg: only false"},
        {"", "{\"exec-opts\":[\"native.cgroupdriver=systemd\"]}", ERR_NOT_IMPLEMENTED,
         "only native.cgroupdriver=cgroupfs"},
        {"--live-restore=false", "", ERR_NOT_IMPLEMENTED, "containers always outlive the daemon"},
        {"--log-level loud", "", ERR_INVALID, "invalid logging level: loud"},
        {"--default-ipc-mode host", "", ERR_INVALID,
         "default IPC mode setting (host) is invalid; use \"shareable\" or"},
        {"", "{\"default-cgroupns-mode\":\"x\"}", ERR_INVALID,
         "invalid default cgroup namespace (x): use \"host\""},
        {"--dns 8.8.8", "", ERR_INVALID, "8.8.8 is not an ip address"},
        {"--seccomp-profile /nonexistent", "", ERR_INVALID, "opening seccomp profile (/nonexistent) failed"},
        {"--data-root relative", "", ERR_INVALID, "must be absolute"},
        {"", "{\"nonsense\":1,\"more\":2}", ERR_INVALID,
         "don't match any configuration option: nonsense, more"},
        {"", "{\"debug\":\"yes\"}", ERR_INVALID,
         "invalid value \"yes\" for \"debug\": it must be true or false, not a string"},
        {"", "{\"hosts\":\"unix:///a\"}", ERR_INVALID,
         "invalid value \"unix:///a\" for \"hosts\": it must be an array of strings"},
        {"", "[]", ERR_INVALID, "must hold a JSON object"},
        {"", "{", ERR_INVALID, "unable to configure the daemon with file"},
        {"", "{\"userns-remap\":\"x\"}", ERR_NOT_IMPLEMENTED, "userns-remap is not supported"},
        {"--bip 1.2.3", "", ERR_INVALID, "invalid CIDR address: 1.2.3"},
        {"--bip 10.0.0.0/24", "", ERR_INVALID, "the address of the network itself"},
        {"--bip 10.0.0.1/31", "", ERR_INVALID, "no room for containers"},
        {"--bip fe80::1/64", "", ERR_INVALID, "invalid CIDR address"},
        {"-H http://x", "", ERR_INVALID,
         "invalid argument \"http://x\" for \"-H, --host\" flag: invalid bind address (http://x): "
         "unsupported proto 'http'"},
        {"-H foo", "", ERR_INVALID, "invalid bind address (foo)"},
        {"-H tcp://name:1", "", ERR_INVALID, "\"name\" is no address"},
        {"-H tcp://127.0.0.1:99999", "", ERR_INVALID, "\"99999\" is no port"},
        {"-H tcp://127.0.0.1:1/x", "", ERR_INVALID, "should not contain a path element"},
        {"-H unix://relative", "", ERR_INVALID, "it must be absolute"},
        {"--default-ulimit foo=1", "", ERR_INVALID, "invalid ulimit type: foo"},
        {"--default-ulimit nofile", "", ERR_INVALID, "invalid ulimit argument: nofile"},
        {"--default-ulimit nofile=a", "", ERR_INVALID, "parsing \"a\": invalid syntax"},
        {"--default-ulimit nofile=1:2:3", "", ERR_INVALID, "too many limit value arguments - 1:2:3"},
        {"--default-ulimit nofile=-5", "", ERR_INVALID, "invalid ulimit argument"},
        {"--cgroup-parent ../../x", "", ERR_INVALID, "invalid cgroup parent: ../../x"},
        {"--label =", "", ERR_INVALID, "bad attribute format: ="},
        {"--label a", "", ERR_INVALID, "bad attribute format: a"},
        {"--label com.docker.x=1", "", ERR_INVALID, "are reserved for internal use"},
        {"--label a=1 --label a=2", "", ERR_INVALID, "conflict labels for a=2 and a=1"},
        {"--registry-mirror ftp://x", "", ERR_INVALID, "unsupported scheme \"ftp\" in \"ftp://x\""},
        {"--registry-mirror x", "", ERR_INVALID, "no scheme specified for \"x\""},
        {"--registry-mirror https://x/?a", "", ERR_INVALID, "query or fragment at end"},
        {"--registry-mirror https://u:p@x", "", ERR_INVALID, "username/password not allowed"},
        {"--registry-mirror https://", "", ERR_INVALID, "invalid mirror: invalid host \"\""},
        {"--mtu 5", "", ERR_INVALID, "invalid default MTU: 5"},
        {"--mtu -5", "", ERR_INVALID, "invalid default MTU: -5"},
        {"--insecure-registry a,b", "", ERR_INVALID,
         "insecure registry a,b is not valid: invalid host \"a,b\""},
        {"--insecure-registry a:99999", "", ERR_INVALID, "invalid port \"99999\""},
        {"--insecure-registry 10.0.0.0/99", "", ERR_INVALID, "insecure registry 10.0.0.0/99 is not valid"},
        {"--dns-search -x", "", ERR_INVALID, "-x is not a valid domain"},
        {"--dns-search a..b", "", ERR_INVALID, "a..b is not a valid domain"},
        {"--log-opt nonsense", "", ERR_INVALID, "must be a key=value pair"},
        {"--default-address-pool garbage", "", ERR_INVALID,
         "invalid field 'garbage' must be a key=value pair"},
        {"--default-address-pool base=x,size=24", "", ERR_INVALID, "invalid base prefix \"x\""},
        {"--default-address-pool base=10.0.0.0/8,size=4", "", ERR_INVALID,
         "network 10.0.0.0/8 has a smaller prefix (/8) than the target size of that pool (/4)"},
        {"--default-address-pool base=10.0.0.0/8,size=33", "", ERR_INVALID, "invalid size value: 33"},
        {"--default-address-pool base=10.0.0.0/8,size=24,foo=1", "", ERR_INVALID,
         "unexpected key 'foo' in 'foo=1'"},
        {"--default-shm-size x", "", ERR_INVALID, "invalid size: 'x'"},
        {"--max-concurrent-downloads -1", "", ERR_INVALID, "invalid max concurrent downloads: -1"},
        {"--max-concurrent-uploads 99", "", ERR_INVALID, "invalid max concurrent uploads: 99"},
        {"--shutdown-timeout x", "", ERR_INVALID, "parsing \"x\": invalid syntax"},
        {"--log-format x", "", ERR_INVALID, "invalid log format: x"},
        {"--iptables=false --icc=false", "", ERR_INVALID, "ICC=false uses iptables to function"},
        {"", "{\"bip\":5}", ERR_INVALID, "invalid value 5 for \"bip\": it must be a string, not a number"},
        {"", "{\"bip\":\"1.2.3\"}", ERR_INVALID, "invalid value \"1.2.3\" for \"bip\": invalid CIDR address"},
        {"", "{\"hosts\":[5]}", ERR_INVALID, "not of number"},
        {"", "{\"hosts\":[\"http://x\"]}", ERR_INVALID, "unsupported proto 'http'"},
        {"", "{\"debug\":1}", ERR_INVALID, "it must be true or false, not a number"},
        {"", "{\"labels\":{\"a\":\"b\"}}", ERR_INVALID, "not an object"},
        {"", "{\"labels\":[\"a\"]}", ERR_INVALID, "bad attribute format: a"},
        {"", "{\"mtu\":\"1400\"}", ERR_INVALID, "it must be a whole number, not a string"},
        {"", "{\"mtu\":1.5}", ERR_INVALID, "not a fraction"},
        {"", "{\"mtu\":5}", ERR_INVALID, "invalid default MTU: 5"},
        {"", "{\"default-shm-size\":\"x\"}", ERR_INVALID, "invalid size: 'x'"},
        {"", "{\"default-shm-size\":-5}", ERR_INVALID, "invalid size: '-5'"},
        {"", "{\"default-ulimits\":[]}", ERR_INVALID, "not an array"},
        {"", "{\"default-ulimits\":{\"nofile\":5}}", ERR_INVALID, "nofile needs numbers Hard and Soft"},
        {"", "{\"default-ulimits\":{\"foo\":{\"Hard\":1,\"Soft\":1}}}", ERR_INVALID,
         "invalid ulimit type: foo"},
        {"", "{\"default-ulimits\":{\"core\":{\"Name\":\"cpu\",\"Hard\":1,\"Soft\":1}}}", ERR_INVALID,
         "core has the name cpu"},
        {"", "{\"default-ulimits\":{\"core\":{\"Hard\":1,\"Soft\":2}}}", ERR_INVALID, "2 > 1"},
        {"", "{\"default-address-pools\":{}}", ERR_INVALID, "it must be an array of objects, not an object"},
        {"", "{\"default-address-pools\":[{\"base\":\"10.0.0.0/8\",\"size\":\"24\"}]}", ERR_INVALID,
         "each needs a base and a size"},
        {"", "{\"default-address-pools\":[{\"base\":\"x\",\"size\":24}]}", ERR_INVALID,
         "invalid base prefix \"x\""},
        {"", "{\"log-opts\":{\"max-size\":5}}", ERR_INVALID, "max-size must be a string, not a number"},
        {"", "{\"log-opts\":[]}", ERR_INVALID, "it must be an object of strings"},
        {"", "{\"dns\":[\"x\"]}", ERR_INVALID, "x is not an ip address"},
        {"", "{\"dns-search\":[\"a b\"]}", ERR_INVALID, "a b is not a valid domain"},
        {"", "{\"insecure-registries\":[\"a b\"]}", ERR_INVALID, "invalid host \"a b\""},
        {"", "{\"registry-mirrors\":[\"ftp://x\"]}", ERR_INVALID, "unsupported scheme \"ftp\""},
        {"", "{\"tlsverify\":\"x\"}", ERR_INVALID, "it must be true or false"},
        {"", "{\"group\":5}", ERR_INVALID, "it must be a string"},
        {"", "{\"shutdown-timeout\":\"3\"}", ERR_INVALID, "it must be a whole number"},
        {"", "{\"validate\":true}", ERR_INVALID, "don't match any configuration option: validate"},
        {"", "{\"Debug\":true}", ERR_INVALID, "don't match any configuration option: Debug"},
        {"--log-level debug", "{\"log-level\":\"info\"}", ERR_INVALID,
         "specified both as a flag and in the configuration file: log-level: (from flag: debug, from file: "
         "info)"},
        {"-H unix:///a", "{\"hosts\":[\"unix:///b\"]}", ERR_INVALID,
         "hosts: (from flag: [unix:///a], from file: [unix:///b])"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_config_ struct config c;
        struct err err = {0};

        assert_int_equal(load(&c, rows[i].line, rows[i].content, &err), -1);
        assert_int_equal(err.kind, rows[i].kind);
        if (!strstr(err.message, rows[i].text))
            fail_msg("\"%s\" isn't in \"%s\"", rows[i].text, err.message);
    }
}

/* What looks odd and is right. */
static void test_acceptances(void **state)
{
    static const char *const lines[] = {
        "-H tcp://127.0.0.1 -H tcp://[::1]:2375 -H tcp://localhost:0 -H fd://name -H /a",
        "--bip 10.0.0.1/24 --mtu 0 --dns ::1 --dns-search . --dns-search a-b.example_c.",
        "--insecure-registry [::1]:5000 --insecure-registry fd00::/8 --insecure-registry 10.1.2.3/8 "
        "--insecure-registry a_b.c-d:5000",
        "--registry-mirror http://localhost:5000/path --registry-mirror https://[::1]:5000",
        "--default-address-pool size=24,base=10.0.0.5/8 --default-ulimit core=0:-1 --label a= --label a=",
        "--log-level= --log-format= --data-root= --exec-root= --default-ipc-mode= --bip= --group=",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        _cleanup_config_ struct config c;
        struct err err = {0};

        if (load(&c, lines[i], "{\"pidfile\":null,\"storage-driver\":\"\"}", &err) < 0)
            fail_msg("%s: %s", lines[i], err.message);
        assert_string_equal(c.data_root, "/var/lib/keg");
        assert_null(c.storage_driver);
    }
}

/* A scheme in front of an insecure registry is dropped, as dockerd does it. */
static void test_insecure_scheme(void **state)
{
    _cleanup_config_ struct config c;
    struct err err = {0};

    (void)state;
    assert_int_equal(load(&c, "--insecure-registry http://a:1 --insecure-registry https://b", "", &err), 0);
    assert_string_equal(c.insecure_registries[0], "a:1");
    assert_string_equal(c.insecure_registries[1], "b");
}

static void test_help_names_every_option(void **state)
{
    _cleanup_free_ char *help = config_help();

    (void)state;
    for (size_t i = 0; i < option_rows_count; i++) {
        _cleanup_free_ char *name = xasprintf("--%s ", option_rows[i].name);

        if (option_rows[i].kind != OPTION_UNSUPPORTED && option_rows[i].kind != OPTION_FIXED)
            assert_non_null(strstr(help, name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_acceptances),
        cmocka_unit_test(test_insecure_scheme),
        cmocka_unit_test(test_help_names_every_option),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
