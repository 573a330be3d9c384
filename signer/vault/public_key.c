/* public_key: attributes in, DER out. */
#include "signer/vault/public_key.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "pki/der.h"

#define ATTRIBUTE_MAX 1024 /* RSA-4096's modulus is 512 octets */

struct value {
        uint8_t data[ATTRIBUTE_MAX];
        size_t len;
};

struct bytes public_key_curve(enum key_kind kind)
{
        return kind == KEY_P256 ? BYTES_LIT("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")
                                : BYTES_LIT("\x06\x05\x2b\x81\x04\x00\x22");
}

static enum err get(struct token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, struct value *ret,
        struct token_problem *ret_problem)
{
        CK_ATTRIBUTE attribute = {type, ret->data, sizeof(ret->data)};
        char name[TOKEN_RV_TEXT];
        CK_RV rv = token->f->C_GetAttributeValue(token->sessions[0], object, &attribute, 1);

        if (rv == CKR_OK && attribute.ulValueLen <= sizeof(ret->data)) {
                ret->len = attribute.ulValueLen;
                return OK;
        }
        snprintf(ret_problem->text, sizeof(ret_problem->text), "C_GetAttributeValue: %s", token_rv_text(rv, name));
        return ERR_TOKEN;
}

static void put_unsigned(struct builder *b, const struct value *v)
{
        size_t mark = der_begin(b, DER_INTEGER);

        if (v->len > 0 && v->data[0] & 0x80)
                builder_put_u8(b, 0);
        builder_put(b, bytes_make(v->data, v->len));
        der_end(b, mark);
}

static enum err read_rsa(struct token *token, CK_OBJECT_HANDLE object, struct builder *b, struct token_problem *ret_problem)
{
        _cleanup_(builder_done) struct builder key = {0};
        struct value modulus, exponent;
        enum err e = get(token, object, CKA_MODULUS, &modulus, ret_problem);
        size_t spki, sequence;

        if (e == OK)
                e = get(token, object, CKA_PUBLIC_EXPONENT, &exponent, ret_problem);
        if (e != OK)
                return e;
        sequence = der_begin(&key, DER_SEQUENCE);
        put_unsigned(&key, &modulus);
        put_unsigned(&key, &exponent);
        der_end(&key, sequence);
        spki = der_begin(b, DER_SEQUENCE);
        builder_put(b, BYTES_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00")); /* rsaEncryption, NULL */
        der_put_bit_string(b, builder_bytes(&key));
        der_end(b, spki);
        return builder_failed(b) || builder_failed(&key) ? ERR_NOMEM : OK;
}

/* CKA_EC_POINT is an OCTET STRING around the point; some tokens give the bare point. */
static struct bytes bare_point(const struct value *v)
{
        struct bytes whole = bytes_make(v->data, v->len), point;

        return der_read_only(whole, DER_OCTET_STRING, &point) == OK ? point : whole;
}

static enum err read_ec(struct token *token, CK_OBJECT_HANDLE object, enum key_kind *ret_kind, struct builder *b,
        struct token_problem *ret_problem)
{
        struct value params, point;
        enum err e = get(token, object, CKA_EC_PARAMS, &params, ret_problem);
        enum key_kind kind = KEY_P256;
        size_t spki, algorithm;

        if (e == OK)
                e = get(token, object, CKA_EC_POINT, &point, ret_problem);
        if (e != OK)
                return e;
        if (bytes_equal(bytes_make(params.data, params.len), public_key_curve(KEY_P384)))
                kind = KEY_P384;
        else if (!bytes_equal(bytes_make(params.data, params.len), public_key_curve(KEY_P256)))
                return ERR_UNSUPPORTED;
        spki = der_begin(b, DER_SEQUENCE);
        algorithm = der_begin(b, DER_SEQUENCE);
        builder_put(b, BYTES_LIT("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01")); /* id-ecPublicKey */
        builder_put(b, bytes_make(params.data, params.len));
        der_end(b, algorithm);
        der_put_bit_string(b, bare_point(&point));
        der_end(b, spki);
        *ret_kind = kind;
        return builder_failed(b) ? ERR_NOMEM : OK;
}

enum err public_key_read(struct token *token, CK_OBJECT_HANDLE object, enum key_kind *ret_kind, struct builder *ret_spki,
        struct token_problem *ret_problem)
{
        struct value type;
        CK_KEY_TYPE key_type = 0;
        enum err e = get(token, object, CKA_KEY_TYPE, &type, ret_problem);

        if (e != OK)
                return e;
        memcpy(&key_type, type.data, type.len < sizeof(key_type) ? type.len : sizeof(key_type));
        snprintf(ret_problem->text, sizeof(ret_problem->text), "the key is neither RSA nor P-256 nor P-384");
        if (key_type == CKK_EC)
                return read_ec(token, object, ret_kind, ret_spki, ret_problem);
        if (key_type != CKK_RSA)
                return ERR_UNSUPPORTED;
        *ret_kind = KEY_RSA;
        return read_rsa(token, object, ret_spki, ret_problem);
}
