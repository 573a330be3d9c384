/* A parked request: what the engine answers counts only for the rows as they stand when it resumes, and only for that request. */
#include "fixture.h"

#define A "11"
#define B "22"
#define ASK(...) (&(struct asking){.serials = {__VA_ARGS__}})

static const struct ocsp_status good = {.cert_status = OCSP_GOOD};
static const struct ocsp_status revoked = {.cert_status = OCSP_REVOKED, .reason = REASON_KEY_COMPROMISE, .revoked_at_s = NOW - 10};

/* Takes a question, tells nothing to the client yet. */
static struct msg_sign_ask expect_asked(struct client *c)
{
        struct msg_sign_ask ask;
        struct reply r;

        assert_true(engine_take(c->f, &ask));
        assert_false(client_take(c, false, &r));
        return ask;
}

static void expect_status(struct client *c, enum ocsp_cert_status want)
{
        struct reply r;

        assert_true(client_take(c, false, &r));
        assert_int_equal(reply_status(c->f, &r).cert_status, want);
}

/* DESIGN: a status is only ever answered from a window whose thisUpdate is at or after the change. */
static void an_answer_made_before_the_change_is_asked_for_anew_whatever_its_generation(void **state)
{
        struct msg_sign_ask ask;
        struct client c;

        fixture_import(*state, A);
        fixture_revoke(*state, A, NOW - 10);
        client_open(&c, *state);
        client_post(&c, ASK(A));
        ask = expect_asked(&c);
        engine_answer(*state, &ask, &revoked, 1, NOW - 11);
        ask = expect_asked(&c);
        engine_answer(*state, &ask, &revoked, 1, NOW - 10);
        expect_status(&c, OCSP_REVOKED);
        client_close(&c);
}

static void an_answer_that_is_over_when_it_comes_is_asked_for_anew(void **state)
{
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        fixture_import(*state, A);
        client_open(&c, *state);
        client_post(&c, ASK(A));
        ask = expect_asked(&c);
        clock_freeze_ms((NOW + 86400) * 1000LL); /* its nextUpdate */
        engine_answer(*state, &ask, &good, 0, NOW);
        assert_false(client_take(&c, false, &r));
        assert_true(engine_take(*state, &ask));
        clock_freeze_ms((NOW + 86399) * 1000LL);
        engine_answer(*state, &ask, &good, 0, NOW);
        assert_true(client_take(&c, false, &r));
        assert_field(&r, "Cache-Control", "max-age=0, public, no-transform, must-revalidate");
        client_close(&c);
}

static void an_answer_for_another_number_of_certificates_is_asked_for_anew(void **state)
{
        struct msg_sign_ask ask;
        struct client c;

        fixture_import(*state, A);
        fixture_import(*state, B);
        fixture_revoke(*state, B, NOW - 10);
        client_open(&c, *state);
        client_post(&c, ASK(A, B));
        ask = expect_asked(&c);
        ask.n_cert_ids = 1;
        engine_answer(*state, &ask, &good, 0, NOW); /* says nothing of B */
        expect_asked(&c);
        client_close(&c);
}

/* req 3.5, for what was signed just now: in the second of the change no date vouches for it. */
static void a_date_revives_nothing_that_was_signed_on_demand(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct msg_sign_ask ask;
        struct client c;

        fixture_import(*state, A);
        fixture_revoke(*state, A, NOW - 10);
        client_open(&c, *state);
        fixture_put_get(*state, &b, "GET", ASK(A), "If-Modified-Since: Sat, 21 Nov 2026 09:59:50 GMT\r\n");
        client_send(&c, builder_bytes(&b));
        ask = expect_asked(&c);
        engine_answer(*state, &ask, &revoked, 1, NOW - 10);
        expect_status(&c, OCSP_REVOKED);
        client_close(&c);
}

static void one_revoked_among_several_bounds_how_long_all_are_cached(void **state)
{
        static const char *const orders[][2] = {{A, B}, {B, A}};
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        fixture_import(f, A);
        fixture_import(f, B);
        fixture_revoke(f, B, NOW - 10);
        client_open(&c, f);
        for (size_t i = 0; i < 2; i++) {
                struct msg_sign_answer answer = {.outcome = MSG_SIGNED, .n_cert_ids = 2, .this_update_s = NOW,
                        .next_update_s = NOW + 86400, .response = BYTES_LIT("stands for one")};

                client_post(&c, ASK(orders[i][0], orders[i][1]));
                ask = expect_asked(&c);
                answer.id = ask.id;
                answer.generations[strcmp(orders[i][0], B) == 0 ? 0 : 1] = 1;
                engine_send(f, &answer);
                assert_true(client_take(&c, false, &r));
                assert_field(&r, "Cache-Control", "max-age=300, public, no-transform, must-revalidate");
        }
        client_close(&c);
}

/* RFC 6960 4.2.2.2: our signer speaks for none but our certificates. */
static void one_certificate_of_another_issuer_among_several_is_unauthorized(void **state)
{
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        fixture_import(*state, A);
        fixture_import(*state, B);
        client_open(&c, *state);
        r = client_ask(&c, &(struct asking){.serials = {A, B}, .second_foreign = true}, NULL, "");
        assert_ocsp_error(&r, OCSP_UNAUTHORIZED);
        assert_false(engine_take(*state, &ask));
        client_close(&c);
}

