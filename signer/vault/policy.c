/* policy: the rules, one small function each, in the order in which they are asked. */
#include "signer/vault/policy.h"

#include <stdio.h>

#include "base/clock.h"
#include "pki/der.h"
#include "pki/extension.h"
#include "pki/ocsp_request.h"
#include "pki/ocsp_response.h"

#define FUTURE_MAX_S                                                                                                        \
        (5 * CLOCK_MINUTE_S)        /* clocks of two processes on one machine agree; the issuer's configuration may round */
#define PAST_MAX_S CLOCK_DAY_S      /* a window is committed before its first signature, and a bulk run takes a while */
#define CRL_PAST_MAX_S CLOCK_HOUR_S /* the time it may take to make a list */
#define SLACK_S (5 * CLOCK_MINUTE_S)
#define SHARD_WORD "{shard}"
#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

int policy_find_key(const struct policy *p, const uint8_t spki_sha256[32])
{
        for (unsigned i = 0; i < p->n_keys; i++)
                if (memcmp(p->keys[i].spki_sha256, spki_sha256, 32) == 0)
                        return (int)i;
        return POLICY_NO_KEY;
}

static const char *check_alg(const struct policy *p, int key, enum sig_alg alg)
{
        return sig_alg_key(alg) == p->keys[key].kind ? NULL : "the algorithm is not one of the key's";
}

static const char *check_this_update(int64_t this_update_s, int64_t now_s, int64_t past_max_s)
{
        if (this_update_s > now_s + FUTURE_MAX_S)
                return "thisUpdate lies in the future";
        if (this_update_s < now_s - past_max_s)
                return "thisUpdate is too old";
        return NULL;
}

/* ---- OCSP ---- */

struct extensions_seen {
        bool nonce, extended_revoked;
};

/* RFC 9654 2.1, req 1.10: 1 to 128 octets. */
static enum err read_nonce(struct bytes value, void *context)
{
        struct extensions_seen *seen = context;
        struct bytes nonce;

        seen->nonce = true;
        if (der_read_only(value, DER_OCTET_STRING, &nonce) != OK)
                return ERR_INVALID;
        return nonce.len >= 1 && nonce.len <= OCSP_NONCE_MAX ? OK : ERR_INVALID;
}

/* RFC 6960 4.4.8: NULL. */
static enum err read_extended_revoked(struct bytes value, void *context)
{
        struct extensions_seen *seen = context;

        seen->extended_revoked = true;
        return bytes_equal(value, BYTES_LIT("\x05\x00")) ? OK : ERR_INVALID;
}

/* The extension list's reader passes over what it has no row for, as long as it is not critical; here it is refused. */
static bool only_known(struct bytes list, const struct extension_row *rows, size_t n_rows)
{
        struct extension extension;
        struct bytes in;
        size_t row;

        if (der_read_only(list, DER_SEQUENCE, &in) != OK)
                return false;
        while (in.len > 0) {
                if (extension_read(&in, &extension) != OK)
                        return false;
                for (row = 0; row < n_rows && !bytes_equal(rows[row].oid, extension.oid); row++)
                        ;
                if (row == n_rows)
                        return false;
        }
        return true;
}

#define PKIX_OCSP(n) "\x2b\x06\x01\x05\x05\x07\x30\x01" n

static const char *check_extensions(struct bytes extensions, struct extensions_seen *seen)
{
        static const struct extension_row rows[] = {
                {{(const uint8_t *)PKIX_OCSP("\x02"), 9}, read_nonce},
                {{(const uint8_t *)PKIX_OCSP("\x09"), 9}, read_extended_revoked},
        };
        struct bytes list;

        if (extensions.len == 0)
                return NULL;
        if (der_read_only(extensions, DER_CONTEXT_CONS(1), &list) != OK || !only_known(list, rows, N_OF(rows)))
                return "responseExtensions hold one that is neither nonce nor extended-revoked";
        if (extension_list_read(list, rows, N_OF(rows), seen) != OK)
                return "responseExtensions are malformed";
        return NULL;
}

