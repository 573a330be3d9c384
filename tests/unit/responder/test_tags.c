/* Surrogate tags on answers that a CDN may keep; named as docs/caching.md says. */
#include "fixture.h"

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
                TEST(a_ca_certificate_names_its_issuer),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
