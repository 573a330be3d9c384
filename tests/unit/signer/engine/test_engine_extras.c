/* The extras lane of the whole engine against a fake vault: what is made for one client alone, and its budget. */
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

static void a_nonce_is_echoed_and_the_answer_is_not_written_back(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask = fixture_ask(f, 3);
        struct msg_sign_answer answer;
        uint64_t written;

        fixture_run_until(f, fixture_is_idle);
        written = f->engine.writeback.n_written;
        ask.lane = MSG_LANE_EXTRAS;
        ask.nonce_len = 16;
        memset(ask.nonce, 0x5a, 16);
        fixture_send(f, &ask);
        answer = fixture_answer(f);
        assert_int_equal(answer.outcome, MSG_SIGNED);
        assert_int_equal(fixture_read(f, answer.response).cert_status, OCSP_GOOD);
        assert_non_null(memmem(answer.response.data, answer.response.len, ask.nonce, 16));
        assert_int_equal(f->engine.writeback.n_written, written);
}

/* RFC 6960 4.4.7, req 1.13 */
static void a_preferred_algorithm_of_the_key_is_signed_with_and_no_other(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask = fixture_ask(f, 3);
        struct bytes tbs, signature, certs;
        struct msg_sign_answer answer;
        enum sig_alg alg;

        fixture_run_until(f, fixture_is_idle);
        ask.lane = MSG_LANE_EXTRAS;
        ask.preferred = 1 + SIG_P256_SHA384;
        fixture_send(f, &ask);
        answer = fixture_answer(f);
        assert_int_equal(answer.outcome, MSG_SIGNED);
        assert_int_equal(fixture_read(f, answer.response).cert_status, OCSP_GOOD); /* it verifies */
        assert_int_equal(ocsp_response_read(answer.response, &tbs, &alg, &signature, &certs), OK);
        assert_int_equal(sig_alg_hash(alg), HASH_SHA384);
        ask.preferred = 1 + SIG_RSA_SHA256;
        fixture_send(f, &ask);
        assert_int_equal(fixture_answer(f).outcome, MSG_TRY_LATER);
        ask.preferred = 1 + SIG_N;
        fixture_send(f, &ask);
        assert_int_equal(fixture_answer(f).outcome, MSG_TRY_LATER);
}

static void extras_beyond_their_rate_get_try_later_and_the_truth_does_not(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        unsigned n_later = 0;

        for (unsigned i = 0; i < 20; i++) { /* the rate is 10 a second */
                ask = fixture_ask(f, 3);
                ask.lane = MSG_LANE_EXTRAS;
                ask.cert_id_hash = HASH_SHA256;
                fixture_send(f, &ask);
        }
        for (unsigned i = 0; i < 20; i++)
                n_later += fixture_answer(f).outcome == MSG_TRY_LATER;
        assert_true(n_later >= 5);
        ask = fixture_ask(f, 3);
        fixture_send(f, &ask);
        fixture_assert_answer(f, OCSP_GOOD);
}

static bool has_asked(struct fixture *f)
{
        return fake_vault_urgent(&f->vault) >= f->wanted_urgent;
}

static struct msg_sign_ask with_nonce(struct fixture *f, unsigned i)
{
        struct msg_sign_ask ask = fixture_ask(f, i);

        ask.lane = MSG_LANE_EXTRAS;
        ask.nonce_len = 16;
        return ask;
}

/* The vault has taken it and keeps it. */
static void hold(struct fixture *f, const struct msg_sign_ask *ask)
{
        fixture_run_until(f, fixture_is_idle);
        f->wanted_urgent = fake_vault_urgent(&f->vault) + 1;
        fake_vault_hold(&f->vault, true);
        fixture_send(f, ask);
        fixture_run_until(f, has_asked);
}

