/* HTTP/2 sessions beside each other: what one may send, and is allowed to ask, is its own affair. */
#include "h2client.h"

#include <unistd.h>

#include "responder/answer/address_limits.h"
#include "store/crl_history.h"

#define A "11"

static struct h2_client one, other; /* large */

static void put_large_certificate(struct fixture *f, size_t size)
{
        static uint8_t certificate[60000] = {0x30};
        struct ca ca = {.label = BYTES_LIT(LABEL), .name = builder_bytes(&f->name), .spki = builder_bytes(&f->spki),
                .ski = bytes_make(f->ca_key.key_hash[HASH_SHA1], 20), .not_after_s = NOW + 2000000,
                .certificate = bytes_make(certificate, size), .key = f->ca_key};
        struct txn *txn;
        uint32_t id;

        assert_true(size <= sizeof certificate);
        assert_int_equal(txn_begin_write(f->writer, &txn), OK);
        assert_int_equal(ca_put(txn, &ca, &id), OK);
        assert_int_equal(txn_commit(txn), OK);
}

/* RFC 9113 5.2.1: the connection's window is for all streams together, however wide theirs are. */
static void all_streams_together_send_no_more_than_the_connections_window(void **state)
{
        enum { SIZE = 60000, N = 3 };
        unsigned numbers[N];
        struct reply r;

        put_large_certificate(*state, SIZE);
        h2_open(&one, *state, 1 << 20);
        h2_pump(&one);
        for (unsigned i = 0; i < N; i++)
                numbers[i] = h2_ask(&one, "GET", "/ca/" LABEL ".cer", NULL, NULL);
        h2_pump(&one);
        assert_int_equal(nghttp2_session_get_effective_recv_data_length(one.session), 65535);
        assert_int_equal(nghttp2_submit_window_update(one.session, NGHTTP2_FLAG_NONE, 0, 1 << 20), 0);
        for (unsigned i = 0; i < N; i++) {
                assert_true(h2_take(&one, numbers[i], &r));
                assert_int_equal(r.status, 200);
                assert_int_equal(r.body.len, SIZE);
        }
        h2_close(&one);
}

/* RFC 9113 8.1: what cannot be sent whole must not look as if it were. */
static void a_file_that_is_cut_short_while_it_is_sent_resets_its_stream(void **state)
{
        enum { SIZE = 200000 };
        struct crl_row row = {.state = CRL_PUBLISHED, .number = 1, .this_update = NOW - 10, .next_update = NOW + 1000, .size = SIZE,
                .file = BYTES_LIT("a.crl")};
        struct fixture *f = *state;
        struct txn *txn;
        char path[128];
        unsigned number;
        FILE *file;

        snprintf(path, sizeof path, "%s/a.crl", f->crl_path);
        file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(ftruncate(fileno(file), SIZE), 0);
        assert_int_equal(txn_begin_write(f->writer, &txn), OK);
        crl_put(txn, f->ca, 0, &row);
        assert_int_equal(txn_commit(txn), OK);
        h2_open(&one, f, 1 << 20);
        h2_pump(&one);
        number = h2_ask(&one, "GET", "/crl/" LABEL ".crl", NULL, NULL);
        h2_pump(&one);
        assert_int_equal(nghttp2_session_get_effective_recv_data_length(one.session), 65535);
        assert_int_equal(ftruncate(fileno(file), 1000), 0);
        assert_int_equal(nghttp2_submit_window_update(one.session, NGHTTP2_FLAG_NONE, 0, 1 << 20), 0);
        h2_pump(&one);
        assert_true(one.streams[number].is_closed);
        assert_int_equal(one.streams[number].code, NGHTTP2_INTERNAL_ERROR);
        h2_close(&one);
        fclose(file);
}

/* req 1.18. All in one turn, so that no time goes by: of one a second each address has two at once. */
static void each_address_pays_for_its_own_streams(void **state)
{
        struct h2_client *clients[] = {&one, &other};
        struct fixture *f = *state;
        struct limits *limits;
        unsigned numbers[2][3];
        struct reply r;

        fixture_import_good(f, A);
        f->conf.max_requests_per_address = 1;
        assert_int_equal(limits_new(&f->conf, &limits), OK);
        f->service.address_limits = f->pool.limits = limits;
        for (unsigned c = 0; c < 2; c++) {
                f->pool.opening = 7 + c;
                h2_open(clients[c], f, 65535);
                h2_pump(clients[c]);
        }
        for (unsigned c = 0; c < 2; c++) {
                for (unsigned i = 0; i < 3; i++)
                        numbers[c][i] = h2_post(clients[c], ASK(A));
                h2_flush(clients[c]);
        }
        for (unsigned c = 0; c < 2; c++)
                for (unsigned i = 0; i < 3; i++) {
                        assert_true(h2_take(clients[c], numbers[c][i], &r));
                        assert_int_equal(r.status, i < 2 ? 200 : 429);
                }
        for (unsigned c = 0; c < 2; c++)
                h2_close(clients[c]);
        pump(f);
        f->service.address_limits = f->pool.limits = NULL;
        limits_free(limits);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(all_streams_together_send_no_more_than_the_connections_window),
                TEST(a_file_that_is_cut_short_while_it_is_sent_resets_its_stream),
                TEST(each_address_pays_for_its_own_streams),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
