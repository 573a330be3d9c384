/* What an HTTP/2 client cannot do to us (RFC 9113 5.2, 8.1.1, 10.5): windows, floods, and what is malformed. */
#include "h2client.h"

#include <sys/socket.h>

#include "responder/conn/conn_private.h"
#include "responder/http/http2_session.h"

#define A "11"

static struct h2_client c; /* one a test; large */

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

        fixture_import_good(*state, A);
        h2_open(&c, *state, 1);
        number = h2_post(&c, ASK(A));
        for (unsigned i = 0; i < 2000 && !h2_take(&c, number, &r); i++)
                assert_int_equal(nghttp2_submit_window_update(c.session, NGHTTP2_FLAG_NONE, c.streams[number].id, 7), 0);
        h2_assert_status(&c, number, OCSP_GOOD);
        assert_int_equal(h2_session_of(*state)->n_held, 0);
        h2_close(&c);
}

static void shut_windows_keep_no_answers(void **state)
{
        fixture_import_good(*state, A);
        h2_open(&c, *state, 0);
        for (unsigned i = 0; i < HTTP2_MAX_STREAMS; i++)
                h2_post(&c, ASK(A));
        h2_pump(&c);
        assert_int_equal(h2_session_of(*state)->n_streams, HTTP2_MAX_STREAMS);
        assert_int_equal(h2_session_of(*state)->n_held, 0);
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
        assert_in_range(h2_session_of(*state)->n_held, HTTP2_MAX_HELD, HTTP2_MAX_HELD + LEN); /* not all of 150,000 */
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
        assert_in_range(h2_session_of(*state)->n_kept, 60000, 64 * 1024 + 4100);
        assert_int_equal(n_refused, 40 - h2_session_of(*state)->n_streams);
        h2_close(&c);
}

static void a_window_that_stays_shut_ends_the_stream(void **state)
{
        struct fixture *f = *state;
        struct reply r;
        unsigned shut, started;

        fixture_import_good(f, A);
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
        h2_assert_reset(&c, shut, NGHTTP2_CANCEL);
        assert_true(c.streams[started].is_closed);
        assert_int_equal(h2_session_of(f)->n_held, 0);
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
        assert_int_equal(h2_expect(&c, h2_ask(&c, "GET", (const char *)uri.data, NULL, NULL)).status, 414);
        assert_int_equal(h2_expect(&c, h2_ask(&c, "GET", "/", NULL, H2_FIELDS("x", (const char *)fields.data))).status, 431);
        number = h2_ask(&c, "POST", "/", &body, NULL);
        r = h2_expect(&c, number);
        assert_int_equal(r.status, 413);
        assert_field(&r, "Content-Length", "0"); /* said before the request ended, so the stream is reset behind it */
        assert_int_equal(c.streams[number].code, NGHTTP2_NO_ERROR);
        assert_in_range(c.requests[number].at, 1, 299999); /* RFC 9113 8.1: the rest is not wanted */
        assert_int_equal(h2_expect(&c, h2_ask(&c, "GET", "/healthz", NULL, NULL)).status, 200); /* the connection goes on */
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
        h2_assert_ended(&c, NGHTTP2_ENHANCE_YOUR_CALM);
        h2_close(&c);
}

/* CVE-2023-44487 */
static void rapid_reset_ends_the_connection(void **state)
{
        fixture_import_good(*state, A);
        h2_open(&c, *state, 65535);
        h2_pump(&c);
        for (unsigned i = 0; i < 300 && !c.is_closed; i++) {
                unsigned number = h2_post(&c, ASK(A));

                h2_flush(&c);
                nghttp2_submit_rst_stream(c.session, NGHTTP2_FLAG_NONE, c.streams[number].id, NGHTTP2_CANCEL);
                if (i % 50 == 49)
                        h2_pump(&c);
        }
        h2_assert_ended(&c, NGHTTP2_ENHANCE_YOUR_CALM);
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
        h2_assert_ended(&c, NGHTTP2_ENHANCE_YOUR_CALM);
        h2_close(&c);
}

