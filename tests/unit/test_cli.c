/* The command line's pure parts: the command table, options, request bodies, references, output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/complete.h"
#include "cli/create.h"
#include "cli/demux.h"
#include "cli/output.h"
#include "cli/reference.h"
#include "cli/session.h"

/* ---- the tables ---- */

static void check_rows(const struct command *command)
{
    bool letters[128] = {false};

    for (size_t t = 0; t < OPTION_TABLES_MAX && command->options[t]; t++)
        for (const struct option_row *row = command->options[t]; row->name; row++) {
            assert_true(row->kind < OPTION_KIND_COUNT);
            assert_non_null(row->summary);
            if (row->letter) {
                assert_false(letters[(unsigned char)row->letter]);
                letters[(unsigned char)row->letter] = true;
            }
        }
}

static void test_command_table(_unused_ void **state)
{
    for (const struct command *const *c = commands; *c; c++) {
        char **paths = strv_split((*c)->paths, ',');

        assert_non_null((*c)->summary);
        for (char **p = paths; *p; p++)
            assert_ptr_equal(command_find(*p), *c); /* no path is taken twice */
        check_rows(*c);
        strv_free(paths);
    }
    assert_ptr_equal(command_find("ps"), command_find("container ls"));
    assert_null(command_find("container nope"));
}

static void test_suggestions(_unused_ void **state)
{
    struct buf out = BUF_INIT(4096);

    command_suggest("imgaes", &out);
    assert_non_null(strstr(buf_str(&out), "  keg images\n"));
    buf_reset(&out);
    command_suggest("xyzzy", &out);
    assert_string_equal(buf_str(&out), "");
    command_suggest("nope", &out); /* "node" isn't there yet */
    assert_string_equal(buf_str(&out), "");
    buf_finish(&out);
}

/* ---- options ---- */

static const struct option_row rows[] = {
    {"all", 'a', OPTION_BOOL, "x"},     {"number", 'n', OPTION_INT, "x", "-1"},
    {"list", 'l', OPTION_LIST, "x"},    {"memory", 'm', OPTION_BYTES, "x"},
    {"cpus", 0, OPTION_DECIMAL, "x"},   {"quiet", 'q', OPTION_BOOL, "x"},
    {"subnet", 0, OPTION_STRINGS, "x"}, {NULL},
};

static int parse(struct args *args, bool interspersed, char **argv, struct err *err)
{
    option_tables tables = {rows};

    *args = (struct args){0};
    return args_parse(args, &tables, interspersed, (int)strv_len(argv), argv, err);
}

static void test_options(_unused_ void **state)
{
    char *argv[] = {"-aq",    "-n5", "--list",   "x",   "--list=y", "arg", "-m", "64m",
                    "--cpus", "1.5", "--subnet", "a,b", "--",       "-z",  NULL};
    struct args args;

    assert_int_equal(parse(&args, true, argv, NULL), 0);
    assert_true(args_bool(&args, "all") && args_bool(&args, "quiet"));
    assert_int_equal(args_int(&args, "number", 0), 5);
    assert_int_equal(strv_len(args_list(&args, "list")), 2);
    assert_int_equal(strv_len(args_list(&args, "subnet")), 2);
    assert_int_equal(args_bytes(&args, "memory"), 64 << 20);
    assert_int_equal(args_nano(&args, "cpus"), 1500000000);
    assert_int_equal(args.rest_count, 2);
    assert_string_equal(args.rest[1], "-z");
    args_finish(&args);
}

static void test_options_stop(_unused_ void **state)
{
    char *argv[] = {"-a", "busybox", "ls", "-q", NULL};
    struct args args;

    assert_int_equal(parse(&args, false, argv, NULL), 0);
    assert_false(args_bool(&args, "quiet"));
    assert_int_equal(args.rest_count, 3);
    args_finish(&args);
}

