/* What pki/der.h promises: X.690 clause 10 and nothing looser, and that what is built reads back. */
#include "pki_helper.h"

#include "pki/der.h"

/* Where it fails nothing moves. */
static enum err read_any(struct bytes in)
{
        struct bytes before = in, content = BYTES_LIT("untouched");
        enum err e = der_read_any(&in, NULL, &content, NULL);

        if (e != OK) {
                assert_ptr_equal(in.data, before.data);
                assert_int_equal(in.len, before.len);
                BYTES_EQUAL(content, BYTES_LIT("untouched"));
        }
        return e;
}

static void lengths_other_than_the_shortest_are_refused(void **state)
{
        static const struct helper_row rows[] = {
                {"short", "0401aa", OK},
                {"empty", "0400", OK},
                {"two octets for 1 (X.690 10.1)", "048101aa", ERR_INVALID},
                {"three octets for 1", "04820001aa", ERR_INVALID},
                {"indefinite (X.690 10.1)", "0480aa0000", ERR_INVALID},
                {"the reserved FF (X.690 8.1.3.5)", "04ffaa", ERR_INVALID},
                {"five octets of length", "04850000000001aa", ERR_INVALID},
                {"longer than what is there", "0402aa", ERR_INVALID},
                {"4 GiB - 1", "0484ffffffffaa", ERR_INVALID},
                {"no length", "04", ERR_INVALID},
                {"a length that is cut off", "048201", ERR_INVALID},
                {"nothing", "", ERR_INVALID},
                {"a high tag number (X.690 8.1.2.4)", "1f0400", ERR_INVALID},
                {"tag 0", "000100", ERR_INVALID},
                {0},
        };

        (void)state;
        helper_read_rows(rows, read_any);
}

static void headers_of_every_size_are_written_as_they_are_read(void **state)
{
        static const size_t lens[] = {0, 1, 127, 128, 255, 256, 65535, 65536, 0xffffff, 0x1000000, 0xffffffff};
        uint8_t memory[8];

        (void)state;
        for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
                size_t written = (size_t)(der_write_header(memory, DER_SEQUENCE, lens[i]) - memory), header_len, content_len;
                uint8_t tag;

                assert_int_equal(written, der_header_len(lens[i]));
                assert_int_equal(der_peek(bytes_make(memory, written), &tag, &header_len, &content_len), OK);
                assert_int_equal(header_len, written);
                assert_int_equal(content_len, lens[i]);
                for (size_t n = 0; n < written; n++)
                        assert_int_equal(der_peek(bytes_make(memory, n), &tag, &header_len, &content_len), ERR_AGAIN);
        }
}

static void nested_elements_of_every_size_read_back(void **state)
{
        static const size_t lens[] = {0, 1, 100, 127, 128, 200, 255, 256, 65530, 65536, 70000};
        static const uint8_t zeroes[70000];

        (void)state;
        for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
                _cleanup_(builder_done) struct builder b = {0};
                size_t outer = der_begin(&b, DER_SEQUENCE), inner = der_begin(&b, DER_CONTEXT_CONS(1));
                struct bytes in, content;

                der_put(&b, DER_OCTET_STRING, bytes_make(zeroes, lens[i]));
                der_end(&b, inner);
                der_put_null(&b);
                der_end(&b, outer);
                assert_false(builder_failed(&b));
                assert_int_equal(der_read_only(builder_bytes(&b), DER_SEQUENCE, &in), OK);
                assert_int_equal(der_read(&in, DER_CONTEXT_CONS(1), &content), OK);
                assert_int_equal(der_read_only(content, DER_OCTET_STRING, &content), OK);
                assert_int_equal(content.len, lens[i]);
                assert_int_equal(der_read_only(in, DER_NULL, &content), OK);
        }
}

static void a_builder_too_short_fails_and_stays_within_its_memory(void **state)
{
        (void)state;
        for (size_t cap = 0; cap < 300; cap++) {
                uint8_t memory[512];
                static const uint8_t zeroes[200];
                struct builder b = builder_fixed(memory, cap);
                size_t mark;

                memset(memory, 0xee, sizeof(memory));
                mark = der_begin(&b, DER_SEQUENCE);
                der_put(&b, DER_OCTET_STRING, BYTES_OF(zeroes));
                der_put_uint(&b, DER_INTEGER, UINT64_MAX);
                der_put_generalized_time(&b, 0);
                der_end(&b, mark);
                assert_int_equal(builder_failed(&b), cap < 3 + 203 + 11 + 17);
                for (size_t i = cap; i < sizeof(memory); i++)
                        assert_int_equal(memory[i], 0xee);
        }
}

static void unsigned_integers_read_back(void **state)
{
        static const uint64_t values[] = {
                0, 1, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffffffff, INT64_MAX, 1ULL << 63, UINT64_MAX};
        uint64_t value;

        (void)state;
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
                _cleanup_(builder_done) struct builder b = {0};
                struct bytes in;

                der_put_uint(&b, DER_ENUMERATED, values[i]);
                in = builder_bytes(&b);
                assert_int_equal(der_read_uint(&in, DER_ENUMERATED, &value), OK);
                assert_true(value == values[i]);
                assert_int_equal(in.len, 0);
        }
}

