/* ca_key: the identity that a CertID names: a CA's name and key, hashed with each algorithm. Many CA certificates
 * (renewed, cross-signed) share one. Pure: the store gives it its id. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "pki/hash_alg.h"

struct ca_key {
        uint32_t id;                             /* the store's; 0 = none yet */
        uint8_t name_hash[HASH_N][HASH_LEN_MAX]; /* of the subject Name, DER, whole */
        uint8_t key_hash[HASH_N][HASH_LEN_MAX];  /* of the key's BIT STRING content without unused-bits (RFC 6960 4.1.1) */
};

/* Fills the hashes from certificate.subject and certificate.key; the id stays 0. ERR_CRYPTO. */
MUST_CHECK enum err ca_key_init(struct ca_key *ret, struct bytes name, struct bytes key);
/* Both hashes with this algorithm equal? (lengths checked) */
bool ca_key_matches(const struct ca_key *k, enum hash_alg alg, struct bytes name_hash, struct bytes key_hash);
/* The part of a CertID before its serial: hashAlgorithm, issuerNameHash, issuerKeyHash TLVs. */
void ca_key_put_cert_id_head(struct builder *b, const struct ca_key *k, enum hash_alg alg);
