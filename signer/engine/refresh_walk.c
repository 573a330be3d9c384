/* refresh_walk: when a row is due, and the rows that are. */
#include "signer/engine/refresh_walk.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "signer/engine/engine.h"
#include "store/exception.h"
#include "store/record.h"
#include "store/signer.h"
#include "store/status.h"

/* The reader's time for one step; lists are checked in between. */
#define STEP_US 20000
#define PACES_AN_AGE 64
/* Of a serial: few enough to keep neighbours together, enough to tell 50 million apart. */
#define PART_OCTETS 3

static int64_t refresh_age_s(const struct issuer *is)
{
        return is->conf->ocsp_refresh_s ? is->conf->ocsp_refresh_s : is->conf->ocsp_validity_s / 2;
}

int64_t refresh_pace_s(const struct issuer *is)
{
        return refresh_age_s(is) / PACES_AN_AGE;
}

/* FNV-1a, then mixed: neighbours must not have neighbouring parts. */
static uint32_t mix(uint32_t h, struct bytes data)
{
        for (size_t i = 0; i < data.len; i++)
                h = (h ^ data.data[i]) * 16777619u;
        h = (h ^ h >> 16) * 0x7feb352du;
        h = (h ^ h >> 15) * 0x846ca68bu;
        return h ^ h >> 16;
}

uint32_t refresh_part(const struct window *w, struct bytes serial)
{
        if (w->range_from.len > 0)
                serial = BYTES_NONE;
        else if (serial.len > PART_OCTETS)
                serial.len = PART_OCTETS;
        return mix(2166136261u ^ w->id, serial);
}

int64_t refresh_due_s(const struct issuer *is, const struct window *w, uint32_t part)
{
        int64_t age = refresh_age_s(is), half = (w->next_update_s - w->this_update_s) / 2;
        int64_t latest;

        /* A validity cut short by a certificate's notAfter is refreshed in proportion. */
        if (age > half)
                age = half;
        latest = age - age / PACES_AN_AGE;
        return w->this_update_s + age / 2 + (latest - age / 2) * (int64_t)(part >> 8) / ((1 << 24) - 1);
}

/* ---- one step of a walk, on the reader's thread ---- */

struct walk {
        struct refresh *r;
        struct engine *engine;
        struct issuer *issuer;
        struct txn *txn;
        int64_t now_s, best_next_update_s;
        /* Neighbours share their part of a window: its verdict is kept. */
        uint32_t last_window, last_part;
        int64_t last_due_s;
        bool is_late; /* the row just looked at */
};

/* When the rows of this part of the window are due; 0: now. */
static int64_t window_due_s(struct walk *w, const struct window *window, uint32_t part)
{
        struct signer signer;

        if (window->epoch != w->r->epoch || window->ca_key != w->issuer->ca_key)
                return 0;
        if (signer_get(w->txn, window->signer, &signer) != OK || signer.disabled_at != 0)
                return 0;
        /* Signing anew would not make it last longer: the signer's own end is near (it is logged elsewhere). */
        if (window->next_update_s >= w->best_next_update_s && window->next_update_s > w->now_s)
                return window->next_update_s;
        return refresh_due_s(w->issuer, window, part);
}

static bool is_due(struct walk *w, uint32_t id, struct bytes serial)
{
        const struct window *window = id ? window_cache_get(w->r->windows, w->txn, id) : NULL;
        uint32_t part;

        w->is_late = true;
        if (!window)
                return true;
        part = refresh_part(window, serial);
        if (id != w->last_window || part != w->last_part) {
                w->last_due_s = window_due_s(w, window, part);
                w->last_window = id;
                w->last_part = part;
        }
        w->is_late = w->last_due_s + w->r->pace_s + REFRESH_AGAIN_S < w->now_s;
        if (w->last_due_s <= w->now_s)
                return true;
        if (w->last_due_s < w->r->next_due_s)
                w->r->next_due_s = w->last_due_s;
        return false;
}

/* An expired certificate's answer is not signed any more; it can still be had on demand (req 2.20). */
static bool is_expired(const struct walk *w, uint32_t not_after)
{
        return not_after != 0 && not_after < w->now_s;
}

/* Does this row want a signature of its own? */
static bool record_wants(struct walk *w, struct bytes serial, struct bytes value)
{
        struct record record;
        struct status status;

        if (record_read(value, &record) != OK || is_expired(w, record.not_after))
                return false;
        if (!is_due(w, record.window, serial)) {
                w->r->tally.n_fresh++;
                return false;
        }
        return status_get(w->txn, w->issuer->ca_key, serial, &status) == OK && !status.in_exception;
}

static bool exception_wants(struct walk *w, struct bytes serial, struct bytes value)
{
        struct status status;

        (void)value;
        if (status_get(w->txn, w->issuer->ca_key, serial, &status) != OK || !status.in_exception ||
                is_expired(w, status.not_after))
                return false;
        if (!is_due(w, status.window, serial)) {
                w->r->tally.n_fresh++;
                return false;
        }
        return true;
}

static void look_at_row(struct walk *w, struct bytes key, struct bytes value)
{
        struct slice *slice = w->r->walking;
        struct serial serial;
        bool wants;

        if (key_take_serial(key, 4, &serial) != OK)
                return;
        if (w->r->table == TABLE_RECORD)
                wants = record_wants(w, serial_bytes(&serial), value);
        else
                wants = exception_wants(w, serial_bytes(&serial), value);
        if (!wants)
                return;
        slice->serials[slice->n++] = serial;
        if (w->is_late)
                w->r->tally.has_late = true;
}

static void note_position(struct refresh *r, struct bytes key)
{
        if (key.len <= KEY_MAX) {
                r->at.len = (uint8_t)key.len;
                memcpy(r->at.data, key.data, key.len);
        }
}

static enum err walk_rows(struct walk *w)
{
        _cleanup_(cursor_close) struct cursor cursor = {0};
        struct refresh *r = w->r;
        struct key prefix = key_serial(w->issuer->ca_key, BYTES_NONE);
        int64_t until_us = clock_mono_us() + STEP_US;
        struct bytes key, value;
        unsigned n = 0;
        enum err e = cursor_open(&cursor, w->txn, r->table, key_bytes(&prefix), key_bytes(&r->at));

        while (e == OK && r->walking->n < SLICE_ROWS && (++n % 64 != 0 || clock_mono_us() < until_us)) {
                e = cursor_next(&cursor, &key, &value);
                if (e != OK)
                        break;
                if (r->at.len == 0 || !bytes_equal(key, key_bytes(&r->at)))
                        look_at_row(w, key, value);
                note_position(r, key);
        }
        r->table_ended = e == ERR_NOT_FOUND;
        return e == ERR_NOT_FOUND ? OK : e;
}

enum err refresh_walk(struct refresh *r)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct slice *slice = r->walking;
        struct walk w = {.r = r, .engine = slice->engine, .issuer = slice->issuer};
        enum err e = txn_begin_read(slice->engine->env, &txn);

        if (e != OK)
                return e;
        w.txn = txn;
        w.now_s = engine_clock_now_s(&slice->engine->clock);
        if (window_times(w.issuer, w.now_s, &w.best_next_update_s) != OK) {
                r->table_ended = true; /* its signer or CA has expired: nothing can be signed */
                return OK;
        }
        return walk_rows(&w);
}
