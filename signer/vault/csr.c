/* csr: CertificationRequest { CertificationRequestInfo { v1, subject, key, no attributes }, algorithm, signature }. */
#include "signer/vault/csr.h"

#include <stdio.h>

#include <openssl/x509.h>

#include "base/cleanup.h"
#include "pki/der.h"
#include "signer/vault/public_key.h"

#define ATTRIBUTE_TEXT_MAX 256

static void free_name(X509_NAME **name)
{
        X509_NAME_free(*name);
}

/* One attribute from the front of *in, unescaped. False when it has no "=", or is too long. */
static bool take_attribute(const char **in, char ret_text[ATTRIBUTE_TEXT_MAX], char **ret_value)
{
        const char *at = *in;
        size_t len = 0;

        if (*at++ != '/')
                return false;
        for (; *at && *at != '/'; at++) {
                if (at[0] == '\\' && at[1])
                        at++;
                ret_text[len++] = *at;
                if (len == ATTRIBUTE_TEXT_MAX)
                        return false;
        }
        ret_text[len] = '\0';
        *ret_value = strchr(ret_text, '=');
        if (!*ret_value)
                return false;
        *(*ret_value)++ = '\0';
        *in = at;
        return true;
}

enum err csr_put_name(struct builder *b, const char *subject)
{
        _cleanup_(free_name) X509_NAME *name = X509_NAME_new();
        char text[ATTRIBUTE_TEXT_MAX], *value;
        unsigned char *der = NULL;
        int len;

        if (!name)
                return ERR_NOMEM;
        if (*subject == '\0')
                return ERR_INVALID;
        while (*subject) {
                if (!take_attribute(&subject, text, &value))
                        return ERR_INVALID;
                if (X509_NAME_add_entry_by_txt(name, text, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0) != 1)
                        return ERR_INVALID;
        }
        len = i2d_X509_NAME(name, &der);
        if (len <= 0)
                return ERR_NOMEM;
        builder_put(b, bytes_make(der, (size_t)len));
        OPENSSL_free(der);
        return builder_failed(b) ? ERR_NOMEM : OK;
}

static enum err put_info(struct builder *b, const char *subject, struct bytes spki)
{
        size_t mark = der_begin(b, DER_SEQUENCE);
        enum err e;

        der_put_uint(b, DER_INTEGER, 0);
        e = csr_put_name(b, subject);
        builder_put(b, spki);
        der_put(b, DER_CONTEXT_CONS(0), BYTES_NONE);
        der_end(b, mark);
        return e;
}

/* Signs with the private key of that label that fits, and verifies. */
static enum err sign(struct token *token, const char *label, enum sig_alg alg, struct bytes spki, struct bytes info,
        uint8_t *ret_raw, size_t *ret_len, struct token_problem *ret_problem)
{
        uint8_t digest[HASH_LEN_MAX];
        CK_OBJECT_HANDLE key;
        char name[TOKEN_RV_TEXT];
        enum err e = token_find_key(token, label, sig_alg_key(alg), spki, &key, ret_problem);
        CK_RV rv;

        if (e != OK)
                return e;
        e = hash_digest(sig_alg_hash(alg), info, digest);
        if (e != OK)
                return e;
        rv = token_sign(token, token->sessions[0], key, alg, digest, ret_raw, ret_len);
        if (rv != CKR_OK) {
                snprintf(ret_problem->text, sizeof(ret_problem->text), "C_Sign: %s", token_rv_text(rv, name));
                return ERR_TOKEN;
        }
        return sig_verify(alg, spki, info, bytes_make(ret_raw, *ret_len));
}

static enum err find_public(struct token *token, const char *label, enum key_kind *ret_kind, struct builder *ret_spki,
        struct token_problem *ret_problem)
{
        CK_OBJECT_HANDLE object;
        unsigned n = 0;
        enum err e = token_find(token, CKO_PUBLIC_KEY, label, &object, 1, &n, ret_problem);

        if (e == OK && n == 0) {
                snprintf(ret_problem->text, sizeof(ret_problem->text), "the token has no public key with the label '%s'",
                        label);
                return ERR_NOT_FOUND;
        }
        return e == OK ? public_key_read(token, object, ret_kind, ret_spki, ret_problem) : e;
}

static void put_request(struct builder *b, enum sig_alg alg, struct bytes info, struct bytes raw)
{
        uint8_t signature[SIG_RAW_MAX];
        size_t len = (size_t)(sig_write_der(signature, alg, raw) - signature);
        size_t mark = der_begin(b, DER_SEQUENCE);

        builder_put(b, info);
        builder_put(b, sig_alg_identifier(alg));
        der_put_bit_string(b, bytes_make(signature, len));
        der_end(b, mark);
}

enum err csr_make(struct token *token, const char *label, const char *subject, struct builder *ret_der,
        struct token_problem *ret_problem)
{
        _cleanup_(builder_done) struct builder spki = {0}, info = {0};
        uint8_t raw[SIG_RAW_MAX];
        enum sig_alg alg = SIG_N;
        enum key_kind kind = KEY_RSA;
        size_t len = 0;
        enum err e = find_public(token, label, &kind, &spki, ret_problem);

        if (e == OK)
                e = put_info(&info, subject, builder_bytes(&spki));
        if (e == OK)
                e = sig_alg_find(kind, kind == KEY_P384 ? HASH_SHA384 : HASH_SHA256, &alg);
        if (e == OK)
                e = sign(token, label, alg, builder_bytes(&spki), builder_bytes(&info), raw, &len, ret_problem);
        if (e != OK)
                return e;
        put_request(ret_der, alg, builder_bytes(&info), bytes_make(raw, len));
        return builder_failed(ret_der) ? ERR_NOMEM : OK;
}
