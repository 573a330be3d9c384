/* A parked request: what the engine answers counts only for the rows as they stand when it resumes, and only for that request; and what
 * becomes of it when the engine refuses, hangs or is gone. */
#include "fixture.h"

#include "pki/serial.h"
#include "store/window.h"

#define A "11"
#define B "22"

static const struct ocsp_status good = {.cert_status = OCSP_GOOD};
static const struct ocsp_status revoked = {.cert_status = OCSP_REVOKED, .reason = REASON_KEY_COMPROMISE, .revoked_at_s = NOW - 10};

/* A client asks about A, of which nothing is signed; the question that the engine is asked. */
static struct msg_sign_ask park(struct fixture *f, struct client *ret_client)
{
        fixture_import(f, A);
        client_open(ret_client, f);
        client_post(ret_client, ASK(A));
        return engine_expect(ret_client);
}

/* ---- what is stored but cannot be sent ---- */

static void cut_signature(struct fixture *f, const char *serial_hex)
{
        static const uint8_t short_of_one[10] = {1};
        uint8_t serial[SERIAL_MAX];
        struct status status;
        struct window window;
        struct txn *txn;
        size_t len;

        assert_int_equal(bytes_from_hex(bytes_str(serial_hex), serial, sizeof serial, &len), OK);
        assert_int_equal(txn_begin_write(f->writer, &txn), OK);
        assert_int_equal(status_get(txn, f->ca, bytes_make(serial, len), &status), OK);
        assert_int_equal(window_get(txn, status.window, &window), OK);
        assert_int_equal(status_sign(txn, f->ca, bytes_make(serial, len), status.generation, &window, BYTES_OF(short_of_one)), OK);
        assert_int_equal(txn_commit(txn), OK);
}

/* ... and nothing of it stands in what is sent instead. */
static void a_signature_that_is_none_is_asked_for_anew(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        fixture_import_good(f, A);
        cut_signature(f, A);
        client_open(&c, f);
        client_post(&c, ASK(A));
        ask = engine_expect(&c);
        engine_refuse(f, &ask, MSG_TRY_LATER);
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        assert_int_equal(reply_field(&r, "ETag").len, 0);
        assert_int_equal(reply_field(&r, "Expires").len, 0);
        assert_int_equal(reply_field(&r, "Last-Modified").len, 0);
        assert_int_equal(f->service.stats.n_ocsp_stored, 0);
        client_close(&c);
}

static void what_came_from_the_store_is_counted(void **state)
{
        struct fixture *f = *state;
        struct client c;

        fixture_import_good(f, A);
        client_open(&c, f);
        for (uint64_t n = 1; n <= 3; n++) {
                client_ask(&c, ASK(A), "GET", "");
                assert_int_equal(f->service.stats.n_ocsp_stored, n);
        }
        client_close(&c);
}

/* ---- what counts when it resumes ---- */

static void a_late_good_is_never_sent(void **state)
{
        struct msg_sign_ask first, second;
        struct client c;
        struct reply r;

        fixture_import(*state, A);
        client_open(&c, *state);
        client_post(&c, ASK(A));
        assert_true(engine_take(*state, &first));
        fixture_revoke(*state, A, NOW);
        engine_answer(*state, &first, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW); /* signed before the commit */
        assert_false(client_take(&c, false, &r));
        assert_true(engine_take(*state, &second)); /* asked again */
        engine_answer(*state, &second, &(struct ocsp_status){.cert_status = OCSP_REVOKED, .revoked_at_s = NOW}, 1, NOW);
        assert_true(client_take(&c, false, &r));
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_REVOKED);
        assert_false(client_take(&c, false, &r));
        client_close(&c);
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
        ask = engine_expect(&c);
        engine_answer(*state, &ask, &revoked, 1, NOW - 11);
        ask = engine_expect(&c);
        engine_answer(*state, &ask, &revoked, 1, NOW - 10);
        client_expect(&c, OCSP_REVOKED);
        client_close(&c);
}

/* However it came about, and though its id, its generation and its signature are right. */
static void an_answer_about_another_certificate_or_with_another_status_is_asked_for_anew(void **state)
{
        struct msg_sign_ask ask, other;
        struct client c;

        fixture_import(*state, A);
        client_open(&c, *state);
        client_post(&c, ASK(A));
        ask = other = engine_expect(&c);
        other.cert_ids[0].serial[0] = 0x22;
        engine_answer(*state, &other, &good, 0, NOW);
        ask = engine_expect(&c);
        engine_answer(*state, &ask, &revoked, 0, NOW);
        ask = engine_expect(&c);
        other = ask;
        other.cert_id_hash = HASH_SHA256;
        engine_answer(*state, &other, &good, 0, NOW);
        ask = engine_expect(&c);
        engine_answer(*state, &ask, &good, 0, NOW);
        client_expect(&c, OCSP_GOOD);
        client_close(&c);
}

