/* Image parsing: references, digests, platforms, manifests, configurations, changes, progress texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "image/change.h"
#include "image/digest.h"
#include "image/manifest.h"
#include "image/progress.h"
#include "image/reference.h"

#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SHA   "sha256:" HEX64

static void test_reference_good(void **state _unused_)
{
    static const struct {
        const char *text, *domain, *path, *tag, *digest, *familiar;
    } rows[] = {
        {"busybox", "docker.io", "library/busybox", NULL, NULL, "busybox"},
        {"busybox:1.36", "docker.io", "library/busybox", "1.36", NULL, "busybox:1.36"},
        {"library/busybox", "docker.io", "library/busybox", NULL, NULL, "busybox"},
        {"docker.io/busybox", "docker.io", "library/busybox", NULL, NULL, "busybox"},
        {"index.docker.io/library/busybox", "docker.io", "library/busybox", NULL, NULL, "busybox"},
        {"team/app", "docker.io", "team/app", NULL, NULL, "team/app"},
        {"localhost/app", "localhost", "app", NULL, NULL, "localhost/app"},
        {"localhost:5000/app:v1", "localhost:5000", "app", "v1", NULL, "localhost:5000/app:v1"},
        {"quay.io/a/b/c_d__e-f.g:T.a-g_1", "quay.io", "a/b/c_d__e-f.g", "T.a-g_1", NULL,
         "quay.io/a/b/c_d__e-f.g:T.a-g_1"},
        {"busybox@" SHA, "docker.io", "library/busybox", NULL, SHA, "busybox@" SHA},
        {"r.example:443/x:t@" SHA, "r.example:443", "x", "t", SHA, "r.example:443/x:t@" SHA},
        {"[::1]:5000/x", "[::1]:5000", "x", NULL, NULL, "[::1]:5000/x"},
        {"MyHost/app", "MyHost", "app", NULL, NULL, "MyHost/app"},
        {"a--b/c---d", "docker.io", "a--b/c---d", NULL, NULL, "a--b/c---d"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_reference_ struct reference ref = {0};
        _cleanup_free_ char *familiar = NULL;
        struct err err = {0};

        if (reference_parse(rows[i].text, &ref, &err) < 0)
            fail_msg("%s: %s", rows[i].text, err.message);
        familiar = reference_familiar(&ref);
        assert_string_equal(ref.domain, rows[i].domain);
        assert_string_equal(ref.path, rows[i].path);
        assert_true(str_eq(ref.tag, rows[i].tag));
        assert_true(str_eq(ref.digest, rows[i].digest));
        assert_string_equal(familiar, rows[i].familiar);
    }
}

static void test_reference_bad(void **state _unused_)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "invalid reference format"},
        {":tag", "invalid reference format"},
        {"busybox:", "invalid reference format"},
        {"busybox:a/b/c:", "invalid reference format"},
        {"busybox:-x", "invalid reference format"},
        {"busybox:a b", "invalid reference format"},
        {"Busybox", "invalid reference format: repository name (library/Busybox) must be lowercase"},
        {"quay.io/Team/app", "invalid reference format: repository name (Team/app) must be lowercase"},
        {HEX64, "invalid repository name (" HEX64 "), cannot specify 64-byte hexadecimal strings"},
        {"busybox@sha256:123", "invalid reference format"},
        {"busybox@sha512:" HEX64 HEX64, "invalid reference format"},
        {"busybox@" SHA "0", "invalid reference format"},
        {"a..b/c", "invalid reference format"},
        {"-a/b", "invalid reference format"},
        {"a/-b", "invalid reference format"},
        {"a/b_", "invalid reference format"},
        {"a/b___c", "invalid reference format"},
        {"a//b", "invalid reference format"},
        {"/a", "invalid reference format"},
        {"a/", "invalid reference format"},
        {"../../etc/passwd", "invalid reference format"},
        {"host.x:99999999/a", "invalid reference format"},
        {"a/b\nc", "invalid reference format"},
        {"http://x.y/z", "invalid reference format"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct reference ref = {0};
        struct err err = {0};

        if (reference_parse(rows[i].text, &ref, &err) == 0)
            fail_msg("\"%s\" was accepted", rows[i].text);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_string_equal(err.message, rows[i].message);
    }
}

static void test_reference_parts(void **state _unused_)
{
    _cleanup_reference_ struct reference a = {0}, b = {0}, c = {0}, d = {0};
    struct err err = {0};

    assert_int_equal(reference_parse_parts("busybox:1", "2", &a, &err), 0);
    assert_string_equal(a.tag, "2");
    assert_int_equal(reference_parse_parts("busybox", SHA, &b, &err), 0);
    assert_string_equal(b.digest, SHA);
    assert_null(b.tag);
    assert_int_equal(reference_parse_parts("busybox", "", &c, &err), 0);
    assert_null(c.tag);
    assert_int_equal(reference_parse_parts("busybox", "a b", &d, &err), -1);
}

static void test_chain_ids(void **state _unused_)
{
    char chain[DIGEST_SIZE];

    digest_chain(NULL, SHA, chain);
    assert_string_equal(chain, SHA);
    digest_chain(SHA, SHA, chain); /* printf '%s %s' SHA SHA | sha256sum */
    assert_true(digest_valid(chain));
    assert_string_not_equal(chain, SHA);
    assert_false(digest_valid("sha256:"
                              "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"));
    assert_false(digest_valid("sha256:../../../../etc/passwd"));
    assert_false(digest_valid(NULL));
}

