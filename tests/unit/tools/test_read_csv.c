/* Lists of lines: with and without a header, for import and for revocation. */
#include "tests/unit/tools/fixture.h"

#include "pki/certinfo.h"

static void columns_are_found_by_name_in_any_order(void **state)
{
        struct certinfo info;
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "Subscriber,Not After,crl_shard,SERIAL,status,Revoked At,reason,cert_sha256\n"
                          "acme,2031-01-02T03:04:05Z,4,0a1b,revoked,2029-01-01,key-compromise,"
                          "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\n");
        fixture_sort(&in, 1, 0);
        const struct row *row = fixture_row(&in, "0A1B");
        assert_int_equal(row->not_after, 1925089445);
        assert_int_equal(row->shard, 4);
        assert_int_equal(row->flags, ROWFILE_REVOKED);
        assert_int_equal(row->revoked_at, 1861920000);
        assert_int_equal(row->reason, REASON_KEY_COMPROMISE);
        assert_int_equal(row->line, 2);
        fixture_info(&in, "0A1B", &info);
        assert_true(bytes_equal(info.subscriber, BYTES_LIT("acme")));
        assert_int_equal(info.cert_sha256.data[31], 0xff);
}

static void columns_without_a_meaning_are_named(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "serial,colour,resaon\n01,red,x\n");
        fixture_sort(&in, 1, 0);
        assert_true(bytes_equal(builder_bytes(&in.unused), BYTES_LIT("colour, resaon")));
}

static void of_two_columns_with_one_meaning_the_first_counts(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "serial,expires,not_after\n01,2031-01-02,2031-01-03\n");
        fixture_sort(&in, 1, 0);
        assert_int_equal(fixture_row(&in, "01")->not_after, 1925078400);
        assert_true(bytes_equal(builder_bytes(&in.unused), BYTES_LIT("not_after")));
}

static void a_list_without_header_is_serial_and_not_after(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "0A1B,2031-01-02\n0A1C\n");
        fixture_sort(&in, 2, 0);
        assert_int_equal(fixture_row(&in, "0A1B")->not_after, 1925078400);
        assert_int_equal(fixture_row(&in, "0A1C")->not_after, 0);
}

static void byte_order_mark_crlf_comments_blank_lines_and_tabs_are_taken(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "\xef\xbb\xbf# exported\r\nserial\tstatus\r\n\r\n01\tgood\r\n# more\r\n02\tV\r\n  \r\n");
        fixture_sort(&in, 2, 0);
        assert_int_equal(fixture_row(&in, "02")->line, 6);
}

static void semicolons_are_recognized(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "serial;subscriber\n01;Acme, Inc.\n");
        fixture_sort(&in, 1, 0);
}

static void quoted_fields_hold_delimiters_and_quotes(void **state)
{
        struct certinfo info;
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "serial,subscriber,status\n\"01\",\"Acme, \"\"the\"\" Inc.\", \"good\" \n");
        fixture_sort(&in, 1, 0);
        fixture_info(&in, "01", &info);
        assert_true(bytes_equal(info.subscriber, BYTES_LIT("Acme, \"the\" Inc.")));
}

static void an_unclosed_quote_spoils_its_own_line_only(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "serial,subscriber\n01,\"acme\n02,\"b\"x\n03,fine\n");
        fixture_sort(&in, 1, 2);
        fixture_expect_reject(&in, 0, 2, "quoted");
        fixture_expect_reject(&in, 1, 3, "quoted");
}

static void a_header_without_serial_is_refused(void **state)
{
        static const char text[] = "status,notAfter\ngood,2031-01-01\n";
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_expect_refused(&in, "x.csv", BYTES_LIT(text), "x.csv");
        fixture_expect_refused(&in, "x.csv", BYTES_LIT(text), "'serial'");
}

static void every_bad_line_is_named_with_its_reason(void **state)
{
        static const struct bad_line bad[] = {
                {"zz,,,,", "not a serial number"},
                {"0102030405060708090A0B0C0D0E0F101112131415,,,,", "longer than 20 octets (RFC 5280 4.1.2.2)"},
                {",2031-01-01,,,", "no serial"},
                {"01,tomorrow,,,", "'tomorrow' is no time"},
                {"01,20310101,,,", "'20310101' is no time"}, /* a date to people, 1970 to Unix */
                {"01,1960-01-01,,,", "before 1970"},
                {"01,,broken,,", "'broken' is no status"},
                {"01,,revoked,because,", "'because' is no reason"},
                {"01,,revoked,removeFromCRL,", "release"},
                {"01,,revoked,,2040-01-01", "in the future"},
                {"01,,good,,2029-01-01", "says good, and yet"},
                {"01,,good,keyCompromise,", "says good, and yet"},
                {"01,,held,superseded,", "on hold, and yet"},
                {"01,,,,,more", "more fields"},
                {0},
        };

        (void)state;
        fixture_expect_bad_lines("serial,not_after,status,reason,revoked_at\nFF,,,,\n", bad);
}

static void a_shard_that_the_issuer_has_not_is_refused(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "serial,shard\n01,9\n02,10\n03,x\n");
        fixture_sort(&in, 1, 2);
        fixture_expect_reject(&in, 0, 3, "no CRL shard 10");
        fixture_expect_reject(&in, 1, 4, "'x' is no CRL shard");
}

