/* HTTP/2 sessions from inside: turns that are thrown away, frames behind the end, what a session keeps. */
#include "h2client.h"

#include <sys/socket.h>

#include "responder/conn/conn_private.h"
#include "responder/http/http2_session.h"

#define A "11"
#define B "22"

static struct h2_client c; /* one a test; large */

/* ---- turns that take too long ---- */

static unsigned n_slow; /* so many more */
static void (*meanwhile)(struct fixture *f);
static struct fixture *fixture;

enum err __real_txn_turn_end(struct txn *txn);
enum err __wrap_txn_turn_end(struct txn *txn);
enum err __wrap_txn_turn_end(struct txn *txn)
{
        if (n_slow > 0) {
                n_slow--;
                fixture_stand_at_ms(clock_mono_ms() + ENV_PIN_MS / 2 + 1);
                if (meanwhile)
                        meanwhile(fixture);
        }
        return __real_txn_turn_end(txn);
}

static int set_up(void **state)
{
        int rc = fixture_set_up(state);

        n_slow = 0;
        meanwhile = NULL;
        fixture = *state;
        return rc;
}

static void import_both(struct fixture *f)
{
        fixture_import_good(f, A);
        fixture_import_good(f, B);
}

static void revoke_a(struct fixture *f)
{
        fixture_revoke(f, A, NOW - 10);
        fixture_sign(f, A, NOW - 10, NOW + 86400);
}

static size_t take_status(unsigned number, enum ocsp_cert_status want)
{
        struct reply r;

        assert_true(h2_take(&c, number, &r));
        assert_int_equal(reply_status(c.f, &r).cert_status, want);
        return r.body.len;
}

static void what_a_slow_turn_rendered_is_thrown_away_and_windows_are_as_before(void **state)
{
        unsigned a, b;
        size_t n;

        import_both(*state);
        h2_open(&c, *state, 65535);
        b = h2_post(&c, ASK(B));
        a = h2_post(&c, ASK(A));
        n_slow = 1;
        meanwhile = revoke_a;
        n = take_status(a, OCSP_REVOKED) + take_status(b, OCSP_GOOD);
        assert_int_equal(fixture->service.stats.n_stale_turns, 1);
        assert_int_equal(h2_session_of(fixture)->send_window, 65535 - n);
        assert_int_equal(h2_session_of(fixture)->n_streams, 0);
        h2_close(&c);
}

static void what_a_slow_turn_held_is_let_go(void **state)
{
        unsigned a, b;
        size_t n;

        import_both(*state);
        h2_open(&c, *state, 10);
        a = h2_post(&c, ASK(A));
        b = h2_post(&c, ASK(B));
        n_slow = 2;
        h2_pump(&c);
        assert_int_equal(fixture->service.stats.n_stale_turns, 2);
        assert_int_equal(h2_session_of(fixture)->send_window, 65535 - 20);
        n = h2_session_of(fixture)->n_held;
        assert_int_equal(nghttp2_submit_window_update(c.session, NGHTTP2_FLAG_NONE, c.streams[a].id, 65535), 0);
        assert_int_equal(nghttp2_submit_window_update(c.session, NGHTTP2_FLAG_NONE, c.streams[b].id, 65535), 0);
        assert_int_equal(take_status(a, OCSP_GOOD) + take_status(b, OCSP_GOOD), n + 20);
        assert_int_equal(h2_session_of(fixture)->n_held, 0);
        h2_close(&c);
}

static void turns_that_are_all_too_slow_end_in_503_for_each(void **state)
{
        struct reply r;
        unsigned a, b;

        import_both(*state);
        h2_open(&c, *state, 65535);
        a = h2_post(&c, ASK(A));
        b = h2_post(&c, ASK(B));
        n_slow = UINT32_MAX;
        assert_true(h2_take(&c, a, &r));
        assert_int_equal(r.status, 503);
        assert_field(&r, "Retry-After", "1");
        assert_true(h2_take(&c, b, &r));
        assert_int_equal(r.status, 503);
        n_slow = 0;
        take_status(h2_post(&c, ASK(A)), OCSP_GOOD); /* the connection goes on */
        h2_close(&c);
}

/* ---- raw frames ---- */

static void put_frame(struct builder *b, enum http2_type type, uint8_t flags, uint32_t stream, struct bytes payload)
{
        http2_put_head(b, type, flags, stream, payload.len);
        builder_put(b, payload);
}

static void say(const struct builder *b)
{
        assert_int_equal(send(c.fd, b->data, b->len, MSG_NOSIGNAL), b->len);
        pump(c.f);
        h2_pump(&c);
}

static void greet(struct fixture *f)
{
        h2_open(&c, f, 65535);
        h2_pump(&c);
}

