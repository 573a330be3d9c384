/* Conditional and range requests (RFC 9110 13, 14; req 3.3, 3.5, 3.8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "responder/answer/condition.h"

#define T 1795255200 /* Sat, 21 Nov 2026 10:00:00 GMT */
#define AT_T "Sat, 21 Nov 2026 10:00:00 GMT"
#define BEFORE_T "Sat, 21 Nov 2026 09:59:59 GMT"
#define AFTER_T "Sat, 21 Nov 2026 10:00:01 GMT"
#define TAG "\"0102\""

static struct answer make_answer(int64_t changed_at_s)
{
        return (struct answer){.status = 200, .cacheable = true, .last_modified_s = T, .changed_at_s = changed_at_s, .etag = {1, 2},
                .etag_len = 2, .body_len = 100};
}

static void a_condition_gives_304_only_where_it_may(void **state)
{
        static const struct {
                const char *why, *none_match, *since;
                int64_t changed_at_s;
                unsigned want;
        } rows[] = {
                {"no condition", NULL, NULL, 0, 200},
                {"the tag", TAG, NULL, 0, 304},
                {"the tag, weak", "W/" TAG, NULL, 0, 304},
                {"in a list", "\"x\", " TAG " ,\"y\"", NULL, 0, 304},
                {"in a list without spaces", "\"x,y\",W/" TAG, NULL, 0, 304},
                {"any", "*", NULL, 0, 304},
                {"another tag", "\"0103\"", NULL, 0, 200},
                {"the tag without quotes", "0102", NULL, 0, 200},
                {"the tag inside another", "\"01020\"", NULL, 0, 200},
                {"nonsense before the tag", "x, " TAG, NULL, 0, 200},
                {"an open quote", "\"0102", NULL, 0, 200},
                {"another tag wins over a date that would hit", "\"x\"", AFTER_T, 0, 200},
                {"sent twice, it still wins over the date", "", AFTER_T, 0, 200},
                {"not modified since", NULL, AT_T, 0, 304},
                {"nor since later", NULL, AFTER_T, 0, 304},
                {"modified since", NULL, BEFORE_T, 0, 200},
                {"no date", NULL, "yesterday", 0, 200},
                {"RFC 9110 5.6.7: an obsolete form", NULL, "Saturday, 21-Nov-26 10:00:00 GMT", 0, 304},
                {"req 3.5: the status changed in that very second", NULL, AT_T, T, 200},
                {"req 3.5: ... and a later date does not help", NULL, AFTER_T, T, 200},
                {"the status changed before", NULL, AT_T, T - 1, 304},
                {"the tag is strong enough in that second too", TAG, NULL, T, 304},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                for (enum method m = METHOD_GET; m <= METHOD_POST; m++) {
                        struct answer a = make_answer(rows[i].changed_at_s);
                        struct request r = {.method = m, .if_none_match = bytes_str(rows[i].none_match),
                                .if_modified_since = bytes_str(rows[i].since)};
                        unsigned want = m == METHOD_POST ? 200 : rows[i].want;

                        condition_apply(&r, &a);
                        if (a.status != want || (want == 304) != (a.body_len == 0))
                                fail_msg("%s: got %u", rows[i].why, a.status);
                }
        }
}

static void what_must_not_be_stored_is_never_304(void **state)
{
        struct answer a = make_answer(0);
        struct request r = {.method = METHOD_GET, .if_none_match = BYTES_LIT("*")};

        (void)state;
        a.cacheable = false;
        condition_apply(&r, &a);
        assert_int_equal(a.status, 200);
}

static void a_range_is_cut_where_rfc_9110_says(void **state)
{
        static const struct {
                const char *range;
                unsigned want;
                uint64_t offset, len;
        } rows[] = {
                {"bytes=0-0", 206, 0, 1},
                {"bytes=0-99", 206, 0, 100},
                {"bytes=10-19", 206, 10, 10},
                {"bytes=10-", 206, 10, 90},
                {"bytes=10-1000", 206, 10, 90},
                {"bytes=-1", 206, 99, 1},
                {"bytes=-1000", 206, 0, 100},
                {"bytes=99-", 206, 99, 1},
                {"bytes=100-", 416, 0, 0},
                {"bytes=100-200", 416, 0, 0},
                {"bytes=-0", 416, 0, 0},
                {"bytes=18446744073709551616-", 416, 0, 0},
                {"bytes=0-18446744073709551616", 206, 0, 100},
                {"bytes=5-4", 200, 0, 100},
                {"bytes=0-0,5-6", 200, 0, 100},
                {"bytes=-", 200, 0, 100},
                {"bytes=", 200, 0, 100},
                {"bytes=a-b", 200, 0, 100},
                {"bytes=1-2x", 200, 0, 100},
                {"lines=0-1", 200, 0, 100},
                {"", 200, 0, 100},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct answer a = make_answer(0);
                struct request r = {.method = METHOD_GET, .range = bytes_str(rows[i].range)};

                a.total_len = 100;
                condition_apply(&r, &a);
                if (a.status != rows[i].want || a.offset != rows[i].offset || a.body_len != rows[i].len)
                        fail_msg("%s: got %u %llu+%llu", rows[i].range, a.status, (unsigned long long)a.offset,
                                (unsigned long long)a.body_len);
        }
}

static void a_range_holds_only_for_the_file_it_was_begun_with(void **state)
{
        static const struct {
                const char *if_range;
                int64_t changed_at_s;
                unsigned want;
        } rows[] = {
                {TAG, 0, 206},
                {"W/" TAG, 0, 200},
                {"\"x\"", 0, 200},
                {AT_T, 0, 206},
                {AT_T, T, 200},
                {AFTER_T, 0, 200},
                {"x", 0, 200},
                {"", 0, 200},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct answer a = make_answer(rows[i].changed_at_s);
                struct request r = {.method = METHOD_GET, .range = BYTES_LIT("bytes=1-2"), .if_range = bytes_str(rows[i].if_range)};

                a.total_len = 100;
                condition_apply(&r, &a);
                if (a.status != rows[i].want)
                        fail_msg("%s: got %u", rows[i].if_range, a.status);
        }
}

static void a_range_means_nothing_to_head(void **state)
{
        struct answer a = make_answer(0);
        struct request r = {.method = METHOD_HEAD, .range = BYTES_LIT("bytes=1-2")};

        (void)state;
        a.total_len = 100;
        condition_apply(&r, &a);
        assert_int_equal(a.status, 200);
        assert_int_equal(a.body_len, 100);
}

static void max_age_is_capped_and_ends_before_next_update(void **state)
{
        (void)state;
        assert_int_equal(answer_max_age(300, T, T + 1000), 300);
        assert_int_equal(answer_max_age(300, T, T + 300), 299);
        assert_int_equal(answer_max_age(300, T, T + 1), 0);
        assert_int_equal(answer_max_age(300, T, T), 0);
        assert_int_equal(answer_max_age(300, T, T - 50), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_condition_gives_304_only_where_it_may),
                cmocka_unit_test(what_must_not_be_stored_is_never_304),
                cmocka_unit_test(a_range_is_cut_where_rfc_9110_says),
                cmocka_unit_test(a_range_holds_only_for_the_file_it_was_begun_with),
                cmocka_unit_test(a_range_means_nothing_to_head),
                cmocka_unit_test(max_age_is_capped_and_ends_before_next_update),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
