/* The engine's parts that need no kegd: database, filters, fields, names, signals, resolv.conf, log files. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/fields.h"
#include "engine/log_reader.h"
#include "engine/logline.h"
#include "engine/logs.h"
#include "engine/netfiles.h"
#include "engine/signals.h"
#include "engine/validate.h"

static char directory[64];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/keg-unit-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    return path_remove_all(AT_FDCWD, directory);
}

static char *file_in(const char *name)
{
    return path_join(directory, name);
}

/* ---- database ---- */

static int count_rows(void *arg, const char *key, const char *name, json_t *value)
{
    (void)key, (void)name, (void)value;
    ++*(int *)arg;
    return 0;
}

static void test_db_rows(void **state)
{
    (void)state;
    struct err err = {0};
    _cleanup_free_ char *path = file_in("rows.db");
    struct db *db = db_open(path, &err);
    assert_non_null(db);
    _cleanup_json_ json_t *one = json_pack("{si}", "n", 1), *two = json_pack("{si}", "n", 2);
    assert_int_equal(db_insert(db, DB_CONTAINERS, "id1", "web", one, DB_SYNCED, &err), 0);
    assert_int_equal(db_insert(db, DB_CONTAINERS, "id2", "web", one, DB_LAZY, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_int_equal(db_insert(db, DB_CONTAINERS, "id1", "other", one, DB_LAZY, &err), -1);
    assert_int_equal(db_insert(db, DB_IMAGES, "id1", NULL, one, DB_LAZY, &err), 0);
    assert_int_equal(db_insert(db, DB_IMAGES, "id2", NULL, one, DB_LAZY, &err),
                     0); /* NULL names don't clash */
    assert_int_equal(db_put(db, DB_CONTAINERS, "id1", "web2", two, DB_LAZY, &err), 0);
    assert_int_equal(db_insert(db, DB_CONTAINERS, "id2", "web", one, DB_LAZY, &err), 0);
    assert_int_equal(db_put(db, DB_CONTAINERS, "id2", "web2", two, DB_LAZY, &err),
                     -1); /* takes nobody's name */
    assert_int_equal(err.kind, ERR_CONFLICT);

    assert_int_equal(db_begin(db, &err), 0);
    assert_int_equal(db_delete(db, DB_CONTAINERS, "id2", DB_LAZY, &err), 0);
    db_rollback(db);
    assert_int_equal(db_begin(db, &err), 0);
    assert_int_equal(db_delete(db, DB_IMAGES, "id2", DB_LAZY, &err), 0);
    assert_int_equal(db_commit(db, DB_SYNCED, &err), 0);
    db = db_close(db);

    db = db_open(path, &err);
    assert_non_null(db);
    int containers = 0, images = 0;
    assert_int_equal(db_each(db, DB_CONTAINERS, count_rows, &containers, &err), 0);
    assert_int_equal(db_each(db, DB_IMAGES, count_rows, &images, &err), 0);
    assert_int_equal(containers, 2);
    assert_int_equal(images, 1);
    _cleanup_json_ json_t *back = db_get(db, DB_CONTAINERS, "id1", &err);
    assert_int_equal(json_int_or(back, "n", 0), 2);
    assert_null(db_get(db, DB_CONTAINERS, "nope", &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(db_delete(db, DB_CONTAINERS, "nope", DB_LAZY, &err), 0);
    db_close(db);
}

static void test_db_versions(void **state)
{
    (void)state;
    struct err err = {0};
    sqlite3 *raw;
    _cleanup_free_ char *path = file_in("versions.db");
    struct db *db = db_open(path, &err);
    assert_non_null(db);
    db_close(db);
    assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw, "UPDATE schema_version SET version = 999", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(raw);
    assert_null(db_open(path, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.message, "later keg"));
}

/* ---- filters ---- */

static void test_filters(void **state)
{
    (void)state;
    static const char *const allowed[] = {"label", "status", "name", NULL};
    struct err err = {0};
    _cleanup_json_ json_t *f =
        json_loads("{\"label\":[\"a=1\",\"b\"],\"status\":{\"running\":true,\"exited\":false},"
                   "\"name\":[\"^we\",\"x.y\"]}",
                   0, NULL);
    assert_int_equal(filters_check(f, allowed, &err), 0);
    assert_int_equal(filters_check(NULL, allowed, &err), 0);
    _cleanup_json_ json_t *labels = json_pack("{ssss}", "a", "1", "b", "2"),
                          *fewer = json_pack("{ss}", "a", "1");
    assert_true(filters_match_labels(f, "label", labels));
    assert_false(filters_match_labels(f, "label", fewer));
    assert_false(filters_match_labels(f, "label", NULL));
    assert_true(filters_match_exact(f, "status", "running"));
    assert_false(filters_match_exact(f, "status", "exited"));
    assert_true(filters_match_exact(f, "absent", "anything"));
    assert_true(filters_match_text(f, "name", "web"));
    assert_true(filters_match_text(f, "name", "1x-y2"));
    assert_false(filters_match_text(f, "name", "other"));
    _cleanup_json_ json_t *unknown = json_loads("{\"nope\":[\"x\"]}", 0, NULL),
                          *shape = json_loads("{\"name\":3}", 0, NULL);
    assert_int_equal(filters_check(unknown, allowed, &err), -1);
    assert_string_equal(err.message, "invalid filter 'nope'");
    assert_int_equal(filters_check(shape, allowed, &err), -1);
    _cleanup_json_ json_t *dangling = json_loads("{\"dangling\":[\"maybe\"]}", 0, NULL);
    bool on;
    assert_int_equal(filters_bool(dangling, "dangling", true, &on, &err), -1);
    assert_string_equal(err.message, "invalid filter 'dangling=[maybe]'");
}

/* ---- fields, validation ---- */

static void test_fields(void **state)
{
    (void)state;
    struct err err = {0};
    _cleanup_json_ json_t *given = json_loads(
        "{\"Memory\":0,\"Binds\":null,\"CapAdd\":[],\"PidsLimit\":5,\"MaskedPaths\":[],\"Unknown\":1}", 0,
        NULL);
    _cleanup_json_ json_t *compact = fields_compact(host_config_fields, given, "HostConfig", &err);
    _cleanup_free_ char *text = json_text(compact);
    assert_string_equal(text, "{\"PidsLimit\":5,\"MaskedPaths\":[]}");
    _cleanup_json_ json_t *full = fields_expand(host_config_fields, compact);
    assert_int_equal(json_int_or(full, "PidsLimit", 0), 5);
    assert_true(json_is_null(json_object_get(full, "Binds")));
    assert_int_equal(json_int_or(full, "ShmSize", 0), 67108864);
    _cleanup_json_ json_t *args = json_loads("{\"Cmd\":\"one word\"}", 0, NULL);
    _cleanup_json_ json_t *config = fields_compact(config_fields, args, "Config", &err);
    assert_int_equal(json_array_size(json_object_get(config, "Cmd")), 1);
    _cleanup_json_ json_t *wrong = json_loads("{\"Env\":[1]}", 0, NULL);
    assert_null(fields_compact(config_fields, wrong, "Config", &err));
    assert_string_equal(err.message, "invalid JSON: Config.Env must be a list of strings");
    /* every default is valid JSON */
    for (const struct field *f = host_config_fields; f->name; f++)
        if (f->otherwise) {
            json_t *value = json_loads(f->otherwise, JSON_DECODE_ANY, NULL);
            assert_non_null(value);
            json_decref(value);
        }
}

static void test_validate(void **state)
{
    (void)state;
    static const struct {
        const char *config, *host, *message;
    } rows[] = {
        {"{\"Cmd\":[\"x\"]}", "{}", NULL},
        {"{\"Cmd\":[\"x\"],\"StopSignal\":\"nope\"}", "{}", "invalid signal: nope"},
        {"{\"Cmd\":[\"x\"],\"Env\":[\"=x\"]}", "{}", "invalid environment variable"},
        {"{\"Cmd\":[\"x\"],\"Healthcheck\":{\"Test\":[\"CMD\",\"y\"]}}", "{}", NULL},
        {"{\"Cmd\":[\"x\"],\"Healthcheck\":{\"Timeout\":1000}}", "{}",
         "Timeout in Healthcheck cannot be less"},
        {"{\"Cmd\":[\"x\"],\"Healthcheck\":{\"Retries\":-1}}", "{}", "Retries in Healthcheck"},
        {"{\"Cmd\":[\"x\"],\"Labels\":{\"keg.health.on-failure\":\"panic\"}}", "{}", "must be none, restart"},
        {"{\"Cmd\":[\"x\"],\"Healthcheck\":{\"Test\":[\"NONE\"]}}", "{}", NULL},
        {"{\"Cmd\":[\"x\"]}", "{\"MemorySwap\":100000000}", "always set the Memory limit"},
        {"{\"Cmd\":[\"x\"]}", "{\"NanoCpus\":100,\"CpuPeriod\":1000}", "Conflicting options"},
        {"{\"Cmd\":[\"x\"]}", "{\"CpuPeriod\":5}", "CPU cfs period"},
        {"{\"Cmd\":[\"x\"]}", "{\"PidMode\":\"nope\"}", "invalid PID mode: nope"},
        {"{\"Cmd\":[\"x\"]}", "{\"PidMode\":\"container:\"}", "invalid PID mode"},
        {"{\"Cmd\":[\"x\"]}", "{\"RestartPolicy\":{\"Name\":\"sometimes\"}}", "invalid restart policy"},
        {"{\"Cmd\":[\"x\"]}", "{\"AutoRemove\":true,\"RestartPolicy\":{\"Name\":\"always\"}}", "AutoRemove"},
        {"{\"Cmd\":[\"x\"]}", "{\"LogConfig\":{\"Type\":\"nosuch\"}}",
         "error looking up logging plugin nosuch"},
        {"{\"Cmd\":[\"x\"]}", "{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"x\":\"y\"}}}",
         "unknown log opt 'x'"},
        {"{\"Cmd\":[\"x\"]}", "{\"PortBindings\":{\"x/tcp\":[]}}", "invalid port specification"},
        {"{\"Cmd\":[\"x\"]}", "{\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"99999\"}]}}",
         "invalid port specification"},
        {"{\"Cmd\":[\"x\"]}", "{\"CgroupParent\":\"/a/../b\"}", "invalid cgroup parent"},
        {"{\"Cmd\":[\"x\"]}", "{\"OomScoreAdj\":1001}", "oom score adj"},
    };
    const struct engine_options options = {0};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};
        _cleanup_json_ json_t *config = json_loads(rows[i].config, 0, NULL),
                              *host = json_loads(rows[i].host, 0, NULL);
        _cleanup_json_ json_t *warnings = json_array();
        int r = container_validate(&options, config, host, warnings, &err);
        print_message("%s %s\n", rows[i].config, rows[i].host);
        assert_int_equal(r, rows[i].message ? -1 : 0);
        if (rows[i].message)
            assert_non_null(strstr(err.message, rows[i].message));
    }
}

/* ---- words ---- */

static void test_names(void **state)
{
    (void)state;
    const char *bare;
    assert_int_equal(container_check_name("/web-1.x_y", &bare, NULL), 0);
    assert_string_equal(bare, "web-1.x_y");
    static const char *const bad[] = {"", "/", "a", "-web", "a b", "a/b", "ä1", ".."};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(container_check_name(bad[i], &bare, NULL), -1);
    for (unsigned i = 0; i < 200; i++) {
        _cleanup_free_ char *name = container_random_name(i % 5);
        assert_int_equal(container_check_name(name, &bare, NULL), 0);
    }
}

static void test_signals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int number;
    } rows[] = {{"TERM", 15}, {"sigkill", 9}, {"9", 9},     {"RTMIN+3", 37}, {"SIGRTMAX", 64}, {"64", 64},
                {"0", -1},    {"65", -1},     {"nope", -1}, {"", -1},        {"RTMIN+99", -1}, {"-9", -1}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int number = 0;
        int r = signal_parse(rows[i].text, &number, NULL);
        assert_int_equal(r, rows[i].number < 0 ? -1 : 0);
        if (r == 0)
            assert_int_equal(number, rows[i].number);
    }
}

