/* check: the invariants that hold between tables after every commit. One row of `walks` is one table's walk. */
#include "store/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "store/batch.h"
#include "store/crl_entry.h"
#include "store/crl_history.h"
#include "store/event.h"
#include "store/exception.h"
#include "store/record.h"
#include "store/window.h"

struct check {
        struct txn *txn;
        void (*found)(void *arg, const char *text);
        void *arg;
        uint64_t n;
        uint32_t known_window, known_ca_key; /* the one looked up last: rows of one slice share it */
};

static __attribute__((format(printf, 3, 4))) void complain(struct check *c, struct bytes key, const char *format, ...)
{
        char hex[2 * KEY_MAX + 1] = "", what[128], text[256];
        va_list args;

        va_start(args, format);
        vsnprintf(what, sizeof(what), format, args);
        va_end(args);
        bytes_to_hex(bytes_make(key.data, key.len > KEY_MAX ? KEY_MAX : key.len), hex);
        snprintf(text, sizeof(text), "%s (key %s)", what, hex);
        c->n++;
        c->found(c->arg, text);
}

/* ERR_NOT_FOUND and ERR_CORRUPT are findings; anything else ends the check. */
static enum err finding(struct check *c, enum err e, struct bytes key, const char *text)
{
        if (e != ERR_NOT_FOUND && e != ERR_CORRUPT)
                return e;
        complain(c, key, "%s", text);
        return OK;
}

/* ---- signatures and windows ---- */

static enum err check_window(struct check *c, struct bytes key, uint32_t id, uint32_t ca_key, size_t signature_len)
{
        struct window window;
        enum err e;

        if ((id == 0) != (signature_len == 0))
                complain(c, key, "a signature without a window, or a window without a signature");
        if (id == 0 || (id == c->known_window && ca_key == c->known_ca_key))
                return OK;
        e = window_get(c->txn, id, &window);
        if (e != OK)
                return finding(c, e, key, "signed in a window that is not there");
        if (window.ca_key != ca_key)
                complain(c, key, "signed in a window of another CA key");
        c->known_window = id;
        c->known_ca_key = window.ca_key;
        return OK;
}

static bool split_serial_key(struct check *c, struct bytes key, uint32_t *ret_ca_key, struct serial *ret_serial)
{
        struct bytes rest = key;

        if (key_take_serial(key, 4, ret_serial) == OK && bytes_take_u32(&rest, ret_ca_key) == OK)
                return true;
        complain(c, key, "malformed key");
        return false;
}

static enum err check_record(struct check *c, struct bytes key, struct bytes value)
{
        struct record record;
        struct serial serial;
        uint32_t ca_key;

        if (!split_serial_key(c, key, &ca_key, &serial))
                return OK;
        if (record_read(value, &record) != OK)
                return finding(c, ERR_CORRUPT, key, "malformed record");
        return check_window(c, key, record.window, ca_key, record.signature.len);
}

/* ---- exceptions and what CRLs list ---- */

static bool is_listed(const struct exception *x)
{
        return x->status == EXCEPTION_REVOKED || x->status == EXCEPTION_HELD;
}

static enum err get_crl_entry(
        struct check *c, uint32_t ca_key, uint16_t shard, struct bytes serial, struct crl_entry_row *ret_row)
{
        struct key key = key_crl_entry(ca_key, shard, serial);
        struct bytes value;
        enum err e = txn_get(c->txn, TABLE_CRL_ENTRY, key_bytes(&key), &value);

        return e == OK ? crl_entry_row_read(value, ret_row) : e;
}

static bool is_same_revocation(const struct exception *x, const struct crl_entry_row *row)
{
        return x->reason == row->reason && x->revoked_at == row->revoked_at && x->invalidity_date == row->invalidity_date;
}

static enum err check_crl_listing(
        struct check *c, struct bytes key, uint32_t ca_key, struct bytes serial, const struct exception *x)
{
        struct crl_entry_row row;
        struct record record;
        enum err e = record_get(c->txn, ca_key, serial, &record);

        if (e != OK)
                return finding(c, e, key, "an exception without a record");
        e = get_crl_entry(c, ca_key, record.shard, serial, &row);
        if (!is_listed(x)) {
                if (e == OK)
                        complain(c, key, "released, but listed for the CRL");
                return e == ERR_NOT_FOUND ? OK : e;
        }
        if (e != OK)
                return finding(c, e, key, "revoked, but not listed for the CRL");
        if (!is_same_revocation(x, &row))
                complain(c, key, "exception and crl_entry differ");
        return OK;
}

static enum err check_ledger(
        struct check *c, struct bytes key, uint32_t ca_key, struct bytes serial, const struct exception *x)
{
        struct batch_brief batch;
        struct item item;
        enum err e;

        if (x->batch == 0)
                return OK;
        e = batch_get_brief(c->txn, x->batch, &batch);
        if (e == OK)
                e = item_get(c->txn, x->batch, ca_key, serial, &item);
        if (e != OK)
                return finding(c, e, key, "an exception of a batch without its batch or item");
        if (item.progress != ITEM_STAGED && item.progress != ITEM_SIGNED)
                complain(c, key, "an exception whose item says it is kept elsewhere");
        if (batch.state != BATCH_ACTIVE && x->window != 0)
                complain(c, key, "signed before its batch was active");
        return OK;
}

