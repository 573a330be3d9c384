/* issuer: what the engine knows of one configured issuer: its CA certificates, the signers it may ask for, and whether it is
 * served at all. An issuer without a fit OCSP signer is served all the same: its CRLs are made, and questions whose answer
 * was not signed before get tryLater. Loaded from the configuration's files, checked (req 2.14, 2.15), then written to the store, which gives
 * the ids. A set is never changed once it is in use: reload makes another, and the old one stays in memory, since work
 * under way still points at it.
 */
#pragma once

#include "base/conf.h"
#include "pki/ca_key.h"
#include "pki/certificate.h"
#include "store/signer.h"

#define ISSUER_REFUSED_MAX 512

struct issuer_signer {
        bool configured;                  /* may be asked for signatures */
        char refused[ISSUER_REFUSED_MAX]; /* wanted by the configuration, and why it cannot be; "" = it is not wanted, or fit */
        uint32_t id;                     /* the store's */
        const char *label;               /* of the key in the token */
        struct bytes spki, key, subject; /* of the certificate that it signs under */
        struct bytes certificate;        /* the delegate's, to go into `certs`; empty: the CA key itself */
        uint8_t spki_sha256[32];         /* how the vault knows it */
        enum sig_alg sig_alg;
        size_t raw_len;
        int64_t not_after_s;
        int64_t away_until_ms; /* monotonic: the token said it has no such key; not asked again before */
};

struct open_window;

struct issuer {
        const struct conf_issuer *conf;
        char refused[ISSUER_REFUSED_MAX]; /* why it is not served; "" = it is */
        uint32_t ca_key;
        struct certificate ca;       /* the newest */
        struct certificate delegate; /* zeroed when the CA key signs */
        unsigned n_certificates;
        struct ca_key hashes;
        struct issuer_signer ocsp, crl;

        /* Owned by refresh.c: rows freshly signed, and due, as of the last pass and in this one; signed since it began */
        uint64_t n_fresh, n_due, n_fresh_pass, n_due_pass, n_signed_pass;

        /* Owned by live_window.c */
        struct open_window *live;
        bool window_asked;
};

struct issuers {
        const struct conf *conf;
        struct conf *own_conf; /* NULL: conf is somebody else's */
        struct issuer *items;
        unsigned n;
        struct issuers *older; /* kept for what still points at it */
};

/* Reads the certificate files. An issuer that cannot be served has `refused` set: not an error. */
MUST_CHECK enum err issuers_load(const struct conf *conf, int64_t now_s, struct issuers **ret_issuers);
void issuers_free(struct issuers *issuers); /* the older ones too */
/* Writes CAs and signers and takes their ids; signers whose key is no longer configured are disabled. */
MUST_CHECK enum err issuers_sync(struct txn *txn, struct issuers *issuers, int64_t now_s);

struct issuer *issuers_find(struct issuers *issuers, const char *name);
struct issuer *issuers_by_ca_key(struct issuers *issuers, uint32_t ca_key);
static inline bool issuer_is_served(const struct issuer *issuer)
{
        return issuer->refused[0] == '\0';
}
/* Signers whose key the token lacked may be asked for again. */
void issuers_forget_missing_keys(struct issuers *issuers);
/* May CRLs of this shard exist? 0 when the issuer has one full CRL, 1..crl_shards otherwise. */
bool issuer_has_shard(const struct issuer *issuer, uint16_t shard);
/* The space a record of this issuer keeps for a signature. */
static inline size_t issuer_reserve(const struct issuer *issuer)
{
        return issuer->ocsp.raw_len;
}
