/* histogram: latencies in nanoseconds, counted in buckets that are never wider than 1/64 of what they hold. */
#pragma once

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
        uint64_t buckets[HISTOGRAM_BUCKETS];
        uint64_t n;
        uint64_t sum_ns;
        uint64_t max_ns;
};

void histogram_add(struct histogram *h, uint64_t ns);
/* The latency that a share `quantile` (0..1) of all stayed within, as the upper edge of its bucket; 0 when empty. */
uint64_t histogram_quantile_ns(const struct histogram *h, double quantile);
