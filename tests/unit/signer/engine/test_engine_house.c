/* The whole engine against a fake vault: the token away, reloads, clocks that jump, batches, CRLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "engine_fixture.h"
#include "store/batch.h"
#include "store/crl_history.h"

static bool is_down(struct fixture *f)
{
        return !vault_is_up(&f->engine);
}

static bool is_up(struct fixture *f)
{
        return vault_is_up(&f->engine);
}

static void with_the_token_away_revocations_commit_and_questions_get_try_later(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask = fixture_ask(f, 3);

        fixture_run_until(f, fixture_is_idle);
        fake_vault_die(&f->vault);
        fixture_run_until(f, is_down);
        fixture_send(f, &ask);
        assert_int_equal(fixture_answer(f).outcome, MSG_TRY_LATER);
        fixture_revoke_list(f, 3, 4);
        assert_int_equal(fixture_status(f, 3).ocsp.cert_status, OCSP_REVOKED);
        fixture_run_until(f, is_up); /* asked for by itself */
        assert_int_equal(fake_vault_started(&f->vault), 2);
        ask = fixture_ask(f, 3);
        fixture_send(f, &ask);
        fixture_assert_answer(f, OCSP_REVOKED);
        fixture_run_until(f, fixture_is_all_signed);
}

static bool is_second_up(struct fixture *f)
{
        return vault_is_up(&f->engine) && fake_vault_started(&f->vault) == 2;
}

static void a_reload_lets_a_fresh_vault_take_over_and_no_question_is_refused(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;

        fixture_run_until(f, fixture_is_idle);
        fixture_hold_question(f, 3);
        vault_renew(&f->engine);
        assert_false(vault_is_up(&f->engine));
        ask = fixture_ask(f, 4); /* comes while the old one drains */
        fixture_send(f, &ask);
        fixture_turn(f);
        fake_vault_hold(&f->vault, false);
        fixture_assert_answer(f, OCSP_GOOD);
        fixture_assert_answer(f, OCSP_GOOD);
        fixture_run_until(f, is_second_up);
}

static void a_reload_while_a_vault_opens_makes_another(void **state)
{
        struct fixture *f = *state;

        fixture_run_until(f, fixture_is_idle);
        vault_renew(&f->engine);
        vault_renew(&f->engine);
        assert_int_equal(f->engine.vault.state, VAULT_ASKED);
        for (unsigned i = 0; i < 200 && fake_vault_started(&f->vault) < 3; i++)
                fixture_turn(f);
        fixture_run_until(f, is_up);
        assert_int_equal(fake_vault_started(&f->vault), 3);
}

static bool is_frozen(struct fixture *f)
{
        return engine_clock_is_frozen(&f->engine.clock);
}

static bool is_thawed(struct fixture *f)
{
        return !is_frozen(f);
}

/* A clock that was stepped decides nothing: neither what is due, nor when something became true. */
static void a_wall_clock_that_jumps_is_not_believed(void **state)
{
        struct fixture *f = *state;
        static const int64_t steps_s[] = {10 * CLOCK_DAY_S, -10 * CLOCK_DAY_S};
        int64_t start_s = clock_now_s();

        for (unsigned i = 0; i < 2; i++) {
                unsigned n;

                fixture_run_until(f, fixture_is_idle);
                n = fake_vault_bulk(&f->vault);
                clock_freeze_ms((start_s + steps_s[i]) * 1000);
                fixture_run_until(f, is_frozen);
                fixture_turn(f);
                assert_int_equal(fake_vault_bulk(&f->vault), n);
                fixture_revoke_list(f, i + 1, i + 1);
                assert_in_range(fixture_status(f, i + 1).changed_at_s, start_s, start_s + 60);
                fixture_run_until(f, fixture_is_all_signed); /* what became true is signed all the same */
                clock_freeze_ms(0);
                fixture_run_until(f, is_thawed);
        }
}

#define N_MANY 20000

static struct batch first_batch(struct fixture *f)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct batch batch = {0};

        assert_int_equal(txn_begin_read(f->engine.env, &txn), OK);
        if (batch_get(txn, 1, &batch) != OK)
                return (struct batch){0};
        return batch;
}

static void one_bad_line_and_nothing_is_applied(void **state)
{
        struct fixture *f = *state;
        json_t *final;

        fixture_revoke(f, N_RECORDS - 1, N_RECORDS + 1); /* the last was never issued */
        final = fixture_final(f);
        assert_true(json_is_false(json_object_get(final, "ok")));
        assert_string_equal(json_string_value(json_object_get(final, "code")), "invalid");
        json_decref(final);
        assert_int_equal(first_batch(f).id, 0); /* not even staged */
        assert_int_equal(fixture_status(f, N_RECORDS).ocsp.cert_status, OCSP_GOOD);
}

static void assert_batch_reason(struct fixture *f, unsigned i, const char *reason)
{
        json_t *final, *batch;

        assert_int_equal(msg_send(f->control, BYTES_LIT("{\"command\": \"status\"}"), -1), OK);
        final = fixture_final(f);
        batch = json_array_get(json_object_get(final, "batches"), i);
        assert_non_null(batch);
        assert_string_equal(json_string_value(json_object_get(batch, "reason")), reason);
        json_decref(final);
}

