/* What the image workers parse: challenges, hosts, names in archives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "image/worker/challenge.h"
#include "image/worker/endpoint.h"
#include "image/worker/hosts_file.h"
#include "image/worker/toml.h"
#include "image/worker/unarchive.h"

static void test_challenges(void **state _unused_)
{
    static const struct {
        const char *text;
        enum challenge_scheme scheme;
        const char *realm, *service, *scope;
    } rows[] = {
        {"Bearer realm=\"https://a/token\",service=\"r\",scope=\"repository:x:pull,push\"", CHALLENGE_BEARER,
         "https://a/token", "r", "repository:x:pull,push"},
        {"bearer REALM=https://a , service = \"q\\\"uote\"", CHALLENGE_BEARER, "https://a", "q\"uote", NULL},
        {"Basic realm=\"x\", Bearer realm=\"y\"", CHALLENGE_BEARER, "y", NULL, NULL},
        {"Bearer realm=\"y\", Basic realm=\"x\"", CHALLENGE_BEARER, "y", NULL, NULL},
        {"Basic realm=\"x, Bearer realm=y\"", CHALLENGE_BASIC, "x, Bearer realm=y", NULL, NULL},
        {"Negotiate, Basic realm=x", CHALLENGE_BASIC, "x", NULL, NULL},
        {"", CHALLENGE_NONE, NULL, NULL, NULL},
        {"=,=,\"\"\"", CHALLENGE_NONE, NULL, NULL, NULL},
        {"Bearer realm=\"unclosed", CHALLENGE_BEARER, "unclosed", NULL, NULL},
        {"Bearer realm=\"a\",realm=\"b\"", CHALLENGE_BEARER, "a", NULL, NULL},
        {"Bearer", CHALLENGE_BEARER, NULL, NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct challenge c;

        challenge_parse(rows[i].text, &c);
        if (c.scheme != rows[i].scheme || !str_eq(c.realm, rows[i].realm) ||
            !str_eq(c.service, rows[i].service) || !str_eq(c.scope, rows[i].scope))
            fail_msg("%s: %d realm=%s service=%s scope=%s", rows[i].text, (int)c.scheme, c.realm, c.service,
                     c.scope);
        challenge_finish(&c);
    }
}

static void test_insecure_hosts(void **state _unused_)
{
    static const struct {
        const char *host;
        bool insecure;
    } rows[] = {
        {"localhost", true},       {"localhost:5000", true}, {"127.0.0.1:5000", true},
        {"127.9.9.9", true},       {"[::1]:5000", true},     {"128.0.0.1:5000", false},
        {"registry:5000", true},   {"registry:5001", false}, {"plain:1234", true},
        {"10.1.2.3:80", true},     {"11.1.2.3", false},      {"localhost.evil", false},
        {"127.0.0.1.evil", false}, {"docker.io", false},
    };
    char *const list[] = {(char *)"registry:5000", (char *)"plain", (char *)"10.0.0.0/8", (char *)"junk/99",
                          NULL};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (endpoint_host_insecure(rows[i].host, list) != rows[i].insecure)
            fail_msg("%s", rows[i].host);
}

static void test_archive_names(void **state _unused_)
{
    static const struct {
        const char *name, *of, *result;
    } rows[] = {
        {"manifest.json", NULL, "manifest.json"},
        {"./blobs//sha256/a", NULL, "blobs/sha256/a"},
        {"a/../b", NULL, "b"},
        {"../b", NULL, NULL},
        {"a/../../b", NULL, NULL},
        {"/etc/passwd", NULL, NULL},
        {"a\nb", NULL, NULL},
        {"\xff", NULL, NULL},
        {"../x/layer.tar", "y/layer.tar", "x/layer.tar"},
        {"../../x", "y/layer.tar", NULL},
        {"/x", "y/layer.tar", NULL},
        {"..", NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};
        _cleanup_free_ char *result = unarchive_name(rows[i].name, rows[i].of, &err);

        if (!str_eq(result, rows[i].result))
            fail_msg("%s: %s", rows[i].name, result);
        assert_int_equal(err.kind, result ? ERR_NONE : ERR_INVALID);
    }
}

static void test_toml(void **state _unused_)
{
    static const struct {
        const char *text, *json; /* json NULL: refused */
    } rows[] = {
        {"", "{}"},
        {"# nothing\n\n", "{}"},
        {"server = \"https://a\"", "{\"server\":\"https://a\"}"},
        {"a.b = 1\r\na.\"c d\" = true\r\n", "{\"a\":{\"b\":1,\"c d\":true}}"},
        {"[host.\"https://m\"]\nca = ['x', \"y\"] # two\n[host.\"https://m\".header]\nh = \"v\"",
         "{\"host\":{\"https://m\":{\"ca\":[\"x\",\"y\"],\"header\":{\"h\":\"v\"}}}}"},
        {"a = [\n [1, -2_0], # first\n [],\n]\n", "{\"a\":[[1,-20],[]]}"},
        {"a = \"\\u00e4\\t\\\"\"", "{\"a\":\"\xc3\xa4\\t\\\"\"}"},
        {"a = 'C:\\x'", "{\"a\":\"C:\\\\x\"}"},
        {"a = 1 b = 2", NULL},
        {"a = \"open", NULL},
        {"a = \"\\q\"", NULL},
        {"a = \"\"\"many\"\"\"", NULL},
        {"a = 1\na = 2", NULL},
        {"a = 1\n[a]\nb = 2", NULL},
        {"[[a]]", NULL},
        {"a = {b = 1, c.d = [2]} # x\n", "{\"a\":{\"b\":1,\"c\":{\"d\":[2]}}}"},
        {"a = {}", "{\"a\":{}}"},
        {"a = {b = 1, b = 2}", NULL},
        {"a = {b = 1 c = 2}", NULL},
        {"a = {b = 1,", NULL},
        {"\"\" = 1", NULL},
        {"a = 1979-05-27", NULL},
        {"= 1", NULL},
        {"a", NULL},
        {"a = \"\\ud800\"", NULL},
        {"a = \"\xff\"", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};
        _cleanup_json_ json_t *lines = NULL;
        _cleanup_json_ json_t *json =
            toml_parse(rows[i].text, strlen(rows[i].text), "hosts.toml", &lines, &err);
        _cleanup_free_ char *text = json ? json_text(json) : NULL;

        if (rows[i].json) {
            assert_non_null(text);
            assert_string_equal(text, rows[i].json);
        } else {
            assert_null(json);
            assert_int_equal(err.kind, ERR_INVALID);
            assert_true(str_starts(err.message, "hosts.toml:"));
        }
    }
}

