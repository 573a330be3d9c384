/* refresh: passes, and the slices they find, on the main thread. */
#include "signer/engine/refresh.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "signer/engine/engine.h"
#include "signer/engine/refresh_walk.h"

/* Slices made and not used up yet: one being signed, one waiting. */
#define SLICES_AHEAD 2
#define PASS_IDLE_MAX_S 3600
#define WINDOWS_KEPT 4096
#define SLICE_AGE_MAX_S (10 * CLOCK_MINUTE_S)

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
        r->next_pass_s = engine_clock_now_s(&e->clock) + REFRESH_AGAIN_S;
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
        if (r->had_late && r->next_pass_s > now + REFRESH_AGAIN_S)
                r->next_pass_s = now + REFRESH_AGAIN_S;
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

static enum err walk_work(struct task *task, struct txn *none)
{
        (void)none;
        return refresh_walk(task_owner(task, struct refresh, task));
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
