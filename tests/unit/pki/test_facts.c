/* What pki/serial.h, pki/reason.h and pki/certinfo.h promise. */
#include "pki_helper.h"

#include "pki/certinfo.h"
#include "pki/reason.h"
#include "pki/serial.h"

#define TWENTY "7f02030405060708090A0B0C0D0E0F1011121314"

static void serials_are_read_as_people_write_them(void **state)
{
        static const struct {
                const char *text, *hex;
                enum err want;
        } rows[] = {
                {"01", "01", OK},
                {"1", "01", OK},
                {"0", "00", OK},
                {"000000", "00", OK},
                {"0x1f", "1f", OK},
                {"0X1F", "1f", OK},
                {"abc", "0abc", OK},
                {"ABC", "0abc", OK},
                {"80", "0080", OK},
                {"0080", "0080", OK},
                {"ff", "00ff", OK},
                {"8", "08", OK},
                {"0f:a0:01", "0fa001", OK},
                {"80:00", "008000", OK},
                {"00:80:00", "008000", OK},
                {TWENTY, TWENTY, OK},
                {"0000000000" TWENTY, TWENTY, OK},
                {"ff02030405060708090A0B0C0D0E0F1011121314", "", ERR_RANGE},
                {"1" TWENTY, "", ERR_RANGE},
                {"", "", ERR_INVALID},
                {"0x", "", ERR_INVALID},
                {"xyz", "", ERR_INVALID},
                {"-1", "", ERR_INVALID},
                {" 1", "", ERR_INVALID},
                {"0f:a", "", ERR_INVALID},
                {"0f:", "", ERR_INVALID},
                {":0f", "", ERR_INVALID},
                {"0f::0a", "", ERR_INVALID},
                {"0f0:a1", "", ERR_INVALID},
                {":", "", ERR_INVALID},
                {"1\n", "", ERR_INVALID},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct serial s = {0};

                if (serial_from_text(bytes_str(rows[i].text), &s) != rows[i].want)
                        fail_msg("%s", rows[i].text);
                BYTES_EQUAL(serial_bytes(&s), helper_hex(rows[i].hex));
        }
}

/* RFC 5280 4.1.2.2. */
static void serials_of_der_are_minimal_and_not_negative(void **state)
{
        static const struct {
                const char *hex;
                enum err want;
        } rows[] = {{"", ERR_INVALID}, {"00", OK}, {"7f", OK}, {"80", ERR_INVALID}, {"0080", OK}, {"007f", ERR_INVALID},
                {"ffff", ERR_INVALID}, {TWENTY, OK}, {"01" TWENTY, ERR_RANGE},
                {"00ff02030405060708090A0B0C0D0E0F1011121314", ERR_RANGE}};

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct serial s = {.len = 99};

                assert_int_equal(serial_from_der(helper_hex(rows[i].hex), &s), rows[i].want);
                if (rows[i].want == OK)
                        BYTES_EQUAL(serial_bytes(&s), helper_hex(rows[i].hex));
                else
                        assert_int_equal(s.len, 99);
        }
}

static void serials_print_as_openssl_prints_them_and_read_back(void **state)
{
        char text[SERIAL_TEXT_LEN];
        uint8_t memory[20];

        (void)state;
        assert_string_equal(serial_to_text(helper_hex("0a1b"), text), "0A1B");
        assert_string_equal(serial_to_text(helper_hex("00ff"), text), "FF");
        assert_string_equal(serial_to_text(helper_hex("00"), text), "00");
        for (unsigned i = 0; i < 2000; i++) {
                struct bytes serial = helper_random_serial(memory);
                struct serial s;

                assert_int_equal(serial_from_text(bytes_str(serial_to_text(serial, text)), &s), OK);
                BYTES_EQUAL(serial_bytes(&s), serial);
        }
}

/* RFC 5280 5.3.1. */
static void reasons_are_read_by_name_in_any_dress_and_by_number(void **state)
{
        static const struct {
                const char *text;
                enum err want;
                enum reason reason;
        } rows[] = {{"keyCompromise", OK, REASON_KEY_COMPROMISE}, {"key-compromise", OK, REASON_KEY_COMPROMISE},
                {"KEY_COMPROMISE", OK, REASON_KEY_COMPROMISE}, {"CACompromise", OK, REASON_CA_COMPROMISE},
                {"0", OK, REASON_UNSPECIFIED}, {"1", OK, REASON_KEY_COMPROMISE}, {"10", OK, REASON_AA_COMPROMISE},
                {"7", ERR_INVALID, 0}, {"11", ERR_INVALID, 0}, {"1x", ERR_INVALID, 0}, {"001", ERR_INVALID, 0},
                {"", ERR_INVALID, 0}, {"-", ERR_INVALID, 0}, {"key", ERR_INVALID, 0}, {"keyCompromised", ERR_INVALID, 0},
                {"removeFromCRL", OK, REASON_REMOVE_FROM_CRL}};

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                enum reason r = 0;

                if (reason_from_text(bytes_str(rows[i].text), &r) != rows[i].want || r != rows[i].reason)
                        fail_msg("%s", rows[i].text);
        }
        for (unsigned n = 0; n < 300; n++) {
                enum reason r;

                if (reason_name(n)) {
                        assert_int_equal(reason_from_text(bytes_str(reason_name(n)), &r), OK);
                        assert_int_equal(r, n);
                }
                assert_int_equal(reason_name(n) != NULL, n <= 10 && n != 7);
        }
}