static void an_answer_that_is_over_when_it_comes_is_asked_for_anew(void **state)
{
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        ask = park(*state, &c);
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
        ask = engine_expect(&c);
        ask.n_cert_ids = 1;
        engine_answer(*state, &ask, &good, 0, NOW); /* says nothing of B */
        engine_expect(&c);
        client_close(&c);
}

static void a_truth_that_keeps_moving_ends_in_try_later(void **state)
{
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;
        unsigned n = 0;

        fixture_import(*state, A);
        client_open(&c, *state);
        client_post(&c, ASK(A));
        for (; n < 20 && engine_take(*state, &ask); n++)
                engine_answer(*state, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 77, NOW);
        assert_in_range(n, 2, 10);
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        client_close(&c);
}

static void a_signature_that_came_back_meanwhile_is_used(void **state)
{
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        ask = park(*state, &c);
        fixture_sign(*state, A, NOW - 5, NOW + 1000);
        engine_refuse(*state, &ask, MSG_TRY_LATER);
        assert_true(client_take(&c, false, &r));
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_GOOD);
        client_close(&c);
}

/* ---- one request's affair is not the next one's ---- */

/* DESIGN: behind a parked request nothing is parsed, so what is committed meanwhile counts for it. */
static void a_request_behind_a_parked_one_sees_the_truth_when_its_turn_comes(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        fixture_import_good(*state, A);
        fixture_import(*state, B);
        fixture_put_post(*state, &b, ASK(B), "");
        fixture_put_get(*state, &b, "GET", ASK(A), "");
        client_open(&c, *state);
        client_send(&c, builder_bytes(&b));
        assert_true(engine_take(*state, &ask));
        assert_false(client_take(&c, false, &r));
        fixture_revoke(*state, A, NOW - 10);
        fixture_sign(*state, A, NOW - 10, NOW + 1000);
        engine_answer(*state, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        assert_true(client_take(&c, false, &r));
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_GOOD);
        assert_true(client_take(&c, false, &r));
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_REVOKED);
        client_close(&c);
}

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
                asks[i] = engine_expect(&holders[i]);
        }
        client_open(&c, f);
        fixture_put_post(f, &b, ASK("05"), "");
        fixture_put_post(f, &b, ASK("01"), ""); /* somebody waits for it already: costs no credit */
        client_send(&c, builder_bytes(&b));
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        assert_false(client_take(&c, false, &r));
        engine_answer(f, &asks[0], &good, 0, NOW);
        client_expect(&c, OCSP_GOOD);
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
                        ask = engine_expect(&c);
                        engine_answer(f, &ask, &good, 77, NOW); /* of a generation that never was */
                }
                ask = engine_expect(&c);
                engine_answer(f, &ask, &good, 0, NOW);
                client_expect(&c, OCSP_GOOD);
        }
        client_close(&c);
}

/* ---- what shares a signing ---- */

static void parked_requests_share_one_question(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct client c[5];
        struct reply r;

        fixture_import(f, A);
        for (size_t i = 0; i < 5; i++) {
                client_open(&c[i], f);
                client_post(&c[i], ASK(A));
        }
        assert_true(engine_take(f, &ask));
        assert_false(engine_take(f, &(struct msg_sign_ask){0}));
        assert_int_equal(sign_client_open(f->pool.sign), 1);
        client_close(&c[2]); /* one leaves before the answer */
        engine_answer(f, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        for (size_t i = 0; i < 5; i++) {
                if (i == 2)
                        continue;
                assert_true(client_take(&c[i], false, &r));
                assert_int_equal(reply_status(f, &r).cert_status, OCSP_GOOD);
                client_close(&c[i]);
        }
        assert_int_equal(sign_client_open(f->pool.sign), 0);
}

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
                ask = engine_expect(&c[i]);
                assert_int_equal(ask.cert_id_hash, askings[i].hash);
        }
        for (size_t i = 0; i < 4; i++)
                client_close(&c[i]);
}

/* ---- an engine that refuses, hangs or is gone ---- */

