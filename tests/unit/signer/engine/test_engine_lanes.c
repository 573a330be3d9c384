/* The whole engine against a fake vault: what is answered, and what never is. */
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

#define N_RECORDS 200

static struct fixture f;

static int setup_init(void **state)
{
        fixture_init(&f);
        *state = &f;
        return 0;
}

static int setup(void **state)
{
        setup_init(state);
        fixture_start(&f, N_RECORDS);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        fixture_stop(&f);
        return 0;
}

/* ---- what tests wait for ---- */

static bool is_all_signed(struct fixture *fx)
{
        for (unsigned i = 1; i <= N_RECORDS; i++)
                if (fixture_status(fx, i).window == 0)
                        return false;
        return true;
}

static bool is_written_back(const struct writeback *wb)
{
        unsigned n_idle = 0;

        for (const struct writeback_chunk *c = wb->free; c; c = c->next)
                n_idle++;
        return wb->filling && wb->filling->n == 0 && n_idle == WRITEBACK_CHUNKS - 1;
}

static bool is_idle(struct fixture *fx)
{
        const struct engine *e = &fx->engine;

        return is_all_signed(fx) && is_written_back(&e->writeback) && e->bulk.stats.in_flight == 0 &&
               e->ondemand.n_open == 0 && e->refresh.n_slices == 0 && !e->refresh.pass_open && !e->crls.work &&
               !e->crls.orders;
}

static unsigned wanted_urgent;

static bool has_asked(struct fixture *fx)
{
        return fake_vault_urgent(&fx->vault) >= wanted_urgent;
}

/* The vault has taken the question and keeps it. */
static void hold_question(unsigned i)
{
        struct msg_sign_ask ask = fixture_ask(&f, i);

        wanted_urgent = fake_vault_urgent(&f.vault) + 1;
        fake_vault_hold(&f.vault, true);
        fixture_send(&f, &ask);
        fixture_run_until(&f, has_asked);
}

static void assert_final_ok(bool ok)
{
        json_t *final = fixture_final(&f);

        assert_int_equal(json_is_true(json_object_get(final, "ok")), ok);
        json_decref(final);
}

static void revoke_list(unsigned from, unsigned to)
{
        fixture_revoke(&f, from, to);
        assert_final_ok(true);
}

static void assert_answer(enum ocsp_cert_status status)
{
        struct msg_sign_answer answer = fixture_answer(&f);

        assert_int_equal(answer.outcome, MSG_SIGNED);
        assert_int_equal(fixture_read(&f, answer.response).cert_status, status);
}

/* ---- the truth lane ---- */

static void a_question_gets_a_signed_answer_that_verifies(void **state)
{
        struct msg_sign_ask ask = fixture_ask(&f, 3);
        struct msg_sign_answer answer;

        (void)state;
        fixture_send(&f, &ask);
        answer = fixture_answer(&f);
        assert_int_equal(answer.id, ask.id);
        assert_int_equal(answer.outcome, MSG_SIGNED);
        assert_int_equal(answer.generations[0], 0);
        assert_int_equal(answer.next_update_s - answer.this_update_s, 4 * CLOCK_DAY_S);
        assert_int_equal(fixture_read(&f, answer.response).cert_status, OCSP_GOOD);
}

static void a_serial_that_was_never_issued_is_unauthorized(void **state) /* req 2.2, 2.3 */
{
        struct msg_sign_ask ask = fixture_ask(&f, N_RECORDS + 1);

        (void)state;
        fixture_send(&f, &ask);
        assert_int_equal(fixture_answer(&f).outcome, MSG_UNAUTHORIZED);
}

/* As another process sees it: in a transaction begun now. */
static struct window committed_window(uint32_t id)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct window w;

        assert_int_equal(txn_begin_read(f.engine.env, &txn), OK);
        assert_int_equal(window_get(txn, id, &w), OK);
        return w;
}

/* DESIGN, the store: while the vault still has the question, the store knows how long its answer will live. */
static void nothing_is_signed_on_demand_before_its_promise_is_committed(void **state)
{
        struct window w;

        (void)state;
        fixture_run_until(&f, is_idle);
        hold_question(5);
        w = committed_window(f.engine.issuers->items[0].live->row.id);
        fake_vault_hold(&f.vault, false);
        assert_int_equal(fixture_answer(&f).next_update_s, w.next_update_s);
}

