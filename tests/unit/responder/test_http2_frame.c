/* HTTP/2's frames and fields by themselves (RFC 9113 4, 6, 8.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "responder/http/http2_field.h"
#include "responder/http/http2_frame.h"

static void a_frame_is_read_as_it_was_written(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct http2_frame f;
        struct bytes in;

        (void)state;
        http2_put_head(&b, HTTP2_DATA, HTTP2_END_STREAM, 0x7ffffffd, 3);
        builder_put(&b, BYTES_LIT("abc"));
        http2_put_rst_stream(&b, 5, HTTP2_CANCEL);
        for (size_t n = 0; n < HTTP2_FRAME_HEAD + 3; n++) {
                in = bytes_make(b.data, n);
                assert_int_equal(http2_frame_take(&in, &f), ERR_AGAIN);
                assert_int_equal(in.len, n);
        }
        in = builder_bytes(&b);
        assert_int_equal(http2_frame_take(&in, &f), OK);
        assert_int_equal(f.type, HTTP2_DATA);
        assert_int_equal(f.flags, HTTP2_END_STREAM);
        assert_int_equal(f.stream, 0x7ffffffd);
        assert_true(bytes_equal(f.payload, BYTES_LIT("abc")));
        assert_int_equal(http2_frame_take(&in, &f), OK);
        assert_int_equal(f.type, HTTP2_RST_STREAM);
        assert_true(bytes_equal(f.payload, BYTES_LIT("\0\0\0\x08")));
        assert_int_equal(in.len, 0);
}

/* RFC 9113 4.1 */
static void the_reserved_bit_means_nothing(void **state)
{
        struct bytes in = BYTES_LIT("\0\0\0\0\0\x80\0\0\x01");
        struct http2_frame f;

        (void)state;
        assert_int_equal(http2_frame_take(&in, &f), OK);
        assert_int_equal(f.stream, 1);
}

/* RFC 9113 4.2: known by its head, before anything of it is kept */
static void a_frame_that_is_too_long_is_refused_by_its_head(void **state)
{
        struct bytes longest = BYTES_LIT("\0\x40\0\0\0\0\0\0\x01"), longer = BYTES_LIT("\0\x40\x01\0\0\0\0\0\x01");
        struct http2_frame f;

        (void)state;
        assert_int_equal(http2_frame_take(&longest, &f), ERR_AGAIN);
        assert_int_equal(http2_frame_take(&longer, &f), ERR_RANGE);
}

