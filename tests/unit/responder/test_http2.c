/* HTTP/2 (RFC 9113) over a real store and real sockets, with nghttp2's client at the other end. */
#include "h2client.h"

#include <sys/socket.h>

#include "responder/conn/conn_private.h"
#include "responder/http/http2_session.h"

#define A "11"
#define B "22"

static struct h2_client c; /* one a test; large */

static void signed_serial(struct fixture *f, const char *serial)
{
        fixture_import(f, serial);
        fixture_sign(f, serial, NOW - 100, NOW + 86400);
}

static struct http2 *session_of(struct fixture *f)
{
        assert_non_null(f->pool.first);
        assert_non_null(f->pool.first->http2);
        return f->pool.first->http2;
}

static struct reply take(unsigned number)
{
        struct reply r;

        if (!h2_take(&c, number, &r))
                fail_msg("stream %u: no answer", number);
        return r;
}

static void assert_status(unsigned number, enum ocsp_cert_status want)
{
        struct reply r = take(number);

        assert_int_equal(reply_status(c.f, &r).cert_status, want);
}

static void assert_reset(unsigned number, uint32_t code)
{
        h2_pump(&c);
        assert_true(c.streams[number].is_closed);
        assert_int_equal(c.streams[number].head.len, 0);
        assert_int_equal(c.streams[number].code, code);
}

/* The connection ended, and why. */
static void assert_ended(uint32_t code)
{
        h2_pump(&c);
        assert_int_equal(c.n_goaways, 1);
        assert_int_equal(c.goaway_code, code);
        assert_true(c.is_closed);
}

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
        by_2 = take(h2_ask(&c, method, path, NULL, fields));
        assert_same_fields(&by_1, &by_2);
        h2_close(&c);
        client_close(&one);
}

static void a_request_gets_the_answer_that_it_gets_by_http1(void **state)
{
        _cleanup_(builder_done) struct builder text = {0};
        char path[1000] = "/";
        struct fixture *f = *state;

        signed_serial(f, A);
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

        signed_serial(*state, A);
        h2_open(&c, *state, 65535);
        post = take(h2_post(&c, ASK(A)));
        assert_int_equal(reply_status(*state, &post).cert_status, OCSP_GOOD);
        get = take(h2_get(&c, "GET", ASK(A)));
        assert_same_fields(&post, &get);
        head = take(h2_get(&c, "HEAD", ASK(A)));
        assert_true(bytes_equal(reply_field(&head, "Content-Length"), reply_field(&get, "Content-Length")));
        assert_int_equal(head.body.len, 0); /* req 3.6 */
        h2_close(&c);
}

static void the_preface_may_come_octet_by_octet(void **state)
{
        const uint8_t *data;
        ssize_t n;
        unsigned number;

        signed_serial(*state, A);
        h2_open(&c, *state, 65535);
        number = h2_post(&c, ASK(A));
        while ((n = nghttp2_session_mem_send(c.session, &data)) > 0)
                for (ssize_t i = 0; i < n; i++) {
                        assert_int_equal(send(c.fd, &data[i], 1, MSG_NOSIGNAL), 1);
                        pump(c.f);
                }
        assert_status(number, OCSP_GOOD);
        h2_close(&c);
}

static void what_only_begins_like_the_preface_is_http1(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct client one;
        struct reply r;

        signed_serial(*state, A);
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
                signed_serial(*state, serial);
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
                struct reply r = take(numbers[i]);
                uint8_t want[] = {0x02, 0x01, (uint8_t)(i + 1)};

                assert_int_equal(reply_status(*state, &r).cert_status, i % 3 == 0 ? OCSP_REVOKED : OCSP_GOOD);
                assert_non_null(memmem(r.body.data, r.body.len, want, sizeof want));
        }
        assert_int_equal(session_of(*state)->n_streams, 0);
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
        assert_int_equal(session_of(*state)->n_streams, HTTP2_MAX_STREAMS);
        assert_int_equal(nghttp2_session_get_remote_settings(c.session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS), HTTP2_MAX_STREAMS);
        engine_answer(*state, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        for (unsigned i = 0; i < HTTP2_MAX_STREAMS; i++)
                assert_status(i, OCSP_GOOD);
        h2_close(&c);
}

/* ---- the truth ---- */