#define HEALTH BYTES_LIT("\x82\x86\x04\x08/healthz\x01\x01h")

/* RFC 9113 6.8 */
static void a_stream_behind_the_last_one_is_ignored_and_the_open_ones_are_answered(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        unsigned parked;

        fixture_import(f, A);
        h2_open(&c, f, 65535);
        parked = h2_post(&c, ASK(A));
        h2_pump(&c);
        assert_true(engine_take(f, &ask));
        conn_pool_drain(&f->pool);
        h2_pump(&c);
        assert_int_equal(c.n_goaways, 2);
        c.n_streams = 4;
        put_frame(&b, HTTP2_HEADERS, HTTP2_END_HEADERS, 5, HEALTH);
        put_frame(&b, HTTP2_DATA, 0, 5, BYTES_LIT("abc"));
        put_frame(&b, HTTP2_WINDOW_UPDATE, 0, 5, BYTES_LIT("\0\0\0\1"));
        put_frame(&b, HTTP2_RST_STREAM, 0, 5, BYTES_LIT("\0\0\0\0"));
        put_frame(&b, HTTP2_HEADERS, HTTP2_END_HEADERS | HTTP2_END_STREAM, 7, HEALTH);
        say(&b);
        assert_false(c.is_closed);
        assert_int_equal(h2_session_of(f)->n_streams, 1);
        engine_answer(f, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        take_status(parked, OCSP_GOOD);
        assert_int_equal(c.n_goaways, 2);
        assert_int_equal(c.goaway_code, NGHTTP2_NO_ERROR);
        assert_true(c.is_closed);
        h2_close(&c);
}

static void a_frame_that_stays_unfinished_ends_the_connection(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct fixture *f = *state;

        greet(f);
        put_frame(&b, HTTP2_HEADERS, HTTP2_END_HEADERS | HTTP2_END_STREAM, 1, HEALTH);
        b.len -= 3;
        say(&b);
        fixture_at_ms(f, clock_mono_ms() + 8000);
        h2_pump(&c);
        assert_false(c.is_closed);
        fixture_at_ms(f, clock_mono_ms() + 4000);
        h2_pump(&c);
        assert_int_equal(c.n_goaways, 1);
        assert_true(c.is_closed);
        h2_close(&c);
}

static void what_breaks_the_rules_of_a_connection_ends_it(void **state)
{
        static const struct {
                const char *why;
                struct bytes frames;
                enum http2_error want;
        } rows[] = {
                {"PING inside a field block: RFC 9113 6.2",
                        BYTES_LIT("\0\0\1\1\1\0\0\0\1\x82"
                                  "\0\0\x8\6\0\0\0\0\0"
                                  "12345678"),
                        HTTP2_PROTOCOL_ERROR},
                {"CONTINUATION of another stream: 6.10",
                        BYTES_LIT("\0\0\1\1\1\0\0\0\1\x82"
                                  "\0\0\1\x9\4\0\0\0\3\x84"),
                        HTTP2_PROTOCOL_ERROR},
                {"CONTINUATION of nothing: 6.10", BYTES_LIT("\0\0\1\x9\4\0\0\0\1\x84"), HTTP2_PROTOCOL_ERROR},
                {"an increment of nought: 6.9", BYTES_LIT("\0\0\4\x8\0\0\0\0\0\0\0\0\0"), HTTP2_PROTOCOL_ERROR},
                {"a window too wide: 6.9.1", BYTES_LIT("\0\0\4\x8\0\0\0\0\0\x7f\xff\xff\xff"), HTTP2_FLOW_CONTROL_ERROR},
                {"WINDOW_UPDATE on an idle stream: 5.1", BYTES_LIT("\0\0\4\x8\0\0\0\0\1\0\0\0\1"), HTTP2_PROTOCOL_ERROR},
                {"RST_STREAM on an idle stream: 6.4", BYTES_LIT("\0\0\4\3\0\0\0\0\1\0\0\0\0"), HTTP2_PROTOCOL_ERROR},
                {"an even stream: 5.1.1", BYTES_LIT("\0\0\1\1\5\0\0\0\2\x82"), HTTP2_PROTOCOL_ERROR},
                {"a field block that is none: 4.3", BYTES_LIT("\0\0\1\1\5\0\0\0\1\x80"), HTTP2_COMPRESSION_ERROR},
                {"SETTINGS out of range: 6.5.2", BYTES_LIT("\0\0\6\4\0\0\0\0\0\0\4\xff\0\0\0"), HTTP2_FLOW_CONTROL_ERROR},
                {"an acknowledgement with content: 6.5", BYTES_LIT("\0\0\6\4\1\0\0\0\0\0\4\0\0\0\0"),
                        HTTP2_FRAME_SIZE_ERROR},
        };

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                greet(*state);
                assert_int_equal(send(c.fd, rows[i].frames.data, rows[i].frames.len, MSG_NOSIGNAL), rows[i].frames.len);
                pump(*state);
                h2_pump(&c);
                if (!c.is_closed || c.goaway_code != rows[i].want)
                        fail_msg("%s: %u", rows[i].why, c.goaway_code);
                h2_close(&c);
        }
}

