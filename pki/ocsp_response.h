/* ocsp_response: makes the bytes to be signed, and rebuilds the whole response from a window's template, a status and a
 * raw signature. Both go through the same code, so they cannot differ (a property test holds them byte-identical).
 *
 *   OCSPResponse { successful, id-pkix-ocsp-basic, BasicOCSPResponse { ResponseData, sigAlg, signature, [0] certs } }
 *   ResponseData { responderID, producedAt, responses }            version v1 left out (RFC 9919 3.2.1, req 2.18)
 *   SingleResponse { CertID, certStatus, thisUpdate, [0] nextUpdate }
 *
 * All responses of one window share every byte but serial, status and signature.
 */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "pki/reason.h"
#include "pki/sig_alg.h"

enum ocsp_response_status { /* RFC 6960 4.2.1 */
        OCSP_SUCCESSFUL = 0,
        OCSP_MALFORMED_REQUEST = 1,
        OCSP_INTERNAL_ERROR = 2,
        OCSP_TRY_LATER = 3,
        OCSP_SIG_REQUIRED = 5,
        OCSP_UNAUTHORIZED = 6,
};
/* The 5-octet DER of an unsuccessful status (req 2.1). */
struct bytes ocsp_response_error(enum ocsp_response_status status);

enum ocsp_cert_status { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN };

struct ocsp_status {
        enum ocsp_cert_status cert_status;
        enum reason reason;   /* revoked only; unspecified is left out (req 4.9) */
        int64_t revoked_at_s; /* revoked only; Unix seconds */
};

/* The shared bytes of a window, each a complete DER element or run of elements. A window row stores them as they are. */
struct ocsp_template {
        enum sig_alg sig_alg;
        struct bytes responder;  /* responderID [1] or [2], then producedAt GeneralizedTime */
        struct bytes cert_id;    /* hashAlgorithm, issuerNameHash, issuerKeyHash: ca_key_put_cert_id_head */
        struct bytes times;      /* thisUpdate, then [0] nextUpdate */
        struct bytes extensions; /* [1] responseExtensions whole, or empty */
        struct bytes certs;      /* [0] certs whole, or empty */
};

/* Each puts one piece. Times in Unix seconds. */
void ocsp_template_put_responder_by_key(
        struct builder *b, struct bytes key, int64_t produced_at_s); /* key: certificate.key */
void ocsp_template_put_responder_by_name(
        struct builder *b, struct bytes name, int64_t produced_at_s); /* name: subject, DER */
void ocsp_template_put_times(struct builder *b, int64_t this_update_s, int64_t next_update_s);
void ocsp_template_put_certs(struct builder *b, struct bytes certificate_der);
/* responseExtensions with the nonce and/or extended-revoked NULL (RFC 6960 4.4.8); puts nothing when there is neither. */
void ocsp_template_put_extensions(struct builder *b, struct bytes nonce, bool extended_revoked);

/* Upper bounds, in octets, for any serial (<= 20 octets), status and signature under this template. */
size_t ocsp_response_max(const struct ocsp_template *t);

/* ResponseData of a single CertID, in caller's memory of at least ocsp_response_max. ERR_INVALID: a serial
 * that is none. */
MUST_CHECK enum err ocsp_response_tbs(const struct ocsp_template *t, struct bytes serial, const struct ocsp_status *status,
        uint8_t *ret_der, size_t *ret_len);
/* The whole OCSPResponse in two steps: its lengths (octets; each of the content, without the header), then its octets. `raw_signature` as
 * sig_alg.h has it. ERR_INVALID: no serial, or no signature of the template's algorithm. */
struct ocsp_layout {
        size_t responses; /* SEQUENCE OF SingleResponse */
        size_t data;      /* ResponseData */
        size_t signature; /* in DER, without the octet of unused bits */
        size_t basic;     /* BasicOCSPResponse */
        size_t octets;    /* the OCTET STRING around it */
        size_t bytes;     /* ResponseBytes */
        size_t explicit;  /* [0] around it */
        size_t response;  /* OCSPResponse */
        size_t whole;     /* OCSPResponse with its header */
};
MUST_CHECK enum err ocsp_response_lay_out(const struct ocsp_template *t, struct bytes serial, const struct ocsp_status *status,
        struct bytes raw_signature, struct ocsp_layout *ret_layout);
/* Into layout->whole octets of memory; the same arguments as before. Returns the first octet behind. */
uint8_t *ocsp_response_write(uint8_t *at, const struct ocsp_layout *layout, const struct ocsp_template *t, struct bytes serial,
        const struct ocsp_status *status, struct bytes raw_signature);
/* Both at once, in memory of ocsp_response_max. ERR_INVALID as above. */
MUST_CHECK enum err ocsp_response_rebuild(const struct ocsp_template *t, struct bytes serial,
        const struct ocsp_status *status, struct bytes raw_signature, uint8_t *ret_der, size_t *ret_len);

/* ---- several CertIDs, other hashes, a nonce: signed live, never rebuilt ---- */

struct ocsp_single {
        struct bytes cert_id_head; /* like ocsp_template.cert_id, of this CertID's CA key and hash */
        struct bytes serial;
        struct ocsp_status status;
};
/* ResponseData of n singles, all with the template's responder, times and extensions. */
void ocsp_response_put_tbs(struct builder *b, const struct ocsp_template *t, const struct ocsp_single *singles, unsigned n);
/* The whole response around ResponseData that was signed. */
void ocsp_response_put(struct builder *b, const struct ocsp_template *t, struct bytes tbs, struct bytes raw_signature);

/* ---- reading, for the vault's policy and for imports: strict, of the kind made above ---- */

struct ocsp_response_data {
        struct bytes responder_key_hash; /* [2] byKey: 20 octets, or empty */
        struct bytes responder_name;     /* [1] byName: Name whole, or empty */
        int64_t produced_at_s;
        struct bytes responses;  /* content of the SEQUENCE OF SingleResponse: ocsp_single_read in a loop */
        struct bytes extensions; /* [1] whole, or empty */
};
struct ocsp_single_read {
        enum hash_alg hash;
        struct bytes name_hash, key_hash, serial;
        struct ocsp_status status;
        int64_t this_update_s, next_update_s;
};
/* `tbs` must be exactly one ResponseData, v1, with one SingleResponse at least. ERR_INVALID. */
MUST_CHECK enum err ocsp_response_data_read(struct bytes tbs, struct ocsp_response_data *ret);
/* The next of `in`. ERR_INVALID; ERR_UNSUPPORTED: singleExtensions, or a CertID hash that we do not have. */
MUST_CHECK enum err ocsp_single_read(struct bytes *in, struct ocsp_single_read *ret);
/* A successful basic OCSPResponse: its parts, which borrow. `certs` is the content of [0], or empty. ERR_INVALID: malformed,
 * or another status; ERR_UNSUPPORTED: another type or algorithm. */
MUST_CHECK enum err ocsp_response_read(struct bytes der, struct bytes *ret_tbs, enum sig_alg *ret_alg,
        struct bytes *ret_signature_der, struct bytes *ret_certs);
