/* status: exception, then record. A signature is kept in the row of the status it was made for, and goes with it. */
#include "store/status.h"

#include "store/batch.h"
#include "store/exception.h"
#include "store/mass.h"
#include "store/meta.h"
#include "store/record.h"
#include "store/signer.h"

/* ---- reading ---- */

static void fill_good(struct status *s, const struct record *record)
{
        s->ocsp.cert_status = OCSP_GOOD;
        s->window = record->window;
        s->signature = record->signature;
}

/* A released hold answers good again (RFC 5280 5.3.1, req 2.11), with the signature made since. */
static void fill_exception(struct status *s, const struct exception *x)
{
        s->in_exception = true;
        s->generation = x->generation;
        s->changed_at_s = x->changed_at;
        s->batch = x->batch;
        s->window = x->window;
        s->signature = x->signature;
        s->ocsp.cert_status = OCSP_GOOD;
        if (x->status == EXCEPTION_RELEASED)
                return;
        s->held = x->status == EXCEPTION_HELD;
        s->invalidity_date_s = x->invalidity_date;
        s->ocsp = (struct ocsp_status){.cert_status = OCSP_REVOKED, .reason = x->reason, .revoked_at_s = x->revoked_at};
}

void status_seek(struct txn *txn, uint32_t ca_key, struct bytes serial, struct status_place *ret_place)
{
        ret_place->key = key_serial(ca_key, serial);
        txn_seek_begin(txn, TABLE_RECORD, key_bytes(&ret_place->key), &ret_place->record);
        txn_seek_begin(txn, TABLE_EXCEPTION, key_bytes(&ret_place->key), &ret_place->exception);
}

void status_seek_together(struct status_place *places[], unsigned n)
{
        bool goes_on = true;

        for (unsigned i = 0; i < n; i++) {
                txn_seek_fetch(&places[i]->record);
                txn_seek_fetch(&places[i]->exception);
        }
        while (goes_on) {
                goes_on = false;
                for (unsigned i = 0; i < n; i++) {
                        goes_on |= txn_seek_step(&places[i]->record);
                        goes_on |= txn_seek_step(&places[i]->exception);
                }
        }
}

static enum err get_exception(struct txn *txn, struct status_place *place, struct exception *ret_exception)
{
        struct bytes value;
        enum err e = txn_seek_end(txn, &place->exception, &value);

        return e == OK ? exception_read_visible(txn, value, ret_exception) : e;
}

static enum err get_record(struct txn *txn, struct status_place *place, struct record *ret_record)
{
        struct bytes value;
        enum err e = txn_seek_end(txn, &place->record, &value);

        return e == OK ? record_read(value, ret_record) : e;
}

enum err status_get_at(struct txn *txn, struct status_place *place, struct status *ret_status)
{
        struct status s = {0};
        struct exception exception;
        struct record record;
        enum err e = get_exception(txn, place, &exception), e2;

        if (e != OK && e != ERR_NOT_FOUND)
                return e;
        e2 = get_record(txn, place, &record);
        if (e2 != OK)
                return e == OK && e2 == ERR_NOT_FOUND ? ERR_CORRUPT : e2;
        s.not_after = record.not_after;
        s.shard = record.shard;
        if (e == OK)
                fill_exception(&s, &exception);
        else
                fill_good(&s, &record);
        *ret_status = s;
        return OK;
}

enum err status_get(struct txn *txn, uint32_t ca_key, struct bytes serial, struct status *ret_status)
{
        struct status_place place, *places[] = {&place};

        status_seek(txn, ca_key, serial, &place);
        status_seek_together(places, 1);
        return status_get_at(txn, &place, ret_status);
}

bool status_is_usable(
        const struct status *status, const struct window *window, uint32_t ca_key, uint32_t epoch, int64_t now_s)
{
        if (status->window == 0 || status->window != window->id || status->signature.len == 0 || window->ca_key != ca_key)
                return false;
        if (now_s < window->this_update_s || now_s >= window->next_update_s)
                return false;
        if (window->this_update_s < status->changed_at_s)
                return false;
        return status->ocsp.cert_status != OCSP_GOOD || window->epoch == epoch;
}

/* ---- writing a signature back ---- */

/* What a disabled signer signed is never served again, so anything may take its place. */
static bool is_disabled(struct txn *txn, uint32_t signer)
{
        struct signer s;

        return signer_get(txn, signer, &s) == OK && s.disabled_at != 0;
}

/* Is the stored signature from a newer window that still vouches for what it says? */
static enum err check_newest(struct txn *txn, uint32_t stored, const struct window *window)
{
        struct window old;
        enum err e;

        if (stored == 0 || stored == window->id)
                return OK;
        e = window_get(txn, stored, &old);
        if (e != OK)
                return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
        if (old.this_update_s <= window->this_update_s || old.epoch != window->epoch || is_disabled(txn, old.signer))
                return OK;
        return ERR_STALE;
}

static uint32_t later(uint32_t a, int64_t b)
{
        return (int64_t)a > b ? a : (uint32_t)b;
}

