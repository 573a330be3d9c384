/* engine_clock: the time that the engine signs and commits with.
 *
 * It never falls below the highest time ever committed, and it does not follow the wall clock in a jump: when wall clock and
 * CLOCK_BOOTTIME part by more than ENGINE_CLOCK_JUMP_S, the clock is frozen: it goes on from the last trusted time at the
 * pace of CLOCK_BOOTTIME, and schedules stand still, until the wall clock comes back or an operator accepts it (reload).
 * Any thread.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define ENGINE_CLOCK_JUMP_S 300

struct engine_clock {
        pthread_mutex_t lock;
        int64_t mark_s;                           /* the high-water mark */
        int64_t trusted_wall_ms, trusted_boot_ms; /* a pair that belonged together */
        bool frozen;
};

void engine_clock_init(struct engine_clock *c, int64_t mark_s);
int64_t engine_clock_now_s(struct engine_clock *c);
int64_t engine_clock_now_ms(struct engine_clock *c);
bool engine_clock_is_frozen(struct engine_clock *c);
/* Compares the clocks, once a second. True when it froze or thawed just now. */
bool engine_clock_look(struct engine_clock *c);
/* The wall clock is right after all. */
void engine_clock_accept(struct engine_clock *c);

/* For tests: the same with the readings given. */
bool engine_clock_look_at(struct engine_clock *c, int64_t wall_ms, int64_t boot_ms);
int64_t engine_clock_reckon_ms(struct engine_clock *c, int64_t wall_ms, int64_t boot_ms);
