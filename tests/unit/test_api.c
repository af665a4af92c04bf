/* The small languages of the API: booleans, versions, base64url, route patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/text.h"
#include "api/trim.h"
#include "api/websocket.h"
#include "base/websocket.h"
#include "base/json.h"
#include "base/str.h"

static void test_booleans(void **state)
{
    static const char *const no[] = {"", "0", "no", "NO", "false", "False", "none", " no ", NULL};
    static const char *const yes[] = {"1", "true", "t", "yes", "2", "x", " 1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        assert_false(text_is_true(no[i]));
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
        assert_true(text_is_true(yes[i]));
}

static void test_versions(void **state)
{
    static const struct {
        const char *text;
        int result;
        unsigned version;
    } rows[] = {
        {"1.24", 0, 1024},  {"1.51", 0, 1051},   {"1", 0, 1000},     {"2.0", 0, 2000}, {"1.9", 0, 1009},
        {"", -EINVAL, 0},   {"x", -EINVAL, 0},   {"1.", 0, 1000},    {".5", 0, 5},     {"1.2.3", 0, 1002},
        {"-1", -EINVAL, 0}, {"1.9999", 0, 1999}, {"1 ", -EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        unsigned version = 0;

        assert_int_equal(text_parse_version(rows[i].text, strlen(rows[i].text), &version), rows[i].result);
        assert_int_equal(version, rows[i].version);
    }
}

static void test_version_prefix(void **state)
{
    static const struct {
        const char *url, *path;
        unsigned version;
    } rows[] = {
        {"/v1.41/info", "/info", 1041},
        {"/info", "/info", 0},
        {"/volumes", "/volumes", 0},
        {"/version", "/version", 0},
        {"/v1.x/info", "/v1.x/info", 0},
        {"/v1.24/_ping", "/_ping", 1024},
        {"/v1.41", "/v1.41", 0},
        {"/volumes/v1", "/volumes/v1", 0},
        {"/", "/", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        unsigned version = 0;

        assert_string_equal(text_split_version(rows[i].url, &version), rows[i].path);
        assert_int_equal(version, rows[i].version);
    }
}

static void test_clean_paths(void **state)
{
    static const char *const rows[][2] = {
        {"/containers//json", "/containers/json"},
        {"//info", "/info"},
        {"/v1.51/containers/../info", "/v1.51/info"},
        {"/./info/", "/info/"},
        {"/a//", "/a/"},
        {"//", "/"},
        {"/..", "/"},
    };
    static const char *const clean[] = {"/", "/info", "/info/", "/containers/..a/json",
                                        "/images/a.b/c../json"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *path = text_clean_path(rows[i][0]);

        assert_string_equal(path, rows[i][1]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(clean); i++)
        assert_null(text_clean_path(clean[i]));
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *path, *wildcard; /* NULL: no match; "": a match without one */
    } rows[] = {
        {"/info", "/info", ""},
        {"/info", "/info/", NULL},
        {"/info", "/inf", NULL},
        {"/containers/{id}/json", "/containers/web/json", "web"},
        {"/containers/{id}/json", "/containers/a/b/json", NULL},
        {"/containers/{id}/json", "/containers//json", NULL},
        {"/containers/{id}/json", "/containers/json", NULL},
        {"/containers/{id}", "/containers/web", "web"},
        {"/containers/{id}", "/containers/web/json", NULL},
        {"/containers/{id}", "/containers/", NULL},
        {"/images/{name*}/json", "/images/busybox/json", "busybox"},
        {"/images/{name*}/json", "/images/localhost:5000/a/b:c/json", "localhost:5000/a/b:c"},
        {"/images/{name*}/json", "/images/json", NULL},
        {"/images/{name*}/json", "/images/json/json", "json"},
        {"/images/{name*}", "/images/a/b@sha256:0", "a/b@sha256:0"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *start;
        size_t len;
        bool matched = text_match(rows[i].pattern, rows[i].path, &start, &len);

        assert_int_equal(matched, rows[i].wildcard != NULL);
        if (matched) {
            _cleanup_free_ char *wildcard = xstrndup(start, len);

            assert_string_equal(wildcard, rows[i].wildcard);
        }
    }
}

static void test_base64(void **state)
{
    static const struct {
        const char *text, *decoded;
    } rows[] = {
        {"", ""},
        {"Zg==", "f"},
        {"Zg", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"e30=", "{}"},
        {"Pz8_", "\x3f\x3f\x3f"},
        {"Pz8/", "\x3f\x3f\x3f"},
        {"--", "\xfb"},
        {"++", "\xfb"},
    };
    static const char *const wrong[] = {"Z", "Zm9vZ", "Zm 9v", "Zm9v\n", "Z===Z", "\xff\xff"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(buf_finish) struct buf b = BUF_INIT(100);

        assert_int_equal(text_base64url_decode(rows[i].text, &b), 0);
        assert_string_equal(buf_str(&b), rows[i].decoded);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        _cleanup_(buf_finish) struct buf b = BUF_INIT(100);

        assert_int_equal(text_base64url_decode(wrong[i], &b), -EINVAL);
    }
}

