/* What pki/cache_tag.h promises. */
#include "pki_helper.h"

#include "pki/cache_tag.h"

#define CA BYTES_LIT("demo-ca")

static void the_tags_are_named_as_the_documentation_says(void **state)
{
        struct builder b = {0};
        struct cache_tags tags = {&b, " "};

        (void)state;
        cache_tag_put_issuer(&tags, CA);
        cache_tag_put_shard(&tags, CA, 65535);
        cache_tag_put_crl(&tags, CA, 0);
        cache_tag_put_bucket(&tags, CA, BYTES_LIT("a"), 65536);
        cache_tag_put_batch(&tags, UINT32_MAX);
        assert_true(bytes_equal(builder_bytes(&b),
                BYTES_LIT("issuer-demo-ca shard-demo-ca-65535 crl-demo-ca-0 bucket-demo-ca-292c batch-4294967295")));
        builder_done(&b);
}

static void a_cache_tag_field_has_commas(void **state)
{
        struct builder b = {0};
        struct cache_tags tags = {&b, ","};

        (void)state;
        cache_tag_put_issuer(&tags, CA);
        cache_tag_put_batch(&tags, 7);
        assert_true(bytes_equal(builder_bytes(&b), BYTES_LIT("issuer-demo-ca,batch-7")));
        builder_done(&b);
}

/* The published values of FNV-1a: a CDN keeps tags longer than we run. */
static void the_bucket_of_a_serial_never_changes(void **state)
{
        (void)state;
        assert_int_equal(cache_tag_bucket(BYTES_NONE, UINT32_MAX), 0x811c9dc5);
        assert_int_equal(cache_tag_bucket(BYTES_LIT("a"), UINT32_MAX), 0xe40c292c);
        assert_int_equal(cache_tag_bucket(BYTES_LIT("foobar"), UINT32_MAX), 0xbf9cf968);
}

static void serials_that_are_counted_up_spread_over_all_buckets(void **state)
{
        unsigned counts[256] = {0};

        (void)state;
        for (uint32_t i = 0; i < 65536; i++) {
                uint8_t serial[4] = {1, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

                counts[cache_tag_bucket(BYTES_OF(serial), 256)]++;
        }
        for (unsigned i = 0; i < 256; i++)
                assert_in_range(counts[i], 128, 512);
}

static void one_bucket_holds_all(void **state)
{
        (void)state;
        assert_int_equal(cache_tag_bucket(BYTES_LIT("foobar"), 1), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_tags_are_named_as_the_documentation_says),
                cmocka_unit_test(a_cache_tag_field_has_commas),
                cmocka_unit_test(the_bucket_of_a_serial_never_changes),
                cmocka_unit_test(serials_that_are_counted_up_spread_over_all_buckets),
                cmocka_unit_test(one_bucket_holds_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