static void test_platforms(void **state _unused_)
{
    static const struct {
        const char *want, *have;
        int better_than_nothing;
    } rows[] = {
        {"linux/amd64", "linux/amd64", 1},    {"linux/amd64", "linux/x86_64", 1},
        {"linux/arm64", "linux/arm64/v8", 1}, {"linux/arm/v7", "linux/arm/v6", 1},
        {"linux/arm/v6", "linux/arm/v7", 0},  {"linux/amd64", "linux/arm64", 0},
        {"linux/amd64", "windows/amd64", 0},  {"linux/amd64/v2", "linux/amd64", 1},
        {"linux/amd64", "linux/amd64/v3", 0}, {"linux/armhf", "linux/arm/v7", 1},
        {"linux/amd64", "linux/386", 1},      {"linux/386", "linux/amd64", 0},
        {"linux/arm64", "linux/arm/v7", 1},   {"linux/arm64", "linux/amd64", 0},
    };
    struct platform p;
    struct err err = {0};
    char text[PLATFORM_TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct platform want, have;

        assert_int_equal(platform_parse(rows[i].want, &want, &err), 0);
        assert_int_equal(platform_parse(rows[i].have, &have, &err), 0);
        if ((platform_match(&want, &have) > 0) != rows[i].better_than_nothing)
            fail_msg("%s for %s: %d", rows[i].have, rows[i].want, platform_match(&want, &have));
    }
    assert_int_equal(platform_parse("linux/a b/x", &p, &err), -1);
    assert_int_equal(platform_parse("a/b/c/d", &p, &err), -1);
    assert_int_equal(platform_parse("aarch64", &p, &err), 0);
    platform_format(&p, text);
    assert_string_equal(text, "linux/arm64");
}

#define DESCRIPTOR(type) "{\"mediaType\":\"" type "\",\"digest\":\"" SHA "\",\"size\":5}"
#define CONFIG           "\"config\":" DESCRIPTOR("application/vnd.oci.image.config.v1+json")
#define LAYER            DESCRIPTOR("application/vnd.oci.image.layer.v1.tar+gzip")

static void test_manifest_image(void **state _unused_)
{
    static const char text[] = "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER "," LAYER "]}";
    _cleanup_manifest_ struct manifest m = {0};
    struct err err = {0};

    assert_int_equal(manifest_parse(text, strlen(text), NULL, &m, &err), 0);
    assert_int_equal(m.kind, MANIFEST_IMAGE);
    assert_int_equal(m.n_layers, 2);
    assert_int_equal(m.layers[1].size, 5);
    assert_string_equal(m.media_type, MEDIA_OCI_MANIFEST);
}

