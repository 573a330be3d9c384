/* The way of an OCSP request, over a real store and real sockets; a double stands for the engine. */
#include "fixture.h"

#include <sys/socket.h>

#include "responder/pipeline.h"

#define A "11"
#define B "22"
#define ASK(...) (&(struct asking){.serials = {__VA_ARGS__}})

static struct reply ask_text(struct client *c, const char *text)
{
        struct reply r;

        client_send(c, bytes_str(text));
        assert_true(client_take(c, false, &r));
        return r;
}

static void signed_a(struct fixture *f)
{
        fixture_import(f, A);
        fixture_sign(f, A, NOW - 100, NOW + 86400);
}

/* ---- what is in the store ---- */

static void a_signed_serial_is_answered_by_get_and_post_alike(void **state)
{
        struct client c;
        struct reply get, post;

        signed_a(*state);
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

/* req 3.1 to 3.3 */
static void a_good_answer_carries_the_fields_that_caches_need(void **state)
{
        struct client c;
        struct reply r;
        char hex[2 * 16 + 3];
        struct bytes tbs, sig, certs;
        enum sig_alg alg;
        uint8_t raw[SIG_RAW_MAX];
        size_t raw_len;

        signed_a(*state);
        client_open(&c, *state);
        r = client_ask(&c, ASK(A), "GET", "");
        assert_field(&r, "Content-Type", "application/ocsp-response");
        assert_field(&r, "Date", "Sat, 21 Nov 2026 10:00:00 GMT");
        assert_field(&r, "Last-Modified", "Sat, 21 Nov 2026 09:58:20 GMT");
        assert_field(&r, "Expires", "Sun, 22 Nov 2026 10:00:00 GMT");
        assert_field(&r, "Cache-Control", "max-age=3600, public, no-transform, must-revalidate");
        assert_field(&r, "Connection", "");
        assert_int_equal(ocsp_response_read(r.body, &tbs, &alg, &sig, &certs), OK);
        assert_int_equal(sig_from_der(alg, sig, raw, &raw_len), OK);
        hex[0] = '"';
        bytes_to_hex(bytes_make(raw, 16), &hex[1]);
        strcat(hex, "\"");
        assert_field(&r, "ETag", hex);
        client_close(&c);
}

static void head_is_get_without_the_body(void **state)
{
        _cleanup_(builder_done) struct builder kept = {0};
        struct client c;
        struct reply get, head;

        signed_a(*state);
        client_open(&c, *state);
        get = client_ask(&c, ASK(A), "GET", "");
        builder_put(&kept, get.head);
        head = client_ask(&c, ASK(A), "HEAD", "");
        assert_true(bytes_equal(head.head, builder_bytes(&kept)));
        assert_int_equal(c.at, c.received.len);
        client_close(&c);
}

static void a_condition_that_holds_gets_304_with_its_fields(void **state)
{
        struct client c;
        struct reply r;
        char fields[128];

        signed_a(*state);
        client_open(&c, *state);
        r = client_ask(&c, ASK(A), "GET", "");
        snprintf(fields, sizeof fields, "If-None-Match: %.*s\r\n", (int)reply_field(&r, "ETag").len, (const char *)reply_field(&r, "ETag").data);
        {
                _cleanup_(builder_done) struct builder b = {0};

                fixture_put_get(*state, &b, "GET", ASK(A), fields);
                client_send(&c, builder_bytes(&b));
                assert_true(client_take(&c, true, &r));
        }
        assert_int_equal(r.status, 304);
        assert_field(&r, "Cache-Control", "max-age=3600, public, no-transform, must-revalidate");
        assert_field(&r, "Expires", "Sun, 22 Nov 2026 10:00:00 GMT");
        assert_field(&r, "Date", "Sat, 21 Nov 2026 10:00:00 GMT");
        assert_true(reply_field(&r, "ETag").len > 0);
        assert_int_equal(c.at, c.received.len);
        client_close(&c);
}

/* req 3.5: Last-Modified equals the second of the revocation. */
static void a_date_does_not_revive_good_in_the_second_of_the_revocation(void **state)
{
        struct client c;
        struct reply r;

        fixture_import(*state, A);
        fixture_revoke(*state, A, NOW - 10);
        fixture_sign(*state, A, NOW - 10, NOW + 86400);
        client_open(&c, *state);
        r = client_ask(&c, ASK(A), "GET", "If-Modified-Since: Sat, 21 Nov 2026 09:59:50 GMT\r\n");
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_REVOKED);
        client_close(&c);
}

