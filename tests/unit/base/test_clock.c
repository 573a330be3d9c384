/* test_clock: the calendar against glibc's, and the texts of RFC 3339 and RFC 9110. */
#include "tests/unit/base/test.h"

#include <time.h>

#include "base/clock.h"

static void the_calendar_agrees_with_glibc(void **state)
{
        int y, mo, d, h, mi, s;

        (void)state;
        for (int64_t t = -62167219200; t <= 253402300799; t += 86399 * 37) {
                time_t when = t;
                struct tm tm;
                int64_t back;

                gmtime_r(&when, &tm);
                clock_to_civil(t, &y, &mo, &d, &h, &mi, &s);
                assert_true(y == tm.tm_year + 1900 && mo == tm.tm_mon + 1 && d == tm.tm_mday);
                assert_true(h == tm.tm_hour && mi == tm.tm_min && s == tm.tm_sec);
                assert_int_equal(clock_from_civil(y, mo, d, h, mi, s, &back), OK);
                assert_true(back == t);
        }
}

static void fields_out_of_range_are_refused(void **state)
{
        static const int bad[][6] = {
                {2026, 0, 1, 0, 0, 0},
                {2026, 13, 1, 0, 0, 0},
                {2026, 4, 31, 0, 0, 0},
                {2026, 2, 29, 0, 0, 0},
                {2100, 2, 29, 0, 0, 0},
                {2026, 1, 0, 0, 0, 0},
                {2026, 1, 1, 24, 0, 0},
                {2026, 1, 1, 0, 60, 0},
                {2026, 1, 1, 0, 0, 60},
                {-1, 1, 1, 0, 0, 0},
                {10000, 1, 1, 0, 0, 0},
                {2026, 1, 1, -1, 0, 0},
        };
        int64_t t = 42;

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                assert_int_equal(
                        clock_from_civil(bad[i][0], bad[i][1], bad[i][2], bad[i][3], bad[i][4], bad[i][5], &t), ERR_INVALID);
        assert_true(t == 42);
        assert_int_equal(clock_from_civil(2000, 2, 29, 0, 0, 0, &t), OK);
}

static void text_is_rfc_3339(void **state)
{
        char text[CLOCK_TEXT_LEN];

        (void)state;
        assert_string_equal(clock_to_text(0, text), "1970-01-01T00:00:00Z");
        assert_string_equal(clock_to_text(1795252984, text), "2026-11-21T09:23:04Z");
        assert_string_equal(clock_to_text(INT64_MAX, text), "9999-12-31T23:59:59Z");
        assert_string_equal(clock_to_text(INT64_MIN, text), "0000-01-01T00:00:00Z");
}

static void texts_that_people_write_are_read(void **state)
{
        static const struct {
                const char *text;
                int64_t time_s;
        } rows[] = {
                {"2026-11-21T09:23:04Z", 1795252984},
                {"2026-11-21 09:23:04Z", 1795252984},
                {"2026-11-21t09:23:04z", 1795252984},
                {"2026-11-21T09:23:04.999Z", 1795252984},
                {"2026-11-21", 1795219200},
                {"1795252984", 1795252984},
                {"0", 0},
                {"1969-12-31T23:59:59Z", -1},
                {"253402300799", 253402300799},
        };
        int64_t t;

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                assert_int_equal(clock_from_text(bytes_str(rows[i].text), &t), OK);
                assert_true(t == rows[i].time_s);
        }
}

static void texts_that_could_mean_two_things_are_refused(void **state)
{
        static const char *const bad[] = {"", "2026-11-21T09:23:04", "2026-11-21T09:23:04+01:00", "2026-11-21T09:23Z",
                "2026-11-21Z", "2026-11-21T09:23:04Z ", " 2026-11-21", "2026-1-21", "2026-13-01", "2026-02-30", "-1",
                "253402300800", "12345678901234567890", "2026-11-21T09:23:04.Z", "2026-11-21T24:00:00Z", "2026/11/21",
                "2026-11-21T23:59:60Z", "tomorrow", "1e9"};
        int64_t t = 42;

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                assert_int_equal(clock_from_text(bytes_str(bad[i]), &t), ERR_INVALID);
        assert_true(t == 42);
}

/* RFC 9110 5.6.7 */
static void http_dates_go_both_ways(void **state)
{
        char text[CLOCK_HTTP_LEN + 1];
        int64_t t;

        (void)state;
        assert_string_equal(clock_to_http(784111777, text), "Sun, 06 Nov 1994 08:49:37 GMT");
        for (int64_t day = -40000; day < 40000; day += 1) {
                time_t when = day * CLOCK_DAY_S;
                char want[64];
                struct tm tm;

                gmtime_r(&when, &tm);
                strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm);
                assert_string_equal(clock_to_http(when, text), want);
                assert_int_equal(clock_from_http(bytes_str(text), &t), OK);
                assert_true(t == when);
        }
}

/* RFC 9110 5.6.7: a recipient accepts all three formats. */
static void obsolete_http_dates_are_read(void **state)
{
        int64_t t;

        (void)state;
        clock_freeze_ms(1795252984000); /* 2026 */
        assert_int_equal(clock_from_http(BYTES_LIT("Sunday, 06-Nov-94 08:49:37 GMT"), &t), OK);
        assert_true(t == 784111777);
        assert_int_equal(clock_from_http(BYTES_LIT("Sun Nov  6 08:49:37 1994"), &t), OK);
        assert_true(t == 784111777);
        assert_int_equal(clock_from_http(BYTES_LIT("Wed Nov 16 08:49:37 1994"), &t), OK);
        assert_true(t == 784111777 + 10 * CLOCK_DAY_S);
        /* At most 50 years ahead, or it is the past. */
        assert_int_equal(clock_from_http(BYTES_LIT("Sunday, 01-Jan-76 00:00:00 GMT"), &t), OK);
        assert_true(t == 3345062400);
        assert_int_equal(clock_from_http(BYTES_LIT("Sunday, 01-Jan-77 00:00:00 GMT"), &t), OK);
        assert_true(t == 220924800);
        clock_freeze_ms(0);
}

static void what_is_no_http_date_is_refused(void **state)
{
        static const char *const bad[] = {"", "0", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
                "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "Xxx, 06 Nov 1994 08:49:37 GMT",
                "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 31 Nov 1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994",
                "Sun, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z"};
        int64_t t = 42;

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                assert_int_equal(clock_from_http(bytes_str(bad[i]), &t), ERR_INVALID);
        assert_true(t == 42);
}

static void a_frozen_clock_stands_and_goes_on(void **state)
{
        (void)state;
        clock_freeze_ms(1234567);
        assert_true(clock_now_ms() == 1234567 && clock_now_s() == 1234);
        clock_freeze_ms(0);
        assert_true(clock_now_s() >= time(NULL) - 1 && clock_now_s() > 1600000000);
        assert_true(clock_mono_us() > 0 && clock_mono_ms() > 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_calendar_agrees_with_glibc),
                cmocka_unit_test(fields_out_of_range_are_refused),
                cmocka_unit_test(text_is_rfc_3339),
                cmocka_unit_test(texts_that_people_write_are_read),
                cmocka_unit_test(texts_that_could_mean_two_things_are_refused),
                cmocka_unit_test(http_dates_go_both_ways),
                cmocka_unit_test(obsolete_http_dates_are_read),
                cmocka_unit_test(what_is_no_http_date_is_refused),
                cmocka_unit_test(a_frozen_clock_stands_and_goes_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
