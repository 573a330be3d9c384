/* Fuzz: our OCSP request parser against OpenSSL's.
 *
 *  - What we accept OpenSSL accepts, and reads the same out of it: CertIDs, hashes, serials, nonce. (requestorName and the
 * signature, which we check for form only, are cut off before.)
 *  - What OpenSSL accepts and writes again as the same octets (so it was DER) we accept, unless one of `reasons` below
 * holds.
 */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "pki/der.h"
#include "pki/extension.h"
#include "pki/ocsp_request.h"
#include "tests/fuzz/fuzz.h"

static OCSP_REQUEST *openssl_read(struct bytes der)
{
        const unsigned char *at = der.data;
        OCSP_REQUEST *r = d2i_OCSP_REQUEST(NULL, &at, (long)der.len);

        ERR_clear_error();
        if (r && at == der.data + der.len)
                return r;
        OCSP_REQUEST_free(r);
        return NULL;
}

/* The content of TBSRequest, without requestorName where it stands first; false: not even that much is DER. */
static bool tbs_content(struct bytes der, struct bytes *ret_content)
{
        struct bytes outer, tbs, name;

        if (der_read_only(der, DER_SEQUENCE, &outer) != OK || der_read(&outer, DER_SEQUENCE, &tbs) != OK)
                return false;
        if (der_next_is(tbs, DER_CONTEXT_CONS(1)) && der_read(&tbs, DER_CONTEXT_CONS(1), &name) != OK)
                return false;
        *ret_content = tbs;
        return true;
}

/* The request without what we ignore. */
static struct builder reduce(struct bytes tbs)
{
        struct builder b = {0};
        size_t outer = der_begin(&b, DER_SEQUENCE), inner = der_begin(&b, DER_SEQUENCE);

        builder_put(&b, tbs);
        der_end(&b, inner);
        der_end(&b, outer);
        HOLDS(!builder_failed(&b));
        return b;
}

/* ---- the same out of both ---- */

static int nid_of(enum hash_alg hash)
{
        static const int nids[] = {NID_sha1, NID_sha256, NID_sha384, NID_sha512};

        return nids[hash];
}

static bool octets_equal(const ASN1_OCTET_STRING *a, struct bytes b)
{
        return bytes_equal(bytes_make(ASN1_STRING_get0_data(a), (size_t)ASN1_STRING_length(a)), b);
}

static bool serial_equals(const ASN1_INTEGER *serial, struct bytes content)
{
        unsigned char *der = NULL;
        int len = i2d_ASN1_INTEGER(serial, &der);
        struct bytes theirs = BYTES_NONE, in = bytes_make(der, (size_t)len);
        bool equal = der_read_only(in, DER_INTEGER, &theirs) == OK && bytes_equal(theirs, content);

        OPENSSL_free(der);
        return equal;
}

static void compare_cert_id(OCSP_CERTID *theirs, const struct ocsp_cert_id *ours)
{
        ASN1_OCTET_STRING *name_hash, *key_hash;
        ASN1_OBJECT *digest;
        ASN1_INTEGER *serial;

        HOLDS(OCSP_id_get0_info(&name_hash, &digest, &key_hash, &serial, theirs) == 1);
        HOLDS(octets_equal(name_hash, ours->name_hash));
        HOLDS(octets_equal(key_hash, ours->key_hash));
        HOLDS(serial_equals(serial, ours->serial));
        for (enum hash_alg hash = 0; hash < HASH_N; hash++)
                HOLDS((OBJ_obj2nid(digest) == nid_of(hash)) == (ours->hash == hash));
}

static ASN1_OCTET_STRING *openssl_nonce(X509_EXTENSION *ext)
{
        const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(ext);
        const unsigned char *at = ASN1_STRING_get0_data(value), *end = at + ASN1_STRING_length(value);
        ASN1_OCTET_STRING *nonce = d2i_ASN1_OCTET_STRING(NULL, &at, ASN1_STRING_length(value));

        ERR_clear_error();
        if (nonce && at == end)
                return nonce;
        ASN1_OCTET_STRING_free(nonce);
        return NULL;
}

static void compare_nonce(OCSP_REQUEST *theirs, struct bytes ours)
{
        int at = OCSP_REQUEST_get_ext_by_NID(theirs, NID_id_pkix_OCSP_Nonce, -1);
        ASN1_OCTET_STRING *nonce;

        HOLDS((at >= 0) == (ours.len > 0));
        if (at < 0)
                return;
        nonce = openssl_nonce(OCSP_REQUEST_get_ext(theirs, at));
        HOLDS(nonce && octets_equal(nonce, ours));
        ASN1_OCTET_STRING_free(nonce);
}