/* Brackets without end don't run over the stack. */
static void test_toml_deep(void **state _unused_)
{
    static const char *const brackets[] = {"[", "{a="};

    for (size_t i = 0; i < ARRAY_SIZE(brackets); i++) {
        _cleanup_(buf_finish) struct buf text = BUF_INIT(1024 * 1024);
        _cleanup_json_ json_t *lines = NULL;
        struct err err = {0};

        buf_puts(&text, "a = ");
        for (int j = 0; j < 100000; j++)
            buf_puts(&text, brackets[i]);
        assert_null(toml_parse(buf_str(&text), text.len, "hosts.toml", &lines, &err));
        assert_int_equal(err.kind, ERR_INVALID);
    }
}

static void test_toml_lines(void **state _unused_)
{
    static const char text[] = "a = 1\n\n[b.c]\nd = [\n1,\n]\ne = {f = 1}\n[g]\n";
    static const struct {
        const char *table, *key;
        int line;
    } rows[] = {{NULL, "a", 1},  {NULL, "b", 3},    {"b", "c", 3},  {"b.c", "d", 4},
                {"b.c", "e", 7}, {"b.c.e", "f", 7}, {NULL, "g", 8}, {NULL, "h", 0}};
    _cleanup_json_ json_t *lines = NULL;
    _cleanup_json_ json_t *json = toml_parse(text, strlen(text), "hosts.toml", &lines, NULL);

    assert_non_null(json);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(toml_line(rows[i].table ? json_at(lines, rows[i].table) : lines, rows[i].key),
                         rows[i].line);
}