static enum err check_exception(struct check *c, struct bytes key, struct bytes value)
{
        struct exception x;
        struct serial serial;
        uint32_t ca_key;
        enum err e;

        if (!split_serial_key(c, key, &ca_key, &serial))
                return OK;
        if (exception_read(value, &x) != OK || x.status < EXCEPTION_REVOKED || x.status > EXCEPTION_RELEASED ||
                !reason_allowed(x.reason) || x.generation == 0 || (x.batch == 0 && (x.revoked_at == 0 || x.changed_at == 0)))
                return finding(c, ERR_CORRUPT, key, "malformed exception");
        e = check_window(c, key, x.window, ca_key, x.signature.len);
        if (e == OK)
                e = check_crl_listing(c, key, ca_key, serial_bytes(&serial), &x);
        return e == OK ? check_ledger(c, key, ca_key, serial_bytes(&serial), &x) : e;
}

static enum err check_crl_entry(struct check *c, struct bytes key, struct bytes value)
{
        struct crl_entry_row row;
        struct exception x;
        struct serial serial;
        struct bytes rest = key;
        uint32_t ca_key;
        enum err e;

        if (key_take_serial(key, 6, &serial) != OK || bytes_take_u32(&rest, &ca_key) != OK ||
                crl_entry_row_read(value, &row) != OK)
                return finding(c, ERR_CORRUPT, key, "malformed crl_entry");
        e = exception_get(c->txn, ca_key, serial_bytes(&serial), &x);
        if (e == OK && (!is_listed(&x) || !is_same_revocation(&x, &row)))
                e = ERR_CORRUPT;
        return finding(c, e, key, "listed for the CRL, but not revoked so");
}

/* ---- batches and items ---- */

struct tally {
        uint32_t n_items, n_deferred, n_signed;
};

static enum err check_item_row(
        struct check *c, const struct batch *batch, struct bytes key, uint32_t ca_key, struct bytes serial, uint8_t progress)
{
        struct exception x;
        enum err e;

        if (progress == ITEM_DEFERRED || progress == ITEM_ELSEWHERE)
                return OK;
        e = exception_get(c->txn, ca_key, serial, &x);
        if (e != OK)
                return finding(c, e, key, "an item without its exception");
        if (x.batch != batch->id)
                complain(c, key, "an item whose exception is another batch's");
        else if ((progress == ITEM_SIGNED) != (x.window != 0))
                complain(c, key, "item and exception differ on whether it is signed");
        return OK;
}

static enum err check_deferral(
        struct check *c, const struct batch *batch, struct bytes key, uint32_t ca_key, struct bytes serial, uint8_t progress)
{
        struct key index = key_item_deferred(batch->id, ca_key, serial);
        struct bytes value;
        enum err e = txn_get(c->txn, TABLE_ITEM, key_bytes(&index), &value);

        if (e != OK && e != ERR_NOT_FOUND)
                return e;
        if ((progress == ITEM_DEFERRED) != (e == OK))
                complain(c, key, "a deferred item that is not in the index, or the other way round");
        if (progress == ITEM_DEFERRED && batch->state == BATCH_ACTIVE)
                complain(c, key, "a deferred item in an active batch");
        return OK;
}

static void count_item(struct tally *t, uint8_t progress)
{
        t->n_items++;
        t->n_deferred += progress == ITEM_DEFERRED;
        t->n_signed += progress == ITEM_SIGNED || progress == ITEM_ELSEWHERE;
}

static enum err check_one_item(
        struct check *c, const struct batch *batch, struct bytes key, struct bytes value, struct tally *t)
{
        struct bytes rest = key;
        struct serial serial;
        uint32_t id, ca_key;
        struct item item;
        enum err e;

        if (key_take_serial(key, 8, &serial) != OK || bytes_take_u32(&rest, &id) != OK ||
                bytes_take_u32(&rest, &ca_key) != OK || item_read(value, &item) != OK || item.progress < ITEM_STAGED ||
                item.progress > ITEM_ELSEWHERE)
                return finding(c, ERR_CORRUPT, key, "malformed item");
        count_item(t, item.progress);
        e = check_item_row(c, batch, key, ca_key, serial_bytes(&serial), item.progress);
        return e == OK ? check_deferral(c, batch, key, ca_key, serial_bytes(&serial), item.progress) : e;
}

static enum err check_items(struct check *c, const struct batch *batch, struct tally *ret_tally)
{
        _cleanup_(cursor_close) struct cursor cursor = {0};
        struct key prefix = key_id(batch->id);
        struct bytes key, value;
        enum err e = cursor_open(&cursor, c->txn, TABLE_ITEM, key_bytes(&prefix), BYTES_NONE);

