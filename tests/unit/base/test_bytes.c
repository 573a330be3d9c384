/* test_bytes: readers that fail at the call, builders that fail once and stay failed. */
#include "tests/unit/base/test.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "tests/unit/base/fail_alloc.h"

static int sign(int v)
{
        return (v > 0) - (v < 0);
}

static void order_is_that_of_the_stores_keys(void **state)
{
        (void)state;
        assert_int_equal(sign(bytes_compare(BYTES_LIT("ab"), BYTES_LIT("abc"))), -1);
        assert_int_equal(sign(bytes_compare(BYTES_LIT("b"), BYTES_LIT("abc"))), 1);
        assert_int_equal(sign(bytes_compare(BYTES_LIT("\x7f"), BYTES_LIT("\x80"))), -1);
        assert_int_equal(bytes_compare(BYTES_LIT("abc"), BYTES_LIT("abc")), 0);
        assert_int_equal(bytes_compare(BYTES_NONE, BYTES_NONE), 0);
        assert_int_equal(sign(bytes_compare(BYTES_NONE, BYTES_LIT("a"))), -1);
        assert_true(bytes_equal(BYTES_NONE, BYTES_LIT("")));
}

/* In memory of just their length; behind the first octet that differs all may be alike, or none. */
static void check_common(size_t len, size_t first_other, uint8_t difference, uint8_t then)
{
        _cleanup_free_ uint8_t *a = malloc(len + (len == 0)), *b = malloc(len + (len == 0));

        for (size_t i = 0; i < len; i++) {
                a[i] = (uint8_t)(i * 37);
                b[i] = a[i] ^ (i < first_other ? 0 : i == first_other ? difference : then);
        }
        assert_int_equal(bytes_common(a, b, len), first_other);
        assert_int_equal(bytes_common(b, a, len), first_other);
        for (size_t shorter = 0; shorter < first_other; shorter++)
                assert_int_equal(bytes_common(a, b, shorter), shorter);
}

static void what_two_begin_with_alike_is_counted_to_the_octet(void **state)
{
        static const uint8_t differences[] = {0x01, 0x80, 0xff};

        (void)state;
        for (size_t len = 0; len <= 33; len++) {
                for (size_t at = 0; at <= len; at++) {
                        for (size_t i = 0; i < sizeof differences; i++) {
                                check_common(len, at, differences[i], 0);
                                check_common(len, at, differences[i], 0xff);
                        }
                }
        }
}

static void takers_read_big_endian_and_advance(void **state)
{
        const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
        struct bytes in = BYTES_OF(data);
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;

        (void)state;
        assert_int_equal(bytes_take_u8(&in, &u8), OK);
        assert_int_equal(bytes_take_u16(&in, &u16), OK);
        assert_int_equal(bytes_take_u32(&in, &u32), OK);
        assert_int_equal(bytes_take_u64(&in, &u64), OK);
        assert_int_equal(u8, 1);
        assert_int_equal(u16, 0x0203);
        assert_int_equal(u32, 0x04050607);
        assert_true(u64 == 0x08090a0b0c0d0e0f);
        assert_int_equal(in.len, 0);
}

static void a_taker_that_fails_touches_nothing(void **state)
{
        const uint8_t data[] = {0, 0, 0, 9, 1, 2, 3};
        struct bytes in = {data, 7}, block = {data, 5};
        uint64_t u64 = 42;
        uint16_t u16 = 42;
        struct bytes one = {data, 1};

        (void)state;
        assert_int_equal(bytes_take_u64(&in, &u64), ERR_INVALID);
        assert_int_equal(bytes_take_block32(&in, &block), ERR_INVALID);
        assert_int_equal(bytes_take(&in, 8, &block), ERR_INVALID);
        assert_int_equal(bytes_take(&in, SIZE_MAX, &block), ERR_INVALID);
        assert_int_equal(bytes_take_u16(&one, &u16), ERR_INVALID);
        assert_true(in.data == data && in.len == 7 && block.len == 5 && u64 == 42 && u16 == 42 && one.len == 1);
}

