/* fixture: a folder with a SoftHSM token, issuers and a configuration (token_fixture.py), read as the vault reads it; and
 * the bytes to sign that the vault's tests ask with. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/conf.h"
#include "pki/crl.h"
#include "pki/ocsp_response.h"
#include "signer/vault/policy.h"

enum fixture_issuer { ALPHA, BETA, DELTA, GAMMA }; /* sorted by name, as conf has them */

struct fixture {
        char folder[64];
        char config[128];
        struct conf *conf;
        struct policy policy;
        int64_t now_s;
};

/* Made once a test program, with this PKCS#11 module (NULL: SoftHSM); sets SOFTHSM2_CONF. Removed by fixture_remove. */
struct fixture *fixture_make(const char *module);
void fixture_remove(struct fixture *f);
/* "FOLDER/NAME" in one of a few static buffers. */
const char *fixture_path(const struct fixture *f, const char *name);
void fixture_write(const struct fixture *f, const char *name, const char *text);

/* What a ResponseData is made of. Times are added to what is right; zero is right everywhere. */
struct ocsp_case {
        const char *name;
        const char *refused; /* the words of the refusal begin so; NULL: signed */
        enum fixture_issuer issuer;
        enum fixture_issuer signer; /* only with other_signer */
        bool other_signer;          /* responderID is that of `signer` */
        bool by_name, extended, cabf, extended_configured;
        enum hash_alg hash; /* HASH_SHA1 */
        int64_t this_s, next_s, produced_s;
        enum ocsp_cert_status status;
        enum reason reason;
        unsigned nonce_len;
        enum sig_alg sig_alg; /* 0: the key's with SHA-256 */
        bool has_second;      /* another SingleResponse behind the first: */
        enum fixture_issuer second;
        enum reason second_reason;   /* not 0: revoked so */
        const char *extensions;      /* responseExtensions as they stand, with their length */
        size_t extensions_len;
};
void fixture_put_ocsp(struct fixture *f, struct builder *b, const struct ocsp_case *c);

struct crl_case {
        const char *name;
        const char *refused;
        enum fixture_issuer issuer;
        enum fixture_issuer named; /* only with other_name: the issuer's name is this one's */
        bool other_name, cabf, no_aki, is_delta;
        int64_t this_s, next_s;
        uint64_t number, base; /* counted from a time an hour ahead, in milliseconds; number 0: 7 */
        uint64_t small_number; /* 0, or the number as it stands */
        const char *idp, *freshest_url;
        unsigned n_entries;
        enum reason reason; /* of the entries */
        enum sig_alg inner; /* 0: the key's with SHA-256 */
};
void fixture_put_crl(struct fixture *f, struct builder *b, const struct crl_case *c);
/* The algorithm with SHA-256 of that policy key. */
enum sig_alg fixture_alg(const struct fixture *f, int key);