static bool has_asked_in_bulk(struct fixture *fx)
{
        return fake_vault_bulk(&fx->vault) > 0;
}

/* The first packets of the refresh are at the vault, which keeps them. */
static void start_and_hold_bulk(void)
{
        f.issuer.crl_key = f.conf.file; /* "": no CRL is asked for before it */
        f.hold = true;
        fixture_start(&f, N_RECORDS);
        fixture_run_until(&f, has_asked_in_bulk);
}

static void nothing_is_signed_in_bulk_before_its_promise_is_committed(void **state)
{
        struct serial first = fixture_serial(1), last = fixture_serial(N_RECORDS);
        struct window w;

        (void)state;
        start_and_hold_bulk();
        assert_non_null(f.engine.refresh.ready);
        w = committed_window(f.engine.refresh.ready->window->row.id);
        assert_true(w.next_update_s > clock_now_s());
        assert_true(bytes_equal(w.range_from, serial_bytes(&first)));
        assert_true(bytes_equal(w.range_to, serial_bytes(&last)));
}

static void identical_questions_are_signed_once(void **state)
{
        struct msg_sign_ask ask;

        (void)state;
        fixture_run_until(&f, is_idle);
        hold_question(3);
        ask = fixture_ask(&f, 3);
        fixture_send(&f, &ask);
        ask = fixture_ask(&f, 3);
        fixture_send(&f, &ask);
        ask = fixture_ask(&f, 4);
        fixture_send(&f, &ask);
        for (unsigned i = 0; i < 20; i++)
                fixture_turn(&f);
        assert_int_equal(f.engine.ondemand.n_open, 2);
        fake_vault_hold(&f.vault, false);
        for (unsigned i = 0; i < 4; i++)
                assert_answer(OCSP_GOOD);
        assert_int_equal(fake_vault_urgent(&f.vault), wanted_urgent + 1);
}

static void after_a_revocation_the_answer_is_revoked(void **state)
{
        struct msg_sign_ask ask = fixture_ask(&f, 7);
        struct msg_sign_answer answer;
        struct status status;

        (void)state;
        revoke_list(7, 7);
        fixture_send(&f, &ask);
        answer = fixture_answer(&f);
        status = fixture_status(&f, 7);
        assert_int_equal(answer.outcome, MSG_SIGNED);
        assert_int_equal(answer.generations[0], status.generation);
        assert_true(answer.this_update_s >= status.changed_at_s);
        assert_int_equal(fixture_read(&f, answer.response).cert_status, OCSP_REVOKED);
        assert_int_equal(fixture_read(&f, answer.response).reason, REASON_KEY_COMPROMISE);
}

static void a_good_in_flight_is_never_handed_out_after_the_activation(void **state)
{
        (void)state;
        fixture_run_until(&f, is_idle);
        hold_question(5);
        revoke_list(1, 10); /* commits while the vault keeps the good answer */
        fake_vault_hold(&f.vault, false);
        assert_answer(OCSP_REVOKED);
}

static void a_good_in_flight_is_never_handed_out_after_a_single_revocation(void **state)
{
        (void)state;
        fixture_run_until(&f, is_idle);
        hold_question(5);
        revoke_list(5, 5);
        fake_vault_hold(&f.vault, false);
        assert_answer(OCSP_REVOKED);
}

/* ---- extras ---- */

static void a_nonce_is_echoed_and_the_answer_is_not_written_back(void **state)
{
        struct msg_sign_ask ask = fixture_ask(&f, 3);
        struct msg_sign_answer answer;
        uint64_t written;

        (void)state;
        fixture_run_until(&f, is_idle);
        written = f.engine.writeback.n_written;
        ask.lane = MSG_LANE_EXTRAS;
        ask.nonce_len = 16;
        memset(ask.nonce, 0x5a, 16);
        fixture_send(&f, &ask);
        answer = fixture_answer(&f);
        assert_int_equal(answer.outcome, MSG_SIGNED);
        assert_int_equal(fixture_read(&f, answer.response).cert_status, OCSP_GOOD);
        assert_non_null(memmem(answer.response.data, answer.response.len, ask.nonce, 16));
        assert_int_equal(f.engine.writeback.n_written, written);
}