static void a_revocation_before_the_first_octet_is_asked_for_is_told(void **state)
{
        struct reply r;
        unsigned number;

        signed_serial(*state, A);
        h2_open(&c, *state, 0); /* nothing can be sent on a stream until its client opens the window */
        number = h2_post(&c, ASK(A));
        assert_false(h2_take(&c, number, &r));
        fixture_revoke(*state, A, NOW - 50);
        fixture_sign(*state, A, NOW - 50, NOW + 86400);
        assert_int_equal(nghttp2_submit_window_update(c.session, NGHTTP2_FLAG_NONE, c.streams[number].id, 65535), 0);
        assert_status(number, OCSP_REVOKED);
        h2_close(&c);
}

static void a_parked_stream_holds_up_no_other(void **state)
{
        struct msg_sign_ask ask;
        struct reply r;
        unsigned parked, other;

        signed_serial(*state, A);
        fixture_import(*state, B);
        h2_open(&c, *state, 65535);
        parked = h2_post(&c, ASK(B));
        other = h2_post(&c, ASK(A));
        assert_status(other, OCSP_GOOD);
        assert_false(h2_take(&c, parked, &r));
        assert_true(engine_take(*state, &ask));
        engine_answer(*state, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        assert_status(parked, OCSP_GOOD);
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
        assert_null(session_of(*state)->lists[STREAM_PARKED].first->sign.answer);
        assert_true(engine_take(*state, &second));
        engine_answer(*state, &second, &(struct ocsp_status){.cert_status = OCSP_REVOKED, .revoked_at_s = NOW}, 1, NOW);
        assert_status(number, OCSP_REVOKED);
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
        assert_null(session_of(*state)->lists[STREAM_READY].first->sign.answer); /* its memory is gone */
        fixture_revoke(*state, A, NOW - 50);
        fixture_sign(*state, A, NOW - 50, NOW + 86400);
        assert_int_equal(nghttp2_submit_window_update(c.session, NGHTTP2_FLAG_NONE, c.streams[number].id, 65535), 0);
        assert_status(number, OCSP_REVOKED);
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
        r = take(number);
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
                assert_int_equal(take(h2_ask(&c, "GET", "/healthz", NULL, NULL)).status, 200);
        }
        r = take(number);
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
        r = take(4);
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

/* ---- flow control ---- */

static void put_filled(struct builder *b, size_t len)
{
        memset(builder_extend(b, len), 'a', len);
        builder_put_u8(b, 0);
        b->len--;
}

static void a_small_window_gets_the_answer_piece_by_piece(void **state)
{
        struct reply r;
        unsigned number;

        signed_serial(*state, A);
        h2_open(&c, *state, 1);
        number = h2_post(&c, ASK(A));
        for (unsigned i = 0; i < 2000 && !h2_take(&c, number, &r); i++)
                assert_int_equal(nghttp2_submit_window_update(c.session, NGHTTP2_FLAG_NONE, c.streams[number].id, 7), 0);
        assert_status(number, OCSP_GOOD);
        assert_int_equal(session_of(*state)->n_held, 0);
        h2_close(&c);
}

static void shut_windows_keep_no_answers(void **state)
{
        signed_serial(*state, A);
        h2_open(&c, *state, 0);
        for (unsigned i = 0; i < HTTP2_MAX_STREAMS; i++)
                h2_post(&c, ASK(A));
        h2_pump(&c);
        assert_int_equal(session_of(*state)->n_streams, HTTP2_MAX_STREAMS);
        assert_int_equal(session_of(*state)->n_held, 0);
        h2_close(&c);
}

/* Another CA, whose certificate is an answer of so many octets. */
static void put_large_certificate(struct fixture *f, size_t len)
{
        _cleanup_(builder_done) struct builder certificate = {0};
        struct bytes name = BYTES_LIT("\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04Wide");
        struct ca ca = {.label = BYTES_LIT("large"), .name = name, .spki = builder_bytes(&f->spki), .not_after_s = NOW + 1000000};
        struct txn *txn;
        uint32_t id;

        memset(builder_extend(&certificate, len), 'c', len);
        ca.certificate = builder_bytes(&certificate);
        assert_int_equal(ca_key_init(&ca.key, name, builder_bytes(&f->octets)), OK);
        assert_int_equal(txn_begin_write(f->writer, &txn), OK);
        assert_int_equal(ca_put(txn, &ca, &id), OK);
        assert_int_equal(txn_commit(txn), OK);
}

static void windows_of_one_octet_keep_a_bounded_number_of_answers(void **state)
{
        enum { LEN = 1200 };

        put_large_certificate(*state, LEN);
        h2_open(&c, *state, 1);
        for (unsigned i = 0; i < HTTP2_MAX_STREAMS; i++)
                h2_ask(&c, "GET", "/ca/large.cer", NULL, NULL);
        h2_pump(&c);
        assert_in_range(session_of(*state)->n_held, HTTP2_MAX_HELD, HTTP2_MAX_HELD + LEN); /* not all of 150,000 */
        h2_close(&c);
        assert_null(((struct fixture *)*state)->pool.first);
}

static void the_fields_of_waiting_requests_are_bounded(void **state)
{
        _cleanup_(builder_done) struct builder uri = {0};
        unsigned n_refused = 0;

        h2_open(&c, *state, 0);
        h2_pump(&c);
        builder_put_u8(&uri, '/');
        put_filled(&uri, 4000);
        for (unsigned i = 0; i < 40; i++)
                h2_ask(&c, "GET", (const char *)uri.data, NULL, NULL);
        h2_pump(&c);
        for (unsigned i = 0; i < 40; i++)
                n_refused += c.streams[i].is_closed && c.streams[i].code == NGHTTP2_REFUSED_STREAM;
        assert_in_range(session_of(*state)->n_kept, 60000, 64 * 1024 + 4100);
        assert_int_equal(n_refused, 40 - session_of(*state)->n_streams);
        h2_close(&c);
}

static void a_window_that_stays_shut_ends_the_stream(void **state)
{
        struct fixture *f = *state;
        struct reply r;
        unsigned shut, started;

        signed_serial(f, A);
        h2_open(&c, f, 0);
        shut = h2_post(&c, ASK(A));
        started = h2_post(&c, ASK(A));
        h2_pump(&c);
        assert_int_equal(nghttp2_submit_window_update(c.session, NGHTTP2_FLAG_NONE, c.streams[started].id, 1), 0);
        assert_false(h2_take(&c, started, &r));
        fixture_at_ms(f, clock_mono_ms() + 29000);
        h2_pump(&c);
        assert_false(c.streams[shut].is_closed || c.streams[started].is_closed);
        fixture_at_ms(f, clock_mono_ms() + 3000);
        assert_reset(shut, NGHTTP2_CANCEL);
        assert_true(c.streams[started].is_closed);
        assert_int_equal(session_of(f)->n_held, 0);
        h2_close(&c);
}

/* ---- limits ---- */

static void too_much_is_refused_with_its_status(void **state)
{
        _cleanup_(builder_done) struct builder uri = {0}, fields = {0}, body = {0};
        struct fixture *f = *state;
        struct reply r;
        unsigned number;

        h2_open(&c, f, 65535);
        builder_put_u8(&uri, '/');
        put_filled(&uri, f->conf.max_uri);
        put_filled(&fields, f->service.limits.max_head);
        put_filled(&body, 300000); /* in frames of 16 kB: refused after the first */
        assert_int_equal(take(h2_ask(&c, "GET", (const char *)uri.data, NULL, NULL)).status, 414);
        assert_int_equal(take(h2_ask(&c, "GET", "/", NULL, H2_FIELDS("x", (const char *)fields.data))).status, 431);
        number = h2_ask(&c, "POST", "/", &body, NULL);
        r = take(number);
        assert_int_equal(r.status, 413);
        assert_field(&r, "Content-Length", "0"); /* said before the request ended, so the stream is reset behind it */
        assert_int_equal(c.streams[number].code, NGHTTP2_NO_ERROR);
        assert_in_range(c.requests[number].at, 1, 299999); /* RFC 9113 8.1: the rest is not wanted */
        assert_int_equal(take(h2_ask(&c, "GET", "/healthz", NULL, NULL)).status, 200); /* the connection goes on */
        h2_close(&c);
}

static void a_field_list_that_unfolds_without_end_ends_the_connection(void **state)
{
        const char *fields[120] = {":method", "GET", ":path", "/", ":scheme", "http", ":authority", "h"};
        _cleanup_(builder_done) struct builder value = {0};

        put_filled(&value, 3000); /* nghttp2 puts it into its table: an octet each from the second on */
        for (unsigned i = 8; i < 118; i += 2) {
                fields[i] = "x";
                fields[i + 1] = (const char *)value.data;
        }
        h2_open(&c, *state, 65535);
        h2_ask_raw(&c, NULL, fields);
        assert_ended(NGHTTP2_ENHANCE_YOUR_CALM);
        h2_close(&c);
}

/* CVE-2023-44487 */
static void rapid_reset_ends_the_connection(void **state)
{
        signed_serial(*state, A);
        h2_open(&c, *state, 65535);
        h2_pump(&c);
        for (unsigned i = 0; i < 300 && !c.is_closed; i++) {
                unsigned number = h2_post(&c, ASK(A));

                h2_flush(&c);
                nghttp2_submit_rst_stream(c.session, NGHTTP2_FLAG_NONE, c.streams[number].id, NGHTTP2_CANCEL);
                if (i % 50 == 49)
                        h2_pump(&c);
        }
        assert_ended(NGHTTP2_ENHANCE_YOUR_CALM);
        h2_close(&c);
}

static void streams_that_we_must_reset_count_like_its_own(void **state)
{
        h2_open(&c, *state, 65535);
        h2_pump(&c);
        for (unsigned i = 0; i < 300 && !c.is_closed; i++) {
                h2_ask(&c, "GET", "/", NULL, H2_FIELDS("connection", "close"));
                if (i % 50 == 49)
                        h2_pump(&c);
        }
        assert_ended(NGHTTP2_ENHANCE_YOUR_CALM);
        h2_close(&c);
}

static void some_cancelled_requests_among_many_are_fine(void **state)
{
        signed_serial(*state, A);
        h2_open(&c, *state, 65535);
        for (unsigned i = 0; i < 500; i++) {
                unsigned number = h2_post(&c, ASK(A));

                h2_flush(&c);
                if (i % 2 == 0)
                        nghttp2_submit_rst_stream(c.session, NGHTTP2_FLAG_NONE, c.streams[number].id, NGHTTP2_CANCEL);
                if (i % 20 == 19)
                        h2_pump(&c);
        }
        assert_int_equal(c.n_goaways, 0);
        h2_close(&c);
}

static void pings_without_end_end_the_connection(void **state)
{
        h2_open(&c, *state, 65535);
        h2_pump(&c);
        for (unsigned i = 0; i < 3000 && !c.is_closed; i++) {
                nghttp2_submit_ping(c.session, NGHTTP2_FLAG_NONE, NULL);
                if (i % 10 == 9)
                        h2_pump(&c);
        }
        assert_in_range(c.n_pings, 100, 2000);
        assert_ended(NGHTTP2_ENHANCE_YOUR_CALM);
        h2_close(&c);
}

static void put_frame(struct builder *b, uint8_t type, uint8_t flags, uint32_t stream, struct bytes payload)
{
        builder_put_u8(b, 0);
        builder_put_u16(b, (uint16_t)payload.len);
        builder_put_u8(b, type);
        builder_put_u8(b, flags);
        builder_put_u32(b, stream);
        builder_put(b, payload);
}

/* CVE-2024-28182 */
static void continuation_without_end_ends_the_connection(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};

        h2_open(&c, *state, 65535);
        h2_pump(&c);
        put_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, BYTES_LIT("\x82"));
        for (unsigned i = 0; i < 100; i++)
                put_frame(&b, NGHTTP2_CONTINUATION, 0, 1, BYTES_LIT("\x84"));
        c.n_streams = 1;
        assert_int_equal(send(c.fd, b.data, b.len, MSG_NOSIGNAL), b.len);
        pump(*state);
        h2_pump(&c);
        assert_int_equal(c.n_goaways, 1);
        assert_true(c.is_closed);
        h2_close(&c);
}

