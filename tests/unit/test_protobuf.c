/* CRIU's messages: what is written is read again, byte by byte as the format has it, and nothing is read past the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "runtime/checkpoint/protobuf.h"

static struct pb_reader reader_of(const void *data, size_t len)
{
    return (struct pb_reader){data, (const uint8_t *)data + len};
}

static void test_bytes(void **state)
{
    _cleanup_(buf_finish) struct buf b = BUF_INIT(4096), inner = BUF_INIT(4096);
    /* 1: 150, 2: "ab", 16: {1: -1} */
    static const uint8_t expected[] = {0x08, 0x96, 0x01, 0x12, 2,    'a',  'b',  0x82, 0x01, 11,  0x08,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};

    (void)state;
    pb_put_int(&b, 1, 150);
    pb_put_string(&b, 2, "ab");
    pb_put_int(&inner, 1, -1);
    pb_put_message(&b, 16, &inner);
    assert_false(buf_failed(&b));
    assert_int_equal(b.len, sizeof(expected));
    assert_memory_equal(b.data, expected, sizeof(expected));
}

static void test_round_trip(void **state)
{
    static const int64_t numbers[] = {0, 1, 127, 128, 31600, INT32_MAX, -1, INT64_MIN, INT64_MAX};
    _cleanup_(buf_finish) struct buf b = BUF_INIT(4096);
    struct pb_reader r;
    struct pb_field f;

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        pb_put_int(&b, (unsigned)i + 1, numbers[i]);
    pb_put_string(&b, 1000, "");
    r = reader_of(b.data, b.len);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        assert_int_equal(pb_next(&r, &f), 1);
        assert_int_equal(f.number, i + 1);
        assert_true(f.is_int);
        assert_true((int64_t)f.value == numbers[i]);
    }
    assert_int_equal(pb_next(&r, &f), 1);
    assert_int_equal(f.number, 1000);
    assert_int_equal(f.len, 0);
    assert_int_equal(pb_next(&r, &f), 0);
}

static void test_other_types_are_passed_over(void **state)
{
    static const uint8_t data[] = {0x0d, 1, 2, 3, 4, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x18, 9};
    struct pb_reader r = reader_of(data, sizeof(data));
    struct pb_field f;

    (void)state;
    assert_int_equal(pb_next(&r, &f), 1);
    assert_int_equal(f.number, 3);
    assert_int_equal(f.value, 9);
    assert_int_equal(pb_next(&r, &f), 0);
}

static void test_broken(void **state)
{
    static const struct {
        uint8_t data[12];
        size_t len;
    } broken[] = {
        {{0x08}, 1},                                                                    /* no value */
        {{0x08, 0x80}, 2},                                                              /* cut off */
        {{0x12, 3, 'a', 'b'}, 4},                                                       /* too short */
        {{0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 11},       /* huge */
        {{0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, 12}, /* overlong */
        {{0x0b, 1}, 2},                                                                 /* a group */
        {{0x00, 1}, 2},                                                                 /* field 0 */
        {{0x0d, 1, 2, 3}, 4},                                                           /* cut off */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        struct pb_reader r = reader_of(broken[i].data, broken[i].len);
        struct pb_field f;

        assert_int_equal(pb_next(&r, &f), -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_other_types_are_passed_over),
        cmocka_unit_test(test_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