/* RFC 6960 4.4.7, req 1.13 */
static void a_preferred_algorithm_of_the_key_is_signed_with_and_no_other(void **state)
{
        struct msg_sign_ask ask = fixture_ask(&f, 3);
        struct bytes tbs, signature, certs;
        struct msg_sign_answer answer;
        enum sig_alg alg;

        (void)state;
        fixture_run_until(&f, is_idle);
        ask.lane = MSG_LANE_EXTRAS;
        ask.preferred = 1 + SIG_P256_SHA384;
        fixture_send(&f, &ask);
        answer = fixture_answer(&f);
        assert_int_equal(answer.outcome, MSG_SIGNED);
        assert_int_equal(fixture_read(&f, answer.response).cert_status, OCSP_GOOD); /* it verifies */
        assert_int_equal(ocsp_response_read(answer.response, &tbs, &alg, &signature, &certs), OK);
        assert_int_equal(sig_alg_hash(alg), HASH_SHA384);
        ask.preferred = 1 + SIG_RSA_SHA256;
        fixture_send(&f, &ask);
        assert_int_equal(fixture_answer(&f).outcome, MSG_TRY_LATER);
        ask.preferred = 1 + SIG_N;
        fixture_send(&f, &ask);
        assert_int_equal(fixture_answer(&f).outcome, MSG_TRY_LATER);
}

static void extras_beyond_their_rate_get_try_later_and_the_truth_does_not(void **state)
{
        struct msg_sign_ask ask;
        unsigned n_later = 0;

        (void)state;
        for (unsigned i = 0; i < 20; i++) { /* the rate is 10 a second */
                ask = fixture_ask(&f, 3);
                ask.lane = MSG_LANE_EXTRAS;
                ask.cert_id_hash = HASH_SHA256;
                fixture_send(&f, &ask);
        }
        for (unsigned i = 0; i < 20; i++)
                n_later += fixture_answer(&f).outcome == MSG_TRY_LATER;
        assert_true(n_later >= 5);
        ask = fixture_ask(&f, 3);
        fixture_send(&f, &ask);
        assert_answer(OCSP_GOOD);
}

/* ---- limits and the token ---- */

static void a_worker_beyond_its_credit_gets_try_later(void **state)
{
        unsigned n_later = 0, n = f.conf.sign_per_worker + 4;

        (void)state;
        fixture_run_until(&f, is_idle);
        fake_vault_hold(&f.vault, true);
        for (unsigned i = 1; i <= n; i++) {
                struct msg_sign_ask ask = fixture_ask(&f, i);

                fixture_send(&f, &ask);
                fixture_turn(&f);
        }
        for (unsigned i = 0; i < 4; i++)
                n_later += fixture_answer(&f).outcome == MSG_TRY_LATER;
        assert_int_equal(n_later, 4);
        fake_vault_hold(&f.vault, false);
        for (unsigned i = 0; i < f.conf.sign_per_worker; i++)
                assert_answer(OCSP_GOOD);
}

static bool is_down(struct fixture *fx)
{
        return !vault_is_up(&fx->engine);
}

static bool is_up(struct fixture *fx)
{
        return vault_is_up(&fx->engine);
}

static void with_the_token_away_revocations_commit_and_questions_get_try_later(void **state)
{
        struct msg_sign_ask ask = fixture_ask(&f, 3);

        (void)state;
        fixture_run_until(&f, is_idle);
        fake_vault_die(&f.vault);
        fixture_run_until(&f, is_down);
        fixture_send(&f, &ask);
        assert_int_equal(fixture_answer(&f).outcome, MSG_TRY_LATER);
        revoke_list(3, 4);
        assert_int_equal(fixture_status(&f, 3).ocsp.cert_status, OCSP_REVOKED);
        fixture_run_until(&f, is_up); /* asked for by itself */
        assert_int_equal(fake_vault_started(&f.vault), 2);
        ask = fixture_ask(&f, 3);
        fixture_send(&f, &ask);
        assert_answer(OCSP_REVOKED);
        fixture_run_until(&f, is_all_signed);
}

static bool is_second_up(struct fixture *fx)
{
        return vault_is_up(&fx->engine) && fake_vault_started(&fx->vault) == 2;
}

