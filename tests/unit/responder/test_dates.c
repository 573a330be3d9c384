/* Dates of a head: kept by day, of which many are about, and right for each second (RFC 9110 5.6.7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "responder/answer/dates.h"

static void check(struct dates *dates, int64_t time_s)
{
        char want[CLOCK_HTTP_LEN + 1], got[CLOCK_HTTP_LEN + 2] = {0};

        got[CLOCK_HTTP_LEN] = '!';
        dates_write(dates, time_s, (uint8_t *)got);
        assert_int_equal(got[CLOCK_HTTP_LEN], '!');
        assert_memory_equal(got, clock_to_http(time_s, want), CLOCK_HTTP_LEN);
}

/* So far apart that some are kept in the same place. */
static void days_of_two_years_to_and_fro(void **state)
{
        struct dates dates = {0};

        (void)state;
        for (int64_t day = 0; day < 730; day++) {
                check(&dates, 1792000000 + day * CLOCK_DAY_S);
                check(&dates, 1792000000 + (day * 37 % 730) * CLOCK_DAY_S);
        }
}

static void seconds_of_a_day(void **state)
{
        struct dates dates = {0};

        (void)state;
        for (int64_t s = 0; s <= CLOCK_DAY_S; s += 7)
                check(&dates, s);
        check(&dates, CLOCK_DAY_S - 1);
}

static void before_1970(void **state)
{
        struct dates dates = {0};

        (void)state;
        check(&dates, -1);
        check(&dates, -CLOCK_DAY_S);
        check(&dates, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(days_of_two_years_to_and_fro),
                cmocka_unit_test(seconds_of_a_day),
                cmocka_unit_test(before_1970),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
