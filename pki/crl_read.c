/* crl, the reading half: for the vault's policy, and for CRLs that others made. A TBSCertList may arrive in pieces, so that
 * one of any size is read in bounded memory: the head from its first octets, each entry, then the tail.
 *
 * ERR_AGAIN is said only where the octets that are there are a good beginning and some are missing.
 */
#include "pki/crl.h"

#include "pki/der.h"
#include "pki/extension.h"

#define OID_CE(n)                                                                                                           \
        {                                                                                                                   \
                (const uint8_t *)"\x55\x1d" n, 3                                                                            \
        }
#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What is here of a content, and how much of it there is in all. */
struct piece {
        struct bytes in;
        size_t left; /* from the start of `in` to the content's end: may be beyond in.len */
};

/* The next element's header. */
static enum err peek(const struct piece *p, uint8_t *ret_tag, size_t *ret_header_len, size_t *ret_content_len)
{
        enum err e = der_peek(p->in, ret_tag, ret_header_len, ret_content_len);

        if (e == ERR_AGAIN)
                return p->in.len < p->left ? ERR_AGAIN : ERR_INVALID;
        if (e != OK)
                return e;
        return *ret_header_len + *ret_content_len <= p->left ? OK : ERR_INVALID;
}

static void skip(struct piece *p, size_t n)
{
        p->in = bytes_make(p->in.data + n, p->in.len - n);
        p->left -= n;
}

/* The next element whole. */
static enum err take(struct piece *p, struct bytes *ret_tlv)
{
        size_t header_len, content_len;
        uint8_t tag;
        enum err e = peek(p, &tag, &header_len, &content_len);

        if (e != OK)
                return e;
        if (header_len + content_len > p->in.len)
                return ERR_AGAIN;
        *ret_tlv = bytes_make(p->in.data, header_len + content_len);
        skip(p, ret_tlv->len);
        return OK;
}

/* ---- head ---- */

/* v1 has no version; a CRL of today is v2 (RFC 5280 5.1.2.1, req 4.1). */
static enum err read_version(struct bytes tlv)
{
        uint64_t version;

        if (der_next_is(tlv, DER_SEQUENCE))
                return ERR_UNSUPPORTED;
        if (der_read_uint(&tlv, DER_INTEGER, &version) != OK)
                return ERR_INVALID;
        return version == 1 ? OK : ERR_UNSUPPORTED;
}

static enum err read_algorithm(struct bytes tlv, struct crl_info *info)
{
        return sig_alg_read(&tlv, &info->sig_alg);
}

static enum err read_issuer(struct bytes tlv, struct crl_info *info)
{
        struct bytes name;

        info->issuer = tlv;
        return der_read_only(tlv, DER_SEQUENCE, &name);
}

static enum err read_fields(struct piece *p, struct crl_info *info)
{
        struct bytes version, algorithm, issuer, this_update, next_update;
        enum err e = take(p, &version);

        if (e == OK)
                e = read_version(version);
        if (e == OK)
                e = take(p, &algorithm);
        if (e == OK)
                e = read_algorithm(algorithm, info);
        if (e == OK)
                e = take(p, &issuer);
        if (e == OK)
                e = read_issuer(issuer, info);
        if (e == OK)
                e = take(p, &this_update);
        if (e == OK)
                e = der_read_time(&this_update, &info->this_update_s);
        if (e == OK)
                e = take(p, &next_update);
        return e == OK ? der_read_time(&next_update, &info->next_update_s) : e; /* req 4.6: nextUpdate always */
}

/* revokedCertificates, if it comes next: up to its first entry. */
static enum err read_list_header(struct piece *p, struct crl_info *info)
{
        size_t header_len, content_len;
        uint8_t tag;
        enum err e;

        if (p->left == 0)
                return OK;
        e = peek(p, &tag, &header_len, &content_len);
        if (e != OK || tag != DER_SEQUENCE)
                return e;
        if (content_len == 0)
                return ERR_INVALID; /* RFC 5280 5.1.2.6, req 4.6: an empty list is absent */
        skip(p, header_len);
        info->has_entries = true;
        info->entries_len = content_len;
        return OK;
}

enum err crl_read_tbs_head(struct bytes first, size_t *ret_tbs_len, struct crl_info *ret_info)
{
        size_t header_len, content_len;
        struct crl_info info = {0};
        struct piece p;
        uint8_t tag;
        enum err e = der_peek(first, &tag, &header_len, &content_len);

        if (e != OK)
                return e;
        if (tag != DER_SEQUENCE)
                return ERR_INVALID;
        p = (struct piece){first, header_len + content_len};
        if (p.in.len > p.left) /* what follows the tbs is not ours to read */
                p.in.len = p.left;
        skip(&p, header_len);
        e = read_fields(&p, &info);
        if (e == OK)
                e = read_list_header(&p, &info);
        if (e != OK)
                return e;
        info.entries_offset = header_len + content_len - p.left;
        *ret_tbs_len = header_len + content_len;
        *ret_info = info;
        return OK;
}