static void test_status_text(void **state)
{
    (void)state;
    const int64_t s = CLOCK_NS_PER_S, now = 1000000 * s;
    const struct {
        struct container_state state;
        const char *text;
    } rows[] = {
        {{.status = CONTAINER_CREATED}, "Created"},
        {{.status = CONTAINER_RUNNING, .started_at = now - s / 2}, "Up Less than a second"},
        {{.status = CONTAINER_RUNNING, .started_at = now - 45 * s}, "Up 45 seconds"},
        {{.status = CONTAINER_RUNNING, .started_at = now - 90 * s}, "Up About a minute"},
        {{.status = CONTAINER_PAUSED, .started_at = now - 120 * s}, "Up 2 minutes (Paused)"},
        {{.status = CONTAINER_EXITED, .exit_code = 3, .finished_at = now - 3 * s},
         "Exited (3) 3 seconds ago"},
        {{.status = CONTAINER_EXITED, .finished_at = now - 3600 * s}, "Exited (0) About an hour ago"},
        {{.status = CONTAINER_EXITED, .finished_at = now - 3 * 86400 * s}, "Exited (0) 3 days ago"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *text = container_status_text(&rows[i].state, now);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_resolv(void **state)
{
    (void)state;
    static const char host[] =
        "# made by hand\nnameserver 127.0.0.53\nnameserver 10.0.0.1\nsearch lan\noptions ndots:2\n";
    struct buf out = BUF_INIT(4096);
    assert_int_equal(netfiles_compose_resolv(host, &(struct netfiles_resolv){0}, &out), 0);
    assert_string_equal(buf_str(&out), "nameserver 10.0.0.1\nsearch lan\noptions ndots:2\n");
    buf_reset(&out);
    netfiles_compose_resolv("nameserver 127.0.0.1\n", &(struct netfiles_resolv){0}, &out);
    assert_string_equal(buf_str(&out), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
    buf_reset(&out);
    netfiles_compose_resolv("nameserver 127.0.0.1\n", &(struct netfiles_resolv){.host_network = true}, &out);
    assert_string_equal(buf_str(&out), "nameserver 127.0.0.1\n");
    buf_reset(&out);
    _cleanup_json_ json_t *dns = json_pack("[s]", "1.1.1.1"), *search = json_pack("[s]", "."),
                          *opts = json_pack("[ss]", "a", "b");
    struct netfiles_resolv asked = {.dns = dns, .search = search, .options = opts};
    netfiles_compose_resolv(host, &asked, &out);
    assert_string_equal(buf_str(&out), "nameserver 1.1.1.1\noptions a b\n");
    buf_reset(&out);
    asked.served = true; /* its own server asks 1.1.1.1 */
    netfiles_compose_resolv(host, &asked, &out);
    assert_string_equal(buf_str(&out), "nameserver 127.0.0.11\noptions a b ndots:0\n");
    buf_reset(&out);
    netfiles_compose_resolv("nameserver 10.0.0.1\nsearch lan\noptions edns0\n",
                            &(struct netfiles_resolv){.served = true}, &out);
    assert_string_equal(buf_str(&out), "nameserver 127.0.0.11\nsearch lan\noptions edns0 ndots:0\n");
    buf_reset(&out);
    static const char mixed[] =
        "domain d.test\nsearch s.test t.test\noptions a\nsortlist 1.2.3.4\nnameserver "
        "fd00::53\nnameserver 10.0.0.1\noptions  ndots:3\tb\n";
    netfiles_compose_resolv(mixed, &(struct netfiles_resolv){0}, &out);
    assert_string_equal(buf_str(&out),
                        "nameserver 10.0.0.1\nsearch s.test t.test\noptions a ndots:3 b\nsortlist 1.2.3.4\n");
    buf_reset(&out);
    netfiles_compose_resolv(mixed, &(struct netfiles_resolv){.ipv6 = true}, &out);
    assert_true(str_starts(buf_str(&out), "nameserver fd00::53\nnameserver 10.0.0.1\nsearch"));
    buf_reset(&out);
    netfiles_compose_resolv(mixed, &(struct netfiles_resolv){.served = true}, &out);
    assert_string_equal(
        buf_str(&out),
        "nameserver 127.0.0.11\nsearch s.test t.test\noptions a ndots:3 b\nsortlist 1.2.3.4\n");
    buf_reset(&out);
    netfiles_compose_resolv("", &(struct netfiles_resolv){.ipv6 = true}, &out);
    assert_string_equal(buf_str(&out),
                        "nameserver 8.8.8.8\nnameserver 8.8.4.4\nnameserver 2001:4860:4860::8888\n"
                        "nameserver 2001:4860:4860::8844\n");
    buf_finish(&out);
}

/* ---- logs ---- */

static int collect(void *arg, const void *data, size_t len)
{
    return buf_append(arg, data, len) < 0 ? -1 : 0;
}

static void write_text(const char *name, const char *text)
{
    _cleanup_free_ char *path = file_in(name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void assert_logs(struct engine_logs_options logs, bool framed, const char *expected, size_t len)
{
    _cleanup_free_ char *path = file_in("x.log");
    struct buf out = BUF_INIT(1 << 20);
    const struct engine_sink sink = {.write = collect, .arg = &out, .client_fd = -1};
    const struct log_reader_options o = {
        .format = &log_format_json, .path = path, .framed = framed, .logs = logs, .end_fd = -1};
    assert_int_equal(log_read(NULL, &o, &sink, NULL), 0);
    if (out.len != len || memcmp(buf_str(&out), expected, len) != 0)
        fail_msg("expected %zu: %s\n     got %zu: %s", len, expected, out.len, buf_str(&out));
    buf_finish(&out);
}

#define LINE(text, stream, second)                                                                           \
    "{\"log\":\"" text "\\n\",\"stream\":\"" stream "\",\"time\":\"2026-01-01T00:00:0" second "Z\"}\n"

static void test_logs(void **state)
{
    (void)state;
    struct engine_logs_options all = {.stdout_too = true, .stderr_too = true, .tail = -1}, o = all;
    write_text("x.log.2", LINE("one", "stdout", "1"));
    write_text("x.log.1", LINE("two", "stderr", "2.5") LINE("three", "stdout", "3"));
    write_text(
        "x.log",
        LINE("q\\\"\\\\\\t\\u003c\\u00e9\\ud83d\\ude00", "stdout",
             "4.123456789") "not json\n"
                            "{\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:05Z\",\"log\":\"odd\\n\"}\n"
                            "{\"log\":\"at\\n\",\"stream\":\"stdout\",\"attrs\":{\"b\":\"2\",\"a\":\"1\"},"
                            "\"time\":\"2026-01-01T00:00:06Z\"}\n"
                            "{\"log\":\"cut off");
#define ALL "one\ntwo\nthree\nq\"\\\t<é😀\nodd\nat\n"
    assert_logs(all, false, ALL, strlen(ALL));
    o.stderr_too = false;
    assert_logs(o, false, "one\nthree\nq\"\\\t<é😀\nodd\nat\n", strlen("one\nthree\nq\"\\\t<é😀\nodd\nat\n"));
    o = all;
    o.tail = 2; /* the cut off line counts for nobody: it has no end */
    assert_logs(o, false, "odd\nat\n", strlen("odd\nat\n"));
    o.tail = 5; /* one of them is no JSON */
    assert_logs(o, false, ALL + 8, strlen(ALL) - 8);
    o.tail = 0;
    assert_logs(o, false, "", 0);
    o = all;
    o.since = 1767225603 * CLOCK_NS_PER_S;
    o.until = 1767225604 * CLOCK_NS_PER_S;
    assert_logs(o, false, "three\n", strlen("three\n"));
    o = all;
    o.tail = 1;
    o.timestamps = o.details = true;
    assert_logs(o, false, "2026-01-01T00:00:06.000000000Z a=1,b=2 at\n",
                strlen("2026-01-01T00:00:06.000000000Z a=1,b=2 at\n"));
    o = all;
    o.until = 1767225602 * CLOCK_NS_PER_S + CLOCK_NS_PER_S / 2;
    assert_logs(o, true, "\1\0\0\0\0\0\0\4one\n\2\0\0\0\0\0\0\4two\n", 24);
}

static void test_log_lines(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "",
        "{}",
        "{\"log\":\"",
        "{\"log\":\"x\",\"stream\":\"stdout\"}",
        "{\"log\":\"x\\\",\"stream\":\"stdout\",\"time\":\"t\"}",
        "{\"log\":\"x\",\"stream\":\"stdout\",\"other\":1,\"time\":\"t\"}",
    };
    struct log_line l;
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
        assert_false(log_line_split(odd[i], strlen(odd[i]), &l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_db_rows), cmocka_unit_test(test_db_versions), cmocka_unit_test(test_filters),
        cmocka_unit_test(test_fields),  cmocka_unit_test(test_validate),    cmocka_unit_test(test_names),
        cmocka_unit_test(test_signals), cmocka_unit_test(test_status_text), cmocka_unit_test(test_resolv),
        cmocka_unit_test(test_logs),    cmocka_unit_test(test_log_lines),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