static void a_reload_lets_a_fresh_vault_take_over_and_no_question_is_refused(void **state)
{
        struct msg_sign_ask ask;

        (void)state;
        fixture_run_until(&f, is_idle);
        hold_question(3);
        vault_renew(&f.engine);
        assert_false(vault_is_up(&f.engine));
        ask = fixture_ask(&f, 4); /* comes while the old one drains */
        fixture_send(&f, &ask);
        fixture_turn(&f);
        fake_vault_hold(&f.vault, false);
        assert_answer(OCSP_GOOD);
        assert_answer(OCSP_GOOD);
        fixture_run_until(&f, is_second_up);
}

static void a_reload_while_a_vault_opens_makes_another(void **state)
{
        (void)state;
        fixture_run_until(&f, is_idle);
        vault_renew(&f.engine);
        vault_renew(&f.engine);
        assert_int_equal(f.engine.vault.state, VAULT_ASKED);
        for (unsigned i = 0; i < 200 && fake_vault_started(&f.vault) < 3; i++)
                fixture_turn(&f);
        fixture_run_until(&f, is_up);
        assert_int_equal(fake_vault_started(&f.vault), 3);
}

/* ---- bulk, write-back ---- */

static void what_is_imported_is_signed_without_being_asked_for(void **state)
{
        (void)state;
        fixture_run_until(&f, is_all_signed);
}

/* The wall clock stands that much later, and the engine believes it. */
static void go_to(int64_t time_s)
{
        clock_freeze_ms(time_s * 1000);
        engine_clock_accept(&f.engine.clock);
}

static int64_t pass_after;

static bool has_walked(struct fixture *fx)
{
        return fx->engine.refresh.began_s >= pass_after && !fx->engine.refresh.pass_open && is_idle(fx);
}

static bool is_signed_anew(struct fixture *fx)
{
        for (unsigned i = 1; i <= N_RECORDS; i++)
                if (committed_window(fixture_status(fx, i).window).this_update_s < pass_after)
                        return false;
        return true;
}

static void answers_are_signed_anew_in_the_second_half_of_the_refresh_age(void **state) /* validity 4 d, refreshed by 2 d */
{
        int64_t start_s = clock_now_s();
        unsigned n;

        (void)state;
        fixture_run_until(&f, is_idle);
        n = fake_vault_bulk(&f.vault);
        pass_after = start_s + CLOCK_DAY_S - 60;
        go_to(pass_after);
        fixture_run_until(&f, has_walked);
        assert_int_equal(fake_vault_bulk(&f.vault), n);
        pass_after = start_s + 2 * CLOCK_DAY_S;
        go_to(pass_after);
        fixture_run_until(&f, is_signed_anew);
        assert_int_equal(fake_vault_bulk(&f.vault), n + N_RECORDS); /* each once */
        clock_freeze_ms(0);
}

static void a_slice_that_waited_long_for_the_token_gets_a_new_window(void **state)
{
        int64_t start_s = clock_now_s();

        (void)state;
        start_and_hold_bulk();
        assert_true(f.engine.refresh.ready->at < N_RECORDS); /* its last serials are not at the vault yet */
        go_to(start_s + 3600);
        fake_vault_hold(&f.vault, false);
        fixture_run_until(&f, is_all_signed);
        assert_true(committed_window(fixture_status(&f, N_RECORDS).window).this_update_s >= start_s + 3600);
        clock_freeze_ms(0);
}

/* ---- clocks ---- */

static bool is_frozen(struct fixture *fx)
{
        return engine_clock_is_frozen(&fx->engine.clock);
}

static bool is_thawed(struct fixture *fx)
{
        return !is_frozen(fx);
}

/* A clock that was stepped decides nothing: neither what is due, nor when something became true. */
static void a_wall_clock_that_jumps_is_not_believed(void **state)
{
        static const int64_t steps_s[] = {10 * CLOCK_DAY_S, -10 * CLOCK_DAY_S};
        int64_t start_s = clock_now_s();

        (void)state;
        for (unsigned i = 0; i < 2; i++) {
                unsigned n;

                fixture_run_until(&f, is_idle);
                n = fake_vault_bulk(&f.vault);
                clock_freeze_ms((start_s + steps_s[i]) * 1000);
                fixture_run_until(&f, is_frozen);
                fixture_turn(&f);
                assert_int_equal(fake_vault_bulk(&f.vault), n);
                revoke_list(i + 1, i + 1);
                assert_in_range(fixture_status(&f, i + 1).changed_at_s, start_s, start_s + 60);
                fixture_run_until(&f, is_all_signed); /* what became true is signed all the same */
                clock_freeze_ms(0);
                fixture_run_until(&f, is_thawed);
        }
}

