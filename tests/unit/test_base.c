/* The vocabulary: buffers that stop at their bound, strict numbers, confined paths, times, errors, JSON from
 * any bytes. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/json_plain.h"
#include "base/path.h"
#include "base/str.h"

static void test_buf_is_bounded(void **state)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(8);
    char *taken;

    (void)state;
    assert_string_equal(buf_str(&b), "");
    assert_int_equal(buf_puts(&b, "12345678"), 0);
    assert_int_equal(buf_putc(&b, '9'), -E2BIG);
    assert_true(buf_failed(&b));
    assert_int_equal(buf_puts(&b, ""), -E2BIG);
    assert_null(buf_take(&b));
    buf_reset(&b);
    assert_int_equal(buf_printf(&b, "%s-%d", "ab", 42), 0);
    buf_consume(&b, 3);
    assert_string_equal(buf_str(&b), "42");
    taken = buf_take(&b);
    assert_string_equal(taken, "42");
    free(taken);
    assert_int_equal(b.len, 0);
}

static void test_buf_reads_whole_files(void **state)
{
    _cleanup_(buf_finish) struct buf exact = BUF_INIT(5), small = BUF_INIT(4);
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fd_write_full(fds[1], "hello", 5), 0);
    close(fds[1]);
    assert_int_equal(fd_read_all(fds[0], &exact), 0);
    assert_string_equal(buf_str(&exact), "hello");
    close(fds[0]);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fd_write_full(fds[1], "hello", 5), 0);
    close(fds[1]);
    assert_int_equal(fd_read_all(fds[0], &small), -E2BIG);
    close(fds[0]);
    assert_int_equal(file_read(AT_FDCWD, "/dev/null", &exact), -EINVAL); /* not a regular file */
}

static void test_wide_numbers(void **state _unused_)
{
    static const char text[] = "{\"a\":18446744073709551615,\"b\":[9223372036854775808, 7, -3],"
                               "\"c\":\"18446744073709551615\\\"18446744073709551615\",\"d\":1.5e3}";
    static const char *const bad[] = {"[18446744073709551616]", "[-18446744073709551615]",
                                      "[9223372036854775808"};
    struct err err = {0};
    _cleanup_json_ json_t *json = json_parse_wide(text, strlen(text), "text", &err);
    const json_t *b = json_object_get(json, "b");

    assert_non_null(json);
    assert_true((uint64_t)json_int_or(json, "a", 0) == UINT64_MAX);
    assert_true(json_integer_value(json_array_get(b, 0)) == INT64_MIN);
    assert_int_equal(json_integer_value(json_array_get(b, 2)), -3);
    assert_string_equal(json_str(json, "c"), "18446744073709551615\"18446744073709551615");
    assert_null(json_parse(text, strlen(text), "text", &err));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_null(json_parse_wide(bad[i], strlen(bad[i]), "text", &err));
}

