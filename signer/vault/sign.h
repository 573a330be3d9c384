/* sign: a question becomes an answer: parse, policy, hash of those same bytes, token.
 *
 * One `struct signer` a thread: its session, its digest context, and two lanes of memory, because an urgent question is
 * answered between two signatures of a bulk one. Nothing is allocated for a question.
 */
#pragma once

#include <openssl/evp.h>

#include "signer/vault/book.h"
#include "signer/vault/numbers.h"
#include "signer/vault/policy.h"
#include "signer/vault/token.h"
#include "signer/vault_msg.h"

/* What all threads share. `shelf` and `numbers` lock. */
struct vault {
        struct shelf shelf;
        struct token token;
        struct numbers numbers;
        int urgent, bulk; /* the pairs' ends */
        int events;       /* epoll on both */
};

#define SIGN_WINDOW 65536

struct lane {
        uint8_t packet[VAULT_PACKET_MAX];
        uint8_t answer[VAULT_PACKET_MAX];
        uint8_t window[SIGN_WINDOW]; /* a CRL slides through it */
        uint8_t raw[VAULT_BATCH_MAX][SIG_RAW_MAX];
        char text[512];
        const struct book *book; /* held while the question is answered */
        struct vault_question question;
        struct vault_answer reply;
};

struct signer {
        struct vault *vault;
        CK_SESSION_HANDLE session;
        EVP_MD_CTX *md;
        EVP_MD *digests[HASH_N];
        struct lane *bulk, *urgent;
        void (*between)(
                struct signer *s); /* between two signatures or pieces of a bulk question; NULL while one is urgent */
};

MUST_CHECK enum err signer_init(struct signer *s, struct vault *vault, CK_SESSION_HANDLE session);
void signer_done(struct signer *s);

/* Fills lane->reply from lane->question; `crl` is the descriptor that came along, or -1. Its texts and signatures live in
 * the lane. */
void sign_answer(struct signer *s, struct lane *lane, int crl);
/* The reply to a packet that vault_question_take refused. */
void sign_refuse(struct lane *lane, const char *why);
/* A hash in progress: begin, update, end. */
MUST_CHECK enum err sign_hash_begin(struct signer *s, EVP_MD_CTX *md, enum hash_alg alg);

/* sign_crl.c: NULL = the TBSCertList in `crl` may be signed and ret_digest is its digest; else static words. */
const char *sign_crl_read(struct signer *s, struct lane *lane, int key, int crl, uint8_t *ret_digest);
