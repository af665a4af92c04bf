/* The json-file log: records byte for byte, pieces of long lines, rotation; and detach keys. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "monitor/detach.h"
#include "monitor/logfile.h"
#include "monitor/logline.h"

#define NOON      1136214245123456789LL /* 2006-01-02T15:04:05.123456789Z */
#define STR(text) text, sizeof(text) - 1

struct fixture {
    char dir[64];
    char path[128];
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    strcpy(f->dir, "/tmp/keg-log-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/log", f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    path_remove_all(AT_FDCWD, f->dir);
    free(f);
    return 0;
}

static struct logfile *open_log(struct fixture *f, int64_t max_size, unsigned max_file, const char *attrs)
{
    struct logfile_options options = {.files = {.path = f->path, .max_size = max_size, .max_file = max_file},
                                      .attrs = attrs};
    struct logfile *l = logfile_open(&options, NULL);

    assert_non_null(l);
    return l;
}

/* The content of path + suffix, the caller's to free; NULL when missing. */
static char *content(struct fixture *f, const char *suffix)
{
    _cleanup_free_ char *path = xasprintf("%s%s", f->path, suffix);
    _cleanup_(buf_finish) struct buf b = BUF_INIT(64 * 1024 * 1024);

    if (file_read(AT_FDCWD, path, &b) < 0)
        return NULL;
    return xstrndup(buf_str(&b), b.len);
}

static void assert_content(struct fixture *f, const char *suffix, const char *expected)
{
    _cleanup_free_ char *text = content(f, suffix);

    assert_non_null(text);
    assert_string_equal(text, expected);
}

static void test_records(void **state)
{
    struct fixture *f = *state;
    struct logfile *l = open_log(f, 0, 1, NULL);

    logfile_write(l, LOG_STDOUT, STR("one\ntwo\n\n"), NOON);
    logfile_write(l, LOG_STDERR, STR("three\n"), NOON + 1000);
    assert_content(
        f, "",
        "{\"log\":\"one\\n\",\"stream\":\"stdout\",\"time\":\"2006-01-02T15:04:05.123456789Z\"}\n"
        "{\"log\":\"two\\n\",\"stream\":\"stdout\",\"time\":\"2006-01-02T15:04:05.12345679Z\"}\n"
        "{\"log\":\"\\n\",\"stream\":\"stdout\",\"time\":\"2006-01-02T15:04:05.123456791Z\"}\n"
        "{\"log\":\"three\\n\",\"stream\":\"stderr\",\"time\":\"2006-01-02T15:04:05.123457789Z\"}\n");
    logfile_close(l);
}

static void test_attributes_and_append(void **state)
{
    struct fixture *f = *state;
    struct logfile *l = open_log(f, 0, 1, "{\"a\":\"b\"}");

    logfile_write(l, LOG_STDOUT, STR("x\n"), NOON);
    logfile_close(l);
    l = open_log(f, 0, 1, "{}");
    logfile_write(l, LOG_STDOUT, STR("y\n"), 1136214245000000000LL);
    logfile_close(l);
    assert_content(f, "",
                   "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"b\"},"
                   "\"time\":\"2006-01-02T15:04:05.123456789Z\"}\n"
                   "{\"log\":\"y\\n\",\"stream\":\"stdout\",\"time\":\"2006-01-02T15:04:05Z\"}\n");
}

static void test_lines_split_between_writes(void **state)
{
    struct fixture *f = *state;
    struct logfile *l = open_log(f, 0, 1, NULL);

    logfile_write(l, LOG_STDOUT, STR("be"), NOON);
    logfile_write(l, LOG_STDERR, STR("other\n"), NOON + 10);
    logfile_write(l, LOG_STDOUT, STR("g\xc3"), NOON + 20);
    logfile_write(l, LOG_STDOUT, STR("\xbcn\nrest"), NOON + 30);
    logfile_finish(l, LOG_STDOUT, NOON + 40);
    assert_content(
        f, "",
        "{\"log\":\"other\\n\",\"stream\":\"stderr\",\"time\":\"2006-01-02T15:04:05.123456799Z\"}\n"
        "{\"log\":\"beg\xc3\xbcn\\n\",\"stream\":\"stdout\",\"time\":\"2006-01-02T15:04:05.123456819Z\"}\n"
        "{\"log\":\"rest\",\"stream\":\"stdout\",\"time\":\"2006-01-02T15:04:05.123456829Z\"}\n");
    logfile_close(l);
}

/* Pieces of a long line: 16 KiB each, all of them with the time of the first. */
static void test_long_lines(void **state)
{
    struct fixture *f = *state;
    struct logfile *l = open_log(f, 0, 1, NULL);
    char line[40000];
    _cleanup_free_ char *expected = NULL, *piece = NULL;

    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    logfile_write(l, LOG_STDOUT, line, 10000, NOON);
    logfile_write(l, LOG_STDOUT, line + 10000, 10000, NOON + 100);
    logfile_write(l, LOG_STDOUT, line + 20000, sizeof(line) - 20000, NOON + 200);
    logfile_close(l);
    piece = xstrndup(line, 16384);
    expected =
        xasprintf("{\"log\":\"%s\",\"stream\":\"stdout\",\"time\":\"2006-01-02T15:04:05.123456889Z\"}\n"
                  "{\"log\":\"%s\",\"stream\":\"stdout\",\"time\":\"2006-01-02T15:04:05.123456889Z\"}\n"
                  "{\"log\":\"%.*s\\n\",\"stream\":\"stdout\",\"time\":\"2006-01-02T15:04:05.123456889Z\"}\n",
                  piece, piece, 39999 - 2 * 16384, line);
    assert_content(f, "", expected);
}

static void test_long_line_keeps_characters(void **state)
{
    struct fixture *f = *state;
    struct logfile *l = open_log(f, 0, 1, NULL);
    _cleanup_free_ char *text = NULL;
    char line[20001];

    line[0] = 'a';
    for (size_t i = 1; i < sizeof(line) - 1; i += 2)
        memcpy(line + i, "\xc3\xa9", 2);
    line[sizeof(line) - 2] = 'e';
    line[sizeof(line) - 1] = '\n';
    logfile_write(l, LOG_STDOUT, line, sizeof(line), NOON);
    logfile_close(l);
    text = content(f, "");
    assert_null(strstr(text, "\\ufffd"));
    assert_int_equal(strcspn(text + 8, "\""), 16383);
}

static void assert_escaped(const char *in, size_t len, const char *expected)
{
    char out[1024] = {0};
    const char *p = in;
    char *end = logline_copy(out, &p, in + len);

    assert_ptr_equal(p, in + len);
    *end = '\0';
    assert_string_equal(out, expected);
}

static void test_escapes(void **state)
{
    (void)state;
    assert_escaped(STR("plain, long enough for a block or two of them ~\x7f"),
                   "plain, long enough for a block or two of them ~\x7f");
    assert_escaped(STR("\"\\\r\t\0\x1b[0m<a&b>"),
                   "\\\"\\\\\\r\\u0009\\u0000\\u001b[0m\\u003ca\\u0026b\\u003e");
    assert_escaped(
        STR("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80 \xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"),
        "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80 \\u2028\\u2029\xe2\x80\xaa");
    /* lone bytes, overlong forms, surrogates, past U+10FFFF, cut short: one mark a byte */
    assert_escaped(STR("\x80"), "\\ufffd");
    assert_escaped(STR("\xc0\xaf"), "\\ufffd\\ufffd");
    assert_escaped(STR("\xe0\x80\xaf"), "\\ufffd\\ufffd\\ufffd");
    assert_escaped(STR("\xed\xa0\x80"), "\\ufffd\\ufffd\\ufffd");
    assert_escaped(STR("\xf4\x90\x80\x80"), "\\ufffd\\ufffd\\ufffd\\ufffd");
    assert_escaped(STR("\xe2\x82"), "\\ufffd\\ufffd");
    assert_escaped(STR("\xe2\x82 0123456789abcdef"), "\\ufffd\\ufffd 0123456789abcdef");
}

/* Every byte value at every place of a block, against a plain byte-by-byte reading of the rule. */
static void test_escapes_everywhere(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 128; c++) {
        for (size_t at = 0; at < 33; at++) {
            char in[33], expected[64], code[8];

            if (c == '\n')
                continue;
            memset(in, '.', sizeof(in));
            in[at] = (char)c;
            if (c == '"' || c == '\\')
                snprintf(code, sizeof(code), "\\%c", (char)c);
            else if (c == '\r')
                strcpy(code, "\\r");
            else if (c < 0x20 || c == '<' || c == '>' || c == '&')
                snprintf(code, sizeof(code), "\\u%04x", c);
            else
                snprintf(code, sizeof(code), "%c", (char)c);
            snprintf(expected, sizeof(expected), "%.*s%s%.*s", (int)at, in, code, (int)(32 - at),
                     "................................");
            assert_escaped(in, sizeof(in), expected);
        }
    }
}