/* ---- entries ---- */

static enum err read_reason(struct bytes value, void *context)
{
        struct crl_entry *entry = context;
        uint64_t reason;

        if (der_read_uint(&value, DER_ENUMERATED, &reason) != OK || der_end_of(value) != OK)
                return ERR_INVALID;
        if (reason > REASON_AA_COMPROMISE || !reason_name((unsigned)reason))
                return ERR_INVALID;
        entry->reason = (enum reason)reason;
        return OK;
}

/* RFC 5280 5.3.2. */
static enum err read_invalidity_date(struct bytes value, void *context)
{
        struct crl_entry *entry = context;

        if (!der_next_is(value, DER_GENERALIZED_TIME) || der_read_time(&value, &entry->invalidity_date_s) != OK)
                return ERR_INVALID;
        return der_end_of(value);
}

/* RFC 5280 5.3.3: the entry, and those after it, speak of another CA's certificates. */
static enum err refuse_certificate_issuer(struct bytes value, void *context)
{
        (void)value;
        (void)context;
        return ERR_UNSUPPORTED;
}

static const struct extension_row entry_extensions[] = {
        {OID_CE("\x15"), read_reason},
        {OID_CE("\x18"), read_invalidity_date},
        {OID_CE("\x1d"), refuse_certificate_issuer},
};

static enum err read_entry_content(struct bytes in, struct crl_entry *entry)
{
        if (der_read_integer(&in, &entry->serial) != OK || der_read_time(&in, &entry->revoked_at_s) != OK)
                return ERR_INVALID;
        if (in.len == 0)
                return OK;
        return extension_list_read(in, entry_extensions, N_OF(entry_extensions), entry);
}

enum err crl_read_entry(struct bytes *in, struct crl_entry *ret_entry)
{
        struct piece p = {*in, CRL_ENTRY_MAX};
        struct bytes tlv, content;
        struct crl_entry entry = {0};
        enum err e = take(&p, &tlv);

        if (e != OK)
                return e;
        if (der_read_only(tlv, DER_SEQUENCE, &content) != OK)
                return ERR_INVALID;
        e = read_entry_content(content, &entry);
        if (e != OK)
                return e;
        *in = p.in;
        *ret_entry = entry;
        return OK;
}

/* ---- tail ---- */

/* AuthorityKeyIdentifier (RFC 5280 4.2.1.1); others' may name issuer and serial after the keyIdentifier, or instead. */
static enum err read_aki(struct bytes value, void *context)
{
        struct crl_info *info = context;
        struct bytes content;

        if (der_read_only(value, DER_SEQUENCE, &content) != OK)
                return ERR_INVALID;
        if (!der_next_is(content, DER_CONTEXT(0)))
                return OK;
        return der_read(&content, DER_CONTEXT(0), &info->aki);
}

/* RFC 5280 5.2.3: 0 and up, 20 octets at most (req 4.2). */
static enum err read_number(struct bytes value, struct bytes *ret_number)
{
        struct bytes number;

        if (der_read_integer(&value, &number) != OK || der_end_of(value) != OK)
                return ERR_INVALID;
        if (number.len > CRL_NUMBER_MAX || number.data[0] & 0x80)
                return ERR_INVALID;
        *ret_number = number;
        return OK;
}

static enum err read_crl_number(struct bytes value, void *context)
{
        struct crl_info *info = context;

        return read_number(value, &info->number);
}

static enum err read_delta_indicator(struct bytes value, void *context)
{
        struct crl_info *info = context;

        info->is_delta = true;
        return read_number(value, &info->base_number);
}

/* The one URI of fullName [0] { [6] }; other names and several of them: none. `in` is the content of distributionPoint [0].
 */
static enum err read_point_name(struct bytes in, struct bytes *ret_url)
{
        struct bytes names, url;

        if (!der_next_is(in, DER_CONTEXT_CONS(0)))
                return OK; /* nameRelativeToCRLIssuer */
        if (der_read_only(in, DER_CONTEXT_CONS(0), &names) != OK || names.len == 0)
                return ERR_INVALID;
        if (der_read(&names, DER_CONTEXT(6), &url) == OK && names.len == 0)
                *ret_url = url;
        return OK;
}

/* [1] onlyContainsUserCerts and [2] onlyContainsCACerts are fine; [3] onlySomeReasons, [4] indirectCRL and [5]
 * onlyContainsAttributeCerts make a CRL that means something else than we would (RFC 5280 5.2.5). */
