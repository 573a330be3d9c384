/* live_window: rotated by age, replaced by every change of a status. */
#include "signer/engine/live_window.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "signer/engine/engine.h"
#include "store/meta.h"

struct window_op {
        struct task task;
        struct engine *engine;
        struct issuer *issuer;
        struct open_window *window;
};

struct open_window *live_window_put(struct txn *txn, struct issuer *is, int64_t now_s)
{
        struct open_window *w;
        uint32_t epoch;

        if (meta_get_epoch(txn, &epoch) != OK || open_window_new(is, now_s, epoch, BYTES_NONE, BYTES_NONE, &w) != OK)
                return NULL;
        w->row.id = window_put(txn, &w->row);
        return w;
}

void live_window_adopt(struct issuer *is, struct open_window *w)
{
        if (!w)
                return;
        if (is->live && is->live->row.id > w->row.id) {
                open_window_unref(w);
                return;
        }
        open_window_unref(is->live);
        is->live = w;
}

static enum err op_work(struct task *task, struct txn *txn)
{
        struct window_op *op = task_owner(task, struct window_op, task);

        op->window = live_window_put(txn, op->issuer, engine_clock_now_s(&op->engine->clock));
        return op->window ? OK : ERR_DENIED;
}

static void op_done(struct task *task)
{
        struct window_op *op = task_owner(task, struct window_op, task);

        op->issuer->window_asked = false;
        if (task->result == OK) {
                live_window_adopt(op->issuer, op->window);
        } else {
                open_window_unref(op->window);
                log_warning("no window for on-demand answers issuer=%s error=\"%s\"", op->issuer->conf->name,
                        err_text(task->result));
        }
        ondemand_window_ready(op->engine, op->issuer, task->result == OK);
        engine_feed_vault(op->engine);
        free(op);
}

static void ask(struct engine *e, struct issuer *is)
{
        struct window_op *op;

        if (is->window_asked)
                return;
        op = calloc(1, sizeof(*op));
        if (!op)
                return;
        *op = (struct window_op){
                .task = {.priority = TASK_TRUTH, .work = op_work, .done = op_done}, .engine = e, .issuer = is};
        is->window_asked = true;
        writer_submit(&e->writer, &op->task);
}

/* Rotated this often, so that an answer signed on demand has most of its validity before it. */
static int64_t rotation_s(const struct issuer *is)
{
        int64_t eighth = is->conf->ocsp_validity_s / 8;

        return eighth < CLOCK_HOUR_S ? eighth : CLOCK_HOUR_S;
}

struct open_window *live_window_get(struct engine *e, struct issuer *is, int64_t changed_at_s)
{
        struct open_window *w = is->live;
        int64_t now_s = engine_clock_now_s(&e->clock);

        if (!w || w->row.this_update_s < changed_at_s || w->row.next_update_s <= now_s || w->row.epoch != e->epoch) {
                ask(e, is);
                return NULL;
        }
        if (now_s - w->row.this_update_s >= rotation_s(is))
                ask(e, is);
        return w;
}

void live_windows_drop(struct issuers *set)
{
        for (; set; set = set->older)
                for (unsigned i = 0; i < set->n; i++) {
                        open_window_unref(set->items[i].live);
                        set->items[i].live = NULL;
                }
}