static void test_copy_stops_at_newline(void **state)
{
    const char in[] = "0123456789abcdefghij\nrest of it";
    const char *p = in;
    char out[200];

    (void)state;
    assert_int_equal(logline_copy(out, &p, in + sizeof(in) - 1) - out, 20);
    assert_int_equal(p - in, 20);
}

static void test_cut(void **state)
{
    (void)state;
    assert_int_equal(logline_cut("abcd", 4), 4);
    assert_int_equal(logline_cut("abc\xc3", 4), 3);
    assert_int_equal(logline_cut("ab\xc3\xa9", 4), 4);
    assert_int_equal(logline_cut("ab\xe2\x82", 4), 2);
    assert_int_equal(logline_cut("a\xf0\x9f\x98", 4), 1);
    assert_int_equal(logline_cut("\x80\x80\x80\x80", 4), 4);
}

static void test_stamps(void **state)
{
    struct logline_stamp s = {0};

    (void)state;
    logline_stamp_set(&s, NOON);
    for (int64_t i = 1; i < 3000; i++) {
        char expected[CLOCK_TEXT_SIZE];

        logline_stamp_step(&s);
        clock_format(NOON + i, expected);
        assert_int_equal(s.len, strlen(expected));
        assert_memory_equal(s.text, expected, s.len);
    }
    logline_stamp_set(&s, 1136214245999999999LL);
    logline_stamp_step(&s);
    assert_memory_equal(s.text, "2006-01-02T15:04:06Z", s.len);
    logline_stamp_set(&s, NOON); /* a clock that steps back a little doesn't disorder records … */
    assert_memory_equal(s.text, "2006-01-02T15:04:06.000000001Z", s.len);
    logline_stamp_set(&s, NOON - 5 * CLOCK_NS_PER_S); /* … and one that was set is followed */
    assert_memory_equal(s.text, "2006-01-02T15:04:00.123456789Z", s.len);
}

