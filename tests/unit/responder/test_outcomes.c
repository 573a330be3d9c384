/* What an OCSP request gets, by GET and POST, over a real store and real sockets: the row as it stands, or the right refusal. */
#include "fixture.h"

#include "store/signer.h"

#define A "11"
#define B "22"

static void a_signed_serial_is_answered_by_get_and_post_alike(void **state)
{
        struct client c;
        struct reply get, post;

        fixture_import_good(*state, A);
        client_open(&c, *state);
        post = client_ask(&c, ASK(A), NULL, "");
        assert_int_equal(reply_status(*state, &post).cert_status, OCSP_GOOD);
        {
                _cleanup_(builder_done) struct builder kept = {0};

                builder_put(&kept, post.body);
                get = client_ask(&c, ASK(A), "GET", "");
                assert_true(bytes_equal(get.body, builder_bytes(&kept))); /* req 1.2 */
        }
        client_close(&c);
}

/* RFC 6960 4.1.1, req 1.8 */
static void absent_parameters_in_the_cert_id_are_fine(void **state)
{
        struct client c;
        struct reply r;

        fixture_import_good(*state, A);
        client_open(&c, *state);
        r = client_ask(&c, &(struct asking){.serials = {A}, .no_null = true}, NULL, "");
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_GOOD);
        client_close(&c);
}

/* req 1.11: pre-produced mode */
static void a_nonce_is_ignored_unless_it_is_to_be_echoed(void **state)
{
        struct client c;
        struct reply r;

        fixture_import_good(*state, A);
        client_open(&c, *state);
        r = client_ask(&c, &(struct asking){.serials = {A}, .nonce_hex = "000102030405060708090a0b0c0d0e0f"}, NULL, "");
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_GOOD);
        client_close(&c);
}

/* req 2.2, 2.3 */
static void what_was_not_issued_here_is_unauthorized(void **state)
{
        static const struct asking rows[] = {
                {.serials = {B}},
                {.serials = {A}, .foreign = true},
                {.serials = {"00"}},
                {.serials = {"80"}},
                {.serials = {"0101010101010101010101010101010101010101010101"}},
                {.serials = {A, B}},
                {.serials = {A, A, A, A, A}}, /* beyond max_cert_ids */
                {.serials = {A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A}},
        };
        struct client c;

        fixture_import_good(*state, A);
        client_open(&c, *state);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct reply r = client_ask(&c, &rows[i], NULL, "");

                assert_ocsp_error(&r, OCSP_UNAUTHORIZED);
        }
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

static void sha1_cert_ids_can_be_switched_off(void **state)
{
        struct fixture *f = *state;
        struct client c;
        struct reply r;

        f->issuer.ocsp_allow_sha1_cert_id = false;
        fixture_import_good(f, A);
        client_open(&c, f);
        r = client_ask(&c, ASK(A), NULL, "");
        assert_ocsp_error(&r, OCSP_UNAUTHORIZED);
        client_close(&c);
}

static void a_revocation_counts_for_the_next_request(void **state)
{
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        fixture_import_good(*state, A);
        client_open(&c, *state);
        r = client_ask(&c, ASK(A), "GET", "");
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_GOOD);
        fixture_revoke(*state, A, NOW);
        {
                _cleanup_(builder_done) struct builder b = {0};

                fixture_put_get(*state, &b, "GET", ASK(A), "");
                client_send(&c, builder_bytes(&b));
        }
        assert_true(engine_take(*state, &ask)); /* not signed yet: asked for, and nothing else is said */
        assert_false(client_take(&c, false, &r));
        assert_int_equal(ask.lane, MSG_LANE_TRUTH);
        engine_answer(*state, &ask, &(struct ocsp_status){.cert_status = OCSP_REVOKED, .reason = REASON_KEY_COMPROMISE, .revoked_at_s = NOW},
                1, NOW);
        assert_true(client_take(&c, false, &r));
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_REVOKED);
        client_close(&c);
}

static void what_is_staged_does_not_count_until_its_batch_is_active(void **state)
{
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;
        uint32_t batch;

        fixture_import_good(*state, A);
        client_open(&c, *state);
        batch = fixture_stage(*state, A);
        r = client_ask(&c, ASK(A), "GET", "");
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_GOOD);
        fixture_activate(*state, batch, NOW);
        client_close(&c);
        client_open(&c, *state);
        {
                _cleanup_(builder_done) struct builder b = {0};

                fixture_put_post(*state, &b, ASK(A), "");
                client_send(&c, builder_bytes(&b));
        }
        assert_true(engine_take(*state, &ask));
        assert_false(client_take(&c, false, &r));
        client_close(&c);
}