static void test_manifest_bad(void **state _unused_)
{
    static const struct {
        const char *text, *type;
        enum err_kind kind;
    } rows[] = {
        {"", NULL, ERR_INVALID},
        {"[]", NULL, ERR_INVALID},
        {"{}", NULL, ERR_INVALID},
        {"{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, ERR_NOT_IMPLEMENTED},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER "]}", MEDIA_OCI_INDEX, ERR_INVALID},
        {"{\"schemaVersion\":2,\"manifests\":[]," CONFIG "}", MEDIA_OCI_INDEX, ERR_INVALID},
        {"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[]}", MEDIA_OCI_MANIFEST,
         ERR_INVALID},
        {"{\"schemaVersion\":2,\"manifests\":[null]}", NULL, ERR_INVALID},
        {"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:xyz\",\"size\":1}]}", NULL, ERR_INVALID},
        {"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" SHA "\",\"size\":-1}]}", NULL, ERR_INVALID},
        {"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" SHA "\",\"size\":1.5}]}", NULL, ERR_INVALID},
        {"{\"schemaVersion\":2,\"config\":null,\"layers\":[]}", NULL, ERR_INVALID},
        {"{\"schemaVersion\":2,\"config\":" DESCRIPTOR("text/plain") "}", NULL, ERR_NOT_IMPLEMENTED},
        {"{\"schemaVersion\":2," CONFIG
         ",\"layers\":[" DESCRIPTOR("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip") "]}",
         NULL, ERR_NOT_IMPLEMENTED},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[" DESCRIPTOR("text/plain") "]}", NULL,
         ERR_NOT_IMPLEMENTED},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":{}}", NULL, ERR_INVALID},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct manifest m = {0};
        struct err err = {0};

        if (manifest_parse(rows[i].text, strlen(rows[i].text), rows[i].type, &m, &err) == 0)
            fail_msg("accepted: %s", rows[i].text);
        if (err.kind != rows[i].kind)
            fail_msg("%s: %s", rows[i].text, err.message);
    }
}

static void test_manifest_choose(void **state _unused_)
{
    static const char text[] =
        "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":["
        "{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" SHA
        "\",\"size\":1,\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}},"
        "{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" SHA
        "\",\"size\":2,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v5\"}},"
        "{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" SHA
        "\",\"size\":3,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v6\"}},"
        "{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" SHA
        "\",\"size\":4,\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"},\"annotations\":"
        "{\"io.containerd.image.name\":\"docker.io/library/x:1\"}}]}";
    static const struct {
        const char *want;
        int size; /* of the one chosen; 0: none */
    } rows[] = {{"linux/amd64", 4}, {"linux/arm/v7", 3}, {"linux/arm/v5", 2}, {"linux/s390x", 0}};
    _cleanup_manifest_ struct manifest m = {0};
    struct err err = {0};

    assert_int_equal(manifest_parse(text, strlen(text), NULL, &m, &err), 0);
    assert_true(m.children[0].attestation);
    assert_string_equal(m.children[3].image_name, "docker.io/library/x:1");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct platform want;
        size_t chosen = 99;

        assert_int_equal(platform_parse(rows[i].want, &want, &err), 0);
        if (rows[i].size == 0) {
            assert_int_equal(manifest_choose(&m, &want, &chosen, &err), -1);
            assert_string_equal(err.message,
                                "no matching manifest for linux/s390x in the manifest list entries");
            continue;
        }
        assert_int_equal(manifest_choose(&m, &want, &chosen, &err), 0);
        assert_int_equal(m.children[chosen].descriptor.size, rows[i].size);
    }
}

static void test_config(void **state _unused_)
{
    static const char good[] =
        "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Cmd\":[\"sh\"]},\"history\":null,"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" SHA "\",\"" SHA "\"]}}";
    static const char *const bad[] = {
        "{}",
        "[]",
        "null",
        "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[1]}}",
        "{\"rootfs\":{\"type\":\"base\",\"diff_ids\":[]}}",
        "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:../x\"]}}",
        "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":{}}}",
        "{\"config\":[],\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}",
        "{\"history\":[1],\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}",
    };
    _cleanup_image_config_ struct image_config c = {0};
    char chain[DIGEST_SIZE];
    struct err err = {0};

    assert_int_equal(image_config_parse(good, strlen(good), &c, &err), 0);
    assert_int_equal(c.n_layers, 2);
    digest_chain(SHA, SHA, chain);
    assert_string_equal(c.chain_ids[1], chain);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct image_config other = {0};

        if (image_config_parse(bad[i], strlen(bad[i]), &other, &err) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.kind, ERR_INVALID);
    }
}

