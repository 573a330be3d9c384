/* signer: the keys that sign OCSP responses and CRLs for a CA key, and when each was disabled. Written by the engine. */
#pragma once

#include "pki/sig_alg.h"
#include "store/txn.h"

enum signer_use { SIGNER_OCSP = 1, SIGNER_CRL = 2 };

struct signer {
        uint32_t id;
        uint32_t ca_key;
        uint8_t use; /* enum signer_use */
        enum sig_alg sig_alg;
        struct bytes key_label;   /* in the token */
        struct bytes spki;        /* DER: what makes it this signer, with ca_key, use and sig_alg */
        struct bytes certificate; /* delegate's, DER; empty = the CA key signs itself */
        int64_t not_after_s;      /* of certificate, or of the CA's */
        uint32_t disabled_at;     /* 0 = enabled; answers signed by a disabled one are never served again */
        uint32_t raw_len;         /* octets of its raw signatures: the space to reserve in each row */
};

/* Finds or makes the row of (ca_key, use, spki, certificate, sig_alg). Bumps the generation when it is new. */
MUST_CHECK enum err signer_put(struct txn *txn, const struct signer *signer, uint32_t *ret_id);
MUST_CHECK enum err signer_get(struct txn *txn, uint32_t id, struct signer *ret_signer);
MUST_CHECK enum err signer_disable(struct txn *txn, uint32_t id, int64_t now_s);
MUST_CHECK enum err signer_next(struct txn *txn, uint32_t *id, struct signer *ret_signer);
