/* hash_alg: one table row a digest; the EVP_MD are fetched once, for fetching costs more than a digest of an answer. */
#include "pki/hash_alg.h"

#include <pthread.h>

#include <openssl/evp.h>

#include "pki/der.h"

struct hash_row {
        const char *name;
        size_t len;
        struct bytes oid;
        struct bytes identifier; /* with NULL parameters */
};

#define SHA1_OID "\x2b\x0e\x03\x02\x1a"
#define SHA2_OID(n) "\x60\x86\x48\x01\x65\x03\x04\x02" n
#define LIT(s)                                                                                                              \
        {                                                                                                                   \
                (const uint8_t *)(s), sizeof(s) - 1                                                                         \
        }

static const struct hash_row rows[HASH_N] = {
        [HASH_SHA1] = {"sha1", 20, LIT(SHA1_OID), LIT("\x30\x09\x06\x05" SHA1_OID "\x05\x00")},
        [HASH_SHA256] = {"sha256", 32, LIT(SHA2_OID("\x01")), LIT("\x30\x0d\x06\x09" SHA2_OID("\x01") "\x05\x00")},
        [HASH_SHA384] = {"sha384", 48, LIT(SHA2_OID("\x02")), LIT("\x30\x0d\x06\x09" SHA2_OID("\x02") "\x05\x00")},
        [HASH_SHA512] = {"sha512", 64, LIT(SHA2_OID("\x03")), LIT("\x30\x0d\x06\x09" SHA2_OID("\x03") "\x05\x00")},
};

const char *hash_alg_name(enum hash_alg alg)
{
        return rows[alg].name;
}

size_t hash_alg_len(enum hash_alg alg)
{
        return rows[alg].len;
}

struct bytes hash_alg_identifier(enum hash_alg alg)
{
        return rows[alg].identifier;
}

static enum err find_oid(struct bytes oid, enum hash_alg *ret_alg)
{
        for (enum hash_alg alg = 0; alg < HASH_N; alg++) {
                if (bytes_equal(oid, rows[alg].oid)) {
                        *ret_alg = alg;
                        return OK;
                }
        }
        return ERR_UNSUPPORTED;
}

/* RFC 5754 2: parameters of the SHA-2 family are absent, and receivers take NULL; RFC 3279 2.2.1 has NULL for SHA-1
 * (req 1.8). */
static bool parameters_are_fine(struct bytes parameters)
{
        return parameters.len == 0 || bytes_equal(parameters, BYTES_LIT("\x05\x00"));
}

enum err hash_alg_read(struct bytes *in, enum hash_alg *ret_alg)
{
        struct bytes rest = *in, content, oid, parameter = BYTES_NONE;
        enum hash_alg alg;
        enum err e;

        if (der_read(&rest, DER_SEQUENCE, &content) != OK || der_read_oid(&content, &oid) != OK)
                return ERR_INVALID;
        if (content.len && der_read_any(&content, NULL, NULL, &parameter) != OK)
                return ERR_INVALID;
        if (der_end_of(content) != OK)
                return ERR_INVALID;
        e = find_oid(oid, &alg);
        if (e != OK)
                return e;
        if (!parameters_are_fine(parameter))
                return ERR_INVALID;
        *in = rest;
        *ret_alg = alg;
        return OK;
}

static EVP_MD *digests[HASH_N];
static pthread_once_t digests_once = PTHREAD_ONCE_INIT;

static void fetch_digests(void)
{
        for (enum hash_alg alg = 0; alg < HASH_N; alg++)
                digests[alg] = EVP_MD_fetch(NULL, rows[alg].name, NULL);
}

enum err hash_digest(enum hash_alg alg, struct bytes data, uint8_t *ret_digest)
{
        const EVP_MD *md;

        if (pthread_once(&digests_once, fetch_digests) != 0)
                return ERR_CRYPTO;
        md = digests[alg];
        if (!md || EVP_Digest(data.data, data.len, ret_digest, NULL, md, NULL) != 1)
                return ERR_CRYPTO;
        return OK;
}