/* RFC 9113 6.9, 6.9.1 */
static void what_breaks_the_rules_of_a_stream_resets_it(void **state)
{
        static const struct {
                struct bytes increment;
                enum http2_error want;
        } rows[] = {
                {BYTES_LIT("\0\0\0\0"), HTTP2_PROTOCOL_ERROR},
                {BYTES_LIT("\x7f\xff\xff\xff"), HTTP2_FLOW_CONTROL_ERROR},
        };
        _cleanup_(builder_done) struct builder b = {0};
        struct msg_sign_ask ask;
        unsigned number;

        fixture_import(*state, A);
        greet(*state);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                number = h2_post(&c, ASK(A));
                h2_pump(&c);
                assert_int_equal(h2_session_of(*state)->n_streams, 1); /* parked */
                builder_reset(&b);
                put_frame(&b, HTTP2_WINDOW_UPDATE, 0, (uint32_t)c.streams[number].id, rows[i].increment);
                say(&b);
                assert_true(c.streams[number].is_closed);
                assert_int_equal(c.streams[number].code, rows[i].want);
                assert_int_equal(h2_session_of(*state)->n_streams, 0);
        }
        assert_true(engine_take(*state, &ask));
        assert_int_equal(c.n_goaways, 0);
        h2_close(&c);
}

/* RFC 9113 5.1.2 */
static void one_stream_too_many_is_refused_and_the_others_go_on(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct msg_sign_ask ask;

        fixture_import(*state, A);
        greet(*state);
        for (unsigned i = 0; i < HTTP2_MAX_STREAMS; i++)
                h2_post(&c, ASK(A));
        h2_pump(&c);
        assert_true(engine_take(*state, &ask));
        c.n_streams++;
        put_frame(&b, HTTP2_HEADERS, HTTP2_END_HEADERS | HTTP2_END_STREAM, 2 * HTTP2_MAX_STREAMS + 1, HEALTH);
        assert_int_equal(send(c.fd, b.data, b.len, MSG_NOSIGNAL), b.len);
        pump(*state);
        assert_int_equal(h2_session_of(*state)->n_streams, HTTP2_MAX_STREAMS);
        assert_int_equal(h2_session_of(*state)->n_aborts, 1);
        assert_true(http2_was_reset(h2_session_of(*state), 2 * HTTP2_MAX_STREAMS + 1));
        cleanup_close(&c.fd);
        c.fd = -1;
        h2_close(&c);
}

