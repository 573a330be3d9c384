/* vault_msg: the three questions the engine may put to the vault, over two SOCK_SEQPACKET pairs: `urgent` (on-demand) and
 * `bulk`. Vault threads read packets straight from the pairs, urgent first, and look at urgent again between any two
 * signatures of a bulk packet, so an urgent question waits for one signature at most.
 *
 * The vault gets whole bytes to be signed and parses them itself (signer/vault/policy); it signs no digest it was handed.
 *
 *   question: u8 version  u8 kind  u64 id  then by kind
 *     SIGN_OCSP: u8[32] SHA-256 of the signer's SubjectPublicKeyInfo  u8 sig_alg  u8 n  n x block16 ResponseData
 *     SIGN_CRL:  u8[32] likewise  u8 sig_alg  u64 length; the TBSCertList by descriptor
 *     HEALTH:    nothing
 *   answer:   u8 version  u8 kind  u64 id  u8 outcome  block16 text  u8 n  n x block16 raw signature
 * The first packet after a start is an unasked HEALTH answer on `urgent` (id 0): the token opened, or why it did not (then
 * the vault exits).
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "pki/sig_alg.h"

#define VAULT_MSG_VERSION 1
#define VAULT_BATCH_MAX 64
#define VAULT_PACKET_MAX 65536

enum vault_kind { VAULT_SIGN_OCSP = 1, VAULT_SIGN_CRL = 2, VAULT_HEALTH = 3 };

enum vault_outcome {
        VAULT_OK = 0,
        VAULT_REFUSED = 1, /* policy: text says which rule; a bug or an attack, never retried */
        VAULT_NO_KEY = 2,  /* the token has no such key, or it does not fit the configured certificate */
        VAULT_TOKEN = 3,   /* the token failed: the vault exits after this; a new one is started with backoff */
};

struct vault_question {
        uint8_t kind;
        uint64_t id;
        uint8_t signer[32];
        enum sig_alg sig_alg;
        unsigned n; /* OCSP: 1..VAULT_BATCH_MAX */
        struct bytes tbs[VAULT_BATCH_MAX];
        uint64_t crl_len;
};

struct vault_answer {
        uint8_t kind;
        uint64_t id;
        uint8_t outcome;
        struct bytes text;
        unsigned n;
        struct bytes signatures[VAULT_BATCH_MAX];
};

void vault_question_put(struct builder *b, const struct vault_question *q);
/* Borrows from the packet. ERR_INVALID, ERR_VERSION: what `ret` then holds means nothing (it is too large to be copied each
 * time), except that kind (0: not even that) and id are the packet's, so that a refusal can name its question. */
MUST_CHECK enum err vault_question_take(struct bytes packet, struct vault_question *ret);
void vault_answer_put(struct builder *b, const struct vault_answer *a);
/* Borrows from the packet. ERR_INVALID, ERR_VERSION: what `ret` then holds means nothing. */
MUST_CHECK enum err vault_answer_take(struct bytes packet, struct vault_answer *ret);