static bool has_dropped(struct fixture *fx)
{
        return fx->engine.writeback.n_stale > 0;
}

/* A stored signature must rebuild to an answer of the present status that verifies. */
static void assert_stored_signature_fits(unsigned i)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct serial serial = fixture_serial(i);
        uint8_t der[8192];
        struct status status;
        struct window w;
        size_t len;

        assert_int_equal(txn_begin_read(f.engine.env, &txn), OK);
        assert_int_equal(status_get(txn, f.engine.issuers->items[0].ca_key, serial_bytes(&serial), &status), OK);
        assert_int_not_equal(status.window, 0);
        assert_int_equal(window_get(txn, status.window, &w), OK);
        assert_int_equal(
                ocsp_response_rebuild(&w.template, serial_bytes(&serial), &status.ocsp, status.signature, der, &len), OK);
        assert_int_equal(fixture_read(&f, bytes_make(der, len)).cert_status, status.ocsp.cert_status);
}

static void a_late_good_is_not_written_over_a_revocation(void **state)
{
        struct bytes raw = BYTES_LIT("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
        struct serial serial = fixture_serial(9);
        uint32_t ca_key = f.engine.issuers->items[0].ca_key;

        (void)state;
        fixture_run_until(&f, is_idle);
        revoke_list(9, 9);
        /* As if signed for generation 0, before. */
        writeback_add(&f.engine, ca_key, serial_bytes(&serial), 0, fixture_status(&f, 8).window, raw);
        fixture_run_until(&f, has_dropped);
        fixture_run_until(&f, is_all_signed);
        assert_int_equal(fixture_status(&f, 9).ocsp.cert_status, OCSP_REVOKED);
        assert_stored_signature_fits(9);
}

/* ---- batches ---- */

#define N_MANY 20000

static struct batch first_batch(struct fixture *fx)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct batch batch = {0};

        assert_int_equal(txn_begin_read(fx->engine.env, &txn), OK);
        if (batch_get(txn, 1, &batch) != OK)
                return (struct batch){0};
        return batch;
}

static void one_bad_line_and_nothing_is_applied(void **state)
{
        json_t *final;

        (void)state;
        fixture_revoke(&f, N_RECORDS - 1, N_RECORDS + 1); /* the last was never issued */
        final = fixture_final(&f);
        assert_true(json_is_false(json_object_get(final, "ok")));
        assert_string_equal(json_string_value(json_object_get(final, "code")), "invalid");
        json_decref(final);
        assert_int_equal(first_batch(&f).id, 0); /* not even staged */
        assert_int_equal(fixture_status(&f, N_RECORDS).ocsp.cert_status, OCSP_GOOD);
}

static void assert_batch_reason(unsigned i, const char *reason)
{
        json_t *final, *batch;

        assert_int_equal(msg_send(f.control, BYTES_LIT("{\"command\": \"status\"}"), -1), OK);
        final = fixture_final(&f);
        batch = json_array_get(json_object_get(final, "batches"), i);
        assert_non_null(batch);
        assert_string_equal(json_string_value(json_object_get(batch, "reason")), reason);
        json_decref(final);
}

static void status_tells_the_reason_of_a_batch(void **state)
{
        (void)state;
        revoke_list(1, 10);
        assert_batch_reason(0, "keyCompromise");
}

static bool is_staging(struct fixture *fx)
{
        return first_batch(fx).n_items > 0;
}

static bool is_dropped(struct fixture *fx)
{
        struct batch batch = first_batch(fx);

        return batch.state == BATCH_DROPPED && batch.n_items == 0;
}

static bool has_nothing_to_write(struct fixture *fx)
{
        return runner_waiting(&fx->engine.writer.runner) == 0 && fx->engine.writer.runner.finished.first == NULL;
}

