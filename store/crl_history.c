/* crl_history: rows by CA key, shard, number, kind. Layout: state u8, base u64, event u64, this_update, next_update, signer,
 * n_entries u32, size u64, digest, file as block16. A row is never deleted here: the newest number is always the last key.
 */
#include "store/crl_history.h"

#include "base/cleanup.h"
#include "store/row.h"

#define PREFIX_LEN 6

static void put_row(struct builder *b, const struct crl_row *row)
{
        builder_put_u8(b, row->state);
        builder_put_u64(b, row->base);
        builder_put_u64(b, row->event);
        builder_put_u32(b, row->this_update);
        builder_put_u32(b, row->next_update);
        builder_put_u32(b, row->signer);
        builder_put_u32(b, row->n_entries);
        builder_put_u64(b, row->size);
        builder_put(b, BYTES_OF(row->digest));
        builder_put_block16(b, row->file);
}

static enum err take_row(struct bytes in, struct crl_row *row)
{
        struct bytes digest;

        if (bytes_take_u8(&in, &row->state) != OK || bytes_take_u64(&in, &row->base) != OK ||
                bytes_take_u64(&in, &row->event) != OK || bytes_take_u32(&in, &row->this_update) != OK ||
                bytes_take_u32(&in, &row->next_update) != OK || bytes_take_u32(&in, &row->signer) != OK ||
                bytes_take_u32(&in, &row->n_entries) != OK || bytes_take_u64(&in, &row->size) != OK ||
                bytes_take(&in, sizeof(row->digest), &digest) != OK || bytes_take_block16(&in, &row->file) != OK)
                return ERR_CORRUPT;
        memcpy(row->digest, digest.data, sizeof(row->digest));
        return OK;
}

static enum err read_row(struct bytes key, struct bytes value, struct crl_row *ret_row)
{
        struct crl_row row = {0};
        struct bytes prefix;
        uint8_t is_delta;

        if (bytes_take(&key, PREFIX_LEN, &prefix) != OK || bytes_take_u64(&key, &row.number) != OK ||
                bytes_take_u8(&key, &is_delta) != OK)
                return ERR_CORRUPT;
        row.is_delta = is_delta != 0;
        if (take_row(value, &row) != OK)
                return ERR_CORRUPT;
        *ret_row = row;
        return OK;
}

void crl_put(struct txn *txn, uint32_t ca_key, uint16_t shard, const struct crl_row *row)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct key key = key_crl_history(ca_key, shard, row->number, row->is_delta);

        put_row(&b, row);
        row_put_built(txn, TABLE_CRL_HISTORY, key_bytes(&key), &b);
}

enum err crl_get(struct txn *txn, uint32_t ca_key, uint16_t shard, uint64_t number, bool is_delta, struct crl_row *ret_row)
{
        struct key key = key_crl_history(ca_key, shard, number, is_delta);
        struct bytes value;
        enum err e = txn_get(txn, TABLE_CRL_HISTORY, key_bytes(&key), &value);

        return e == OK ? read_row(key_bytes(&key), value, ret_row) : e;
}

/* ---- the newest of a kind ---- */

static enum err open_history(struct cursor *ret, struct txn *txn, uint32_t ca_key, uint16_t shard)
{
        struct key prefix = key_crl_history(ca_key, shard, 0, false);

        return cursor_open(ret, txn, TABLE_CRL_HISTORY, bytes_make(prefix.data, PREFIX_LEN), BYTES_NONE);
}

static bool wants(const struct crl_row *row, bool is_delta, uint8_t state)
{
        return row->is_delta == is_delta && (state == 0 || row->state == state);
}

/* state 0: any. */
static enum err find_newest(
        struct txn *txn, uint32_t ca_key, uint16_t shard, bool is_delta, uint8_t state, struct crl_row *ret_row)
{
        _cleanup_(cursor_close) struct cursor c = {0};
        struct bytes key, value;
        struct crl_row row;
        enum err e = open_history(&c, txn, ca_key, shard);

