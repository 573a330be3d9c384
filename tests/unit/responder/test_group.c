/* Connections that are readable at the same time are answered in one turn: each gets just what it would get alone, and none waits for, or
 * suffers from, what another one sent. */
#include "fixture.h"

#include <sys/socket.h>
#include <unistd.h>

#include "responder/conn/conn_private.h"

#define GOOD "11"
#define REVOKED "22"
#define UNSIGNED "33"
#define N (2 * CONN_GROUP + 3)

static int set_up(void **state)
{
        int rc = fixture_set_up(state);

        fixture_import_good(*state, GOOD);
        fixture_import_good(*state, REVOKED);
        fixture_revoke(*state, REVOKED, NOW - 10);
        fixture_sign(*state, REVOKED, NOW - 10, NOW + 86400);
        fixture_import(*state, UNSIGNED);
        return rc;
}

/* ---- what is sent ---- */

static void put_get(const struct fixture *f, struct builder *b)
{
        fixture_put_get(f, b, "GET", ASK(GOOD), "");
}

static void put_head(const struct fixture *f, struct builder *b)
{
        fixture_put_get(f, b, "HEAD", ASK(REVOKED), "");
}

static void put_post(const struct fixture *f, struct builder *b)
{
        fixture_put_post(f, b, ASK(REVOKED), "");
}

static void put_foreign(const struct fixture *f, struct builder *b)
{
        fixture_put_post(f, b, &(struct asking){.serials = {"7777"}, .foreign = true}, "");
}

static void put_unknown(const struct fixture *f, struct builder *b)
{
        fixture_put_get(f, b, "GET", ASK("7777"), "");
}

/* More than are looked at ahead, then the beginning of one more. */
static void put_many(const struct fixture *f, struct builder *b)
{
        for (unsigned i = 0; i < SERVICE_AHEAD + 5; i++)
                (i % 3 == 0 ? put_post : i % 3 == 1 ? put_get : put_unknown)(f, b);
        builder_put(b, BYTES_LIT("GET /MEIw"));
}

static void put_last(const struct fixture *f, struct builder *b)
{
        fixture_put_get(f, b, "GET", ASK(GOOD), "Connection: close\r\n");
        put_post(f, b);
}

static void put_nonsense(const struct fixture *f, struct builder *b)
{
        put_post(f, b);
        builder_put(b, BYTES_LIT("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"));
        put_get(f, b);
}

