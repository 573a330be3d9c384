/* The fields that caches go by, conditions, and how long what is kept (req 3.1 to 3.6). */
#include "fixture.h"

#define A "11"
#define B "22"

static const struct ocsp_status revoked = {.cert_status = OCSP_REVOKED, .reason = REASON_KEY_COMPROMISE, .revoked_at_s = NOW - 10};

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

        fixture_import_good(*state, A);
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

        fixture_import_good(*state, A);
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

        fixture_import_good(*state, A);
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
        ask = engine_expect(&c);
        engine_answer(*state, &ask, &revoked, 1, NOW - 10);
        client_expect(&c, OCSP_REVOKED);
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
                unsigned of_b = strcmp(orders[i][0], B) == 0 ? 0 : 1;
                struct ocsp_status statuses[2] = {{.cert_status = OCSP_GOOD}, {.cert_status = OCSP_GOOD}};
                uint32_t generations[2] = {0, 0};

                statuses[of_b] = (struct ocsp_status){.cert_status = OCSP_REVOKED, .revoked_at_s = NOW - 10};
                generations[of_b] = 1;
                client_post(&c, ASK(orders[i][0], orders[i][1]));
                ask = engine_expect(&c);
                engine_answer_each(f, &ask, statuses, generations, NOW);
                assert_true(client_take(&c, false, &r));
                assert_field(&r, "Cache-Control", "max-age=300, public, no-transform, must-revalidate");
        }
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

/* A cache that has the one must find that it has the other: the engine writes the same signature back. */
static void an_answer_signed_on_demand_has_the_tag_of_its_signature_too(void **state)
{
        static const struct ocsp_status good = {.cert_status = OCSP_GOOD};
        struct bytes tbs, signature, certs;
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;
        char hex[2 * 16 + 3] = "\"";
        uint8_t raw[SIG_RAW_MAX];
        enum sig_alg alg;
        size_t len;

        fixture_import(*state, A);
        client_open(&c, *state);
        client_post(&c, ASK(A));
        ask = engine_expect(&c);
        engine_answer(*state, &ask, &good, 0, NOW);
        assert_true(client_take(&c, false, &r));
        assert_int_equal(ocsp_response_read(r.body, &tbs, &alg, &signature, &certs), OK);
        assert_int_equal(sig_from_der(alg, signature, raw, &len), OK);
        bytes_to_hex(bytes_make(raw, 16), &hex[1]);
        strcat(hex, "\"");
        assert_field(&r, "ETag", hex);
        client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_good_answer_carries_the_fields_that_caches_need),
                TEST(an_answer_signed_on_demand_has_the_tag_of_its_signature_too),
                TEST(head_is_get_without_the_body),
                TEST(a_condition_that_holds_gets_304_with_its_fields),
                TEST(a_date_does_not_revive_good_in_the_second_of_the_revocation),
                TEST(a_date_revives_nothing_that_was_signed_on_demand),
                TEST(a_revoked_answer_is_cached_for_less),
                TEST(one_revoked_among_several_bounds_how_long_all_are_cached),
                TEST(max_age_ends_before_next_update),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
