/* ocsp_request: see ocsp_request.h. Guard clauses in the order of RFC 6960 4.1.1's ASN.1.
 *
 * Everything that is used is read strictly. What is ignored (requestorName, the signature) is checked for form only.
 */
#include "pki/ocsp_request.h"

#include "pki/der.h"
#include "pki/extension.h"

/* ---- extensions (RFC 6960 4.4) ---- */

/* RFC 9654 2.1, req 1.10: Nonce ::= OCTET STRING(SIZE(1..128)), in DER within extnValue. Raw octets without that tag are
 * malformed; OpenSSL before 0.9.7 sent such, and others since (Keycloak did, but among singleRequestExtensions, where it is
 * ignored). */
static enum err read_nonce(struct bytes value, void *context)
{
        struct ocsp_request *r = context;
        struct bytes nonce;

        if (der_read_only(value, DER_OCTET_STRING, &nonce) != OK)
                return ERR_INVALID;
        if (nonce.len < 1 || nonce.len > OCSP_NONCE_MAX)
                return ERR_INVALID;
        r->nonce = nonce;
        return OK;
}

static void add_preferred(struct ocsp_request *r, enum sig_alg alg)
{
        for (unsigned i = 0; i < r->n_preferred; i++)
                if (r->preferred[i] == alg)
                        return;
        r->preferred[r->n_preferred++] = alg;
}

/* An ECDSA identifier names no curve: every row of its digest is meant. */
static void add_preferred_ecdsa(struct ocsp_request *r, enum hash_alg hash)
{
        for (enum sig_alg alg = 0; alg < SIG_N; alg++)
                if (sig_alg_key(alg) != KEY_RSA && sig_alg_hash(alg) == hash)
                        add_preferred(r, alg);
}

/* PreferredSignatureAlgorithm ::= SEQUENCE { sigIdentifier, pubKeyAlgIdentifier SMIMECapability OPTIONAL }; the second does
 * not matter to us: we have the keys we have. Algorithms that we do not make are passed over. */
static enum err read_preferred_one(struct bytes *in, struct ocsp_request *r)
{
        struct bytes one, identifier, capability;
        enum sig_alg alg;
        enum err e;

        if (der_read(in, DER_SEQUENCE, &one) != OK || der_read_tlv(&one, DER_SEQUENCE, &identifier) != OK)
                return ERR_INVALID;
        if (one.len > 0 && der_read_tlv(&one, DER_SEQUENCE, &capability) != OK)
                return ERR_INVALID;
        if (der_end_of(one) != OK)
                return ERR_INVALID;
        e = sig_alg_read(&identifier, &alg);
        if (e == ERR_UNSUPPORTED)
                return OK;
        if (e != OK)
                return e;
        if (sig_alg_key(alg) == KEY_RSA)
                add_preferred(r, alg);
        else
                add_preferred_ecdsa(r, sig_alg_hash(alg));
        return OK;
}

/* RFC 6960 4.4.7.1, req 1.13. */
static enum err read_preferred(struct bytes value, void *context)
{
        struct bytes list;

        if (der_read_only(value, DER_SEQUENCE, &list) != OK)
                return ERR_INVALID;
        while (list.len > 0)
                if (read_preferred_one(&list, context) != OK)
                        return ERR_INVALID;
        return OK;
}

/* RFC 6960 4.4.3, req 1.14: AcceptableResponses ::= SEQUENCE OF OBJECT IDENTIFIER. The answer is basic whatever it says. */
static enum err read_acceptable(struct bytes value, void *context)
{
        struct bytes list, oid;

        (void)context;
        if (der_read_only(value, DER_SEQUENCE, &list) != OK)
                return ERR_INVALID;
        while (list.len > 0)
                if (der_read_oid(&list, &oid) != OK)
                        return ERR_INVALID;
        return OK;
}

#define PKIX_OCSP(n)                                                                                                        \
        {                                                                                                                   \
                (const uint8_t *)"\x2b\x06\x01\x05\x05\x07\x30\x01" n, 9                                                    \
        }

static const struct extension_row request_extensions[] = {
        {PKIX_OCSP("\x02"), read_nonce},
        {PKIX_OCSP("\x04"), read_acceptable},
        {PKIX_OCSP("\x08"), read_preferred},
};

/* RFC 6960 4.4.6, req 1.14: the service locator is tolerated; we forward nothing. */
static const struct extension_row single_extensions[] = {
        {PKIX_OCSP("\x07"), NULL},
};

/* RFC 6960 4.1.2, req 1.15: an unknown critical extension must be understood or refused. */
static enum err read_extensions(struct bytes list, const struct extension_row *rows, size_t n_rows, struct ocsp_request *r)
{
        return extension_list_read(list, rows, n_rows, r) == OK ? OK : ERR_INVALID;
}

