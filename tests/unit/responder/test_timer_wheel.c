/* What responder/conn/timer_wheel.h promises, with a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "responder/conn/timer_wheel.h"

static struct timer_wheel wheel;
static unsigned n_ended;
static struct timer *last_ended;

static void on_end(struct timer *timer)
{
        n_ended++;
        last_ended = timer;
        assert_null(timer->next);
}

static int set_up(void **state)
{
        (void)state;
        timer_wheel_init(&wheel, 1000000);
        n_ended = 0;
        return 0;
}

static void a_timer_ends_after_its_deadline_and_soon(void **state)
{
        static const int64_t delays[] = {0, 1, 127, 128, 129, 5000, WHEEL_TICK_MS * WHEEL_SLOTS, WHEEL_TICK_MS *WHEEL_SLOTS * 3 + 77};

        (void)state;
        for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
                struct timer t = {0};
                int64_t now = 1000000, deadline = now + delays[i];

                set_up(NULL);
                timer_set(&wheel, &t, deadline);
                for (; now < deadline; now += 64) {
                        timer_wheel_advance(&wheel, now, on_end);
                        assert_int_equal(n_ended, 0);
                }
                timer_wheel_advance(&wheel, deadline + 2 * WHEEL_TICK_MS, on_end);
                assert_int_equal(n_ended, 1);
        }
}

static void a_timer_put_off_ends_at_its_new_deadline_only(void **state)
{
        struct timer t = {0};

        (void)state;
        timer_set(&wheel, &t, 1001000);
        timer_set(&wheel, &t, 1009000);
        timer_wheel_advance(&wheel, 1008900, on_end);
        assert_int_equal(n_ended, 0);
        timer_wheel_advance(&wheel, 1009300, on_end);
        assert_int_equal(n_ended, 1);
}

static void a_timer_brought_forward_ends_then(void **state)
{
        struct timer t = {0};

        (void)state;
        timer_set(&wheel, &t, 1060000);
        timer_set(&wheel, &t, 1001000);
        timer_wheel_advance(&wheel, 1001300, on_end);
        assert_int_equal(n_ended, 1);
        timer_wheel_advance(&wheel, 1090000, on_end);
        assert_int_equal(n_ended, 1);
}

static void a_cancelled_timer_never_ends(void **state)
{
        struct timer a = {0}, b = {0}, c = {0};

        (void)state;
        timer_set(&wheel, &a, 1001000);
        timer_set(&wheel, &b, 1001000);
        timer_set(&wheel, &c, 1001000);
        timer_cancel(&b);
        timer_cancel(&b);
        timer_wheel_advance(&wheel, 1002000, on_end);
        assert_int_equal(n_ended, 2);
}

static struct timer again, other;

static void set_again(struct timer *timer)
{
        on_end(timer);
        timer_cancel(&other);
        if (n_ended < 5)
                timer_set(&wheel, &again, 1000000);
}

static void an_end_may_set_and_cancel_timers(void **state)
{
        (void)state;
        timer_set(&wheel, &again, 1000500);
        timer_set(&wheel, &other, 1000500);
        timer_wheel_advance(&wheel, 1000800, set_again);
        assert_ptr_equal(last_ended, &again);
        for (int64_t now = 1000900; now < 1004000; now += 100)
                timer_wheel_advance(&wheel, now, set_again);
        assert_int_equal(n_ended, 5);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(a_timer_ends_after_its_deadline_and_soon, set_up),
                cmocka_unit_test_setup(a_timer_put_off_ends_at_its_new_deadline_only, set_up),
                cmocka_unit_test_setup(a_timer_brought_forward_ends_then, set_up),
                cmocka_unit_test_setup(a_cancelled_timer_never_ends, set_up),
                cmocka_unit_test_setup(an_end_may_set_and_cancel_timers, set_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
