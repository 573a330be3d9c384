/* certificate: the fixed fields are read here with pki/der, so that their bytes are the certificate's own; OpenSSL reads the
 * extensions and the key. Both must accept it. */
#include "pki/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/cleanup.h"
#include "pki/der.h"

#define NO_WELL_DEFINED_END 253402300799LL /* 99991231235959Z (RFC 5280 4.1.2.5) */
#define FILE_MAX (1024 * 1024)

static void free_x509(X509 **x)
{
        X509_free(*x);
}

static void free_bio(BIO **bio)
{
        BIO_free(*bio);
}

static void free_eku(EXTENDED_KEY_USAGE **eku)
{
        EXTENDED_KEY_USAGE_free(*eku);
}

static void free_openssl(void *pointer_to_pointer)
{
        OPENSSL_free(*(void **)pointer_to_pointer);
}

static void close_file(FILE **file)
{
        if (*file)
                fclose(*file);
}

/* ---- the fixed fields ---- */

static enum err read_validity(struct bytes *in, struct certificate *c)
{
        struct bytes validity;

        if (der_read(in, DER_SEQUENCE, &validity) != OK)
                return ERR_INVALID;
        if (der_read_time(&validity, &c->not_before) != OK || der_read_time(&validity, &c->not_after) != OK)
                return ERR_INVALID;
        if (c->not_after == NO_WELL_DEFINED_END)
                c->not_after = INT64_MAX;
        return der_end_of(validity);
}

/* RFC 6960 4.1.1: keyHash covers the BIT STRING's value without tag, length and unused bits. */
static enum err read_spki(struct bytes *in, struct certificate *c)
{
        struct bytes spki, algorithm;

        if (der_read_tlv(in, DER_SEQUENCE, &c->spki) != OK || der_read_only(c->spki, DER_SEQUENCE, &spki) != OK)
                return ERR_INVALID;
        if (der_read(&spki, DER_SEQUENCE, &algorithm) != OK || der_read_bit_string(&spki, &c->key) != OK)
                return ERR_INVALID;
        return der_end_of(spki);
}

static enum err skip_version(struct bytes *in)
{
        struct bytes version;

        return der_next_is(*in, DER_CONTEXT_CONS(0)) ? der_read(in, DER_CONTEXT_CONS(0), &version) : OK;
}

static enum err read_tbs(struct bytes in, struct certificate *c)
{
        struct bytes serial, algorithm;
        enum err e;

        if (skip_version(&in) != OK || der_read_integer(&in, &serial) != OK)
                return ERR_INVALID;
        e = serial_from_der(serial, &c->serial);
        if (e != OK)
                return e;
        if (der_read(&in, DER_SEQUENCE, &algorithm) != OK || der_read_tlv(&in, DER_SEQUENCE, &c->issuer) != OK)
                return ERR_INVALID;
        if (read_validity(&in, c) != OK || der_read_tlv(&in, DER_SEQUENCE, &c->subject) != OK)
                return ERR_INVALID;
        return read_spki(&in, c);
}

/* c->der is set. */
static enum err read_fields(struct certificate *c)
{
        struct bytes outer, tbs;

        if (der_read_only(c->der, DER_SEQUENCE, &outer) != OK || der_read(&outer, DER_SEQUENCE, &tbs) != OK)
                return ERR_INVALID;
        return read_tbs(tbs, c);
}

/* ---- what OpenSSL knows ---- */

static void read_key_usage(X509 *x, struct certificate *c)
{
        uint32_t usage = X509_get_key_usage(x);
        int at = X509_get_ext_by_NID(x, NID_key_usage, -1);

        if (at < 0)
                return;
        c->has_key_usage = true;
        c->key_usage_critical = X509_EXTENSION_get_critical(X509_get_ext(x, at));
        c->ku_digital_signature = usage & KU_DIGITAL_SIGNATURE;
        c->ku_crl_sign = usage & KU_CRL_SIGN;
        c->ku_cert_sign = usage & KU_KEY_CERT_SIGN;
        c->ku_others = usage & ~(uint32_t)(KU_DIGITAL_SIGNATURE | KU_CRL_SIGN | KU_KEY_CERT_SIGN);
}