static void a_request_that_stays_unfinished_is_given_up(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct fixture *f = *state;

        h2_open(&c, f, 65535);
        h2_pump(&c);
        put_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, BYTES_LIT("\x83\x84\x86\x41\x01h"));
        put_frame(&b, NGHTTP2_DATA, 0, 1, BYTES_LIT("abc"));
        assert_int_equal(send(c.fd, b.data, b.len, MSG_NOSIGNAL), b.len);
        pump(f);
        assert_int_equal(session_of(f)->n_streams, 1);
        fixture_at_ms(f, clock_mono_ms() + 12000);
        assert_int_equal(session_of(f)->n_streams, 0);
        cleanup_close(&c.fd);
        c.fd = -1;
        h2_close(&c);
}

static void a_field_block_that_stays_unfinished_ends_the_connection(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct fixture *f = *state;

        h2_open(&c, f, 65535);
        h2_pump(&c);
        put_frame(&b, NGHTTP2_HEADERS, 0, 1, BYTES_LIT("\x83\x84"));
        assert_int_equal(send(c.fd, b.data, b.len, MSG_NOSIGNAL), b.len);
        pump(f);
        fixture_at_ms(f, clock_mono_ms() + 12000);
        h2_pump(&c);
        assert_true(c.is_closed);
        h2_close(&c);
}