        if (e == OK)
                e = cursor_last(&c, &key, &value);
        while (e == OK) {
                e = read_row(key, value, &row);
                if (e == OK && wants(&row, is_delta, state))
                        break;
                if (e == OK)
                        e = cursor_back(&c, &key, &value);
        }
        if (e == OK)
                *ret_row = row;
        return e;
}

enum err crl_current(struct txn *txn, uint32_t ca_key, uint16_t shard, bool is_delta, struct crl_row *ret_row)
{
        return find_newest(txn, ca_key, shard, is_delta, CRL_PUBLISHED, ret_row);
}

/* ---- walking back: the position is number * 2 + kind, so that two CRLs of one number are two positions ---- */

static uint64_t position_of(const struct crl_row *row)
{
        return row->number << 1 | row->is_delta;
}

static struct key key_at(uint32_t ca_key, uint16_t shard, uint64_t position)
{
        return key_crl_history(ca_key, shard, position >> 1, position & 1);
}

static enum err row_before(
        struct cursor *c, struct txn *txn, uint32_t ca_key, uint16_t shard, uint64_t position, struct crl_row *ret_row)
{
        struct key from = key_at(ca_key, shard, position);
        struct key prefix = key_crl_history(ca_key, shard, 0, false);
        struct bytes key, value;
        enum err e = cursor_open(c, txn, TABLE_CRL_HISTORY, bytes_make(prefix.data, PREFIX_LEN), key_bytes(&from));

        if (e == OK) {
                bool at_end = cursor_next(c, &key, &value) != OK;

                e = at_end ? cursor_last(c, &key, &value) : cursor_back(c, &key, &value);
        }
        return e == OK ? read_row(key, value, ret_row) : e;
}

enum err crl_before(struct txn *txn, uint32_t ca_key, uint16_t shard, uint64_t *position, struct crl_row *ret_row)
{
        _cleanup_(cursor_close) struct cursor c = {0};
        struct crl_row row;
        enum err e = row_before(&c, txn, ca_key, shard, *position, &row);

        if (e != OK)
                return e;
        *position = position_of(&row);
        *ret_row = row;
        return OK;
}

/* ---- reserving ---- */

/* 0 when there is none. */
static enum err last_number(struct txn *txn, uint32_t ca_key, uint16_t shard, uint64_t *ret_number)
{
        uint64_t position = UINT64_MAX;
        struct crl_row row = {0};
        enum err e = crl_before(txn, ca_key, shard, &position, &row);

        if (e == OK || e == ERR_NOT_FOUND)
                *ret_number = row.number;
        return e == ERR_NOT_FOUND ? OK : e;
}

/* A full and a delta CRL issued together carry one number (RFC 5280 5.2.3, req 4.3); other than that it grows. */
static enum err check_number(struct txn *txn, uint32_t ca_key, uint16_t shard, const struct crl_row *row, uint64_t last)
{
        struct crl_row newest;
        enum err e = find_newest(txn, ca_key, shard, row->is_delta, 0, &newest);

        if (e == ERR_NOT_FOUND)
                return row->number >= last ? OK : ERR_RANGE;
        if (e != OK)
                return e;
        return row->number >= last && row->number > newest.number ? OK : ERR_RANGE;
}

static enum err choose_number(struct txn *txn, uint32_t ca_key, uint16_t shard, int64_t now_ms, struct crl_row *row)
{
        uint64_t last;
        enum err e = last_number(txn, ca_key, shard, &last);

        if (e != OK)
                return e;
        if (row->number != 0)
                return check_number(txn, ca_key, shard, row, last);
        row->number = now_ms > 0 && (uint64_t)now_ms > last ? (uint64_t)now_ms : last + 1;
        return OK;
}

uint64_t crl_reserve(struct txn *txn, uint32_t ca_key, uint16_t shard, const struct crl_row *row, int64_t now_ms)
{
        struct crl_row new = *row;
        enum err e = choose_number(txn, ca_key, shard, now_ms, &new);

        if (e != OK) {
                txn_fail(txn, e);
                return 0;
        }
        new.state = CRL_RESERVED;
        crl_put(txn, ca_key, shard, &new);
        return txn_failed(txn) ? 0 : new.number;
}
