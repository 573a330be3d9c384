/* What is read in a turn that took too long counts for nothing, for its pages may have been written over meanwhile (store/env.h); and
 * time never falls below the store's mark. */
#include "h2client.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "responder/answer/pipeline.h"
#include "responder/conn/conn_private.h"
#include "responder/http/http2_session.h"
#include "store/crl_history.h"

#define A "11"
#define B "22"

/* ---- turns that take too long ---- */

static unsigned n_slow; /* so many more */
static void (*meanwhile)(struct fixture *f);
static void (*at_end)(struct fixture *f); /* once, of a turn of any length */
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
        if (at_end)
                at_end(fixture);
        at_end = NULL;
        return __real_txn_turn_end(txn);
}

static int set_up(void **state)
{
        int rc = fixture_set_up(state);

        n_slow = 0;
        meanwhile = at_end = NULL;
        fixture = *state;
        return rc;
}

static void revoke_a(struct fixture *f)
{
        fixture_revoke(f, A, NOW - 10);
        fixture_sign(f, A, NOW - 10, NOW + 86400);
}

static void what_a_slow_turn_rendered_is_thrown_away_and_rendered_from_the_newest_rows(void **state)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct client c;
        struct reply r;

        fixture_import_good(*state, A);
        fixture_import_good(*state, B);
        client_open(&c, *state);
        fixture_put_get(*state, &b, "GET", ASK(B), "");
        fixture_put_get(*state, &b, "GET", ASK(A), "");
        n_slow = 1;
        meanwhile = revoke_a;
        client_send(&c, builder_bytes(&b));
        assert_true(client_take(&c, false, &r));
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_GOOD);
        assert_true(client_take(&c, false, &r));
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_REVOKED);
        assert_false(client_take(&c, false, &r)); /* each request has one answer */
        assert_int_equal(fixture->service.stats.n_stale_turns, 1);
        client_close(&c);
}

static void a_slow_turn_of_many_connections_counts_for_none_of_them(void **state)
{
        struct client clients[5];

        fixture_import_good(*state, A);
        fixture_import_good(*state, B);
        for (size_t i = 0; i < 5; i++) {
                client_open(&clients[i], *state);
                (void)client_ask(&clients[i], ASK(B), "GET", "");
        }
        n_slow = 1;
        meanwhile = revoke_a;
        for (size_t i = 0; i < 5; i++)
                client_post(&clients[i], i == 2 ? ASK(B) : ASK(A));
        for (size_t i = 0; i < 5; i++)
                client_expect(&clients[i], i == 2 ? OCSP_GOOD : OCSP_REVOKED);
        assert_int_equal(fixture->service.stats.n_stale_turns, 1); /* it was one for all */
        for (size_t i = 0; i < 5; i++)
                client_close(&clients[i]);
}

static void many_connections_whose_turns_are_all_too_slow_get_503_each(void **state)
{
        struct client clients[3];
        struct reply r;

        fixture_import_good(*state, A);
        for (size_t i = 0; i < 3; i++) {
                client_open(&clients[i], *state);
                (void)client_ask(&clients[i], ASK(A), "GET", "");
        }
        n_slow = UINT32_MAX;
        client_post(&clients[0], ASK(A));
        client_send(&clients[1], BYTES_LIT("POST / HT")); /* asks for nothing yet */
        client_post(&clients[2], ASK(A));
        for (size_t i = 0; i < 3; i += 2) {
                assert_true(client_take(&clients[i], false, &r));
                assert_int_equal(r.status, 503);
        }
        assert_false(client_take(&clients[1], false, &r));
        n_slow = 0;
        client_send(&clients[1], BYTES_LIT("TP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        assert_true(client_take(&clients[1], false, &r));
        assert_int_equal(r.status, 200);
        for (size_t i = 0; i < 3; i++)
                client_close(&clients[i]);
}

/* The same over HTTP/2, whose streams are rendered many in one turn. */
static void what_a_slow_turn_rendered_for_streams_is_thrown_away_too(void **state)
{
        static struct h2_client h2; /* large */
        unsigned b, a;
        struct reply r;

        fixture_import_good(*state, A);
        fixture_import_good(*state, B);
        h2_open(&h2, *state, 65535);
        h2_pump(&h2);
        b = h2_post(&h2, ASK(B));
        a = h2_post(&h2, ASK(A));
        n_slow = 1;
        meanwhile = revoke_a;
        assert_true(h2_take(&h2, b, &r));
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_GOOD);
        assert_true(h2_take(&h2, a, &r));
        assert_int_equal(reply_status(*state, &r).cert_status, OCSP_REVOKED);
        assert_int_equal(h2.streams[a].code | h2.streams[b].code, NGHTTP2_NO_ERROR);
        assert_int_equal(fixture->pool.first->http2->send_window, 65535 - nghttp2_session_get_effective_recv_data_length(h2.session));
        assert_int_equal(fixture->service.stats.n_stale_turns, 1);
        n_slow = UINT32_MAX;
        meanwhile = NULL;
        a = h2_post(&h2, ASK(A));
        assert_true(h2_take(&h2, a, &r));
        assert_int_equal(r.status, 503);
        n_slow = 0;
        h2_close(&h2);
}

static void turns_that_are_all_too_slow_end_in_503(void **state)
{
        struct client c;
        struct reply r;

        fixture_import_good(*state, A);
        client_open(&c, *state);
        n_slow = UINT32_MAX;
        r = client_ask(&c, ASK(A), "GET", "");
        assert_int_equal(r.status, 503);
        assert_field(&r, "Retry-After", "1");
        assert_int_equal(fixture->service.stats.n_stale_turns, PIPELINE_MAX_TURNS);
        assert_false(client_take(&c, false, &r));
        client_close(&c);
}

/* As if the slow turn had read them from pages that were written over. */
static void tear_epoch(struct fixture *f)
{
        f->service.epoch = 99;
}

static void tear_cas(struct fixture *f)
{
        struct ca_entry *ca = (struct ca_entry *)(uintptr_t)ca_table_find_label(f->service.cas, BYTES_LIT(LABEL));

        ca->conf = NULL;
}

static void what_a_slow_turn_cached_is_read_again(void **state)
{
        static void (*const tears[])(struct fixture *) = {tear_epoch, tear_cas};
        struct client c;
        struct reply r;

        fixture_import_good(*state, A);
        client_open(&c, *state);
        for (size_t i = 0; i < sizeof tears / sizeof tears[0]; i++) {
                n_slow = 1;
                meanwhile = tears[i];
                r = client_ask(&c, ASK(A), "GET", "");
                assert_int_equal(reply_status(*state, &r).cert_status, OCSP_GOOD);
        }
        client_close(&c);
}

static void write_file(const struct fixture *f, const char *name, char fill)
{
        _cleanup_close_ int fd = -1;
        char path[256];

        snprintf(path, sizeof path, "%s/%s", f->crl_path, name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, &fill, 1), 1);
}

