/* What base/metric.h promises; the format is Prometheus' text format 0.0.4. */
#include "test.h"

#include "base/metric.h"

static const struct metric COUNTER = {"t_things_total", METRIC_COUNTER, "Things."};
static const struct metric TIMES = {"t_seconds", METRIC_HISTOGRAM, "Times."};

static void expect(struct builder *b, const char *want)
{
        builder_put_u8(b, 0);
        assert_string_equal((const char *)b->data, want);
        builder_done(b);
}

static void a_family_opens_with_help_and_type(void **state)
{
        struct builder b = {0};

        (void)state;
        metric_put_head(&b, &COUNTER);
        metric_put_head(&b, &TIMES);
        expect(&b, "# HELP t_things_total Things.\n# TYPE t_things_total counter\n# HELP t_seconds Times.\n# TYPE t_seconds histogram\n");
}

static void samples_have_their_labels_escaped(void **state)
{
        const struct metric_label labels[] = {{"a", BYTES_LIT("x\"y\\z\n")}, {"b", BYTES_NONE}};
        struct builder b = {0};

        (void)state;
        metric_put_sample(&b, &COUNTER, NULL, 0, UINT64_MAX);
        metric_put_sample(&b, &COUNTER, labels, 2, 0);
        metric_put_us(&b, &COUNTER, labels, 1, 1000001);
        expect(&b, "t_things_total 18446744073709551615\n"
                   "t_things_total{a=\"x\\\"y\\\\z\\n\",b=\"\"} 0\n"
                   "t_things_total{a=\"x\\\"y\\\\z\\n\"} 1.000001\n");
}

static void a_time_lands_in_the_first_bucket_that_holds_it(void **state)
{
        static const struct {
                uint64_t us;
                unsigned bucket;
        } rows[] = {{0, 0}, {1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {1024, 10}, {1025, 11}, {1 << 23, 23}, {(1 << 23) + 1, 24}, {1ull << 40, 24}};

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct metric_histogram h = {0};

                metric_observe(&h, rows[i].us, 3);
                assert_int_equal(h.counts[rows[i].bucket], 3);
                assert_int_equal(h.sum_us, 3 * rows[i].us);
        }
}

static void buckets_are_cumulative_and_the_last_is_the_count(void **state)
{
        struct metric_histogram h = {0};
        struct builder b = {0};
        const char *text;

        (void)state;
        metric_observe(&h, 1, 2);
        metric_observe(&h, 3, 1);
        metric_observe(&h, 1ull << 40, 4);
        metric_put_histogram(&b, &TIMES, &h);
        builder_put_u8(&b, 0);
        text = (const char *)b.data;
        assert_non_null(strstr(text, "t_seconds_bucket{le=\"0.000001\"} 2\nt_seconds_bucket{le=\"0.000002\"} 2\nt_seconds_bucket{le=\"0.000004\"} 3\n"));
        assert_non_null(strstr(text, "t_seconds_bucket{le=\"8.388608\"} 3\nt_seconds_bucket{le=\"+Inf\"} 7\nt_seconds_sum "));
        assert_non_null(strstr(text, "\nt_seconds_count 7\n"));
        builder_done(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_family_opens_with_help_and_type),
                cmocka_unit_test(samples_have_their_labels_escaped),
                cmocka_unit_test(a_time_lands_in_the_first_bucket_that_holds_it),
                cmocka_unit_test(buckets_are_cumulative_and_the_last_is_the_count),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
