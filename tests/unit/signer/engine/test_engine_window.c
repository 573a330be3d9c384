/* How long answers are valid, when they are refreshed, and what a token that is away costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine_fixture.h"
#include "signer/engine/open_window.h"
#include "signer/engine/refresh_walk.h"
#include "signer/engine/vault_client.h"
#include "base/cleanup.h"
#include "store/import.h"

#define NOW INT64_C(1800000000)

static struct conf_issuer conf = {.ocsp_validity_s = 4 * CLOCK_DAY_S};

static struct issuer make_issuer(int64_t signer_ends, int64_t ca_ends)
{
        struct issuer is = {.conf = &conf};

        is.ocsp.not_after_s = signer_ends;
        is.ca.not_after = ca_ends;
        return is;
}

static void an_answer_is_valid_as_long_as_configured(void **state)
{
        struct issuer is = make_issuer(NOW + 90 * CLOCK_DAY_S, INT64_MAX);
        int64_t next;

        (void)state;
        assert_int_equal(window_times(&is, NOW, &next), OK);
        assert_int_equal(next, NOW + 4 * CLOCK_DAY_S);
}

static void an_answer_ends_with_the_certificates_it_leans_on(void **state) /* M6, req 2.8 */
{
        struct issuer is = make_issuer(NOW + CLOCK_DAY_S, INT64_MAX);
        int64_t next;

        (void)state;
        assert_int_equal(window_times(&is, NOW, &next), OK);
        assert_int_equal(next, NOW + CLOCK_DAY_S);
        is = make_issuer(NOW + CLOCK_DAY_S, NOW + CLOCK_HOUR_S);
        assert_int_equal(window_times(&is, NOW, &next), OK);
        assert_int_equal(next, NOW + CLOCK_HOUR_S);
}

static void nothing_is_signed_under_an_expired_certificate(void **state)
{
        struct issuer is = make_issuer(NOW, INT64_MAX);
        int64_t next;

        (void)state;
        assert_int_equal(window_times(&is, NOW, &next), ERR_RANGE);
        is = make_issuer(INT64_MAX, NOW - 1);
        assert_int_equal(window_times(&is, NOW, &next), ERR_RANGE);
}

static void cabf_tls_answers_last_ten_days_at_most(void **state) /* BR 4.9.9, req 2.6 */
{
        struct conf_issuer cabf = {.ocsp_validity_s = 10 * CLOCK_DAY_S, .profile = CONF_PROFILE_CABF_TLS};
        struct issuer is = make_issuer(INT64_MAX, INT64_MAX);
        int64_t next;

        (void)state;
        is.conf = &cabf;
        assert_int_equal(window_times(&is, NOW, &next), OK);
        assert_int_equal(next - NOW + 1, 10 * CLOCK_DAY_S); /* both ends counted */
}

/* ---- refresh ---- */

static struct window lasting(uint32_t id, int64_t validity_s)
{
        return (struct window){.id = id,
                .this_update_s = NOW,
                .next_update_s = NOW + validity_s,
                .range_from = BYTES_LIT("a"),
                .range_to = BYTES_LIT("b")};
}

static int64_t age_when_due(const struct issuer *is, const struct window *w, struct bytes serial)
{
        return refresh_due_s(is, w, refresh_part(w, serial)) - w->this_update_s;
}

/* Whatever the part: never after the refresh age, with a pass's pace to spare, nor before half of it. */
static void assert_due_within(const struct issuer *is, int64_t validity_s, int64_t age_s)
{
        for (uint32_t id = 1; id <= 2000; id++) {
                struct window w = lasting(id, validity_s);
                int64_t age = age_when_due(is, &w, BYTES_NONE);

                assert_in_range(age, age_s / 2, age_s - age_s / 64);
        }
}

static void refresh_is_due_before_half_the_validity(void **state) /* req 2.7 */
{
        struct conf_issuer c = {.ocsp_validity_s = 4 * CLOCK_DAY_S};
        struct issuer is = make_issuer(INT64_MAX, INT64_MAX);

        (void)state;
        is.conf = &c;
        assert_due_within(&is, 4 * CLOCK_DAY_S, 2 * CLOCK_DAY_S);
        assert_due_within(&is, CLOCK_HOUR_S, CLOCK_HOUR_S / 2); /* cut short by a notAfter */
        c.ocsp_refresh_s = CLOCK_DAY_S;
        assert_due_within(&is, 4 * CLOCK_DAY_S, CLOCK_DAY_S);
        assert_int_equal(refresh_pace_s(&is), CLOCK_DAY_S / 64);
}

