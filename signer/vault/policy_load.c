/* policy_load: certificates in, policy out. What is refused here is refused for as long as this vault runs: the engine
 * starts a new one when the configuration changes.
 *
 * Two issuers may use one key (a CA that was renamed, a delegate for several): keys are told apart by their
 * SubjectPublicKeyInfo alone.
 */
#include "signer/vault/policy_load.h"

#include <limits.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/log.h"

/* The index of this key, added if it is new. There is room for two keys an issuer. */
static enum err add_key(struct policy *p, const struct certificate *c, const char *label, int *ret_key)
{
        struct policy_key key = {.spki = c->spki, .kind = c->key_kind, .label = label};
        uint8_t digest[HASH_LEN_MAX];
        int known;

        if (hash_digest(HASH_SHA256, c->spki, digest) != OK)
                return ERR_CRYPTO;
        memcpy(key.spki_sha256, digest, sizeof(key.spki_sha256));
        if (hash_digest(HASH_SHA1, c->key, digest) != OK)
                return ERR_CRYPTO;
        memcpy(key.key_sha1, digest, sizeof(key.key_sha1));
        known = policy_find_key(p, key.spki_sha256);
        if (known == POLICY_NO_KEY) {
                known = (int)p->n_keys;
                p->keys[p->n_keys++] = key;
        }
        *ret_key = known;
        return OK;
}

/* All must share name and key; the one that lives longest bounds what is signed. */
static enum err load_ca(const struct conf_issuer *conf, struct certificate *ret)
{
        _cleanup_(certificate_done) struct certificate longest = {0};

        for (unsigned i = 0; i < conf->certificates.n; i++) {
                _cleanup_(certificate_done) struct certificate c = {0};
                enum err e = certificate_from_file(conf->certificates.items[i], &c);
                struct certificate spare;

                if (e != OK)
                        return e;
                if (certificate_refuse_issuer(&c))
                        return ERR_DENIED;
                if (longest.memory && (!bytes_equal(c.subject, longest.subject) || !bytes_equal(c.spki, longest.spki)))
                        return ERR_INVALID;
                if (!longest.memory || c.not_after > longest.not_after) {
                        spare = longest;
                        longest = c;
                        c = spare;
                }
        }
        if (!longest.memory)
                return ERR_NOT_FOUND;
        *ret = longest;
        longest = (struct certificate){0};
        return OK;
}

/* RFC 5280 5.2.1, 4.2.1.2 method (1): the CA's subjectKeyIdentifier, or where it has none the SHA-1 of its key. */
static enum err set_aki(struct policy_issuer *issuer)
{
        uint8_t digest[HASH_LEN_MAX];

        issuer->aki = issuer->ca.ski;
        if (issuer->aki.len > 0)
                return OK;
        if (hash_digest(HASH_SHA1, issuer->ca.key, digest) != OK)
                return ERR_CRYPTO;
        memcpy(issuer->aki_memory, digest, sizeof(issuer->aki_memory));
        issuer->aki = BYTES_OF(issuer->aki_memory);
        return OK;
}

static const char *refuse_delegate(struct policy_issuer *issuer, int64_t now_s)
{
        const struct conf_issuer *conf = issuer->conf;
        enum err e = certificate_from_file(conf->ocsp_certificate, &issuer->ocsp_signer);

        if (e != OK)
                return err_text(e);
        return certificate_refuse_ocsp_signer(&issuer->ocsp_signer, &issuer->ca, now_s);
}

static enum err use_for_ocsp(struct policy *p, struct policy_issuer *issuer, const struct certificate *c, const char *label)
{
        issuer->ocsp_name = c->subject;
        issuer->ocsp_not_after_s = c->not_after < issuer->ca.not_after ? c->not_after : issuer->ca.not_after;
        return add_key(p, c, label, &issuer->ocsp_key);
}

static enum err add_ocsp(struct policy *p, struct policy_issuer *issuer, int64_t now_s)
{
        const struct conf_issuer *conf = issuer->conf;
        bool by_ca = *conf->ocsp_certificate == '\0' || *conf->ocsp_key == '\0';
        const char *label = *conf->ocsp_key != '\0' ? conf->ocsp_key : conf->crl_key;
        const char *why;

        if (*label == '\0')
                return OK;
        why = by_ca ? certificate_refuse_ocsp_signer(&issuer->ca, &issuer->ca, now_s)
                    : refuse_delegate(issuer, now_s);
        if (why) {
                log_error("no OCSP signer for this issuer, its answers become tryLater: put a fit certificate there, then "
                          "reload "
                          "issuer=%s certificate=%s why=\"%s\"",
                        conf->name, by_ca ? conf->certificates.items[0] : conf->ocsp_certificate, why);
                return OK;
        }
        return use_for_ocsp(p, issuer, by_ca ? &issuer->ca : &issuer->ocsp_signer, label);
}

static enum err add_crl(struct policy *p, struct policy_issuer *issuer)
{
        return *issuer->conf->crl_key == '\0' ? OK : add_key(p, &issuer->ca, issuer->conf->crl_key, &issuer->crl_key);
}

static enum err add_issuer(struct policy *p, const struct conf_issuer *conf, int64_t now_s)
{
        struct policy_issuer *issuer = &p->issuers[p->n_issuers++];
        enum err e;

        *issuer = (struct policy_issuer){.conf = conf, .ocsp_key = POLICY_NO_KEY, .crl_key = POLICY_NO_KEY};
        e = load_ca(conf, &issuer->ca);
        if (e != OK) {
                log_error("nothing is signed for this issuer: its CA certificates must be readable and of one name and key "
                          "issuer=%s why=\"%s\"",
                        conf->name, err_text(e));
                return OK;
        }
        e = ca_key_init(&issuer->ca_key, issuer->ca.subject, issuer->ca.key);
        if (e == OK)
                e = set_aki(issuer);
        if (e == OK)
                e = add_crl(p, issuer);
        return e == OK ? add_ocsp(p, issuer, now_s) : e;
}

/* An offline issuer has no key in a token here (req 4.19). */
enum err policy_load(const struct conf *conf, int64_t now_s, struct policy *ret_policy)
{
        _cleanup_(policy_done) struct policy p = {0};
        enum err e = OK;

        p.issuers = calloc(conf->n_issuers + 1, sizeof(*p.issuers));
        p.keys = calloc(2 * conf->n_issuers + 1, sizeof(*p.keys));
        if (!p.issuers || !p.keys)
                return ERR_NOMEM;
        for (unsigned i = 0; e == OK && i < conf->n_issuers; i++)
                if (!conf->issuers[i].offline)
                        e = add_issuer(&p, &conf->issuers[i], now_s);
        if (e != OK)
                return e;
        *ret_policy = p;
        p = (struct policy){0};
        return OK;
}

void policy_done(struct policy *p)
{
        for (unsigned i = 0; i < p->n_issuers; i++) {
                certificate_done(&p->issuers[i].ca);
                certificate_done(&p->issuers[i].ocsp_signer);
        }
        free(p->issuers);
        free(p->keys);
        *p = (struct policy){0};
}
