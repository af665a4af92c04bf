/* What the monitor writes of a log kegd reads back: both drivers of files, any pieces, any rotation, any end of the list; and
 * files that were damaged. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "engine/log_reader.h"
#include "monitor/logger.h"

#define NOON 1136214245000000000LL /* 2006-01-02T15:04:05Z */

enum { OUTPUT_MAX = 64 * 1024 * 1024 };

static char directory[64];
static unsigned seed = 1;

static unsigned chance(unsigned n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

static char *file_in(const char *name)
{
    return path_join(directory, name);
}

static int setup(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/keg-log-XXXXXX");
    log_set_level(LOG_LEVEL_ERROR);
    return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return path_remove_all(AT_FDCWD, directory);
}

/* ---- writing and reading ---- */

static struct logger *open_log(const char *driver, int64_t max_size, int max_file)
{
    _cleanup_free_ char *path = file_in("log");
    _cleanup_json_ json_t *options =
        json_pack("{s:s, s:s, s:I, s:i, s:b, s:{s:s}}", "driver", driver, "path", path, "max_size",
                  (json_int_t)max_size, "max_file", max_file, "compress", chance(2) != 0, "attrs", "k", "v");
    const struct logger_events none = {};
    struct logger *l = NULL;

    assert_int_equal(logger_open(NULL, options, &none, &l, NULL), 0);
    assert_non_null(l);
    return l;
}

static int collect(void *arg, const void *data, size_t len)
{
    return buf_append(arg, data, len) < 0 ? -1 : 0;
}

static void read_log(const char *driver, struct engine_logs_options logs, struct buf *out)
{
    _cleanup_free_ char *path = file_in("log");
    const struct engine_sink sink = {.write = collect, .arg = out, .client_fd = -1};
    const struct log_reader_options o = {.format = strcmp(driver, "local") == 0 ? &log_format_local
                                                                                : &log_format_json,
                                         .path = path,
                                         .logs = logs,
                                         .end_fd = -1};

    assert_int_equal(log_read(NULL, &o, &sink, NULL), 0);
}

static struct engine_logs_options everything(void)
{
    return (struct engine_logs_options){.stdout_too = true, .stderr_too = true, .tail = -1};
}

static void assert_read(const char *driver, struct engine_logs_options logs, const char *expected, size_t len)
{
    struct buf out = BUF_INIT(OUTPUT_MAX);

    read_log(driver, logs, &out);
    if (out.len != len || memcmp(buf_str(&out), expected, len) != 0)
        fail_msg("%s: expected %zu bytes, got %zu: %.200s", driver, len, out.len, buf_str(&out));
    buf_finish(&out);
}

/* Text of lines of any length, some of them longer than a record may be. */
static void make_text(struct buf *b, size_t lines)
{
    for (size_t i = 0; i < lines; i++) {
        size_t len = chance(200) == 0 ? chance(50000) : chance(120);

        buf_printf(b, "%zu:", i);
        for (size_t k = 0; k < len; k++)
            buf_putc(b, (char)('a' + (k + i) % 26));
        buf_putc(b, '\n');
    }
    assert_false(buf_failed(b));
}

static void write_pieces(struct logger *l, const char *data, size_t len, size_t piece, int64_t *now)
{
    for (size_t at = 0; at < len;) {
        size_t n = 1 + chance((unsigned)piece);

        n = MIN_OF(n, len - at);
        logger_write(l, LOG_STDOUT, data + at, n, *now);
        if (chance(10) == 0)
            logger_release(l);
        *now += 1000;
        at += n;
    }
}

static void clear(void)
{
    path_remove_all(AT_FDCWD, directory);
    mkdir(directory, 0700);
}

/* ---- tests ---- */

static void test_whole(void **state)
{
    static const char *const names[] = {"local", "json-file"};
    static const size_t pieces[] = {10, 1000, 40000, 250000};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pieces) * ARRAY_SIZE(names); i++) {
        const char *driver = names[i % 2];
        struct buf text = BUF_INIT(OUTPUT_MAX);
        struct logger *l = open_log(driver, chance(2) ? 0 : 300000, 1000);
        int64_t now = NOON;

        make_text(&text, i < 2 ? 300 : 20000);
        write_pieces(l, text.data, text.len / 2, pieces[i / 2], &now);
        logger_close(l);
        l = open_log(driver, 0, 1000); /* a second life */
        write_pieces(l, text.data + text.len / 2, text.len - text.len / 2, pieces[i / 2], &now);
        logger_close(l);
        assert_read(driver, everything(), text.data, text.len);
        buf_finish(&text);
        clear();
    }
}

