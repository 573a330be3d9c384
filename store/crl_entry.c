/* crl_entry: rows, and the two walks that CRLs are made from. Layout: reason u8, revoked_at, invalidity_date, batch,
 * not_after u32.
 *
 * A full walk reads the table in order and skips what belongs to a batch that is not active. A delta walk takes the serials
 * from the events since its base, and says what the same snapshot says of each. */
#include "store/crl_entry.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "store/batch.h"
#include "store/event.h"
#include "store/exception.h"
#include "store/row.h"

#define ROW_LEN 17
#define SHARD_PREFIX_LEN 6

void crl_entry_row_put(
        struct txn *txn, uint32_t ca_key, uint16_t shard, struct bytes serial, const struct crl_entry_row *row)
{
        uint8_t memory[ROW_LEN];
        struct builder b = builder_fixed(memory, sizeof(memory));
        struct key key = key_crl_entry(ca_key, shard, serial);

        builder_put_u8(&b, row->reason);
        builder_put_u32(&b, row->revoked_at);
        builder_put_u32(&b, row->invalidity_date);
        builder_put_u32(&b, row->batch);
        builder_put_u32(&b, row->not_after);
        row_put_built(txn, TABLE_CRL_ENTRY, key_bytes(&key), &b);
}

enum err crl_entry_row_read(struct bytes value, struct crl_entry_row *ret_row)
{
        struct crl_entry_row row;

        if (bytes_take_u8(&value, &row.reason) != OK || bytes_take_u32(&value, &row.revoked_at) != OK ||
                bytes_take_u32(&value, &row.invalidity_date) != OK || bytes_take_u32(&value, &row.batch) != OK ||
                bytes_take_u32(&value, &row.not_after) != OK)
                return ERR_CORRUPT;
        *ret_row = row;
        return OK;
}

void crl_entry_row_delete(struct txn *txn, uint32_t ca_key, uint16_t shard, struct bytes serial)
{
        struct key key = key_crl_entry(ca_key, shard, serial);

        txn_delete(txn, TABLE_CRL_ENTRY, key_bytes(&key));
}

/* ---- walks ---- */

struct crl_walk {
        struct txn *txn;
        uint32_t ca_key;
        uint16_t shard;
        bool is_delta;
        struct serial serial; /* of the entry handed out last */
        enum err err;         /* a rewind that failed: told by the next call */
        /* full */
        struct cursor cursor;
        uint32_t batch; /* the batch asked for last, and what was said */
        struct batch_brief brief;
        /* delta: sorted, each once */
        struct serial *serials;
        size_t n_serials, cap, at;
};

static void walk_freep(struct crl_walk **walk)
{
        crl_walk_free(*walk);
}

static struct crl_walk *walk_new(struct txn *txn, uint32_t ca_key, uint16_t shard, bool is_delta)
{
        struct crl_walk *walk = calloc(1, sizeof(*walk));

        if (walk) {
                walk->txn = txn;
                walk->ca_key = ca_key;
                walk->shard = shard;
                walk->is_delta = is_delta;
        }
        return walk;
}

void crl_walk_free(struct crl_walk *walk)
{
        if (!walk)
                return;
        cursor_close(&walk->cursor);
        free(walk->serials);
        free(walk);
}

static enum err open_cursor(struct crl_walk *walk)
{
        struct key prefix = key_crl_entry(walk->ca_key, walk->shard, BYTES_NONE);

        return cursor_open(&walk->cursor, walk->txn, TABLE_CRL_ENTRY, key_bytes(&prefix), BYTES_NONE);
}

enum err crl_walk_full(struct txn *txn, uint32_t ca_key, uint16_t shard, struct crl_walk **ret_walk)
{
        _cleanup_(walk_freep) struct crl_walk *walk = walk_new(txn, ca_key, shard, false);
        enum err e = walk ? open_cursor(walk) : ERR_NOMEM;

        if (e != OK)
                return e;
        *ret_walk = steal(&walk);
        return OK;
}

static enum err find_batch(struct crl_walk *walk, uint32_t batch)
{
        enum err e = OK;

        if (walk->batch != batch)
                e = batch_get_brief(walk->txn, batch, &walk->brief);
        if (e == OK)
                walk->batch = batch;
        return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
}

/* ERR_AGAIN: not listed, its batch is not active. */
static enum err resolve_row(struct crl_walk *walk, const struct crl_entry_row *row, struct crl_entry *ret_entry)
{
        enum err e = row->batch == 0 ? OK : find_batch(walk, row->batch);

        if (e != OK)
                return e;
        if (row->batch != 0 && walk->brief.state != BATCH_ACTIVE)
                return ERR_AGAIN;
        *ret_entry = (struct crl_entry){
                .serial = serial_bytes(&walk->serial),
                .revoked_at_s = row->revoked_at ? row->revoked_at : walk->brief.activated_at,
                .reason = row->reason,
                .invalidity_date_s = row->invalidity_date,
        };
        return OK;
}

static enum err next_full(struct crl_walk *walk, struct crl_entry *ret_entry)
{
        struct crl_entry_row row;
        struct bytes key, value;
        enum err e = cursor_next(&walk->cursor, &key, &value);

        if (e == OK)
                e = key_take_serial(key, SHARD_PREFIX_LEN, &walk->serial);
        if (e == OK)
                e = crl_entry_row_read(value, &row);
        return e == OK ? resolve_row(walk, &row, ret_entry) : e;
}

