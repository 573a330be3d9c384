#include "base/metric.h"

static const char *const TYPES[] = {[METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};

void metric_put_head(struct builder *b, const struct metric *m)
{
        builder_printf(b, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, TYPES[m->type]);
}

static void put_escaped(struct builder *b, struct bytes text)
{
        for (size_t i = 0; i < text.len; i++) {
                if (text.data[i] == '\n') {
                        builder_put_str(b, "\\n");
                        continue;
                }
                if (text.data[i] == '"' || text.data[i] == '\\')
                        builder_put_u8(b, '\\');
                builder_put_u8(b, text.data[i]);
        }
}

static void put_name(struct builder *b, const struct metric *m, const struct metric_label *labels, size_t n_labels)
{
        builder_put_str(b, m->name);
        for (size_t i = 0; i < n_labels; i++) {
                builder_printf(b, "%c%s=\"", i == 0 ? '{' : ',', labels[i].name);
                put_escaped(b, labels[i].value);
                builder_put_u8(b, '"');
        }
        builder_put_str(b, n_labels > 0 ? "} " : " ");
}

static void put_seconds(struct builder *b, uint64_t us)
{
        builder_printf(b, "%llu.%06llu", (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
}

void metric_put_sample(struct builder *b, const struct metric *m, const struct metric_label *labels, size_t n_labels, uint64_t value)
{
        put_name(b, m, labels, n_labels);
        builder_printf(b, "%llu\n", (unsigned long long)value);
}

void metric_put_us(struct builder *b, const struct metric *m, const struct metric_label *labels, size_t n_labels, uint64_t us)
{
        put_name(b, m, labels, n_labels);
        put_seconds(b, us);
        builder_put_u8(b, '\n');
}

void metric_put_histogram(struct builder *b, const struct metric *m, const struct metric_histogram *h)
{
        unsigned long long n = 0;

        for (unsigned i = 0; i < METRIC_BUCKETS; i++) {
                n += h->counts[i];
                builder_printf(b, "%s_bucket{le=\"", m->name);
                put_seconds(b, 1ull << i);
                builder_printf(b, "\"} %llu\n", n);
        }
        n += h->counts[METRIC_BUCKETS];
        builder_printf(b, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum ", m->name, n, m->name);
        put_seconds(b, h->sum_us);
        builder_printf(b, "\n%s_count %llu\n", m->name, n);
}
