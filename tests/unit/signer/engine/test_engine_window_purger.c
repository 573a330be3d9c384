/* Windows that ended long ago go by themselves; what is signed under stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "engine_fixture.h"
#include "store/window_purge.h"

#define N_OLD 300

static struct fixture f;

static int setup(void **state)
{
        (void)state;
        fixture_init(&f);
        fixture_start(&f, N_RECORDS);
        fixture_run_until(&f, fixture_is_idle);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        fixture_stop(&f);
        return 0;
}

static uint64_t count_windows(struct fixture *fx)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;

        assert_int_equal(txn_begin_read(fx->engine.env, &txn), OK);
        return txn_count(txn, TABLE_WINDOW);
}

/* Ended `age_s` ago. By hand, while nothing else is written. */
static void put_windows(int64_t age_s)
{
        struct window w = fixture_window(&f, fixture_status(&f, 1).window);
        struct txn *txn;

        w.this_update_s = clock_now_s() - age_s - CLOCK_DAY_S;
        w.next_update_s = clock_now_s() - age_s;
        assert_int_equal(txn_begin_write(f.engine.env, &txn), OK);
        for (unsigned i = 0; i < N_OLD; i++)
                assert_int_not_equal(window_put(txn, &w), 0);
        assert_int_equal(txn_commit(txn), OK);
}

static bool is_over(struct fixture *fx)
{
        return !fx->engine.window_purger.busy && !fx->engine.window_purger.purge &&
               fx->engine.window_purger.next_s > clock_now_s();
}

static void purge(void)
{
        f.engine.window_purger.next_s = 0;
        fixture_run_until(&f, is_over);
}

static void windows_that_ended_long_ago_are_forgotten_and_those_in_use_stay(void **state)
{
        uint64_t before = count_windows(&f);
        struct msg_sign_ask ask;

        (void)state;
        put_windows(WINDOW_KEEP_S + CLOCK_HOUR_S);
        assert_int_equal(count_windows(&f), before + N_OLD);
        purge();
        assert_int_equal(count_windows(&f), before);
        for (unsigned i = 1; i <= N_RECORDS; i++)
                assert_int_not_equal(fixture_window(&f, fixture_status(&f, i).window).id, 0);
        ask = fixture_ask(&f, 3);
        fixture_send(&f, &ask);
        fixture_assert_answer(&f, OCSP_GOOD);
}

static void windows_that_an_incident_may_still_be_told_from_are_kept(void **state) /* req 5.7 */
{
        uint64_t before = count_windows(&f);

        (void)state;
        put_windows(WINDOW_KEEP_S - CLOCK_HOUR_S);
        purge();
        assert_int_equal(count_windows(&f), before + N_OLD);
}

static void nothing_is_forgotten_while_the_clock_is_not_believed(void **state)
{
        (void)state;
        f.engine.window_purger.next_s = 0;
        f.engine.clock.frozen = true;
        window_purger_step(&f.engine);
        assert_false(f.engine.window_purger.busy);
        f.engine.clock.frozen = false;
        window_purger_step(&f.engine);
        assert_true(f.engine.window_purger.busy);
        fixture_run_until(&f, is_over);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(windows_that_ended_long_ago_are_forgotten_and_those_in_use_stay),
                TEST(windows_that_an_incident_may_still_be_told_from_are_kept),
                TEST(nothing_is_forgotten_while_the_clock_is_not_believed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