static void an_idle_connection_ends_with_goaway(void **state)
{
        struct fixture *f = *state;
        int64_t start_ms = clock_mono_ms();

        signed_serial(f, A);
        h2_open(&c, f, 65535);
        assert_status(h2_post(&c, ASK(A)), OCSP_GOOD);
        for (unsigned i = 0; i < 6; i++) { /* pings are no reason to stay */
                fixture_at_ms(f, start_ms + 9000 * (i + 1));
                nghttp2_submit_ping(c.session, NGHTTP2_FLAG_NONE, NULL);
                h2_pump(&c);
                assert_false(c.is_closed);
        }
        fixture_at_ms(f, start_ms + 62000);
        assert_ended(NGHTTP2_NO_ERROR);
        h2_close(&c);
}

/* ---- what is malformed (RFC 9113 8.1.1) ---- */

static void malformed_requests_are_reset(void **state)
{
        static const struct {
                const char *why;
                const char *fields[16];
        } rows[] = {
                {"no method", {":path", "/", ":scheme", "http", ":authority", "h"}},
                {"no path", {":method", "GET", ":scheme", "http", ":authority", "h"}},
                {"an empty path", {":method", "GET", ":path", "", ":scheme", "http", ":authority", "h"}},
                {"no scheme", {":method", "GET", ":path", "/", ":authority", "h"}},
                {"no authority and no host", {":method", "GET", ":path", "/", ":scheme", "http"}},
                {"a method twice", {":method", "GET", ":method", "GET", ":path", "/", ":scheme", "http", ":authority", "h"}},
                {"an unknown pseudo-field", {":method", "GET", ":path", "/", ":scheme", "http", ":authority", "h", ":x", "y"}},
                {"a pseudo-field of answers", {":method", "GET", ":path", "/", ":scheme", "http", ":authority", "h", ":status", "200"}},
                {"a pseudo-field behind another", {":method", "GET", ":path", "/", ":authority", "h", "x", "y", ":scheme", "http"}},
                {"a field of the connection", {":method", "GET", ":path", "/", ":scheme", "http", ":authority", "h", "connection", "x"}},
                {"keep-alive", {":method", "GET", ":path", "/", ":scheme", "http", ":authority", "h", "keep-alive", "x"}},
                {"transfer-encoding", {":method", "GET", ":path", "/", ":scheme", "http", ":authority", "h", "transfer-encoding", "chunked"}},
                {"te but trailers", {":method", "GET", ":path", "/", ":scheme", "http", ":authority", "h", "te", "gzip"}},
                {"content-length without content", {":method", "POST", ":path", "/", ":scheme", "http", ":authority", "h", "content-length", "1"}},
                {"two content-lengths", {":method", "POST", ":path", "/", ":scheme", "http", ":authority", "h", "content-length", "0", "content-length", "0"}},
                {"a line feed", {":method", "GET", ":path", "/", ":scheme", "http", ":authority", "h", "x", "a\nb"}},
        };

        h2_open(&c, *state, 65535);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                unsigned number = h2_ask_raw(&c, NULL, rows[i].fields);

                h2_pump(&c);
                if (!c.streams[number].is_closed || c.streams[number].code != NGHTTP2_PROTOCOL_ERROR || c.streams[number].head.len > 0)
                        fail_msg("%s: not reset", rows[i].why);
        }
        assert_int_equal(take(h2_ask(&c, "GET", "/healthz", NULL, NULL)).status, 200);
        h2_close(&c);
}