static const struct policy_issuer *find_ocsp_issuer(const struct policy *p, int key, const struct ocsp_single_read *single)
{
        for (unsigned i = 0; i < p->n_issuers; i++) {
                const struct policy_issuer *issuer = &p->issuers[i];

                if (issuer->ocsp_key == key &&
                        ca_key_matches(&issuer->ca_key, single->hash, single->name_hash, single->key_hash))
                        return issuer;
        }
        return NULL;
}

/* RFC 6960 4.2.2.3: whose answer it is, the answer says. */
static const char *check_responder(
        const struct policy_key *key, const struct policy_issuer *issuer, const struct ocsp_response_data *data)
{
        bool is_ours = data->responder_name.len > 0 ? bytes_equal(data->responder_name, issuer->ocsp_name)
                                                    : bytes_equal(data->responder_key_hash, BYTES_OF(key->key_sha1));

        return is_ours ? NULL : "responderID is not this signer's";
}

static const char *check_reason(const struct policy_issuer *issuer, enum reason reason)
{
        if (issuer->conf->profile == CONF_PROFILE_CABF_TLS)
                return reason_allowed_cabf(reason) ? NULL : "the reason is not allowed under cabf-tls (BR 7.2.2)";
        return reason_allowed(reason) ? NULL : "the reason is not one that a certificate can be revoked with";
}

static const char *check_ocsp_dates(
        const struct policy_issuer *issuer, const struct ocsp_single_read *single, int64_t produced_at_s, int64_t now_s)
{
        const char *why = check_this_update(single->this_update_s, now_s, PAST_MAX_S);

        if (why)
                return why;
        if (single->this_update_s > produced_at_s + SLACK_S)
                return "thisUpdate lies after producedAt";
        if (single->next_update_s <= single->this_update_s)
                return "nextUpdate does not lie after thisUpdate";
        /* BR 4.9.9, req 2.6: the configuration's own bounds were checked when it loaded. */
        if (single->next_update_s - single->this_update_s > issuer->conf->ocsp_validity_s + SLACK_S)
                return "nextUpdate lies further off than ocsp.validity";
        if (single->next_update_s > issuer->ocsp_not_after_s)
                return "nextUpdate lies after the signer's or the CA's notAfter (req 2.8)";
        return NULL;
}

static const char *check_single(const struct policy *p, int key, const struct ocsp_response_data *data,
        const struct extensions_seen *seen, const struct ocsp_single_read *single, int64_t now_s)
{
        const struct policy_issuer *issuer = find_ocsp_issuer(p, key, single);
        const char *why;

        if (!issuer)
                return "a CertID's issuer is not one this key signs for (RFC 6960 4.2.2.2)";
        why = check_responder(&p->keys[key], issuer, data);
        if (!why && single->status.cert_status == OCSP_REVOKED)
                why = check_reason(issuer, single->status.reason);
        if (!why && seen->extended_revoked && !issuer->conf->ocsp_extended_revoked)
                why = "extended-revoked is not configured for this issuer (req 2.5)";
        return why ? why : check_ocsp_dates(issuer, single, data->produced_at_s, now_s);
}

const char *policy_check_ocsp(const struct policy *p, int key, enum sig_alg alg, struct bytes tbs, int64_t now_s)
{
        struct extensions_seen seen = {0};
        struct ocsp_response_data data;
        const char *why = check_alg(p, key, alg);

        if (why)
                return why;
        if (ocsp_response_data_read(tbs, &data) != OK)
                return "it is no ResponseData in DER (RFC 6960 4.2.1)";
        if (data.produced_at_s > now_s + FUTURE_MAX_S)
                return "producedAt lies in the future";
        if (data.produced_at_s < now_s - PAST_MAX_S)
                return "producedAt is more than a day old";
        why = check_extensions(data.extensions, &seen);
        while (!why && data.responses.len > 0) {
                struct ocsp_single_read single;

                if (ocsp_single_read(&data.responses, &single) != OK)
                        return "a SingleResponse is malformed (RFC 6960 4.2.1)";
                why = check_single(p, key, &data, &seen, &single, now_s);
        }
        return why;
}

/* ---- CRL ---- */

