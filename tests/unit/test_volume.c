/* The grammar of mounts, volume names, and the copy of an image's directory. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "volume/volume.h"

static void test_bind_text(void **state)
{
    static const struct {
        const char *text;
        enum volume_mount_type type;
        const char *source, *destination;
        bool read_only;
        const char *propagation;
    } good[] = {
        {"/a:/b", VOLUME_MOUNT_BIND, "/a", "/b", false, "rprivate"},
        {"/a/../x/:/b/.//c:ro,z", VOLUME_MOUNT_BIND, "/x", "/b/c", true, "rprivate"},
        {"/a:/b:rshared", VOLUME_MOUNT_BIND, "/a", "/b", false, "rshared"},
        {"data:/b:ro", VOLUME_MOUNT_VOLUME, "data", "/b", true, "rprivate"},
        {"/only", VOLUME_MOUNT_VOLUME, NULL, "/only", false, "rprivate"},
    };
    static const char *const bad[] = {"",
                                      ":",
                                      "/a:",
                                      "/a:b",
                                      "/a:/",
                                      "/a:/b:rw:x",
                                      "/a:/b:nonsense",
                                      "x:/b",
                                      "a b:/c",
                                      "data:/b:rshared",
                                      "../x:/b"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        _cleanup_volume_mount_ struct volume_mount m = {0};
        struct err err = {0};

        assert_int_equal(volume_mount_parse_bind(good[i].text, &m, &err), 0);
        assert_int_equal(m.type, good[i].type);
        assert_true(str_eq(m.source, good[i].source));
        assert_string_equal(m.destination, good[i].destination);
        assert_int_equal(m.read_only, good[i].read_only);
        assert_string_equal(m.propagation, good[i].propagation);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct volume_mount m = {0};
        struct err err = {0};

        assert_int_equal(volume_mount_parse_bind(bad[i], &m, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_non_null(err.message[0] ? err.message : NULL);
    }
}

static void test_mount_json(void **state)
{
    static const struct {
        const char *json;
        enum err_kind kind;
    } rows[] = {
        {"{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"ReadOnly\":true}", ERR_NONE},
        {"{\"Type\":\"volume\",\"Source\":\"vv\",\"Target\":\"/b\",\"VolumeOptions\":{\"NoCopy\":true,"
         "\"Subpath\":\"x/../y\"}}",
         ERR_NONE},
        {"{\"Type\":\"volume\",\"Target\":\"/b\",\"VolumeOptions\":{\"Subpath\":\"x\"}}", ERR_INVALID},
        {"{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"TmpfsOptions\":{}}", ERR_INVALID},
        {"{\"Type\":\"tmpfs\",\"Target\":\"/b\",\"TmpfsOptions\":{\"SizeBytes\":4096,\"Mode\":448}}",
         ERR_NONE},
        {"{\"Type\":\"bind\",\"Target\":\"/b\"}", ERR_INVALID},
        {"{\"Type\":\"bind\",\"Source\":\"a\",\"Target\":\"/b\"}", ERR_INVALID},
        {"{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/\"}", ERR_INVALID},
        {"{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"b\"}", ERR_INVALID},
        {"{\"Type\":\"volume\",\"Target\":\"/b\",\"VolumeOptions\":{\"Subpath\":\"../y\"}}", ERR_INVALID},
        {"{\"Type\":\"tmpfs\",\"Source\":\"/a\",\"Target\":\"/b\"}", ERR_INVALID},
        {"{\"Type\":\"image\",\"Source\":\"a\",\"Target\":\"/b\"}", ERR_NONE},
        {"{\"Type\":\"npipe\",\"Source\":\"a\",\"Target\":\"/b\"}", ERR_INVALID},
        {"{\"Type\":\"other\",\"Target\":\"/b\"}", ERR_INVALID},
        {"{}", ERR_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_json_ json_t *json = json_loads(rows[i].json, 0, NULL);
        _cleanup_volume_mount_ struct volume_mount m = {0};
        struct err err = {0};
        int r = volume_mount_parse_json(json, &m, &err);

        assert_int_equal(r, rows[i].kind == ERR_NONE ? 0 : -1);
        assert_int_equal(err.kind, rows[i].kind);
    }
}

static void test_names(void **state)
{
    static const char *const bad[] = {"", "a", "-a", ".a", "a/b", "a b", "../x", "ä1"};

    (void)state;
    assert_true(volume_name_is_valid("web-data_1.x"));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(volume_name_is_valid(bad[i]));
}

static void test_copy_up(void **state)
{
    char root[] = "/tmp/keg-unit-XXXXXX", text[8] = "";
    _cleanup_free_ char *data = NULL;
    _cleanup_close_ int from = -EBADF, to = -EBADF, file = -EBADF;
    struct stat a, b;
    struct err err = {0};

    (void)state;
    assert_non_null(mkdtemp(root));
    assert_int_equal(chdir(root), 0);
    assert_int_equal(mkdir("image", 0750), 0);
    assert_int_equal(mkdir("image/sub", 01777), 0);
    file = open("image/sub/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0640);
    assert_int_equal(write(file, "text", 4), 4);
    assert_int_equal(link("image/sub/file", "image/again"), 0);
    assert_int_equal(symlink("/etc/passwd", "image/out"), 0);
    assert_int_equal(mkfifo("image/fifo", 0600), 0);
    assert_int_equal(volume_directory_create(root, "data", /* sync= */ true, &data, &err), 0);
    from = open("image", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    to = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(volume_copy_up(from, to, &err), 0);
    assert_int_equal(fstat(to, &a), 0);
    assert_int_equal(a.st_mode & 07777, 0750);
    assert_int_equal(fstatat(to, "sub/file", &a, 0), 0);
    assert_int_equal(fstatat(to, "again", &b, 0), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    assert_int_equal(a.st_mode & 07777, 0640);
    assert_int_equal(readlinkat(to, "out", text, sizeof(text)), sizeof(text));
    assert_memory_equal(text, "/etc/pas", 8);
    assert_int_equal(fstatat(to, "fifo", &a, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISFIFO(a.st_mode));
    assert_true(volume_directory_size(root, "data") >= 4);
    assert_int_equal(volume_copy_up(from, to, &err), 0); /* not empty: left alone */
    assert_int_equal(volume_directory_remove(root, "data", &err), 0);
    assert_int_equal(access(data, F_OK), -1);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(path_remove_all(AT_FDCWD, root), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bind_text),
        cmocka_unit_test(test_mount_json),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_copy_up),
    };

    umask(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