static void test_hosts_file(void **state _unused_)
{
    static const char good[] =
        "server = \"https://a.test/v2/\"\nca = \"x.pem\"\n"
        "[host.\"m.test:5000\"]\ncapabilities = [\"pull\"]\ndial_timeout = \"1m1.5s\"\n"
        "client = [[\"c\", \"k\"], [\"d\", \"l\"]]\nheader = {x = [\"1\", \"2\"]}\n"
        "[host.\"http://n.test/base\"]\noverride_path = true\nskip_verify = true\n"
        "client = \"both\"\n";
    struct hosts_file f;
    struct err err = {0};

    if (hosts_file_parse(good, strlen(good), "F", &f, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(f.server.url, "https://a.test/v2");
    assert_true(f.server.own_path);
    assert_int_equal(f.server.can, ENDPOINT_ALL);
    assert_string_equal(f.server.authorities[0], "x.pem");
    assert_int_equal(f.n_hosts, 2);
    assert_string_equal(f.hosts[0].url, "https://m.test:5000");
    assert_int_equal(f.hosts[0].can, ENDPOINT_PULL);
    assert_int_equal(f.hosts[0].dial_ms, 61500);
    assert_string_equal(f.hosts[0].certificate, "c");
    assert_string_equal(f.hosts[0].key, "k");
    assert_string_equal(f.hosts[0].headers[1], "x: 2");
    assert_false(f.hosts[0].own_path);
    assert_int_equal(f.hosts[1].line, 8);
    assert_true(f.hosts[1].own_path && f.hosts[1].skip_verify);
    assert_string_equal(f.hosts[1].key, "both");
    hosts_file_finish(&f);
}

/* What can't be used is an error that names file, line and key. */
static void test_hosts_file_refused(void **state _unused_)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"servr = \"https://a\"", "F:1: servr is not known here"},
        {"server = 5", "F:1: server must be an address in quotes"},
        {"server = \"ftp://a\"", "F:1: server \"ftp://a\" has to begin with"},
        {"host = \"a\"", "F:1: host must be tables"},
        {"\n[host]\n\"https://m\" = 1", "F:3: https://m must be a table"},
        {"[host.\"https://m\"]\ncapabilities = \"pull\"", "F:2: capabilities must be an array"},
        {"[host.\"https://m\"]\ncapabilities = [1]", "F:2: capabilities must hold nothing but strings"},
        {"[host.\"https://m\"]\ncapabilities = [\"fly\"]", "F:2: unknown or repeated capability \"fly\""},
        {"[host.\"https://m\"]\ncapabilites = [\"pull\"]", "F:2: capabilites is not known here"},
        {"[host.\"https://m\"]\nserver = \"https://x\"", "F:2: server is not known here"},
        {"header = \"x\"", "F:1: header must be a table"},
        {"[header]\nx = 5", "F:2: x must be a string"},
        {"[header]\n\"x y\" = \"5\"", "F:2: x y is no name of a header"},
        {"[header]\nx = \"5\\r\\n6\"", "F:2: x has a value of several lines"},
        {"skip_verify = \"true\"", "F:1: skip_verify must be true or false"},
        {"override_path = 1", "F:1: override_path must be true or false"},
        {"dial_timeout = 3", "F:1: dial_timeout must be a time in quotes"},
        {"dial_timeout = \"soon\"", "F:1: dial_timeout must be a time in quotes"},
        {"ca = true", "F:1: ca must be a string in quotes, or several"},
        {"client = [[\"a\"]]", "F:1: client must pair each certificate with its key"},
        {"client = []", "F:1: client names no file"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct hosts_file f;
        struct err err = {0};

        assert_int_equal(hosts_file_parse(rows[i].text, strlen(rows[i].text), "F", &f, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        if (!str_starts(err.message, rows[i].message))
            fail_msg("%s: %s", rows[i].text, err.message);
        hosts_file_finish(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_challenges),    cmocka_unit_test(test_toml),
        cmocka_unit_test(test_toml_deep),     cmocka_unit_test(test_insecure_hosts),
        cmocka_unit_test(test_archive_names), cmocka_unit_test(test_toml_lines),
        cmocka_unit_test(test_hosts_file),    cmocka_unit_test(test_hosts_file_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
