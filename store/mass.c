/* mass: revocations made true together.
 *
 * Invariants, of a batch that is not dropped:
 *  - each of its items that is not deferred or elsewhere has an exception row of that batch, invisible until the batch is
 * active;
 *  - each deferred item of a staged batch stands in the index under batch 0, and the batch's n_deferred counts them;
 *  - activation is one transaction, so that no reader sees a part of it. */
#include "store/mass.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "pki/sig_alg.h"
#include "store/crl_entry.h"
#include "store/event.h"
#include "store/meta.h"
#include "store/record.h"

/* ---- staging ---- */

static void put_item(struct txn *txn, uint32_t id, const struct revocation *r, uint16_t shard, enum item_progress progress)
{
        struct item item = {
                .progress = (uint8_t)progress,
                .reason = (uint8_t)r->reason,
                .shard = shard,
                .revoked_at = r->revoked_at,
                .invalidity_date = r->invalidity_date,
        };

        item_put(txn, id, r->ca_key, r->serial, &item);
}

/* Revocation and change times are 0: the activation's. */
static void stage_row(struct txn *txn, uint32_t id, const struct revocation *r, const struct record *record, size_t reserve)
{
        struct exception exception = {
                .status = r->reason == REASON_CERTIFICATE_HOLD ? EXCEPTION_HELD : EXCEPTION_REVOKED,
                .reason = (uint8_t)r->reason,
                .revoked_at = r->revoked_at,
                .invalidity_date = r->invalidity_date,
                .batch = id,
                .generation = 1,
        };
        struct crl_entry_row row = {
                .reason = (uint8_t)r->reason,
                .revoked_at = r->revoked_at,
                .invalidity_date = r->invalidity_date,
                .batch = id,
                .not_after = record->not_after,
        };
        uint16_t shard = record->shard;

        exception_put(txn, r->ca_key, r->serial, &exception, reserve);
        crl_entry_row_put(txn, r->ca_key, shard, r->serial, &row);
        put_item(txn, id, r, shard, ITEM_STAGED);
        batch_add(txn, id, 1, 0, 0);
}

static enum err stage_deferred(struct txn *txn, uint32_t id, const struct revocation *r, const struct record *record)
{
        struct key index = key_item_deferred(id, r->ca_key, r->serial);
        struct item there;
        enum err e = item_get(txn, id, r->ca_key, r->serial, &there);

        if (e != ERR_NOT_FOUND)
                return e == OK ? ERR_EXISTS : e;
        put_item(txn, id, r, record->shard, ITEM_DEFERRED);
        txn_put(txn, TABLE_ITEM, key_bytes(&index), BYTES_NONE);
        batch_add(txn, id, 1, 1, 0);
        return OK;
}

static enum err check_staged(struct txn *txn, uint32_t id, struct batch *ret_batch)
{
        enum err e = batch_get(txn, id, ret_batch);

        if (e != OK)
                return e;
        return ret_batch->state == BATCH_STAGED ? OK : ERR_STALE;
}

enum err batch_stage(
        struct txn *txn, uint32_t id, const struct revocation *r, size_t reserve, enum revocation_effect *ret_effect)
{
        enum revocation_effect effect;
        struct exception there;
        struct record record;
        struct batch batch;
        enum err e = check_staged(txn, id, &batch);

        if (e == OK && batch.ca_key != r->ca_key)
                e = ERR_INVALID;
        if (e == OK)
                e = revocation_check(txn, r, &effect);
        if (e == OK && revocation_changes(effect)) {
                e = record_get(txn, r->ca_key, r->serial, &record);
                if (e == OK)
                        e = exception_get(txn, r->ca_key, r->serial, &there);
                if (e == ERR_NOT_FOUND) {
                        stage_row(txn, id, r, &record, reserve);
                        e = OK;
                } else if (e == OK) {
                        e = stage_deferred(txn, id, r, &record);
                }
        }
        if (e == OK)
                *ret_effect = effect;
        return e;
}

/* ---- activation ---- */

