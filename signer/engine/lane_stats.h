/* lane_stats: what `tocsin status` tells of a lane. Main thread. */
#pragma once

#include <stdint.h>

struct lane_stats {
        uint64_t queued, in_flight; /* now */
        uint64_t signed_total, refused;
        uint64_t signed_before; /* at the last tick */
        double rate;            /* signatures a second, smoothed over a few seconds */
};

/* Once a second. */
static inline void lane_stats_tick(struct lane_stats *s)
{
        s->rate = 0.5 * s->rate + 0.5 * (double)(s->signed_total - s->signed_before);
        s->signed_before = s->signed_total;
        if (s->rate < 0.01)
                s->rate = 0;
}
