/* signer: rows by id. Layout: ca_key u32, use u8, key kind u8 and hash u8 (the algorithm by what it is, not by its place in
 * our table), disabled_at u32, raw_len u32, not_after u64, key_label and spki as block16, certificate as block32. */
#include "store/signer.h"

#include "base/cleanup.h"
#include "store/meta.h"
#include "store/row.h"

static void put_signer(struct builder *b, const struct signer *s)
{
        builder_put_u32(b, s->ca_key);
        builder_put_u8(b, s->use);
        builder_put_u8(b, (uint8_t)sig_alg_key(s->sig_alg));
        builder_put_u8(b, (uint8_t)sig_alg_hash(s->sig_alg));
        builder_put_u32(b, s->disabled_at);
        builder_put_u32(b, s->raw_len);
        builder_put_u64(b, (uint64_t)s->not_after_s);
        builder_put_block16(b, s->key_label);
        builder_put_block16(b, s->spki);
        builder_put_block32(b, s->certificate);
}

static enum err take_alg(struct bytes *in, enum sig_alg *ret_alg)
{
        uint8_t key, hash;

        if (bytes_take_u8(in, &key) != OK || bytes_take_u8(in, &hash) != OK)
                return ERR_CORRUPT;
        return sig_alg_find(key, hash, ret_alg) == OK ? OK : ERR_CORRUPT;
}

static enum err read_signer(struct bytes in, uint32_t id, struct signer *ret_signer)
{
        struct signer s = {.id = id};
        uint64_t not_after;

        if (bytes_take_u32(&in, &s.ca_key) != OK || bytes_take_u8(&in, &s.use) != OK || take_alg(&in, &s.sig_alg) != OK ||
                bytes_take_u32(&in, &s.disabled_at) != OK || bytes_take_u32(&in, &s.raw_len) != OK ||
                bytes_take_u64(&in, &not_after) != OK || bytes_take_block16(&in, &s.key_label) != OK ||
                bytes_take_block16(&in, &s.spki) != OK || bytes_take_block32(&in, &s.certificate) != OK)
                return ERR_CORRUPT;
        s.not_after_s = (int64_t)not_after;
        *ret_signer = s;
        return OK;
}

static void write_signer(struct txn *txn, uint32_t id, const struct signer *s)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct key key = key_id(id);

        put_signer(&b, s);
        row_put_built(txn, TABLE_SIGNER, key_bytes(&key), &b);
        meta_bump_generation(txn);
}

enum err signer_get(struct txn *txn, uint32_t id, struct signer *ret_signer)
{
        struct key key = key_id(id);
        struct bytes value;
        enum err e = txn_get(txn, TABLE_SIGNER, key_bytes(&key), &value);

        return e == OK ? read_signer(value, id, ret_signer) : e;
}

enum err signer_next(struct txn *txn, uint32_t *id, struct signer *ret_signer)
{
        struct bytes value;
        uint32_t found;
        enum err e = row_after(txn, TABLE_SIGNER, *id, &found, &value);

        if (e == OK)
                e = read_signer(value, found, ret_signer);
        if (e == OK)
                *id = found;
        return e;
}

static bool is_same(const struct signer *a, const struct signer *b)
{
        return a->ca_key == b->ca_key && a->use == b->use && a->sig_alg == b->sig_alg && bytes_equal(a->spki, b->spki) &&
               bytes_equal(a->certificate, b->certificate);
}

static bool is_label_moved(const struct signer *a, const struct signer *b)
{
        return !bytes_equal(a->key_label, b->key_label) || a->not_after_s != b->not_after_s || a->raw_len != b->raw_len;
}

/* The same key under another label, or the CA renewed: the row says so now, and stays disabled if it was. */
static void refresh(struct txn *txn, uint32_t id, const struct signer *there, const struct signer *signer)
{
        struct signer new = *signer;

        new.disabled_at = there->disabled_at;
        if (is_label_moved(there, signer))
                write_signer(txn, id, &new);
}

enum err signer_put(struct txn *txn, const struct signer *signer, uint32_t *ret_id)
{
        struct signer there;
        uint32_t id = 0;
        enum err e;

        while ((e = signer_next(txn, &id, &there)) == OK) {
                if (is_same(&there, signer))
                        break;
        }
        if (e != OK && e != ERR_NOT_FOUND)
                return e;
        if (e == OK) {
                refresh(txn, id, &there, signer);
        } else {
                id = meta_next_id(txn, META_SIGNER);
                write_signer(txn, id, signer);
        }
        *ret_id = txn_failed(txn) ? 0 : id;
        return OK;
}

enum err signer_disable(struct txn *txn, uint32_t id, int64_t now_s)
{
        struct signer s;
        enum err e = signer_get(txn, id, &s);

        if (e != OK || s.disabled_at != 0)
                return e;
        s.disabled_at = (uint32_t)now_s;
        write_signer(txn, id, &s);
        return OK;
}