static void test_parts(void **state)
{
    static const char *const names[] = {"local", "json-file"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        enum { LINES = 50000 };
        struct logger *l = open_log(names[i], 400000, 1000);
        struct buf text = BUF_INIT(OUTPUT_MAX);
        struct engine_logs_options o = everything();
        size_t *at = xmalloc((LINES + 1) * sizeof(*at));

        for (int n = 0; n < LINES; n++) {
            at[n] = text.len;
            buf_printf(&text, "this is line %d of them\n", n);
            logger_write(l, LOG_STDOUT, text.data + at[n], text.len - at[n], NOON + n * 1000000LL);
        }
        at[LINES] = text.len;
        for (int round = 0; round < 40; round++) {
            int from = (int)chance(LINES), to = from + (int)chance((unsigned)(LINES - from));

            o.tail = LINES - from;
            assert_read(names[i], o, text.data + at[from], text.len - at[from]);
            o.tail = -1;
            o.since = NOON + from * 1000000LL;
            o.until = NOON + to * 1000000LL;
            assert_read(names[i], o, text.data + at[from], at[to + 1] - at[from]);
            o.since = o.until = 0;
        }
        o.tail = 1;
        o.timestamps = o.details = true;
        assert_read(names[i], o, "2006-01-02T15:04:54.999000000Z k=v this is line 49999 of them\n", 62);
        logger_close(l);
        free(at);
        buf_finish(&text);
        clear();
    }
}

/* The row keeps what a reader holds. */
static void test_held(void **state)
{
    _cleanup_free_ char *path = file_in("log"), *second = file_in("log.2");
    struct logger *l = open_log("json-file", 200, 2);
    int fd;

    (void)state;
    logger_write(l, LOG_STDOUT, "held\n", 5, NOON);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_SH), 0);
    for (int i = 0; i < 40; i++)
        logger_write(l, LOG_STDOUT, "more\n", 5, NOON + i);
    assert_int_equal(access(second, F_OK), 0);
    close(fd);
    for (int i = 0; i < 10; i++)
        logger_write(l, LOG_STDOUT, "more\n", 5, NOON + 100 + i);
    assert_int_equal(access(second, F_OK), -1);
    logger_close(l);
    clear();
}

static void test_damaged(void **state)
{
    _cleanup_free_ char *path = file_in("log"), *tail = file_in("log.tail");
    struct logger *l = open_log("local", 0, 5);
    struct buf text = BUF_INIT(OUTPUT_MAX), main_file = BUF_INIT(OUTPUT_MAX),
               tail_file = BUF_INIT(OUTPUT_MAX);
    int64_t now = NOON;

    (void)state;
    make_text(&text, 30000);
    write_pieces(l, text.data, text.len, 100000, &now);
    logger_close(l);
    assert_int_equal(file_read(AT_FDCWD, path, &main_file), 0);
    assert_int_equal(file_read(AT_FDCWD, tail, &tail_file), 0);
    for (int round = 0; round < 200; round++) {
        struct buf *from = round % 3 ? &main_file : &tail_file, out = BUF_INIT(OUTPUT_MAX);
        size_t len = chance(4) ? from->len : chance((unsigned)from->len);
        _cleanup_free_ char *copy = xmalloc(from->len + 1);
        struct engine_logs_options o = everything();

        memcpy(copy, from->data, from->len);
        for (unsigned i = 0; i < 1 + chance(20) && len; i++)
            copy[chance((unsigned)len)] = (char)chance(256);
        file_replace(AT_FDCWD, from == &main_file ? path : tail, copy, len, 0600, false);
        if (chance(2))
            o.tail = chance(40000);
        read_log("local", o, &out);
        assert_true(out.len <= text.len);
        buf_finish(&out);
        if (round % 10 == 0) { /* the next life makes of it what it can, and goes on */
            l = open_log("local", 0, 5);
            logger_write(l, LOG_STDOUT, "the next\n", 9, now);
            logger_close(l);
            o.tail = 1;
            assert_read("local", o, "the next\n", 9);
            o.tail = -1;
            file_replace(AT_FDCWD, path, main_file.data, main_file.len, 0600, false);
        }
        file_replace(AT_FDCWD, from == &main_file ? path : tail, from->data, from->len, 0600, false);
    }
    buf_finish(&text);
    buf_finish(&main_file);
    buf_finish(&tail_file);
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_damaged),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