static void put_part(const struct fixture *f, struct builder *b)
{
        (void)f;
        builder_put(b, BYTES_LIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Le"));
}

static void put_expectation(const struct fixture *f, struct builder *b)
{
        put_get(f, b);
        builder_put(b, BYTES_LIT("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
}

/* Two, each put together in the one place there is for that. */
static void put_chunked(const struct fixture *f, struct builder *b)
{
        _cleanup_(builder_done) struct builder der = {0};

        for (unsigned i = 0; i < 2; i++) {
                builder_reset(&der);
                fixture_put_request(f, &der, i == 0 ? ASK(GOOD) : ASK(REVOKED));
                builder_printf(b, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", der.len);
                builder_put(b, builder_bytes(&der));
                builder_put(b, BYTES_LIT("\r\n0\r\n\r\n"));
        }
}

static void put_other(const struct fixture *f, struct builder *b)
{
        (void)f;
        builder_put(b, BYTES_LIT("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nDELETE / HTTP/1.1\r\nHost: a\r\n\r\nGET /crl/none HTTP/1.1\r\nHost: a\r\n\r\n"));
}

static void put_old(const struct fixture *f, struct builder *b)
{
        (void)f;
        builder_put(b, BYTES_LIT("GET /healthz HTTP/1.0\r\n\r\n"));
}

/* Too long to be looked at ahead. */
static void put_long(const struct fixture *f, struct builder *b)
{
        static const char slashes[SERVICE_AHEAD_PATH];

        (void)f;
        builder_put(b, BYTES_LIT("GET /MEI"));
        for (size_t i = 0; i < sizeof slashes; i++)
                builder_put_u8(b, 'A');
        builder_put(b, BYTES_LIT(" HTTP/1.1\r\nHost: a\r\n\r\n"));
}

static void (*const KINDS[])(const struct fixture *, struct builder *) = {put_get, put_head, put_post, put_foreign, put_unknown,
        put_many, put_last, put_nonsense, put_part, put_expectation, put_chunked, put_other, put_old, put_long};
#define N_KINDS (sizeof KINDS / sizeof KINDS[0])

/* ---- clients ---- */

/* Known to be of HTTP/1, for only such join a group. */
static void open_known(struct client *c, struct fixture *f)
{
        struct reply r;

        client_open(c, f);
        r = client_ask_text(c, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(r.status, 200);
}

static void send_kind(struct client *c, size_t kind)
{
        _cleanup_(builder_done) struct builder b = {0};

        KINDS[kind](c->f, &b);
        assert_false(builder_failed(&b));
        client_send(c, builder_bytes(&b));
}

/* All that comes, as it stands. */
static void take_all(struct client *c, struct builder *ret)
{
        uint8_t buffer[4096];
        ssize_t n;

        pump(c->f);
        while ((n = recv(c->fd, buffer, sizeof buffer, 0)) > 0) {
                builder_put(ret, bytes_make(buffer, (size_t)n));
                pump(c->f);
        }
        builder_put_u8(ret, n == 0 ? 'E' : '.'); /* and whether it is the end */
}

static void answer_alone(struct fixture *f, size_t kind, struct builder *ret)
{
        struct client c;

        open_known(&c, f);
        send_kind(&c, kind);
        take_all(&c, ret);
        client_close(&c);
}

/* ---- the tests ---- */

static void each_of_many_gets_what_it_gets_alone(void **state)
{
        struct builder alone[N_KINDS] = {0};
        struct client clients[N];

        for (size_t i = 0; i < N_KINDS; i++)
                answer_alone(*state, i, &alone[i]);
        for (size_t shift = 0; shift < N_KINDS; shift++) { /* every kind beside every other, at every place */
                for (size_t i = 0; i < N; i++)
                        open_known(&clients[i], *state);
                for (size_t i = 0; i < N; i++)
                        send_kind(&clients[i], (i * (shift + 1) + shift) % N_KINDS);
                for (size_t i = 0; i < N; i++) {
                        _cleanup_(builder_done) struct builder got = {0};

                        take_all(&clients[i], &got);
                        assert_true(bytes_equal(builder_bytes(&got), builder_bytes(&alone[(i * (shift + 1) + shift) % N_KINDS])));
                }
                for (size_t i = 0; i < N; i++)
                        client_close(&clients[i]);
        }
        assert_true(alone[5].len > (SERVICE_AHEAD + 5) * 100);
        for (size_t i = 0; i < N_KINDS; i++)
                builder_done(&alone[i]);
}

static void who_waits_for_the_engine_keeps_nobody_else_waiting(void **state)
{
        struct client waiting[2], others[3];
        struct msg_sign_ask asks[2];
        struct reply r;

        for (size_t i = 0; i < 2; i++)
                open_known(&waiting[i], *state);
        for (size_t i = 0; i < 3; i++)
                open_known(&others[i], *state);
        fixture_import(*state, "44");
        client_post(&others[0], ASK(GOOD));
        client_post(&waiting[0], ASK(UNSIGNED));
        client_post(&waiting[0], ASK(REVOKED)); /* behind it nothing is answered */
        client_post(&others[1], ASK(REVOKED));
        client_post(&waiting[1], ASK("44"));
        client_post(&others[2], ASK(GOOD));
        client_expect(&others[0], OCSP_GOOD);
        client_expect(&others[1], OCSP_REVOKED);
        client_expect(&others[2], OCSP_GOOD);
        assert_false(client_take(&waiting[0], false, &r));
        assert_false(client_take(&waiting[1], false, &r));
        assert_true(engine_take(*state, &asks[0]));
        assert_true(engine_take(*state, &asks[1])); /* each has its own question */
        assert_int_not_equal(asks[0].cert_ids[0].serial[0], asks[1].cert_ids[0].serial[0]);
        for (size_t i = 0; i < 2; i++)
                engine_answer(*state, &asks[i], &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        client_expect(&waiting[0], OCSP_GOOD);
        client_expect(&waiting[0], OCSP_REVOKED);
        client_expect(&waiting[1], OCSP_GOOD);
        for (size_t i = 0; i < 2; i++)
                client_close(&waiting[i]);
        for (size_t i = 0; i < 3; i++)
                client_close(&others[i]);
}

static void who_hangs_up_or_is_cut_off_takes_nobody_along(void **state)
{
        struct fixture *f = *state;
        struct client clients[5];
        unsigned n_open;

        for (size_t i = 0; i < 5; i++)
                open_known(&clients[i], f);
        n_open = f->pool.n_open;
        for (size_t i = 0; i < 5; i++)
                client_post(&clients[i], ASK(GOOD));
        shutdown(clients[1].fd, SHUT_RDWR);
        close(clients[3].fd);
        clients[3].fd = -1;
        client_expect(&clients[0], OCSP_GOOD);
        client_expect(&clients[2], OCSP_GOOD);
        client_expect(&clients[4], OCSP_GOOD);
        pump(f);
        assert_int_equal(f->pool.n_open, n_open - 2);
        for (size_t i = 0; i < 5; i++)
                client_close(&clients[i]);
}

/* The pool ends while some are readable and not read yet. */
static void a_group_ends_with_its_pool(void **state)
{
        struct fixture *f = *state;
        struct client clients[3];

        for (size_t i = 0; i < 3; i++)
                open_known(&clients[i], f);
        for (struct conn *c = f->pool.first; c; c = c->next)
                conn_group_join(f->pool.group, c);
        while (f->pool.first) { /* as a timer or a full worker does it */
                struct conn *c = f->pool.first;

                c->is_broken = true;
                conn_settle(c);
        }
        pump(f);
        assert_int_equal(f->pool.n_open, 0);
        for (size_t i = 0; i < 3; i++)
                client_close(&clients[i]);
}

/* ---- HTTP/2 ---- */

static void put_frame(struct builder *b, unsigned type, unsigned flags, uint32_t stream, struct bytes payload)
{
        builder_put_u8(b, (uint8_t)(payload.len >> 16));
        builder_put_u8(b, (uint8_t)(payload.len >> 8));
        builder_put_u8(b, (uint8_t)payload.len);
        builder_put_u8(b, (uint8_t)type);
        builder_put_u8(b, (uint8_t)flags);
        builder_put_u32(b, stream);
        builder_put(b, payload);
}

/* HEADERS of a GET for that serial: literals without indexing (RFC 7541 6.2.2). */
static void put_stream(const struct fixture *f, struct builder *b, uint32_t stream, const char *serial)
{
        _cleanup_(builder_done) struct builder text = {0}, block = {0};
        const uint8_t *path, *end;

        fixture_put_get(f, &text, "GET", ASK(serial), "");
        path = &text.data[sizeof "GET " - 1];
        end = memchr(path, ' ', text.len - 4);
        assert_true(end - path < 127); /* else its length takes more octets */
        builder_put(&block, BYTES_LIT("\x82\x86\x04")); /* GET, http, :path */
        builder_put_u8(&block, (uint8_t)(end - path));
        builder_put(&block, bytes_make(path, (size_t)(end - path)));
        builder_put(&block, BYTES_LIT("\x01\x01" "a")); /* :authority */
        put_frame(b, 1, 4 | 1, stream, builder_bytes(&block));
}

static void put_streams(const struct fixture *f, struct builder *b, unsigned n, const char *const serials[])
{
        for (unsigned i = 0; i < n; i++)
                put_stream(f, b, 2 * i + 1, serials[i % 3]);
}

static void put_one_stream(const struct fixture *f, struct builder *b)
{
        put_streams(f, b, 1, (const char *const[]){REVOKED, GOOD, GOOD});
}

static void put_some_streams(const struct fixture *f, struct builder *b)
{
        put_streams(f, b, 5, (const char *const[]){GOOD, REVOKED, "7777"});
}

static void put_many_streams(const struct fixture *f, struct builder *b)
{
        put_streams(f, b, SERVICE_AHEAD + 9, (const char *const[]){GOOD, "7777", REVOKED});
}

static void put_ping(const struct fixture *f, struct builder *b)
{
        put_one_stream(f, b);
        put_frame(b, 6, 0, 0, BYTES_LIT("pingpong"));
}

static void put_no_window(const struct fixture *f, struct builder *b)
{
        put_frame(b, 4, 0, 0, BYTES_LIT("\x00\x04\x00\x00\x00\x10")); /* sixteen octets of each body */
        put_some_streams(f, b);
}

static void put_half_a_frame(const struct fixture *f, struct builder *b)
{
        put_one_stream(f, b);
        builder_put(b, BYTES_LIT("\x00\x00"));
}

static void put_wrong_frame(const struct fixture *f, struct builder *b)
{
        put_one_stream(f, b);
        put_frame(b, 0, 0, 0, BYTES_LIT("DATA on stream 0"));
}

static void (*const STREAMS[])(const struct fixture *, struct builder *) = {put_one_stream, put_some_streams, put_many_streams, put_ping,
        put_no_window, put_half_a_frame, put_wrong_frame};
#define N_STREAMS (sizeof STREAMS / sizeof STREAMS[0])

static void open_session(struct client *c, struct fixture *f)
{
        _cleanup_(builder_done) struct builder b = {0}, greeting = {0};

        client_open(c, f);
        builder_put(&b, BYTES_LIT(HTTP2_PREFACE));
        put_frame(&b, 4, 0, 0, BYTES_NONE);
        client_send(c, builder_bytes(&b));
        take_all(c, &greeting);
        assert_true(greeting.len > 9);
}

static void send_streams(struct client *c, size_t kind)
{
        _cleanup_(builder_done) struct builder b = {0};

        STREAMS[kind](c->f, &b);
        assert_false(builder_failed(&b));
        client_send(c, builder_bytes(&b));
}

/* Among connections of HTTP/1. */
static void each_of_many_sessions_gets_what_it_gets_alone(void **state)
{
        struct builder alone[N_STREAMS] = {0};
        struct client clients[N];

        for (size_t i = 0; i < N_STREAMS; i++) {
                open_session(&clients[0], *state);
                send_streams(&clients[0], i);
                take_all(&clients[0], &alone[i]);
                client_close(&clients[0]);
                assert_true(alone[i].len > 16); /* GOAWAY is the shortest */
        }
        for (size_t shift = 0; shift < 2 * N_STREAMS; shift++) {
                for (size_t i = 0; i < N; i++)
                        (i % 4 == shift % 4 ? open_known : open_session)(&clients[i], *state);
                for (size_t i = 0; i < N; i++)
                        if (i % 4 == shift % 4)
                                client_post(&clients[i], ASK(REVOKED));
                        else
                                send_streams(&clients[i], (i * (shift + 1) + shift) % N_STREAMS);
                for (size_t i = 0; i < N; i++) {
                        _cleanup_(builder_done) struct builder got = {0};

                        if (i % 4 == shift % 4) {
                                client_expect(&clients[i], OCSP_REVOKED);
                                continue;
                        }
                        take_all(&clients[i], &got);
                        assert_true(bytes_equal(builder_bytes(&got), builder_bytes(&alone[(i * (shift + 1) + shift) % N_STREAMS])));
                }
                for (size_t i = 0; i < N; i++)
                        client_close(&clients[i]);
        }
        for (size_t i = 0; i < N_STREAMS; i++)
                builder_done(&alone[i]);
}

static unsigned count(struct bytes text, struct bytes word)
{
        unsigned n = 0;

        for (size_t i = 0; i + word.len <= text.len; i++)
                n += memcmp(&text.data[i], word.data, word.len) == 0;
        return n;
}

/* Of a batch that uses the connection's window up in its midst, what comes behind is not rendered yet: it would tell an old truth. */
static void what_no_window_is_left_for_is_answered_from_the_rows_of_later(void **state)
{
        static const unsigned batch = SERVICE_AHEAD;
        unsigned n_asked = 0, n_answered = 0, n_late;
        _cleanup_(builder_done) struct builder old = {0}, now = {0}, late = {0};
        struct client c, other;
        struct reply r;

        open_known(&other, *state);
        r = client_ask(&other, ASK(GOOD), "GET", "");
        builder_put(&old, r.body);
        open_session(&c, *state);
        while (n_asked == n_answered) {
                _cleanup_(builder_done) struct builder b = {0}, got = {0};

                for (unsigned i = 0; i < batch; i++)
                        put_stream(*state, &b, 2 * (n_asked + i) + 1, GOOD);
                client_send(&c, builder_bytes(&b));
                take_all(&c, &got);
                n_asked += batch;
                n_answered += count(builder_bytes(&got), builder_bytes(&old));
        }
        assert_true(n_asked - n_answered > 2 && n_asked - n_answered < batch); /* else it is not its midst */
        fixture_revoke(*state, GOOD, NOW - 5);
        fixture_sign(*state, GOOD, NOW - 5, NOW + 86400);
        r = client_ask(&other, ASK(GOOD), "GET", "");
        builder_put(&now, r.body);
        {
                _cleanup_(builder_done) struct builder b = {0};

                put_frame(&b, 8, 0, 0, BYTES_LIT("\x00\x10\x00\x00")); /* WINDOW_UPDATE of the connection */
                client_send(&c, builder_bytes(&b));
        }
        take_all(&c, &late);
        n_late = n_asked - n_answered - 1; /* one had begun before */
        assert_int_equal(count(builder_bytes(&late), builder_bytes(&now)), n_late);
        assert_int_equal(count(builder_bytes(&late), builder_bytes(&old)), 0);
        client_close(&c);
        client_close(&other);
}

/* A stream that is parked ends the turn's batch: nobody's answer is lost by that. */
static void sessions_answered_beside_one_that_waits_get_all_their_answers(void **state)
{
        _cleanup_(builder_done) struct builder b = {0}, want = {0}, late = {0};
        struct client waiting, clients[3];
        struct msg_sign_ask ask;

        open_session(&clients[0], *state);
        send_streams(&clients[0], 1);
        take_all(&clients[0], &want);
        client_close(&clients[0]);
        for (size_t i = 0; i < 3; i++)
                open_session(&clients[i], *state);
        open_session(&waiting, *state);
        send_streams(&clients[0], 1);
        put_stream(*state, &b, 1, UNSIGNED);
        client_send(&waiting, builder_bytes(&b));
        send_streams(&clients[1], 1);
        send_streams(&clients[2], 1);
        for (size_t i = 0; i < 3; i++) {
                _cleanup_(builder_done) struct builder got = {0};

                take_all(&clients[i], &got);
                assert_true(bytes_equal(builder_bytes(&got), builder_bytes(&want)));
        }
        assert_true(engine_take(*state, &ask));
        engine_answer(*state, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        take_all(&waiting, &late);
        assert_true(late.len > 200);
        client_close(&waiting);
        for (size_t i = 0; i < 3; i++)
                client_close(&clients[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(each_of_many_gets_what_it_gets_alone, set_up, fixture_tear_down),
                cmocka_unit_test_setup_teardown(who_waits_for_the_engine_keeps_nobody_else_waiting, set_up, fixture_tear_down),
                cmocka_unit_test_setup_teardown(who_hangs_up_or_is_cut_off_takes_nobody_along, set_up, fixture_tear_down),
                cmocka_unit_test_setup_teardown(each_of_many_sessions_gets_what_it_gets_alone, set_up, fixture_tear_down),
                cmocka_unit_test_setup_teardown(what_no_window_is_left_for_is_answered_from_the_rows_of_later, set_up, fixture_tear_down),
                cmocka_unit_test_setup_teardown(sessions_answered_beside_one_that_waits_get_all_their_answers, set_up, fixture_tear_down),
                cmocka_unit_test_setup_teardown(a_group_ends_with_its_pool, set_up, fixture_tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
