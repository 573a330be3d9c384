/* certificate: what Tocsin wants to know of an X.509 certificate. OpenSSL reads it; nothing of OpenSSL shows here. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "pki/serial.h"
#include "pki/sig_alg.h"

/* All bytes live in one allocation of the struct's own: certificate_done frees it. */
struct certificate {
        struct bytes der; /* whole */
        struct serial serial;
        struct bytes issuer; /* Name, DER, whole */
        struct bytes subject;
        struct bytes spki; /* SubjectPublicKeyInfo, DER, whole */
        struct bytes key;  /* content of its BIT STRING without the unused-bits octet: what keyHash covers */
        struct bytes aki;  /* authorityKeyIdentifier's keyIdentifier, or empty */
        struct bytes ski;  /* subjectKeyIdentifier, or empty */
        int64_t not_before; /* Unix seconds, as not_after */
        int64_t not_after; /* INT64_MAX for 99991231235959Z (RFC 5280 4.1.2.5) */
        bool is_ca;        /* basicConstraints cA */
        bool has_key_usage, key_usage_critical;
        bool ku_digital_signature, ku_crl_sign, ku_cert_sign, ku_others; /* others: any further bit */
        bool has_eku;
        bool eku_ocsp_signing; /* id-kp-OCSPSigning among them */
        unsigned n_eku;
        bool ocsp_nocheck; /* id-pkix-ocsp-nocheck */
        bool has_cdp, has_san, has_aia;
        bool is_precertificate; /* CT poison extension */
        enum key_kind key_kind; /* valid if key_supported */
        bool key_supported;
        unsigned key_bits;  /* 2048, 256, ...; of the modulus or the curve */
        uint8_t sha256[32]; /* of der */
        void *memory;
};

/* One certificate and nothing behind it (RFC 5280 4.1). ERR_INVALID, ERR_NOMEM. */
MUST_CHECK enum err certificate_from_der(struct bytes der, struct certificate *ret);
/* The first certificate in PEM text; *in advances past it, so that bundles are read in a loop. ERR_NOT_FOUND: no
 * more; ERR_INVALID: what stands there is none; ERR_RANGE: over 2 GiB of text. */
MUST_CHECK enum err certificate_from_pem(struct bytes *in, struct certificate *ret);
/* A file with one certificate, PEM or DER. ERR_NOT_FOUND: there is no such file; ERR_INVALID: it holds no certificate;
 * ERR_RANGE: it is over 1 MiB. */
MUST_CHECK enum err certificate_from_file(const char *path, struct certificate *ret);
void certificate_done(struct certificate *c);

/* Is `child` signed by the key of `issuer`, and does its issuer name equal the issuer's subject? ERR_CRYPTO: no. */
MUST_CHECK enum err certificate_verify(const struct certificate *child, const struct certificate *issuer);

/* REQUIREMENTS 2.14, 2.15 (RFC 6960 4.2.2.2, BR 7.1.2.8): may it sign OCSP answers for `ca`? NULL = yes, else the reason in
 * words (static), fit for an operator: "extendedKeyUsage is not only OCSPSigning (BR 7.1.2.8)". Every profile alike: clients check
 * these whoever the CA is. */
const char *certificate_refuse_ocsp_signer(
        const struct certificate *c, const struct certificate *ca, int64_t now_s);
/* May it be an issuer here: a CA, cRLSign, a supported key? NULL = yes. */
const char *certificate_refuse_issuer(const struct certificate *c);
