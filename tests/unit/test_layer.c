/* The layer worker's parts: tar in and out, names, what is left to settle. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "storage/storage.h"
#include "storage/worker/inflate.h"
#include "storage/worker/layer_path.h"
#include "storage/worker/link_map.h"
#include "storage/worker/pending.h"
#include "tar/number.h"
#include "tar/pax.h"
#include "tar/writer.h"
#include "storage/worker/xattr_policy.h"

/* ---- Numbers ---- */

static void test_header_numbers(void **state _unused_)
{
    static const struct {
        const char *field;
        size_t size;
        int result;
        int64_t value;
    } rows[] = {
        {"0000644\0", 8, 0, 0644},
        {"   644 \0", 8, 0, 0644},
        {"\0\0\0\0\0\0\0\0", 8, 0, 0},
        {"77777777", 8, 0, 077777777},
        {"000089\0\0", 8, -EINVAL, 0},
        {"-00001\0\0", 8, -EINVAL, 0},
        {"\x80\0\0\0\0\0\0\0\0\x01\x02\x03", 12, 0, 0x10203},
        {"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12, 0, INT64_MAX},
        {"\x80\0\0\0\x80\0\0\0\0\0\0\0", 12, -ERANGE, 0},
        {"\x80\0\0\1\0\0\0\0\0\0\0\0", 12, -ERANGE, 0},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12, 0, -2},
        {"\xc0\0\0\0\0\0\0\0\0\0\0\0", 12, -ERANGE, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t value = 0;

        assert_int_equal(tar_number_parse(rows[i].field, rows[i].size, &value), rows[i].result);
        assert_int_equal(value, rows[i].value);
    }
}

static void test_times(void **state _unused_)
{
    static const struct {
        const char *text;
        int result;
        int64_t s;
        int32_t ns;
    } rows[] = {
        {"12", 0, 12, 0},
        {"12.5", 0, 12, 500000000},
        {"12.0000000019", 0, 12, 1},
        {"-1.25", 0, -2, 750000000},
        {"-3", 0, -3, 0},
        {"9223372036854775808", -ERANGE, 0, 0},
        {"", -EINVAL, 0, 0},
        {"1x", -EINVAL, 0, 0},
        {"1.2.3", -EINVAL, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t s = 0;
        int32_t ns = 0;

        assert_int_equal(tar_time_parse(rows[i].text, strlen(rows[i].text), &s, &ns), rows[i].result);
        assert_int_equal(s, rows[i].s);
        assert_int_equal(ns, rows[i].ns);
    }
}

/* ---- Extended headers ---- */

static int parse(struct tar_pax *pax, const char *text, struct err *err)
{
    *pax = (struct tar_pax)TAR_PAX_INIT;
    return tar_pax_parse(pax, text, strlen(text), err);
}

static void test_pax(void **state _unused_)
{
    static const char *const damaged[] = {
        "0 a=b\n", "6 a=b",   "5 a=b\n",  "99 a=b\n",   "x a=b\n",
        "6 a b\n", "6a=bc\n", "-6 a=b\n", "9 size=x\n", "17 GNU.sparse.major=2\n",
        "2 "};
    struct tar_pax pax;
    struct err err = {};

    assert_int_equal(parse(&pax, "11 path=ab\n14 linkpath=c\n11 size=12\n", &err), 0);
    assert_string_equal(pax.path, "ab");
    assert_string_equal(pax.link, "c");
    assert_int_equal(pax.size, 12);
    tar_pax_finish(&pax);
    assert_int_equal(parse(&pax, "28 SCHILY.xattr.user.a=1\n2\n\n", &err), 0);
    assert_int_equal(pax.n_xattrs, 1);
    assert_string_equal(pax.xattrs[0].name, "user.a");
    assert_int_equal(pax.xattrs[0].len, 4);
    tar_pax_finish(&pax);
    assert_int_equal(parse(&pax, "29 GNU.sparse.map=0,1,512,10\n", &err), 0);
    assert_int_equal(pax.n_segments, 2);
    assert_int_equal(pax.segments[1].offset, 512);
    tar_pax_finish(&pax);
    for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
        if (parse(&pax, damaged[i], &err) == 0)
            fail_msg("accepted: %s", damaged[i]);
        assert_int_equal(err.kind, ERR_INVALID);
        tar_pax_finish(&pax);
    }
}

/* ---- Writer and reader ---- */

struct memory {
    const uint8_t *data;
    size_t left;
};

static ssize_t memory_span(void *arg, const uint8_t **data, struct err *err _unused_)
{
    struct memory *m = arg;

    *data = m->data;
    return (ssize_t)MIN_OF(m->left, 300); /* pieces that fit no block */
}

static void memory_consume(void *arg, size_t n)
{
    struct memory *m = arg;

    assert_true(n <= m->left);
    m->data += n;
    m->left -= n;
}

static void write_entries(int fd, const struct tar_entry *entries, size_t n, const char *data)
{
    struct sink sink;
    struct err err = {};

    sink_init(&sink, fd);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(tar_write_header(&sink, &entries[i], &err), 0);
        assert_int_equal(sink_write(&sink, data, (size_t)entries[i].size, &err), 0);
        assert_int_equal(tar_write_padding(&sink, entries[i].size, &err), 0);
    }
    assert_int_equal(tar_write_end(&sink, &err), 0);
    assert_int_equal(sink_flush(&sink, &err), 0);
    assert_int_equal(sink.written % TAR_BLOCK, 0);
    sink_finish(&sink);
}