static void status_tells_the_reason_of_a_batch(void **state)
{
        struct fixture *f = *state;

        fixture_revoke_list(f, 1, 10);
        assert_batch_reason(f, 0, "keyCompromise");
}

static bool is_staging(struct fixture *f)
{
        return first_batch(f).n_items > 0;
}

static bool is_dropped(struct fixture *f)
{
        struct batch batch = first_batch(f);

        return batch.state == BATCH_DROPPED && batch.n_items == 0;
}

static bool has_nothing_to_write(struct fixture *f)
{
        return runner_waiting(&f->engine.writer.runner) == 0 && f->engine.writer.runner.finished.first == NULL;
}

static void a_client_that_hangs_up_while_staging_leaves_nothing(void **state)
{
        struct fixture *f = *state;

        fixture_start(f, N_MANY);
        fixture_revoke(f, 1, N_MANY);
        fixture_run_until(f, is_staging);
        close(f->control);
        fixture_run_until(f, is_dropped);
        fixture_run_until(f, has_nothing_to_write);
        assert_int_equal(fixture_status(f, 1).ocsp.cert_status, OCSP_GOOD);
        assert_int_equal(fixture_status(f, N_MANY).ocsp.cert_status, OCSP_GOOD);
        f->control = dup(f->worker);
}

/* All or nothing: what was checked before is looked at again while it is staged. */
static void a_serial_that_changes_while_its_list_is_staged_fails_the_list(void **state)
{
        struct fixture *f = *state;
        _cleanup_close_ int other = -1;

        fixture_start(f, N_MANY);
        assert_int_equal(msg_connect(f->conf.control_socket, &other), OK);
        fixture_revoke_by(f->control, 1, N_MANY, REASON_SUPERSEDED);
        fixture_run_until(f, is_staging);
        fixture_revoke_by(other, N_MANY, N_MANY, REASON_KEY_COMPROMISE); /* a single one goes first */
        fixture_assert_final(f, false);
        fixture_run_until(f, is_dropped);
        fixture_run_until(f, has_nothing_to_write);
        assert_int_equal(fixture_status(f, 1).ocsp.cert_status, OCSP_GOOD);
        assert_int_equal(fixture_status(f, N_MANY).ocsp.reason, REASON_KEY_COMPROMISE);
}

static bool has_crl(struct fixture *f, bool is_delta, struct crl_row *ret_row)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        bool found;

        assert_int_equal(txn_begin_read(f->engine.env, &txn), OK);
        found = crl_current(txn, f->engine.issuers->items[0].ca_key, 0, is_delta, ret_row) == OK;
        ret_row->file = BYTES_NONE;
        return found;
}

static bool has_full(struct fixture *f)
{
        struct crl_row row;

        return has_crl(f, false, &row);
}

static void the_first_crl_is_published_by_itself(void **state)
{
        struct fixture *f = *state;
        struct crl_row row;
        char path[256];

        fixture_run_until(f, has_full);
        assert_true(has_crl(f, false, &row));
        snprintf(path, sizeof(path), "%s/test-ca/0-%llu.crl", f->conf.crl_path, (unsigned long long)row.number);
        assert_int_equal(access(path, R_OK), 0);
}

static void full_and_delta_issued_together_carry_one_number(void **state) /* RFC 5280 5.2.3, req 4.3 */
{
        struct fixture *f = *state;
        struct crl_row first, full, delta;

        f->issuer.crl_delta_period_s = CLOCK_HOUR_S;
        fixture_start(f, N_RECORDS);
        fixture_run_until(f, has_full);
        assert_true(has_crl(f, false, &first));
        fixture_revoke_list(f, 1, 2);
        assert_int_equal(msg_send(f->control,
                                 BYTES_LIT("{\"command\": \"crl.issue\", \"issuer\": \"test-ca\", \"kind\": \"both\"}"), -1),
                OK);
        fixture_assert_final(f, true);
        assert_true(has_crl(f, false, &full));
        assert_true(has_crl(f, true, &delta));
        assert_int_equal(full.number, delta.number);
        assert_true(full.number > first.number);
        assert_int_equal(delta.base, first.number);
        assert_int_equal(full.n_entries, 2);
        assert_int_equal(delta.n_entries, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
#define TEST_STARTS(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_unstarted, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(with_the_token_away_revocations_commit_and_questions_get_try_later),
                TEST(a_reload_lets_a_fresh_vault_take_over_and_no_question_is_refused),
                TEST(a_reload_while_a_vault_opens_makes_another),
                TEST(a_wall_clock_that_jumps_is_not_believed),
                TEST(one_bad_line_and_nothing_is_applied),
                TEST(status_tells_the_reason_of_a_batch),
                TEST_STARTS(a_client_that_hangs_up_while_staging_leaves_nothing),
                TEST_STARTS(a_serial_that_changes_while_its_list_is_staged_fails_the_list),
                TEST(the_first_crl_is_published_by_itself),
                TEST_STARTS(full_and_delta_issued_together_carry_one_number),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