static void some_cancelled_requests_among_many_are_fine(void **state)
{
        fixture_import_good(*state, A);
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
        h2_assert_ended(&c, NGHTTP2_ENHANCE_YOUR_CALM);
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

/* Past nghttp2, which would not say it. */
static void say(struct fixture *f, const struct builder *b)
{
        assert_int_equal(send(c.fd, b->data, b->len, MSG_NOSIGNAL), b->len);
        pump(f);
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
        say(*state, &b);
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
        say(f, &b);
        assert_int_equal(h2_session_of(f)->n_streams, 1);
        fixture_at_ms(f, clock_mono_ms() + 12000);
        assert_int_equal(h2_session_of(f)->n_streams, 0);
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
        say(f, &b);
        fixture_at_ms(f, clock_mono_ms() + 12000);
        h2_pump(&c);
        assert_true(c.is_closed);
        h2_close(&c);
}

static void an_idle_connection_ends_with_goaway(void **state)
{
        struct fixture *f = *state;
        int64_t start_ms = clock_mono_ms();

        fixture_import_good(f, A);
        h2_open(&c, f, 65535);
        h2_assert_status(&c, h2_post(&c, ASK(A)), OCSP_GOOD);
        for (unsigned i = 0; i < 6; i++) { /* pings are no reason to stay */
                fixture_at_ms(f, start_ms + 9000 * (i + 1));
                nghttp2_submit_ping(c.session, NGHTTP2_FLAG_NONE, NULL);
                h2_pump(&c);
                assert_false(c.is_closed);
        }
        fixture_at_ms(f, start_ms + 62000);
        h2_assert_ended(&c, NGHTTP2_NO_ERROR);
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
        assert_int_equal(h2_expect(&c, h2_ask(&c, "GET", "/healthz", NULL, NULL)).status, 200);
        h2_close(&c);
}

static void a_length_that_is_not_the_contents_is_reset(void **state)
{
        _cleanup_(builder_done) struct builder body = {0};

        builder_put(&body, BYTES_LIT("abc"));
        h2_open(&c, *state, 65535);
        h2_assert_reset(&c, h2_ask(&c, "POST", "/", &body, H2_FIELDS("content-length", "2")), NGHTTP2_PROTOCOL_ERROR);
        h2_assert_reset(&c, h2_ask(&c, "POST", "/", &body, H2_FIELDS("content-length", "4")), NGHTTP2_PROTOCOL_ERROR);
        h2_close(&c);
}

static void ambiguous_requests_are_refused(void **state)
{
        h2_open(&c, *state, 65535);
        assert_int_equal(h2_expect(&c, h2_ask(&c, "GET", "/healthz", NULL, H2_FIELDS("host", "other"))).status, 400); /* RFC 9113 8.3.1 */
        assert_int_equal(h2_expect(&c, h2_ask(&c, "GET", "/healthz", NULL, H2_FIELDS("host", "H"))).status, 200);
        assert_int_equal(h2_expect(&c, h2_ask_raw(&c, NULL, H2_FIELDS(":method", "GET", ":path", "/healthz", ":scheme", "http", ":authority", "u@h"))).status, 400);
        assert_int_equal(h2_expect(&c, h2_ask_raw(&c, NULL, H2_FIELDS(":method", "GET", ":path", "/healthz", ":scheme", "http", "host", "h"))).status, 200);
        assert_int_equal(h2_expect(&c, h2_ask(&c, "POST", "/", NULL, H2_FIELDS("content-type", "a", "content-type", "b"))).status, 400);
        assert_int_equal(h2_expect(&c, h2_ask(&c, "GET", "/healthz#", NULL, NULL)).status, 400);
        assert_int_equal(h2_expect(&c, h2_ask(&c, "POST", "/", NULL, H2_FIELDS("expect", "miracles"))).status, 417);
        h2_close(&c);
}

static void nonsense_ends_the_connection(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};

        h2_open(&c, *state, 65535);
        h2_pump(&c);
        put_frame(&b, NGHTTP2_DATA, 0, 0, BYTES_LIT("x")); /* RFC 9113 6.1 */
        say(*state, &b);
        h2_assert_ended(&c, NGHTTP2_PROTOCOL_ERROR);
        h2_close(&c);
}

#define HTTP2_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
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
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
