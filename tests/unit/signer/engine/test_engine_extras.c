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

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_nonce_is_echoed_and_the_answer_is_not_written_back),
                TEST(a_preferred_algorithm_of_the_key_is_signed_with_and_no_other),
                TEST(extras_beyond_their_rate_get_try_later_and_the_truth_does_not),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
