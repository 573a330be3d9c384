/* One JSON object a line. */
#include "tests/unit/tools/fixture.h"

static void facts_have_the_names_of_csv_columns(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "{\"serial\":\"0A1B\",\"notAfter\":\"2031-01-02T00:00:00Z\",\"status\":\"revoked\",\"revocation_"
                          "time\":1861920000,"
                          "\"reason\":1,\"shard\":4,\"subscriber\":null}\n\n{\"serial\":\"0A1C\",\"colour\":true}\n");
        fixture_sort(&in, 2, 0);
        assert_int_equal(fixture_row(&in, "0A1B")->not_after, 1925078400);
        assert_int_equal(fixture_row(&in, "0A1B")->revoked_at, 1861920000);
        assert_int_equal(fixture_row(&in, "0A1B")->reason, REASON_KEY_COMPROMISE);
        assert_int_equal(fixture_row(&in, "0A1B")->shard, 4);
        assert_int_equal(fixture_row(&in, "0A1C")->line, 3);
        assert_true(bytes_equal(builder_bytes(&in.unused), BYTES_LIT("colour")));
}

static void every_bad_line_is_named_with_its_reason(void **state)
{
        static const struct bad_line bad[] = {
                {"{\"serial\":\"0A1B\"", "not JSON"},
                {"[1]", "not a JSON object"},
                {"{\"serial\":26}", "string of hex digits"}, /* decimal or not: nobody knows */
                {"{\"serial\":\"01\",\"serial\":\"02\"}", "not JSON"},
                {"{\"serial\":\"01\",\"status\":{}}", "neither text nor a number"},
                {"{\"serial\":\"01\",\"notAfter\":\"x\"}", "'x' is no time"},
                {"{\"status\":\"good\"}", "no serial"},
                {0},
        };

        (void)state;
        fixture_expect_bad_lines("{\"serial\":\"FF\"}\n", bad);
}

static void a_revocation_list_may_be_ndjson(void **state)
{
        OPEN(ROWFILE_REVOKE);

        (void)state;
        fixture_read(&in, "{\"serial\":\"01\",\"reason\":\"superseded\"}\n");
        fixture_sort(&in, 1, 0);
        assert_int_equal(fixture_row(&in, "01")->reason, REASON_SUPERSEDED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(facts_have_the_names_of_csv_columns),
                cmocka_unit_test(every_bad_line_is_named_with_its_reason),
                cmocka_unit_test(a_revocation_list_may_be_ndjson),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