static void test_option_errors(_unused_ void **state)
{
    static const struct {
        char *argv[3];
        const char *message;
    } samples[] = {
        {{"--foo"}, "unknown flag: --foo"},
        {{"-z"}, "unknown shorthand flag: 'z' in -z"},
        {{"--number"}, "flag needs an argument: --number"},
        {{"-an"}, "flag needs an argument: 'n' in -n"},
        {{"-n", "x"},
         "invalid argument \"x\" for \"-n, --number\" flag: strconv.ParseInt: parsing \"x\": invalid syntax"},
        {{"--all=x"},
         "invalid argument \"x\" for \"-a, --all\" flag: strconv.ParseBool: parsing \"x\": invalid syntax"},
        {{"-m", "x"}, "invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'"},
        {{"--cpus", "x"},
         "invalid argument \"x\" for \"--cpus\" flag: failed to parse x as a rational number"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        struct err err = {0};
        struct args args;

        assert_int_equal(parse(&args, true, (char **)samples[i].argv, &err), -1);
        assert_string_equal(err.message, samples[i].message);
        args_finish(&args);
    }
}

/* ---- create ---- */

static json_t *body_of(char **argv, struct err *err)
{
    const struct command *create = command_find("create");
    struct args args = {.command = create, .path = "create"};
    json_t *body = NULL;

    if (args_parse(&args, &create->options, false, (int)strv_len(argv), argv, err) == 0)
        body = create_body(&args, err);
    args_finish(&args);
    return body;
}

static void assert_member(const json_t *body, const char *path, const char *text)
{
    char *found = json_text(json_at(body, path));

    assert_non_null(found);
    assert_string_equal(found, text);
    free(found);
}

static void test_create_body(_unused_ void **state)
{
    char *argv[] = {"-p",           "127.0.0.1:80:8080/udp",
                    "-v",           "/a:/b:ro",
                    "-v",           "/anon",
                    "-m",           "64m",
                    "--cpus",       "1.5",
                    "--ulimit",     "nofile=1:2",
                    "--mount",      "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1777",
                    "--cap-add",    "net_admin",
                    "--device",     "/dev/null:r",
                    "--health-cmd", "true",
                    "--network",    "name=n,alias=q",
                    "--restart",    "on-failure:3",
                    "-i",           "image",
                    "cmd",          NULL};
    struct err err = {0};
    json_t *body = body_of(argv, &err);

    if (!body)
        fail_msg("%s", err.message);
    assert_member(body, "Image", "\"image\"");
    assert_member(body, "Cmd", "[\"cmd\"]");
    assert_member(body, "StdinOnce", "true");
    assert_member(body, "Volumes", "{\"/anon\":{}}");
    assert_member(body, "ExposedPorts", "{\"8080/udp\":{}}");
    assert_member(body, "HostConfig.PortBindings",
                  "{\"8080/udp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"80\"}]}");
    assert_member(body, "HostConfig.Binds", "[\"/a:/b:ro\"]");
    assert_member(body, "HostConfig.Memory", "67108864");
    assert_member(body, "HostConfig.NanoCpus", "1500000000");
    assert_member(body, "HostConfig.Ulimits", "[{\"Name\":\"nofile\",\"Hard\":2,\"Soft\":1}]");
    assert_member(
        body, "HostConfig.Mounts",
        "[{\"Type\":\"tmpfs\",\"Target\":\"/t\",\"TmpfsOptions\":{\"SizeBytes\":1048576,\"Mode\":1023}}]");
    assert_member(body, "HostConfig.CapAdd", "[\"CAP_NET_ADMIN\"]");
    assert_member(body, "HostConfig.NetworkMode", "\"n\"");
    assert_member(body, "NetworkingConfig.EndpointsConfig.n.Aliases", "[\"q\"]");
    assert_member(body, "HostConfig.RestartPolicy", "{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}");
    assert_member(body, "Healthcheck.Test", "[\"CMD-SHELL\",\"true\"]");
    json_decref(body);
}

static void test_create_errors(_unused_ void **state)
{
    static const struct {
        char *argv[5];
        const char *message;
    } samples[] = {
        {{"-p", "abc", "i"}, "Invalid containerPort: abc"},
        {{"-p", "1-2:80-82", "i"}, "Invalid ranges specified for container and host Ports: 80-82 and 1-2"},
        {{"--rm", "--restart", "always", "i"}, "conflicting options: cannot specify both --restart and --rm"},
        {{"--security-opt", "foo", "i"}, "Invalid --security-opt: \"foo\""},
        {{"--device", "foo", "i"}, "foo is not an absolute path"},
        {{"--mount", "type=foo", "i"},
         "invalid argument \"type=foo\" for \"--mount\" flag: target is required"},
        {{"--ulimit", "foo", "i"},
         "invalid argument \"foo\" for \"--ulimit\" flag: invalid ulimit argument: foo"},
        {{"--env-file", "/nonexistent", "i"}, "open /nonexistent: no such file or directory"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        struct err err = {0};

        assert_null(body_of((char **)samples[i].argv, &err));
        assert_string_equal(err.message, samples[i].message);
    }
}

/* ---- references ---- */

static void test_references(_unused_ void **state)
{
    static const struct {
        const char *text, *name, *tag, *familiar;
    } good[] = {{"busybox", "docker.io/library/busybox", NULL, "busybox"},
                {"a/b:1", "docker.io/a/b", "1", "a/b:1"},
                {"localhost:5000/x", "localhost:5000/x", NULL, "localhost:5000/x"},
                {"a__b/c--d", "docker.io/a__b/c--d", NULL, "a__b/c--d"},
                {"r.example/x/y:t", "r.example/x/y", "t", "r.example/x/y:t"}};
    static const char *const bad[] = {"",
                                      "Foo",
                                      "a:b:c",
                                      "a//b",
                                      "-a",
                                      "--a",
                                      "a___b",
                                      "a-",
                                      "a@sha256:12",
                                      "a: b",
                                      "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"};

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct reference r;
        char *name, *familiar;

        assert_int_equal(reference_parse(good[i].text, &r, NULL), 0);
        name = reference_name(&r);
        familiar = reference_familiar(&r);
        assert_string_equal(name, good[i].name);
        assert_string_equal(familiar, good[i].familiar);
        assert_true(str_eq(r.tag, good[i].tag));
        free(name);
        free(familiar);
        reference_finish(&r);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct reference r;

        assert_int_equal(reference_parse(bad[i], &r, NULL), -1);
    }
}

/* ---- output ---- */

static void test_human(_unused_ void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } durations[] = {{0, "Less than a second"}, {1, "1 second"},         {59, "59 seconds"},
                     {60, "About a minute"},    {150, "2 minutes"},      {3600, "About an hour"},
                     {7200, "2 hours"},         {86400 * 3, "3 days"},   {86400 * 20, "2 weeks"},
                     {86400 * 90, "3 months"},  {86400 * 800, "2 years"}};
    char text[DURATION_TEXT], size[SIZE_TEXT];

    for (size_t i = 0; i < ARRAY_SIZE(durations); i++)
        assert_string_equal(human_duration(durations[i].seconds * CLOCK_NS_PER_S, text), durations[i].text);
    assert_string_equal(human_size(0, 4, size), "0B");
    assert_string_equal(human_size(1234567, 4, size), "1.235MB");
    assert_string_equal(human_size(1234567, 3, size), "1.23MB");
    assert_string_equal(human_bytes(1048576, size), "1MiB");
}

