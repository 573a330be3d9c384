/* policy: what may be signed. Pure: parsed bytes, the configured issuers and the time go in; NULL or the words of a refusal
 * come out.
 *
 * Whoever can talk to the vault, the engine included, gets nothing signed that is not, after the vault's own strict parse, a
 * ResponseData or a TBSCertList of one of these issuers, with dates inside its configuration. A refusal names the rule.
 */
#pragma once

#include "base/conf.h"
#include "pki/ca_key.h"
#include "pki/certificate.h"
#include "pki/crl.h"

/* A key that this vault may sign with. */
struct policy_key {
        uint8_t spki_sha256[32];
        struct bytes spki;
        enum key_kind kind;
        uint8_t key_sha1[20]; /* byKey's KeyHash */
        const char *label;    /* in the token */
};

#define POLICY_NO_KEY (-1)

struct policy_issuer {
        const struct conf_issuer *conf;
        struct certificate ca;          /* of its certificates the one that lives longest: all share name and key */
        struct certificate ocsp_signer; /* the delegate's; empty if the CA key signs */
        struct ca_key ca_key;
        struct bytes aki; /* what its CRLs must carry */
        uint8_t aki_memory[20];
        int ocsp_key;             /* index of a policy_key, or POLICY_NO_KEY */
        struct bytes ocsp_name;   /* byName's Name */
        int64_t ocsp_not_after_s; /* no answer outlives this (req 2.8) */
        int crl_key;              /* likewise */
};

/* Made by policy_load, then read by all threads. */
struct policy {
        struct policy_issuer *issuers;
        unsigned n_issuers;
        struct policy_key *keys;
        unsigned n_keys;
};

/* The index of the key with that hash of its SubjectPublicKeyInfo, or POLICY_NO_KEY. */
int policy_find_key(const struct policy *p, const uint8_t spki_sha256[32]);

/* May `tbs` be signed with that key? NULL = yes; else static words. Allocates nothing. */
const char *policy_check_ocsp(const struct policy *p, int key, enum sig_alg alg, struct bytes tbs, int64_t now_s);

/* A CRL is judged in three steps, as it is read. */
struct policy_crl {
        const struct policy_issuer *issuer;
        bool has_removal; /* an entry was removeFromCRL: only a delta may have one */
};
const char *policy_check_crl_head(const struct policy *p, int key, enum sig_alg alg, const struct crl_info *info,
        int64_t now_s, struct policy_crl *ret_crl);
const char *policy_check_crl_entry(struct policy_crl *crl, const struct crl_entry *entry);
/* `tail`: the octets that crl_read_tbs_tail read into `info`. */
const char *policy_check_crl_tail(const struct policy_crl *crl, const struct crl_info *info, struct bytes tail);

/* -1, 0, 1: CRLNumbers (content octets of non-negative INTEGERs) in order. */
int policy_compare_numbers(struct bytes a, struct bytes b);
