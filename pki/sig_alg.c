/* sig_alg: one table row an algorithm. Raw and DER forms are converted here and nowhere else. */
#include "pki/sig_alg.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/cleanup.h"
#include "pki/der.h"

struct sig_row {
        const char *name;
        enum key_kind key;
        enum hash_alg hash;
        struct bytes identifier;
};

/* RFC 4055 5: NULL parameters. RFC 5758 3.2: no parameters. */
#define RSA_ID(n)                                                                                                           \
        {                                                                                                                   \
                (const uint8_t *)"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01" n "\x05\x00", 15                        \
        }
#define ECDSA_ID(n)                                                                                                         \
        {                                                                                                                   \
                (const uint8_t *)"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03" n, 12                                       \
        }

static const struct sig_row rows[SIG_N] = {
        [SIG_RSA_SHA256] = {"rsa-sha256", KEY_RSA, HASH_SHA256, RSA_ID("\x0b")},
        [SIG_RSA_SHA384] = {"rsa-sha384", KEY_RSA, HASH_SHA384, RSA_ID("\x0c")},
        [SIG_RSA_SHA512] = {"rsa-sha512", KEY_RSA, HASH_SHA512, RSA_ID("\x0d")},
        [SIG_P256_SHA256] = {"ecdsa-p256-sha256", KEY_P256, HASH_SHA256, ECDSA_ID("\x02")},
        [SIG_P256_SHA384] = {"ecdsa-p256-sha384", KEY_P256, HASH_SHA384, ECDSA_ID("\x03")},
        [SIG_P256_SHA512] = {"ecdsa-p256-sha512", KEY_P256, HASH_SHA512, ECDSA_ID("\x04")},
        [SIG_P384_SHA256] = {"ecdsa-p384-sha256", KEY_P384, HASH_SHA256, ECDSA_ID("\x02")},
        [SIG_P384_SHA384] = {"ecdsa-p384-sha384", KEY_P384, HASH_SHA384, ECDSA_ID("\x03")},
        [SIG_P384_SHA512] = {"ecdsa-p384-sha512", KEY_P384, HASH_SHA512, ECDSA_ID("\x04")},
};

/* Octets of r and of s; 0: RSA, whose signature is no pair. */
static const size_t half_len[] = {[KEY_RSA] = 0, [KEY_P256] = 32, [KEY_P384] = 48};

const char *sig_alg_name(enum sig_alg alg)
{
        return rows[alg].name;
}

enum key_kind sig_alg_key(enum sig_alg alg)
{
        return rows[alg].key;
}

enum hash_alg sig_alg_hash(enum sig_alg alg)
{
        return rows[alg].hash;
}

struct bytes sig_alg_identifier(enum sig_alg alg)
{
        return rows[alg].identifier;
}

enum err sig_alg_find(enum key_kind key, enum hash_alg hash, enum sig_alg *ret_alg)
{
        for (enum sig_alg alg = 0; alg < SIG_N; alg++) {
                if (rows[alg].key == key && rows[alg].hash == hash) {
                        *ret_alg = alg;
                        return OK;
                }
        }
        return ERR_UNSUPPORTED;
}

enum err sig_alg_read(struct bytes *in, enum sig_alg *ret_alg)
{
        struct bytes rest = *in, tlv, content, oid;

        if (der_read_tlv(&rest, DER_SEQUENCE, &tlv) != OK)
                return ERR_INVALID;
        for (enum sig_alg alg = 0; alg < SIG_N; alg++) {
                if (bytes_equal(tlv, rows[alg].identifier)) {
                        *in = rest;
                        *ret_alg = alg;
                        return OK;
                }
        }
        if (der_read_only(tlv, DER_SEQUENCE, &content) != OK || der_read_oid(&content, &oid) != OK)
                return ERR_INVALID;
        return ERR_UNSUPPORTED;
}

bool sig_raw_len_fits(enum sig_alg alg, size_t len)
{
        size_t half = half_len[rows[alg].key];

        return half ? len == 2 * half : len >= SIG_RSA_RAW_MIN && len <= SIG_RAW_MAX;
}

size_t sig_der_max(enum sig_alg alg)
{
        size_t half = half_len[rows[alg].key];

        return half ? 2 + 2 * (2 + 1 + half) : SIG_RAW_MAX;
}

/* An unsigned big-endian number without its leading zeroes, of which one octet at least is left. */
static struct bytes strip_zeroes(struct bytes n)
{
        while (n.len > 1 && n.data[0] == 0)
                n = bytes_make(n.data + 1, n.len - 1);
        return n;
}

