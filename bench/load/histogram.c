/* histogram: values below 64 have a bucket each; above, each power of two is cut into 64. */
#include "bench/load/histogram.h"

#define SUB_COUNT (1u << HISTOGRAM_SUB_BITS)

static unsigned bucket_of(uint64_t ns)
{
        unsigned shift;

        if (ns < SUB_COUNT)
                return (unsigned)ns;
        shift = 63 - (unsigned)__builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
        return ((shift + 1) << HISTOGRAM_SUB_BITS) + (unsigned)(ns >> shift) - SUB_COUNT;
}

static uint64_t bucket_top(unsigned bucket)
{
        unsigned row = bucket >> HISTOGRAM_SUB_BITS;

        if (row == 0)
                return bucket;
        return ((uint64_t)(bucket & (SUB_COUNT - 1)) + SUB_COUNT + 1) * (1ull << (row - 1)) - 1;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
        h->buckets[bucket_of(ns)]++;
        h->n++;
        h->sum_ns += ns;
        if (ns > h->max_ns)
                h->max_ns = ns;
}

uint64_t histogram_quantile_ns(const struct histogram *h, double quantile)
{
        uint64_t wanted = (uint64_t)(quantile * (double)h->n), seen = 0;

        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
                seen += h->buckets[i];
                if (seen > wanted)
                        return bucket_top(i) < h->max_ns ? bucket_top(i) : h->max_ns;
        }
        return h->max_ns;
}