/* ---- CertIDs ---- */

/* AlgorithmIdentifier of a digest that we do not have: no error (the answer is unauthorized), as long as it has the form. */
static enum err read_unknown_hash(struct bytes tlv, struct ocsp_cert_id *id)
{
        struct bytes content, oid;

        if (der_read_only(tlv, DER_SEQUENCE, &content) != OK || der_read_oid(&content, &oid) != OK)
                return ERR_INVALID;
        id->hash = HASH_N;
        id->null_parameters = bytes_equal(content, BYTES_LIT("\x05\x00"));
        if (content.len > 0 && der_read_any(&content, NULL, NULL, NULL) != OK)
                return ERR_INVALID;
        return der_end_of(content);
}

static enum err read_hash(struct bytes *in, struct ocsp_cert_id *id)
{
        struct bytes rest = *in, tlv;
        enum err e;

        if (der_read_tlv(in, DER_SEQUENCE, &tlv) != OK)
                return ERR_INVALID;
        e = hash_alg_read(&rest, &id->hash);
        if (e == ERR_UNSUPPORTED)
                return read_unknown_hash(tlv, id);
        if (e != OK)
                return ERR_INVALID;
        id->null_parameters = bytes_equal(tlv, hash_alg_identifier(id->hash));
        return OK;
}

static enum err read_cert_id(struct bytes *in, struct ocsp_cert_id *id)
{
        struct bytes content, whole = *in;

        if (der_read(in, DER_SEQUENCE, &content) != OK)
                return ERR_INVALID;
        id->der = bytes_make(whole.data, whole.len - in->len);
        if (read_hash(&content, id) != OK)
                return ERR_INVALID;
        if (der_read(&content, DER_OCTET_STRING, &id->name_hash) != OK ||
                der_read(&content, DER_OCTET_STRING, &id->key_hash) != OK)
                return ERR_INVALID;
        if (der_read_integer(&content, &id->serial) != OK)
                return ERR_INVALID;
        return der_end_of(content);
}

/* Request ::= SEQUENCE { reqCert CertID, singleRequestExtensions [0] EXPLICIT Extensions OPTIONAL } */
static enum err read_one(struct bytes *in, struct ocsp_request *r)
{
        struct bytes one, list;

        if (der_read(in, DER_SEQUENCE, &one) != OK)
                return ERR_INVALID;
        if (r->n_cert_ids == OCSP_CERT_IDS_MAX)
                return ERR_RANGE; /* req 1.7 */
        if (read_cert_id(&one, &r->cert_ids[r->n_cert_ids]) != OK)
                return ERR_INVALID;
        r->n_cert_ids++;
        if (one.len == 0)
                return OK;
        if (der_read_only(one, DER_CONTEXT_CONS(0), &list) != OK)
                return ERR_INVALID;
        return read_extensions(list, single_extensions, sizeof(single_extensions) / sizeof(single_extensions[0]), r);
}

/* A request that asks nothing has no answer: ResponseData needs responses too. */
static enum err read_request_list(struct bytes *in, struct ocsp_request *r)
{
        struct bytes list;
        enum err e;

        if (der_read(in, DER_SEQUENCE, &list) != OK || list.len == 0)
                return ERR_INVALID;
        while (list.len > 0) {
                e = read_one(&list, r);
                if (e != OK)
                        return e;
        }
        return OK;
}

/* ---- what is ignored, if it has the form ---- */

/* requestorName [1] EXPLICIT GeneralName (req 1.12): one element with one of its nine tags. */
static enum err skip_requestor_name(struct bytes *in)
{
        struct bytes name;
        uint8_t tag;

        if (!der_next_is(*in, DER_CONTEXT_CONS(1)))
                return OK;
        if (der_read(in, DER_CONTEXT_CONS(1), &name) != OK || der_read_any(&name, &tag, NULL, NULL) != OK)
                return ERR_INVALID;
        if ((tag & 0xc0) != 0x80 || (tag & 0x1f) > 8)
                return ERR_INVALID;
        return der_end_of(name);
}

static enum err skip_signature_certs(struct bytes in)
{
        struct bytes explicit, certs;

        if (in.len == 0)
                return OK;
        if (der_read_only(in, DER_CONTEXT_CONS(0), &explicit) != OK)
                return ERR_INVALID;
        return der_read_only(explicit, DER_SEQUENCE, &certs);
}

/* optionalSignature [0] EXPLICIT SEQUENCE { AlgorithmIdentifier, BIT STRING, certs [0] EXPLICIT OPTIONAL } (req 1.12) */
static enum err skip_signature(struct bytes in, struct ocsp_request *r)
{
        struct bytes explicit, content, algorithm, signature;