static void publish(struct fixture *f)
{
        struct crl_row row = {.state = CRL_PUBLISHED, .number = 1, .this_update = NOW - 10, .next_update = NOW + 1000, .size = 1,
                .file = BYTES_LIT("a.crl")};
        struct txn *txn;

        write_file(f, "a.crl", 'a');
        assert_int_equal(txn_begin_write(f->writer, &txn), OK);
        crl_put(txn, f->ca, 0, &row);
        assert_int_equal(txn_commit(txn), OK);
}

static void exchange_file(struct fixture *f)
{
        char from[256], to[256];

        write_file(f, "b.crl", 'b');
        snprintf(from, sizeof from, "%s/b.crl", f->crl_path);
        snprintf(to, sizeof to, "%s/a.crl", f->crl_path);
        assert_int_equal(rename(from, to), 0);
}

/* The name it was opened by may have been another's. */
static void a_file_that_a_slow_turn_opened_is_opened_again(void **state)
{
        struct client c;
        struct reply r;

        publish(*state);
        client_open(&c, *state);
        n_slow = 1;
        meanwhile = exchange_file;
        client_send(&c, BYTES_LIT("GET /crl/" LABEL ".crl HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_true(client_take(&c, false, &r));
        assert_true(bytes_equal(r.body, BYTES_LIT("b")));
        client_close(&c);
}

static void the_access_log_has_one_line_for_a_request_that_was_answered_anew(void **state)
{
        struct fixture *f = *state;
        struct stat st[2];
        struct client c;
        char path[128];

        fixture_import_good(f, A);
        snprintf(path, sizeof path, "%s/access", f->folder);
        f->conf.access_log = path;
        client_open(&c, f);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(access_log_new(&f->conf, &f->service.access_log), OK);
                n_slow = (unsigned)i;
                client_ask(&c, ASK(A), "GET", "");
                access_log_free(f->service.access_log);
                f->service.access_log = NULL;
                assert_int_equal(stat(path, &st[i]), 0);
        }
        assert_true(st[0].st_size > 100);
        assert_in_range(st[1].st_size - st[0].st_size, st[0].st_size - 10, st[0].st_size + 10); /* the microseconds differ */
        client_close(&c);
}

/* ---- an engine that goes while answers are on their way ---- */

static void at_the_end_of_this_turn(void (*what)(struct fixture *f))
{
        at_end = what;
}

static void end_engine(struct fixture *f)
{
        cleanup_close(&f->engine);
        f->engine = -1;
}

static void assert_answer(const struct fixture *f, const struct reply *r, const char *serial_hex, enum ocsp_cert_status want)
{
        struct ocsp_response_data data;
        struct ocsp_single_read single;
        struct bytes tbs, signature, certs;
        enum sig_alg alg;
        char text[3] = "";

        assert_int_equal(reply_status(f, r).cert_status, want); /* it verifies */
        assert_int_equal(ocsp_response_read(r->body, &tbs, &alg, &signature, &certs), OK);
        assert_int_equal(ocsp_response_data_read(tbs, &data), OK);
        assert_int_equal(ocsp_single_read(&data.responses, &single), OK);
        assert_int_equal(single.serial.len, 1);
        bytes_to_hex(single.serial, text);
        assert_string_equal(text, serial_hex);
}

/* It asks about 44, whose signature comes only then, so that its answer will be a long one. 33 has none, A is good, B revoked. */
static void leave_one_waiting(struct fixture *f, struct client *ret_waiting)
{
        fixture_import(f, "44");
        fixture_import(f, "33");
        fixture_import_good(f, A);
        fixture_import(f, B);
        fixture_revoke(f, B, NOW - 10);
        fixture_sign(f, B, NOW - 10, NOW + 86400);
        client_open(ret_waiting, f);
        client_post(ret_waiting, ASK("44"));
        engine_expect(ret_waiting);
        fixture_sign(f, "44", NOW - 10, NOW + 86400);
}

/* One that waits is told of it, but not before the others' answers, which are rendered already, were sent. */
static void an_engine_that_goes_while_a_group_is_answered_costs_nobody_his_answer(void **state)
{
        static const char *const serials[] = {"33", A, B};
        struct client waiting, c[3];
        struct reply r;

        leave_one_waiting(*state, &waiting);
        for (size_t i = 0; i < 3; i++) {
                client_open(&c[i], *state);
                client_ask(&c[i], ASK("7777"), "GET", ""); /* it is known to speak HTTP/1 from now on */
        }
        at_the_end_of_this_turn(end_engine);
        for (size_t i = 0; i < 3; i++)
                client_post(&c[i], ASK(serials[i])); /* the first of them asks the engine */
        assert_true(client_take(&c[1], false, &r));
        assert_answer(*state, &r, A, OCSP_GOOD);
        assert_true(client_take(&c[2], false, &r));
        assert_answer(*state, &r, B, OCSP_REVOKED);
        assert_true(client_take(&c[0], false, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        assert_true(client_take(&waiting, false, &r));
        assert_answer(*state, &r, "44", OCSP_GOOD);
        for (size_t i = 0; i < 3; i++)
                client_close(&c[i]);
        client_close(&waiting);
}

static void an_engine_that_goes_while_streams_are_answered_costs_none_its_answer(void **state)
{
        static struct h2_client h2; /* large */
        struct client waiting;
        unsigned a, b, c;
        struct reply r;

        leave_one_waiting(*state, &waiting);
        h2_open(&h2, *state, 65535);
        h2_pump(&h2);
        a = h2_post(&h2, ASK(A));
        b = h2_post(&h2, ASK(B));
        c = h2_post(&h2, ASK("33")); /* asks the engine */
        at_the_end_of_this_turn(end_engine);
        assert_true(h2_take(&h2, a, &r));
        assert_answer(*state, &r, A, OCSP_GOOD);
        assert_true(h2_take(&h2, b, &r));
        assert_answer(*state, &r, B, OCSP_REVOKED);
        assert_true(h2_take(&h2, c, &r));
        assert_ocsp_error(&r, OCSP_TRY_LATER);
        assert_true(client_take(&waiting, false, &r));
        assert_answer(*state, &r, "44", OCSP_GOOD);
        h2_close(&h2);
        client_close(&waiting);
}

/* ---- time ---- */

/* DESIGN, the store: time never goes back below the high-water mark. */
static void by_the_stores_time_an_answer_may_be_over_though_the_clock_stands_before(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        fixture_import(f, A);
        fixture_import(f, B);
        fixture_sign(f, A, NOW - 100, NOW + 200);
        client_open(&c, f);
        r = client_ask(&c, ASK(A), "GET", "");
        assert_field(&r, "Cache-Control", "max-age=199, public, no-transform, must-revalidate");
        fixture_activate(f, fixture_stage(f, B), NOW + 150);
        r = client_ask(&c, ASK(A), "GET", "");
        assert_field(&r, "Cache-Control", "max-age=49, public, no-transform, must-revalidate");
        assert_field(&r, "Date", "Sat, 21 Nov 2026 10:02:30 GMT");
        fixture_import(f, "33");
        fixture_activate(f, fixture_stage(f, "33"), NOW + 200);
        client_post(&c, ASK(A));
        assert_true(engine_take(f, &ask));
        assert_false(client_take(&c, false, &r));
        client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_a_slow_turn_rendered_is_thrown_away_and_rendered_from_the_newest_rows),
                TEST(a_slow_turn_of_many_connections_counts_for_none_of_them),
                TEST(many_connections_whose_turns_are_all_too_slow_get_503_each),
                TEST(what_a_slow_turn_rendered_for_streams_is_thrown_away_too),
                TEST(turns_that_are_all_too_slow_end_in_503),
                TEST(what_a_slow_turn_cached_is_read_again),
                TEST(a_file_that_a_slow_turn_opened_is_opened_again),
                TEST(the_access_log_has_one_line_for_a_request_that_was_answered_anew),
                TEST(an_engine_that_goes_while_a_group_is_answered_costs_nobody_his_answer),
                TEST(an_engine_that_goes_while_streams_are_answered_costs_none_its_answer),
                TEST(by_the_stores_time_an_answer_may_be_over_though_the_clock_stands_before),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
