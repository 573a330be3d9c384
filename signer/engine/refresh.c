/* refresh: walks of 4096 due rows at most, one after the other. */
#include "signer/engine/refresh.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "signer/engine/engine.h"
#include "store/exception.h"
#include "store/record.h"
#include "store/signer.h"
#include "store/status.h"

/* The reader's time for one step; lists are checked in between. */
#define STEP_US 20000
/* Slices made and not used up yet: one being signed, one waiting. */
#define SLICES_AHEAD 2
/* A pass that found something unsigned or late is followed by another after this at the latest. */
#define PASS_AGAIN_S 60
#define PASS_IDLE_MAX_S 3600
#define WINDOWS_KEPT 4096
#define PACES_AN_AGE 64
#define SLICE_AGE_MAX_S (10 * CLOCK_MINUTE_S)
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
        w->is_late = w->last_due_s + w->r->pace_s + PASS_AGAIN_S < w->now_s;
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

static enum err walk_work(struct task *task, struct txn *none)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct refresh *r = task_owner(task, struct refresh, task);
        struct slice *slice = r->walking;
        struct walk w = {.r = r, .engine = slice->engine, .issuer = slice->issuer};
        enum err e = txn_begin_read(slice->engine->env, &txn);

        (void)none;
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

/* ---- passes and slices, on the main thread ---- */

static bool is_walked(const struct issuer *is)
{
        return issuer_is_served(is) && is->ocsp.configured && is->ca_key != 0;
}

static void begin_table(struct refresh *r, enum table table)
{
        r->table = table;
        r->at.len = 0;
        r->table_ended = false;
}

/* To the next table or issuer. False: the pass is over. */
static bool next_place(struct refresh *r)
{
        if (!r->table_ended)
                return true;
        if (r->table == TABLE_RECORD) {
                begin_table(r, TABLE_EXCEPTION);
                return true;
        }
        do {
                struct issuer *is = &r->set->items[r->issuer_at];

                is->n_fresh = is->n_fresh_pass;
                is->n_due = is->n_due_pass;
                r->issuer_at++;
        } while (r->issuer_at < r->set->n && !is_walked(&r->set->items[r->issuer_at]));
        begin_table(r, TABLE_RECORD);
        return r->issuer_at < r->set->n;
}

/* Of all issuers that are walked the shortest: none is refreshed late. */
static int64_t pace_s(const struct issuers *set)
{
        int64_t pace = PASS_IDLE_MAX_S;

        for (unsigned i = 0; i < set->n; i++)
                if (is_walked(&set->items[i]) && refresh_pace_s(&set->items[i]) < pace)
                        pace = refresh_pace_s(&set->items[i]);
        return pace;
}

static void begin_pass(struct engine *e)
{
        struct refresh *r = &e->refresh;

        r->pass_open = true;
        r->again = false;
        r->set = e->issuers;
        r->epoch = e->epoch;
        r->issuer_at = 0;
        r->had_late = false;
        r->pace_s = pace_s(r->set);
        r->next_due_s = INT64_MAX;
        r->began_s = engine_clock_now_s(&e->clock);
        for (unsigned i = 0; i < r->set->n; i++) {
                r->set->items[i].n_fresh_pass = r->set->items[i].n_due_pass = 0;
                r->set->items[i].n_signed_pass = 0;
        }
        begin_table(r, TABLE_RECORD);
        while (r->issuer_at < r->set->n && !is_walked(&r->set->items[r->issuer_at]))
                r->issuer_at++;
        if (r->issuer_at == r->set->n)
                r->pass_open = false;
        r->next_pass_s = engine_clock_now_s(&e->clock) + PASS_AGAIN_S;
}

static void end_pass(struct engine *e)
{
        struct refresh *r = &e->refresh;
        int64_t now = engine_clock_now_s(&e->clock);

        r->pass_open = false;
        r->next_pass_s = now + PASS_IDLE_MAX_S;
        if (r->next_due_s < r->next_pass_s)
                r->next_pass_s = r->next_due_s;
        if (r->next_pass_s < r->began_s + r->pace_s)
                r->next_pass_s = r->began_s + r->pace_s;
        if (r->had_late && r->next_pass_s > now + PASS_AGAIN_S)
                r->next_pass_s = now + PASS_AGAIN_S;
        if (r->next_pass_s <= now)
                r->next_pass_s = now + 1;
}

static void slice_free(struct refresh *r, struct slice *slice)
{
        open_window_unref(slice->window);
        free(slice);
        r->n_slices--;
}

static void window_done(struct task *task)
{
        struct refresh *r = task_owner(task, struct refresh, task);
        struct slice *slice = r->walking, **at = &r->ready;
        struct engine *e = slice->engine;

        r->busy = false;
        r->walking = NULL;
        if (r->set != e->issuers) {
                slice_free(r, slice);
        } else if (task->result != OK) {
                log_warning("no window for a refresh slice error=\"%s\"", err_text(task->result));
                if (task->result == ERR_NOSPC)
                        e->space_short = true;
                slice_free(r, slice);
        } else {
                while (*at)
                        at = &(*at)->next;
                *at = slice;
        }
        engine_feed_vault(e);
        refresh_step(e);
}