static void a_length_that_is_not_the_contents_is_reset(void **state)
{
        _cleanup_(builder_done) struct builder body = {0};

        builder_put(&body, BYTES_LIT("abc"));
        h2_open(&c, *state, 65535);
        assert_reset(h2_ask(&c, "POST", "/", &body, H2_FIELDS("content-length", "2")), NGHTTP2_PROTOCOL_ERROR);
        assert_reset(h2_ask(&c, "POST", "/", &body, H2_FIELDS("content-length", "4")), NGHTTP2_PROTOCOL_ERROR);
        h2_close(&c);
}

static void ambiguous_requests_are_refused(void **state)
{
        h2_open(&c, *state, 65535);
        assert_int_equal(take(h2_ask(&c, "GET", "/healthz", NULL, H2_FIELDS("host", "other"))).status, 400); /* RFC 9113 8.3.1 */
        assert_int_equal(take(h2_ask(&c, "GET", "/healthz", NULL, H2_FIELDS("host", "H"))).status, 200);
        assert_int_equal(take(h2_ask_raw(&c, NULL, H2_FIELDS(":method", "GET", ":path", "/healthz", ":scheme", "http", ":authority", "u@h"))).status, 400);
        assert_int_equal(take(h2_ask_raw(&c, NULL, H2_FIELDS(":method", "GET", ":path", "/healthz", ":scheme", "http", "host", "h"))).status, 200);
        assert_int_equal(take(h2_ask(&c, "POST", "/", NULL, H2_FIELDS("content-type", "a", "content-type", "b"))).status, 400);
        assert_int_equal(take(h2_ask(&c, "GET", "/healthz#", NULL, NULL)).status, 400);
        assert_int_equal(take(h2_ask(&c, "POST", "/", NULL, H2_FIELDS("expect", "miracles"))).status, 417);
        h2_close(&c);
}