static void each_type_has_its_lengths_and_its_place(void **state)
{
        static const struct {
                enum http2_type type;
                uint32_t stream;
                size_t len;
                enum http2_error want;
        } rows[] = {
                {HTTP2_DATA, 1, 0, HTTP2_NO_ERROR},
                {HTTP2_DATA, 0, 1, HTTP2_PROTOCOL_ERROR},          /* RFC 9113 6.1 */
                {HTTP2_HEADERS, 0, 1, HTTP2_PROTOCOL_ERROR},       /* 6.2 */
                {HTTP2_PRIORITY, 1, 5, HTTP2_NO_ERROR},
                {HTTP2_PRIORITY, 1, 4, HTTP2_FRAME_SIZE_ERROR},    /* 6.3 */
                {HTTP2_PRIORITY, 0, 5, HTTP2_PROTOCOL_ERROR},
                {HTTP2_RST_STREAM, 1, 4, HTTP2_NO_ERROR},
                {HTTP2_RST_STREAM, 1, 5, HTTP2_FRAME_SIZE_ERROR},  /* 6.4 */
                {HTTP2_RST_STREAM, 0, 4, HTTP2_PROTOCOL_ERROR},
                {HTTP2_SETTINGS, 0, 0, HTTP2_NO_ERROR},
                {HTTP2_SETTINGS, 0, 12, HTTP2_NO_ERROR},
                {HTTP2_SETTINGS, 0, 7, HTTP2_FRAME_SIZE_ERROR},    /* 6.5 */
                {HTTP2_SETTINGS, 1, 6, HTTP2_PROTOCOL_ERROR},
                {HTTP2_PUSH_PROMISE, 1, 4, HTTP2_PROTOCOL_ERROR},  /* 8.4 */
                {HTTP2_PING, 0, 8, HTTP2_NO_ERROR},
                {HTTP2_PING, 0, 7, HTTP2_FRAME_SIZE_ERROR},        /* 6.7 */
                {HTTP2_PING, 1, 8, HTTP2_PROTOCOL_ERROR},
                {HTTP2_GOAWAY, 0, 8, HTTP2_NO_ERROR},
                {HTTP2_GOAWAY, 0, 300, HTTP2_NO_ERROR},
                {HTTP2_GOAWAY, 0, 7, HTTP2_FRAME_SIZE_ERROR},      /* 6.8 */
                {HTTP2_GOAWAY, 1, 8, HTTP2_PROTOCOL_ERROR},
                {HTTP2_WINDOW_UPDATE, 0, 4, HTTP2_NO_ERROR},
                {HTTP2_WINDOW_UPDATE, 1, 4, HTTP2_NO_ERROR},
                {HTTP2_WINDOW_UPDATE, 1, 3, HTTP2_FRAME_SIZE_ERROR}, /* 6.9 */
                {HTTP2_CONTINUATION, 0, 0, HTTP2_PROTOCOL_ERROR},  /* 6.10 */
                {(enum http2_type)0xff, 0, 77, HTTP2_NO_ERROR},    /* 5.5 */
        };
        static const uint8_t payload[300];

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct http2_frame f = {(uint8_t)rows[i].type, 0, rows[i].stream, bytes_make(payload, rows[i].len)};

                if (http2_frame_check(&f) != rows[i].want)
                        fail_msg("row %zu: %d", i, http2_frame_check(&f));
        }
}

static bool strip(enum http2_type type, uint8_t flags, struct bytes payload, struct bytes *ret_left)
{
        struct http2_frame f = {(uint8_t)type, flags, 1, payload};
        bool is_well = http2_frame_strip(&f);

        *ret_left = f.payload;
        return is_well;
}

/* RFC 9113 6.1, 6.2 */
static void padding_and_priority_are_taken_off(void **state)
{
        struct bytes left;

        (void)state;
        assert_true(strip(HTTP2_DATA, 0, BYTES_LIT("abc"), &left) && bytes_equal(left, BYTES_LIT("abc")));
        assert_true(strip(HTTP2_DATA, HTTP2_PADDED, BYTES_LIT("\x02" "abc\0\0"), &left) && bytes_equal(left, BYTES_LIT("abc")));
        assert_true(strip(HTTP2_DATA, HTTP2_PADDED, BYTES_LIT("\x01\0"), &left) && left.len == 0);
        assert_false(strip(HTTP2_DATA, HTTP2_PADDED, BYTES_LIT("\x02\0"), &left));
        assert_false(strip(HTTP2_DATA, HTTP2_PADDED, BYTES_NONE, &left));
        assert_true(strip(HTTP2_DATA, HTTP2_HAS_PRIORITY, BYTES_LIT("abc"), &left) && left.len == 3); /* means nothing on DATA */
        assert_true(strip(HTTP2_HEADERS, HTTP2_HAS_PRIORITY, BYTES_LIT("12345abc"), &left) && bytes_equal(left, BYTES_LIT("abc")));
        assert_true(strip(HTTP2_HEADERS, HTTP2_HAS_PRIORITY | HTTP2_PADDED, BYTES_LIT("\x01" "12345abc\0"), &left) &&
                bytes_equal(left, BYTES_LIT("abc")));
        assert_false(strip(HTTP2_HEADERS, HTTP2_HAS_PRIORITY, BYTES_LIT("1234"), &left));
        assert_false(strip(HTTP2_HEADERS, HTTP2_HAS_PRIORITY | HTTP2_PADDED, BYTES_LIT("\x01" "12345"), &left));
}

