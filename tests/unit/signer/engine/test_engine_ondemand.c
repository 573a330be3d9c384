/* The truth lane of the whole engine against a fake vault: what is answered, what never is, and the limits of those who ask. */
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

static void a_question_gets_a_signed_answer_that_verifies(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask = fixture_ask(f, 3);
        struct msg_sign_answer answer;

        fixture_send(f, &ask);
        answer = fixture_answer(f);
        assert_int_equal(answer.id, ask.id);
        assert_int_equal(answer.outcome, MSG_SIGNED);
        assert_int_equal(answer.generations[0], 0);
        assert_int_equal(answer.next_update_s - answer.this_update_s, 4 * CLOCK_DAY_S);
        assert_int_equal(fixture_read(f, answer.response).cert_status, OCSP_GOOD);
}

static void a_serial_that_was_never_issued_is_unauthorized(void **state) /* req 2.2, 2.3 */
{
        struct fixture *f = *state;
        struct msg_sign_ask ask = fixture_ask(f, N_RECORDS + 1);

        fixture_send(f, &ask);
        assert_int_equal(fixture_answer(f).outcome, MSG_UNAUTHORIZED);
}

/* DESIGN, the store: while the vault still has the question, the store knows how long its answer will live. */
static void nothing_is_signed_on_demand_before_its_promise_is_committed(void **state)
{
        struct fixture *f = *state;
        struct window w;

        fixture_run_until(f, fixture_is_idle);
        fixture_hold_question(f, 5);
        w = fixture_window(f, f->engine.issuers->items[0].live->row.id);
        fake_vault_hold(&f->vault, false);
        assert_int_equal(fixture_answer(f).next_update_s, w.next_update_s);
}

static void identical_questions_are_signed_once(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;

        fixture_run_until(f, fixture_is_idle);
        fixture_hold_question(f, 3);
        ask = fixture_ask(f, 3);
        fixture_send(f, &ask);
        ask = fixture_ask(f, 3);
        fixture_send(f, &ask);
        ask = fixture_ask(f, 4);
        fixture_send(f, &ask);
        for (unsigned i = 0; i < 20; i++)
                fixture_turn(f);
        assert_int_equal(f->engine.ondemand.n_open, 2);
        fake_vault_hold(&f->vault, false);
        for (unsigned i = 0; i < 4; i++)
                fixture_assert_answer(f, OCSP_GOOD);
        assert_int_equal(fake_vault_urgent(&f->vault), f->wanted_urgent + 1);
}

static void after_a_revocation_the_answer_is_revoked(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask = fixture_ask(f, 7);
        struct msg_sign_answer answer;
        struct status status;

        fixture_revoke_list(f, 7, 7);
        fixture_send(f, &ask);
        answer = fixture_answer(f);
        status = fixture_status(f, 7);
        assert_int_equal(answer.outcome, MSG_SIGNED);
        assert_int_equal(answer.generations[0], status.generation);
        assert_true(answer.this_update_s >= status.changed_at_s);
        assert_int_equal(fixture_read(f, answer.response).cert_status, OCSP_REVOKED);
        assert_int_equal(fixture_read(f, answer.response).reason, REASON_KEY_COMPROMISE);
}

static void a_good_in_flight_is_never_handed_out_after_the_activation(void **state)
{
        struct fixture *f = *state;

        fixture_run_until(f, fixture_is_idle);
        fixture_hold_question(f, 5);
        fixture_revoke_list(f, 1, 10); /* commits while the vault keeps the good answer */
        fake_vault_hold(&f->vault, false);
        fixture_assert_answer(f, OCSP_REVOKED);
}

static void a_good_in_flight_is_never_handed_out_after_a_single_revocation(void **state)
{
        struct fixture *f = *state;

        fixture_run_until(f, fixture_is_idle);
        fixture_hold_question(f, 5);
        fixture_revoke_list(f, 5, 5);
        fake_vault_hold(&f->vault, false);
        fixture_assert_answer(f, OCSP_REVOKED);
}

static void a_worker_beyond_its_credit_gets_try_later(void **state)
{
        struct fixture *f = *state;
        unsigned n_later = 0, n = f->conf.sign_per_worker + 4;

        fixture_run_until(f, fixture_is_idle);
        fake_vault_hold(&f->vault, true);
        for (unsigned i = 1; i <= n; i++) {
                struct msg_sign_ask ask = fixture_ask(f, i);

                fixture_send(f, &ask);
                fixture_turn(f);
        }
        for (unsigned i = 0; i < 4; i++)
                n_later += fixture_answer(f).outcome == MSG_TRY_LATER;
        assert_int_equal(n_later, 4);
        fake_vault_hold(&f->vault, false);
        for (unsigned i = 0; i < f->conf.sign_per_worker; i++)
                fixture_assert_answer(f, OCSP_GOOD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_question_gets_a_signed_answer_that_verifies),
                TEST(a_serial_that_was_never_issued_is_unauthorized),
                TEST(nothing_is_signed_on_demand_before_its_promise_is_committed),
                TEST(identical_questions_are_signed_once),
                TEST(after_a_revocation_the_answer_is_revoked),
                TEST(a_good_in_flight_is_never_handed_out_after_the_activation),
                TEST(a_good_in_flight_is_never_handed_out_after_a_single_revocation),
                TEST(a_worker_beyond_its_credit_gets_try_later),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
