/* ocsp_response, the reading half: for the vault, which signs only what it has itself parsed, and for imports. Strict, and
 * of the kind that ocsp_response.c makes: whatever else RFC 6960 4.2.1 would allow is ERR_UNSUPPORTED. */
#include "pki/ocsp_response.h"

#include "pki/der.h"

#define BASIC_OID "\x2b\x06\x01\x05\x05\x07\x30\x01\x01"
#define KEY_HASH_LEN 20

static enum err read_generalized(struct bytes *in, int64_t *ret_time_s)
{
        return der_next_is(*in, DER_GENERALIZED_TIME) ? der_read_time(in, ret_time_s) : ERR_INVALID;
}

static enum err read_by_name(struct bytes content, struct ocsp_response_data *ret)
{
        struct bytes name;

        ret->responder_name = content;
        return der_read_only(content, DER_SEQUENCE, &name);
}

static enum err read_by_key(struct bytes content, struct ocsp_response_data *ret)
{
        if (der_read_only(content, DER_OCTET_STRING, &ret->responder_key_hash) != OK)
                return ERR_INVALID;
        return ret->responder_key_hash.len == KEY_HASH_LEN ? OK : ERR_INVALID;
}

static enum err read_responder(struct bytes *in, struct ocsp_response_data *ret)
{
        struct bytes content;
        uint8_t tag;

        if (der_read_any(in, &tag, &content, NULL) != OK)
                return ERR_INVALID;
        if (tag == DER_CONTEXT_CONS(1))
                return read_by_name(content, ret);
        if (tag == DER_CONTEXT_CONS(2))
                return read_by_key(content, ret);
        return ERR_INVALID; /* [0] version too: v1 is the default and left out */
}

static enum err read_response_extensions(struct bytes in, struct bytes *ret_extensions)
{
        struct bytes explicit, list;

        if (in.len == 0)
                return OK;
        if (der_read_only(in, DER_CONTEXT_CONS(1), &explicit) != OK || der_read_only(explicit, DER_SEQUENCE, &list) != OK)
                return ERR_INVALID;
        *ret_extensions = in;
        return list.len > 0 ? OK : ERR_INVALID;
}

enum err ocsp_response_data_read(struct bytes tbs, struct ocsp_response_data *ret)
{
        struct ocsp_response_data d = {0};
        struct bytes in;

        if (der_read_only(tbs, DER_SEQUENCE, &in) != OK || read_responder(&in, &d) != OK)
                return ERR_INVALID;
        if (read_generalized(&in, &d.produced_at_s) != OK || der_read(&in, DER_SEQUENCE, &d.responses) != OK)
                return ERR_INVALID;
        if (d.responses.len == 0 || read_response_extensions(in, &d.extensions) != OK)
                return ERR_INVALID;
        *ret = d;
        return OK;
}

/* ---- SingleResponse ---- */

static enum err read_cert_id(struct bytes *in, struct ocsp_single_read *ret)
{
        struct bytes id;
        enum err e;

        if (der_read(in, DER_SEQUENCE, &id) != OK)
                return ERR_INVALID;
        e = hash_alg_read(&id, &ret->hash);
        if (e != OK)
                return e;
        if (der_read(&id, DER_OCTET_STRING, &ret->name_hash) != OK || der_read(&id, DER_OCTET_STRING, &ret->key_hash) != OK)
                return ERR_INVALID;
        if (der_read_integer(&id, &ret->serial) != OK)
                return ERR_INVALID;
        return der_end_of(id);
}

static enum err read_revoked(struct bytes in, struct ocsp_status *ret)
{
        struct bytes explicit;
        uint64_t reason;

        ret->cert_status = OCSP_REVOKED;
        if (read_generalized(&in, &ret->revoked_at_s) != OK)
                return ERR_INVALID;
        if (in.len == 0)
                return OK;
        if (der_read_only(in, DER_CONTEXT_CONS(0), &explicit) != OK ||
                der_read_uint(&explicit, DER_ENUMERATED, &reason) != OK)
                return ERR_INVALID;
        if (der_end_of(explicit) != OK || reason > REASON_AA_COMPROMISE || !reason_name((unsigned)reason))
                return ERR_INVALID;
        ret->reason = (enum reason)reason;
        return OK;
}