static void revocation_is_inferred_from_its_date_or_reason(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "serial,reason,revoked_at\n01,,\n02,superseded,\n03,,2029-01-01\n04,certificateHold,2029-01-01\n");
        fixture_sort(&in, 4, 0);
        assert_int_equal(fixture_row(&in, "01")->flags, 0);
        assert_int_equal(fixture_row(&in, "02")->flags, ROWFILE_REVOKED);
        assert_int_equal(fixture_row(&in, "03")->flags, ROWFILE_REVOKED);
        assert_int_equal(fixture_row(&in, "04")->flags, ROWFILE_REVOKED | ROWFILE_HELD);
}

static void the_cabf_profile_refuses_its_forbidden_reasons(void **state) /* BR 7.2.2, req 4.9 */
{
        struct conf_issuer strict;
        OPEN(ROWFILE_REVOKE);

        (void)state;
        strict = *in.issuer;
        strict.profile = CONF_PROFILE_CABF_TLS;
        in.issuer = &strict;
        fixture_read(&in, "01,certificateHold\n02,cACompromise\n03,keyCompromise\n");
        fixture_sort(&in, 1, 2);
        fixture_expect_reject(&in, 0, 1, "BR 7.2.2");
        fixture_expect_reject(&in, 1, 2, "BR 7.2.2");
}

static void a_revocation_list_is_serials_with_a_reason_each_or_for_all(void **state)
{
        OPEN(ROWFILE_REVOKE);

        (void)state;
        in.has_reason = true;
        in.reason = REASON_SUPERSEDED;
        in.revoked_at = 1800000000;
        fixture_read(&in, "0B\n0A,keyCompromise\n0C\n");
        fixture_sort(&in, 3, 0);
        assert_int_equal(fixture_row(&in, "0A")->reason, REASON_KEY_COMPROMISE);
        assert_int_equal(fixture_row(&in, "0B")->reason, REASON_SUPERSEDED);
        assert_int_equal(fixture_row(&in, "0B")->revoked_at, 1800000000);
        assert_int_equal(fixture_row(&in, "0B")->flags, 0);
}

static void a_revocation_without_any_reason_is_refused(void **state)
{
        OPEN(ROWFILE_REVOKE);

        (void)state;
        fixture_read(&in, "01\n02,unspecified\n");
        fixture_sort(&in, 1, 1);
        fixture_expect_reject(&in, 0, 1, "--reason");
}

static void a_revocation_list_with_a_header_has_dates(void **state)
{
        OPEN(ROWFILE_REVOKE);

        (void)state;
        fixture_read(&in, "invalidity_date,serial,status,reason,revoked_at\n2028-01-01,01,good,keyCompromise,2029-01-01\n");
        fixture_sort(&in, 1, 0);
        assert_int_equal(fixture_row(&in, "01")->invalidity_date, 1830297600);
        assert_int_equal(fixture_row(&in, "01")->revoked_at, 1861920000);
        assert_true(
                bytes_equal(builder_bytes(&in.unused), BYTES_LIT("status"))); /* means nothing in such a list, and is told */
}

static void utf_16_is_told_as_such(void **state)
{
        static const char text[] = {'\xff', '\xfe', '0', '\0', '1', '\0'};
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_expect_refused(&in, "x.csv", BYTES_OF(text), "UTF-16");
}

static void pem_without_a_certificate_is_no_list(void **state)
{
        static const char text[] = "-----BEGIN PRIVATE KEY-----\nMEECAQAwEwYH\n-----END PRIVATE KEY-----\n";
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_expect_refused(&in, "key.pem", BYTES_LIT(text), "PRIVATE KEY");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(columns_are_found_by_name_in_any_order),
                cmocka_unit_test(columns_without_a_meaning_are_named),
                cmocka_unit_test(of_two_columns_with_one_meaning_the_first_counts),
                cmocka_unit_test(a_list_without_header_is_serial_and_not_after),
                cmocka_unit_test(byte_order_mark_crlf_comments_blank_lines_and_tabs_are_taken),
                cmocka_unit_test(semicolons_are_recognized),
                cmocka_unit_test(quoted_fields_hold_delimiters_and_quotes),
                cmocka_unit_test(an_unclosed_quote_spoils_its_own_line_only),
                cmocka_unit_test(a_header_without_serial_is_refused),
                cmocka_unit_test(every_bad_line_is_named_with_its_reason),
                cmocka_unit_test(a_shard_that_the_issuer_has_not_is_refused),
                cmocka_unit_test(revocation_is_inferred_from_its_date_or_reason),
                cmocka_unit_test(the_cabf_profile_refuses_its_forbidden_reasons),
                cmocka_unit_test(a_revocation_list_is_serials_with_a_reason_each_or_for_all),
                cmocka_unit_test(a_revocation_without_any_reason_is_refused),
                cmocka_unit_test(a_revocation_list_with_a_header_has_dates),
                cmocka_unit_test(pem_without_a_certificate_is_no_list),
                cmocka_unit_test(utf_16_is_told_as_such),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
