/* cache_tag: the tags by which a CDN finds what it has cached of us (Surrogate-Key, Cache-Tag, xkey), so that a mass revocation is
 * purged by tag and not URL by URL. Pure: the responder puts them on answers, `tocsin purge-tags` lists those of a list of serials.
 *
 *   issuer-NAME         everything of an issuer
 *   shard-NAME-N        what belongs to its CRL shard N (0: no shards): the OCSP answers and the CRLs
 *   crl-NAME-N          ... the CRLs alone
 *   bucket-NAME-HEX     OCSP answers and renewal information of one in `n_buckets` parts of its serials
 *   batch-ID            what was answered as revoked by that batch
 */
#pragma once

#include "base/bytes.h"

struct cache_tags {
        struct builder *out;
        const char *separator; /* " ", or "," in Cache-Tag */
};

void cache_tag_put_issuer(const struct cache_tags *tags, struct bytes issuer);
void cache_tag_put_shard(const struct cache_tags *tags, struct bytes issuer, uint16_t shard);
void cache_tag_put_crl(const struct cache_tags *tags, struct bytes issuer, uint16_t shard);
/* `serial` as serial.h has it; n_buckets from 1. */
void cache_tag_put_bucket(const struct cache_tags *tags, struct bytes issuer, struct bytes serial, uint32_t n_buckets);
/* Of a bucket that is known already. */
void cache_tag_put_bucket_number(const struct cache_tags *tags, struct bytes issuer, uint32_t bucket);
void cache_tag_put_batch(const struct cache_tags *tags, uint32_t batch);

/* 0..n_buckets - 1: FNV-1a, 32 bits, over the serial's octets, modulo. Never changes: tags outlive versions. */
uint32_t cache_tag_bucket(struct bytes serial, uint32_t n_buckets);