static void test_changes(void **state _unused_)
{
    static const struct {
        const char *change, *result; /* NULL: refused */
    } rows[] = {
        {"CMD [\"sh\",\"-c\",\"ls\"]", "{\"Cmd\":[\"sh\",\"-c\",\"ls\"]}"},
        {"cmd echo hi there", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo hi there\"]}"},
        {"ENTRYPOINT [\"/x\"]", "{\"Entrypoint\":[\"/x\"]}"},
        {"ENV A=1 B='2 3' C=\"x\\\"y\"", "{\"Env\":[\"A=1\",\"B=2 3\",\"C=x\\\"y\"]}"},
        {"ENV A some words", "{\"Env\":[\"A=some words\"]}"},
        {"ENV A=\"x", NULL},
        {"LABEL a=b \"c d\"=e", "{\"Labels\":{\"a\":\"b\",\"c d\":\"e\"}}"},
        {"EXPOSE 80 53/udp 90-91",
         "{\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{},\"90/tcp\":{},\"91/tcp\":{}}}"},
        {"EXPOSE 0", NULL},
        {"EXPOSE 70000", NULL},
        {"EXPOSE 80/icmp", NULL},
        {"VOLUME /a /b", "{\"Volumes\":{\"/a\":{},\"/b\":{}}}"},
        {"VOLUME [\"/a b\"]", "{\"Volumes\":{\"/a b\":{}}}"},
        {"USER 1000:1000", "{\"User\":\"1000:1000\"}"},
        {"WORKDIR /a/../b", "{\"WorkingDir\":\"/b\"}"},
        {"WORKDIR rel", "{\"WorkingDir\":\"/rel\"}"},
        {"STOPSIGNAL SIGINT", "{\"StopSignal\":\"SIGINT\"}"},
        {"ONBUILD RUN x", "{\"OnBuild\":[\"RUN x\"]}"},
        {"ONBUILD FROM x", NULL},
        {"HEALTHCHECK NONE", "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}"},
        {"HEALTHCHECK --interval=5s --retries=3 CMD true",
         "{\"Healthcheck\":{\"Interval\":5000000000,\"Retries\":3,\"Test\":[\"CMD-SHELL\",\"true\"]}}"},
        {"RUN rm -rf /", NULL},
        {"FROM x", NULL},
        {"CMDX", NULL},
        {"USER", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_json_ json_t *config = json_object();
        _cleanup_free_ char *text = NULL;
        struct err err = {0};
        int r = image_change_apply(config, (char *[]){(char *)rows[i].change, NULL}, &err);

        text = json_text(config);
        if (!rows[i].result) {
            if (r == 0)
                fail_msg("accepted: %s: %s", rows[i].change, text);
            assert_int_equal(err.kind, ERR_INVALID);
            continue;
        }
        if (r < 0)
            fail_msg("%s: %s", rows[i].change, err.message);
        assert_string_equal(text, rows[i].result);
    }
}

static void test_progress(void **state _unused_)
{
    struct image_progress p = {.id = "abc", .status = "Downloading", .current = 512, .total = 1024};
    _cleanup_json_ json_t *json = image_progress_json(&p), *plain = NULL;
    struct image_progress line = {.status = "Digest: x"};

    assert_int_equal(json_integer_value(json_at(json, "progressDetail.total")), 1024);
    assert_string_equal(json_str(json, "progress"),
                        "[=========================>                         ]     512B/1.024kB");
    plain = image_progress_json(&line);
    assert_null(json_object_get(plain, "progressDetail"));
    assert_null(json_object_get(plain, "id"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_good),  cmocka_unit_test(test_reference_bad),
        cmocka_unit_test(test_reference_parts), cmocka_unit_test(test_chain_ids),
        cmocka_unit_test(test_platforms),       cmocka_unit_test(test_manifest_image),
        cmocka_unit_test(test_manifest_bad),    cmocka_unit_test(test_manifest_choose),
        cmocka_unit_test(test_config),          cmocka_unit_test(test_changes),
        cmocka_unit_test(test_progress),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