static void test_rotation(void **state)
{
    struct fixture *f = *state;
    struct logfile *l = open_log(f, 100, 3, NULL);
    static const char *const suffixes[] = {".2", ".1", ""};

    /* each record is 77 bytes: two reach the limit */
    logfile_write(l, LOG_STDOUT, STR("1\n2\n3\n4\n5\n6\n7\n"), NOON);
    for (int i = 0; i < 3; i++) {
        _cleanup_free_ char *text = content(f, suffixes[i]);
        char first[16];

        assert_non_null(text);
        snprintf(first, sizeof(first), "{\"log\":\"%d\\n", 2 * i + 3);
        assert_memory_equal(text, first, strlen(first));
        assert_int_equal(text[strlen(text) - 1], '\n');
    }
    assert_null(content(f, ".3"));
    logfile_close(l);
}

static void test_rotation_of_one_file(void **state)
{
    struct fixture *f = *state;
    struct logfile *l = open_log(f, 1, 1, NULL);

    logfile_write(l, LOG_STDOUT, STR("1\n2\n3\n"), NOON);
    assert_content(f, "",
                   "{\"log\":\"3\\n\",\"stream\":\"stdout\",\"time\":\"2006-01-02T15:04:05.123456791Z\"}\n");
    assert_null(content(f, ".1"));
    logfile_close(l);
}

/* Much at once: more than the output buffer holds, escapes in it, every byte accounted for. */
static void test_much(void **state)
{
    struct fixture *f = *state;
    struct logfile *l = open_log(f, 0, 1, NULL);
    size_t size = 200000, lines = 0;
    char *data = xmalloc(size);
    _cleanup_free_ char *text = NULL;

    for (size_t i = 0; i < size; i++)
        data[i] = i % 61 == 60 ? '\n' : '\x01';
    for (size_t i = 0; i < size; i += 61)
        lines += i + 60 < size;
    logfile_write(l, LOG_STDOUT, data, size, NOON);
    logfile_close(l);
    text = content(f, "");
    for (char *p = text; (p = strchr(p, '\n')); p++)
        lines--;
    assert_int_equal(lines, (size_t)-1); /* the unfinished line was recorded at the close */
    free(data);
}

