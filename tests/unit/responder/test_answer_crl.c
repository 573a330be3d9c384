/* CRLs by HTTP (req 3.8): which file, which fields, ranges, and that one CRL goes out whole whatever is published meanwhile. */
#include "fixture.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/crl_history.h"

#define FULL "/crl/" LABEL ".crl"

/* Makes a file of `len` octets of `fill` and a published row that tells of it. */
static void publish(struct fixture *f, const char *file, uint16_t shard, bool is_delta, uint64_t number, uint32_t this_update, size_t len,
        char fill)
{
        _cleanup_free_ char *content = malloc(len);
        _cleanup_close_ int fd = -1;
        struct crl_row row = {.state = CRL_PUBLISHED, .is_delta = is_delta, .base = is_delta ? 1 : 0, .this_update = this_update,
                .next_update = NOW + 1000, .size = len, .file = bytes_str(file)};
        char path[256];
        struct txn *txn;

        memset(content, fill, len);
        snprintf(path, sizeof path, "%s/%s", f->crl_path, file);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(write(fd, content, len), len);
        assert_int_equal(hash_digest(HASH_SHA256, bytes_make(content, len), row.digest), OK);
        assert_int_equal(txn_begin_write(f->writer, &txn), OK);
        row.number = number;
        crl_put(txn, f->ca, shard, &row);
        assert_int_equal(txn_commit(txn), OK);
}

static struct reply ask(struct client *c, const char *method, const char *path, const char *fields)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct reply r;

        builder_printf(&b, "%s %s HTTP/1.1\r\nHost: h\r\n%s\r\n", method, path, fields);
        client_send(c, builder_bytes(&b));
        assert_true(client_take(c, strcmp(method, "HEAD") == 0, &r));
        return r;
}

static bool is_filled(struct bytes b, char fill, size_t len)
{
        for (size_t i = 0; i < b.len; i++)
                if (b.data[i] != (uint8_t)fill)
                        return false;
        return b.len == len;
}

static void each_crl_has_its_name(void **state)
{
        static const struct {
                const char *path;
                char want; /* 0: 404 */
        } rows[] = {
                {FULL, 'f'},
                {FULL "?nocache=1", 'f'},
                {"/crl/" LABEL "-delta.crl", 'd'},
                {"/crl/" LABEL "/7.crl", 's'},
                {"/crl/" LABEL "/7-delta.crl", 't'},
                {"/crl/" LABEL "/8.crl", 0},
                {"/crl/" LABEL "/07.crl", 0},
                {"/crl/" LABEL "/0.crl", 0},
                {"/crl/" LABEL "/65543.crl", 0}, /* 7 in 16 bits */
                {"/crl/" LABEL "/-delta.crl", 0},
                {"/crl/" LABEL "/.crl", 0},
                {"/crl/" LABEL "/7/7.crl", 0},
                {"/crl/" LABEL ".crl/7.crl", 0},
                {"/crl/" LABEL "-delta/7.crl", 0},
                {"/crl/" LABEL, 0},
                {"/crl/full.file", 0},
                {"/crl/", 0},
                {"/crl/.crl", 0},
                {"/crl/-delta.crl", 0},
        };
        struct fixture *f = *state;
        struct client c;

        publish(f, "full.file", 0, false, 1, NOW - 10, 10, 'f');
        publish(f, "delta.file", 0, true, 2, NOW - 10, 11, 'd');
        publish(f, "shard.file", 7, false, 3, NOW - 10, 12, 's');
        publish(f, "shard-delta.file", 7, true, 4, NOW - 10, 13, 't');
        client_open(&c, f);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct reply r = ask(&c, "GET", rows[i].path, "");

                if (rows[i].want == 0) {
                        if (r.status != 404)
                                fail_msg("%s: got %u", rows[i].path, r.status);
                        continue;
                }
                if (r.status != 200 || !is_filled(r.body, rows[i].want, r.body.len) || r.body.len < 10)
                        fail_msg("%s: got %u", rows[i].path, r.status);
        }
        client_close(&c);
}

