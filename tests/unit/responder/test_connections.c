/* One connection over HTTP/1.1: order, slowness on either side, timeouts, ends. */
#include "fixture.h"

#include "responder/answer/address_limits.h"

#define A "11"
#define B "22"

static void sixteen_pipelined_requests_are_answered_in_order(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct client c;
        struct reply r;

        fixture_import_good(*state, A);
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

static void a_trickled_request_is_answered_when_it_is_whole(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct client c;
        struct reply r;

        fixture_import_good(*state, A);
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

/* What was known of the first, that so many octets are needed, is not true of the second. */
static void the_end_of_one_request_and_the_next_may_come_together(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        size_t n_first;
        struct client c;
        struct reply r;

        fixture_import_good(*state, A);
        fixture_put_post(*state, &b, ASK(A), "X-Long: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n");
        n_first = b.len - 5;
        fixture_put_get(*state, &b, "GET", ASK(A), "");
        client_open(&c, *state);
        client_send(&c, bytes_make(b.data, n_first));
        assert_false(client_take(&c, false, &r));
        client_send(&c, bytes_make(&b.data[n_first], b.len - n_first));
        client_expect(&c, OCSP_GOOD);
        client_expect(&c, OCSP_GOOD);
        client_close(&c);
}

/* Of answers that do not fit into the output together, those that fit go out first. */
static void large_answers_are_sent_piece_by_piece_and_none_is_lost(void **state)
{
        enum { SIZE = 60000, N = 16 };
        static uint8_t certificate[SIZE] = {0x30};
        _cleanup_(builder_done) struct builder b = {0};
        struct fixture *f = *state;
        struct ca ca = {.label = BYTES_LIT(LABEL), .name = builder_bytes(&f->name), .spki = builder_bytes(&f->spki),
                .ski = bytes_make(f->ca_key.key_hash[HASH_SHA1], 20), .not_after_s = NOW + 2000000,
                .certificate = bytes_make(certificate, SIZE), .key = f->ca_key};
        struct client c;
        struct txn *txn;
        uint32_t id;

        assert_int_equal(txn_begin_write(f->writer, &txn), OK);
        assert_int_equal(ca_put(txn, &ca, &id), OK);
        assert_int_equal(txn_commit(txn), OK);
        for (unsigned i = 0; i < N; i++)
                builder_put_str(&b, "GET /ca/" LABEL ".cer HTTP/1.1\r\nHost: h\r\n\r\n");
        client_open(&c, f);
        client_send(&c, builder_bytes(&b));
        for (unsigned i = 0; i < N; i++) {
                struct reply r;

                assert_true(client_take(&c, false, &r));
                assert_int_equal(r.status, 200);
                assert_int_equal(r.body.len, SIZE);
        }
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

        fixture_import_good(f, A);
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

        fixture_import_good(f, A);
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

        fixture_import_good(f, A);
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

        fixture_import_good(*state, A);
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

        fixture_import_good(*state, A);
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

        fixture_import_good(f, A);
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

/* ---- limits of an address (req 1.18) ---- */

#define ADDRESS 7

static struct limits *limit(struct fixture *f, unsigned max_connections, unsigned max_requests)
{
        struct limits *limits;

        f->conf.max_connections_per_address = max_connections;
        f->conf.max_requests_per_address = max_requests;
        assert_int_equal(limits_new(&f->conf, &limits), OK);
        f->service.address_limits = f->pool.limits = limits;
        f->pool.opening = ADDRESS;
        return limits;
}

/* The pool's connections leave before the limits go. */
static void unlimit(struct fixture *f, struct limits *limits)
{
        f->service.address_limits = f->pool.limits = NULL;
        limits_free(limits);
}

/* All in one turn, so that no time goes by: of one a second two at once are taken. */
static void requests_beyond_an_addresss_rate_get_429(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct fixture *f = *state;
        struct limits *limits = limit(f, 0, 1);
        struct client c;
        struct reply r;

        fixture_import_good(f, A);
        for (unsigned i = 0; i < 3; i++)
                fixture_put_get(f, &b, "GET", ASK(A), "");
        client_open(&c, f);
        client_send(&c, builder_bytes(&b));
        client_expect(&c, OCSP_GOOD);
        client_expect(&c, OCSP_GOOD);
        assert_true(client_take(&c, false, &r));
        assert_int_equal(r.status, 429);
        assert_field(&r, "Retry-After", "1");
        assert_int_equal(f->service.stats.n_refused_requests, 1);
        client_close(&c);
        unlimit(f, limits);
}

static void a_parked_request_is_counted_once(void **state)
{
        static const struct ocsp_status good = {.cert_status = OCSP_GOOD};
        _cleanup_(builder_done) struct builder b = {0};
        struct fixture *f = *state;
        struct limits *limits = limit(f, 0, 1);
        struct msg_sign_ask ask;
        struct client c;

        fixture_import_good(f, A);
        fixture_import(f, B);
        fixture_put_get(f, &b, "GET", ASK(B), "");
        fixture_put_get(f, &b, "GET", ASK(A), "");
        client_open(&c, f);
        client_send(&c, builder_bytes(&b));
        ask = engine_expect(&c);
        engine_answer(f, &ask, &good, 0, NOW);
        client_expect(&c, OCSP_GOOD);
        client_expect(&c, OCSP_GOOD);
        client_close(&c);
        unlimit(f, limits);
}

static void a_connection_that_ends_makes_room_for_the_next_of_its_address(void **state)
{
        struct fixture *f = *state;
        struct limits *limits = limit(f, 1, 0);
        struct client c;

        for (unsigned i = 0; i < 3; i++) {
                assert_true(limits_enter(limits, ADDRESS));
                client_open(&c, f);
                assert_false(limits_enter(limits, ADDRESS));
                client_close(&c);
        }
        unlimit(f, limits);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(sixteen_pipelined_requests_are_answered_in_order),
                TEST(a_trickled_request_is_answered_when_it_is_whole),
                TEST(the_end_of_one_request_and_the_next_may_come_together),
                TEST(large_answers_are_sent_piece_by_piece_and_none_is_lost),
                TEST(trickling_does_not_stretch_the_time_a_request_may_take),
                TEST(an_idle_connection_ends_by_its_timeout),
                TEST(an_answer_that_is_not_taken_ends_the_connection),
                TEST(a_slow_reader_gets_every_answer_in_the_end),
                TEST(a_connection_closes_when_its_client_says_so),
                TEST(continue_is_sent_before_the_content),
                TEST(draining_finishes_what_is_under_way_and_ends_the_rest),
                TEST(requests_beyond_an_addresss_rate_get_429),
                TEST(a_parked_request_is_counted_once),
                TEST(a_connection_that_ends_makes_room_for_the_next_of_its_address),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
