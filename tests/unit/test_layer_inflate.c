/* Compressed streams as they are met: every optional part of gzip's header, members and frames in any number, padding;
 * all of it in pieces that fit nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <bzlib.h>
#include <cmocka.h>
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <lzma.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "storage/worker/inflate.h"

enum { PLAIN_SIZE = 100000, STREAM_MAX = 16 * 1024 * 1024 };

enum gzip_flag { FHCRC = 2, FEXTRA = 4, FNAME = 8, FCOMMENT = 16 };

static uint8_t plain[PLAIN_SIZE];

static void put_le(struct buf *b, uint32_t value, size_t bytes)
{
    for (; bytes > 0; bytes--, value >>= 8)
        buf_putc(b, (char)value);
}

/* Raw deflate. */
static void deflate_to(struct buf *b, const uint8_t *data, size_t len)
{
    static uint8_t level[ISAL_DEF_LVL1_DEFAULT], out[2 * PLAIN_SIZE];
    struct isal_zstream z;

    isal_deflate_init(&z);
    z.level = 1;
    z.level_buf = level;
    z.level_buf_size = sizeof(level);
    z.end_of_stream = 1;
    z.next_in = (uint8_t *)data;
    z.avail_in = (uint32_t)len;
    z.next_out = out;
    z.avail_out = sizeof(out);
    assert_int_equal(isal_deflate(&z), COMP_OK);
    assert_int_equal(z.avail_in, 0);
    buf_append(b, out, sizeof(out) - z.avail_out);
}

/* A member with the header's optional parts (RFC 1952), the extra field of `extra` bytes. */
static void add_member(struct buf *b, unsigned int flags, size_t extra, const uint8_t *data, size_t len)
{
    size_t start = b->len;

    put_le(b, 0x88b1f | flags << 24, 4);
    put_le(b, 1000000000, 4);
    put_le(b, 0xff00, 2);
    if (flags & FEXTRA) {
        put_le(b, (uint32_t)extra, 2);
        for (size_t i = 0; i < extra; i++)
            buf_putc(b, (char)i);
    }
    if (flags & FNAME)
        buf_append(b, "a name", sizeof("a name"));
    if (flags & FCOMMENT)
        buf_append(b, "a comment", sizeof("a comment"));
    if (flags & FHCRC)
        put_le(b, crc32_gzip_refl(0, (const uint8_t *)b->data + start, b->len - start), 2);
    deflate_to(b, data, len);
    put_le(b, crc32_gzip_refl(0, data, len), 4);
    put_le(b, (uint32_t)len, 4);
}

static void add_frame(struct buf *b, const uint8_t *data, size_t len)
{
    static uint8_t out[2 * PLAIN_SIZE];
    size_t n = ZSTD_compress(out, sizeof(out), data, len, 3);

    assert_false(ZSTD_isError(n));
    buf_append(b, out, n);
}

static void add_xz(struct buf *b, const uint8_t *data, size_t len)
{
    static uint8_t out[2 * PLAIN_SIZE];
    size_t n = 0;

    assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, data, len, out, &n, sizeof(out)),
                     LZMA_OK);
    buf_append(b, out, n);
}

static void add_bzip2(struct buf *b, const uint8_t *data, size_t len)
{
    static char out[2 * PLAIN_SIZE];
    unsigned n = sizeof(out);

    assert_int_equal(BZ2_bzBuffToBuffCompress(out, &n, (char *)data, (unsigned)len, 9, 0, 0), BZ_OK);
    buf_append(b, out, n);
}

static void add_skippable(struct buf *b, unsigned int kind, size_t len)
{
    put_le(b, 0x184d2a50 + kind, 4);
    put_le(b, (uint32_t)len, 4);
    for (size_t i = 0; i < len; i++)
        buf_putc(b, (char)(i * 7));
}

