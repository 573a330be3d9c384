/* The bulk lane, the refresh and the write-back of the whole engine against a fake vault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "engine_fixture.h"
#include "store/signer.h"

static void nothing_is_signed_in_bulk_before_its_promise_is_committed(void **state)
{
        struct fixture *f = *state;
        struct serial first = fixture_serial(1), last = fixture_serial(N_RECORDS);
        struct window w;

        fixture_start_holding(f, N_RECORDS);
        assert_non_null(f->engine.refresh.ready);
        w = fixture_window(f, f->engine.refresh.ready->window->row.id);
        assert_true(w.next_update_s > clock_now_s());
        assert_true(bytes_equal(w.range_from, serial_bytes(&first)));
        assert_true(bytes_equal(w.range_to, serial_bytes(&last)));
}

static void what_is_imported_is_signed_without_being_asked_for(void **state)
{
        struct fixture *f = *state;

        fixture_run_until(f, fixture_is_all_signed);
}

static int64_t pass_after;

static bool has_walked(struct fixture *f)
{
        return f->engine.refresh.began_s >= pass_after && !f->engine.refresh.pass_open && fixture_is_idle(f);
}

static bool is_signed_anew(struct fixture *f)
{
        for (unsigned i = 1; i <= N_RECORDS; i++)
                if (fixture_window(f, fixture_status(f, i).window).this_update_s < pass_after)
                        return false;
        return true;
}

static void answers_are_signed_anew_in_the_second_half_of_the_refresh_age(void **state) /* validity 4 d, refreshed by 2 d */
{
        struct fixture *f = *state;
        int64_t start_s = clock_now_s();
        unsigned n;

        fixture_run_until(f, fixture_is_idle);
        n = fake_vault_bulk(&f->vault);
        pass_after = start_s + CLOCK_DAY_S - 60;
        fixture_go_to(f, pass_after);
        fixture_run_until(f, has_walked);
        assert_int_equal(fake_vault_bulk(&f->vault), n);
        pass_after = start_s + 2 * CLOCK_DAY_S;
        fixture_go_to(f, pass_after);
        fixture_run_until(f, is_signed_anew);
        assert_int_equal(fake_vault_bulk(&f->vault), n + N_RECORDS); /* each once */
}

static void a_slice_that_waited_long_for_the_token_gets_a_new_window(void **state)
{
        struct fixture *f = *state;
        int64_t start_s = clock_now_s();

        fixture_start_holding(f, N_RECORDS);
        assert_true(f->engine.refresh.ready->at < N_RECORDS); /* its last serials are not at the vault yet */
        fixture_go_to(f, start_s + 3600);
        fake_vault_hold(&f->vault, false);
        fixture_run_until(f, fixture_is_all_signed);
        assert_true(fixture_window(f, fixture_status(f, N_RECORDS).window).this_update_s >= start_s + 3600);
}

static bool has_dropped(struct fixture *f)
{
        return f->engine.writeback.n_stale > 0;
}

/* A stored signature must rebuild to an answer of the present status that verifies. */
static void assert_stored_signature_fits(struct fixture *f, unsigned i)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct serial serial = fixture_serial(i);
        uint8_t der[8192];
        struct status status;
        struct window w;
        size_t len;

        assert_int_equal(txn_begin_read(f->engine.env, &txn), OK);
        assert_int_equal(status_get(txn, f->engine.issuers->items[0].ca_key, serial_bytes(&serial), &status), OK);
        assert_int_not_equal(status.window, 0);
        assert_int_equal(window_get(txn, status.window, &w), OK);
        assert_int_equal(
                ocsp_response_rebuild(&w.template, serial_bytes(&serial), &status.ocsp, status.signature, der, &len), OK);
        assert_int_equal(fixture_read(f, bytes_make(der, len)).cert_status, status.ocsp.cert_status);
}