/* RFC 5280 4.1.2.2: serials are positive; even were there a row, nobody issued that. */
static void a_negative_serial_is_unauthorized_and_never_signed(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        fixture_import(f, "80");
        f->issuer.profile = CONF_PROFILE_PRIVATE;
        client_open(&c, f);
        for (int i = 0; i < 2; i++) {
                f->issuer.ocsp_extended_revoked = i == 1;
                r = client_ask(&c, ASK("80"), NULL, "");
                assert_ocsp_error(&r, OCSP_UNAUTHORIZED);
        }
        assert_false(engine_take(f, &ask));
        client_close(&c);
}

/* ---- one request's affair is not the next one's ---- */

static void a_refusal_is_not_for_the_request_behind(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct fixture *f = *state;
        struct client holders[4], c;
        struct msg_sign_ask asks[4];
        struct reply r;

        fixture_import(f, "05");
        for (size_t i = 0; i < 4; i++) { /* sign_per_worker */
                char serial[3];

                snprintf(serial, sizeof serial, "%02x", (unsigned)i + 1);
                fixture_import(f, serial);
                client_open(&holders[i], f);
                client_post(&holders[i], ASK(serial));
                asks[i] = expect_asked(&holders[i]);
        }
        client_open(&c, f);
        fixture_put_post(f, &b, ASK("05"), "");
        fixture_put_post(f, &b, ASK("01"), ""); /* somebody waits for it already: costs no credit */
        client_send(&c, builder_bytes(&b));
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        assert_false(client_take(&c, false, &r));
        engine_answer(f, &asks[0], &good, 0, NOW);
        expect_status(&c, OCSP_GOOD);
        for (size_t i = 0; i < 4; i++)
                client_close(&holders[i]);
        client_close(&c);
}

static void how_often_one_was_asked_for_is_not_counted_against_the_request_behind(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct client c;

        fixture_import(f, A);
        fixture_import(f, B);
        client_open(&c, f);
        fixture_put_post(f, &b, ASK(A), "");
        fixture_put_post(f, &b, ASK(B), "");
        client_send(&c, builder_bytes(&b));
        for (int request = 0; request < 2; request++) {
                for (int i = 0; i < 3; i++) {
                        ask = expect_asked(&c);
                        engine_answer(f, &ask, &good, 77, NOW); /* of a generation that never was */
                }
                ask = expect_asked(&c);
                engine_answer(f, &ask, &good, 0, NOW);
                expect_status(&c, OCSP_GOOD);
        }
        client_close(&c);
}

/* ---- what shares a signing ---- */

static void questions_that_differ_in_anything_are_asked_one_by_one(void **state)
{
        static const struct asking askings[] = {
                {.serials = {A}, .nonce_hex = "000102030405060708090a0b0c0d0e0f"},
                {.serials = {A}, .nonce_hex = "000102030405060708090a0b0c0d0eff"},
                {.serials = {A}, .hash = HASH_SHA256},
                {.serials = {A}, .hash = HASH_SHA384},
        };
        struct fixture *f = *state;
        struct client c[4];
        struct msg_sign_ask ask;

        f->issuer.ocsp_nonce = CONF_NONCE_ECHO;
        fixture_import(f, A);
        for (size_t i = 0; i < 4; i++) {
                client_open(&c[i], f);
                client_post(&c[i], &askings[i]);
                ask = expect_asked(&c[i]);
                assert_int_equal(ask.cert_id_hash, askings[i].hash);
        }
        for (size_t i = 0; i < 4; i++)
                client_close(&c[i]);
}

/* ---- an engine that hangs ---- */

static void an_engine_that_does_not_answer_is_given_up_and_its_questions_are_free_again(void **state)
{
        struct fixture *f = *state;
        int64_t start = clock_mono_ms();
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        fixture_import(f, A);
        client_open(&c, f);
        client_post(&c, ASK(A));
        expect_asked(&c);
        fixture_at_ms(f, start + 6000); /* park_timeout: the client is told, the question stays open */
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        assert_int_equal(sign_client_open(f->pool.sign), 1);
        fixture_at_ms(f, start + 11000);
        assert_int_equal(sign_client_open(f->pool.sign), 0);
        cleanup_close(&f->engine);
        f->engine = -1;
        fixture_at_ms(f, start + 12000); /* after the pause before it is called again */
        client_post(&c, ASK(A));
        ask = expect_asked(&c);
        engine_answer(f, &ask, &good, 0, NOW);
        expect_status(&c, OCSP_GOOD);
        client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(an_answer_made_before_the_change_is_asked_for_anew_whatever_its_generation),
                TEST(an_answer_that_is_over_when_it_comes_is_asked_for_anew),
                TEST(an_answer_for_another_number_of_certificates_is_asked_for_anew),
                TEST(a_date_revives_nothing_that_was_signed_on_demand),
                TEST(one_revoked_among_several_bounds_how_long_all_are_cached),
                TEST(one_certificate_of_another_issuer_among_several_is_unauthorized),
                TEST(a_negative_serial_is_unauthorized_and_never_signed),
                TEST(a_refusal_is_not_for_the_request_behind),
                TEST(how_often_one_was_asked_for_is_not_counted_against_the_request_behind),
                TEST(questions_that_differ_in_anything_are_asked_one_by_one),
                TEST(an_engine_that_does_not_answer_is_given_up_and_its_questions_are_free_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