static size_t unsigned_len(struct bytes stripped)
{
        return stripped.len + (stripped.data[0] >> 7);
}

struct halves {
        struct bytes r, s;   /* stripped */
        size_t r_len, s_len; /* as INTEGER content */
        size_t content_len;  /* of the SEQUENCE */
};

static struct halves split(struct bytes raw)
{
        size_t half = raw.len / 2;
        struct halves h;

        h.r = strip_zeroes(bytes_make(raw.data, half));
        h.s = strip_zeroes(bytes_make(raw.data + half, half));
        h.r_len = unsigned_len(h.r);
        h.s_len = unsigned_len(h.s);
        h.content_len = 4 + h.r_len + h.s_len; /* each below 128: P-384 has 49 at most */
        return h;
}

size_t sig_der_len(enum sig_alg alg, struct bytes raw)
{
        return half_len[rows[alg].key] ? 2 + split(raw).content_len : raw.len;
}

static uint8_t *write_unsigned(uint8_t *at, struct bytes stripped, size_t len)
{
        at = der_write_header(at, DER_INTEGER, len);
        if (len > stripped.len)
                *at++ = 0;
        return der_write_bytes(at, stripped);
}

uint8_t *sig_write_der(uint8_t *at, enum sig_alg alg, struct bytes raw)
{
        struct halves h;

        if (!half_len[rows[alg].key])
                return der_write_bytes(at, raw);
        h = split(raw);
        at = der_write_header(at, DER_SEQUENCE, h.content_len);
        at = write_unsigned(at, h.r, h.r_len);
        return write_unsigned(at, h.s, h.s_len);
}

static enum err read_half(struct bytes *in, size_t half, uint8_t *ret_raw)
{
        struct bytes n;

        if (der_read_integer(in, &n) != OK || n.data[0] & 0x80)
                return ERR_INVALID;
        n = strip_zeroes(n);
        if (n.len > half)
                return ERR_INVALID;
        memset(ret_raw, 0, half - n.len);
        memcpy(ret_raw + half - n.len, n.data, n.len);
        return OK;
}

static enum err pair_from_der(size_t half, struct bytes der, uint8_t *ret_raw, size_t *ret_len)
{
        uint8_t raw[SIG_RAW_MAX];
        struct bytes content;

        if (der_read_only(der, DER_SEQUENCE, &content) != OK)
                return ERR_INVALID;
        if (read_half(&content, half, raw) != OK || read_half(&content, half, raw + half) != OK)
                return ERR_INVALID;
        if (der_end_of(content) != OK)
                return ERR_INVALID;
        memcpy(ret_raw, raw, 2 * half);
        *ret_len = 2 * half;
        return OK;
}

enum err sig_from_der(enum sig_alg alg, struct bytes der, uint8_t *ret_raw, size_t *ret_len)
{
        size_t half = half_len[rows[alg].key];

        if (half)
                return pair_from_der(half, der, ret_raw, ret_len);
        if (!sig_raw_len_fits(alg, der.len))
                return ERR_INVALID;
        memcpy(ret_raw, der.data, der.len);
        *ret_len = der.len;
        return OK;
}

/* ---- verifying ---- */

static void free_key(EVP_PKEY **key)
{
        EVP_PKEY_free(*key);
}

static void free_md_ctx(EVP_MD_CTX **ctx)
{
        EVP_MD_CTX_free(*ctx);
}

static bool key_fits(const EVP_PKEY *key, enum key_kind kind)
{
        if (kind == KEY_RSA)
                return EVP_PKEY_is_a(key, "RSA");
        return EVP_PKEY_is_a(key, "EC") && (size_t)EVP_PKEY_get_bits(key) == half_len[kind] * 8;
}

enum err sig_verify(enum sig_alg alg, struct bytes spki, struct bytes tbs, struct bytes raw)
{
        const unsigned char *at = spki.data;
        _cleanup_(free_key) EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.len);
        _cleanup_(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        uint8_t der[SIG_RAW_MAX];
        size_t der_len;

        if (!ctx)
                return ERR_NOMEM;
        if (!key || !key_fits(key, sig_alg_key(alg)) || !sig_raw_len_fits(alg, raw.len))
                return ERR_CRYPTO;
        der_len = (size_t)(sig_write_der(der, alg, raw) - der);
        if (EVP_DigestVerifyInit_ex(ctx, NULL, hash_alg_name(sig_alg_hash(alg)), NULL, NULL, key, NULL) != 1)
                return ERR_CRYPTO;
        return EVP_DigestVerify(ctx, der, der_len, tbs.data, tbs.len) == 1 ? OK : ERR_CRYPTO;
}