static enum err read_integer(struct bytes in)
{
        uint64_t value;

        return der_read_uint(&in, DER_INTEGER, &value);
}

static void integers_out_of_form_or_range_are_refused(void **state)
{
        static const struct helper_row rows[] = {
                {"empty", "02{}", ERR_INVALID},
                {"a zero too many (X.690 8.3.2)", "02{0001}", ERR_INVALID},
                {"ones too many (X.690 8.3.2)", "02{ff80}", ERR_INVALID},
                {"negative", "02{80}", ERR_RANGE},
                {"2^64", "02{010000000000000000}", ERR_RANGE},
                {"far too large", "02{0102030405060708090a0b}", ERR_RANGE},
                {"2^64 - 1", "02{00ffffffffffffffff}", OK},
                {"another tag", "0a{01}", ERR_INVALID},
                {0},
        };

        (void)state;
        helper_read_rows(rows, read_integer);
}

static void booleans_and_bit_strings_have_one_form(void **state)
{
        struct bytes in, octets;
        bool value;

        (void)state;
        for (unsigned v = 0; v < 256; v++) {
                uint8_t der[] = {0x01, 0x01, (uint8_t)v};

                in = BYTES_OF(der);
                assert_int_equal(der_read_bool(&in, &value), v == 0 || v == 255 ? OK : ERR_INVALID); /* X.690 11.1 */
        }
        in = helper_hex("0102ffff");
        assert_int_equal(der_read_bool(&in, &value), ERR_INVALID);
        in = helper_hex("03{00aabb}");
        assert_int_equal(der_read_bit_string(&in, &octets), OK);
        BYTES_EQUAL(octets, helper_hex("aabb"));
        in = helper_hex("03{01aa}");
        assert_int_equal(der_read_bit_string(&in, &octets), ERR_INVALID);
        in = helper_hex("03{}");
        assert_int_equal(der_read_bit_string(&in, &octets), ERR_INVALID);
}

/* RFC 5280 4.1.2.5, 5.1.2.4, req 2.12, 4.6. */
static void times_read_back_in_the_form_of_their_year(void **state)
{
        static const struct {
                int64_t time_s;
                uint8_t tag;
        } rows[] = {{0, DER_UTC_TIME}, {951782400, DER_UTC_TIME}, {2524607999, DER_UTC_TIME},
                {2524608000, DER_GENERALIZED_TIME}, {253402300799, DER_GENERALIZED_TIME}, {-631152000, DER_UTC_TIME},
                {-631152001, DER_GENERALIZED_TIME}};

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                _cleanup_(builder_done) struct builder b = {0};
                struct bytes in;
                int64_t time_s;

                der_put_time(&b, rows[i].time_s);
                assert_int_equal(b.data[0], rows[i].tag);
                assert_int_equal(b.len, der_time_len(rows[i].time_s));
                der_put_generalized_time(&b, rows[i].time_s);
                in = builder_bytes(&b);
                assert_int_equal(der_read_time(&in, &time_s), OK);
                assert_int_equal(time_s, rows[i].time_s);
                assert_int_equal(in.data[0], DER_GENERALIZED_TIME);
                assert_int_equal(der_read_time(&in, &time_s), OK);
                assert_int_equal(time_s, rows[i].time_s);
                assert_int_equal(in.len, 0);
        }
}

static void times_out_of_form_are_refused(void **state)
{
        static const char *const texts[] = {"20260921191320.5Z", "202609211913Z", "20260921191320+0000", "20260921191320",
                "20261321191320Z", "20260230191320Z", "20260921241320Z", "2026092119132 Z", "2026092a191320Z", ""};
        struct bytes in;
        int64_t time_s;

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                _cleanup_(builder_done) struct builder b = {0};

                der_put(&b, DER_GENERALIZED_TIME, bytes_str(texts[i]));
                in = builder_bytes(&b);
                if (der_read_time(&in, &time_s) != ERR_INVALID)
                        fail_msg("%s", texts[i]);
        }
        in = helper_hex("17{3236303932313139313332305a}");
        assert_int_equal(der_read_time(&in, &time_s), OK);
        in = helper_hex("17{323630393231313931335a}"); /* no seconds */
        assert_int_equal(der_read_time(&in, &time_s), ERR_INVALID);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(lengths_other_than_the_shortest_are_refused),
                cmocka_unit_test(headers_of_every_size_are_written_as_they_are_read),
                cmocka_unit_test(nested_elements_of_every_size_read_back),
                cmocka_unit_test(a_builder_too_short_fails_and_stays_within_its_memory),
                cmocka_unit_test(unsigned_integers_read_back),
                cmocka_unit_test(integers_out_of_form_or_range_are_refused),
                cmocka_unit_test(booleans_and_bit_strings_have_one_form),
                cmocka_unit_test(times_read_back_in_the_form_of_their_year),
                cmocka_unit_test(times_out_of_form_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