        while (e == OK) {
                e = cursor_next(&cursor, &key, &value);
                if (e == OK)
                        e = check_one_item(c, batch, key, value, ret_tally);
        }
        return e == ERR_NOT_FOUND ? OK : e;
}

static enum err check_batch(struct check *c, struct bytes key, struct bytes value)
{
        struct tally tally = {0};
        struct batch batch;
        struct bytes rest = key;
        uint32_t id;
        enum err e;

        (void)value;
        if (bytes_take_u32(&rest, &id) != OK || batch_get(c->txn, id, &batch) != OK || batch.state < BATCH_STAGED ||
                batch.state > BATCH_DROPPED)
                return finding(c, ERR_CORRUPT, key, "malformed batch");
        e = check_items(c, &batch, &tally);
        if (e != OK)
                return e;
        if (tally.n_items != batch.n_items || tally.n_signed != batch.n_signed)
                complain(c, key, "the batch counts %u items, %u signed; there are %u, %u", batch.n_items, batch.n_signed,
                        tally.n_items, tally.n_signed);
        if (batch.state != BATCH_ACTIVE && tally.n_deferred != batch.n_deferred)
                complain(c, key, "the batch counts %u deferred; there are %u", batch.n_deferred, tally.n_deferred);
        if ((batch.state == BATCH_ACTIVE) != (batch.activated_at != 0))
                complain(c, key, "active without a time, or the other way round");
        return OK;
}

/* Each item is seen by its batch; here only whether it has one. */
static enum err check_item(struct check *c, struct bytes key, struct bytes value)
{
        struct bytes rest = key;
        struct batch_brief brief;
        uint32_t id;
        enum err e;

        (void)value;
        if (bytes_take_u32(&rest, &id) != OK || (id == 0 && bytes_take_u32(&rest, &id) != OK))
                return finding(c, ERR_CORRUPT, key, "malformed item");
        e = batch_get_brief(c->txn, id, &brief);
        if (e == OK && brief.state == BATCH_ACTIVE && key.len > 4 &&
                bytes_equal(bytes_make(key.data, 4), bytes_make("\0\0\0\0", 4)))
                complain(c, key, "the index of deferred items names an active batch");
        return finding(c, e, key, "an item without a batch");
}

/* ---- CRLs ---- */

static enum err check_crl(struct check *c, struct bytes key, struct bytes value)
{
        struct bytes rest = key;
        struct crl_row row, base;
        uint32_t ca_key;
        uint16_t shard;
        uint64_t number;
        uint8_t is_delta;

        (void)value;
        if (bytes_take_u32(&rest, &ca_key) != OK || bytes_take_u16(&rest, &shard) != OK ||
                bytes_take_u64(&rest, &number) != OK || bytes_take_u8(&rest, &is_delta) != OK ||
                crl_get(c->txn, ca_key, shard, number, is_delta, &row) != OK)
                return finding(c, ERR_CORRUPT, key, "malformed crl_history row");
        if (!row.is_delta)
                return OK;
        return finding(
                c, crl_get(c->txn, ca_key, shard, row.base, false, &base), key, "a delta CRL whose base is not there");
}

/* ---- all of it ---- */

static const struct {
        enum table table;
        enum err (*check)(struct check *c, struct bytes key, struct bytes value);
} walks[] = {
        {TABLE_RECORD, check_record},
        {TABLE_EXCEPTION, check_exception},
        {TABLE_CRL_ENTRY, check_crl_entry},
        {TABLE_BATCH, check_batch},
        {TABLE_ITEM, check_item},
        {TABLE_CRL_HISTORY, check_crl},
};

static enum err walk_table(
        struct check *c, enum table table, enum err (*check)(struct check *c, struct bytes key, struct bytes value))
{
        _cleanup_(cursor_close) struct cursor cursor = {0};
        struct bytes key, value;
        enum err e = cursor_open(&cursor, c->txn, table, BYTES_NONE, BYTES_NONE);

        while (e == OK) {
                e = cursor_next(&cursor, &key, &value);
                if (e == OK)
                        e = check(c, key, value);
        }
        return e == ERR_NOT_FOUND ? OK : e;
}

static enum err check_events(struct check *c)
{
        uint64_t last = event_last(c->txn), bad = 0;
        enum err e = event_verify(c->txn, 1, last, &bad);
        struct key key = key_event(bad);

        if (txn_count(c->txn, TABLE_EVENT) != last)
                complain(c, BYTES_NONE, "%llu events, but the last is %llu",
                        (unsigned long long)txn_count(c->txn, TABLE_EVENT), (unsigned long long)last);
        return finding(c, e, key_bytes(&key), "the chain of events is broken");
}

enum err store_check(struct txn *txn, void (*found)(void *arg, const char *text), void *arg, uint64_t *ret_n)
{
        struct check c = {.txn = txn, .found = found, .arg = arg};
        enum err e = OK;

        for (size_t i = 0; e == OK && i < sizeof(walks) / sizeof(walks[0]); i++)
                e = walk_table(&c, walks[i].table, walks[i].check);
        if (e == OK)
                e = check_events(&c);
        if (e == OK)
                *ret_n = c.n;
        return e;
}
