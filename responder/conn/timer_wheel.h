/* timer_wheel: many coarse timers that nearly always are put off before they end. Putting one off is one store: a timer stays in
 * its slot, and only when the slot's time comes is its deadline looked at and the timer moved to where it belongs. */
#pragma once

#include <stdint.h>

#define WHEEL_TICK_MS 128
#define WHEEL_SLOTS 512

struct timer {
        struct timer *next, *previous; /* NULL: not set */
        int64_t deadline_ms;
        int64_t tick; /* the slot it hangs in; never later than its deadline's, unless that is a whole turn away */
};

struct timer_wheel {
        struct timer slots[WHEEL_SLOTS]; /* heads of rings */
        int64_t tick;                    /* the next to be looked at */
};

void timer_wheel_init(struct timer_wheel *wheel, int64_t now_ms);
/* Ends at deadline_ms, or up to two ticks later. */
void timer_set(struct timer_wheel *wheel, struct timer *timer, int64_t deadline_ms);
void timer_cancel(struct timer *timer);
/* Calls `on_end` for each timer whose deadline has passed; it is no longer set then. `on_end` may set and cancel timers. */
void timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ms, void (*on_end)(struct timer *timer));