static void assert_same(const struct tar_entry *a, const struct tar_entry *b)
{
    assert_int_equal(a->type, b->type);
    assert_string_equal(a->path, b->path);
    assert_string_equal(a->link, b->link ? b->link : "");
    assert_int_equal(a->mode, b->mode);
    assert_int_equal(a->uid, b->uid);
    assert_int_equal(a->gid, b->gid);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->mtime, b->mtime);
    assert_int_equal(a->mtime_ns, b->mtime_ns);
    assert_int_equal(a->dev_major, b->dev_major);
    assert_int_equal(a->dev_minor, b->dev_minor);
    assert_int_equal(a->n_xattrs, b->n_xattrs);
    for (size_t i = 0; i < a->n_xattrs; i++) {
        assert_string_equal(a->xattrs[i].name, b->xattrs[i].name);
        assert_int_equal(a->xattrs[i].len, b->xattrs[i].len);
        assert_memory_equal(a->xattrs[i].value, b->xattrs[i].value, a->xattrs[i].len);
    }
}

static void read_entry(struct tar_reader *reader, const struct tar_entry *want, const char *data)
{
    const struct tar_entry *got;
    int64_t at = 0, offset;
    const uint8_t *piece;
    struct err err = {};
    ssize_t n;

    assert_int_equal(tar_reader_next(reader, &got, &err), 1);
    assert_same(got, want);
    while ((n = tar_reader_data(reader, &piece, &offset, &err)) > 0) {
        assert_int_equal(offset, at);
        assert_memory_equal(piece, data + at, (size_t)n);
        at += n;
    }
    assert_int_equal(n, 0);
    assert_int_equal(at, want->size);
}

static void test_round_trip(void **state _unused_)
{
    static char long_path[600], data[] = "some bytes \x01 of content";
    struct tar_xattr xattrs[] = {{(char *)"security.capability", (void *)"\0\1=\n", 4},
                                 {(char *)"user.x", (void *)"", 0}};
    const struct tar_entry entries[] = {
        {.type = TAR_FILE, .path = (char *)"a", .mode = 0644, .size = sizeof(data), .mtime = 1},
        {.type = TAR_FILE,
         .path = long_path,
         .mode = 06755,
         .uid = 4000000000,
         .gid = 2097152,
         .size = 1,
         .mtime = -2,
         .mtime_ns = 750000000},
        {.type = TAR_DIR, .path = (char *)"d/", .mode = 01777, .xattrs = xattrs, .n_xattrs = 2},
        {.type = TAR_SYMLINK, .path = (char *)"l", .link = long_path, .mode = 0777},
        {.type = TAR_HARDLINK, .path = (char *)"h", .link = (char *)"a", .mtime = 1LL << 40},
        {.type = TAR_CHAR, .path = (char *)"c", .dev_major = 4095, .dev_minor = 1048575},
        {.type = TAR_FIFO, .path = (char *)"\xe4\xff", .mtime_ns = 1},
    };
    _cleanup_close_ int fd = memfd_create("tar", MFD_CLOEXEC);
    _cleanup_(buf_finish) struct buf b = BUF_INIT(1 << 20);
    _cleanup_(tar_reader_free_p) struct tar_reader *reader = NULL;
    const struct tar_entry *e;
    struct memory memory;

    memset(long_path, 'p', sizeof(long_path) - 1);
    write_entries(fd, entries, ARRAY_SIZE(entries), data);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(fd_read_all(fd, &b), 0);
    memory = (struct memory){(const uint8_t *)b.data, b.len};
    reader = tar_reader_new(&(struct tar_input){memory_span, memory_consume, &memory});
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
        read_entry(reader, &entries[i], data);
    assert_int_equal(tar_reader_next(reader, &e, NULL), 0);
    assert_int_equal(tar_reader_drain(reader, NULL), 0);
    assert_int_equal(memory.left, 0);
}

/* ---- The rest ---- */