static void a_crl_carries_the_fields_that_caches_need(void **state)
{
        struct fixture *f = *state;
        char tag[67] = "\"";
        uint8_t digest[HASH_LEN_MAX];
        struct client c;
        struct reply r;

        publish(f, "a.crl", 0, false, 1, NOW - 10, 3, 'f');
        client_open(&c, f);
        for (unsigned head = 0; head < 2; head++) {
                r = ask(&c, head ? "HEAD" : "GET", FULL, "");
                assert_int_equal(r.status, 200);
                assert_field(&r, "Content-Type", "application/pkix-crl");
                assert_field(&r, "Content-Length", "3");
                assert_field(&r, "Last-Modified", "Sat, 21 Nov 2026 09:59:50 GMT");
                assert_field(&r, "Expires", "Sat, 21 Nov 2026 10:16:40 GMT");
                assert_field(&r, "Cache-Control", "max-age=999, public, no-transform, must-revalidate");
                assert_field(&r, "Accept-Ranges", "bytes");
                assert_int_equal(hash_digest(HASH_SHA256, BYTES_LIT("fff"), digest), OK);
                bytes_to_hex(bytes_make(digest, 32), &tag[1]);
                strcpy(&tag[65], "\"");
                assert_field(&r, "ETag", tag);
        }
        assert_int_equal(c.at, c.received.len);
        client_close(&c);
}

/* Whoever asks gets it, for there is none newer; but nobody may keep it. */
static void a_crl_that_has_run_out_is_not_to_be_kept(void **state)
{
        struct client c;
        struct reply r;

        publish(*state, "a.crl", 0, false, 1, NOW - 10, 3, 'f');
        clock_freeze_ms((NOW + 2000) * 1000LL);
        client_open(&c, *state);
        r = ask(&c, "GET", FULL, "");
        assert_int_equal(r.status, 200);
        assert_field(&r, "Cache-Control", "max-age=0, public, no-transform, must-revalidate");
        client_close(&c);
}

static void the_newest_published_one_is_served(void **state)
{
        struct fixture *f = *state;
        struct client c;
        struct reply r;

        publish(f, "a.crl", 0, false, 1, NOW - 20, 100, 'a');
        client_open(&c, f);
        r = ask(&c, "GET", FULL, "");
        assert_true(is_filled(r.body, 'a', 100));
        publish(f, "b.crl", 0, false, 2, NOW - 10, 200, 'b');
        r = ask(&c, "GET", FULL, "");
        assert_true(is_filled(r.body, 'b', 200));
        client_close(&c);
}

static void a_part_is_served_as_asked(void **state)
{
        struct fixture *f = *state;
        struct client c;
        struct reply r;

        publish(f, "a.crl", 0, false, 1, NOW - 20, 100, 'a');
        client_open(&c, f);
        r = ask(&c, "GET", FULL, "Range: bytes=10-19\r\n");
        assert_int_equal(r.status, 206);
        assert_field(&r, "Content-Range", "bytes 10-19/100");
        assert_true(is_filled(r.body, 'a', 10));
        r = ask(&c, "GET", FULL, "Range: bytes=100-\r\n");
        assert_int_equal(r.status, 416);
        assert_field(&r, "Content-Range", "bytes */100");
        assert_field(&r, "Content-Length", "0");
        assert_field(&r, "Cache-Control", "no-store, max-age=0"); /* req 3.4 */
        assert_int_equal(reply_field(&r, "ETag").len, 0);
        r = ask(&c, "GET", FULL, "Range: bytes=10-19\r\nIf-Range: \"another\"\r\n");
        assert_int_equal(r.status, 200);
        assert_true(is_filled(r.body, 'a', 100));
        r = ask(&c, "GET", FULL, "Range: bytes=0-1,5-6\r\n");
        assert_int_equal(r.status, 200);
        client_close(&c);
}

static void two_crls_of_one_second_do_not_pass_for_each_other(void **state)
{
        static const char since[] = "If-Modified-Since: Sat, 21 Nov 2026 09:59:40 GMT\r\n";
        struct fixture *f = *state;
        struct client c;
        struct reply r;

        publish(f, "a.crl", 0, false, 1, NOW - 20, 100, 'a');
        client_open(&c, f);
        {
                _cleanup_(builder_done) struct builder b = {0};

                builder_printf(&b, "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", FULL, since);
                client_send(&c, builder_bytes(&b));
                assert_true(client_take(&c, true, &r));
                assert_int_equal(r.status, 304);
        }
        publish(f, "b.crl", 0, false, 2, NOW - 20, 200, 'b');
        r = ask(&c, "GET", FULL, since);
        assert_int_equal(r.status, 200);
        assert_true(is_filled(r.body, 'b', 200));
        client_close(&c);
}