static void test_numbers_are_strict(void **state)
{
    static const char *const bad[] = {"", "+1", "-1", " 1", "1 ", "0x1", "1a", "4294967296"};
    static const struct {
        const char *text;
        int result;
        int64_t value;
    } sizes[] = {
        {"0", 0, 0},
        {"64m", 0, 64 << 20},
        {"1.5GiB", 0, 1610612736},
        {"2kb", 0, 2048},
        {"10B", 0, 10},
        {"-1", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"1x", -EINVAL, 0},
        {"1kk", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"9999999999g", -ERANGE, 0},
    };
    uint32_t u;
    int64_t i;

    (void)state;
    assert_int_equal(str_to_u32("4294967295", &u), 0);
    assert_int_equal(u, UINT32_MAX);
    for (size_t n = 0; n < ARRAY_SIZE(bad); n++)
        assert_true(str_to_u32(bad[n], &u) < 0);
    assert_int_equal(str_to_i64("-9223372036854775808", &i), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(str_to_i64("9223372036854775808", &i), -ERANGE);
    for (size_t n = 0; n < ARRAY_SIZE(sizes); n++) {
        i = 0;
        assert_int_equal(str_to_bytes(sizes[n].text, &i), sizes[n].result);
        assert_int_equal(i, sizes[n].value);
    }
}

static void test_paths(void **state)
{
    static const char *const cleaned[][2] = {
        {"/", "/"},       {"", "."},         {"/a/../b", "/b"},      {"/../..", "/"}, {"a//b/./c/", "a/b/c"},
        {"../a", "../a"}, {"a/../..", ".."}, {"/a/b/../../..", "/"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cleaned); i++) {
        _cleanup_free_ char *path = path_clean(cleaned[i][0]);

        assert_string_equal(path, cleaned[i][1]);
    }
}

static void check_resolve(int root)
{
    static const char *const links[][2] = {
        {"/gone/file", "dangling"}, {"../../dangling", "etc/twice"}, {"loop", "loop"}};
    static const char *const cases[][2] = {{"/dangling", "/gone/file"},
                                           {"etc/twice/x", "/gone/file/x"},
                                           {"/relative/twice", "/gone/file"},
                                           {"/relative/../new", "/new"},
                                           {"../..//etc/./passwd", "/etc/passwd"},
                                           {"/", "/"}};
    int error;

    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        assert_int_equal(symlinkat(links[i][0], root, links[i][1]), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *path = path_resolve_in_root(root, cases[i][0], &error);

        assert_non_null(path);
        assert_string_equal(path, cases[i][1]);
    }
    assert_null(path_resolve_in_root(root, "loop/x", &error));
    assert_int_equal(error, -ELOOP);
    assert_null(path_resolve_in_root(root, "etc/passwd/x", &error));
    assert_int_equal(error, -ENOTDIR);
}

static void test_paths_stay_in_their_root(void **state)
{
    char dir[] = "/tmp/keg-unit-XXXXXX", text[16] = "";
    _cleanup_close_ int root = -EBADF, fd = -EBADF, made = -EBADF, outside = -EBADF;
    struct stat a, b;

    (void)state;
    assert_non_null(mkdtemp(dir));
    root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(root, "etc", 0755), 0);
    fd = openat(root, "etc/passwd", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "inside", 6), 6);
    close_fd(&fd);
    assert_int_equal(symlinkat("/etc/passwd", root, "absolute"), 0);
    assert_int_equal(symlinkat("../../../../etc", root, "relative"), 0);
    fd = path_open_in_root(root, "absolute", O_RDONLY, 0);
    assert_int_equal(read(fd, text, sizeof(text)), 6);
    assert_string_equal(text, "inside");
    close_fd(&fd);
    fd = path_open_in_root(root, "/relative/passwd", O_RDONLY, 0);
    assert_true(fd >= 0);
    /* a magic link leads nowhere */
    assert_int_equal(symlinkat("/proc/self/root", root, "magic"), 0);
    assert_true(path_open_in_root(root, "magic/etc", O_PATH, 0) < 0);
    /* directories are made below the root, whatever the links say */
    made = path_mkdir_in_root(root, "relative/new/deep", 0755, 0, 0);
    assert_true(made >= 0);
    outside = openat(root, "etc/new/deep", O_PATH | O_CLOEXEC);
    assert_int_equal(fstat(made, &a), 0);
    assert_int_equal(fstat(outside, &b), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    check_resolve(root);
    assert_int_equal(path_remove_all(AT_FDCWD, dir), 0);
    assert_int_equal(access(dir, F_OK), -1);
}

static void test_times(void **state)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t ns, now = clock_now();

    (void)state;
    clock_format(1136214245123456000, text);
    assert_string_equal(text, "2006-01-02T15:04:05.123456Z");
    assert_int_equal(clock_parse(text, &ns), 0);
    assert_true(ns == 1136214245123456000);
    assert_int_equal(clock_parse("2006-01-02T16:04:05+01:00", &ns), 0);
    assert_true(ns == 1136214245000000000);
    clock_format(0, text);
    assert_string_equal(text, CLOCK_ZERO_TEXT);
    assert_int_equal(clock_parse("yesterday", &ns), -EINVAL);
    assert_int_equal(clock_parse("4179-01-02T16:04:05Z", &ns), -ERANGE);
    assert_int_equal(clock_parse_since("1136214245.5", now, &ns), 0);
    assert_true(ns == 1136214245500000000);
    assert_int_equal(clock_parse_since("1h30m", now, &ns), 0);
    assert_true(ns == now - 5400 * CLOCK_NS_PER_S);
    assert_int_equal(clock_parse_since("2006-01-02", now, &ns), 0);
    assert_true(ns == 1136160000000000000);
    assert_int_equal(clock_parse_duration("1m30s250ms", &ns), 0);
    assert_true(ns == 90250000000);
    assert_int_equal(clock_parse_duration("5", &ns), -EINVAL);
    assert_int_equal(clock_parse_duration("5 parsecs", &ns), -EINVAL);
}

