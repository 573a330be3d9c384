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
#include "store/batch.h"

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

/* `tocsin revoke` makes a new window with the change; what comes in another way finds the one that is there too old. */
static void revoke_by_hand(struct fixture *f, unsigned i, int64_t now_s)
{
        struct serial serial = fixture_serial(i);
        struct revocation r = {.ca_key = f->engine.issuers->items[0].ca_key, .serial = serial_bytes(&serial), .reason = REASON_SUPERSEDED};
        enum revocation_effect effect;
        struct txn *txn;

        assert_int_equal(txn_begin_write(f->engine.env, &txn), OK);
        assert_int_equal(revocation_apply(txn, &r, now_s, BYTES_LIT("test"), 64, &effect), OK);
        assert_int_equal(txn_commit(txn), OK);
}

static void what_changed_after_the_window_is_signed_under_a_newer_one(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask = fixture_ask(f, 7);
        struct msg_sign_answer answer;
        int64_t later_s = clock_now_s() + 10;

        fixture_run_until(f, fixture_is_idle);
        fixture_send(f, &ask);
        fixture_assert_answer(f, OCSP_GOOD);
        fixture_run_until(f, fixture_is_idle);
        fixture_go_to(f, later_s);
        revoke_by_hand(f, 7, later_s);
        fixture_send(f, &ask);
        answer = fixture_answer(f);
        assert_true(answer.this_update_s >= later_s);
        assert_int_equal(fixture_read(f, answer.response).cert_status, OCSP_REVOKED);
}

static void nothing_is_signed_under_a_window_that_has_run_out(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask = fixture_ask(f, 7);

        fixture_run_until(f, fixture_is_idle);
        fixture_send(f, &ask);
        fixture_assert_answer(f, OCSP_GOOD);
        fixture_go_to(f, f->engine.issuers->items[0].live->row.next_update_s);
        fixture_send(f, &ask);
        assert_true(fixture_answer(f).next_update_s > clock_now_s());
}

static void nothing_is_signed_under_a_window_of_an_earlier_epoch(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask = fixture_ask(f, 7);

        fixture_run_until(f, fixture_is_idle);
        fixture_send(f, &ask);
        fixture_assert_answer(f, OCSP_GOOD);
        fixture_run_until(f, fixture_is_idle);
        fixture_begin_epoch(f);
        fixture_send(f, &ask);
        fixture_assert_answer(f, OCSP_GOOD);
        assert_int_equal(f->engine.issuers->items[0].live->row.epoch, 2);
}

static int64_t window_after_s;

static bool has_newer_window(struct fixture *f)
{
        return f->engine.issuers->items[0].live->row.this_update_s > window_after_s;
}

/* An answer signed on demand has most of its validity before it. */
static void the_window_of_on_demand_answers_is_renewed_while_they_are_asked_for(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask = fixture_ask(f, 7);

        fixture_run_until(f, fixture_is_idle);
        fixture_send(f, &ask);
        fixture_assert_answer(f, OCSP_GOOD);
        window_after_s = f->engine.issuers->items[0].live->row.this_update_s;
        fixture_go_to(f, window_after_s + CLOCK_HOUR_S + 1);
        fixture_send(f, &ask);
        fixture_assert_answer(f, OCSP_GOOD); /* at once, by the window that is there */
        fixture_run_until(f, has_newer_window);
}

static void an_answer_of_the_truth_lane_is_written_back(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask = fixture_ask(f, 7);
        uint64_t n_written;

        fixture_run_until(f, fixture_is_idle);
        n_written = f->engine.writeback.n_written;
        fixture_go_to(f, clock_now_s() + 60);
        fixture_send(f, &ask);
        fixture_assert_answer(f, OCSP_GOOD);
        fixture_run_until(f, fixture_is_idle);
        assert_int_equal(f->engine.writeback.n_written, n_written + 1);
        assert_int_equal(fixture_status(f, 7).window, f->engine.issuers->items[0].live->row.id);
}

/* The engine trusts no worker: what is truth it sees for itself. */
static void a_worker_that_calls_another_hash_the_truth_gets_that_hash_and_nothing_is_written_back(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask = fixture_ask(f, 7);
        struct bytes tbs, signature, certs;
        struct ocsp_response_data data;
        struct ocsp_single_read single;
        struct msg_sign_answer answer;
        enum sig_alg alg;
        uint64_t n_written;

        fixture_run_until(f, fixture_is_idle);
        n_written = f->engine.writeback.n_written;
        ask.cert_id_hash = HASH_SHA256;
        fixture_send(f, &ask);
        answer = fixture_answer(f);
        assert_int_equal(answer.outcome, MSG_SIGNED);
        assert_int_equal(ocsp_response_read(answer.response, &tbs, &alg, &signature, &certs), OK);
        assert_int_equal(ocsp_response_data_read(tbs, &data), OK);
        assert_int_equal(ocsp_single_read(&data.responses, &single), OK);
        assert_int_equal(single.hash, HASH_SHA256);
        fixture_run_until(f, fixture_is_idle);
        assert_int_equal(f->engine.writeback.n_written, n_written);
}

