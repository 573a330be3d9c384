/* sign: one function a kind of question, in one table. */
#include "signer/vault/sign.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum err signer_init(struct signer *s, struct vault *vault, CK_SESSION_HANDLE session)
{
        *s = (struct signer){.vault = vault, .session = session};
        s->md = EVP_MD_CTX_new();
        s->bulk = calloc(1, sizeof(*s->bulk));
        s->urgent = calloc(1, sizeof(*s->urgent));
        if (!s->md || !s->bulk || !s->urgent)
                return ERR_NOMEM;
        for (enum hash_alg alg = 0; alg < HASH_N; alg++)
                s->digests[alg] = EVP_MD_fetch(NULL, hash_alg_name(alg), NULL);
        return OK;
}

void signer_done(struct signer *s)
{
        for (enum hash_alg alg = 0; alg < HASH_N; alg++)
                EVP_MD_free(s->digests[alg]);
        EVP_MD_CTX_free(s->md);
        free(s->bulk);
        free(s->urgent);
        *s = (struct signer){0};
}

enum err sign_hash_begin(struct signer *s, EVP_MD_CTX *md, enum hash_alg alg)
{
        return s->digests[alg] && EVP_DigestInit_ex2(md, s->digests[alg], NULL) == 1 ? OK : ERR_CRYPTO;
}

static enum err hash(struct signer *s, enum hash_alg alg, struct bytes data, uint8_t *ret_digest)
{
        enum err e = sign_hash_begin(s, s->md, alg);

        if (e != OK)
                return e;
        return EVP_DigestUpdate(s->md, data.data, data.len) == 1 && EVP_DigestFinal_ex(s->md, ret_digest, NULL) == 1
                       ? OK
                       : ERR_CRYPTO;
}

/* ---- replies ---- */

static void reply(struct lane *lane, enum vault_outcome outcome, const char *text)
{
        lane->reply.outcome = (uint8_t)outcome;
        lane->reply.text = bytes_str(text);
        if (outcome != VAULT_OK)
                lane->reply.n = 0;
}

static void reply_token(struct lane *lane, const char *call, CK_RV rv)
{
        char name[TOKEN_RV_TEXT];

        snprintf(lane->text, sizeof(lane->text), "%s: %s", call, token_rv_text(rv, name));
        reply(lane, VAULT_TOKEN, lane->text);
}

void sign_refuse(struct lane *lane, const char *why)
{
        bool is_kind = lane->question.kind >= VAULT_SIGN_OCSP && lane->question.kind <= VAULT_HEALTH;

        lane->reply.kind = is_kind ? lane->question.kind : VAULT_HEALTH;
        lane->reply.id = lane->question.id;
        reply(lane, VAULT_REFUSED, why);
}

/* The index of the question's key, or POLICY_NO_KEY and the reply says why. */
static int find_key(struct lane *lane)
{
        int key = policy_find_key(&lane->book->policy, lane->question.signer);

        if (key == POLICY_NO_KEY)
                reply(lane, VAULT_NO_KEY, "no configured issuer signs with this key");
        else if (!lane->book->keys[key].is_there)
                reply(lane, VAULT_NO_KEY, lane->book->keys[key].problem.text);
        else
                return key;
        return POLICY_NO_KEY;
}

/* Hands the digest to the token. False, and the reply says so, if it failed. */
static bool sign_digest(struct signer *s, struct lane *lane, int key, const uint8_t *digest)
{
        unsigned i = lane->reply.n;
        size_t len;
        CK_RV rv = token_sign(&s->vault->token, s->session, lane->book->keys[key].handle, lane->question.sig_alg, digest,
                lane->raw[i], &len);

        if (rv != CKR_OK) {
                reply_token(lane, "C_Sign", rv);
                return false;
        }
        lane->reply.signatures[i] = bytes_make(lane->raw[i], len);
        lane->reply.n = i + 1;
        return true;
}

/* ---- kinds ---- */

/* All of a packet or nothing: one that cannot be signed is a bug or an attack, and its neighbours are then no better. */
static bool check_ocsp(struct lane *lane, int key)
{
        const struct vault_question *q = &lane->question;
        int64_t now_s = clock_now_s();

        for (unsigned i = 0; i < q->n; i++) {
                const char *why = policy_check_ocsp(&lane->book->policy, key, q->sig_alg, q->tbs[i], now_s);

                if (why) {
                        snprintf(lane->text, sizeof(lane->text), "response %u of %u: %s", i + 1, q->n, why);
                        reply(lane, VAULT_REFUSED, lane->text);
                        return false;
                }
        }
        return true;
}

static void answer_ocsp(struct signer *s, struct lane *lane, int crl)
{
        const struct vault_question *q = &lane->question;
        int key = find_key(lane);
        uint8_t digest[HASH_LEN_MAX];

        if (key == POLICY_NO_KEY)
                return;
        if (crl >= 0) {
                reply(lane, VAULT_REFUSED, "an OCSP question brings no descriptor");
                return;
        }
        if (!check_ocsp(lane, key))
                return;
        for (unsigned i = 0; i < q->n; i++) {
                if (i > 0 && s->between)
                        s->between(s);
                if (hash(s, sig_alg_hash(q->sig_alg), q->tbs[i], digest) != OK) {
                        reply(lane, VAULT_REFUSED, "the digest failed");
                        return;
                }
                if (!sign_digest(s, lane, key, digest))
                        return;
        }
}

static void answer_crl(struct signer *s, struct lane *lane, int crl)
{
        int key = find_key(lane);
        uint8_t digest[HASH_LEN_MAX];
        const char *why;

        if (key == POLICY_NO_KEY)
                return;
        why = sign_crl_read(s, lane, key, crl, digest);
        if (why)
                reply(lane, VAULT_REFUSED, why);
        else
                sign_digest(s, lane, key, digest);
}

static void answer_health(struct signer *s, struct lane *lane, int crl)
{
        CK_RV rv = token_check(&s->vault->token, s->session);

        (void)crl;
        if (rv != CKR_OK)
                reply_token(lane, "C_GetSessionInfo", rv);
}

static void answer_by_book(struct signer *s, struct lane *lane, int crl)
{
        static void (*const kinds[])(struct signer *, struct lane *, int) = {
                [VAULT_SIGN_OCSP] = answer_ocsp,
                [VAULT_SIGN_CRL] = answer_crl,
                [VAULT_HEALTH] = answer_health,
        };
        struct book *book = shelf_hold(&s->vault->shelf);

        lane->book = book;
        lane->reply.n = 0;
        reply(lane, VAULT_OK, "");
        kinds[lane->question.kind](s, lane, crl);
        if (lane->reply.outcome == VAULT_NO_KEY) { /* its words may stand in the book */
                snprintf(lane->text, sizeof(lane->text), "%.*s", (int)lane->reply.text.len,
                        (const char *)lane->reply.text.data);
                reply(lane, VAULT_NO_KEY, lane->text);
        }
        lane->book = NULL;
        shelf_release(&s->vault->shelf, book);
}

/* A refusal may be due to a configuration or a key that is newer than our book. */
void sign_answer(struct signer *s, struct lane *lane, int crl)
{
        bool is_refused;

        lane->reply.kind = lane->question.kind;
        lane->reply.id = lane->question.id;
        answer_by_book(s, lane, crl);
        is_refused = lane->reply.outcome == VAULT_REFUSED || lane->reply.outcome == VAULT_NO_KEY;
        if (is_refused && shelf_look_again(&s->vault->shelf, &s->vault->token, s->session))
                answer_by_book(s, lane, crl);
}