static void a_crl_replaced_while_it_is_sent_goes_out_whole(void **state)
{
        struct fixture *f = *state;
        struct client slow, other;
        struct reply r;
        char path[256];

        publish(f, "a.crl", 0, false, 1, NOW - 20, 5000000, 'a');
        client_open(&slow, f);
        client_send(&slow, BYTES_LIT("GET " FULL " HTTP/1.1\r\nHost: h\r\n\r\nGET " FULL " HTTP/1.1\r\nHost: h\r\n\r\n"));
        pump(f); /* as much as the socket takes */
        publish(f, "b.crl", 0, false, 2, NOW - 10, 10, 'b');
        snprintf(path, sizeof path, "%s/a.crl", f->crl_path);
        assert_int_equal(unlink(path), 0);
        client_open(&other, f);
        r = ask(&other, "GET", FULL, "");
        assert_true(is_filled(r.body, 'b', 10));
        assert_true(client_take(&slow, false, &r));
        assert_true(is_filled(r.body, 'a', 5000000));
        assert_true(client_take(&slow, false, &r)); /* the request behind it */
        assert_true(is_filled(r.body, 'b', 10));
        client_close(&slow);
        client_close(&other);
}

static void no_file_but_the_one_the_row_tells_of_is_served(void **state)
{
        static const struct {
                const char *file;
                bool is_link;
                size_t len;
        } rows[] = {
                {"missing.crl", false, 10},
                {"link.crl", true, 4},
                {"short.crl", false, 11},
                {"../" "passwd", false, 4},
        };
        struct fixture *f = *state;
        struct client c;

        client_open(&c, f);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct crl_row row = {.number = i + 1, .state = CRL_PUBLISHED, .this_update = NOW - 10, .next_update = NOW + 10,
                        .size = rows[i].len, .file = bytes_str(rows[i].file)};
                char target[256], path[256];
                struct txn *txn;
                struct reply r;

                snprintf(target, sizeof target, "%s/target", f->crl_path);
                snprintf(path, sizeof path, "%s/short.crl", f->crl_path);
                cleanup_close(&(int){open(path, O_WRONLY | O_CREAT, 0600)});
                snprintf(path, sizeof path, "%s/link.crl", f->crl_path);
                if (rows[i].is_link) {
                        _cleanup_close_ int fd = open(target, O_WRONLY | O_CREAT, 0600);

                        assert_int_equal(write(fd, "data", 4), 4);
                        assert_int_equal(symlink(target, path), 0);
                }
                assert_int_equal(txn_begin_write(f->writer, &txn), OK);
                crl_put(txn, f->ca, 0, &row);
                assert_int_equal(txn_commit(txn), OK);
                r = ask(&c, "GET", FULL, "");
                if (r.status != 503)
                        fail_msg("%s: got %u", rows[i].file, r.status);
                assert_field(&r, "Retry-After", "10");
        }
        client_close(&c);
}

/* A reader that takes octets singly does not hold the connection for ever; one that takes its time steadily gets all. */
static void a_slow_reader_of_a_large_crl_must_make_progress(void **state)
{
        struct fixture *f = *state;
        int64_t start = clock_mono_ms();
        struct client c;
        char buffer[65536];

        publish(f, "a.crl", 0, false, 1, NOW - 20, 20000000, 'a');
        client_open(&c, f);
        client_send(&c, BYTES_LIT("GET " FULL " HTTP/1.1\r\nHost: h\r\n\r\n"));
        pump(f);
        fixture_at_ms(f, start + 29000);
        assert_int_equal(f->pool.n_open, 1);
        for (int i = 0; i < 16; i++) { /* a good piece: the time begins anew */
                assert_true(recv(c.fd, buffer, sizeof buffer, 0) > 0);
                pump(f);
        }
        for (int i = 0; i < 2; i++) { /* a quarter of a good piece each time: at most the first completes one */
                fixture_at_ms(f, start + 58000 + i * 29000);
                while (recv(c.fd, buffer, sizeof buffer, 0) > 0)
                        ;
                pump(f);
        }
        fixture_at_ms(f, start + 90000);
        assert_int_equal(f->pool.n_open, 0);
        client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(each_crl_has_its_name),
                TEST(a_crl_carries_the_fields_that_caches_need),
                TEST(a_crl_that_has_run_out_is_not_to_be_kept),
                TEST(the_newest_published_one_is_served),
                TEST(a_part_is_served_as_asked),
                TEST(two_crls_of_one_second_do_not_pass_for_each_other),
                TEST(a_crl_replaced_while_it_is_sent_goes_out_whole),
                TEST(no_file_but_the_one_the_row_tells_of_is_served),
                TEST(a_slow_reader_of_a_large_crl_must_make_progress),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