static void read_eku(X509 *x, struct certificate *c)
{
        _cleanup_(free_eku) EXTENDED_KEY_USAGE *eku = X509_get_ext_d2i(x, NID_ext_key_usage, NULL, NULL);

        c->has_eku = X509_get_ext_by_NID(x, NID_ext_key_usage, -1) >= 0;
        for (int i = 0; i < sk_ASN1_OBJECT_num(eku); i++) {
                c->n_eku++;
                if (OBJ_obj2nid(sk_ASN1_OBJECT_value(eku, i)) == NID_OCSP_sign)
                        c->eku_ocsp_signing = true;
        }
}

static bool has_extension(const X509 *x, int nid)
{
        return X509_get_ext_by_NID(x, nid, -1) >= 0;
}

static void read_extensions(X509 *x, struct certificate *c)
{
        c->is_ca = X509_get_extension_flags(x) & EXFLAG_CA;
        read_key_usage(x, c);
        read_eku(x, c);
        c->ocsp_nocheck = has_extension(x, NID_id_pkix_OCSP_noCheck);
        c->has_cdp = has_extension(x, NID_crl_distribution_points);
        c->has_san = has_extension(x, NID_subject_alt_name);
        c->has_aia = has_extension(x, NID_info_access);
        c->is_precertificate = has_extension(x, NID_ct_precert_poison); /* RFC 6962 3.1 */
}

static const struct key_row {
        enum key_kind kind;
        const char *type;
        unsigned bits_min, bits_max;
        const char *group; /* EC */
} keys[] = {
        {KEY_RSA, "RSA", 8 * SIG_RSA_RAW_MIN, 8 * SIG_RAW_MAX, NULL},
        {KEY_P256, "EC", 256, 256, "prime256v1"},
        {KEY_P384, "EC", 384, 384, "secp384r1"},
};

static bool key_is(const EVP_PKEY *key, unsigned bits, const struct key_row *row)
{
        char group[32];

        if (!EVP_PKEY_is_a(key, row->type) || bits < row->bits_min || bits > row->bits_max || bits % 8)
                return false;
        return !row->group ||
               (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 && strcmp(group, row->group) == 0);
}

static void read_key(X509 *x, struct certificate *c)
{
        const EVP_PKEY *key = X509_get0_pubkey(x);

        if (!key)
                return; /* an algorithm that OpenSSL does not know: not supported */
        c->key_bits = (unsigned)EVP_PKEY_get_bits(key);
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                if (key_is(key, c->key_bits, &keys[i])) {
                        c->key_kind = keys[i].kind;
                        c->key_supported = true;
                }
        }
}

static struct bytes octets_of(const ASN1_OCTET_STRING *s)
{
        return s ? bytes_make(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)) : BYTES_NONE;
}

/* One allocation: the DER, then the two key identifiers, which OpenSSL owns until it is freed. */
static enum err allocate(struct bytes der, X509 *x, struct certificate *c)
{
        struct bytes aki = octets_of(X509_get0_authority_key_id(x)), ski = octets_of(X509_get0_subject_key_id(x));
        uint8_t *at = malloc(der.len + aki.len + ski.len);

        if (!at)
                return ERR_NOMEM;
        c->memory = at;
        c->der = bytes_make(at, der.len);
        at = der_write_bytes(at, der);
        c->aki = bytes_make(at, aki.len);
        at = der_write_bytes(at, aki);
        c->ski = bytes_make(at, ski.len);
        der_write_bytes(at, ski);
        return OK;
}

static enum err fill(struct bytes der, X509 *x, struct certificate *c)
{
        enum err e = allocate(der, x, c);

        if (e == OK)
                e = read_fields(c);
        if (e == OK)
                e = hash_digest(HASH_SHA256, der, c->sha256);
        if (e != OK)
                return e;
        read_extensions(x, c);
        read_key(x, c);
        return OK;
}