static const struct policy_issuer *find_crl_issuer(const struct policy *p, int key, struct bytes name)
{
        for (unsigned i = 0; i < p->n_issuers; i++)
                if (p->issuers[i].crl_key == key && bytes_equal(p->issuers[i].ca.subject, name))
                        return &p->issuers[i];
        return NULL;
}

/* An ECDSA identifier names no curve, so the inner one is compared as it stands in the bytes (RFC 5280 5.1.1.2, req 4.1). */
static bool same_identifier(enum sig_alg a, enum sig_alg b)
{
        return bytes_equal(sig_alg_identifier(a), sig_alg_identifier(b));
}

const char *policy_check_crl_head(const struct policy *p, int key, enum sig_alg alg, const struct crl_info *info,
        int64_t now_s, struct policy_crl *ret_crl)
{
        const struct policy_issuer *issuer = find_crl_issuer(p, key, info->issuer);
        const char *why = check_alg(p, key, alg);

        if (why)
                return why;
        if (!issuer)
                return "the CRL's issuer is not one this key signs for (req 4.1)";
        if (!same_identifier(info->sig_alg, alg))
                return "the CRL's algorithm is not the one asked for (RFC 5280 5.1.1.2)";
        why = check_this_update(info->this_update_s, now_s, CRL_PAST_MAX_S);
        if (why)
                return why;
        if (info->next_update_s <= info->this_update_s)
                return "nextUpdate does not lie after thisUpdate";
        if (info->next_update_s - info->this_update_s > issuer->conf->crl_validity_s + SLACK_S)
                return "nextUpdate lies further off than crl.validity (req 4.7)";
        *ret_crl = (struct policy_crl){.issuer = issuer};
        return NULL;
}

const char *policy_check_crl_entry(struct policy_crl *crl, const struct crl_entry *entry)
{
        bool is_private = crl->issuer->conf->profile == CONF_PROFILE_PRIVATE;

        if (entry->reason == REASON_REMOVE_FROM_CRL && is_private) {
                crl->has_removal = true; /* whether it is a delta, the tail says */
                return NULL;
        }
        return check_reason(crl->issuer, entry->reason);
}

static struct bytes strip_zeroes(struct bytes n)
{
        struct bytes zero;

        while (n.len > 0 && n.data[0] == 0 && bytes_take(&n, 1, &zero) == OK)
                ;
        return n;
}

int policy_compare_numbers(struct bytes a, struct bytes b)
{
        a = strip_zeroes(a);
        b = strip_zeroes(b);
        if (a.len != b.len)
                return a.len < b.len ? -1 : 1;
        return bytes_compare(a, b);
}

/* Does `url` come from `pattern` by writing a number in 1..n_shards, without leading zeroes, for "{shard}"? */
static bool url_fits(struct bytes url, const char *pattern, unsigned n_shards)
{
        const char *word = strstr(pattern, SHARD_WORD);
        struct bytes head, tail = bytes_str(word ? word + strlen(SHARD_WORD) : ""), digits;
        unsigned number = 0;

        if (!word)
                return bytes_equal(url, bytes_str(pattern));
        if (bytes_take(&url, (size_t)(word - pattern), &head) != OK || memcmp(head.data, pattern, head.len) != 0)
                return false;
        if (url.len <= tail.len || bytes_take(&url, url.len - tail.len, &digits) != OK || !bytes_equal(url, tail))
                return false;
        for (size_t i = 0; i < digits.len; i++) {
                if (digits.data[i] < '0' || digits.data[i] > '9' || digits.data[0] == '0' || number > n_shards)
                        return false;
                number = number * 10 + (digits.data[i] - '0');
        }
        return number >= 1 && number <= n_shards;
}

/* BR 7.2.2.1, req 4.12. A CRL without an IDP is the whole one, of all shards. */
static const char *check_idp(const struct conf_issuer *conf, const struct crl_info *info)
{
        struct bytes idp;

        if (!info->has_idp)
                return NULL;
        if (der_read_only(info->idp, DER_SEQUENCE, &idp) != OK)
                return "the IDP is malformed";
        if (!der_next_is(idp, DER_CONTEXT_CONS(0)) && conf->crl_shards == 0)
                return NULL; /* only which kind of certificates it speaks of */
        if (!url_fits(info->idp_url, conf->crl_url, conf->crl_shards))
                return "the IDP's URL is not the configured one (BR 7.2.2.1)";
        return NULL;
}

