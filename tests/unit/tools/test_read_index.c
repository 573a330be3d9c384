/* index.txt of `openssl ca`: one that it made, and lines as its source has them (apps/ca.c). */
#include "tests/unit/tools/fixture.h"

static void what_openssl_wrote_is_read(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read_file(&in, "index.txt");
        fixture_sort(&in, 6, 0);
        assert_int_equal(fixture_row(&in, "0A01")->reason, REASON_SUPERSEDED);
        assert_int_equal(fixture_row(&in, "0A02")->reason, REASON_KEY_COMPROMISE);
        assert_int_equal(fixture_row(&in, "0A02")->invalidity_date, 1735787045);
        assert_int_equal(fixture_row(&in, "0A03")->flags, ROWFILE_REVOKED);
        assert_int_equal(fixture_row(&in, "0A03")->reason, REASON_UNSPECIFIED);
        assert_int_equal(fixture_row(&in, "0A04")->flags, ROWFILE_REVOKED | ROWFILE_HELD);
        assert_int_equal(fixture_row(&in, "0A04")->reason, REASON_CERTIFICATE_HOLD);
        assert_int_equal(fixture_row(&in, "0A05")->flags, 0);
        assert_true(fixture_row(&in, "0A05")->not_after > NOW);
        assert_true(fixture_row(&in, "0A01")->revoked_at > 0);
}

static void each_form_of_date_and_reason_is_understood(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "V\t310102030405Z\t\t01\tunknown\t/CN=a\n"
                          "V\t20310102030405Z\t\t02\tunknown\t/CN=a\n"
                          "E\t990102030405Z\t\t03\tunknown\t/CN=a\n"
                          "R\t310102030405Z\t290101000000Z,keyCompromise\t04\tunknown\t/CN=a\n"
                          "R\t310102030405Z\t290101000000Z,CAkeyTime,20280101000000Z\t05\tunknown\t/CN=a\n"
                          "R\t310102030405Z\t290101000000Z,CACompromise\t06\tunknown\t/CN=a\n"
                          "E\t990102030405Z\t980101000000Z,superseded\t07\tunknown\t/CN=a\n");
        fixture_sort(&in, 7, 0);
        assert_int_equal(fixture_row(&in, "01")->not_after, 1925089445);
        assert_int_equal(fixture_row(&in, "02")->not_after, 1925089445);
        assert_int_equal(fixture_row(&in, "03")->not_after, 915246245); /* 1999: RFC 5280 4.1.2.5.1 */
        assert_int_equal(fixture_row(&in, "04")->revoked_at, 1861920000);
        assert_int_equal(fixture_row(&in, "05")->reason, REASON_CA_COMPROMISE);
        assert_int_equal(fixture_row(&in, "05")->invalidity_date, 1830297600);
        assert_int_equal(fixture_row(&in, "06")->reason, REASON_CA_COMPROMISE);
        assert_int_equal(fixture_row(&in, "07")->flags, ROWFILE_REVOKED); /* expired, and revoked before: stays so */
}

static void every_bad_line_is_named_with_its_reason(void **state)
{
        static const struct bad_line bad[] = {
                {"V\t310102030405Z\t01", "six fields"},
                {"X\t310102030405Z\t\t01\tunknown\t/CN=a", "neither V, R nor E"},
                {"V\t311302030405Z\t\t01\tunknown\t/CN=a", "date of expiry"},
                {"V\t3101020304\t\t01\tunknown\t/CN=a", "date of expiry"},
                {"V\t310102030405Z\t\tXY\tunknown\t/CN=a", "not a serial number"},
                {"R\t310102030405Z\t\t01\tunknown\t/CN=a", "date of the revocation"},
                {"R\t310102030405Z\t290101000000Z,boredom\t01\tunknown\t/CN=a", "reason of the revocation"},
                {"R\t310102030405Z\t290101000000Z,keyTime\t01\tunknown\t/CN=a", "date of the compromise"},
                {0},
        };

        (void)state;
        fixture_expect_bad_lines("V\t310102030405Z\t\tFF\tunknown\t/CN=a\n", bad);
}

static void an_index_is_no_revocation_list(void **state)
{
        OPEN(ROWFILE_REVOKE);

        (void)state;
        fixture_expect_file_refused(&in, "index.txt", "no revocation list");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_openssl_wrote_is_read),
                cmocka_unit_test(each_form_of_date_and_reason_is_understood),
                cmocka_unit_test(every_bad_line_is_named_with_its_reason),
                cmocka_unit_test(an_index_is_no_revocation_list),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