/* BR 7.2.2, req 4.9. */
static void each_profile_takes_its_own_reasons(void **state)
{
        (void)state;
        for (unsigned n = 0; n < 300; n++) {
                assert_int_equal(reason_allowed_cabf((enum reason)n), n == 0 || n == 1 || (n >= 3 && n <= 5) || n == 9);
                assert_int_equal(reason_allowed((enum reason)n), n <= 10 && n != 7 && n != 8);
        }
}

static void certinfo_reads_back_whatever_is_absent(void **state)
{
        static const uint8_t octets[32] = {1, 2, 3};

        (void)state;
        for (unsigned set = 0; set < 64; set++) {
                _cleanup_(builder_done) struct builder b = {0};
                struct certinfo in = {0}, out;

                in.cert_sha256 = set & 1 ? BYTES_OF(octets) : BYTES_NONE;
                in.precert_sha256 = set & 2 ? BYTES_OF(octets) : BYTES_NONE;
                in.not_before = set & 4 ? -86400 : 0;
                in.subject = set & 8 ? BYTES_LIT("subject") : BYTES_NONE;
                in.subscriber = set & 16 ? BYTES_LIT("subscriber") : BYTES_NONE;
                in.cdp = set & 32 ? BYTES_LIT("http://x/") : BYTES_NONE;
                certinfo_put(&b, &in);
                assert_int_equal(b.len > 0, set > 0);
                assert_int_equal(certinfo_read(builder_bytes(&b), &out), OK);
                BYTES_EQUAL(out.cert_sha256, in.cert_sha256);
                BYTES_EQUAL(out.precert_sha256, in.precert_sha256);
                assert_int_equal(out.not_before, in.not_before);
                BYTES_EQUAL(out.subject, in.subject);
                BYTES_EQUAL(out.subscriber, in.subscriber);
                BYTES_EQUAL(out.cdp, in.cdp);
        }
}

static enum err read_certinfo(struct bytes in)
{
        struct certinfo info;

        return certinfo_read(in, &info);
}

static void certinfo_skips_what_a_later_version_added_and_refuses_the_rest(void **state)
{
        static const struct helper_row rows[] = {
                {"a tag of a later version", "05 0001 41  63 0002 4242", OK},
                {"tags descending", "06 0001 41  05 0001 41", ERR_INVALID},
                {"one tag twice", "05 0001 41  05 0001 41", ERR_INVALID},
                {"tag 0", "00 0001 41", ERR_INVALID},
                {"a digest of 31 octets", "01 001f 00000000000000000000000000000000000000000000000000000000000000",
                        ERR_INVALID},
                {"a time of 4 octets", "03 0004 00000000", ERR_INVALID},
                {"an empty field", "05 0000", ERR_INVALID},
                {"cut off", "05 0002 41", ERR_INVALID},
                {"no length", "05", ERR_INVALID},
                {0},
        };
        static uint8_t large[CERTINFO_MAX + 1] = {5, 0x0f, 0xfe};

        (void)state;
        helper_read_rows(rows, read_certinfo);
        assert_int_equal(read_certinfo(BYTES_OF(large)), ERR_INVALID);
        large[2] = 0xfd;
        assert_int_equal(read_certinfo(bytes_make(large, CERTINFO_MAX)), OK);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(serials_are_read_as_people_write_them),
                cmocka_unit_test(serials_of_der_are_minimal_and_not_negative),
                cmocka_unit_test(serials_print_as_openssl_prints_them_and_read_back),
                cmocka_unit_test(reasons_are_read_by_name_in_any_dress_and_by_number),
                cmocka_unit_test(each_profile_takes_its_own_reasons),
                cmocka_unit_test(certinfo_reads_back_whatever_is_absent),
                cmocka_unit_test(certinfo_skips_what_a_later_version_added_and_refuses_the_rest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
