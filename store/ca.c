/* ca: rows by id. Layout: not_after u64, label, name, spki, ski as block16, certificate as block32, number of hashes u8, and
 * for each its name hash and key hash as block16. */
#include "store/ca.h"

#include "base/cleanup.h"
#include "store/meta.h"
#include "store/row.h"

static void put_ca(struct builder *b, const struct ca *ca)
{
        builder_put_u64(b, (uint64_t)ca->not_after_s);
        builder_put_block16(b, ca->label);
        builder_put_block16(b, ca->name);
        builder_put_block16(b, ca->spki);
        builder_put_block16(b, ca->ski);
        builder_put_block32(b, ca->certificate);
        builder_put_u8(b, HASH_N);
        for (unsigned i = 0; i < HASH_N; i++) {
                builder_put_block16(b, bytes_make(ca->key.name_hash[i], hash_alg_len(i)));
                builder_put_block16(b, bytes_make(ca->key.key_hash[i], hash_alg_len(i)));
        }
}

static enum err take_hash(struct bytes *in, unsigned alg, uint8_t ret_hash[HASH_LEN_MAX])
{
        struct bytes hash;

        if (bytes_take_block16(in, &hash) != OK || hash.len != hash_alg_len(alg))
                return ERR_CORRUPT;
        memcpy(ret_hash, hash.data, hash.len);
        return OK;
}

static enum err take_key(struct bytes *in, struct ca_key *key)
{
        uint8_t n;

        if (bytes_take_u8(in, &n) != OK || n < HASH_N)
                return ERR_CORRUPT;
        for (unsigned i = 0; i < HASH_N; i++) {
                if (take_hash(in, i, key->name_hash[i]) != OK || take_hash(in, i, key->key_hash[i]) != OK)
                        return ERR_CORRUPT;
        }
        return OK;
}

static enum err read_ca(struct bytes in, uint32_t id, struct ca *ret_ca)
{
        struct ca ca = {.id = id, .key.id = id};
        uint64_t not_after;

        if (bytes_take_u64(&in, &not_after) != OK || bytes_take_block16(&in, &ca.label) != OK ||
                bytes_take_block16(&in, &ca.name) != OK || bytes_take_block16(&in, &ca.spki) != OK ||
                bytes_take_block16(&in, &ca.ski) != OK || bytes_take_block32(&in, &ca.certificate) != OK ||
                take_key(&in, &ca.key) != OK)
                return ERR_CORRUPT;
        ca.not_after_s = (int64_t)not_after;
        *ret_ca = ca;
        return OK;
}

enum err ca_get(struct txn *txn, uint32_t id, struct ca *ret_ca)
{
        struct key key = key_id(id);
        struct bytes value;
        enum err e = txn_get(txn, TABLE_CA, key_bytes(&key), &value);

        return e == OK ? read_ca(value, id, ret_ca) : e;
}

enum err ca_next(struct txn *txn, uint32_t *id, struct ca *ret_ca)
{
        struct bytes value;
        uint32_t found;
        enum err e = row_after(txn, TABLE_CA, *id, &found, &value);

        if (e == OK)
                e = read_ca(value, found, ret_ca);
        if (e == OK)
                *id = found;
        return e;
}

enum err ca_find(struct txn *txn, struct bytes label, struct ca *ret_ca)
{
        struct ca ca;
        uint32_t id = 0;
        enum err e;

        while ((e = ca_next(txn, &id, &ca)) == OK) {
                if (bytes_equal(ca.label, label))
                        break;
        }
        if (e == OK)
                *ret_ca = ca;
        return e;
}

static bool is_same_key(const struct ca *a, const struct ca *b)
{
        return bytes_equal(a->name, b->name) && bytes_equal(a->spki, b->spki);
}

/* ERR_NOT_FOUND: a new key. ERR_EXISTS: its label is taken. */
static enum err find_key(struct txn *txn, const struct ca *wanted, uint32_t *ret_id)
{
        uint32_t id = 0, found = 0;
        struct ca ca;
        enum err e;

        while ((e = ca_next(txn, &id, &ca)) == OK) {
                if (is_same_key(&ca, wanted))
                        found = id;
                else if (bytes_equal(ca.label, wanted->label))
                        return ERR_EXISTS;
        }
        if (e != ERR_NOT_FOUND)
                return e;
        *ret_id = found;
        return found ? OK : ERR_NOT_FOUND;
}

static void write_ca(struct txn *txn, uint32_t id, struct bytes row)
{
        struct key key = key_id(id);

        txn_put(txn, TABLE_CA, key_bytes(&key), row);
        meta_bump_generation(txn);
}

static enum err update(struct txn *txn, uint32_t id, struct bytes row)
{
        struct key key = key_id(id);
        struct bytes there;
        enum err e = txn_get(txn, TABLE_CA, key_bytes(&key), &there);

        if (e == OK && !bytes_equal(there, row))
                write_ca(txn, id, row);
        return e;
}

enum err ca_put(struct txn *txn, const struct ca *ca, uint32_t *ret_id)
{
        _cleanup_(builder_done) struct builder b = {0};
        uint32_t id = 0;
        enum err e = find_key(txn, ca, &id);

        put_ca(&b, ca);
        if (builder_failed(&b))
                return ERR_NOMEM;
        if (e == ERR_NOT_FOUND) {
                id = meta_next_id(txn, META_CA_KEY);
                write_ca(txn, id, builder_bytes(&b));
                e = OK;
        } else if (e == OK) {
                e = update(txn, id, builder_bytes(&b));
        }
        if (e == OK)
                *ret_id = txn_failed(txn) ? 0 : id;
        return e;
}
