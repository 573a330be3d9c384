/* ocsp_request: reads an OCSPRequest (RFC 6960 4.1.1). Strict DER, allocates nothing, borrows from the input.
 *
 * Outcomes: OK; ERR_INVALID = malformedRequest (not DER, version other than v1 (req 1.16), a nonce of 0 or > 128 octets (req
 * 1.10), an unknown critical extension (req 1.15)); ERR_RANGE = more CertIDs than OCSP_CERT_IDS_MAX.
 * requestorName and optionalSignature are checked for form and ignored (req 1.12). An unknown CertID hash is not an
 * error: `hash` is HASH_N and the answer is unauthorized.
 */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "pki/hash_alg.h"
#include "pki/sig_alg.h"

#define OCSP_CERT_IDS_MAX 16
#define OCSP_NONCE_MAX 128

struct ocsp_cert_id {
        enum hash_alg hash; /* HASH_N: an algorithm we do not have */
        struct bytes name_hash;
        struct bytes key_hash;
        struct bytes serial;  /* INTEGER content octets, minimal; any length or sign */
        bool null_parameters; /* the AlgorithmIdentifier carried NULL: the echoed CertID equals the pre-produced one */
        struct bytes der;     /* the CertID whole, to echo */
};

struct ocsp_request {
        unsigned n_cert_ids; /* 1..OCSP_CERT_IDS_MAX */
        struct ocsp_cert_id cert_ids[OCSP_CERT_IDS_MAX];
        struct bytes nonce;   /* the extension's OCTET STRING content; empty = none */
        unsigned n_preferred; /* preferred signature algorithms we know, in the client's order (RFC 6960 4.4.7) */
        enum sig_alg preferred[SIG_N];
        bool is_signed;
};

/* Unlike elsewhere *ret_request is written on failure too (2 KiB would be copied for nothing); it then means nothing. */
MUST_CHECK enum err ocsp_request_read(struct bytes der, struct ocsp_request *ret_request);

/* ---- what most requests are: one CertID of a known issuer, and nothing behind its serial ----
 *
 * Two requests that differ in nothing but that serial's octets are read alike, so the second need not be. */

#define OCSP_SHAPE_MAX 160 /* octets of a request before its serial */

struct ocsp_shape {
        uint16_t der_len;    /* 0: no request was remembered */
        uint16_t serial_at;
        uint16_t cert_id_at, name_hash_at, name_hash_len, key_hash_at, key_hash_len;
        bool null_parameters;
        enum hash_alg hash;
        uint8_t before[OCSP_SHAPE_MAX]; /* all octets up to the serial's */
};

/* `request` was read from `der`. Nothing is remembered of requests of another kind. */
void ocsp_shape_remember(struct ocsp_shape *shape, struct bytes der, const struct ocsp_request *request);
/* Reads `der` if it is of that shape: just what ocsp_request_read would make of it. */
bool ocsp_shape_read(const struct ocsp_shape *shape, struct bytes der, struct ocsp_request *ret_request);