static enum err read_null_status(struct bytes content, enum ocsp_cert_status is, struct ocsp_status *ret)
{
        ret->cert_status = is;
        return der_end_of(content);
}

static enum err read_status(struct bytes *in, struct ocsp_status *ret)
{
        struct bytes content;
        uint8_t tag;

        if (der_read_any(in, &tag, &content, NULL) != OK)
                return ERR_INVALID;
        if (tag == DER_CONTEXT(0))
                return read_null_status(content, OCSP_GOOD, ret);
        if (tag == DER_CONTEXT_CONS(1))
                return read_revoked(content, ret);
        if (tag == DER_CONTEXT(2))
                return read_null_status(content, OCSP_UNKNOWN, ret);
        return ERR_INVALID;
}

/* nextUpdate always (req 2.6). */
static enum err read_times(struct bytes *in, struct ocsp_single_read *ret)
{
        struct bytes explicit;

        if (read_generalized(in, &ret->this_update_s) != OK || der_read(in, DER_CONTEXT_CONS(0), &explicit) != OK)
                return ERR_INVALID;
        if (read_generalized(&explicit, &ret->next_update_s) != OK)
                return ERR_INVALID;
        return der_end_of(explicit);
}

enum err ocsp_single_read(struct bytes *in, struct ocsp_single_read *ret)
{
        struct ocsp_single_read s = {0};
        struct bytes rest = *in, single;
        enum err e;

        if (der_read(&rest, DER_SEQUENCE, &single) != OK)
                return ERR_INVALID;
        e = read_cert_id(&single, &s);
        if (e != OK)
                return e;
        if (read_status(&single, &s.status) != OK || read_times(&single, &s) != OK)
                return ERR_INVALID;
        if (der_next_is(single, DER_CONTEXT_CONS(1)))
                return ERR_UNSUPPORTED; /* singleExtensions: we make none (req 2.10, 2.17) */
        if (der_end_of(single) != OK)
                return ERR_INVALID;
        *in = rest;
        *ret = s;
        return OK;
}

/* ---- OCSPResponse ---- */

/* BasicOCSPResponse whole, from inside its wrappings. */
static enum err unwrap(struct bytes der, struct bytes *ret_basic)
{
        struct bytes response, explicit, bytes, type;
        uint64_t status;

        if (der_read_only(der, DER_SEQUENCE, &response) != OK || der_read_uint(&response, DER_ENUMERATED, &status) != OK)
                return ERR_INVALID;
        if (status != OCSP_SUCCESSFUL || der_read_only(response, DER_CONTEXT_CONS(0), &explicit) != OK)
                return ERR_INVALID;
        if (der_read_only(explicit, DER_SEQUENCE, &bytes) != OK || der_read_oid(&bytes, &type) != OK)
                return ERR_INVALID;
        if (!bytes_equal(type, BYTES_LIT(BASIC_OID)))
                return ERR_UNSUPPORTED;
        return der_read_only(bytes, DER_OCTET_STRING, ret_basic);
}

static enum err read_certs(struct bytes in, struct bytes *ret_certs)
{
        struct bytes explicit, list;

        *ret_certs = BYTES_NONE;
        if (in.len == 0)
                return OK;
        if (der_read_only(in, DER_CONTEXT_CONS(0), &explicit) != OK)
                return ERR_INVALID;
        *ret_certs = explicit;
        return der_read_only(explicit, DER_SEQUENCE, &list);
}

enum err ocsp_response_read(struct bytes der, struct bytes *ret_tbs, enum sig_alg *ret_alg, struct bytes *ret_signature_der,
        struct bytes *ret_certs)
{
        struct bytes basic, in, tbs, signature, certs;
        enum sig_alg alg;
        enum err e = unwrap(der, &basic);

        if (e != OK)
                return e;
        if (der_read_only(basic, DER_SEQUENCE, &in) != OK || der_read_tlv(&in, DER_SEQUENCE, &tbs) != OK)
                return ERR_INVALID;
        e = sig_alg_read(&in, &alg);
        if (e != OK)
                return e;
        if (der_read_bit_string(&in, &signature) != OK || read_certs(in, &certs) != OK)
                return ERR_INVALID;
        *ret_tbs = tbs;
        *ret_alg = alg;
        *ret_signature_der = signature;
        *ret_certs = certs;
        return OK;
}