/* 4,096 slices of one burst: in each twentieth of the second half of the age about a twentieth is due. */
static void what_was_signed_in_one_burst_is_not_refreshed_in_one(void **state)
{
        struct issuer is = make_issuer(INT64_MAX, INT64_MAX);
        unsigned n[20] = {0};

        (void)state;
        for (uint32_t id = 1; id <= 4096; id++) {
                struct window w = lasting(id, 4 * CLOCK_DAY_S);
                int64_t into = age_when_due(&is, &w, BYTES_NONE) - CLOCK_DAY_S;

                n[into * 20 / CLOCK_DAY_S]++;
        }
        for (unsigned i = 0; i < 19; i++)
                assert_in_range(n[i], 4096 / 20 / 2, 4096 / 20 * 2);
}

/* A batch of any size is signed under one window for any serial. */
static void the_parts_of_a_window_for_any_serial_are_due_apart_and_neighbours_together(void **state)
{
        struct issuer is = make_issuer(INT64_MAX, INT64_MAX);
        struct window w = lasting(7, 4 * CLOCK_DAY_S);
        uint8_t serial[16] = {0x40};
        unsigned n_early = 0;

        (void)state;
        w.range_from = w.range_to = BYTES_NONE;
        for (unsigned i = 0; i < 256; i++) {
                int64_t age;

                serial[2] = (uint8_t)i;
                serial[15] = 0;
                age = age_when_due(&is, &w, BYTES_OF(serial));
                serial[15] = 1;
                assert_int_equal(age_when_due(&is, &w, BYTES_OF(serial)), age);
                assert_int_equal(age_when_due(&is, &w, BYTES_OF(serial)), age); /* always the same */
                n_early += age < CLOCK_DAY_S * 3 / 2;
        }
        assert_in_range(n_early, 80, 176);
}

/* ---- promises ---- */

#define CA 7

static uint32_t put_window(struct txn *txn, unsigned from, unsigned to, int64_t this_update_s, int64_t next_update_s)
{
        struct serial first = fixture_serial(from), last = fixture_serial(to);
        struct window w = {.ca_key = CA, .this_update_s = this_update_s, .next_update_s = next_update_s};

        if (from != 0) {
                w.range_from = serial_bytes(&first);
                w.range_to = serial_bytes(&last);
        }
        return window_put(txn, &w);
}

static int64_t promised(struct txn *txn, unsigned i, int64_t made_until_s)
{
        struct serial serial = fixture_serial(i);
        int64_t until_s;

        assert_int_equal(window_get_promise(txn, CA, serial_bytes(&serial), made_until_s, &until_s), OK);
        return until_s;
}

static void what_may_have_been_promised_is_known_from_the_windows_alone(void **state)
{
        struct fixture_store s;
        struct txn *txn;

        (void)state;
        fixture_store_open(&s);
        assert_int_equal(txn_begin_write(s.env, &txn), OK);
        assert_int_equal(promised(txn, 5, INT64_MAX), 0);
        put_window(txn, 10, 20, NOW, NOW + 1000);  /* a slice */
        put_window(txn, 0, 0, NOW + 1, NOW + 500); /* any serial */
        assert_int_equal(promised(txn, 9, INT64_MAX), NOW + 500);
        assert_int_equal(promised(txn, 10, INT64_MAX), NOW + 1000);
        assert_int_equal(promised(txn, 20, INT64_MAX), NOW + 1000);
        assert_int_equal(promised(txn, 21, INT64_MAX), NOW + 500);
        assert_int_equal(promised(txn, 9, NOW), 0);
        assert_int_equal(promised(txn, 15, NOW), NOW + 1000);
        txn_abort(txn);
        fixture_store_close(&s);
}