enum err certificate_from_der(struct bytes der, struct certificate *ret)
{
        const unsigned char *at = der.data;
        _cleanup_(free_x509) X509 *x = d2i_X509(NULL, &at, (long)der.len);
        struct certificate c = {0};
        enum err e;

        ERR_clear_error();
        if (!x || at != der.data + der.len)
                return ERR_INVALID;
        /* OpenSSL caches the extensions here, and says so when one of those it reads is malformed or stands twice. */
        if (X509_get_extension_flags(x) & EXFLAG_INVALID)
                return ERR_INVALID;
        e = fill(der, x, &c);
        ERR_clear_error();
        if (e != OK) {
                certificate_done(&c);
                return e;
        }
        *ret = c;
        return OK;
}

void certificate_done(struct certificate *c)
{
        free(c->memory);
        *c = (struct certificate){0};
}

/* ---- PEM and files ---- */

static bool is_certificate_label(const char *label)
{
        return strcmp(label, PEM_STRING_X509) == 0 || strcmp(label, PEM_STRING_X509_OLD) == 0;
}

/* The next block, of any label. */
static enum err read_block(BIO *bio, bool *ret_is_certificate, unsigned char **ret_data, long *ret_len)
{
        _cleanup_(free_openssl) char *label = NULL, *header = NULL;

        if (PEM_read_bio(bio, &label, &header, ret_data, ret_len) != 1) {
                bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;

                ERR_clear_error();
                return is_end ? ERR_NOT_FOUND : ERR_INVALID;
        }
        *ret_is_certificate = is_certificate_label(label);
        return OK;
}

/* Each block read must be memory of its own to free: this one's is freed here. */
static enum err read_one_pem(BIO *bio, bool *ret_is_certificate, struct certificate *ret)
{
        _cleanup_(free_openssl) unsigned char *data = NULL;
        long len = 0;
        enum err e = read_block(bio, ret_is_certificate, &data, &len);

        if (e != OK || !*ret_is_certificate)
                return e;
        return certificate_from_der(bytes_make(data, (size_t)len), ret);
}

enum err certificate_from_pem(struct bytes *in, struct certificate *ret)
{
        _cleanup_(free_bio) BIO *bio = NULL;
        bool is_certificate = false;
        size_t left;
        enum err e = OK;

        if (in->len == 0)
                return ERR_NOT_FOUND;
        if (in->len > INT32_MAX)
                return ERR_RANGE;
        bio = BIO_new_mem_buf(in->data, (int)in->len);
        if (!bio)
                return ERR_NOMEM;
        while (e == OK && !is_certificate)
                e = read_one_pem(bio, &is_certificate, ret);
        if (e != OK)
                return e;
        left = (size_t)BIO_ctrl_pending(bio);
        *in = bytes_make(in->data + in->len - left, left);
        return OK;
}

static enum err read_file(const char *path, uint8_t **ret_data, size_t *ret_len)
{
        _cleanup_(close_file) FILE *file = fopen(path, "re");
        _cleanup_free_
        uint8_t *data = NULL;
        size_t len;

        if (!file)
                return err_from_errno(errno);
        data = malloc(FILE_MAX + 1);
        if (!data)
                return ERR_NOMEM;
        len = fread(data, 1, FILE_MAX + 1, file);
        if (ferror(file))
                return ERR_IO;
        if (len > FILE_MAX)
                return ERR_RANGE;
        *ret_data = steal(&data);
        *ret_len = len;
        return OK;
}

enum err certificate_from_file(const char *path, struct certificate *ret)
{
        _cleanup_free_
        uint8_t *data = NULL;
        struct bytes in;
        size_t len = 0;
        enum err e = read_file(path, &data, &len);

        if (e != OK)
                return e;
        in = bytes_make(data, len);
        if (!memmem(data, len, "-----BEGIN ", 11))
                return certificate_from_der(in, ret);
        e = certificate_from_pem(&in, ret);
        return e == ERR_NOT_FOUND ? ERR_INVALID : e;
}

/* ---- judging ---- */