/* The first row under `prefix`: its serial, behind `prefix_len` + 4 octets. */
static enum err first_serial(struct txn *txn, struct bytes prefix, uint32_t *ret_ca_key, struct serial *ret_serial)
{
        _cleanup_(cursor_close) struct cursor c = {0};
        struct bytes key, value, head;
        enum err e = cursor_open(&c, txn, TABLE_ITEM, prefix, BYTES_NONE);

        if (e == OK)
                e = cursor_next(&c, &key, &value);
        if (e == OK)
                e = key_take_serial(key, prefix.len + 4, ret_serial);
        if (e == OK && (bytes_take(&key, prefix.len, &head) != OK || bytes_take_u32(&key, ret_ca_key) != OK))
                e = ERR_CORRUPT;
        return e;
}

static enum err first_deferred(struct txn *txn, uint32_t id, uint32_t *ret_ca_key, struct serial *ret_serial)
{
        struct key prefix = key_item_deferred(id, 0, BYTES_NONE);

        return first_serial(txn, bytes_make(prefix.data, 8), ret_ca_key, ret_serial);
}

/* The serial is revoked as strongly already. If nobody's ledger keeps it, this one does. */
static enum err adopt(
        struct txn *txn, uint32_t id, const struct revocation *r, size_t reserve, enum item_progress *ret_progress)
{
        uint8_t signature[SIG_RAW_MAX];
        struct exception there;
        enum err e = exception_get_visible(txn, r->ca_key, r->serial, &there);

        *ret_progress = ITEM_ELSEWHERE;
        if (e == ERR_NOT_FOUND || (e == OK && there.batch != 0))
                return OK;
        if (e != OK || there.signature.len > sizeof(signature))
                return e != OK ? e : ERR_CORRUPT;
        if (there.signature.len > 0)
                memcpy(signature, there.signature.data, there.signature.len);
        there.signature.data = signature;
        there.batch = id;
        exception_put(txn, r->ca_key, r->serial, &there, reserve);
        *ret_progress = there.window ? ITEM_SIGNED : ITEM_STAGED;
        return OK;
}

static enum err activate_deferred(struct txn *txn, uint32_t id, const struct revocation *r, int64_t now_s, size_t reserve)
{
        enum item_progress progress = ITEM_STAGED;
        enum revocation_effect effect;
        struct record record;
        enum err e = revocation_write(txn, r, id, now_s, reserve, &effect);

        if (e == OK && !revocation_changes(effect))
                e = adopt(txn, id, r, reserve, &progress);
        if (e == OK)
                e = record_get(txn, r->ca_key, r->serial, &record);
        if (e != OK)
                return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
        put_item(txn, id, r, record.shard, progress);
        if (progress != ITEM_STAGED)
                batch_add(txn, id, 0, 0, 1);
        return OK;
}

static enum err activate_all_deferred(struct txn *txn, uint32_t id, int64_t now_s, size_t reserve)
{
        struct serial serial;
        uint32_t ca_key;
        enum err e;

        while ((e = first_deferred(txn, id, &ca_key, &serial)) == OK) {
                struct key index = key_item_deferred(id, ca_key, serial_bytes(&serial));
                struct revocation r = {.ca_key = ca_key, .serial = serial_bytes(&serial)};
                struct item item;

                e = item_get(txn, id, ca_key, r.serial, &item);
                if (e != OK)
                        return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
                r.reason = item.reason;
                r.revoked_at = item.revoked_at;
                r.invalidity_date = item.invalidity_date;
                e = activate_deferred(txn, id, &r, now_s, reserve);
                if (e != OK)
                        return e;
                txn_delete(txn, TABLE_ITEM, key_bytes(&index));
                if (txn_failed(txn))
                        return OK;
        }
        return e == ERR_NOT_FOUND ? OK : e;
}

static void put_batch_event(
        struct txn *txn, const struct batch *batch, enum event_kind kind, int64_t now_s, struct bytes actor)
{
        struct event event = {
                .time_s = now_s,
                .kind = (uint8_t)kind,
                .ca_key = batch->ca_key,
                .batch = batch->id,
                .actor = actor,
        };

