/* Surrogate tags on answers that a CDN may keep; named as docs/caching.md says. */
#include "fixture.h"

#include "store/crl_history.h"
#include "store/record.h"

#define A "11"
#define BUCKET_OF_A "bucket-" LABEL "-74bc" /* FNV-1a of the octet 11, modulo 65536 */

static int set_up(void **state)
{
        int result = fixture_set_up(state);
        struct fixture *f = *state;

        f->conf.tags = CONF_TAGS_SURROGATE_KEY;
        f->conf.tags_buckets = 65536;
        fixture_import(f, A);
        fixture_sign(f, A, NOW - 100, NOW + 86400);
        return result;
}

static struct reply ask_serials(struct client *c, const struct asking *a)
{
        struct builder b = {0};
        struct reply r;

        fixture_put_get(c->f, &b, "GET", a, "");
        client_send(c, builder_bytes(&b));
        builder_done(&b);
        assert_true(client_take(c, false, &r));
        assert_int_equal(r.status, 200);
        return r;
}

static struct reply ask(struct client *c, const char *serial)
{
        return ask_serials(c, &(struct asking){.serials = {serial}});
}

static struct reply ask_path(struct client *c, const char *path)
{
        struct builder b = {0};
        struct reply r;

        builder_printf(&b, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
        client_send(c, builder_bytes(&b));
        builder_done(&b);
        assert_true(client_take(c, false, &r));
        assert_int_equal(r.status, 200);
        return r;
}

static void an_ocsp_answer_names_issuer_shard_and_bucket(void **state)
{
        struct client c;
        struct reply r;

        client_open(&c, *state);
        r = ask(&c, A);
        assert_field(&r, "surrogate-key", "issuer-" LABEL " shard-" LABEL "-0 " BUCKET_OF_A);
        client_close(&c);
}

static void one_revoked_by_a_batch_names_the_batch(void **state)
{
        struct fixture *f = *state;
        struct client c;
        struct reply r;
        char want[128];
        uint32_t batch = fixture_stage(f, A);

        fixture_activate(f, batch, NOW - 50);
        fixture_sign(f, A, NOW - 40, NOW + 86400);
        client_open(&c, f);
        r = ask(&c, A);
        snprintf(want, sizeof want, "issuer-" LABEL " shard-" LABEL "-0 " BUCKET_OF_A " batch-%u", batch);
        assert_field(&r, "surrogate-key", want);
        client_close(&c);
}

static void a_cache_tag_has_commas_and_fewer_buckets_where_wanted(void **state)
{
        struct fixture *f = *state;
        struct client c;
        struct reply r;

        f->conf.tags = CONF_TAGS_CACHE_TAG;
        f->conf.tags_buckets = 1;
        client_open(&c, f);
        r = ask(&c, A);
        assert_field(&r, "cache-tag", "issuer-" LABEL ",shard-" LABEL "-0,bucket-" LABEL "-0");
        client_close(&c);
}

static void nothing_that_may_not_be_kept_has_tags(void **state)
{
        struct client c;
        struct reply r;

        client_open(&c, *state);
        r = ask(&c, "7f");
        assert_ocsp_error(&r, OCSP_UNAUTHORIZED);
        assert_int_equal(reply_field(&r, "surrogate-key").len, 0);
        client_close(&c);
}

static void switched_off_there_is_no_such_field(void **state)
{
        struct fixture *f = *state;
        struct client c;
        struct reply r;

        f->conf.tags = CONF_TAGS_OFF;
        client_open(&c, f);
        r = ask(&c, A);
        assert_int_equal(reply_field(&r, "surrogate-key").len, 0);
        client_close(&c);
}

static void a_serial_of_a_shard_names_it(void **state)
{
        struct record record = {.not_after = NOW + 900000, .shard = 7};
        struct fixture *f = *state;
        struct client c;
        struct reply r;
        struct txn *txn;

        assert_int_equal(txn_begin_write(f->writer, &txn), OK);
        record_put(txn, f->ca, BYTES_LIT("\x12"), &record, 72);
        assert_int_equal(txn_commit(txn), OK);
        fixture_sign(f, "12", NOW - 100, NOW + 86400);
        client_open(&c, f);
        r = ask(&c, "12");
        assert_field(&r, "surrogate-key", "issuer-" LABEL " shard-" LABEL "-7 bucket-" LABEL "-7975");
        client_close(&c);
}

/* It may be kept as well as one from the store, so it must be found by a purge. */
static void an_answer_signed_on_demand_names_all_its_serials(void **state)
{
        struct fixture *f = *state;
        struct msg_sign_ask ask;
        struct client c;
        struct reply r;

        fixture_import(f, "12");
        client_open(&c, f);
        client_post(&c, &(struct asking){.serials = {A, "12"}});
        ask = engine_expect(&c);
        engine_answer(f, &ask, &(struct ocsp_status){.cert_status = OCSP_GOOD}, 0, NOW);
        assert_true(client_take(&c, false, &r));
        assert_field(&r, "surrogate-key",
                "issuer-" LABEL " shard-" LABEL "-0 " BUCKET_OF_A " shard-" LABEL "-0 bucket-" LABEL "-7975");
        client_close(&c);
}

/* A cache that asks whether its answer still holds keeps it for longer: under the tags of now. */
static void a_304_has_the_tags_too(void **state)
{
        struct builder b = {0};
        struct fixture *f = *state;
        struct client c;
        struct reply r;

        client_open(&c, f);
        fixture_put_get(f, &b, "GET", ASK(A), "If-None-Match: *\r\n");
        client_send(&c, builder_bytes(&b));
        builder_done(&b);
        assert_true(client_take(&c, true, &r));
        assert_int_equal(r.status, 304);
        assert_field(&r, "surrogate-key", "issuer-" LABEL " shard-" LABEL "-0 " BUCKET_OF_A);
        client_close(&c);
}

static void a_crl_names_issuer_shard_and_itself(void **state)
{
        struct crl_row row = {.state = CRL_PUBLISHED, .number = 1, .this_update = NOW - 10, .next_update = NOW + 1000, .size = 1,
                .file = BYTES_LIT("a.crl")};
        struct fixture *f = *state;
        char file[128];
        struct client c;
        struct reply r;
        struct txn *txn;
        FILE *out;

        snprintf(file, sizeof file, "%s/a.crl", f->crl_path);
        out = fopen(file, "w");
        assert_non_null(out);
        fputc('x', out);
        fclose(out);
        assert_int_equal(txn_begin_write(f->writer, &txn), OK);
        crl_put(txn, f->ca, 7, &row);
        assert_int_equal(txn_commit(txn), OK);
        client_open(&c, f);
        r = ask_path(&c, "/crl/" LABEL "/7.crl");
        assert_field(&r, "surrogate-key", "issuer-" LABEL " shard-" LABEL "-7 crl-" LABEL "-7");
        client_close(&c);
}

static void a_ca_certificate_names_its_issuer(void **state)
{
        struct client c;
        struct reply r;

        client_open(&c, *state);
        r = ask_path(&c, "/ca/" LABEL ".cer");
        assert_field(&r, "surrogate-key", "issuer-" LABEL);
        client_close(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)
                TEST(an_ocsp_answer_names_issuer_shard_and_bucket),
                TEST(one_revoked_by_a_batch_names_the_batch),
                TEST(a_cache_tag_has_commas_and_fewer_buckets_where_wanted),
                TEST(nothing_that_may_not_be_kept_has_tags),
                TEST(switched_off_there_is_no_such_field),
                TEST(a_serial_of_a_shard_names_it),
                TEST(an_answer_signed_on_demand_names_all_its_serials),
                TEST(a_304_has_the_tags_too),
                TEST(a_crl_names_issuer_shard_and_itself),
                TEST(a_ca_certificate_names_its_issuer),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