static void a_late_good_is_not_written_over_a_revocation(void **state)
{
        struct fixture *f = *state;
        struct bytes raw = BYTES_LIT("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
        struct serial serial = fixture_serial(9);
        uint32_t ca_key = f->engine.issuers->items[0].ca_key;

        fixture_run_until(f, fixture_is_idle);
        fixture_revoke_list(f, 9, 9);
        /* As if signed for generation 0, before. */
        writeback_add(&f->engine, ca_key, serial_bytes(&serial), 0, fixture_status(f, 8).window, raw);
        fixture_run_until(f, has_dropped);
        fixture_run_until(f, fixture_is_all_signed);
        assert_int_equal(fixture_status(f, 9).ocsp.cert_status, OCSP_REVOKED);
        assert_stored_signature_fits(f, 9);
}

/* Both tables are walked, and each serial is signed for what it is, once. */
static void revoked_answers_are_signed_anew_too(void **state)
{
        struct fixture *f = *state;
        int64_t start_s = clock_now_s();
        unsigned n;

        fixture_revoke_list(f, 1, 10);
        fixture_run_until(f, fixture_is_idle);
        n = fake_vault_bulk(&f->vault);
        pass_after = start_s + 2 * CLOCK_DAY_S;
        fixture_go_to(f, pass_after);
        fixture_run_until(f, is_signed_anew);
        fixture_run_until(f, fixture_is_idle);
        assert_int_equal(fake_vault_bulk(&f->vault), n + N_RECORDS);
        assert_int_equal(fixture_status(f, 10).ocsp.cert_status, OCSP_REVOKED);
        assert_stored_signature_fits(f, 10);
}

static bool is_of_epoch_2(struct fixture *f)
{
        for (unsigned i = 1; i <= N_RECORDS; i++)
                if (fixture_window(f, fixture_status(f, i).window).epoch != 2)
                        return false;
        return true;
}

static void answers_of_an_earlier_epoch_are_signed_anew(void **state)
{
        struct fixture *f = *state;

        fixture_run_until(f, fixture_is_idle);
        fixture_begin_epoch(f);
        refresh_kick(&f->engine);
        fixture_run_until(f, is_of_epoch_2);
}

static unsigned wanted_bulk;

static bool has_signed_that_many(struct fixture *f)
{
        return fake_vault_bulk(&f->vault) >= wanted_bulk;
}

static bool has_come_to_rest(struct fixture *f)
{
        struct engine *e = &f->engine;

        return !e->refresh.busy && e->bulk.stats.in_flight == 0 && runner_waiting(&e->writer.runner) == 0 &&
               e->writer.runner.finished.first == NULL;
}

static void answers_of_a_disabled_signer_are_signed_anew(void **state)
{
        struct fixture *f = *state;
        struct txn *txn;

        fixture_run_until(f, fixture_is_idle);
        assert_int_equal(txn_begin_write(f->engine.env, &txn), OK);
        assert_int_equal(signer_disable(txn, f->engine.issuers->items[0].ocsp.id, clock_now_s()), OK);
        assert_int_equal(txn_commit(txn), OK);
        wanted_bulk = fake_vault_bulk(&f->vault) + N_RECORDS;
        refresh_kick(&f->engine);
        fixture_run_until(f, has_signed_that_many);
        f->engine.space_short = true; /* the signer stays the same and disabled: it would go on for ever */
        fixture_run_until(f, has_come_to_rest);
}

#define N_MANY 3000

static bool is_last_signed(struct fixture *f)
{
        return fixture_status(f, N_MANY).window != 0;
}

/* Its slice's window was committed before; it goes by another. */
static void what_is_revoked_while_it_waits_in_a_slice_is_not_signed_under_the_slices_window(void **state)
{
        struct fixture *f = *state;
        int64_t later_s = clock_now_s() + 10;

        fixture_start_holding(f, N_MANY);
        assert_true(f->engine.refresh.ready->at < f->engine.refresh.ready->n);
        fixture_go_to(f, later_s);
        fixture_revoke_list(f, N_MANY, N_MANY);
        fake_vault_hold(&f->vault, false);
        fixture_run_until(f, is_last_signed);
        fixture_run_until(f, fixture_is_idle);
        assert_true(fixture_window(f, fixture_status(f, N_MANY).window).this_update_s >= later_s);
        assert_int_equal(f->engine.writeback.n_stale, 0); /* nothing was signed that could not be stored */
}

static bool has_no_batch(struct fixture *f)
{
        return f->engine.bulk.batches == NULL && fixture_is_idle(f);
}

static void a_batch_is_signed_once_and_then_it_is_over(void **state)
{
        struct fixture *f = *state;
        unsigned n;

        fixture_run_until(f, fixture_is_idle);
        n = fake_vault_bulk(&f->vault);
        fixture_revoke_list(f, 1, 100);
        fixture_run_until(f, has_no_batch);
        assert_int_equal(fake_vault_bulk(&f->vault), n + 100);
}

static bool is_bulk_lost(struct fixture *f)
{
        return f->engine.bulk.stats.in_flight == 0 && !vault_is_up(&f->engine);
}

/* What came back unsigned is found again, by the batch's own next walk. */
static void a_batch_whose_signatures_were_lost_is_walked_again(void **state)
{
        struct fixture *f = *state;

        fixture_run_until(f, fixture_is_idle);
        wanted_bulk = fake_vault_bulk(&f->vault) + 1;
        fake_vault_hold(&f->vault, true);
        fixture_revoke_list(f, 1, 100);
        fixture_run_until(f, has_signed_that_many);
        f->engine.refresh.rest_until_ms = INT64_MAX; /* the refresh would find them too */
        fake_vault_die(&f->vault);
        fixture_run_until(f, is_bulk_lost);
        fake_vault_hold(&f->vault, false);
        fixture_run_until(f, fixture_is_all_signed);
        f->engine.refresh.rest_until_ms = 0;
        fixture_run_until(f, has_no_batch);
}

static void bulk_signing_stops_while_space_is_short_and_goes_on_after(void **state)
{
        struct fixture *f = *state;
        unsigned n;

        fixture_run_until(f, fixture_is_idle);
        n = fake_vault_bulk(&f->vault);
        f->engine.space_short = true;
        fixture_revoke_list(f, 100, 100); /* a single one commits all the same */
        for (unsigned i = 0; i < 50; i++) {
                bulk_feed(&f->engine);
                fixture_turn(f);
        }
        assert_int_equal(fake_vault_bulk(&f->vault), n);
        assert_int_equal(fixture_status(f, 100).ocsp.cert_status, OCSP_REVOKED);
        f->engine.space_short = false;
        bulk_feed(&f->engine);
        fixture_run_until(f, fixture_is_all_signed);
        fixture_run_until(f, has_no_batch);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
#define TEST_STARTS(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_unstarted, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST_STARTS(nothing_is_signed_in_bulk_before_its_promise_is_committed),
                TEST(what_is_imported_is_signed_without_being_asked_for),
                TEST(answers_are_signed_anew_in_the_second_half_of_the_refresh_age),
                TEST_STARTS(a_slice_that_waited_long_for_the_token_gets_a_new_window),
                TEST(revoked_answers_are_signed_anew_too),
                TEST(answers_of_an_earlier_epoch_are_signed_anew),
                TEST(answers_of_a_disabled_signer_are_signed_anew),
                TEST_STARTS(what_is_revoked_while_it_waits_in_a_slice_is_not_signed_under_the_slices_window),
                TEST(a_batch_is_signed_once_and_then_it_is_over),
                TEST(a_batch_whose_signatures_were_lost_is_walked_again),
                TEST(bulk_signing_stops_while_space_is_short_and_goes_on_after),
                TEST(a_late_good_is_not_written_over_a_revocation),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
