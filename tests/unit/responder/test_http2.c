/* HTTP/2 (RFC 9113) over a real store and real sockets, with nghttp2's client at the other end: answers, the truth, the end. */
#include "h2client.h"

#include <sys/socket.h>

#include "responder/conn/conn_private.h"
#include "responder/http/http2_session.h"

#define A "11"
#define B "22"

static struct h2_client c; /* one a test; large */

/* ---- one request ---- */

static void assert_same_fields(const struct reply *want, const struct reply *got)
{
        static const char *const names[] = {"Content-Type", "Content-Length", "Last-Modified", "ETag", "Expires", "Cache-Control",
                "Allow", "Retry-After", "Accept-Ranges", "Content-Range", "Date"};

        assert_int_equal(want->status, got->status);
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
                if (!bytes_equal(reply_field(want, names[i]), reply_field(got, names[i])))
                        fail_msg("%s: \"%.*s\" by HTTP/1, \"%.*s\" by HTTP/2", names[i], (int)reply_field(want, names[i]).len,
                                (const char *)reply_field(want, names[i]).data, (int)reply_field(got, names[i]).len,
                                (const char *)reply_field(got, names[i]).data);
        assert_true(bytes_equal(want->body, got->body));
}

static void compare(struct fixture *f, const char *request, const char *method, const char *path, const char *const *fields)
{
        struct client one;
        struct reply by_1, by_2;

        client_open(&one, f);
        client_send(&one, bytes_str(request));
        assert_true(client_take(&one, strcmp(method, "HEAD") == 0, &by_1));
        h2_open(&c, f, 65535);
        by_2 = h2_expect(&c, h2_ask(&c, method, path, NULL, fields));
        assert_same_fields(&by_1, &by_2);
        h2_close(&c);
        client_close(&one);
}

