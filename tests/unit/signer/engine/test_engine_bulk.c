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

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
#define TEST_STARTS(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_unstarted, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST_STARTS(nothing_is_signed_in_bulk_before_its_promise_is_committed),
                TEST(what_is_imported_is_signed_without_being_asked_for),
                TEST(answers_are_signed_anew_in_the_second_half_of_the_refresh_age),
                TEST_STARTS(a_slice_that_waited_long_for_the_token_gets_a_new_window),
                TEST(a_late_good_is_not_written_over_a_revocation),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