static void blocks_come_back_as_they_were_put(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct bytes in, first, second;

        (void)state;
        builder_put_block16(&b, BYTES_LIT("one"));
        builder_put_block32(&b, BYTES_NONE);
        in = builder_bytes(&b);
        assert_int_equal(in.len, 2 + 3 + 4);
        assert_int_equal(bytes_take_block16(&in, &first), OK);
        assert_int_equal(bytes_take_block32(&in, &second), OK);
        assert_true(bytes_equal(first, BYTES_LIT("one")) && second.len == 0 && in.len == 0);
}

static void a_block_longer_than_its_length_field_fails_the_builder(void **state)
{
        static uint8_t big[UINT16_MAX + 1];
        _cleanup_(builder_done) struct builder fits = {0}, b = {0};

        (void)state;
        builder_put_block16(&fits, bytes_make(big, UINT16_MAX));
        assert_false(builder_failed(&fits));
        builder_put_block16(&b, BYTES_OF(big));
        assert_true(builder_failed(&b));
        assert_int_equal(b.len, 0);
}

static void hex_goes_both_ways(void **state)
{
        const uint8_t data[] = {0x00, 0x9f, 0xa0, 0xff};
        uint8_t back[4];
        char text[9];
        size_t len;

        (void)state;
        assert_string_equal(bytes_to_hex(BYTES_OF(data), text), "009fa0ff");
        assert_int_equal(bytes_from_hex(BYTES_LIT("009FA0ff"), back, sizeof(back), &len), OK);
        assert_int_equal(len, 4);
        assert_memory_equal(back, data, 4);
}

static void what_is_not_hex_is_refused(void **state)
{
        static const char *const bad[] = {"0", "0g", "g0", "0:", " 0", "0x00", "@0", "`0", "/0"};
        uint8_t back[4] = {7};
        size_t len = 42;

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                assert_int_equal(bytes_from_hex(bytes_str(bad[i]), back, sizeof(back), &len), ERR_INVALID);
        assert_int_equal(bytes_from_hex(BYTES_LIT("0011223344"), back, sizeof(back), &len), ERR_RANGE);
        assert_true(len == 42 && back[0] == 7);
}

static void a_builder_grows_and_keeps_what_it_holds(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};

        (void)state;
        for (unsigned i = 0; i < 10000; i++)
                builder_put_u16(&b, (uint16_t)i);
        assert_false(builder_failed(&b));
        assert_int_equal(b.len, 20000);
        for (unsigned i = 0; i < 10000; i++)
                assert_int_equal(b.data[2 * i] << 8 | b.data[2 * i + 1], i);
}

static void integers_are_put_big_endian(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};

        (void)state;
        builder_put_u8(&b, 1);
        builder_put_u16(&b, 0x0203);
        builder_put_u32(&b, 0x04050607);
        builder_put_u64(&b, 0x08090a0b0c0d0e0f);
        assert_true(
                bytes_equal(builder_bytes(&b), BYTES_LIT("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f")));
}

static void fixed_memory_is_never_written_past(void **state)
{
        char memory[8] = "xxxxxxxx";
        struct builder b = builder_fixed(memory, 4);

        (void)state;
        builder_put_str(&b, "abcd");
        assert_false(builder_failed(&b));
        builder_put_u8(&b, 'e');
        assert_true(builder_failed(&b));
        assert_memory_equal(memory, "abcdxxxx", 8);
        builder_done(&b); /* must not free it */
}

/* NULL would say that it failed. */
static void there_is_always_room_for_nothing(void **state)
{
        _cleanup_(builder_done) struct builder empty = {0};
        char memory[4];
        struct builder full = builder_fixed(memory, sizeof memory);

        (void)state;
        assert_non_null(builder_extend(&empty, 0));
        assert_int_equal(empty.len, 0);
        assert_ptr_equal(builder_extend(&full, sizeof memory), memory);
        assert_ptr_equal(builder_extend(&full, 0), &memory[sizeof memory]);
        assert_false(builder_failed(&full));
        assert_null(builder_extend(&full, 1));
        assert_null(builder_extend(&full, 0));
        assert_int_equal(full.len, sizeof memory);
}

