/* The engine's clock: never back, and not along with a wall clock that jumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "signer/engine/engine_clock.h"

#define WALL INT64_C(1800000000000)
#define BOOT INT64_C(5000000)

static struct engine_clock clock_at(int64_t mark_s)
{
        struct engine_clock c;

        engine_clock_init(&c, mark_s);
        c.trusted_wall_ms = WALL;
        c.trusted_boot_ms = BOOT;
        return c;
}

static void time_never_falls_below_the_highest_committed(void **state)
{
        struct engine_clock c = clock_at(WALL / 1000 + 100);

        (void)state;
        assert_int_equal(engine_clock_reckon_ms(&c, WALL, BOOT), WALL + 100000);
        assert_int_equal(engine_clock_reckon_ms(&c, WALL + 150000, BOOT + 150000), WALL + 150000);
        assert_int_equal(engine_clock_reckon_ms(&c, WALL + 140000, BOOT + 150000), WALL + 150000);
}

static void a_jump_forward_freezes_and_is_not_followed(void **state)
{
        struct engine_clock c = clock_at(0);

        (void)state;
        assert_false(engine_clock_look_at(&c, WALL + 1000, BOOT + 1000));
        assert_true(engine_clock_look_at(&c, WALL + 86400000, BOOT + 2000));
        assert_true(engine_clock_is_frozen(&c));
        assert_int_equal(engine_clock_reckon_ms(&c, WALL + 86400000, BOOT + 2000), WALL + 2000);
}

static void it_thaws_when_the_wall_clock_is_back(void **state)
{
        struct engine_clock c = clock_at(0);

        (void)state;
        assert_true(engine_clock_look_at(&c, WALL + 86400000, BOOT + 2000));
        assert_false(engine_clock_look_at(&c, WALL + 86401000, BOOT + 3000));
        assert_true(engine_clock_look_at(&c, WALL + 4000, BOOT + 4000));
        assert_false(engine_clock_is_frozen(&c));
}

static void a_small_step_is_followed(void **state)
{
        struct engine_clock c = clock_at(0);

        (void)state;
        assert_false(engine_clock_look_at(&c, WALL + 200000, BOOT + 1000));
        assert_false(engine_clock_is_frozen(&c));
        assert_int_equal(engine_clock_reckon_ms(&c, WALL + 200000, BOOT + 1000), WALL + 200000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(time_never_falls_below_the_highest_committed),
                cmocka_unit_test(a_jump_forward_freezes_and_is_not_followed),
                cmocka_unit_test(it_thaws_when_the_wall_clock_is_back),
                cmocka_unit_test(a_small_step_is_followed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