enum err certificate_verify(const struct certificate *child, const struct certificate *issuer)
{
        const unsigned char *at = child->der.data, *issuer_at = issuer->der.data;
        _cleanup_(free_x509) X509 *x = d2i_X509(NULL, &at, (long)child->der.len);
        _cleanup_(free_x509) X509 *ca = d2i_X509(NULL, &issuer_at, (long)issuer->der.len);
        bool verifies;

        if (!x || !ca)
                return ERR_INVALID;
        verifies = bytes_equal(child->issuer, issuer->subject) && X509_verify(x, X509_get0_pubkey(ca)) == 1;
        ERR_clear_error();
        return verifies ? OK : ERR_CRYPTO;
}

/* A refusal is the first row that holds. */
struct refusal {
        bool holds;
        const char *why;
};

static const char *first_refusal(const struct refusal *rows, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (rows[i].holds)
                        return rows[i].why;
        return NULL;
}
#define FIRST_REFUSAL(rows) first_refusal(rows, sizeof(rows) / sizeof((rows)[0]))

static const char *refuse_any_signer(const struct certificate *c, int64_t now_s)
{
        const struct refusal rows[] = {
                {c->is_precertificate, "it is a precertificate (RFC 6962 3.1)"},
                {!c->key_supported, "its key is none of RSA 2048 to 4096, P-256, P-384"},
                {now_s < c->not_before, "it is not valid yet"},
                {now_s > c->not_after, "it has expired"},
                {c->has_key_usage && !c->ku_digital_signature, "keyUsage lacks digitalSignature (RFC 5280 4.2.1.3)"},
        };

        return FIRST_REFUSAL(rows);
}

/* RFC 6960 4.2.2.2. */
static const char *refuse_delegate(const struct certificate *c)
{
        const struct refusal rows[] = {
                {c->is_ca, "it is a CA certificate, not a delegated signer's (BR 7.1.2.8)"},
                {!c->has_eku || !c->eku_ocsp_signing, "extendedKeyUsage lacks OCSPSigning (RFC 6960 4.2.2.2)"},
        };

        return FIRST_REFUSAL(rows);
}

/* BR 7.1.2.8, req 2.15. */
static const char *refuse_delegate_strict(const struct certificate *c)
{
        const struct refusal rows[] = {
                {c->n_eku != 1, "extendedKeyUsage is not only OCSPSigning (BR 7.1.2.8)"},
                {!c->ocsp_nocheck, "id-pkix-ocsp-nocheck is missing (BR 7.1.2.8)"},
                {!c->has_key_usage, "keyUsage is missing (BR 7.1.2.8)"},
                {!c->key_usage_critical, "keyUsage is not critical (BR 7.1.2.8)"},
                {c->ku_crl_sign || c->ku_cert_sign || c->ku_others, "keyUsage is not only digitalSignature (BR 7.1.2.8)"},
                {c->has_cdp, "it has cRLDistributionPoints (BR 7.1.2.8)"},
                {c->has_san, "it has a subjectAltName (BR 7.1.2.8)"},
        };

        return FIRST_REFUSAL(rows);
}

const char *certificate_refuse_ocsp_signer(
        const struct certificate *c, const struct certificate *ca, int64_t now_s)
{
        const char *why = refuse_any_signer(c, now_s);

        if (why)
                return why;
        if (bytes_equal(c->spki, ca->spki) && bytes_equal(c->subject, ca->subject))
                return NULL; /* the CA itself (req 2.14) */
        if (certificate_verify(c, ca) != OK)
                return "it is not issued by this CA's key (RFC 6960 4.2.2.2)";
        why = refuse_delegate(c);
        return why ? why : refuse_delegate_strict(c);
}

const char *certificate_refuse_issuer(const struct certificate *c)
{
        const struct refusal rows[] = {
                {c->is_precertificate, "it is a precertificate (RFC 6962 3.1)"},
                {!c->is_ca, "basicConstraints does not say cA (RFC 5280 4.2.1.9)"},
                {c->has_key_usage && !c->ku_crl_sign, "keyUsage lacks cRLSign (RFC 5280 4.2.1.3)"},
                {!c->key_supported, "its key is none of RSA 2048 to 4096, P-256, P-384"},
        };

        return FIRST_REFUSAL(rows);
}