static void test_depth(void **state)
{
    static const struct {
        const char *text;
        bool deep;
    } rows[] = {{"[[[1]]]", false}, {"{\"a\":\"[[[[\\\"[[[\"}", false}, {"", false}, {"\"\\", false}};
    char text[4 * JSON_DEPTH_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(json_is_too_deep(rows[i].text, strlen(rows[i].text)), rows[i].deep);
    memset(text, '[', sizeof(text));
    assert_false(json_is_too_deep(text, JSON_DEPTH_MAX));
    assert_true(json_is_too_deep(text, JSON_DEPTH_MAX + 1));
    assert_null(json_parse(text, JSON_DEPTH_MAX + 1, "x", NULL));
}

static void test_trimming(void **state)
{
    _cleanup_json_ json_t *list = json_pack("[{s:i, s:[], s:[]}]", "Size", 7, "RepoTags", "RepoDigests");
    const json_t *image = json_array_get(list, 0);

    (void)state;
    trim_answer("/images/json", 1051, list);
    assert_null(json_object_get(image, "VirtualSize"));
    trim_answer("/images/json", 1043, list);
    assert_int_equal(json_int_or(image, "VirtualSize", 0), 7);
    assert_int_equal(json_array_size(json_object_get(image, "RepoTags")), 0);
    trim_answer("/images/json", 1042, list);
    assert_string_equal(json_string_value(json_array_get(json_object_get(image, "RepoTags"), 0)),
                        "<none>:<none>");
    assert_string_equal(json_string_value(json_array_get(json_object_get(image, "RepoDigests"), 0)),
                        "<none>@<none>");
}

/* ---- websocket ---- */

static void test_websocket_accept(void **state)
{
    char accept[WEBSOCKET_ACCEPT_SIZE];

    (void)state;
    assert_int_equal(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==", accept), 0); /* RFC 6455, 1.3 */
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_int_equal(websocket_accept("short", accept), -EINVAL);
    assert_int_equal(websocket_accept(NULL, accept), -EINVAL);
}

/* The same bytes in pieces of every size give the same. */
static void read_frames(const char *bytes, size_t len, const char *data, const char *answers,
                        size_t answers_len, int result)
{
    for (size_t piece = 1; piece <= len; piece++) {
        struct websocket_reader r = {0};
        _cleanup_(buf_finish) struct buf got = BUF_INIT(1024), sent = BUF_INIT(1024);
        int last = 0;

        for (size_t at = 0; at < len && last == 0; at += piece)
            last = websocket_read(&r, bytes + at, MIN_OF(piece, len - at), &got, &sent);
        assert_int_equal(last, result);
        assert_string_equal(buf_str(&got), data);
        assert_int_equal(sent.len, answers_len);
        assert_memory_equal(buf_str(&sent), answers, answers_len);
    }
}

static void test_websocket_frames(void **state)
{
    (void)state;
#define FRAMES(text) text, sizeof(text) - 1
    read_frames(FRAMES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "Hello", "", 0, 0);
    read_frames(FRAMES("\x82\x80\0\0\0\0\x82\x81\0\0\0\0x"), "x", "", 0, 0);
    /* a message in two, with a ping in between */
    read_frames(FRAMES("\x02\x82\0\0\0\0ab\x89\x82\0\0\0\0hi\x80\x81\0\0\0\0c"), "abc", FRAMES("\x8a\x02hi"),
                0);
    read_frames(FRAMES("\x82\xfe\0\x03\0\0\0\0abc\x82\xff\0\0\0\0\0\0\0\x01\0\0\0\0d"), "abcd", "", 0, 0);
    read_frames(FRAMES("\x88\x82\0\0\0\0\x03\xe8\x82\x81\0\0\0\0x"), "", FRAMES("\x88\x02\x03\xe8"), 1);
    /* unmasked, reserved bits, a continuation of nothing, a new message inside one, long and split controls, unknown opcodes */
    static const char *const wrong[] = {
        "\x82\x01zzzzzzz",  "\xc2\x81zzzzzzzz", "\x80\x81zzzzzzzz", "\x89\xfe\x01\x01zzzzzzz",
        "\x09\x81zzzzzzzz", "\x83\x81zzzzzzzz", "\x8b\x81zzzzzzzz", "\x82\xff\xffzzzzzzzzzzzz"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        read_frames(wrong[i], strlen(wrong[i]), "", FRAMES("\x88\x02\x03\xea"), -EPROTO);
    struct buf out = BUF_INIT(128 * 1024);
    char *large = xcalloc(1, 70000);
    websocket_frame(&out, WEBSOCKET_BINARY, large, 70000);
    assert_int_equal(out.len, 70010);
    assert_memory_equal(out.data, "\x82\x7f\0\0\0\0\0\x01\x11\x70", 10);
    buf_finish(&out);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_websocket_accept), cmocka_unit_test(test_websocket_frames),
        cmocka_unit_test(test_booleans),         cmocka_unit_test(test_versions),
        cmocka_unit_test(test_version_prefix),   cmocka_unit_test(test_clean_paths),
        cmocka_unit_test(test_patterns),         cmocka_unit_test(test_base64),
        cmocka_unit_test(test_trimming),         cmocka_unit_test(test_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