static void beyond_the_credit_the_answer_is_try_later_at_once(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct client c[5];
        struct reply r;

        for (size_t i = 0; i < 5; i++) {
                char serial[3];

                snprintf(serial, sizeof serial, "%02x", (unsigned)i + 1);
                fixture_import(f, serial);
                client_open(&c[i], f);
                client_post(&c[i], ASK(serial));
                pump(f);
        }
        for (size_t i = 0; i < 4; i++) { /* sign_per_worker */
                assert_true(engine_take(f, &ask));
                assert_false(client_take(&c[i], false, &r));
        }
        assert_false(engine_take(f, &ask));
        assert_true(client_take(&c[4], false, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        for (size_t i = 0; i < 5; i++)
                client_close(&c[i]);
}

static void what_the_engine_refuses_is_refused(void **state)
{
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        ask = park(*state, &c);
        engine_refuse(*state, &ask, MSG_TRY_LATER);
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        client_post(&c, ASK(A));
        assert_true(engine_take(*state, &ask));
        engine_refuse(*state, &ask, MSG_UNAUTHORIZED);
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_UNAUTHORIZED);
        client_close(&c);
}

static void with_the_engine_away_the_answer_is_try_later(void **state)
{
        struct fixture *f = *state;
        struct client c;
        struct reply r;

        fixture_import(f, A);
        cleanup_close(&f->engine_listener);
        f->engine_listener = -1;
        client_open(&c, f);
        for (int i = 0; i < 2; i++) {
                client_post(&c, ASK(A));
                assert_true(client_take(&c, false, &r));
                assert_ocsp_error(&r, OCSP_TRY_LATER);
        }
        client_close(&c);
}

static void an_engine_that_goes_away_frees_those_that_wait(void **state)
{
        struct fixture *f = *state;
        struct client c;
        struct reply r;

        park(f, &c);
        cleanup_close(&f->engine);
        f->engine = -1;
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        client_close(&c);
}

static void waiting_ends_in_try_later(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        ask = park(f, &c);
        fixture_at_ms(f, clock_mono_ms() + 4000);
        assert_false(client_take(&c, false, &r));
        fixture_at_ms(f, clock_mono_ms() + 6000);
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        engine_answer(f, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW); /* too late: nobody waits */
        assert_false(client_take(&c, false, &r));
        client_close(&c);
}

static void an_engine_that_does_not_answer_is_given_up_and_its_questions_are_free_again(void **state)
{
        struct fixture *f = *state;
        int64_t start = clock_mono_ms();
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        park(f, &c);
        fixture_at_ms(f, start + 6000); /* park_timeout: the client is told, the question stays open */
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        assert_int_equal(sign_client_open(f->pool.sign), 1);
        fixture_at_ms(f, start + 11000);
        pump(f);
        assert_int_equal(sign_client_open(f->pool.sign), 0);
        cleanup_close(&f->engine);
        f->engine = -1;
        fixture_at_ms(f, start + 12000); /* after the pause before it is called again */
        client_post(&c, ASK(A));
        ask = engine_expect(&c);
        engine_answer(f, &ask, &good, 0, NOW);
        client_expect(&c, OCSP_GOOD);
        client_close(&c);
}

static void nonsense_from_the_engine_cuts_the_line(void **state)
{
        struct fixture *f = *state;
        struct client c;
        struct reply r;

        park(f, &c);
        assert_int_equal(msg_send(f->engine, BYTES_LIT("nonsense"), -1), OK);
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_signature_that_is_none_is_asked_for_anew),
                TEST(what_came_from_the_store_is_counted),
                TEST(a_late_good_is_never_sent),
                TEST(an_answer_made_before_the_change_is_asked_for_anew_whatever_its_generation),
                TEST(an_answer_about_another_certificate_or_with_another_status_is_asked_for_anew),
                TEST(an_answer_that_is_over_when_it_comes_is_asked_for_anew),
                TEST(an_answer_for_another_number_of_certificates_is_asked_for_anew),
                TEST(a_truth_that_keeps_moving_ends_in_try_later),
                TEST(a_signature_that_came_back_meanwhile_is_used),
                TEST(a_request_behind_a_parked_one_sees_the_truth_when_its_turn_comes),
                TEST(a_refusal_is_not_for_the_request_behind),
                TEST(how_often_one_was_asked_for_is_not_counted_against_the_request_behind),
                TEST(parked_requests_share_one_question),
                TEST(questions_that_differ_in_anything_are_asked_one_by_one),
                TEST(beyond_the_credit_the_answer_is_try_later_at_once),
                TEST(what_the_engine_refuses_is_refused),
                TEST(with_the_engine_away_the_answer_is_try_later),
                TEST(an_engine_that_goes_away_frees_those_that_wait),
                TEST(waiting_ends_in_try_later),
                TEST(an_engine_that_does_not_answer_is_given_up_and_its_questions_are_free_again),
                TEST(nonsense_from_the_engine_cuts_the_line),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
