/* Unusual questions: several CertIDs, nonces, other hashes, preferred algorithms, serials that were never issued. They cost signatures, so they
 * go by the extras lane. */
#include "fixture.h"

#define A "11"
#define B "22"

static void unusual_questions_go_by_the_extras_lane(void **state)
{
        static const struct {
                struct asking asking;
                uint8_t hash, n, nonce_len;
        } rows[] = {
                {{.serials = {A}, .hash = HASH_SHA256}, HASH_SHA256, 1, 0},
                {{.serials = {A, B}}, HASH_SHA1, 2, 0},
                {{.serials = {A}, .nonce_hex = "000102030405060708090a0b0c0d0e0f"}, HASH_SHA1, 1, 16},
                {{.serials = {A}, .preferred = {SIG_P256_SHA512}, .n_preferred = 1}, HASH_SHA1, 1, 0},
        };
        struct fixture *f = *state;

        f->issuer.ocsp_nonce = CONF_NONCE_ECHO;
        fixture_import_good(f, A);
        fixture_import(f, B);
        fixture_sign(f, B, NOW - 100, NOW + 1000);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct msg_sign_ask ask;
                struct client c;
                struct reply r;

                client_open(&c, f);
                client_post(&c, &rows[i].asking);
                assert_true(engine_take(f, &ask));
                assert_int_equal(ask.lane, MSG_LANE_EXTRAS);
                assert_int_equal(ask.cert_id_hash, rows[i].hash);
                assert_int_equal(ask.n_cert_ids, rows[i].n);
                assert_int_equal(ask.nonce_len, rows[i].nonce_len);
                engine_answer(f, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
                assert_true(client_take(&c, false, &r));
                if (rows[i].n == 1)
                        assert_int_equal(reply_status(f, &r).cert_status, OCSP_GOOD);
                assert_field(&r, "Cache-Control",
                        rows[i].nonce_len ? "no-store, max-age=0" : "max-age=3600, public, no-transform, must-revalidate");
                client_close(&c);
        }
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

/* RFC 6960 4.4.8, req 2.5: it costs a signature, so beyond the budget it is unauthorized as everywhere else. */
static void what_was_never_issued_is_asked_for_where_extended_revoked_is_on(void **state)
{
        static const struct ocsp_status hold = {.cert_status = OCSP_REVOKED, .reason = REASON_CERTIFICATE_HOLD};
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        fixture_import_good(f, A);
        client_open(&c, f);
        f->issuer.ocsp_extended_revoked = true;
        f->issuer.profile = CONF_PROFILE_CABF_TLS;
        client_post(&c, ASK(B));
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_UNAUTHORIZED);
        f->issuer.profile = CONF_PROFILE_PRIVATE;
        client_post(&c, ASK(B));
        assert_true(engine_take(f, &ask));
        assert_int_equal(ask.lane, MSG_LANE_EXTRAS);
        engine_answer(f, &ask, &hold, 0, NOW); /* without the extension: made for a row, and there is none */
        for (int i = 0; i < 3; i++) {
                assert_true(engine_take(f, &ask));
                engine_answer(f, &ask, &hold, 0, NOW);
        }
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_UNAUTHORIZED);
        client_close(&c);
}

/* RFC 6960 4.4.7, 5.1.2, req 1.13: 0 = the stored answer, or the signer's own algorithm. */
static void the_first_preferred_algorithm_that_the_key_can_make_is_asked_for(void **state)
{
        static const struct {
                struct asking asking;
                uint8_t preferred;
        } rows[] = {
                {{.serials = {A}, .preferred = {SIG_RSA_SHA256}, .n_preferred = 1}, 0},
                {{.serials = {A}, .preferred = {SIG_P256_SHA512, SIG_P256_SHA256}, .n_preferred = 2}, 0},
                {{.serials = {A}, .preferred = {SIG_P256_SHA384}, .n_preferred = 1}, 1 + SIG_P256_SHA384},
                {{.serials = {A}, .preferred = {SIG_RSA_SHA512, SIG_P256_SHA512, SIG_P256_SHA384}, .n_preferred = 3}, 1 + SIG_P256_SHA512},
        };
        struct fixture *f = *state;

        fixture_import_good(f, A);
        fixture_import(f, B);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct asking not_signed = rows[i].asking;
                struct msg_sign_ask ask;
                struct client c;
                struct reply r;

                client_open(&c, f);
                client_post(&c, &rows[i].asking);
                assert_true(engine_take(f, &ask) == (rows[i].preferred != 0));
                if (rows[i].preferred == 0) {
                        assert_true(client_take(&c, false, &r));
                        assert_int_equal(reply_status(f, &r).cert_status, OCSP_GOOD);
                } else {
                        assert_int_equal(ask.preferred, rows[i].preferred);
                }
                client_close(&c);
                client_open(&c, f);
                not_signed.serials[0] = B;
                client_post(&c, &not_signed);
                assert_true(engine_take(f, &ask));
                assert_int_equal(ask.lane, rows[i].preferred == 0 ? MSG_LANE_TRUTH : MSG_LANE_EXTRAS);
                assert_int_equal(ask.preferred, rows[i].preferred);
                engine_answer(f, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
                assert_true(client_take(&c, false, &r));
                client_close(&c);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(unusual_questions_go_by_the_extras_lane),
                TEST(one_certificate_of_another_issuer_among_several_is_unauthorized),
                TEST(what_was_never_issued_is_asked_for_where_extended_revoked_is_on),
                TEST(the_first_preferred_algorithm_that_the_key_can_make_is_asked_for),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