static void a_request_gets_the_answer_that_it_gets_by_http1(void **state)
{
        _cleanup_(builder_done) struct builder text = {0};
        char path[1000] = "/";
        struct fixture *f = *state;

        fixture_import_good(f, A);
        fixture_put_get(f, &text, "GET", ASK(A), "");
        builder_put_u8(&text, 0);
        sscanf((const char *)text.data, "GET %999s", path);
        compare(f, (const char *)text.data, "GET", path, NULL);
        builder_reset(&text);
        builder_printf(&text, "HEAD %s HTTP/1.1\r\nHost: h\r\n\r\n%c", path, 0);
        compare(f, (const char *)text.data, "HEAD", path, NULL);
        builder_reset(&text);
        builder_printf(&text, "GET %s HTTP/1.1\r\nHost: h\r\nIf-None-Match: *\r\n\r\n%c", path, 0);
        compare(f, (const char *)text.data, "GET", path, H2_FIELDS("if-none-match", "*"));
        compare(f, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/healthz", NULL);
        compare(f, "GET /ca/" LABEL ".cer HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/ca/" LABEL ".cer", NULL);
        compare(f, "GET /crl/none.crl HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/crl/none.crl", NULL);
        compare(f, "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", "DELETE", "/", NULL);
        compare(f, "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", "BREW", "/", NULL);
        compare(f, "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/a?b", NULL);
        compare(f, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS", "*", NULL);
}

static void get_and_post_are_answered_alike(void **state)
{
        struct reply get, post, head;

        fixture_import_good(*state, A);
        h2_open(&c, *state, 65535);
        post = h2_expect(&c, h2_post(&c, ASK(A)));
        assert_int_equal(reply_status(*state, &post).cert_status, OCSP_GOOD);
        get = h2_expect(&c, h2_get(&c, "GET", ASK(A)));
        assert_same_fields(&post, &get);
        head = h2_expect(&c, h2_get(&c, "HEAD", ASK(A)));
        assert_true(bytes_equal(reply_field(&head, "Content-Length"), reply_field(&get, "Content-Length")));
        assert_int_equal(head.body.len, 0); /* req 3.6 */
        h2_close(&c);
}

static void the_preface_may_come_octet_by_octet(void **state)
{
        const uint8_t *data;
        ssize_t n;
        unsigned number;

        fixture_import_good(*state, A);
        h2_open(&c, *state, 65535);
        number = h2_post(&c, ASK(A));
        while ((n = nghttp2_session_mem_send(c.session, &data)) > 0)
                for (ssize_t i = 0; i < n; i++) {
                        assert_int_equal(send(c.fd, &data[i], 1, MSG_NOSIGNAL), 1);
                        pump(c.f);
                }
        h2_assert_status(&c, number, OCSP_GOOD);
        h2_close(&c);
}

static void what_only_begins_like_the_preface_is_http1(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct client one;
        struct reply r;

        fixture_import_good(*state, A);
        client_open(&one, *state);
        fixture_put_post(*state, &b, ASK(A), "");
        client_send(&one, bytes_make(b.data, 1)); /* 'P' */
        assert_false(client_take(&one, false, &r));
        client_send(&one, bytes_make(&b.data[1], b.len - 1));
        assert_true(client_take(&one, false, &r));
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_GOOD);
        client_close(&one);
        client_open(&one, *state);
        client_send(&one, BYTES_LIT("PRI * HTTP/2.0\r\n\r\nSN"));
        assert_true(client_take(&one, false, &r));
        assert_int_equal(r.status, 505);
        client_close(&one);
}

/* ---- many ---- */

static void each_of_many_streams_gets_its_own_answer(void **state)
{
        unsigned numbers[100];
        char serial[3];

        for (unsigned i = 0; i < 100; i++) {
                snprintf(serial, sizeof serial, "%02x", i + 1);
                fixture_import_good(*state, serial);
                if (i % 3 == 0) {
                        fixture_revoke(*state, serial, NOW - 50);
                        fixture_sign(*state, serial, NOW - 50, NOW + 86400);
                }
        }
        h2_open(&c, *state, 65535);
        for (unsigned i = 0; i < 100; i++) {
                snprintf(serial, sizeof serial, "%02x", i + 1);
                numbers[i] = i % 2 ? h2_post(&c, ASK(serial)) : h2_get(&c, "GET", ASK(serial));
        }
        for (unsigned i = 0; i < 100; i++) {
                struct reply r = h2_expect(&c, numbers[i]);
                uint8_t want[] = {0x02, 0x01, (uint8_t)(i + 1)};

                assert_int_equal(reply_status(*state, &r).cert_status, i % 3 == 0 ? OCSP_REVOKED : OCSP_GOOD);
                assert_non_null(memmem(r.body.data, r.body.len, want, sizeof want));
        }
        assert_int_equal(h2_session_of(*state)->n_streams, 0);
        h2_close(&c);
}

static void as_many_streams_as_are_promised_may_wait(void **state)
{
        struct msg_sign_ask ask;

        fixture_import(*state, A);
        h2_open(&c, *state, 65535);
        h2_pump(&c);
        for (unsigned i = 0; i < HTTP2_MAX_STREAMS; i++)
                h2_post(&c, ASK(A));
        h2_pump(&c);
        assert_true(engine_take(*state, &ask));
        assert_int_equal(h2_session_of(*state)->n_streams, HTTP2_MAX_STREAMS);
        assert_int_equal(nghttp2_session_get_remote_settings(c.session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS), HTTP2_MAX_STREAMS);
        engine_answer(*state, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        for (unsigned i = 0; i < HTTP2_MAX_STREAMS; i++)
                h2_assert_status(&c, i, OCSP_GOOD);
        h2_close(&c);
}

/* ---- the truth ---- */

static void a_revocation_before_the_first_octet_is_asked_for_is_told(void **state)
{
        struct reply r;
        unsigned number;

        fixture_import_good(*state, A);
        h2_open(&c, *state, 0); /* nothing can be sent on a stream until its client opens the window */
        number = h2_post(&c, ASK(A));
        assert_false(h2_take(&c, number, &r));
        fixture_revoke(*state, A, NOW - 50);
        fixture_sign(*state, A, NOW - 50, NOW + 86400);
        assert_int_equal(nghttp2_submit_window_update(c.session, NGHTTP2_FLAG_NONE, c.streams[number].id, 65535), 0);
        h2_assert_status(&c, number, OCSP_REVOKED);
        h2_close(&c);
}

static void a_parked_stream_holds_up_no_other(void **state)
{
        struct msg_sign_ask ask;
        struct reply r;
        unsigned parked, other;

        fixture_import_good(*state, A);
        fixture_import(*state, B);
        h2_open(&c, *state, 65535);
        parked = h2_post(&c, ASK(B));
        other = h2_post(&c, ASK(A));
        h2_assert_status(&c, other, OCSP_GOOD);
        assert_false(h2_take(&c, parked, &r));
        assert_true(engine_take(*state, &ask));
        engine_answer(*state, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        h2_assert_status(&c, parked, OCSP_GOOD);
        h2_close(&c);
}

static void a_late_good_is_never_sent(void **state)
{
        struct msg_sign_ask first, second;
        struct reply r;
        unsigned number;

        fixture_import(*state, A);
        h2_open(&c, *state, 65535);
        number = h2_post(&c, ASK(A));
        h2_pump(&c);
        assert_true(engine_take(*state, &first));
        fixture_revoke(*state, A, NOW);
        engine_answer(*state, &first, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        assert_false(h2_take(&c, number, &r));
        assert_null(h2_session_of(*state)->lists[STREAM_PARKED].first->sign.answer);
        assert_true(engine_take(*state, &second));
        engine_answer(*state, &second, &(struct ocsp_status){.cert_status = OCSP_REVOKED, .revoked_at_s = NOW}, 1, NOW);
        h2_assert_status(&c, number, OCSP_REVOKED);
        h2_close(&c);
}

static void an_answer_of_the_engine_is_not_kept_for_when_the_window_opens(void **state)
{
        nghttp2_settings_entry shut[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}};
        struct msg_sign_ask ask;
        struct reply r;
        unsigned number;

        fixture_import(*state, A);
        h2_open(&c, *state, 65535);
        number = h2_post(&c, ASK(A));
        h2_pump(&c);
        assert_true(engine_take(*state, &ask));
        assert_int_equal(nghttp2_submit_settings(c.session, NGHTTP2_FLAG_NONE, shut, 1), 0);
        h2_pump(&c);
        engine_answer(*state, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        assert_false(h2_take(&c, number, &r));
        assert_null(h2_session_of(*state)->lists[STREAM_READY].first->sign.answer); /* its memory is gone */
        fixture_revoke(*state, A, NOW - 50);
        fixture_sign(*state, A, NOW - 50, NOW + 86400);
        assert_int_equal(nghttp2_submit_window_update(c.session, NGHTTP2_FLAG_NONE, c.streams[number].id, 65535), 0);
        h2_assert_status(&c, number, OCSP_REVOKED);
        h2_close(&c);
}

static void waiting_ends_in_try_later(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct reply r;
        unsigned number;

        fixture_import(f, A);
        h2_open(&c, f, 65535);
        number = h2_post(&c, ASK(A));
        h2_pump(&c);
        assert_true(engine_take(f, &ask));
        fixture_at_ms(f, clock_mono_ms() + 4000);
        assert_false(h2_take(&c, number, &r));
        fixture_at_ms(f, clock_mono_ms() + 2500);
        r = h2_expect(&c, number);
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        h2_close(&c);
}

static void waiting_ends_also_on_a_connection_that_never_rests(void **state)
{
        struct fixture *f = *state;
        int64_t start_ms = clock_mono_ms();
        struct msg_sign_ask ask;
        struct reply r;
        unsigned number;

        fixture_import(f, A);
        h2_open(&c, f, 65535);
        number = h2_post(&c, ASK(A));
        h2_pump(&c);
        assert_true(engine_take(f, &ask));
        for (unsigned i = 1; i <= 14; i++) {
                fixture_at_ms(f, start_ms + 500 * i);
                assert_int_equal(h2_expect(&c, h2_ask(&c, "GET", "/healthz", NULL, NULL)).status, 200);
        }
        r = h2_expect(&c, number);
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        h2_close(&c);
}

static void beyond_the_credit_the_answer_is_try_later_at_once(void **state)
{
        char serial[3];
        struct reply r;

        h2_open(&c, *state, 65535);
        for (unsigned i = 0; i < 5; i++) { /* four are allowed */
                snprintf(serial, sizeof serial, "%02x", i + 1);
                fixture_import(*state, serial);
                h2_post(&c, ASK(serial));
        }
        r = h2_expect(&c, 4);
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        assert_false(h2_take(&c, 0, &r));
        h2_close(&c);
}

static void a_client_that_goes_away_leaves_nothing(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;

        fixture_import(f, A);
        h2_open(&c, f, 65535);
        h2_post(&c, ASK(A));
        h2_pump(&c);
        assert_true(engine_take(f, &ask));
        h2_close(&c);
        assert_int_equal(f->pool.n_open, 0);
        engine_answer(f, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW); /* to nobody */
}

/* ---- the end ---- */

static void draining_answers_what_is_open_then_ends(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        unsigned parked, late;

        fixture_import_good(f, A);
        fixture_import(f, B);
        h2_open(&c, f, 65535);
        parked = h2_post(&c, ASK(B));
        h2_pump(&c);
        assert_true(engine_take(f, &ask));
        late = h2_post(&c, ASK(A)); /* on its way when the drain begins */
        conn_pool_drain(&f->pool);
        h2_pump(&c);
        assert_int_equal(c.n_goaways, 2);
        assert_int_equal(c.goaway_code, NGHTTP2_NO_ERROR);
        assert_int_equal(c.goaway_last, c.streams[late].id);
        h2_assert_status(&c, late, OCSP_GOOD);
        assert_false(c.is_closed);
        engine_answer(f, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        h2_assert_status(&c, parked, OCSP_GOOD);
        assert_true(c.is_closed);
        h2_close(&c);
        assert_int_equal(f->pool.n_open, 0);
}

static void draining_does_not_wait_for_a_client_that_says_nothing(void **state)
{
        struct fixture *f = *state;
        uint8_t buffer[1000];

        h2_open(&c, f, 65535);
        h2_pump(&c);
        conn_pool_drain(&f->pool);
        pump(f);
        assert_true(recv(c.fd, buffer, sizeof buffer, 0) > 0);
        assert_int_equal(recv(c.fd, buffer, sizeof buffer, 0), -1);
        fixture_at_ms(f, clock_mono_ms() + 3000);
        while (recv(c.fd, buffer, sizeof buffer, 0) > 0)
                ;
        assert_int_equal(recv(c.fd, buffer, sizeof buffer, 0), 0);
        h2_close(&c);
}

#define HTTP2_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                HTTP2_TEST(a_request_gets_the_answer_that_it_gets_by_http1),
                HTTP2_TEST(get_and_post_are_answered_alike),
                HTTP2_TEST(the_preface_may_come_octet_by_octet),
                HTTP2_TEST(what_only_begins_like_the_preface_is_http1),
                HTTP2_TEST(each_of_many_streams_gets_its_own_answer),
                HTTP2_TEST(as_many_streams_as_are_promised_may_wait),
                HTTP2_TEST(a_revocation_before_the_first_octet_is_asked_for_is_told),
                HTTP2_TEST(a_parked_stream_holds_up_no_other),
                HTTP2_TEST(a_late_good_is_never_sent),
                HTTP2_TEST(an_answer_of_the_engine_is_not_kept_for_when_the_window_opens),
                HTTP2_TEST(waiting_ends_in_try_later),
                HTTP2_TEST(waiting_ends_also_on_a_connection_that_never_rests),
                HTTP2_TEST(beyond_the_credit_the_answer_is_try_later_at_once),
                HTTP2_TEST(a_client_that_goes_away_leaves_nothing),
                HTTP2_TEST(draining_answers_what_is_open_then_ends),
                HTTP2_TEST(draining_does_not_wait_for_a_client_that_says_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
