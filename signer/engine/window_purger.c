/* window_purger: begin, look, delete: one task after the other. */
#include "signer/engine/window_purger.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "signer/engine/engine.h"
#include "store/window_purge.h"

#define PERIOD_S CLOCK_DAY_S
/* After a start there is other work to do. */
#define FIRST_S CLOCK_HOUR_S
#define WINDOWS_MAX 65536
#define ROWS_A_STEP 4096
#define WINDOWS_A_LOOK 32

static struct engine *engine_of(struct window_purger *p)
{
        return (struct engine *)((char *)p - offsetof(struct engine, window_purger));
}

static void end(struct engine *e, int64_t pause_s)
{
        struct window_purger *p = &e->window_purger;

        if (p->n_deleted > 0)
                log_info("windows forgotten that ended long ago n=%u", p->n_deleted);
        window_purge_free(p->purge);
        *p = (struct window_purger){.next_s = engine_clock_now_s(&e->clock) + pause_s};
}

static void give_up(struct engine *e, enum err why)
{
        log_warning("old windows were not forgotten, it is tried again tomorrow error=\"%s\"", err_text(why));
        end(e, PERIOD_S);
}

/* ---- deleting, on the writer's thread ---- */

static enum err delete_work(struct task *task, struct txn *txn)
{
        struct window_purger *p = task_owner(task, struct window_purger, task);
        struct writer_slice slice = writer_slice_begin(&engine_of(p)->writer);
        bool is_over = false;
        enum err e = OK;

        p->n_uncommitted = 0;
        p->left = true;
        while (e == OK && p->left && !is_over) {
                e = window_purge_delete(p->purge, txn, WINDOWS_A_LOOK, &p->n_uncommitted, &p->left);
                for (unsigned i = 0; i < WINDOWS_A_LOOK; i++)
                        is_over |= writer_slice_over(&slice);
        }
        return e;
}

static void delete_done(struct task *task)
{
        struct window_purger *p = task_owner(task, struct window_purger, task);
        struct engine *e = engine_of(p);

        p->busy = false;
        if (task->result != OK) {
                give_up(e, task->result);
                return;
        }
        p->n_deleted += p->n_uncommitted;
        if (!p->left)
                end(e, window_purge_has_more(p->purge) ? 1 : PERIOD_S);
        else
                window_purger_step(e);
}

/* ---- looking, on the reader's thread ---- */

static enum err look_work(struct task *task, struct txn *none)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct window_purger *p = task_owner(task, struct window_purger, task);
        enum err e = txn_begin_read(engine_of(p)->env, &txn);

        (void)none;
        return e == OK ? window_purge_look(p->purge, txn, ROWS_A_STEP, &p->left) : e;
}

static void look_done(struct task *task)
{
        struct window_purger *p = task_owner(task, struct window_purger, task);
        struct engine *e = engine_of(p);

        p->busy = false;
        if (task->result != OK)
                give_up(e, task->result);
        else
                window_purger_step(e);
}

/* ---- beginning ---- */

static enum err begin_work(struct task *task, struct txn *txn)
{
        struct window_purger *p = task_owner(task, struct window_purger, task);

        return window_purge_begin(txn, p->horizon_s, WINDOWS_MAX, &p->purge);
}

static void begin_done(struct task *task)
{
        struct window_purger *p = task_owner(task, struct window_purger, task);
        struct engine *e = engine_of(p);

        p->busy = false;
        p->left = true;
        if (task->result != OK)
                give_up(e, task->result);
        else
                window_purger_step(e);
}

static void submit(struct runner *runner, struct window_purger *p, enum err (*work)(struct task *task, struct txn *txn),
        void (*done)(struct task *task))
{
        p->busy = true;
        p->task = (struct task){.priority = TASK_HOUSEKEEPING, .work = work, .done = done};
        runner_submit(runner, &p->task);
}

void window_purger_step(struct engine *e)
{
        struct window_purger *p = &e->window_purger;

        if (p->busy || e->stopping)
                return;
        if (p->purge && p->is_looking && p->left) {
                submit(&e->reader, p, look_work, look_done);
        } else if (p->purge) {
                p->is_looking = false;
                submit(&e->writer.runner, p, delete_work, delete_done);
        } else if (!e->space_short && !engine_clock_is_frozen(&e->clock) && engine_clock_now_s(&e->clock) >= p->next_s) {
                p->horizon_s = engine_clock_now_s(&e->clock) - WINDOW_KEEP_S;
                p->is_looking = true;
                submit(&e->writer.runner, p, begin_work, begin_done);
        }
}

void window_purger_start(struct engine *e)
{
        e->window_purger = (struct window_purger){.next_s = engine_clock_now_s(&e->clock) + FIRST_S};
}

void window_purger_stop(struct engine *e)
{
        window_purge_free(e->window_purger.purge);
        e->window_purger = (struct window_purger){0};
}