/* RFC 7541 7.3: an octet each, but 3,033 as they count */
static void a_field_list_of_references_is_bounded(void **state)
{
        _cleanup_(builder_done) struct builder block = {0}, b = {0};

        greet(*state);
        builder_put(&block, BYTES_LIT("\x82\x86\x84\x01\x01h\x40\x01x\x7f\xb9\x16"));
        memset(builder_extend(&block, 3000), 'v', 3000);
        memset(builder_extend(&block, 1000), 0xbe, 1000);
        put_frame(&b, HTTP2_HEADERS, HTTP2_END_HEADERS | HTTP2_END_STREAM, 1, builder_bytes(&block));
        c.n_streams = 1;
        say(&b);
        assert_int_equal(c.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
        assert_true(c.is_closed);
        h2_close(&c);
}

/* RFC 9113 8.1.1: not only when it ends */
static void content_beyond_its_length_is_reset_at_once(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct fixture *f = *state;

        greet(f);
        put_frame(&b, HTTP2_HEADERS, HTTP2_END_HEADERS, 1,
                BYTES_LIT("\x83\x86\x84\x01\x01h\x0f\x0d\x01"
                          "2"));
        put_frame(&b, HTTP2_DATA, 0, 1, BYTES_LIT("ab"));
        assert_int_equal(send(c.fd, b.data, b.len, MSG_NOSIGNAL), b.len);
        pump(f);
        assert_int_equal(h2_session_of(f)->n_streams, 1);
        builder_reset(&b);
        put_frame(&b, HTTP2_DATA, 0, 1, BYTES_LIT("c"));
        assert_int_equal(send(c.fd, b.data, b.len, MSG_NOSIGNAL), b.len);
        pump(f);
        assert_int_equal(h2_session_of(f)->n_streams, 0);
        assert_int_equal(h2_session_of(f)->n_aborts, 1);
        cleanup_close(&c.fd);
        c.fd = -1;
        h2_close(&c);
}

/* RFC 9113 10.5 */
static void a_flood_of_pings_in_one_go_is_not_answered(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};

        greet(*state);
        for (unsigned i = 0; i < 200; i++)
                put_frame(&b, HTTP2_PING, 0, 0, BYTES_LIT("12345678"));
        say(&b);
        assert_int_equal(c.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
        assert_int_equal(c.n_pings, 0);
        assert_true(c.is_closed);
        h2_close(&c);
}

static void settings_without_end_end_the_connection(void **state)
{
        _cleanup_(builder_done) struct builder b = {0}, values = {0};

        greet(*state);
        for (unsigned i = 0; i < 33; i++)
                http2_put_setting(&values, HTTP2_SET_INITIAL_WINDOW_SIZE, i);
        put_frame(&b, HTTP2_SETTINGS, 0, 0, builder_bytes(&values));
        say(&b);
        assert_int_equal(c.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
        assert_true(c.is_closed);
        h2_close(&c);
}

/* RFC 9113 6.5.3, 6.9.2: the last of a frame counts, and what is under way follows */
static void a_window_may_fall_below_nought_and_comes_back(void **state)
{
        nghttp2_settings_entry less[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1}},
                               more[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 65535}};
        struct reply r;
        unsigned a;

        import_both(*state);
        h2_open(&c, *state, 100);
        a = h2_post(&c, ASK(A));
        assert_false(h2_take(&c, a, &r));
        assert_int_equal(c.streams[a].body.len, 100);
        assert_int_equal(nghttp2_submit_settings(c.session, NGHTTP2_FLAG_NONE, less, 1), 0);
        assert_false(h2_take(&c, a, &r));
        assert_int_equal(h2_session_of(*state)->lists[STREAM_SENDING].first->send_window, -99);
        assert_int_equal(c.streams[a].body.len, 100);
        assert_int_equal(nghttp2_submit_settings(c.session, NGHTTP2_FLAG_NONE, more, 1), 0);
        take_status(a, OCSP_GOOD);
        h2_close(&c);
}

/* RFC 9113 4.3.1: ours is used for nothing, and says so before anybody can ask for it */
static void a_client_without_a_table_gets_its_answers(void **state)
{
        nghttp2_settings_entry none[] = {{NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0}};

        import_both(*state);
        h2_open(&c, *state, 65535);
        n_slow = 1; /* what was said in vain is said again */
        take_status(h2_post(&c, ASK(A)), OCSP_GOOD);
        assert_int_equal(nghttp2_submit_settings(c.session, NGHTTP2_FLAG_NONE, none, 1), 0);
        h2_pump(&c);
        take_status(h2_post(&c, ASK(A)), OCSP_GOOD);
        take_status(h2_get(&c, "GET", ASK(B)), OCSP_GOOD);
        assert_int_equal(c.n_goaways, 0);
        h2_close(&c);
}

static void a_session_at_rest_keeps_next_to_nothing(void **state)
{
        const struct http2 *h;

        import_both(*state);
        h2_open(&c, *state, 65535);
        for (unsigned i = 0; i < 50; i++)
                take_status(h2_get(&c, "GET", ASK(A)), OCSP_GOOD);
        h = h2_session_of(*state);
        assert_in_range(sizeof *h, 1, 1024);
        assert_null(h->control.data);
        assert_null(h->block.octets.data);
        assert_in_range(h->hpack.cap, 0, 512);
        assert_null(fixture->pool.first->in);
        assert_int_equal(h->n_kept + h->n_held + h->n_streams, 0);
        h2_close(&c);
}

#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                SESSION_TEST(what_a_slow_turn_rendered_is_thrown_away_and_windows_are_as_before),
                SESSION_TEST(what_a_slow_turn_held_is_let_go),
                SESSION_TEST(turns_that_are_all_too_slow_end_in_503_for_each),
                SESSION_TEST(a_stream_behind_the_last_one_is_ignored_and_the_open_ones_are_answered),
                SESSION_TEST(a_frame_that_stays_unfinished_ends_the_connection),
                SESSION_TEST(what_breaks_the_rules_of_a_connection_ends_it),
                SESSION_TEST(what_breaks_the_rules_of_a_stream_resets_it),
                SESSION_TEST(one_stream_too_many_is_refused_and_the_others_go_on),
                SESSION_TEST(a_field_list_of_references_is_bounded),
                SESSION_TEST(content_beyond_its_length_is_reset_at_once),
                SESSION_TEST(a_flood_of_pings_in_one_go_is_not_answered),
                SESSION_TEST(settings_without_end_end_the_connection),
                SESSION_TEST(a_window_may_fall_below_nought_and_comes_back),
                SESSION_TEST(a_client_without_a_table_gets_its_answers),
                SESSION_TEST(a_session_at_rest_keeps_next_to_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
