/* issuer: from the configuration's files to rows of the store. */
#include "signer/engine/issuer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/ca.h"
#include "store/event.h"

/* The first reason counts. `why` is that of the issuer, or of one of its signers. */
static void refuse(char why[ISSUER_REFUSED_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

static void refuse(char why[ISSUER_REFUSED_MAX], const char *format, ...)
{
        va_list args;

        if (why[0] != '\0')
                return;
        va_start(args, format);
        vsnprintf(why, ISSUER_REFUSED_MAX, format, args);
        va_end(args);
}

static void path_in_folder(const struct issuer *is, const char *name, char *ret_path, size_t cap)
{
        if (name[0] == '/')
                snprintf(ret_path, cap, "%s", name);
        else
                snprintf(ret_path, cap, "%s/%s", is->conf->folder, name);
}

static enum err load_certificate(const struct issuer *is, const char *name, struct certificate *ret)
{
        char path[4096];

        path_in_folder(is, name, path, sizeof(path));
        return certificate_from_file(path, ret);
}

static bool same_ca(const struct certificate *a, const struct certificate *b)
{
        return bytes_equal(a->subject, b->subject) && bytes_equal(a->spki, b->spki);
}

/* The newest counts; all must be of one name and key, since they share one CertID and one CRL (req 4.18). */
static void add_ca_certificate(struct issuer *is, const char *name)
{
        _cleanup_(certificate_done) struct certificate c = {0};
        enum err e = load_certificate(is, name, &c);
        const char *why;

        if (e != OK) {
                refuse(is->refused, "%s: %s", name, err_text(e));
                return;
        }
        why = certificate_refuse_issuer(&c);
        if (why)
                refuse(is->refused, "%s: %s", name, why);
        if (is->n_certificates > 0 && !same_ca(&c, &is->ca))
                refuse(is->refused, "%s has another name or key than the issuer's first certificate", name);
        if (is->refused[0] != '\0')
                return;
        if (is->n_certificates++ == 0 || c.not_after > is->ca.not_after) {
                struct certificate older = is->ca;

                is->ca = c;
                c = older;
        }
}

static void set_signer(struct issuer_signer *s, const struct certificate *c, const char *label, enum conf_hash hash)
{
        /* conf_hash lists the digests in the order of hash_alg. */
        if (sig_alg_find(c->key_kind, (enum hash_alg)hash, &s->sig_alg) != OK) {
                refuse(s->refused, "no signature algorithm for its key with %s", hash_alg_name((enum hash_alg)hash));
                return;
        }
        if (hash_digest(HASH_SHA256, c->spki, s->spki_sha256) != OK) {
                refuse(s->refused, "SHA-256 failed");
                return;
        }
        s->label = label;
        s->spki = c->spki;
        s->key = c->key;
        s->subject = c->subject;
        s->not_after_s = c->not_after;
        s->raw_len = c->key_kind == KEY_RSA ? c->key_bits / 8 : c->key_kind == KEY_P256 ? 64 : 96;
        s->configured = true;
}

/* RFC 6960 4.2.2.2, req 2.14 */
static void load_ca_as_ocsp_signer(struct issuer *is)
{
        const struct conf_issuer *conf = is->conf;
        const char *label = conf->ocsp_key[0] ? conf->ocsp_key : conf->crl_key;

        if (is->ca.has_key_usage && !is->ca.ku_digital_signature)
                refuse(is->ocsp.refused, "the CA certificate's keyUsage lacks digitalSignature, so the CA key may not sign OCSP "
                                         "answers: set ocsp.key to the label of a key of its own");
        else if (label[0] == '\0')
                refuse(is->ocsp.refused, "neither ocsp.key nor crl.key names a key in the token");
        else
                set_signer(&is->ocsp, &is->ca, label, conf->ocsp_hash);
}

static void load_delegate(struct issuer *is, int64_t now_s)
{
        const struct conf_issuer *conf = is->conf;
        enum err e = load_certificate(is, conf->ocsp_certificate, &is->delegate);
        const char *why;

        if (e == ERR_NOT_FOUND)
                refuse(is->ocsp.refused,
                        "its OCSP signer has no certificate yet: `tocsin key csr --label %.64s` makes the request for the CA, "
                        "`tocsin key install %.64s CERT` puts the certificate in its place",
                        conf->ocsp_key, conf->name);
        if (e != OK) {
                refuse(is->ocsp.refused, "%s: %s", conf->ocsp_certificate, err_text(e));
                return;
        }
        why = certificate_refuse_ocsp_signer(&is->delegate, &is->ca, now_s);
        if (why) {
                refuse(is->ocsp.refused, "%s: %s", conf->ocsp_certificate, why);
                return;
        }
        set_signer(&is->ocsp, &is->delegate, conf->ocsp_key, conf->ocsp_hash);
        is->ocsp.certificate = is->delegate.der;
}

/* RFC 6960 4.2.2.2, req 2.14: a delegate issued by the same CA key, or the CA key itself. */
static void load_signers(struct issuer *is, int64_t now_s)
{
        const struct conf_issuer *conf = is->conf;

        if (conf->ocsp_key[0] == '\0' || conf->ocsp_certificate[0] == '\0')
                load_ca_as_ocsp_signer(is);
        else
                load_delegate(is, now_s);
        if (conf->crl_key[0] != '\0')
                set_signer(&is->crl, &is->ca, conf->crl_key, conf->crl_hash);
}

static void load(struct issuer *is, int64_t now_s)
{
        for (unsigned i = 0; i < is->conf->certificates.n; i++)
                add_ca_certificate(is, is->conf->certificates.items[i]);
        if (is->n_certificates == 0)
                refuse(is->refused, "it has no CA certificate");
        else if (ca_key_init(&is->hashes, is->ca.subject, is->ca.key) != OK)
                refuse(is->refused, "its name or key cannot be hashed");
        if (issuer_is_served(is) && !is->conf->offline)
                load_signers(is, now_s);
}

static void log_refusals(const struct issuer *is)
{
        if (!issuer_is_served(is))
                log_error("issuer is not served issuer=%s why=\"%s\"", is->conf->name, is->refused);
        if (is->ocsp.refused[0] != '\0')
                log_error("no OCSP answers are signed for this issuer issuer=%s why=\"%s\"", is->conf->name, is->ocsp.refused);
        if (is->crl.refused[0] != '\0')
                log_error("no CRLs are signed for this issuer issuer=%s why=\"%s\"", is->conf->name, is->crl.refused);
}

enum err issuers_load(const struct conf *conf, int64_t now_s, struct issuers **ret)
{
        _cleanup_free_
        struct issuers *set = calloc(1, sizeof(*set));

        if (!set)
                return ERR_NOMEM;
        set->items = calloc(conf->n_issuers + 1, sizeof(*set->items));
        if (!set->items)
                return ERR_NOMEM;
        set->conf = conf;
        set->n = conf->n_issuers;
        for (unsigned i = 0; i < set->n; i++) {
                set->items[i].conf = &conf->issuers[i];
                load(&set->items[i], now_s);
                log_refusals(&set->items[i]);
        }
        *ret = steal(&set);
        return OK;
}

void issuers_free(struct issuers *set)
{
        while (set) {
                struct issuers *older = set->older;

                for (unsigned i = 0; i < set->n; i++) {
                        certificate_done(&set->items[i].ca);
                        certificate_done(&set->items[i].delegate);
                }
                conf_free(set->own_conf);
                free(set->items);
                free(set);
                set = older;
        }
}

static enum err sync_signer(struct txn *txn, const struct issuer *is, struct issuer_signer *s, enum signer_use use)
{
        struct signer row = {
                .ca_key = is->ca_key,
                .use = (uint8_t)use,
                .sig_alg = s->sig_alg,
                .key_label = bytes_str(s->label),
                .spki = s->spki,
                .certificate = s->certificate,
                .not_after_s = s->not_after_s,
                .raw_len = (uint32_t)s->raw_len,
        };

        return s->configured ? signer_put(txn, &row, &s->id) : OK;
}

static enum err sync_issuer(struct txn *txn, struct issuer *is)
{
        struct ca row = {
                .label = bytes_str(is->conf->name),
                .name = is->ca.subject,
                .spki = is->ca.spki,
                .ski = is->ca.ski,
                .not_after_s = is->ca.not_after,
                .certificate = is->ca.der,
                .key = is->hashes,
        };
        enum err e;

        if (is->n_certificates == 0)
                return OK;
        e = ca_put(txn, &row, &is->ca_key);
        if (e == ERR_EXISTS) {
                refuse(is->refused, "the store knows this name with another CA key: give the new key a new issuer name");
                log_error("issuer is not served issuer=%s why=\"%s\"", is->conf->name, is->refused);
                return OK;
        }
        if (e == OK)
                e = sync_signer(txn, is, &is->ocsp, SIGNER_OCSP);
        if (e == OK)
                e = sync_signer(txn, is, &is->crl, SIGNER_CRL);
        return e;
}

/* A renewed certificate of the same key leaves the older row enabled: what it signed is as good as before. Only a key that
 * is gone from the configuration takes its answers with it. An issuer or signer that is refused at the moment stays as it was, or an
 * unreadable file would void millions of answers. */
static bool is_still_configured(struct issuers *set, const struct signer *row)
{
        const struct issuer *is = issuers_by_ca_key(set, row->ca_key);
        const struct issuer_signer *s;

        if (!is)
                return false;
        if (!issuer_is_served(is))
                return true;
        s = row->use == SIGNER_OCSP ? &is->ocsp : &is->crl;
        return s->refused[0] != '\0' || (s->configured && bytes_equal(s->spki, row->spki));
}

static enum err disable_others(struct txn *txn, struct issuers *set, int64_t now_s)
{
        struct signer row;
        uint32_t id = 0;
        enum err e;

        while ((e = signer_next(txn, &id, &row)) == OK) {
                uint32_t ca_key = row.ca_key;

                if (row.disabled_at != 0 || is_still_configured(set, &row))
                        continue;
                e = signer_disable(txn, id, now_s);
                if (e != OK)
                        return e;
                event_put(txn, &(struct event){.time_s = now_s,
                                       .kind = EVENT_CA,
                                       .ca_key = ca_key,
                                       .actor = BYTES_LIT("engine"),
                                       .detail = BYTES_LIT("signer disabled: its key is no longer configured")});
                log_warning("signer disabled: its key is no longer configured signer=%u ca_key=%u", id, ca_key);
        }
        return e == ERR_NOT_FOUND ? OK : e;
}

enum err issuers_sync(struct txn *txn, struct issuers *set, int64_t now_s)
{
        for (unsigned i = 0; i < set->n; i++) {
                enum err e = sync_issuer(txn, &set->items[i]);

                if (e != OK)
                        return e;
        }
        return disable_others(txn, set, now_s);
}

struct issuer *issuers_find(struct issuers *set, const char *name)
{
        for (unsigned i = 0; i < set->n; i++)
                if (strcmp(set->items[i].conf->name, name) == 0)
                        return &set->items[i];
        return NULL;
}

struct issuer *issuers_by_ca_key(struct issuers *set, uint32_t ca_key)
{
        for (unsigned i = 0; i < set->n; i++)
                if (set->items[i].ca_key == ca_key && ca_key != 0)
                        return &set->items[i];
        return NULL;
}

void issuers_forget_missing_keys(struct issuers *set)
{
        for (unsigned i = 0; i < set->n; i++)
                set->items[i].ocsp.away_until_ms = 0;
}

bool issuer_has_shard(const struct issuer *is, uint16_t shard)
{
        if (is->conf->crl_shards == 0)
                return shard == 0;
        return shard >= 1 && shard <= is->conf->crl_shards;
}
