/* crl: building a CertificateList (crl_read.c reads one).
 *
 * The order of extensions is fixed: authorityKeyIdentifier, cRLNumber, deltaCRLIndicator, issuingDistributionPoint,
 * freshestCRL. An entry's length is computed from the same parts that are put, so that two passes agree.
 */
#include "pki/crl.h"

#include "base/cleanup.h"
#include "pki/der.h"
#include "pki/extension.h"

#define OID_CE(n) BYTES_LIT("\x55\x1d" n) /* id-ce */
#define TLV_LEN(content_len) (der_header_len(content_len) + (content_len))

/* ---- entries ---- */

/* Extension { OID 2.5.29.21, OCTET STRING { ENUMERATED } }; and 2.5.29.24 { GeneralizedTime }: whole, for an entry is put
 * ten million times. RFC 5280 5.3.1: 0 is left out. Neither is critical. */
#define REASON_HEAD "\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01"
#define REASON_LEN (sizeof(REASON_HEAD) - 1 + 1)
#define INVALIDITY_HEAD "\x30\x18\x06\x03\x55\x1d\x18\x04\x11"
#define INVALIDITY_LEN (sizeof(INVALIDITY_HEAD) - 1 + DER_GENERALIZED_TIME_LEN)

static size_t entry_extensions_len(const struct crl_entry *e)
{
        return (e->reason != REASON_UNSPECIFIED ? REASON_LEN : 0) + (e->invalidity_date_s ? INVALIDITY_LEN : 0);
}

static size_t entry_content_len(const struct crl_entry *e)
{
        size_t extensions_len = entry_extensions_len(e);

        return TLV_LEN(e->serial.len) + der_time_len(e->revoked_at_s) + (extensions_len ? TLV_LEN(extensions_len) : 0);
}

size_t crl_entry_len(const struct crl_entry *e)
{
        return TLV_LEN(entry_content_len(e));
}

static void put_entry_extensions(struct builder *b, const struct crl_entry *e)
{
        size_t len = entry_extensions_len(e);

        if (len == 0)
                return;
        der_put_header(b, DER_SEQUENCE, len);
        if (e->reason != REASON_UNSPECIFIED) {
                builder_put(b, BYTES_LIT(REASON_HEAD));
                builder_put_u8(b, (uint8_t)e->reason);
        }
        if (e->invalidity_date_s) {
                builder_put(b, BYTES_LIT(INVALIDITY_HEAD));
                der_put_generalized_time(b, e->invalidity_date_s);
        }
}

void crl_put_entry(struct builder *b, const struct crl_entry *e)
{
        der_put_header(b, DER_SEQUENCE, entry_content_len(e));
        der_put(b, DER_INTEGER, e->serial);
        der_put_time(b, e->revoked_at_s);
        put_entry_extensions(b, e);
}

/* ---- crlExtensions ---- */

/* Extension { oid, critical, OCTET STRING { what is put between begin and end } } */
struct open_extension {
        size_t sequence, octets;
};

static struct open_extension begin_extension(struct builder *b, struct bytes oid, bool critical)
{
        struct open_extension x;

        x.sequence = der_begin(b, DER_SEQUENCE);
        der_put(b, DER_OID, oid);
        if (critical)
                der_put_bool(b, true);
        x.octets = der_begin(b, DER_OCTET_STRING);
        return x;
}

static void end_extension(struct builder *b, struct open_extension x)
{
        der_end(b, x.octets);
        der_end(b, x.sequence);
}

/* RFC 5280 5.2.1, req 4.2: keyIdentifier [0] only. A CRL without it is not built. */
static void put_aki(struct builder *b, struct bytes key_identifier)
{
        struct open_extension x;
        size_t mark;

        if (key_identifier.len == 0)
                b->failed = true;
        x = begin_extension(b, OID_CE("\x23"), false);
        mark = der_begin(b, DER_SEQUENCE);
        der_put(b, DER_CONTEXT(0), key_identifier);
        der_end(b, mark);
        end_extension(b, x);
}

/* cRLNumber (RFC 5280 5.2.3) and BaseCRLNumber (5.2.4). */
static void put_number(struct builder *b, struct bytes oid, bool critical, uint64_t number)
{
        struct open_extension x = begin_extension(b, oid, critical);

        der_put_uint(b, DER_INTEGER, number);
        end_extension(b, x);
}

