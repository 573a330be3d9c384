/* batch: the rows of batches and of the ledger. What is done with them stands in revocation.c (one serial) and mass.c
 * (many).
 *
 * batch: state u8, activated_at u32, ca_key, created_at, n_items, n_deferred, n_signed u32, digest, actor and incident as
 * block16, reason u8. Its length never changes, so that counting rewrites it in place. item: progress u8, reason u8, shard
 * u16, revoked_at u32, invalidity_date u32. */
#include "store/batch.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/event.h"
#include "store/mass.h"
#include "store/meta.h"
#include "store/row.h"

void batch_write(struct txn *txn, const struct batch *batch)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct key key = key_id(batch->id);

        builder_put_u8(&b, batch->state);
        builder_put_u32(&b, batch->activated_at);
        builder_put_u32(&b, batch->ca_key);
        builder_put_u32(&b, batch->created_at);
        builder_put_u32(&b, batch->n_items);
        builder_put_u32(&b, batch->n_deferred);
        builder_put_u32(&b, batch->n_signed);
        builder_put(&b, BYTES_OF(batch->digest));
        builder_put_block16(&b, batch->actor);
        builder_put_block16(&b, batch->incident);
        builder_put_u8(&b, batch->reason);
        row_put_built(txn, TABLE_BATCH, key_bytes(&key), &b);
}

static enum err read_batch(struct bytes in, uint32_t id, struct batch *ret_batch)
{
        struct batch b = {.id = id};
        struct bytes digest;

        if (bytes_take_u8(&in, &b.state) != OK || bytes_take_u32(&in, &b.activated_at) != OK ||
                bytes_take_u32(&in, &b.ca_key) != OK || bytes_take_u32(&in, &b.created_at) != OK ||
                bytes_take_u32(&in, &b.n_items) != OK || bytes_take_u32(&in, &b.n_deferred) != OK ||
                bytes_take_u32(&in, &b.n_signed) != OK || bytes_take(&in, sizeof(b.digest), &digest) != OK ||
                bytes_take_block16(&in, &b.actor) != OK || bytes_take_block16(&in, &b.incident) != OK)
                return ERR_CORRUPT;
        if (bytes_take_u8(&in, &b.reason) != OK) /* written by a version that did not know it */
                b.reason = BATCH_REASON_MIXED;
        memcpy(b.digest, digest.data, sizeof(b.digest));
        *ret_batch = b;
        return OK;
}

enum err batch_get(struct txn *txn, uint32_t id, struct batch *ret_batch)
{
        struct key key = key_id(id);
        struct bytes value;
        enum err e = txn_get(txn, TABLE_BATCH, key_bytes(&key), &value);

        return e == OK ? read_batch(value, id, ret_batch) : e;
}

enum err batch_get_brief(struct txn *txn, uint32_t id, struct batch_brief *ret_brief)
{
        struct key key = key_id(id);
        struct batch_brief brief;
        struct bytes value;
        enum err e = txn_get(txn, TABLE_BATCH, key_bytes(&key), &value);

        if (e != OK)
                return e;
        if (bytes_take_u8(&value, &brief.state) != OK || bytes_take_u32(&value, &brief.activated_at) != OK)
                return ERR_CORRUPT;
        *ret_brief = brief;
        return OK;
}

enum err batch_next(struct txn *txn, uint32_t *id, struct batch *ret_batch)
{
        struct bytes value;
        uint32_t found;
        enum err e = row_after(txn, TABLE_BATCH, *id, &found, &value);

        if (e == OK)
                e = read_batch(value, found, ret_batch);
        if (e == OK)
                *id = found;
        return e;
}

uint32_t batch_put(struct txn *txn, const struct batch *batch)
{
        struct batch new = *batch;
        struct event event = {
                .time_s = batch->created_at,
                .kind = EVENT_BATCH_STAGED,
                .ca_key = batch->ca_key,
                .actor = batch->actor,
                .detail = batch->incident,
        };

        new.id = event.batch = meta_next_id(txn, META_BATCH);
        if (new.id == 0)
                return 0;
        new.state = BATCH_STAGED;
        new.activated_at = new.n_items = new.n_deferred = new.n_signed = 0;
        batch_write(txn, &new);
        event_put(txn, &event);
        meta_bump_generation(txn);
        return txn_failed(txn) ? 0 : new.id;
}

void batch_add(struct txn *txn, uint32_t id, int n_items, int n_deferred, int n_signed)
{
        struct batch batch;
        enum err e = batch_get(txn, id, &batch);

        if (e != OK) {
                txn_fail(txn, e == ERR_NOT_FOUND ? ERR_CORRUPT : e);
                return;
        }
        batch.n_items += (uint32_t)n_items;
        batch.n_deferred += (uint32_t)n_deferred;
        batch.n_signed += (uint32_t)n_signed;
        batch_write(txn, &batch);
}

/* ---- the ledger ---- */

#define ITEM_LEN 12

void item_put(struct txn *txn, uint32_t batch, uint32_t ca_key, struct bytes serial, const struct item *item)
{
        uint8_t memory[ITEM_LEN];
        struct builder b = builder_fixed(memory, sizeof(memory));
        struct key key = key_item(batch, ca_key, serial);

        builder_put_u8(&b, item->progress);
        builder_put_u8(&b, item->reason);
        builder_put_u16(&b, item->shard);
        builder_put_u32(&b, item->revoked_at);
        builder_put_u32(&b, item->invalidity_date);
        row_put_built(txn, TABLE_ITEM, key_bytes(&key), &b);
}

enum err item_read(struct bytes value, struct item *ret_item)
{
        struct item item;

        if (bytes_take_u8(&value, &item.progress) != OK || bytes_take_u8(&value, &item.reason) != OK ||
                bytes_take_u16(&value, &item.shard) != OK || bytes_take_u32(&value, &item.revoked_at) != OK ||
                bytes_take_u32(&value, &item.invalidity_date) != OK)
                return ERR_CORRUPT;
        *ret_item = item;
        return OK;
}

enum err item_get(struct txn *txn, uint32_t batch, uint32_t ca_key, struct bytes serial, struct item *ret_item)
{
        struct key key = key_item(batch, ca_key, serial);
        struct bytes value;
        enum err e = txn_get(txn, TABLE_ITEM, key_bytes(&key), &value);

        return e == OK ? item_read(value, ret_item) : e;
}
