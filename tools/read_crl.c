/* read_crl: a CRL that the same issuer has published before. Its signature must verify with the CA's key (RFC 5280 6.3.3
 * (g)); its entries become revocations of certificates of which nothing else may be known.
 */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "pki/crl.h"
#include "pki/der.h"
#include "tools/cdp.h"
#include "tools/facts.h"
#include "tools/pem.h"
#include "tools/reader.h"

/* DER: a SEQUENCE of a SEQUENCE that begins with version 1 and an algorithm, not with [0] as a certificate's does. */
static bool is_crl(struct bytes content)
{
        struct bytes tbs, dropped, entries, signature;
        struct crl_info info;

        if (content.len < 8 || content.data[0] != DER_SEQUENCE)
                return false;
        return crl_read(content, &tbs, &info, &entries, &signature) == OK ||
               (der_read_only(content, DER_SEQUENCE, &dropped) == OK && der_read(&dropped, DER_SEQUENCE, &tbs) == OK &&
                       der_next_is(tbs, DER_INTEGER) && der_read_any(&tbs, NULL, NULL, NULL) == OK &&
                       der_next_is(tbs, DER_SEQUENCE) && der_read_any(&tbs, NULL, NULL, NULL) == OK &&
                       der_read_any(&tbs, NULL, NULL, NULL) == OK &&
                       (der_next_is(tbs, DER_UTC_TIME) || der_next_is(tbs, DER_GENERALIZED_TIME)));
}

bool read_crl_recognize(struct bytes content)
{
        struct pem pem;
        struct pem_block block;

        pem_init(&pem, content);
        if (content.len > 0 && content.data[0] != DER_SEQUENCE && pem_next(&pem, &block))
                return bytes_equal(block.label, BYTES_LIT("X509 CRL"));
        return is_crl(content);
}

/* Signed by this certificate's key? The algorithm in the CRL names no curve: the key does (pki/sig_alg.h). */
static bool verifies(const struct certificate *ca, const struct crl_info *info, struct bytes tbs, struct bytes signature)
{
        uint8_t raw[SIG_RAW_MAX];
        enum sig_alg alg;
        size_t len;

        return bytes_equal(ca->subject, info->issuer) && ca->key_supported &&
               sig_alg_find(ca->key_kind, sig_alg_hash(info->sig_alg), &alg) == OK &&
               sig_from_der(alg, signature, raw, &len) == OK && sig_verify(alg, ca->spki, tbs, bytes_make(raw, len)) == OK;
}

static const char *refuse_crl(const struct intake *in, const struct crl_info *info, struct bytes tbs, struct bytes signature)
{
        if (info->is_delta)
                return "it is a delta CRL; import the full one";
        for (unsigned i = 0; i < in->ca.n; i++)
                if (verifies(&in->ca.certificates[i], info, tbs, signature))
                        return NULL;
        for (unsigned i = 0; i < in->ca.n; i++)
                if (bytes_equal(in->ca.certificates[i].subject, info->issuer))
                        return "its signature does not verify with this issuer's key";
        return "it was issued by another CA (its issuer's name is not this one's)";
}

static bool to_row_time(int64_t time_s, uint32_t *ret)
{
        if (time_s <= 0 || time_s > UINT32_MAX)
                return false;
        *ret = (uint32_t)time_s;
        return true;
}

static const char *fill_facts(struct facts *f, const struct crl_entry *entry)
{
        struct serial serial;

        if (serial_from_der(entry->serial, &serial) != OK)
                return "its serial is negative, or longer than 20 octets (RFC 5280 4.1.2.2)";
        f->row.serial_len = serial.len;
        memcpy(f->row.serial, serial.data, serial.len);
        if (!to_row_time(entry->revoked_at_s, &f->row.revoked_at))
                return "its date of revocation lies outside 1970..2106";
        if (entry->invalidity_date_s && !to_row_time(entry->invalidity_date_s, &f->row.invalidity_date))
                return "its invalidity date lies outside 1970..2106";
        f->row.reason = (uint8_t)entry->reason;
        f->row.flags = ROWFILE_REVOKED | ROWFILE_CRL_ONLY;
        f->has_status = f->is_revoked = f->has_reason = f->has_date = true;
        return NULL;
}

static void put_entry(struct intake *in, const struct crl_entry *entry, unsigned shard, uint64_t number)
{
        char text[SERIAL_TEXT_LEN] = "";
        struct facts f = {0};
        const char *why = fill_facts(&f, entry);

        f.row.shard = (uint16_t)shard;
        if (f.row.serial_len)
                f.serial_text = bytes_str(serial_to_text(bytes_make(f.row.serial, f.row.serial_len), text));
        if (why)
                intake_reject(in, number, f.serial_text, "%s", why);
        else
                facts_finish(in, &f, number);
}

/* Counted by entry: a CRL has no lines. */
static enum err read_entries(struct intake *in, struct bytes entries, unsigned shard, char *ret_why)
{
        size_t total = entries.len;
        struct crl_entry entry;

        for (uint64_t number = 1; entries.len > 0; number++) {
                enum err e = crl_read_entry(&entries, &entry);

                if (e != OK) {
                        snprintf(ret_why, INTAKE_WHY_MAX, "its entry %llu %s", (unsigned long long)number,
                                e == ERR_UNSUPPORTED ? "has a critical extension that is not known here (RFC 5280 5.3)"
                                                     : "is malformed");
                        return ERR_INVALID;
                }
                put_entry(in, &entry, shard, number);
                if ((number & 0x3fff) == 0)
                        intake_progress(in, total - entries.len, total);
        }
        return OK;
}

static enum err read_der_crl(struct intake *in, struct bytes der, char *ret_why)
{
        struct bytes tbs, entries, signature;
        struct crl_info info;
        enum err e = crl_read(der, &tbs, &info, &entries, &signature);
        const char *why = NULL;

        if (e == ERR_UNSUPPORTED)
                why = "it is signed with an algorithm, or has a critical extension, that is not known here";
        else if (e != OK)
                why = "it is malformed, or no version 2 CRL with a nextUpdate (RFC 5280 5.1.2)";
        else
                why = refuse_crl(in, &info, tbs, signature);
        if (why) {
                snprintf(ret_why, INTAKE_WHY_MAX, "%s", why);
                return ERR_INVALID;
        }
        return read_entries(in, entries, cdp_shard(info.idp_url, in->issuer->crl_url, in->issuer->crl_shards), ret_why);
}

enum err read_crl(struct intake *in, struct bytes content, char *ret_why)
{
        _cleanup_(builder_done) struct builder der = {0};
        struct pem pem;
        struct pem_block block;

        pem_init(&pem, content);
        if (content.len > 0 && content.data[0] == DER_SEQUENCE)
                return read_der_crl(in, content, ret_why);
        if (!pem_next(&pem, &block) || !block.is_whole || pem_decode(block.base64, &der) != OK) {
                snprintf(ret_why, INTAKE_WHY_MAX, "it is no CRL, neither PEM nor DER");
                return ERR_INVALID;
        }
        return read_der_crl(in, builder_bytes(&der), ret_why);
}