static void failure_is_sticky_until_reset(void **state)
{
        char memory[4];
        struct builder b = builder_fixed(memory, sizeof(memory));

        (void)state;
        builder_put_str(&b, "abcde");
        builder_put_str(&b, "x");
        assert_true(builder_failed(&b));
        assert_int_equal(b.len, 0);
        assert_null(builder_extend(&b, 0));
        builder_reset(&b);
        builder_put_str(&b, "x");
        assert_false(builder_failed(&b));
        assert_int_equal(b.len, 1);
}

static void insert_opens_a_gap(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        uint8_t *gap;

        (void)state;
        builder_put_str(&b, "held");
        gap = builder_insert(&b, 2, 3);
        assert_non_null(gap);
        memcpy(gap, "...", 3);
        assert_true(bytes_equal(builder_bytes(&b), BYTES_LIT("he...ld")));
        gap = builder_insert(&b, 7, 1);
        assert_ptr_equal(gap, b.data + 7);
        assert_null(builder_insert(&b, 9, 1));
        assert_true(builder_failed(&b));
}

static void a_length_that_would_overflow_fails(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};

        (void)state;
        builder_put_u8(&b, 1);
        assert_null(builder_extend(&b, SIZE_MAX));
        assert_true(builder_failed(&b));
        assert_int_equal(b.len, 1);
}

static void printf_writes_no_nul_and_any_length(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        char exact[300];
        struct builder fixed = builder_fixed(exact, 5);

        (void)state;
        builder_printf(&b, "%d-%s", 12, "ab");
        builder_printf(&b, "%0400d", 7);
        assert_int_equal(b.len, 5 + 400);
        assert_memory_equal(b.data, "12-ab000", 8);
        assert_int_equal(b.data[b.len - 1], '7');
        builder_printf(&fixed, "%s", "12345");
        assert_false(builder_failed(&fixed));
        assert_int_equal(fixed.len, 5);
}

static void move_leaves_the_source_empty(void **state)
{
        _cleanup_(builder_done) struct builder from = {0}, to = {0};

        (void)state;
        builder_put_str(&from, "x");
        builder_move(&to, &from);
        assert_null(from.data);
        assert_int_equal(from.len, 0);
        assert_int_equal(to.len, 1);
}

static void a_failed_allocation_loses_nothing_written_before(void **state)
{
        (void)state;
        for (int n = 0;; n++) {
                _cleanup_(builder_done) struct builder b = {0};
                bool happened;

                fail_alloc_after(n);
                for (unsigned i = 0; i < 500; i++)
                        builder_put_u8(&b, (uint8_t)i);
                happened = fail_alloc_happened();
                fail_alloc_after(-1);
                assert_int_equal(builder_failed(&b), happened);
                for (size_t i = 0; i < b.len; i++)
                        assert_int_equal(b.data[i], (uint8_t)i);
                if (!happened)
                        break;
                assert_true(b.len < 500);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(order_is_that_of_the_stores_keys),
                cmocka_unit_test(what_two_begin_with_alike_is_counted_to_the_octet),
                cmocka_unit_test(takers_read_big_endian_and_advance),
                cmocka_unit_test(a_taker_that_fails_touches_nothing),
                cmocka_unit_test(blocks_come_back_as_they_were_put),
                cmocka_unit_test(a_block_longer_than_its_length_field_fails_the_builder),
                cmocka_unit_test(hex_goes_both_ways),
                cmocka_unit_test(what_is_not_hex_is_refused),
                cmocka_unit_test(a_builder_grows_and_keeps_what_it_holds),
                cmocka_unit_test(integers_are_put_big_endian),
                cmocka_unit_test(fixed_memory_is_never_written_past),
                cmocka_unit_test(there_is_always_room_for_nothing),
                cmocka_unit_test(failure_is_sticky_until_reset),
                cmocka_unit_test(insert_opens_a_gap),
                cmocka_unit_test(a_length_that_would_overflow_fails),
                cmocka_unit_test(printf_writes_no_nul_and_any_length),
                cmocka_unit_test(move_leaves_the_source_empty),
                cmocka_unit_test(a_failed_allocation_loses_nothing_written_before),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