/* distributionPoint [0] { fullName [0] { uniformResourceIdentifier [6] } } (RFC 5280 4.2.1.13) */
static void put_point_name(struct builder *b, struct bytes url)
{
        size_t point = der_begin(b, DER_CONTEXT_CONS(0)), full_name = der_begin(b, DER_CONTEXT_CONS(0));

        der_put(b, DER_CONTEXT(6), url);
        der_end(b, full_name);
        der_end(b, point);
}

static void put_flag(struct builder *b, unsigned n, bool set)
{
        if (set)
                der_put(b, (uint8_t)DER_CONTEXT(n), BYTES_LIT("\xff"));
}

/* RFC 5280 5.2.5, req 4.12. */
static void put_idp(struct builder *b, const struct crl_params *p)
{
        struct open_extension x;
        size_t mark;

        if (p->idp_url.len == 0 && !p->idp_only_user_certs && !p->idp_only_ca_certs)
                return;
        x = begin_extension(b, OID_CE("\x1c"), true);
        mark = der_begin(b, DER_SEQUENCE);
        if (p->idp_url.len)
                put_point_name(b, p->idp_url);
        put_flag(b, 1, p->idp_only_user_certs);
        put_flag(b, 2, p->idp_only_ca_certs);
        der_end(b, mark);
        end_extension(b, x);
}

/* RFC 5280 5.2.6: CRLDistributionPoints of one point; req 4.4: never in a delta. */
static void put_freshest(struct builder *b, const struct crl_params *p)
{
        struct open_extension x;
        size_t points, point;

        if (p->freshest_url.len == 0 || p->is_delta)
                return;
        x = begin_extension(b, OID_CE("\x2e"), false);
        points = der_begin(b, DER_SEQUENCE);
        point = der_begin(b, DER_SEQUENCE);
        put_point_name(b, p->freshest_url);
        der_end(b, point);
        der_end(b, points);
        end_extension(b, x);
}

void crl_put_tbs_tail(struct builder *b, const struct crl_params *p)
{
        size_t explicit = der_begin(b, DER_CONTEXT_CONS(0)), list = der_begin(b, DER_SEQUENCE);

        put_aki(b, p->aki);
        put_number(b, OID_CE("\x14"), false, p->number);
        if (p->is_delta)
                put_number(b, OID_CE("\x1b"), true, p->base_number);
        put_idp(b, p);
        put_freshest(b, p);
        der_end(b, list);
        der_end(b, explicit);
}

/* ---- the rest of TBSCertList, and the CRL around it ---- */

/* What stands before revokedCertificates. */
static void put_fields(struct builder *b, const struct crl_params *p)
{
        der_put_uint(b, DER_INTEGER, 1); /* v2 (RFC 5280 5.1.2.1) */
        builder_put(b, sig_alg_identifier(p->sig_alg));
        builder_put(b, p->issuer);
        der_put_time(b, p->this_update_s);
        der_put_time(b, p->next_update_s);
}

void crl_put_tbs_head(struct builder *b, const struct crl_params *p, size_t entries_len)
{
        _cleanup_(builder_done) struct builder fields = {0}, tail = {0};
        size_t list_len = entries_len ? TLV_LEN(entries_len) : 0;

        put_fields(&fields, p);
        crl_put_tbs_tail(&tail, p);
        if (builder_failed(&fields) || builder_failed(&tail)) {
                b->failed = true;
                return;
        }
        der_put_header(b, DER_SEQUENCE, fields.len + list_len + tail.len);
        builder_put(b, builder_bytes(&fields));
        if (entries_len)
                der_put_header(b, DER_SEQUENCE, entries_len);
}

void crl_put_head(struct builder *b, size_t tbs_len, enum sig_alg alg, struct bytes raw_signature)
{
        size_t signature_len = 1 + sig_der_len(alg, raw_signature);

        der_put_header(b, DER_SEQUENCE, tbs_len + sig_alg_identifier(alg).len + TLV_LEN(signature_len));
}

void crl_put_tail(struct builder *b, enum sig_alg alg, struct bytes raw_signature)
{
        uint8_t *at;
        size_t len;

        if (!sig_raw_len_fits(alg, raw_signature.len)) {
                b->failed = true;
                return;
        }
        len = sig_der_len(alg, raw_signature);
        builder_put(b, sig_alg_identifier(alg));
        der_put_header(b, DER_BIT_STRING, 1 + len);
        builder_put_u8(b, 0);
        at = builder_extend(b, len);
        if (at)
                sig_write_der(at, alg, raw_signature);
}
