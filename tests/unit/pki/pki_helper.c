/* pki_helper: see pki_helper.h. */
#include "pki_helper.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "pki/der.h"

EVP_PKEY *helper_key(enum key_kind kind)
{
        EVP_PKEY *key = NULL;

        if (kind == KEY_RSA)
                key = EVP_RSA_gen(2048);
        else
                key = EVP_EC_gen(kind == KEY_P256 ? "P-256" : "P-384");
        assert_non_null(key);
        return key;
}

static void add_extension(X509 *x, X509V3_CTX *ctx, const char *name, const char *value)
{
        X509_EXTENSION *ext = X509V3_EXT_conf(NULL, ctx, (char *)name, (char *)value);

        assert_non_null(ext);
        assert_int_equal(X509_add_ext(x, ext, -1), 1);
        X509_EXTENSION_free(ext);
}

X509 *helper_issue(EVP_PKEY *key, const char *subject, const struct helper_ca *issuer, const char *const *extensions)
{
        X509 *x = X509_new();
        X509_NAME *name = X509_NAME_new();
        X509V3_CTX ctx;

        assert_non_null(x);
        X509_set_version(x, X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(x), 1 + (long)helper_random_below(1L << 40));
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)subject, -1, -1, 0);
        X509_set_subject_name(x, name);
        X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer->x509) : name);
        X509_NAME_free(name);
        ASN1_TIME_set(X509_getm_notBefore(x), HELPER_NOW_S - 86400);
        ASN1_TIME_set(X509_getm_notAfter(x), HELPER_NOW_S + 1000 * 86400);
        X509_set_pubkey(x, key);
        X509V3_set_ctx(&ctx, issuer ? issuer->x509 : x, x, NULL, NULL, 0);
        for (; extensions[0]; extensions += 2)
                add_extension(x, &ctx, extensions[0], extensions[1]);
        assert_int_not_equal(X509_sign(x, issuer ? issuer->key : key, EVP_sha256()), 0);
        return x;
}

struct bytes helper_der(X509 *x509, uint8_t **ret_memory)
{
        int len;

        *ret_memory = NULL;
        len = i2d_X509(x509, ret_memory);
        assert_true(len > 0);
        return bytes_make(*ret_memory, (size_t)len);
}

static void make_ca(enum key_kind kind, struct helper_ca *ca)
{
        static const char *const extensions[] = {"basicConstraints", "critical,CA:TRUE", "subjectKeyIdentifier", "hash",
                "authorityKeyIdentifier", "keyid:always", "keyUsage", "critical,keyCertSign,cRLSign,digitalSignature", NULL};
        _cleanup_free_
        uint8_t *memory = NULL;

        ca->key = helper_key(kind);
        ca->x509 = helper_issue(ca->key, "Test CA", NULL, extensions);
        assert_int_equal(certificate_from_der(helper_der(ca->x509, &memory), &ca->cert), OK);
        assert_int_equal(ca_key_init(&ca->ca_key, ca->cert.subject, ca->cert.key), OK);
}

const struct helper_ca *helper_ca(enum key_kind kind)
{
        static struct helper_ca cas[3];

        if (!cas[kind].key)
                make_ca(kind, &cas[kind]);
        return &cas[kind];
}

struct bytes helper_sign(enum sig_alg alg, EVP_PKEY *key, struct bytes tbs, uint8_t *ret_raw)
{
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        uint8_t der[SIG_RAW_MAX];
        size_t der_len = sizeof(der), raw_len = 0;

        assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, hash_alg_name(sig_alg_hash(alg)), NULL, NULL, key, NULL), 1);
        assert_int_equal(EVP_DigestSign(ctx, der, &der_len, tbs.data, tbs.len), 1);
        EVP_MD_CTX_free(ctx);
        assert_int_equal(sig_from_der(alg, bytes_make(der, der_len), ret_raw, &raw_len), OK);
        return bytes_make(ret_raw, raw_len);
}

uint64_t helper_random(void)
{
        static uint64_t state = 0x9e3779b97f4a7c15ULL;

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
}

uint64_t helper_random_below(uint64_t n)
{
        return helper_random() % n;
}

struct bytes helper_random_serial(uint8_t ret_memory[20])
{
        size_t len = 1 + helper_random_below(20);

        for (size_t i = 0; i < len; i++)
                ret_memory[i] = (uint8_t)helper_random();
        ret_memory[0] &= 0x7f;
        if (len > 1 && ret_memory[0] == 0)
                ret_memory[1] |= 0x80;
        return bytes_make(ret_memory, len);
}

static void put_text(struct builder *b, const char **text)
{
        for (; **text && **text != '}'; ++*text) {
                uint8_t octet;
                size_t len, mark;

                if (**text == ' ')
                        continue;
                assert_int_equal(bytes_from_hex(bytes_make(*text, 2), &octet, 1, &len), OK);
                *text += 1;
                if ((*text)[1] != '{') {
                        builder_put_u8(b, octet);
                        continue;
                }
                *text += 2;
                mark = der_begin(b, octet);
                put_text(b, text);
                assert_int_equal(**text, '}');
                der_end(b, mark);
        }
}

struct bytes helper_hex(const char *hex)
{
        static uint8_t memory[8][4096];
        static unsigned next;
        struct builder b = builder_fixed(memory[next++ % 8], sizeof(memory[0]));

        put_text(&b, &hex);
        assert_int_equal(*hex, '\0');
        assert_false(builder_failed(&b));
        return builder_bytes(&b);
}

void helper_read_rows(const struct helper_row *rows, enum err (*read)(struct bytes in))
{
        for (const struct helper_row *row = rows; row->hex; row++) {
                enum err e = read(helper_hex(row->hex));

                if (e != row->want)
                        fail_msg("%s: %s", row->why, err_text(e));
        }
}