/* One run as storage/worker/source.c makes it: blocks of `block` bytes, asked again when one was filled. 0 or -1. */
static int inflate_all(const struct buf *in, size_t piece, size_t block, struct buf *out, struct err *err)
{
    _cleanup_(inflate_free_p) struct inflate *z =
        inflate_new((const uint8_t *)in->data, MIN_OF(in->len, INFLATE_MAGIC_SIZE), err);
    _cleanup_free_ uint8_t *room = xmalloc(block);

    if (!z)
        return -1;
    for (size_t at = 0; at < in->len; at += piece) {
        struct inflate_step step = {.in = (const uint8_t *)in->data + at,
                                    .in_len = MIN_OF(piece, in->len - at)};

        do {
            step.out = room;
            step.out_len = block;
            if (inflate_run(z, &step, err) < 0)
                return -1;
            buf_append(out, room, block - step.out_len);
        } while (step.in_len > 0 || step.out_len == 0);
    }
    return inflate_end(z, err);
}

/* The stream is `times` times the plain text, however it is cut. */
static void assert_plain(const char *what, const struct buf *stream, size_t times)
{
    static const size_t pieces[][2] = {
        {1, 256 * 1024}, {3, 1000}, {4096, 1}, {1 << 20, PLAIN_SIZE}, {1 << 20, 256 * 1024}};

    assert_false(buf_failed(stream));
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        _cleanup_(buf_finish) struct buf out = BUF_INIT(STREAM_MAX);
        struct err err = {};

        if (inflate_all(stream, pieces[i][0], pieces[i][1], &out, &err) < 0)
            fail_msg("%s, in pieces of %zu, out in %zu: %s", what, pieces[i][0], pieces[i][1], err.message);
        assert_int_equal(out.len, times * PLAIN_SIZE);
        for (size_t n = 0; n < times; n++)
            assert_memory_equal(out.data + n * PLAIN_SIZE, plain, PLAIN_SIZE);
    }
}

static void test_gzip_headers(void **state _unused_)
{
    static const struct {
        const char *what;
        unsigned int flags;
        size_t extra;
    } rows[] = {
        {"bare", 0, 0},
        {"name", FNAME, 0},
        {"comment", FCOMMENT, 0},
        {"extra field", FEXTRA, 26},
        {"empty extra field", FEXTRA, 0},
        {"largest extra field", FEXTRA, 65535},
        {"all, with the header's checksum", FHCRC | FEXTRA | FNAME | FCOMMENT, 300},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(buf_finish) struct buf b = BUF_INIT(STREAM_MAX);

        add_member(&b, rows[i].flags, rows[i].extra, plain, sizeof(plain));
        assert_plain(rows[i].what, &b, 1);
    }
}

static void test_gzip_members(void **state _unused_)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(STREAM_MAX);

    /* As eStargz writes layers: a member for each file or piece of one, and at the end an empty one whose extra field tells
     * where the table of contents is. */
    for (size_t at = 0; at < sizeof(plain); at += 10000)
        add_member(&b, 0, 0, plain + at, 10000);
    add_member(&b, FEXTRA, 26, plain, 0);
    assert_plain("members and an empty one", &b, 1);
    add_member(&b, FNAME, 0, plain, sizeof(plain));
    for (size_t i = 0; i < 700; i++)
        buf_putc(&b, 0);
    assert_plain("members and padding", &b, 2);
}

static void test_zstd_frames(void **state _unused_)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(STREAM_MAX);

    add_frame(&b, plain, sizeof(plain));
    assert_plain("a frame", &b, 1);
    add_skippable(&b, 0, 0);
    add_frame(&b, plain, 50000);
    add_skippable(&b, 15, 70000);
    add_frame(&b, plain + 50000, 50000);
    add_frame(&b, plain, 0);
    /* As zstd:chunked ends: a manifest that others pass over, and a footer. */
    add_skippable(&b, 0, 3000);
    add_skippable(&b, 0, 64);
    assert_plain("frames, some of them skippable", &b, 2);
}

static void test_skippable_first(void **state _unused_)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(STREAM_MAX);

    add_skippable(&b, 10, 5);
    add_frame(&b, plain, sizeof(plain));
    assert_plain("a skippable frame first", &b, 1);
}

static void test_xz_and_bzip2(void **state _unused_)
{
    static void (*const adds[])(struct buf * b, const uint8_t *data, size_t len) = {add_xz, add_bzip2};

    for (size_t i = 0; i < ARRAY_SIZE(adds); i++) {
        _cleanup_(buf_finish) struct buf b = BUF_INIT(STREAM_MAX);

        adds[i](&b, plain, sizeof(plain));
        assert_plain("one stream", &b, 1);
        assert_true(inflate_is_foreign((const uint8_t *)b.data, INFLATE_MAGIC_SIZE));
        adds[i](&b, plain, 50000);
        adds[i](&b, plain + 50000, 50000);
        adds[i](&b, plain, 0);
        assert_plain("several", &b, 2);
        for (size_t n = 0; n < 512; n++)
            buf_putc(&b, 0);
        assert_plain("several and padding", &b, 2);
    }
}