/* removeFromCRL carries the time of the release (RFC 5280 5.2.4, req 4.5). ERR_AGAIN: nothing to list. */
static enum err next_delta(struct crl_walk *walk, struct crl_entry *ret_entry)
{
        struct exception x;
        bool is_released;
        enum err e;

        if (walk->at == walk->n_serials)
                return ERR_NOT_FOUND;
        walk->serial = walk->serials[walk->at++];
        e = exception_get_visible(walk->txn, walk->ca_key, serial_bytes(&walk->serial), &x);
        if (e != OK)
                return e == ERR_NOT_FOUND ? ERR_AGAIN : e;
        is_released = x.status == EXCEPTION_RELEASED;
        *ret_entry = (struct crl_entry){
                .serial = serial_bytes(&walk->serial),
                .revoked_at_s = is_released ? x.changed_at : x.revoked_at,
                .reason = is_released ? REASON_REMOVE_FROM_CRL : (enum reason)x.reason,
                .invalidity_date_s = is_released ? 0 : x.invalidity_date,
        };
        return OK;
}

enum err crl_walk_next(struct crl_walk *walk, struct crl_entry *ret_entry)
{
        enum err e = walk->err;

        if (e != OK)
                return e;
        do {
                e = walk->is_delta ? next_delta(walk, ret_entry) : next_full(walk, ret_entry);
        } while (e == ERR_AGAIN);
        return e;
}

void crl_walk_rewind(struct crl_walk *walk)
{
        walk->at = 0;
        if (walk->is_delta)
                return;
        cursor_close(&walk->cursor);
        walk->err = open_cursor(walk);
}

/* ---- what changed since ---- */

static enum err collect(struct crl_walk *walk, const struct serial *serial)
{
        if (walk->n_serials == walk->cap) {
                size_t cap = walk->cap ? 2 * walk->cap : 64;
                struct serial *grown = reallocarray(walk->serials, cap, sizeof(*grown));

                if (!grown)
                        return ERR_NOMEM;
                walk->serials = grown;
                walk->cap = cap;
        }
        walk->serials[walk->n_serials++] = *serial;
        return OK;
}

static enum err collect_item(struct crl_walk *walk, struct bytes key, struct bytes value)
{
        struct serial serial;
        struct item item;
        enum err e = item_read(value, &item);

        if (e == OK)
                e = key_take_serial(key, 8, &serial);
        if (e != OK || item.shard != walk->shard)
                return e;
        return collect(walk, &serial);
}

static enum err collect_batch(struct crl_walk *walk, uint32_t batch)
{
        _cleanup_(cursor_close) struct cursor c = {0};
        struct key prefix = key_item(batch, walk->ca_key, BYTES_NONE);
        struct bytes key, value;
        enum err e = cursor_open(&c, walk->txn, TABLE_ITEM, key_bytes(&prefix), BYTES_NONE);

        while (e == OK) {
                e = cursor_next(&c, &key, &value);
                if (e == OK)
                        e = collect_item(walk, key, value);
        }
        return e == ERR_NOT_FOUND ? OK : e;
}

static bool is_change_of_one(uint8_t kind)
{
        return kind == EVENT_REVOKED || kind == EVENT_HELD || kind == EVENT_RELEASED || kind == EVENT_UPGRADED;
}

static enum err collect_event(struct crl_walk *walk, const struct event *event)
{
        struct serial serial;

        if (event->ca_key != walk->ca_key)
                return OK;
        if (event->kind == EVENT_BATCH_ACTIVE)
                return collect_batch(walk, event->batch);
        if (!is_change_of_one(event->kind) || event->shard != walk->shard)
                return OK;
        if (serial_from_der(event->serial, &serial) != OK)
                return ERR_CORRUPT;
        return collect(walk, &serial);
}

static enum err collect_since(struct crl_walk *walk, uint64_t since)
{
        uint64_t last = event_last(walk->txn);
        struct event event;
        enum err e = OK;

        for (uint64_t sequence = since + 1; e == OK && sequence <= last; sequence++) {
                e = event_get(walk->txn, sequence, &event);
                if (e == OK)
                        e = collect_event(walk, &event);
        }
        return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
}

static int compare_serials(const void *a, const void *b)
{
        return bytes_compare(serial_bytes(a), serial_bytes(b));
}

static void sort_and_unite(struct crl_walk *walk)
{
        size_t n = 0;

        if (walk->n_serials > 1)
                qsort(walk->serials, walk->n_serials, sizeof(walk->serials[0]), compare_serials);
        for (size_t i = 0; i < walk->n_serials; i++) {
                if (n == 0 || compare_serials(&walk->serials[n - 1], &walk->serials[i]) != 0)
                        walk->serials[n++] = walk->serials[i];
        }
        walk->n_serials = n;
}

enum err crl_walk_delta(struct txn *txn, uint32_t ca_key, uint16_t shard, uint64_t since, struct crl_walk **ret_walk)
{
        _cleanup_(walk_freep) struct crl_walk *walk = walk_new(txn, ca_key, shard, true);
        enum err e = walk ? collect_since(walk, since) : ERR_NOMEM;

        if (e != OK)
                return e;
        sort_and_unite(walk);
        *ret_walk = steal(&walk);
        return OK;
}
