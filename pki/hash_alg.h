/* hash_alg: the digests of CertIDs and signatures. One table. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

enum hash_alg { HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512, HASH_N };

#define HASH_LEN_MAX 64 /* octets: of SHA-512 */

const char *hash_alg_name(enum hash_alg alg); /* "sha256" */
size_t hash_alg_len(enum hash_alg alg);        /* octets: 20, 32, 48, 64 */
/* DER AlgorithmIdentifier for a CertID: with NULL parameters, as clients send it (RFC 6960 4.1.1, req 1.8). */
struct bytes hash_alg_identifier(enum hash_alg alg);
/* Reads an AlgorithmIdentifier (parameters absent or NULL). ERR_INVALID: malformed; ERR_UNSUPPORTED: another digest. */
MUST_CHECK enum err hash_alg_read(struct bytes *in, enum hash_alg *ret_alg);
/* The digest of `data`; ret_digest holds HASH_LEN_MAX. ERR_CRYPTO. */
MUST_CHECK enum err hash_digest(enum hash_alg alg, struct bytes data, uint8_t *ret_digest);