static void a_revoked_answer_is_cached_for_less(void **state)
{
        struct client c;
        struct reply r;

        fixture_import(*state, A);
        fixture_revoke(*state, A, NOW - 1000);
        fixture_sign(*state, A, NOW - 100, NOW + 86400);
        client_open(&c, *state);
        r = client_ask(&c, ASK(A), "GET", "");
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_REVOKED);
        assert_int_equal(reply_status(*state, &r).reason, REASON_KEY_COMPROMISE);
        assert_int_equal(reply_status(*state, &r).revoked_at_s, NOW - 1000);
        assert_field(&r, "Cache-Control", "max-age=300, public, no-transform, must-revalidate");
        client_close(&c);
}

static void max_age_ends_before_next_update(void **state)
{
        struct client c;
        struct reply r;

        fixture_import(*state, A);
        fixture_sign(*state, A, NOW - 100, NOW + 50);
        client_open(&c, *state);
        r = client_ask(&c, ASK(A), "GET", "");
        assert_field(&r, "Cache-Control", "max-age=49, public, no-transform, must-revalidate");
        client_close(&c);
}

/* RFC 6960 4.1.1, req 1.8 */
static void absent_parameters_in_the_cert_id_are_fine(void **state)
{
        struct client c;
        struct reply r;

        signed_a(*state);
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

        signed_a(*state);
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

        signed_a(*state);
        client_open(&c, *state);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct reply r = client_ask(&c, &rows[i], NULL, "");

                assert_ocsp_error(&r, OCSP_UNAUTHORIZED);
        }
        client_close(&c);
}

static void sha1_cert_ids_can_be_switched_off(void **state)
{
        struct fixture *f = *state;
        struct client c;
        struct reply r;

        f->issuer.ocsp_allow_sha1_cert_id = false;
        signed_a(f);
        client_open(&c, f);
        r = client_ask(&c, ASK(A), NULL, "");
        assert_ocsp_error(&r, OCSP_UNAUTHORIZED);
        client_close(&c);
}