static enum err window_work(struct task *task, struct txn *txn)
{
        struct refresh *r = task_owner(task, struct refresh, task);
        struct slice *slice = r->walking;
        enum err e = open_window_new(slice->issuer, engine_clock_now_s(&slice->engine->clock), r->epoch,
                serial_bytes(&slice->serials[0]), serial_bytes(&slice->serials[slice->n - 1]), &slice->window);

        if (e == OK)
                slice->window->row.id = window_put(txn, &slice->window->row);
        return e;
}

static void walk_done(struct task *task)
{
        struct refresh *r = task_owner(task, struct refresh, task);
        struct slice *slice = r->walking;
        struct engine *e = slice->engine;

        if (r->set != e->issuers)
                slice->n = 0;
        slice->issuer->n_fresh_pass += r->tally.n_fresh;
        slice->issuer->n_due_pass += slice->n;
        r->had_late |= r->tally.has_late;
        if (task->result != OK) {
                log_warning("the refresh walk failed error=\"%s\"", err_text(task->result));
                r->table_ended = true;
        }
        if (!next_place(r))
                end_pass(e);
        if (slice->n > 0) {
                r->task = (struct task){.priority = TASK_SIGNATURES, .work = window_work, .done = window_done};
                writer_submit(&e->writer, &r->task);
                return;
        }
        r->busy = false;
        r->walking = NULL;
        slice_free(r, slice);
        refresh_step(e);
}

static void begin_walk(struct engine *e)
{
        struct refresh *r = &e->refresh;
        struct slice *slice = malloc(sizeof(*slice));

        if (!slice)
                return;
        slice->engine = e;
        slice->issuer = &r->set->items[r->issuer_at];
        slice->window = NULL;
        slice->next = NULL;
        slice->n = slice->at = slice->in_flight = 0;
        r->n_slices++;
        r->walking = slice;
        r->tally = (struct refresh_tally){0};
        r->busy = true;
        r->task = (struct task){.priority = TASK_HOUSEKEEPING, .work = walk_work, .done = walk_done};
        runner_submit(&e->reader, &r->task);
}

void refresh_step(struct engine *e)
{
        struct refresh *r = &e->refresh;

        if (r->busy || e->stopping || e->space_short || engine_clock_is_frozen(&e->clock))
                return;
        /* Not while signatures of the last slices are on their way into the store: they would be made twice. */
        if (!r->pass_open && r->n_slices == 0 && clock_mono_ms() >= r->rest_until_ms &&
                (r->again || engine_clock_now_s(&e->clock) >= r->next_pass_s))
                begin_pass(e);
        /* The walk goes no further ahead than the token follows; while it is away nothing is prepared. */
        if (r->pass_open && r->n_slices < SLICES_AHEAD && vault_is_up(e))
                begin_walk(e);
}

void refresh_reloaded(struct engine *e)
{
        struct refresh *r = &e->refresh;
        struct slice *slice, *next;

        r->pass_open = false;
        r->again = true;
        for (slice = r->ready; slice; slice = next) {
                next = slice->next;
                slice->at = slice->n;
                if (slice->in_flight == 0)
                        refresh_slice_used(e, slice);
        }
        refresh_step(e);
}

void refresh_kick(struct engine *e)
{
        e->refresh.again = true;
        refresh_step(e);
}

/* Its window was made before the token went away: what is signed under it now would be old at once, and after a day the
 * vault refuses it. The next pass gives its serials a new one. */
static void drop_old_slices(struct engine *e)
{
        int64_t now_s = engine_clock_now_s(&e->clock);
        struct slice *next;

        for (struct slice *slice = e->refresh.ready; slice; slice = next) {
                next = slice->next;
                if (now_s - slice->window->row.this_update_s <= SLICE_AGE_MAX_S)
                        continue;
                slice->at = slice->n;
                e->refresh.again = true;
                if (slice->in_flight == 0)
                        refresh_slice_used(e, slice);
        }
}

struct slice *refresh_slice(struct engine *e)
{
        drop_old_slices(e);
        for (struct slice *slice = e->refresh.ready; slice; slice = slice->next)
                if (slice->at < slice->n)
                        return slice;
        return NULL;
}

void refresh_slice_used(struct engine *e, struct slice *slice)
{
        struct refresh *r = &e->refresh;

        for (struct slice **at = &r->ready; *at; at = &(*at)->next)
                if (*at == slice) {
                        *at = slice->next;
                        break;
                }
        slice_free(r, slice);
        r->rest_until_ms = clock_mono_ms() + 3 * WRITEBACK_MS;
        refresh_step(e);
}

enum err refresh_start(struct engine *e)
{
        e->refresh.windows = window_cache_new(WINDOWS_KEPT);
        e->refresh.again = true;
        return e->refresh.windows ? OK : ERR_NOMEM;
}

void refresh_stop(struct engine *e)
{
        struct refresh *r = &e->refresh;

        while (r->ready) {
                struct slice *slice = r->ready;

                r->ready = slice->next;
                slice_free(r, slice);
        }
        if (r->walking)
                slice_free(r, r->walking);
        window_cache_free(r->windows);
        *r = (struct refresh){0};
}