        if (in.len == 0)
                return OK;
        if (der_read_only(in, DER_CONTEXT_CONS(0), &explicit) != OK || der_read_only(explicit, DER_SEQUENCE, &content) != OK)
                return ERR_INVALID;
        if (der_read(&content, DER_SEQUENCE, &algorithm) != OK || der_read_bit_string(&content, &signature) != OK)
                return ERR_INVALID;
        r->is_signed = true;
        return skip_signature_certs(content);
}

/* version [0] EXPLICIT DEFAULT v1 (RFC 6960 4.1.1, req 1.16). DER leaves a default out (X.690 11.5) and v1 is the only
 * version, so the field is refused whatever it holds. None of the clients whose requests tests/vectors/ keeps (openssl ocsp,
 * ocsptool, Java, python-cryptography) sends it. */
static enum err read_tbs(struct bytes in, struct ocsp_request *r)
{
        struct bytes list;
        enum err e;

        if (der_next_is(in, DER_CONTEXT_CONS(0)))
                return ERR_INVALID;
        if (skip_requestor_name(&in) != OK)
                return ERR_INVALID;
        e = read_request_list(&in, r);
        if (e != OK)
                return e;
        if (in.len == 0)
                return OK;
        if (der_read_only(in, DER_CONTEXT_CONS(2), &list) != OK)
                return ERR_INVALID;
        return read_extensions(list, request_extensions, sizeof(request_extensions) / sizeof(request_extensions[0]), r);
}

/* Not a whole struct of zeroes: the CertIDs are filled as they are read. */
static void clear(struct ocsp_request *r)
{
        r->n_cert_ids = 0;
        r->nonce = BYTES_NONE;
        r->n_preferred = 0;
        r->is_signed = false;
}

enum err ocsp_request_read(struct bytes der, struct ocsp_request *ret_request)
{
        struct bytes request, tbs;
        enum err e;

        clear(ret_request);
        if (der_read_only(der, DER_SEQUENCE, &request) != OK || der_read(&request, DER_SEQUENCE, &tbs) != OK)
                return ERR_INVALID;
        e = read_tbs(tbs, ret_request);
        if (e != OK)
                return e;
        return skip_signature(request, ret_request);
}

/* ---- shapes ---- */

static bool is_last(struct bytes der, struct bytes part)
{
        return part.len > 0 && part.data - der.data == (ptrdiff_t)(der.len - part.len);
}

static bool is_plain(const struct ocsp_request *r)
{
        return r->n_cert_ids == 1 && r->cert_ids[0].hash != HASH_N && r->nonce.len == 0 && r->n_preferred == 0 && !r->is_signed;
}

static uint16_t place_of(struct bytes der, struct bytes part)
{
        return (uint16_t)(part.data - der.data);
}

void ocsp_shape_remember(struct ocsp_shape *shape, struct bytes der, const struct ocsp_request *request)
{
        const struct ocsp_cert_id *id = &request->cert_ids[0];

        if (!is_plain(request) || !is_last(der, id->serial) || der.len - id->serial.len > sizeof shape->before || der.len > UINT16_MAX)
                return;
        *shape = (struct ocsp_shape){
                .der_len = (uint16_t)der.len,
                .serial_at = place_of(der, id->serial),
                .cert_id_at = place_of(der, id->der),
                .name_hash_at = place_of(der, id->name_hash),
                .name_hash_len = (uint16_t)id->name_hash.len,
                .key_hash_at = place_of(der, id->key_hash),
                .key_hash_len = (uint16_t)id->key_hash.len,
                .null_parameters = id->null_parameters,
                .hash = id->hash,
        };
        memcpy(shape->before, der.data, shape->serial_at);
}

bool ocsp_shape_read(const struct ocsp_shape *shape, struct bytes der, struct ocsp_request *ret_request)
{
        struct ocsp_cert_id *id = &ret_request->cert_ids[0];
        size_t at = shape->serial_at;

        if (der.len == 0 || der.len != shape->der_len || memcmp(der.data, shape->before, at) != 0)
                return false;
        id->serial = bytes_make(der.data + at, der.len - at);
        if (!der_integer_is_minimal(id->serial))
                return false;
        clear(ret_request);
        ret_request->n_cert_ids = 1;
        id->hash = shape->hash;
        id->null_parameters = shape->null_parameters;
        id->der = bytes_make(der.data + shape->cert_id_at, der.len - shape->cert_id_at);
        id->name_hash = bytes_make(der.data + shape->name_hash_at, shape->name_hash_len);
        id->key_hash = bytes_make(der.data + shape->key_hash_at, shape->key_hash_len);
        return true;
}