/* OpenSSL looks into the parameters of digests that neither of us knows; we do not. */
static bool has_foreign_parameters(const struct ocsp_request *r)
{
        for (unsigned i = 0; i < r->n_cert_ids; i++)
                if (r->cert_ids[i].hash == HASH_N && !r->cert_ids[i].null_parameters)
                        return true;
        return false;
}

static void check_accepted(struct bytes tbs, const struct ocsp_request *ours)
{
        struct builder b = reduce(tbs);
        OCSP_REQUEST *theirs = openssl_read(builder_bytes(&b));

        HOLDS(theirs || has_foreign_parameters(ours));
        if (theirs) {
                HOLDS(OCSP_request_onereq_count(theirs) == (int)ours->n_cert_ids);
                for (unsigned i = 0; i < ours->n_cert_ids; i++)
                        compare_cert_id(OCSP_onereq_get0_id(OCSP_request_onereq_get0(theirs, (int)i)), &ours->cert_ids[i]);
                compare_nonce(theirs, ours->nonce);
        }
        OCSP_REQUEST_free(theirs);
        builder_done(&b);
}

/* ---- reasons to refuse what OpenSSL accepts ---- */

static int type_of(const X509_EXTENSION *ext)
{
        return OBJ_obj2nid(X509_EXTENSION_get_object((X509_EXTENSION *)ext));
}

/* Critical spelt out as FALSE, or TRUE as something else than FF (X.690 11.1, 11.5): OpenSSL keeps either. */
static bool critical_is_odd(X509_EXTENSION *ext)
{
        unsigned char *der = NULL;
        int len = i2d_X509_EXTENSION(ext, &der);
        struct bytes in = BYTES_NONE, oid, flag;
        bool odd = der_read_only(bytes_make(der, (size_t)len), DER_SEQUENCE, &in) != OK ||
                   der_read(&in, DER_OID, &oid) != OK ||
                   (der_read(&in, DER_BOOLEAN, &flag) == OK && !bytes_equal(flag, BYTES_LIT("\xff")));

        OPENSSL_free(der);
        return odd;
}

/* RFC 9654 2.1. */
static bool nonce_is_odd(X509_EXTENSION *ext)
{
        ASN1_OCTET_STRING *nonce = openssl_nonce(ext);
        bool odd = !nonce || ASN1_STRING_length(nonce) < 1 || ASN1_STRING_length(nonce) > OCSP_NONCE_MAX;

        ASN1_OCTET_STRING_free(nonce);
        return odd;
}

/* RFC 6960 4.1.2, 4.4: of the whole request we know the nonce, acceptable responses and preferred algorithms (.8, which
 * OpenSSL 3.0 has no name for); of one CertID the service locator. We read the value of the first three: where that is not
 * what it should be, OpenSSL does not care. */
static bool extension_is_refused(X509_EXTENSION *ext, bool of_request)
{
        static const unsigned char preferred[] = "\x2b\x06\x01\x05\x05\x07\x30\x01\x08";
        const ASN1_OBJECT *oid = X509_EXTENSION_get_object(ext);
        int nid = type_of(ext);
        bool is_preferred = OBJ_length(oid) == sizeof(preferred) - 1 &&
                            memcmp(OBJ_get0_data(oid), preferred, sizeof(preferred) - 1) == 0;

        if (critical_is_odd(ext))
                return true;
        if (of_request && nid == NID_id_pkix_OCSP_Nonce)
                return nonce_is_odd(ext);
        if (of_request && (nid == NID_id_pkix_OCSP_acceptableResponses || is_preferred))
                return true;
        return X509_EXTENSION_get_critical(ext) && !(!of_request && nid == NID_id_pkix_OCSP_serviceLocator);
}

static bool is_twice(const STACK_OF(X509_EXTENSION) * list, int at)
{
        const ASN1_OBJECT *oid = X509_EXTENSION_get_object(sk_X509_EXTENSION_value(list, at));

        for (int i = 0; i < at; i++)
                if (OBJ_cmp(oid, X509_EXTENSION_get_object(sk_X509_EXTENSION_value(list, i))) == 0)
                        return true;
        return false;
}