/* The log's records without their times. */
static char *texts_of(struct fixture *f)
{
    char *text = content(f, ""), *out = text;

    for (char *line = text, *next; *line; line = next) {
        char *end = strstr(line, "\",\"stream\"");

        next = strchr(line, '\n') + 1;
        memmove(out, line, (size_t)(end - line));
        out += end - line;
        *out++ = '\n';
    }
    *out = '\0';
    return text;
}

/* However output is cut into readings, the records are the same: random bytes, many of them special. */
static void test_any_reading_gives_the_same(void **state)
{
    static const char special[] = "\n\n\r\t\"\\<>&\x01\x7f\x80\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\xff";
    struct fixture *f = *state;
    size_t size = 300000;
    char *data = xmalloc(size);
    _cleanup_free_ char *expected = NULL;

    srandom(42);
    for (size_t i = 0; i < size; i++) {
        data[i] = random() % 8 ? 'a' : special[(size_t)random() % (sizeof(special) - 1)];
        if (i < 60000 && data[i] == '\n') /* long lines first */
            data[i] = '.';
    }
    for (int round = 0; round < 4; round++) {
        struct logfile *l = open_log(f, 0, 1, NULL);

        for (size_t at = 0, n; at < size; at += n) {
            n = round == 0 ? size : 1 + (size_t)random() % (round == 1 ? 7 : 20000);
            n = MIN_OF(n, size - at);
            logfile_write(l, LOG_STDOUT, data + at, n, NOON);
        }
        logfile_close(l);
        {
            _cleanup_free_ char *texts = texts_of(f);

            if (round == 0)
                expected = take_ptr(&texts);
            else
                assert_true(strcmp(texts, expected) == 0);
        }
        unlink(f->path);
    }
    free(data);
}

static void test_full_disk(void **state)
{
    struct logfile_options options = {.files = {.path = "/dev/full"}};
    struct err err = {0};
    struct logfile *l = logfile_open(&options, &err);

    (void)state;
    assert_non_null(l);
    logfile_write(l, LOG_STDOUT, STR("lost\n"), NOON);
    logfile_close(l);
    options.files.path = "/nonexistent/log";
    assert_null(logfile_open(&options, &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
}

static void test_detach_syntax(void **state)
{
    struct detach d;

    (void)state;
    assert_int_equal(detach_parse(&d, NULL), 0);
    assert_int_equal(d.count, 2);
    assert_memory_equal(d.keys, "\x10\x11", 2);
    assert_int_equal(detach_parse(&d, "a,ctrl-a,ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_,DEL"), 0);
    assert_int_equal(d.count, 9);
    assert_memory_equal(d.keys, "a\x01\x00\x1b\x1c\x1d\x1e\x1f\x7f", 9);
    assert_int_equal(detach_parse(&d, "ctrl-"), -EINVAL);
    assert_int_equal(detach_parse(&d, "ctrl-aa"), -EINVAL);
    assert_int_equal(detach_parse(&d, "ctrl-A"), -EINVAL);
    assert_int_equal(detach_parse(&d, "a,,b"), -EINVAL);
    assert_int_equal(detach_parse(&d, "shift-a"), -EINVAL);
}

static void assert_filtered(struct detach *d, const char *in, const char *expected, bool detaches)
{
    char out[100];
    bool detached;
    size_t n = detach_filter(d, in, strlen(in), out, &detached);

    assert_int_equal(detached, detaches);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(out, expected, n);
}

static void test_detach_filter(void **state)
{
    struct detach d;

    (void)state;
    detach_parse(&d, NULL);
    assert_filtered(&d, "ls\r", "ls\r", false);
    assert_filtered(&d, "x\x10", "x", false); /* may become the keys: held back */
    assert_filtered(&d, "y", "\x10y", false);
    assert_filtered(&d, "\x11", "\x11", false);
    assert_filtered(&d, "ab\x10\x11rest", "ab", true);
    assert_filtered(&d, "\x10", "", false);
    assert_filtered(&d, "\x11", "", true);
    detach_parse(&d, "a,b,c");
    assert_filtered(&d, "ab", "", false);
    assert_filtered(&d, "xabc", "abx", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attributes_and_append, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_split_between_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_line_keeps_characters, setup, teardown),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_escapes_everywhere),
        cmocka_unit_test(test_copy_stops_at_newline),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_stamps),
        cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation_of_one_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_much, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_reading_gives_the_same, setup, teardown),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_detach_syntax),
        cmocka_unit_test(test_detach_filter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