static void nonsense_is_malformed(void **state)
{
        struct client c;
        struct reply r;

        client_open(&c, *state);
        r = ask_text(&c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
        assert_ocsp_error(&r, OCSP_MALFORMED_REQUEST);
        r = ask_text(&c, "GET /MAMBAf8= HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_ocsp_error(&r, OCSP_MALFORMED_REQUEST);
        client_close(&c);
}

static void http_says_what_is_wrong_with_the_request(void **state)
{
        static const struct {
                const char *text;
                unsigned want;
                const char *allow;
                bool closes;
        } rows[] = {
                {"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx", 415, "", false},
                {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 404, "", false},
                {"GET /not-base64 HTTP/1.1\r\nHost: h\r\n\r\n", 400, "", false},
                {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 405, "GET, HEAD, POST", false},
                {"POST /crl/a.crl HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 405, "GET, HEAD", false},
                {"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501, "", false},
                {"GET /crl/nobody.crl HTTP/1.1\r\nHost: h\r\n\r\n", 404, "", false},
                {"GET /crl/../tocsin.yaml HTTP/1.1\r\nHost: h\r\n\r\n", 404, "", false},
                {"GET /ca/nobody.cer HTTP/1.1\r\nHost: h\r\n\r\n", 404, "", false},
                {"GET /ca/.cer HTTP/1.1\r\nHost: h\r\n\r\n", 404, "", false},
                {"GET / HTTP/1.1\r\n\r\n", 400, "", true},
                {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10001\r\n\r\n", 413, "", true},
                {"GET / HTTP/3.0\r\n\r\n", 505, "", true},
        };

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct client c;
                struct reply r;

                client_open(&c, *state);
                r = ask_text(&c, rows[i].text);
                if (r.status != rows[i].want)
                        fail_msg("%s: got %u", rows[i].text, r.status);
                assert_field(&r, "Allow", rows[i].allow);
                assert_field(&r, "Connection", rows[i].closes ? "close" : "");
                assert_false(client_take(&c, false, &r));
                assert_int_equal(c.is_closed, rows[i].closes);
                client_close(&c);
        }
}

static void another_path_can_be_configured(void **state)
{
        static const struct {
                const char *text;
                unsigned want;
        } rows[] = {
                {"POST /ocsp HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 200},
                {"POST /ocsp/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 200},
                {"GET /ocsp/MAMBAf8= HTTP/1.1\r\nHost: h\r\n\r\n", 200},
                {"GET /ocsp//MAMBAf8= HTTP/1.1\r\nHost: h\r\n\r\n", 200},
                {"GET /ocspMAMBAf8= HTTP/1.1\r\nHost: h\r\n\r\n", 404},
                {"GET /MAMBAf8= HTTP/1.1\r\nHost: h\r\n\r\n", 404},
        };
        struct fixture *f = *state;
        struct client c;

        client_open(&c, f);
        for (unsigned slash = 0; slash < 2; slash++) {
                f->conf.ocsp_path = (char *)(slash ? "/ocsp/" : "/ocsp");
                for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
                        assert_int_equal(ask_text(&c, rows[i].text).status, rows[i].want);
        }
        client_close(&c);
}

/* ---- the truth ---- */

static void a_revocation_counts_for_the_next_request(void **state)
{
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        signed_a(*state);
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

        signed_a(*state);
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

        fixture_import(*state, A);
        client_open(&c, *state);
        client_post(&c, ASK(A));
        assert_true(engine_take(*state, &ask));
        fixture_sign(*state, A, NOW - 5, NOW + 1000);
        engine_refuse(*state, &ask, MSG_TRY_LATER);
        assert_true(client_take(&c, false, &r));
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_GOOD);
        client_close(&c);
}

/* ---- the engine ---- */

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

        fixture_import(*state, A);
        client_open(&c, *state);
        client_post(&c, ASK(A));
        assert_true(engine_take(*state, &ask));
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
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        fixture_import(f, A);
        client_open(&c, f);
        client_post(&c, ASK(A));
        assert_true(engine_take(f, &ask));
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

        fixture_import(f, A);
        client_open(&c, f);
        client_post(&c, ASK(A));
        assert_true(engine_take(f, &ask));
        fixture_at_ms(f, clock_mono_ms() + 4000);
        assert_false(client_take(&c, false, &r));
        fixture_at_ms(f, clock_mono_ms() + 6000);
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        engine_answer(f, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW); /* too late: nobody waits */
        assert_false(client_take(&c, false, &r));
        client_close(&c);
}

static void nonsense_from_the_engine_cuts_the_line(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        fixture_import(f, A);
        client_open(&c, f);
        client_post(&c, ASK(A));
        assert_true(engine_take(f, &ask));
        assert_int_equal(msg_send(f->engine, BYTES_LIT("nonsense"), -1), OK);
        assert_true(client_take(&c, false, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        client_close(&c);
}

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
        signed_a(f);
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
                assert_int_equal(reply_status(f, &r).cert_status, OCSP_GOOD);
                assert_field(&r, "Cache-Control",
                        rows[i].nonce_len ? "no-store, max-age=0" : "max-age=3600, public, no-transform, must-revalidate");
                client_close(&c);
        }
}

/* RFC 6960 4.4.8, req 2.5: it costs a signature, so beyond the budget it is unauthorized as everywhere else. */
static void what_was_never_issued_is_asked_for_where_extended_revoked_is_on(void **state)
{
        static const struct ocsp_status hold = {.cert_status = OCSP_REVOKED, .reason = REASON_CERTIFICATE_HOLD};
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        signed_a(f);
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

        signed_a(f);
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

/* ---- connections ---- */

static void sixteen_pipelined_requests_are_answered_in_order(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct client c;
        struct reply r;

        signed_a(*state);
        fixture_import(*state, B);
        fixture_revoke(*state, B, NOW - 100);
        fixture_sign(*state, B, NOW - 50, NOW + 1000);
        for (unsigned i = 0; i < 16; i++)
                fixture_put_get(*state, &b, "GET", i % 3 == 0 ? ASK(B) : ASK(A), "");
        client_open(&c, *state);
        client_send(&c, builder_bytes(&b));
        for (unsigned i = 0; i < 16; i++) {
                assert_true(client_take(&c, false, &r));
                assert_int_equal(reply_status(*state, &r).cert_status, i % 3 == 0 ? OCSP_REVOKED : OCSP_GOOD);
        }
        assert_false(client_take(&c, false, &r));
        client_close(&c);
}

/* DESIGN: behind a parked request nothing is parsed, so what is committed meanwhile counts for it. */
static void a_request_behind_a_parked_one_sees_the_truth_when_its_turn_comes(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        signed_a(*state);
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

static void a_trickled_request_is_answered_when_it_is_whole(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct client c;
        struct reply r;

        signed_a(*state);
        fixture_put_post(*state, &b, ASK(A), "");
        client_open(&c, *state);
        for (size_t i = 0; i < b.len; i++) {
                assert_false(client_take(&c, false, &r));
                client_send(&c, bytes_make(&b.data[i], 1));
        }
        assert_true(client_take(&c, false, &r));
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_GOOD);
        client_close(&c);
}

static void trickling_does_not_stretch_the_time_a_request_may_take(void **state)
{
        struct fixture *f = *state;
        struct client c;
        struct reply r;
        int64_t start = clock_mono_ms();

        client_open(&c, f);
        client_send(&c, BYTES_LIT("GET / HTTP/1.1\r\nX: "));
        pump(f);
        for (int s = 1; s < 10; s++) {
                client_send(&c, BYTES_LIT("x"));
                pump(f);
                fixture_at_ms(f, start + s * 1000);
                assert_false(client_take(&c, false, &r));
        }
        fixture_at_ms(f, start + 11000);
        assert_true(client_take(&c, false, &r));
        assert_int_equal(r.status, 408);
        assert_field(&r, "Connection", "close");
        assert_false(client_take(&c, false, &r));
        assert_true(c.is_closed);
        client_close(&c);
}

static void an_idle_connection_ends_by_its_timeout(void **state)
{
        struct fixture *f = *state;
        struct client c;
        struct reply r;
        int64_t start = clock_mono_ms();

        signed_a(f);
        client_open(&c, f);
        client_ask(&c, ASK(A), "GET", "");
        fixture_at_ms(f, start + 59000);
        assert_false(client_take(&c, false, &r));
        assert_false(c.is_closed);
        fixture_at_ms(f, start + 61000);
        assert_false(client_take(&c, false, &r));
        assert_true(c.is_closed);
        assert_int_equal(f->pool.n_open, 0);
        client_close(&c);
}

static void an_answer_that_is_not_taken_ends_the_connection(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct fixture *f = *state;
        struct client c;
        int64_t start = clock_mono_ms();

        signed_a(f);
        client_open(&c, f);
        for (unsigned i = 0; i < 16; i++)
                fixture_put_get(f, &b, "GET", ASK(A), "");
        for (unsigned i = 0; i < 200 && send(c.fd, b.data, b.len, MSG_NOSIGNAL) == (ssize_t)b.len; i++)
                pump(f);
        fixture_at_ms(f, start + 29000);
        assert_int_equal(f->pool.n_open, 1);
        fixture_at_ms(f, start + 32000);
        assert_int_equal(f->pool.n_open, 0);
        client_close(&c);
}

static void a_slow_reader_gets_every_answer_in_the_end(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct fixture *f = *state;
        struct client c;
        struct reply r;
        unsigned n_sent = 0, n_got = 0;

        signed_a(f);
        client_open(&c, f);
        fixture_put_get(f, &b, "GET", ASK(A), "");
        while (n_sent < 5000 && send(c.fd, b.data, b.len, MSG_NOSIGNAL) == (ssize_t)b.len) {
                n_sent++;
                pump(f);
        }
        assert_true(n_sent > 100);
        while (client_take(&c, false, &r)) {
                assert_int_equal(r.status, 200);
                n_got++;
        }
        assert_int_equal(n_got, n_sent);
        client_close(&c);
}

static void a_connection_closes_when_its_client_says_so(void **state)
{
        struct client c;
        struct reply r;

        signed_a(*state);
        client_open(&c, *state);
        r = client_ask(&c, ASK(A), "GET", "Connection: close\r\n");
        assert_field(&r, "Connection", "close");
        assert_false(client_take(&c, false, &r));
        assert_true(c.is_closed);
        client_close(&c);
}

static void continue_is_sent_before_the_content(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct client c;
        struct reply r;

        signed_a(*state);
        fixture_put_post(*state, &b, ASK(A), "Expect: 100-continue\r\n");
        client_open(&c, *state);
        client_send(&c, bytes_make(b.data, b.len - 20));
        assert_true(client_take(&c, true, &r));
        assert_int_equal(r.status, 100);
        client_send(&c, bytes_make(&b.data[b.len - 20], 20));
        assert_true(client_take(&c, false, &r));
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_GOOD);
        client_close(&c);
}

static void draining_finishes_what_is_under_way_and_ends_the_rest(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct client idle, parked, half, sent;
        struct reply r;

        signed_a(f);
        fixture_import(f, B);
        client_open(&idle, f);
        client_open(&parked, f);
        client_post(&parked, ASK(B));
        assert_true(engine_take(f, &ask));
        client_open(&half, f);
        fixture_put_post(f, &b, ASK(A), "");
        client_send(&half, bytes_make(b.data, 30));
        pump(f);
        client_open(&sent, f);
        client_send(&sent, builder_bytes(&b)); /* there, but not read yet */
        conn_pool_drain(&f->pool);
        assert_false(client_take(&idle, false, &r));
        assert_true(idle.is_closed);
        assert_true(client_take(&sent, false, &r));
        assert_field(&r, "Connection", "close");
        client_send(&half, bytes_make(&b.data[30], b.len - 30));
        assert_true(client_take(&half, false, &r));
        assert_int_equal(reply_status(f, &r).cert_status, OCSP_GOOD);
        engine_answer(f, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        assert_true(client_take(&parked, false, &r));
        assert_int_equal(reply_status(f, &r).cert_status, OCSP_GOOD);
        pump(f);
        assert_int_equal(f->pool.n_open, 0);
        client_close(&idle);
        client_close(&parked);
        client_close(&half);
        client_close(&sent);
}

static void the_issuers_certificate_and_health_are_there(void **state)
{
        struct client c;
        struct reply r;

        client_open(&c, *state);
        r = ask_text(&c, "GET /ca/" LABEL ".cer HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_int_equal(r.status, 200);
        assert_field(&r, "Content-Type", "application/pkix-cert");
        assert_true(bytes_equal(r.body, BYTES_LIT("\x30\x03\x02\x01\x07")));
        r = ask_text(&c, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_int_equal(r.status, 200);
        assert_field(&r, "Cache-Control", "no-store, max-age=0");
        client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_signed_serial_is_answered_by_get_and_post_alike),
                TEST(a_good_answer_carries_the_fields_that_caches_need),
                TEST(head_is_get_without_the_body),
                TEST(a_condition_that_holds_gets_304_with_its_fields),
                TEST(a_date_does_not_revive_good_in_the_second_of_the_revocation),
                TEST(a_revoked_answer_is_cached_for_less),
                TEST(max_age_ends_before_next_update),
                TEST(absent_parameters_in_the_cert_id_are_fine),
                TEST(a_nonce_is_ignored_unless_it_is_to_be_echoed),
                TEST(what_was_not_issued_here_is_unauthorized),
                TEST(sha1_cert_ids_can_be_switched_off),
                TEST(nonsense_is_malformed),
                TEST(http_says_what_is_wrong_with_the_request),
                TEST(another_path_can_be_configured),
                TEST(a_revocation_counts_for_the_next_request),
                TEST(what_is_staged_does_not_count_until_its_batch_is_active),
                TEST(unusable_signatures_are_asked_for_anew),
                TEST(a_late_good_is_never_sent),
                TEST(a_truth_that_keeps_moving_ends_in_try_later),
                TEST(a_signature_that_came_back_meanwhile_is_used),
                TEST(parked_requests_share_one_question),
                TEST(beyond_the_credit_the_answer_is_try_later_at_once),
                TEST(what_the_engine_refuses_is_refused),
                TEST(with_the_engine_away_the_answer_is_try_later),
                TEST(an_engine_that_goes_away_frees_those_that_wait),
                TEST(waiting_ends_in_try_later),
                TEST(nonsense_from_the_engine_cuts_the_line),
                TEST(unusual_questions_go_by_the_extras_lane),
                TEST(what_was_never_issued_is_asked_for_where_extended_revoked_is_on),
                TEST(the_first_preferred_algorithm_that_the_key_can_make_is_asked_for),
                TEST(sixteen_pipelined_requests_are_answered_in_order),
                TEST(a_request_behind_a_parked_one_sees_the_truth_when_its_turn_comes),
                TEST(a_trickled_request_is_answered_when_it_is_whole),
                TEST(trickling_does_not_stretch_the_time_a_request_may_take),
                TEST(an_idle_connection_ends_by_its_timeout),
                TEST(an_answer_that_is_not_taken_ends_the_connection),
                TEST(a_slow_reader_gets_every_answer_in_the_end),
                TEST(a_connection_closes_when_its_client_says_so),
                TEST(continue_is_sent_before_the_content),
                TEST(draining_finishes_what_is_under_way_and_ends_the_rest),
                TEST(the_issuers_certificate_and_health_are_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