        event_put(txn, &event);
}

static enum err flip(struct txn *txn, uint32_t id, int64_t now_s, struct bytes actor)
{
        struct batch batch;
        enum err e = batch_get(txn, id, &batch);

        if (e != OK)
                return e;
        batch.state = BATCH_ACTIVE;
        batch.activated_at = (uint32_t)now_s;
        batch_write(txn, &batch);
        put_batch_event(txn, &batch, EVENT_BATCH_ACTIVE, now_s, actor);
        meta_put_time(txn, now_s);
        meta_bump_generation(txn);
        return OK;
}

enum err batch_activate(struct txn *txn, uint32_t id, int64_t now_s, struct bytes actor, size_t reserve)
{
        struct batch batch;
        int64_t time_s;
        enum err e = check_staged(txn, id, &batch);

        if (e == OK)
                e = meta_get_time(txn, now_s, &time_s);
        if (e == OK && batch.n_deferred > 0)
                e = activate_all_deferred(txn, id, time_s, reserve);
        return e == OK ? flip(txn, id, time_s, actor) : e;
}

/* ---- taking back ---- */

static enum err drop_item(struct txn *txn, uint32_t id, uint32_t ca_key, struct bytes serial)
{
        struct key key = key_item(id, ca_key, serial), index = key_item_deferred(id, ca_key, serial);
        struct exception there;
        struct item item;
        enum err e = item_get(txn, id, ca_key, serial, &item);

        if (e != OK)
                return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
        e = exception_get(txn, ca_key, serial, &there);
        if (e == OK && there.batch == id) {
                exception_delete(txn, ca_key, serial);
                crl_entry_row_delete(txn, ca_key, item.shard, serial);
        } else if (e != OK && e != ERR_NOT_FOUND) {
                return e;
        }
        txn_delete(txn, TABLE_ITEM, key_bytes(&key));
        txn_delete(txn, TABLE_ITEM, key_bytes(&index));
        batch_add(txn, id, -1, item.progress == ITEM_DEFERRED ? -1 : 0, 0);
        return OK;
}

static enum err drop_items(struct txn *txn, uint32_t id, unsigned max, bool *ret_left)
{
        struct key prefix = key_id(id);
        struct serial serial;
        uint32_t ca_key;
        enum err e = OK;

        for (unsigned i = 0; e == OK && i < max && !txn_failed(txn); i++) {
                e = first_serial(txn, key_bytes(&prefix), &ca_key, &serial);
                if (e == OK)
                        e = drop_item(txn, id, ca_key, serial_bytes(&serial));
        }
        if (e == OK)
                e = first_serial(txn, key_bytes(&prefix), &ca_key, &serial);
        if (e != OK && e != ERR_NOT_FOUND)
                return e;
        *ret_left = e == OK;
        return OK;
}

/* The actor lies in the batch's row: used before that is rewritten. */
static void mark_dropped(struct txn *txn, struct batch *batch, int64_t now_s)
{
        _cleanup_(builder_done) struct builder actor = {0};

        builder_put(&actor, batch->actor);
        batch->state = BATCH_DROPPED;
        batch_write(txn, batch);
        put_batch_event(txn, batch, EVENT_BATCH_DROPPED, now_s, builder_bytes(&actor));
        meta_bump_generation(txn);
}

enum err batch_drop(struct txn *txn, uint32_t id, unsigned max, bool *ret_left)
{
        struct batch batch;
        int64_t now_s;
        enum err e = batch_get(txn, id, &batch);

        if (e == OK)
                e = batch.state == BATCH_ACTIVE ? ERR_STALE : meta_get_time(txn, clock_now_s(), &now_s);
        if (e != OK)
                return e;
        if (batch.state == BATCH_STAGED)
                mark_dropped(txn, &batch, now_s);
        return drop_items(txn, id, max, ret_left);
}
