/* ca_key: see ca_key.h. */
#include "pki/ca_key.h"

#include "pki/der.h"

enum err ca_key_init(struct ca_key *ret, struct bytes name, struct bytes key)
{
        struct ca_key k = {0};

        for (enum hash_alg alg = 0; alg < HASH_N; alg++) {
                enum err e = hash_digest(alg, name, k.name_hash[alg]);

                if (e == OK)
                        e = hash_digest(alg, key, k.key_hash[alg]);
                if (e != OK)
                        return e;
        }
        *ret = k;
        return OK;
}

bool ca_key_matches(const struct ca_key *k, enum hash_alg alg, struct bytes name_hash, struct bytes key_hash)
{
        size_t len;

        if ((unsigned)alg >= HASH_N)
                return false;
        len = hash_alg_len(alg);
        return bytes_equal(key_hash, bytes_make(k->key_hash[alg], len)) &&
               bytes_equal(name_hash, bytes_make(k->name_hash[alg], len));
}

void ca_key_put_cert_id_head(struct builder *b, const struct ca_key *k, enum hash_alg alg)
{
        size_t len = hash_alg_len(alg);

        builder_put(b, hash_alg_identifier(alg));
        der_put(b, DER_OCTET_STRING, bytes_make(k->name_hash[alg], len));
        der_put(b, DER_OCTET_STRING, bytes_make(k->key_hash[alg], len));
}
