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
        {"-x", "", ERR_INVALID, "unknown flag: -x"},
        {"word", "", ERR_INVALID, "accepts no arguments"},
        {"--data-root", "", ERR_INVALID, "flag needs an argument: --data-root"},
        {"--debug=maybe", "", ERR_INVALID, "invalid argument \"maybe\" for \"--debug\""},
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
        {"--default-ipc-mode host", "", ERR_INVALID, "say private or shareable"},
        {"", "{\"default-cgroupns-mode\":\"x\"}", ERR_INVALID, "say private or host"},
        {"--dns 8.8.8", "", ERR_INVALID, "8.8.8 is not an ip address"},
        {"--seccomp-profile /nonexistent", "", ERR_SYSTEM, "cannot read /nonexistent"},
        {"--data-root relative", "", ERR_INVALID, "must be absolute"},
        {"", "{\"nonsense\":1,\"more\":2}", ERR_INVALID,
         "don't match any configuration option: nonsense, more"},
        {"", "{\"debug\":\"yes\"}", ERR_INVALID, "invalid value for \"debug\""},
        {"", "{\"hosts\":\"unix:///a\"}", ERR_INVALID, "invalid value for \"hosts\""},
        {"", "[]", ERR_INVALID, "must hold a JSON object"},
        {"", "{", ERR_INVALID, "unable to configure the daemon with file"},
        {"", "{\"userns-remap\":\"x\"}", ERR_NOT_IMPLEMENTED, "userns-remap is not supported"},
        {"--log-level debug", "{\"log-level\":\"info\"}", ERR_INVALID,
         "specified both as a flag and in the configuration file: log-level: (from flag: debug, from file: "
         "info)"},
        {"-H unix:///a", "{\"hosts\":[\"unix:///b\"]}", ERR_INVALID,
         "hosts: (from flag: [unix:///a], from file: [\"unix:///b\"])"},
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
        cmocka_unit_test(test_table),    cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_file),     cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_help_names_every_option),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
