/* metric: counters, gauges and histograms in Prometheus' text format (version 0.0.4). What is measured is a table of its owner's, a row
 * each; here is how it is written. */
#pragma once

#include "base/bytes.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
        const char *name; /* "tocsin_..."; of a counter it ends in _total, of a time in _seconds */
        enum metric_type type;
        const char *help; /* one line */
};

struct metric_label {
        const char *name;
        struct bytes value; /* any octets: escaped where it must be */
};
#define METRIC_LABELS_MAX 4

/* # HELP and # TYPE: once, before the samples. */
void metric_put_head(struct builder *b, const struct metric *m);
/* One line. At most METRIC_LABELS_MAX labels. */
void metric_put_sample(struct builder *b, const struct metric *m, const struct metric_label *labels, size_t n_labels, uint64_t value);
/* A sample in seconds, of `us` microseconds. */
void metric_put_us(struct builder *b, const struct metric *m, const struct metric_label *labels, size_t n_labels, uint64_t us);

/* Times in buckets of powers of two: up to 1 us, 2 us, ... 2^23 us (8.4 s), and beyond. */
#define METRIC_BUCKETS 24
struct metric_histogram {
        uint64_t counts[METRIC_BUCKETS + 1];
        uint64_t sum_us;
};
/* `n_times` something took `us` microseconds. */
static inline void metric_observe(struct metric_histogram *h, uint64_t us, uint64_t n_times)
{
        unsigned i = us <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(us - 1);

        h->counts[i < METRIC_BUCKETS ? i : METRIC_BUCKETS] += n_times;
        h->sum_us += us * n_times;
}
/* Its buckets (in seconds, cumulative), sum and count. */
void metric_put_histogram(struct builder *b, const struct metric *m, const struct metric_histogram *h);
