/* sig_alg: the signature algorithms Tocsin makes, one table: byte-exact AlgorithmIdentifiers (BR 7.1.3.2, req 2.16),
 * digests, and the form of the raw signature. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "pki/hash_alg.h"

enum sig_alg {
        SIG_RSA_SHA256,
        SIG_RSA_SHA384,
        SIG_RSA_SHA512,
        SIG_P256_SHA256,
        SIG_P256_SHA384,
        SIG_P256_SHA512,
        SIG_P384_SHA256,
        SIG_P384_SHA384,
        SIG_P384_SHA512,
        SIG_N,
};

enum key_kind { KEY_RSA, KEY_P256, KEY_P384 };

#define SIG_RAW_MAX 512     /* octets: RSA-4096 */
#define SIG_RSA_RAW_MIN 256 /* RSA-2048 */

const char *sig_alg_name(enum sig_alg alg); /* "ecdsa-p256-sha256" */
enum key_kind sig_alg_key(enum sig_alg alg);
enum hash_alg sig_alg_hash(enum sig_alg alg);
struct bytes sig_alg_identifier(enum sig_alg alg); /* AlgorithmIdentifier, DER, whole (req 2.16) */
/* The row of that kind of key and digest. ERR_UNSUPPORTED: there is none (SHA-1). */
MUST_CHECK enum err sig_alg_find(enum key_kind key, enum hash_alg hash, enum sig_alg *ret_alg);
/* Reads an AlgorithmIdentifier; ERR_INVALID, or ERR_UNSUPPORTED for one that is not in the table. ECDSA's names no curve: it is read as the
 * P-256 row, and who knows the key asks sig_alg_find(key, sig_alg_hash(alg)) for the right one. */
MUST_CHECK enum err sig_alg_read(struct bytes *in, enum sig_alg *ret_alg);

/* May a raw signature of this algorithm have this length? */
bool sig_raw_len_fits(enum sig_alg alg, size_t len);
/* The longest DER form, in octets, that a signature of this algorithm can have. */
size_t sig_der_max(enum sig_alg alg);

/* Raw signatures are what PKCS#11 gives: r||s of fixed length for ECDSA (64 for P-256, 96 for P-384), the modulus' length
 * for RSA. In DER, ECDSA becomes SEQUENCE { INTEGER r, INTEGER s } (RFC 3279 2.2.3). */
size_t sig_der_len(enum sig_alg alg, struct bytes raw);
/* Writes sig_der_len octets at `at`, returns the first after. */
uint8_t *sig_write_der(uint8_t *at, enum sig_alg alg, struct bytes raw);
/* From DER to raw; ret_raw holds SIG_RAW_MAX. ERR_INVALID. */
MUST_CHECK enum err sig_from_der(enum sig_alg alg, struct bytes der, uint8_t *ret_raw, size_t *ret_len);
/* Does `raw` verify over `tbs` with the key of this SubjectPublicKeyInfo? ERR_CRYPTO: no. */
MUST_CHECK enum err sig_verify(enum sig_alg alg, struct bytes spki, struct bytes tbs, struct bytes raw);
