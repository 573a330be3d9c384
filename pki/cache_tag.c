#include "pki/cache_tag.h"

#define FNV_OFFSET 2166136261u
#define FNV_PRIME 16777619u

uint32_t cache_tag_bucket(struct bytes serial, uint32_t n_buckets)
{
        uint32_t hash = FNV_OFFSET;

        for (size_t i = 0; i < serial.len; i++)
                hash = (hash ^ serial.data[i]) * FNV_PRIME;
        return hash % n_buckets;
}

static void put_number(struct builder *out, uint32_t number, unsigned base)
{
        char text[10];
        size_t at = sizeof text;

        do {
                text[--at] = "0123456789abcdef"[number % base];
                number /= base;
        } while (number > 0);
        builder_put(out, bytes_make(&text[at], sizeof text - at));
}

static void begin(const struct cache_tags *tags, struct bytes kind)
{
        if (tags->out->len > 0)
                builder_put_str(tags->out, tags->separator);
        builder_put(tags->out, kind);
}

static void put(const struct cache_tags *tags, struct bytes kind, struct bytes issuer, uint32_t number, unsigned base)
{
        begin(tags, kind);
        builder_put(tags->out, issuer);
        builder_put_u8(tags->out, '-');
        put_number(tags->out, number, base);
}

void cache_tag_put_issuer(const struct cache_tags *tags, struct bytes issuer)
{
        begin(tags, BYTES_LIT("issuer-"));
        builder_put(tags->out, issuer);
}

void cache_tag_put_shard(const struct cache_tags *tags, struct bytes issuer, uint16_t shard)
{
        put(tags, BYTES_LIT("shard-"), issuer, shard, 10);
}

void cache_tag_put_crl(const struct cache_tags *tags, struct bytes issuer, uint16_t shard)
{
        put(tags, BYTES_LIT("crl-"), issuer, shard, 10);
}

void cache_tag_put_bucket_number(const struct cache_tags *tags, struct bytes issuer, uint32_t bucket)
{
        put(tags, BYTES_LIT("bucket-"), issuer, bucket, 16);
}

void cache_tag_put_bucket(const struct cache_tags *tags, struct bytes issuer, struct bytes serial, uint32_t n_buckets)
{
        cache_tag_put_bucket_number(tags, issuer, cache_tag_bucket(serial, n_buckets));
}

void cache_tag_put_batch(const struct cache_tags *tags, uint32_t batch)
{
        begin(tags, BYTES_LIT("batch-"));
        put_number(tags->out, batch, 10);
}