static void a_client_that_hangs_up_while_staging_leaves_nothing(void **state)
{
        (void)state;
        fixture_start(&f, N_MANY);
        fixture_revoke(&f, 1, N_MANY);
        fixture_run_until(&f, is_staging);
        close(f.control);
        fixture_run_until(&f, is_dropped);
        fixture_run_until(&f, has_nothing_to_write);
        assert_int_equal(fixture_status(&f, 1).ocsp.cert_status, OCSP_GOOD);
        assert_int_equal(fixture_status(&f, N_MANY).ocsp.cert_status, OCSP_GOOD);
        f.control = dup(f.worker);
}

/* ---- CRLs ---- */

static bool has_crl(struct fixture *fx, bool is_delta, struct crl_row *ret_row)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        bool found;

        assert_int_equal(txn_begin_read(fx->engine.env, &txn), OK);
        found = crl_current(txn, fx->engine.issuers->items[0].ca_key, 0, is_delta, ret_row) == OK;
        ret_row->file = BYTES_NONE;
        return found;
}

static bool has_full(struct fixture *fx)
{
        struct crl_row row;

        return has_crl(fx, false, &row);
}

static void the_first_crl_is_published_by_itself(void **state)
{
        struct crl_row row;
        char path[256];

        (void)state;
        fixture_run_until(&f, has_full);
        assert_true(has_crl(&f, false, &row));
        snprintf(path, sizeof(path), "%s/test-ca/0-%llu.crl", f.conf.crl_path, (unsigned long long)row.number);
        assert_int_equal(access(path, R_OK), 0);
}

static void full_and_delta_issued_together_carry_one_number(void **state) /* RFC 5280 5.2.3, req 4.3 */
{
        struct crl_row first, full, delta;

        (void)state;
        f.issuer.crl_delta_period_s = CLOCK_HOUR_S;
        fixture_start(&f, N_RECORDS);
        fixture_run_until(&f, has_full);
        assert_true(has_crl(&f, false, &first));
        revoke_list(1, 2);
        assert_int_equal(msg_send(f.control,
                                 BYTES_LIT("{\"command\": \"crl.issue\", \"issuer\": \"test-ca\", \"kind\": \"both\"}"), -1),
                OK);
        assert_final_ok(true);
        assert_true(has_crl(&f, false, &full));
        assert_true(has_crl(&f, true, &delta));
        assert_int_equal(full.number, delta.number);
        assert_true(full.number > first.number);
        assert_int_equal(delta.base, first.number);
        assert_int_equal(full.n_entries, 2);
        assert_int_equal(delta.n_entries, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_STARTS(name) cmocka_unit_test_setup_teardown(name, setup_init, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_question_gets_a_signed_answer_that_verifies),
                TEST(a_serial_that_was_never_issued_is_unauthorized),
                TEST(nothing_is_signed_on_demand_before_its_promise_is_committed),
                TEST_STARTS(nothing_is_signed_in_bulk_before_its_promise_is_committed),
                TEST(identical_questions_are_signed_once),
                TEST(after_a_revocation_the_answer_is_revoked),
                TEST(a_good_in_flight_is_never_handed_out_after_the_activation),
                TEST(a_good_in_flight_is_never_handed_out_after_a_single_revocation),
                TEST(a_nonce_is_echoed_and_the_answer_is_not_written_back),
                TEST(a_preferred_algorithm_of_the_key_is_signed_with_and_no_other),
                TEST(extras_beyond_their_rate_get_try_later_and_the_truth_does_not),
                TEST(a_worker_beyond_its_credit_gets_try_later),
                TEST(with_the_token_away_revocations_commit_and_questions_get_try_later),
                TEST(a_reload_lets_a_fresh_vault_take_over_and_no_question_is_refused),
                TEST(a_reload_while_a_vault_opens_makes_another),
                TEST(what_is_imported_is_signed_without_being_asked_for),
                TEST(answers_are_signed_anew_in_the_second_half_of_the_refresh_age),
                TEST_STARTS(a_slice_that_waited_long_for_the_token_gets_a_new_window),
                TEST(a_late_good_is_not_written_over_a_revocation),
                TEST(one_bad_line_and_nothing_is_applied),
                TEST(a_wall_clock_that_jumps_is_not_believed),
                TEST(status_tells_the_reason_of_a_batch),
                TEST_STARTS(a_client_that_hangs_up_while_staging_leaves_nothing),
                TEST(the_first_crl_is_published_by_itself),
                TEST_STARTS(full_and_delta_issued_together_carry_one_number),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