/* A record, and the window of a `good` that went out but was never written back. */
static void a_good_whose_signature_was_lost_still_counts_and_ends_with_the_revocation(void **state)
{
        struct rowfile_row row = {.serial_len = 4};
        struct serial serial = fixture_serial(3);
        enum import_effect effect;
        struct fixture_store s;
        struct status status;
        struct txn *txn;
        int64_t until_s;

        (void)state;
        fixture_store_open(&s);
        assert_int_equal(txn_begin_write(s.env, &txn), OK);
        memcpy(row.serial, serial.data, serial.len);
        assert_int_equal(import_row(txn, CA, &row, NOW, BYTES_LIT("test"), 64, &effect), OK);
        put_window(txn, 0, 0, NOW, NOW + 500);
        put_window(txn, 0, 0, NOW + 20, NOW + 520);
        assert_int_equal(status_get(txn, CA, serial_bytes(&serial), &status), OK);
        assert_int_equal(status_get_good_until(txn, CA, serial_bytes(&serial), &status, &until_s), OK);
        assert_int_equal(until_s, NOW + 520);
        status.ocsp.cert_status = OCSP_REVOKED;
        status.changed_at_s = NOW + 10;
        assert_int_equal(status_get_good_until(txn, CA, serial_bytes(&serial), &status, &until_s), OK);
        assert_int_equal(until_s, NOW + 500);
        txn_abort(txn);
        fixture_store_close(&s);
}

static void extras_are_capped_by_their_rate(void **state)
{
        struct rate_bucket b = {0};
        unsigned n = 0;

        (void)state;
        while (rate_bucket_take(&b, 10, 5000))
                n++;
        assert_int_equal(n, 10);
        assert_false(rate_bucket_take(&b, 10, 5050));
        assert_true(rate_bucket_take(&b, 10, 5150));
        assert_false(rate_bucket_take(&b, 10, 5150));
        for (n = 0; rate_bucket_take(&b, 10, 100000); n++)
                ;
        assert_int_equal(n, 10); /* no more than a second's worth is saved */
}

static unsigned longest_pause(enum vault_end end)
{
        unsigned pause = 0;

        for (unsigned n = 0; n < 100; n++)
                pause = vault_next_pause(pause, end);
        return pause;
}

static void the_pause_before_a_new_vault_grows_long_only_while_the_token_fails(void **state)
{
        (void)state;
        assert_int_equal(vault_next_pause(0, VAULT_END_TOKEN), 500);
        assert_int_equal(vault_next_pause(500, VAULT_END_TOKEN), 1000);
        assert_int_equal(longest_pause(VAULT_END_TOKEN), 30000);
        assert_int_equal(longest_pause(VAULT_END_STARTING), 4000);
        assert_int_equal(vault_next_pause(30000, VAULT_END_STARTING), 4000);
        assert_int_equal(vault_next_pause(30000, VAULT_END_RUNNING), 500);
}

static void a_chunk_that_held_the_writer_too_long_makes_the_next_one_smaller(void **state)
{
        unsigned share = WRITER_SLICE_US;

        (void)state;
        assert_int_equal(writer_next_slice_us(share, WRITER_HELD_US), share);
        share = writer_next_slice_us(share, WRITER_HELD_US + 1);
        assert_true(share < WRITER_SLICE_US);
        for (unsigned i = 0; i < 20; i++)
                share = writer_next_slice_us(share, 1000000);
        assert_int_equal(share, WRITER_SLICE_MIN_US);
        for (unsigned i = 0; i < 20; i++)
                share = writer_next_slice_us(share, 1000);
        assert_int_equal(share, WRITER_SLICE_US);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_answer_is_valid_as_long_as_configured),
                cmocka_unit_test(an_answer_ends_with_the_certificates_it_leans_on),
                cmocka_unit_test(nothing_is_signed_under_an_expired_certificate),
                cmocka_unit_test(cabf_tls_answers_last_ten_days_at_most),
                cmocka_unit_test(refresh_is_due_before_half_the_validity),
                cmocka_unit_test(what_was_signed_in_one_burst_is_not_refreshed_in_one),
                cmocka_unit_test(the_parts_of_a_window_for_any_serial_are_due_apart_and_neighbours_together),
                cmocka_unit_test(what_may_have_been_promised_is_known_from_the_windows_alone),
                cmocka_unit_test(a_good_whose_signature_was_lost_still_counts_and_ends_with_the_revocation),
                cmocka_unit_test(extras_are_capped_by_their_rate),
                cmocka_unit_test(a_chunk_that_held_the_writer_too_long_makes_the_next_one_smaller),
                cmocka_unit_test(the_pause_before_a_new_vault_grows_long_only_while_the_token_fails),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