static bool list_is_refused(const STACK_OF(X509_EXTENSION) * list, bool of_request)
{
        for (int i = 0; i < sk_X509_EXTENSION_num(list); i++)
                if (extension_is_refused(sk_X509_EXTENSION_value(list, i), of_request) || is_twice(list, i))
                        return true;
        return sk_X509_EXTENSION_num(list) > EXTENSION_LIST_MAX;
}

static bool request_extensions_are_refused(OCSP_REQUEST *r)
{
        STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
        bool refused;

        for (int i = 0; i < OCSP_REQUEST_get_ext_count(r); i++)
                sk_X509_EXTENSION_push(list, OCSP_REQUEST_get_ext(r, i));
        refused = list_is_refused(list, true);
        sk_X509_EXTENSION_free(list);
        return refused;
}

/* Parameters other than NULL: refused of a digest that we know (req 1.8), read for their form only of another. */
static bool algorithm_is_refused(OCSP_CERTID *id)
{
        unsigned char *der = NULL;
        int len = i2d_OCSP_CERTID(id, &der), type;
        struct bytes content = BYTES_NONE;
        const unsigned char *at;
        X509_ALGOR *algor;

        HOLDS(der_read_only(bytes_make(der, (size_t)len), DER_SEQUENCE, &content) == OK);
        at = content.data;
        algor = d2i_X509_ALGOR(NULL, &at, (long)content.len);
        HOLDS(algor);
        X509_ALGOR_get0(NULL, &type, NULL, algor);
        X509_ALGOR_free(algor);
        OPENSSL_free(der);
        return type != V_ASN1_UNDEF && type != V_ASN1_NULL;
}

static bool one_is_refused(OCSP_ONEREQ *one)
{
        STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
        bool refused;

        for (int i = 0; i < OCSP_ONEREQ_get_ext_count(one); i++)
                sk_X509_EXTENSION_push(list, OCSP_ONEREQ_get_ext(one, i));
        refused = list_is_refused(list, false) || algorithm_is_refused(OCSP_onereq_get0_id(one));
        sk_X509_EXTENSION_free(list);
        return refused;
}

/* Extensions ::= SEQUENCE SIZE (1..MAX): OpenSSL reads an empty one, and has no way to ask whether it was there. */
static bool has_empty_list(struct bytes der)
{
        return memmem(der.data, der.len, "\xa2\x02\x30\x00", 4) || memmem(der.data, der.len, "\xa0\x02\x30\x00", 4);
}

static bool has_reason(OCSP_REQUEST *r, struct bytes tbs, struct bytes der)
{
        int n = OCSP_request_onereq_count(r);

        if (n < 1 || n > OCSP_CERT_IDS_MAX)
                return true; /* req 1.7 */
        if (der_next_is(tbs, DER_CONTEXT_CONS(0)))
                return true; /* a version: req 1.16, X.690 11.5 */
        if (has_empty_list(der) || request_extensions_are_refused(r))
                return true;
        for (int i = 0; i < n; i++)
                if (one_is_refused(OCSP_request_onereq_get0(r, i)))
                        return true;
        return false;
}

static bool reencodes(OCSP_REQUEST *r, struct bytes der)
{
        unsigned char *again = NULL;
        int len = i2d_OCSP_REQUEST(r, &again);
        bool equal = len > 0 && bytes_equal(bytes_make(again, (size_t)len), der);

        OPENSSL_free(again);
        return equal;
}

/* The signature aside: of that we check the form only. */
static void check_refused(struct bytes tbs)
{
        struct builder b = reduce(tbs);
        OCSP_REQUEST *theirs = openssl_read(builder_bytes(&b));
        struct ocsp_request ours;

        if (theirs && reencodes(theirs, builder_bytes(&b)) && ocsp_request_read(builder_bytes(&b), &ours) != OK)
                HOLDS(has_reason(theirs, tbs, builder_bytes(&b)));
        OCSP_REQUEST_free(theirs);
        builder_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct bytes der = bytes_make(data, size), tbs = BYTES_NONE;
        struct ocsp_request ours;
        enum err e = ocsp_request_read(der, &ours);
        bool has_tbs = tbs_content(der, &tbs);

        HOLDS(has_tbs || e != OK);
        if (e == OK)
                check_accepted(tbs, &ours);
        else if (has_tbs)
                check_refused(tbs);
        return 0;
}