static void test_table(_unused_ void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    output_table(out, "A\tBB\tC\nlonger than ten\té\tx\n", 10);
    fclose(out);
    assert_string_equal(text, "A                 BB        C\nlonger than ten   é         x\n");
    free(text);
}

static void test_indent(_unused_ void **state)
{
    struct buf out = BUF_INIT(4096);

    indent_json(&out, "{\"a\":[1,{}],\"b\":\"x:{,\\\"\"}", "");
    assert_string_equal(buf_str(&out),
                        "{\n    \"a\": [\n        1,\n        {}\n    ],\n    \"b\": \"x:{,\\\"\"\n}");
    buf_finish(&out);
}

static void test_detach_keys(_unused_ void **state)
{
    unsigned char keys[4];

    assert_int_equal(detach_keys_parse("", keys, sizeof(keys), NULL), 2);
    assert_int_equal(keys[0], 16);
    assert_int_equal(keys[1], 17);
    assert_int_equal(detach_keys_parse("ctrl-@,x,ctrl-_", keys, sizeof(keys), NULL), 3);
    assert_int_equal(keys[0], 0);
    assert_int_equal(keys[1], 'x');
    assert_int_equal(keys[2], 31);
    assert_int_equal(detach_keys_parse("ctrl-", keys, sizeof(keys), NULL), -1);
    assert_int_equal(detach_keys_parse("a,b,c,d,e", keys, sizeof(keys), NULL), -1);
}