/* What our CRLs may carry, and how (RFC 5280 5.2). A delta or a shard whose extension were not critical would be taken for
 * the whole list by a client that does not know it. */
static const struct crl_extension {
        struct bytes oid;
        bool critical, in_full, in_delta;
} crl_extensions[] = {
        {{(const uint8_t *)"\x55\x1d\x23", 3}, false, true, true},  /* authorityKeyIdentifier */
        {{(const uint8_t *)"\x55\x1d\x14", 3}, false, true, true},  /* cRLNumber */
        {{(const uint8_t *)"\x55\x1d\x1c", 3}, true, true, true},   /* issuingDistributionPoint, req 4.12 */
        {{(const uint8_t *)"\x55\x1d\x2e", 3}, false, true, false}, /* freshestCRL */
        {{(const uint8_t *)"\x55\x1d\x1b", 3}, true, false, true},  /* deltaCRLIndicator, req 4.4 */
};

static bool may_carry(const struct extension *extension, bool is_delta)
{
        for (size_t i = 0; i < N_OF(crl_extensions); i++) {
                const struct crl_extension *row = &crl_extensions[i];

                if (bytes_equal(row->oid, extension->oid))
                        return row->critical == extension->critical && (is_delta ? row->in_delta : row->in_full);
        }
        return false;
}

/* A FreshestCRL in a delta is refused here (RFC 5280 5.2.6, req 4.4). */
static const char *check_crl_extensions(const struct crl_info *info, struct bytes tail)
{
        struct extension extension;
        struct bytes list, in;

        if (der_read_only(tail, DER_CONTEXT_CONS(0), &list) != OK || der_read_only(list, DER_SEQUENCE, &in) != OK)
                return "crlExtensions are malformed";
        while (in.len > 0)
                if (extension_read(&in, &extension) != OK || !may_carry(&extension, info->is_delta))
                        return "crlExtensions hold one that such a CRL must not have, or not so (RFC 5280 5.2)";
        return NULL;
}

/* The engine's numbers are milliseconds of the time, or above what was imported. So a vault that has just been started, and
 * knows no number yet, still signs none that is below an older list's. */
static const char *check_number(const struct crl_info *info)
{
        uint64_t floor_ms = (uint64_t)info->this_update_s * 1000;
        uint8_t octets[8];

        for (unsigned i = 0; i < sizeof(octets); i++)
                octets[i] = (uint8_t)(floor_ms >> (56 - 8 * i));
        if (info->number.len == 0)
                return "the CRL has no CRLNumber (RFC 5280 5.2.3)";
        if (policy_compare_numbers(info->number, BYTES_OF(octets)) < 0)
                return "CRLNumber is below thisUpdate in milliseconds: an older list may have it (RFC 5280 5.2.3, req 4.2)";
        return NULL;
}

static const char *check_freshest(const struct conf_issuer *conf, const struct crl_info *info)
{
        if (info->freshest_url.len == 0)
                return NULL;
        if (!url_fits(info->freshest_url, conf->crl_delta_url, conf->crl_shards))
                return "FreshestCRL's URL is not the configured one";
        return NULL;
}

const char *policy_check_crl_tail(const struct policy_crl *crl, const struct crl_info *info, struct bytes tail)
{
        const char *why = check_number(info);

        if (why)
                return why;
        if (!bytes_equal(info->aki, crl->issuer->aki))
                return "authorityKeyIdentifier is not this CA's (RFC 5280 5.2.1)";
        if (info->is_delta && policy_compare_numbers(info->base_number, info->number) >= 0)
                return "a delta CRL's base is not older than itself (RFC 5280 5.2.4)";
        if (!info->is_delta && crl->has_removal)
                return "removeFromCRL outside a delta CRL (RFC 5280 5.3.1)";
        why = check_crl_extensions(info, tail);
        if (!why)
                why = check_idp(crl->issuer->conf, info);
        return why ? why : check_freshest(crl->issuer->conf, info);
}