/* The fake vault's socket takes two packets; whatever comes then waits. */
static void fill_the_urgent_lane(struct fixture *f)
{
        struct msg_sign_ask ask = fixture_ask(f, 2);

        fixture_hold_question(f, 1);
        fixture_send(f, &ask);
        for (unsigned i = 0; i < 200 && f->engine.vault.n_calls[VAULT_URGENT] < 2; i++)
                fixture_turn(f);
        assert_int_equal(f->engine.vault.n_calls[VAULT_URGENT], 2);
}

static unsigned wanted_open;

static bool has_open(struct fixture *f)
{
        return f->engine.ondemand.n_open == wanted_open;
}

static void the_truth_goes_before_extras_that_came_earlier(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask extra, truth;
        uint64_t ids[4];

        fixture_run_until(f, fixture_is_idle);
        fill_the_urgent_lane(f);
        extra = fixture_ask(f, 3);
        extra.lane = MSG_LANE_EXTRAS;
        extra.preferred = 1 + SIG_P256_SHA384; /* another algorithm: it cannot share the truth's packet either */
        fixture_send(f, &extra);
        truth = fixture_ask(f, 4);
        fixture_send(f, &truth);
        wanted_open = 4;
        fixture_run_until(f, has_open);
        fake_vault_hold(&f->vault, false);
        for (unsigned i = 0; i < 4; i++) {
                struct msg_sign_answer answer = fixture_answer(f);

                assert_int_equal(answer.outcome, MSG_SIGNED);
                assert_int_equal(fixture_read(f, answer.response).cert_status, OCSP_GOOD); /* it verifies */
                ids[i] = answer.id;
        }
        assert_int_equal(ids[2], truth.id);
        assert_int_equal(ids[3], extra.id);
}

static void with_the_vault_gone_nobody_is_kept_waiting(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask third, last;

        fixture_run_until(f, fixture_is_idle);
        fill_the_urgent_lane(f);
        third = fixture_ask(f, 3); /* takes the room of the first, should that be answered yet */
        fixture_send(f, &third);
        last = fixture_ask(f, 4);
        last.lane = MSG_LANE_EXTRAS;
        last.preferred = 1 + SIG_P256_SHA384; /* so that they share no packet */
        fixture_send(f, &last);
        wanted_open = 4;
        fixture_run_until(f, has_open);
        fake_vault_die(&f->vault);
        for (unsigned i = 0; i < 4; i++) {
                struct msg_sign_answer answer = fixture_answer(f);

                if (answer.id == last.id)
                        assert_int_equal(answer.outcome, MSG_TRY_LATER);
        }
        assert_int_equal(f->engine.ondemand.n_open, 0);
        fake_vault_hold(&f->vault, false);
}

static void beyond_what_may_be_in_flight_the_answer_is_try_later_at_once(void **state)
{
        struct fixture *f = *state;
        unsigned n_later = 0;

        f->conf.sign_in_flight = 4;
        fixture_start(f, N_RECORDS);
        fixture_run_until(f, fixture_is_idle);
        fake_vault_hold(&f->vault, true);
        for (unsigned i = 1; i <= 6; i++) {
                struct msg_sign_ask ask = fixture_ask(f, i);

                fixture_send(f, &ask);
        }
        for (unsigned i = 0; i < 2; i++)
                n_later += fixture_answer(f).outcome == MSG_TRY_LATER;
        assert_int_equal(n_later, 2);
        fake_vault_hold(&f->vault, false);
        for (unsigned i = 0; i < 4; i++)
                fixture_assert_answer(f, OCSP_GOOD);
}

#define TEST_STARTS(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_unstarted, fixture_tear_down)
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
                TEST(what_changed_after_the_window_is_signed_under_a_newer_one),
                TEST(nothing_is_signed_under_a_window_that_has_run_out),
                TEST(nothing_is_signed_under_a_window_of_an_earlier_epoch),
                TEST(the_window_of_on_demand_answers_is_renewed_while_they_are_asked_for),
                TEST(an_answer_of_the_truth_lane_is_written_back),
                TEST(a_worker_that_calls_another_hash_the_truth_gets_that_hash_and_nothing_is_written_back),
                TEST(the_truth_goes_before_extras_that_came_earlier),
                TEST(with_the_vault_gone_nobody_is_kept_waiting),
                TEST_STARTS(beyond_what_may_be_in_flight_the_answer_is_try_later_at_once),
                TEST(a_worker_beyond_its_credit_gets_try_later),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