static void nonsense_ends_the_connection(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};

        h2_open(&c, *state, 65535);
        h2_pump(&c);
        put_frame(&b, NGHTTP2_DATA, 0, 0, BYTES_LIT("x")); /* RFC 9113 6.1 */
        assert_int_equal(send(c.fd, b.data, b.len, MSG_NOSIGNAL), b.len);
        assert_ended(NGHTTP2_PROTOCOL_ERROR);
        h2_close(&c);
}

/* ---- the end ---- */

static void draining_answers_what_is_open_then_ends(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        unsigned parked, late;

        signed_serial(f, A);
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
        assert_status(late, OCSP_GOOD);
        assert_false(c.is_closed);
        engine_answer(f, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        assert_status(parked, OCSP_GOOD);
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
                HTTP2_TEST(a_small_window_gets_the_answer_piece_by_piece),
                HTTP2_TEST(shut_windows_keep_no_answers),
                HTTP2_TEST(windows_of_one_octet_keep_a_bounded_number_of_answers),
                HTTP2_TEST(the_fields_of_waiting_requests_are_bounded),
                HTTP2_TEST(a_window_that_stays_shut_ends_the_stream),
                HTTP2_TEST(too_much_is_refused_with_its_status),
                HTTP2_TEST(a_field_list_that_unfolds_without_end_ends_the_connection),
                HTTP2_TEST(rapid_reset_ends_the_connection),
                HTTP2_TEST(streams_that_we_must_reset_count_like_its_own),
                HTTP2_TEST(some_cancelled_requests_among_many_are_fine),
                HTTP2_TEST(pings_without_end_end_the_connection),
                HTTP2_TEST(continuation_without_end_ends_the_connection),
                HTTP2_TEST(a_request_that_stays_unfinished_is_given_up),
                HTTP2_TEST(a_field_block_that_stays_unfinished_ends_the_connection),
                HTTP2_TEST(an_idle_connection_ends_with_goaway),
                HTTP2_TEST(malformed_requests_are_reset),
                HTTP2_TEST(a_length_that_is_not_the_contents_is_reset),
                HTTP2_TEST(ambiguous_requests_are_refused),
                HTTP2_TEST(nonsense_ends_the_connection),
                HTTP2_TEST(draining_answers_what_is_open_then_ends),
                HTTP2_TEST(draining_does_not_wait_for_a_client_that_says_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