/* To be rewritten: *ret_value is its row. */
static enum err get_for_rewrite(
        struct txn *txn, uint32_t ca_key, struct bytes serial, struct bytes *ret_value, struct record *ret_record)
{
        struct key key = key_serial(ca_key, serial);
        enum err e = txn_get(txn, TABLE_RECORD, key_bytes(&key), ret_value);

        return e == OK ? record_read(*ret_value, ret_record) : e;
}

static enum err sign_record(
        struct txn *txn, uint32_t ca_key, struct bytes serial, const struct window *window, struct bytes signature)
{
        struct record record;
        struct bytes value;
        enum err e = get_for_rewrite(txn, ca_key, serial, &value, &record);

        if (e == OK)
                e = check_newest(txn, record.window, window);
        if (e != OK)
                return e;
        record.window = window->id;
        record.good_until = later(record.good_until, window->next_update_s);
        record.signature = signature;
        record_put(txn, ca_key, serial, &record, record_room(value));
        return OK;
}

/* A released hold is promised good by a signature in the exception row; the promise is kept beside the others, in the
 * record. */
static enum err promise_good(struct txn *txn, uint32_t ca_key, struct bytes serial, const struct window *window)
{
        uint8_t signature[SIG_RAW_MAX];
        struct record record;
        struct bytes value;
        enum err e = get_for_rewrite(txn, ca_key, serial, &value, &record);

        if (e != OK || record.good_until >= window->next_update_s)
                return e;
        if (record.signature.len > sizeof(signature))
                return ERR_CORRUPT;
        if (record.signature.len > 0)
                memcpy(signature, record.signature.data, record.signature.len);
        record.signature.data = signature;
        record.good_until = (uint32_t)window->next_update_s;
        record_put(txn, ca_key, serial, &record, record_room(value));
        return OK;
}

static enum err sign_exception(struct txn *txn, uint32_t ca_key, struct bytes serial, const struct exception *visible,
        const struct window *window, struct bytes signature)
{
        struct key key = key_serial(ca_key, serial);
        struct exception x;
        struct bytes value;
        enum err e = window->this_update_s < visible->changed_at ? ERR_STALE : check_newest(txn, visible->window, window);

        if (e == OK && visible->status == EXCEPTION_RELEASED)
                e = promise_good(txn, ca_key, serial, window);
        if (e == OK)
                e = txn_get(txn, TABLE_EXCEPTION, key_bytes(&key), &value);
        if (e == OK)
                e = exception_read(value, &x);
        if (e != OK)
                return e;
        x.window = window->id;
        x.signature = signature;
        exception_put(txn, ca_key, serial, &x, exception_room(value));
        if (x.batch != 0)
                item_mark_signed(txn, x.batch, ca_key, serial, true);
        return OK;
}

/* window_purge.h relies on it: no row comes to name a window that is being forgotten, or that is gone. */
static enum err refuse_forgotten(struct txn *txn, const struct window *window)
{
        struct key key = key_id(window->id);
        struct meta_windows windows;
        struct bytes row;
        enum err e = meta_get_windows(txn, &windows);

        if (e == OK && window->next_update_s <= windows.horizon_s)
                return ERR_STALE;
        if (e == OK && window->next_update_s <= windows.gone_s)
                e = txn_get(txn, TABLE_WINDOW, key_bytes(&key), &row);
        return e == ERR_NOT_FOUND ? ERR_STALE : e;
}

enum err status_sign(struct txn *txn, uint32_t ca_key, struct bytes serial, uint32_t generation, const struct window *window,
        struct bytes raw_signature)
{
        struct exception visible;
        enum err e;

        if (window->ca_key != ca_key || raw_signature.len == 0 || raw_signature.len > SIG_RAW_MAX)
                return ERR_INVALID;
        e = refuse_forgotten(txn, window);
        if (e != OK)
                return e;
        e = exception_get_visible(txn, ca_key, serial, &visible);
        if (e == ERR_NOT_FOUND)
                return generation == 0 ? sign_record(txn, ca_key, serial, window, raw_signature) : ERR_STALE;
        if (e != OK)
                return e;
        if (generation != visible.generation)
                return ERR_STALE;
        return sign_exception(txn, ca_key, serial, &visible, window, raw_signature);
}

/* ---- promises ---- */

enum err status_get_good_until(
        struct txn *txn, uint32_t ca_key, struct bytes serial, const struct status *status, int64_t *ret_good_until_s)
{
        /* Nothing good is signed under a window made after the change; one of the same second may be from before it. */
        int64_t last_s = status->ocsp.cert_status == OCSP_GOOD ? INT64_MAX : status->changed_at_s, promised_s;
        struct record record;
        enum err e = record_get(txn, ca_key, serial, &record);

        if (e == OK)
                e = window_get_promise(txn, ca_key, serial, last_s, &promised_s);
        if (e == OK)
                *ret_good_until_s = later(record.good_until, promised_s);
        return e;
}