static void test_paths(void **state _unused_)
{
    static const struct {
        const char *name, *text, *parent; /* text NULL: refused */
    } rows[] = {
        {"a/b/c", "a/b/c", "a/b"},
        {"/a//b/", "a/b", "a"},
        {"./", "", ""},
        {"a/./b/..", "a", ""},
        {"a/../b", "b", ""},
        {"..", NULL, NULL},
        {"a/../..", NULL, NULL},
        {"../a", NULL, NULL},
        {"...", "...", ""},
        {"a/..b/c..", "a/..b/c..", "a/..b"},
        {"", "", ""},
    };
    struct layer_path path;
    char parent[TAR_PATH_MAX + 1];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int r = layer_path_set(&path, rows[i].name, NULL);

        assert_int_equal(r, rows[i].text ? 0 : -1);
        if (r < 0)
            continue;
        assert_string_equal(path.text, rows[i].text);
        layer_path_parent(&path, parent);
        assert_string_equal(parent, rows[i].parent);
    }
}

static void test_xattr_policy(void **state _unused_)
{
    assert_int_equal(xattr_policy("trusted.overlay.opaque"), XATTR_DROP);
    assert_int_equal(xattr_policy("user.overlay.whiteout"), XATTR_DROP);
    assert_int_equal(xattr_policy("user.note"), XATTR_MAY);
    assert_int_equal(xattr_policy("trusted.other"), XATTR_MAY);
    assert_int_equal(xattr_policy("security.capability"), XATTR_MUST);
    assert_int_equal(xattr_policy("system.posix_acl_default"), XATTR_MUST);
    assert_int_equal(xattr_policy("security.ima"), XATTR_DROP);
    assert_int_equal(xattr_policy("anything"), XATTR_DROP);
}

static void test_pending(void **state _unused_)
{
    struct pending p = PENDING_INIT;
    struct pending_row row;
    const char *text;
    size_t len;

    pending_add_dir(&p, "a/b");
    pending_add_link(&p, "x", "y");
    text = buf_str(&p.text);
    len = p.text.len;
    assert_int_equal(pending_next(&text, &len, &row), 1);
    assert_string_equal(row.path, "a/b");
    assert_null(row.target);
    assert_int_equal(pending_next(&text, &len, &row), 1);
    assert_string_equal(row.target, "y");
    assert_int_equal(pending_next(&text, &len, &row), 0);
    text = buf_str(&p.text);
    len = p.text.len - 1;
    assert_int_equal(pending_next(&text, &len, &row), 1);
    assert_int_equal(pending_next(&text, &len, &row), -EINVAL);
    buf_finish(&p.text);
}

static void test_link_map(void **state _unused_)
{
    struct link_map m = {};
    char name[20];

    for (ino_t i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "n%d", (int)i);
        assert_null(link_map_put(&m, i % 3, i, name));
    }
    assert_string_equal(link_map_put(&m, 4999 % 3, 4999, "other"), "n4999");
    assert_null(link_map_put(&m, 4, 4999, "other device"));
    link_map_finish(&m);
}

static void test_formats(void **state _unused_)
{
    struct err err = {};
    struct inflate *z = inflate_new((const uint8_t *)"\x1f\x8b\x08\0\0\0", 6, &err);

    assert_non_null(z);
    assert_false(inflate_is_plain(z));
    inflate_free(z);
    z = inflate_new((const uint8_t *)"\x5a\x2a\x4d\x18\0\0", 6, &err); /* zstd, a skippable frame first */
    assert_non_null(z);
    assert_false(inflate_is_plain(z));
    inflate_free(z);
    z = inflate_new((const uint8_t *)"x", 1, &err);
    assert_true(inflate_is_plain(z));
    inflate_free(z);
    z = inflate_new((const uint8_t *)"BZh911", 6, &err);
    assert_non_null(z);
    assert_false(inflate_is_plain(z));
    inflate_free(z);
}

static void test_chain_id(void **state _unused_)
{
    char a[STORAGE_DIGEST_SIZE], b[STORAGE_DIGEST_SIZE], diff[STORAGE_DIGEST_SIZE];

    snprintf(diff, sizeof(diff), "sha256:%064d", 1);
    assert_int_equal(storage_chain_id(NULL, diff, a, NULL), 0);
    assert_string_equal(a, diff);
    assert_int_equal(storage_chain_id(a, diff, b, NULL), 0);
    /* printf 'sha256:0…01 sha256:0…01' | sha256sum */
    assert_string_equal(b, "sha256:b53a25b93c7dc3371b718b0327a520b573759eb2999e7431eb08adfdb64835e3");
    assert_int_equal(storage_chain_id("", "sha256:ABC", b, NULL), -1);
    assert_int_equal(storage_chain_id("md5:1", diff, b, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_numbers),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_pax),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_xattr_policy),
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_link_map),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_chain_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