static void test_errors(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(err_errno(&err, -ENOENT, "mount %s", "/data"), -1);
    assert_int_equal(err_wrap(&err, "cannot start %s", "web"), -1);
    assert_string_equal(err.message, "cannot start web: mount /data: no such file or directory");
    assert_int_equal(err.kind, ERR_SYSTEM);
    assert_int_equal(err.errnum, ENOENT);
    err_add(&err, "and %d more", 2);
    assert_string_equal(err.message, "cannot start web: mount /data: no such file or directory; and 2 more");
    assert_int_equal(err.kind, ERR_SYSTEM);
    for (int i = 0; i < 100; i++)
        err_add(&err, "%050d", i);
    assert_true(strlen(err.message) < sizeof(err.message));
    err_add(NULL, "nobody listens");
    for (int kind = 0; kind < ERR_KIND_COUNT; kind++)
        assert_int_equal(err_kind_from_name(err_kind_name(kind)), kind);
    assert_int_equal(err_kind_http_status(ERR_CONFLICT), 409);
    assert_int_equal(err_kind_exit_code(ERR_NO_PROGRAM), 127);
    assert_int_equal(err_set(NULL, ERR_INVALID, "nobody listens"), -1);
}

/* Text of the usual kind is read by the quick parser, and jansson has the last word on any other. */
static void test_json_plain(void **state _unused_)
{
    static const struct {
        const char *text;
        bool is_plain, is_json;
    } rows[] = {
        {"{}", true, true},
        {" [ 1 , -2 , 0 , 123456789012345678 , 9223372036854775807 , 2.5e3 ] \n", true, true},
        {"[999999999999999999, -999999999999999999, 1000000000000000000, -9223372036854775808]", true, true},
        {"{\"a\":\"b\",\"c\":[true,false,null,{}],\"a\":\"again\"}", true, true},
        {"[\"\\n\\\"\\u00e4\", \"\xc3\xa4\", \"\\\\\"]", true, true},
        {"{\"\\u0061\":1,\"\xc3\xa4\":2}", false, true},
        {"[01]", false, false},
        {"[-]", false, false},
        {"[1,]", false, false},
        {"[1 2]", false, false},
        {"[9223372036854775808]", false, false},
        {"[\"a]", false, false},
        {"[\"\t\"]", false, false},
        {"[\"\xff\"]", false, false},
        {"[nul]", false, false},
        {"{\"a\" 1}", false, false},
        {"{} x", false, false},
        {"1", false, false},
        {"", false, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t len = strlen(rows[i].text);
        _cleanup_json_ json_t *plain = json_plain(rows[i].text, len, 0);
        _cleanup_json_ json_t *loaded = json_loadb(rows[i].text, len, 0, NULL);

        assert_int_equal(plain != NULL, rows[i].is_plain);
        assert_int_equal(loaded != NULL, rows[i].is_json);
        if (plain)
            assert_true(json_equal(plain, loaded));
    }
}

static void test_json_from_any_bytes(void **state)
{
    _cleanup_json_ json_t *lossy = json_string_lossy("a\xff\xc3\xa9\xed\xa0\x80", 7), *parsed = NULL;
    static const char text[] = "{\"a\":{\"b\":[\"x\",1,\"y\"]}}";
    struct err err = {0};

    (void)state;
    assert_string_equal(json_string_value(lossy),
                        "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    parsed = json_parse(text, strlen(text), "test", &err);
    assert_non_null(parsed);
    assert_int_equal(json_array_size(json_at(parsed, "a.b")), 3);
    assert_null(json_at(parsed, "a.b.c"));
    assert_null(json_parse("{", 1, "the manifest", &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_true(str_starts(err.message, "the manifest: invalid JSON"));
}

static void test_descriptors_travel(void **state)
{
    int pair[2], fds[2] = {-1, -1}, given = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char text[8];
    size_t count = 0;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(fd_send_message(pair[0], "hi", 2, &given, 1), 0);
    assert_int_equal(fd_receive_message(pair[1], text, sizeof(text), fds, 2, &count), 2);
    assert_int_equal(count, 1);
    assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
    close(fds[0]);
    assert_int_equal(fd_send_message(pair[0], "longer than that", 16, &given, 1), 0);
    assert_int_equal(fd_receive_message(pair[1], text, sizeof(text), fds, 2, &count), -EMSGSIZE);
    close(given);
    close(pair[0]);
    close(pair[1]);
}

static void test_digest(void **state)
{
    char hex[SHA256_HEX_SIZE];

    (void)state;
    sha256_of("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_is_bounded),
        cmocka_unit_test(test_buf_reads_whole_files),
        cmocka_unit_test(test_wide_numbers),
        cmocka_unit_test(test_numbers_are_strict),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_paths_stay_in_their_root),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_json_plain),
        cmocka_unit_test(test_json_from_any_bytes),
        cmocka_unit_test(test_descriptors_travel),
        cmocka_unit_test(test_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