/* RFC 9113 8.2, 8.2.2, 8.3 */
static void names_are_tokens_in_lower_case_and_not_of_the_connection(void **state)
{
        static const char *const bad[] = {"", "Host", "x y", "x:", ":x", ":status", "x\x7f", "x\xff", "x\n", "connection", "keep-alive",
                "proxy-connection", "transfer-encoding", "upgrade"};

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
                if (http2_field_find(bytes_str(bad[i])) != FIELD_BAD)
                        fail_msg("\"%s\" is taken", bad[i]);
        assert_int_equal(http2_field_find(BYTES_LIT("x-0!#$%&'*+.^_`|~z")), FIELD_OTHER);
        assert_int_equal(http2_field_find(BYTES_LIT("x\0")), FIELD_BAD);
        assert_int_equal(http2_field_find(BYTES_LIT("te")), FIELD_TE);
        assert_int_equal(http2_field_find(BYTES_LIT(":path")), FIELD_PATH);
}

static void values_are_what_their_fields_may_say(void **state)
{
        static const struct {
                enum http2_field field;
                struct bytes value;
                bool is_sound;
        } rows[] = {
                {FIELD_OTHER, BYTES_LIT(""), true},
                {FIELD_OTHER, BYTES_LIT("a \t\xff~"), true},
                {FIELD_OTHER, BYTES_LIT(" a"), false}, /* RFC 9113 8.2.1 */
                {FIELD_OTHER, BYTES_LIT("a\t"), false},
                {FIELD_OTHER, BYTES_LIT("a\0b"), false},
                {FIELD_OTHER, BYTES_LIT("a\rb"), false},
                {FIELD_OTHER, BYTES_LIT("a\nb"), false},
                {FIELD_OTHER, BYTES_LIT("\x7f"), false},
                {FIELD_METHOD, BYTES_LIT("GET"), true},
                {FIELD_METHOD, BYTES_LIT("G T"), false},
                {FIELD_METHOD, BYTES_LIT(""), false},
                {FIELD_SCHEME, BYTES_LIT(""), false},
                {FIELD_AUTHORITY, BYTES_LIT("[::1]:80"), true},
                {FIELD_AUTHORITY, BYTES_LIT("a/b"), false},
                {FIELD_HOST, BYTES_LIT("a b"), false},
                {FIELD_CONTENT_LENGTH, BYTES_LIT("0"), true}, /* RFC 9110 8.6 */
                {FIELD_CONTENT_LENGTH, BYTES_LIT(""), false},
                {FIELD_CONTENT_LENGTH, BYTES_LIT("-1"), false},
                {FIELD_CONTENT_LENGTH, BYTES_LIT("1, 1"), false},
                {FIELD_CONTENT_LENGTH, BYTES_LIT("18446744073709551617"), false},
                {FIELD_TE, BYTES_LIT("trailers"), true}, /* RFC 9113 8.2.2 */
                {FIELD_TE, BYTES_LIT("gzip"), false},
                {FIELD_BAD, BYTES_LIT("a"), false},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
                if (http2_field_is_sound(rows[i].field, rows[i].value) != rows[i].is_sound)
                        fail_msg("row %zu", i);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_frame_is_read_as_it_was_written),
                cmocka_unit_test(the_reserved_bit_means_nothing),
                cmocka_unit_test(a_frame_that_is_too_long_is_refused_by_its_head),
                cmocka_unit_test(each_type_has_its_lengths_and_its_place),
                cmocka_unit_test(padding_and_priority_are_taken_off),
                cmocka_unit_test(names_are_tokens_in_lower_case_and_not_of_the_connection),
                cmocka_unit_test(values_are_what_their_fields_may_say),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