/* Frames may be cut anywhere. */
static void test_demux(_unused_ void **state)
{
    static const char frames[] = "\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\1x";
    struct demux d = {.output = false, .errors = false};
    struct err err = {0};

    for (size_t i = 0; i < sizeof(frames) - 1; i++)
        assert_int_equal(demux_feed(&d, frames + i, 1, &err), 0);
    assert_int_equal(d.left, 0);
    assert_int_equal(demux_feed(&d, "\3\0\0\0\0\0\0\4oops", 12, &err), -1);
    assert_string_equal(err.message, "error from daemon in stream: oops");
    d = (struct demux){0};
    assert_int_equal(demux_feed(&d, "\7\0\0\0\0\0\0\1x", 9, &err), -1);
}

/* ---- completion ---- */

/* What of completion needs no daemon. */
static void test_completion(_unused_ void **state)
{
    static const struct {
        const char *line, *expected;
        int what;
    } samples[] = {
        {"contex", "context\tManage contexts: named daemons\n", COMPLETE_NO_FILES},
        {"run --oom-k", "--oom-kill-disable\t", COMPLETE_NO_FILES},
        {"run --restart=un", "--restart=unless-stopped\t\n", COMPLETE_NO_FILES},
        {"run --pull a", "always\t\n", COMPLETE_NO_FILES},
        {"run -e X=y --pull a", "always\t\n", COMPLETE_NO_FILES},
        {"run -itv /a --pull a", "always\t\n", COMPLETE_NO_FILES},
        {"run -itw/a --pull a", "always\t\n", COMPLETE_NO_FILES},
        {"run image --pull a", "", COMPLETE_FILES},
        {"exec -- c --pull a", "", COMPLETE_FILES},
        {"-H x -c y compl", "", COMPLETE_NO_FILES}, /* hidden */
        {"run --nothing=x", "", COMPLETE_NO_FILES},
        {"rename a b c", "", COMPLETE_NO_FILES},
    };

    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        _cleanup_strv_ char **words = strv_split(samples[i].line, ' ');
        _cleanup_(buf_finish) struct buf out = BUF_INIT(65536);

        assert_int_equal(complete_words(NULL, (int)strv_len(words), words, &out), samples[i].what);
        if (*samples[i].expected)
            assert_true(str_starts(buf_str(&out), samples[i].expected));
        else
            assert_string_equal(buf_str(&out), "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_table), cmocka_unit_test(test_suggestions),
        cmocka_unit_test(test_options),       cmocka_unit_test(test_options_stop),
        cmocka_unit_test(test_option_errors), cmocka_unit_test(test_create_body),
        cmocka_unit_test(test_create_errors), cmocka_unit_test(test_references),
        cmocka_unit_test(test_human),         cmocka_unit_test(test_table),
        cmocka_unit_test(test_indent),        cmocka_unit_test(test_detach_keys),
        cmocka_unit_test(test_demux),         cmocka_unit_test(test_completion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
