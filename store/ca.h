/* ca: the CAs we answer for. CA name -> CA key (the CertID hashes) -> certificates (renewed, cross-signed). A row is a CA
 * key with its name; written by the engine when the configuration loads. */
#pragma once

#include "pki/ca_key.h"
#include "store/txn.h"

struct ca {
        uint32_t id;
        struct bytes label;       /* the configuration's issuer name */
        struct bytes name;        /* subject, DER */
        struct bytes spki;        /* DER */
        struct bytes ski;         /* subjectKeyIdentifier of its certificates: AKI of what it issues */
        int64_t not_after_s;      /* the latest of its certificates */
        struct bytes certificate; /* the newest one, DER: served for AIA */
        struct ca_key key;        /* the hashes, id filled */
};

/* Finds the row of (name, spki), or makes one with a new id. Updates label, certificate and not_after when they differ.
 * Bumps the generation if anything changed. ERR_EXISTS: that label belongs to another key. `ca->id` is ignored; 0 in ret_id
 * once failed. */
MUST_CHECK enum err ca_put(struct txn *txn, const struct ca *ca, uint32_t *ret_id);
MUST_CHECK enum err ca_get(struct txn *txn, uint32_t id, struct ca *ret_ca);
MUST_CHECK enum err ca_find(struct txn *txn, struct bytes label, struct ca *ret_ca);
/* All, in order of id: start with *id = 0; ERR_NOT_FOUND at the end. */
MUST_CHECK enum err ca_next(struct txn *txn, uint32_t *id, struct ca *ret_ca);