/* The checksum of the header's `len` bytes at `at`, behind them. */
static void put_crc(struct buf *b, size_t at, size_t len)
{
    uint32_t crc = lzma_crc32((const uint8_t *)b->data + at, len, 0);

    memcpy(b->data + at + len, &crc, sizeof(crc));
}

/* A header may ask for a dictionary of 4 GiB. */
static void test_xz_memory(void **state _unused_)
{
    static const char big[] = "\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46"
                              "\x02\x00\x21\x01\x28\x00\x00\x00\x00\x00\x00\x00";
    struct buf b = {.data = xmalloc(sizeof(big)), .len = sizeof(big) - 1};
    _cleanup_(buf_finish) struct buf out = BUF_INIT(STREAM_MAX);
    struct err err = {};

    memcpy(b.data, big, sizeof(big));
    put_crc(&b, 12, 8);
    assert_int_equal(inflate_all(&b, 100, 100, &out, &err), -1);
    assert_string_equal(err.message,
                        "the xz stream needs more than 256 MiB of memory: recompress it with gzip or zstd");
    free(b.data);
}

/* Every prefix of a stream but the whole is an error, and says so. */
static void test_truncated(void **state _unused_)
{
    _cleanup_(buf_finish) struct buf gzip = BUF_INIT(STREAM_MAX);
    _cleanup_(buf_finish) struct buf zstd = BUF_INIT(STREAM_MAX);
    _cleanup_(buf_finish) struct buf xz = BUF_INIT(STREAM_MAX), bzip2 = BUF_INIT(STREAM_MAX);
    const struct buf *streams[] = {&gzip, &zstd, &xz, &bzip2};

    add_member(&gzip, FHCRC | FEXTRA | FNAME, 20, plain, 300);
    add_frame(&zstd, plain, 300);
    add_xz(&xz, plain, 300);
    add_bzip2(&bzip2, plain, 300);
    for (size_t s = 0; s < ARRAY_SIZE(streams); s++)
        for (size_t len = INFLATE_MAGIC_SIZE; len < streams[s]->len; len++) {
            struct buf cut = {.data = streams[s]->data, .len = len};
            _cleanup_(buf_finish) struct buf out = BUF_INIT(STREAM_MAX);
            struct err err = {};

            assert_int_equal(inflate_all(&cut, 7, 100, &out, &err), -1);
            assert_int_equal(err.kind, ERR_INVALID);
        }
}

static void test_garbage(void **state _unused_)
{
    static const char *const tails[] = {"x", "\x1f", "\x1f\x8b", "\x1f\x8b\x08\xe0", "\0\x1f"};

    for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
        _cleanup_(buf_finish) struct buf b = BUF_INIT(STREAM_MAX);
        _cleanup_(buf_finish) struct buf out = BUF_INIT(STREAM_MAX);
        struct err err = {};

        add_member(&b, 0, 0, plain, 300);
        buf_append(&b, tails[i], i == 4 ? 2 : strlen(tails[i]));
        assert_int_equal(inflate_all(&b, 1 << 20, 4096, &out, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
    }
}

/* A frame may ask for a window of terabytes. */
static void test_zstd_window(void **state _unused_)
{
    struct buf b = {.data = (char *)"\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00", .len = 9};
    _cleanup_(buf_finish) struct buf out = BUF_INIT(STREAM_MAX);
    struct err err = {};

    assert_int_equal(inflate_all(&b, 9, 100, &out, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gzip_headers), cmocka_unit_test(test_gzip_members),
        cmocka_unit_test(test_zstd_frames),  cmocka_unit_test(test_skippable_first),
        cmocka_unit_test(test_truncated),    cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_zstd_window),  cmocka_unit_test(test_xz_and_bzip2),
        cmocka_unit_test(test_xz_memory),
    };

    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)((i * i >> 7) ^ i);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