static enum err read_idp_flags(struct bytes in)
{
        struct bytes content;
        uint8_t tag, last = 0;

        while (in.len > 0) {
                if (der_read_any(&in, &tag, &content, NULL) != OK)
                        return ERR_INVALID;
                if (tag <= last) /* in order, each once */
                        return ERR_INVALID;
                last = tag;
                if (tag == DER_CONTEXT(3) || tag == DER_CONTEXT(4) || tag == DER_CONTEXT(5))
                        return ERR_UNSUPPORTED;
                if (tag != DER_CONTEXT(1) && tag != DER_CONTEXT(2))
                        return ERR_INVALID;
                if (!bytes_equal(content, BYTES_LIT("\xff"))) /* FALSE is the default, left out */
                        return ERR_INVALID;
        }
        return OK;
}

static enum err read_idp(struct bytes value, void *context)
{
        struct crl_info *info = context;
        struct bytes content, point;

        info->has_idp = true;
        info->idp = value;
        if (der_read_only(value, DER_SEQUENCE, &content) != OK)
                return ERR_INVALID;
        if (der_next_is(content, DER_CONTEXT_CONS(0)))
                if (der_read(&content, DER_CONTEXT_CONS(0), &point) != OK || read_point_name(point, &info->idp_url) != OK)
                        return ERR_INVALID;
        return read_idp_flags(content);
}

/* The first point's URI. */
static enum err read_freshest(struct bytes value, void *context)
{
        struct crl_info *info = context;
        struct bytes points, first, point;

        if (der_read_only(value, DER_SEQUENCE, &points) != OK || der_read(&points, DER_SEQUENCE, &first) != OK)
                return ERR_INVALID;
        if (!der_next_is(first, DER_CONTEXT_CONS(0)))
                return OK;
        if (der_read(&first, DER_CONTEXT_CONS(0), &point) != OK)
                return ERR_INVALID;
        return read_point_name(point, &info->freshest_url);
}

static const struct extension_row crl_extensions[] = {
        {OID_CE("\x23"), read_aki},
        {OID_CE("\x14"), read_crl_number},
        {OID_CE("\x1b"), read_delta_indicator},
        {OID_CE("\x1c"), read_idp},
        {OID_CE("\x2e"), read_freshest},
};

enum err crl_read_tbs_tail(struct bytes tail, struct crl_info *info)
{
        struct crl_info copy = *info;
        struct bytes list;
        enum err e;

        if (tail.len == 0)
                return OK; /* a foreign v2 CRL may have none; whoever needs a number sees that there is none */
        if (der_read_only(tail, DER_CONTEXT_CONS(0), &list) != OK)
                return ERR_INVALID;
        e = extension_list_read(list, crl_extensions, N_OF(crl_extensions), &copy);
        if (e == OK)
                *info = copy;
        return e;
}

/* ---- whole ---- */

/* RFC 5280 5.1.1.2, req 4.1: byte for byte the algorithm inside. */
static enum err read_outer(struct bytes in, struct bytes inner_algorithm, struct bytes *ret_signature_der)
{
        struct bytes outer;

        if (der_read_tlv(&in, DER_SEQUENCE, &outer) != OK || !bytes_equal(outer, inner_algorithm))
                return ERR_INVALID;
        if (der_read_bit_string(&in, ret_signature_der) != OK)
                return ERR_INVALID;
        return der_end_of(in);
}

static enum err read_whole_tbs(struct bytes tbs, struct crl_info *info, struct bytes *ret_entries)
{
        struct bytes rest = tbs, before;
        size_t tbs_len;
        enum err e = crl_read_tbs_head(tbs, &tbs_len, info);

        if (e != OK)
                return e == ERR_AGAIN ? ERR_INVALID : e;
        if (bytes_take(&rest, info->entries_offset, &before) != OK ||
                bytes_take(&rest, info->entries_len, ret_entries) != OK)
                return ERR_INVALID;
        return crl_read_tbs_tail(rest, info);
}

enum err crl_read(struct bytes der, struct bytes *ret_tbs, struct crl_info *ret_info, struct bytes *ret_entries,
        struct bytes *ret_signature_der)
{
        struct bytes in, tbs, entries, signature;
        struct crl_info info;
        enum err e;

        if (der_read_only(der, DER_SEQUENCE, &in) != OK || der_read_tlv(&in, DER_SEQUENCE, &tbs) != OK)
                return ERR_INVALID;
        e = read_whole_tbs(tbs, &info, &entries);
        if (e != OK)
                return e;
        if (read_outer(in, sig_alg_identifier(info.sig_alg), &signature) != OK)
                return ERR_INVALID;
        *ret_tbs = tbs;
        *ret_info = info;
        *ret_entries = entries;
        *ret_signature_der = signature;
        return OK;
}
