/* pki_helper: keys, certificates and signatures made with OpenSSL for the tests of pki, and a repeatable source of random
 * numbers. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/x509.h>

#include "base/cleanup.h"
#include "pki/ca_key.h"
#include "pki/certificate.h"
#include "pki/sig_alg.h"

#define BYTES_EQUAL(a, b) assert_true(bytes_equal((a), (b)))

/* A CA of one kind of key: made once, kept until the program ends. */
struct helper_ca {
        EVP_PKEY *key;
        X509 *x509;
        struct certificate cert;
        struct ca_key ca_key;
};
const struct helper_ca *helper_ca(enum key_kind kind);

/* A certificate for `key` by `issuer` (NULL: self-signed) with extensions in OpenSSL's configuration syntax, pairs of name
 * and value, NULL-terminated. Dies where OpenSSL does. */
X509 *helper_issue(EVP_PKEY *key, const char *subject, const struct helper_ca *issuer, const char *const *extensions);
/* Both valid from HELPER_NOW_S - 1 d to + 1000 d. */
#define HELPER_NOW_S 1790000000LL
EVP_PKEY *helper_key(enum key_kind kind);
struct bytes helper_der(X509 *x509, uint8_t **ret_memory);

/* Signs; returns the raw form in ret_raw (SIG_RAW_MAX). */
struct bytes helper_sign(enum sig_alg alg, EVP_PKEY *key, struct bytes tbs, uint8_t *ret_raw);

/* xorshift: the same numbers in each run. */
uint64_t helper_random(void);
uint64_t helper_random_below(uint64_t n);
/* A serial number of 1..20 octets. */
struct bytes helper_random_serial(uint8_t ret_memory[20]);
/* The bytes of hex, where "30{...}" is a tag and a content whose length is put in, and spaces mean nothing:
 * "30{020101 04{aabb}}". In static memory, of which the last 8 live. */
struct bytes helper_hex(const char *hex);

struct helper_row {
        const char *why, *hex;
        enum err want;
};
/* Each row's bytes, up to the row of zeros, are read as it wants; where not, the test fails with its `why`. */
void helper_read_rows(const struct helper_row *rows, enum err (*read)(struct bytes in));