static void unusable_signatures_are_asked_for_anew(void **state)
{
        static const struct {
                const char *why;
                int64_t from, until;
                bool disable;
        } rows[] = {
                {"expired this second", NOW - 100, NOW, false},
                {"not valid yet", NOW + 1, NOW + 100, false},
                {"of a disabled signer", NOW - 100, NOW + 100, true},
        };

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct msg_sign_ask ask;
                struct client c;
                struct reply r;
                char serial[3];

                snprintf(serial, sizeof serial, "%02x", (unsigned)i + 1);
                fixture_import(*state, serial);
                fixture_sign(*state, serial, rows[i].from, rows[i].until);
                if (rows[i].disable)
                        fixture_disable_signer(*state);
                client_open(&c, *state);
                client_post(&c, ASK(serial));
                if (!engine_take(*state, &ask) || client_take(&c, false, &r))
                        fail_msg("%s: answered", rows[i].why);
                engine_answer(*state, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
                assert_true(client_take(&c, false, &r));
                assert_int_equal(reply_status(*state, &r).cert_status, OCSP_GOOD);
                client_close(&c);
        }
}

static void the_issuers_certificate_and_health_are_there(void **state)
{
        struct client c;
        struct reply r;

        client_open(&c, *state);
        r = client_ask_text(&c, "GET /ca/" LABEL ".cer HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_int_equal(r.status, 200);
        assert_field(&r, "Content-Type", "application/pkix-cert");
        assert_true(bytes_equal(r.body, BYTES_LIT("\x30\x03\x02\x01\x07")));
        r = client_ask_text(&c, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_int_equal(r.status, 200);
        assert_field(&r, "Cache-Control", "no-store, max-age=0");
        client_close(&c);
}

/* RFC 6960 4.2.2.2: a key that signs CRLs only speaks for no certificate. */
static void what_a_crl_signer_signed_is_asked_for_anew(void **state)
{
        struct fixture *f = *state;
        struct signer signer = {.ca_key = f->ca, .use = SIGNER_CRL, .sig_alg = SIG_P256_SHA256, .key_label = BYTES_LIT("c"),
                .spki = builder_bytes(&f->spki), .not_after_s = NOW + 1000000, .raw_len = 64};
        struct client c;
        struct txn *txn;

        assert_int_equal(txn_begin_write(f->writer, &txn), OK);
        assert_int_equal(signer_put(txn, &signer, &f->signer), OK);
        assert_int_equal(txn_commit(txn), OK);
        fixture_import_good(f, A);
        client_open(&c, f);
        client_post(&c, ASK(A));
        engine_expect(&c);
        client_close(&c);
}

/* Unauthorized is final for a client, and may be kept from asking elsewhere; what is broken here is our affair. */
static void a_store_that_contradicts_itself_is_an_internal_error(void **state)
{
        struct fixture *f = *state;
        struct key key = key_serial(f->ca, BYTES_LIT("\x11"));
        struct client c;
        struct reply r;
        struct txn *txn;

        fixture_import_good(f, A);
        fixture_revoke(f, A, NOW - 10);
        assert_int_equal(txn_begin_write(f->writer, &txn), OK);
        txn_delete(txn, TABLE_RECORD, key_bytes(&key));
        assert_int_equal(txn_commit(txn), OK);
        client_open(&c, f);
        r = client_ask(&c, ASK(A), NULL, "");
        assert_ocsp_error(&r, OCSP_INTERNAL_ERROR);
        client_close(&c);
}

/* req 2.2 */
static void an_issuer_that_is_not_configured_is_unauthorized(void **state)
{
        struct fixture *f = *state;
        struct client c;
        struct reply r;

        fixture_import_good(f, A);
        f->conf.n_issuers = 0;
        client_open(&c, f);
        r = client_ask(&c, ASK(A), NULL, "");
        assert_ocsp_error(&r, OCSP_UNAUTHORIZED);
        client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_signed_serial_is_answered_by_get_and_post_alike),
                TEST(absent_parameters_in_the_cert_id_are_fine),
                TEST(a_nonce_is_ignored_unless_it_is_to_be_echoed),
                TEST(what_was_not_issued_here_is_unauthorized),
                TEST(a_negative_serial_is_unauthorized_and_never_signed),
                TEST(sha1_cert_ids_can_be_switched_off),
                TEST(a_revocation_counts_for_the_next_request),
                TEST(what_is_staged_does_not_count_until_its_batch_is_active),
                TEST(unusable_signatures_are_asked_for_anew),
                TEST(what_a_crl_signer_signed_is_asked_for_anew),
                TEST(a_store_that_contradicts_itself_is_an_internal_error),
                TEST(an_issuer_that_is_not_configured_is_unauthorized),
                TEST(the_issuers_certificate_and_health_are_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