static void an_extra_in_flight_is_never_handed_out_after_the_revocation(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask = with_nonce(f, 5);

        hold(f, &ask);
        fixture_revoke_list(f, 5, 5);
        fake_vault_hold(&f->vault, false);
        fixture_assert_answer(f, OCSP_REVOKED);
}

static void start_extended(struct fixture *f, enum conf_profile profile, bool extended)
{
        f->issuer.profile = profile;
        f->issuer.ocsp_extended_revoked = extended;
        fixture_start(f, N_RECORDS);
}

/* RFC 6960 4.4.8, req 2.5 */
static void what_was_never_issued_is_on_hold_since_1970_where_that_is_configured(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct msg_sign_answer answer;
        struct ocsp_status status;

        start_extended(f, CONF_PROFILE_PRIVATE, true);
        ask = with_nonce(f, N_RECORDS + 1);
        fixture_send(f, &ask);
        answer = fixture_answer(f);
        assert_int_equal(answer.outcome, MSG_SIGNED);
        status = fixture_read(f, answer.response);
        assert_int_equal(status.cert_status, OCSP_REVOKED);
        assert_int_equal(status.reason, REASON_CERTIFICATE_HOLD);
        assert_int_equal(status.revoked_at_s, 0);
}

static void expect_unauthorized(struct fixture *f)
{
        struct msg_sign_ask ask = with_nonce(f, N_RECORDS + 1);

        fixture_send(f, &ask);
        assert_int_equal(fixture_answer(f).outcome, MSG_UNAUTHORIZED);
}

static void what_was_never_issued_is_unauthorized_where_that_is_not_configured(void **state)
{
        start_extended(*state, CONF_PROFILE_PRIVATE, false);
        expect_unauthorized(*state);
}

/* It needs reason 6, which BR 7.2.2 forbids. */
static void what_was_never_issued_is_unauthorized_under_cabf_tls_whatever_is_configured(void **state)
{
        start_extended(*state, CONF_PROFILE_CABF_TLS, true);
        expect_unauthorized(*state);
}

static void what_is_issued_while_its_refusal_is_signed_is_good(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;

        start_extended(f, CONF_PROFILE_PRIVATE, true);
        ask = with_nonce(f, N_RECORDS + 1);
        hold(f, &ask);
        fixture_add_record(f, f->engine.issuers->items[0].ca_key, N_RECORDS + 1);
        fake_vault_hold(&f->vault, false);
        fixture_assert_answer(f, OCSP_GOOD);
}

/* RFC 6960 4.2.2.2: whatever a worker asks, a signer speaks for its own CA key only. */
static void a_serial_of_another_ca_key_is_unauthorized(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask = with_nonce(f, 5);

        fixture_run_until(f, fixture_is_idle);
        ask.n_cert_ids = 2;
        ask.cert_ids[1] = ask.cert_ids[0];
        ask.cert_ids[1].ca_key++;
        fixture_add_record(f, ask.cert_ids[1].ca_key, 5);
        fixture_send(f, &ask);
        assert_int_equal(fixture_answer(f).outcome, MSG_UNAUTHORIZED);
}

#define TEST_STARTS(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_unstarted, fixture_tear_down)
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_nonce_is_echoed_and_the_answer_is_not_written_back),
                TEST(a_preferred_algorithm_of_the_key_is_signed_with_and_no_other),
                TEST(an_extra_in_flight_is_never_handed_out_after_the_revocation),
                TEST_STARTS(what_was_never_issued_is_on_hold_since_1970_where_that_is_configured),
                TEST_STARTS(what_was_never_issued_is_unauthorized_where_that_is_not_configured),
                TEST_STARTS(what_was_never_issued_is_unauthorized_under_cabf_tls_whatever_is_configured),
                TEST_STARTS(what_is_issued_while_its_refusal_is_signed_is_good),
                TEST(a_serial_of_another_ca_key_is_unauthorized),
                TEST(extras_beyond_their_rate_get_try_later_and_the_truth_does_not),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
