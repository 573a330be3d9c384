/* batch_dropper: invisible rows made to go away. */
#include "signer/engine/batch_dropper.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "signer/engine/counts.h"
#include "store/batch.h"

/* About 5 ms of the writer's time. */
#define ROWS_A_SLICE 1500

struct drop {
        struct task task;
        struct engine *engine;
        uint32_t batch, ca_key;
        bool left;
};

static enum err drop_work(struct task *task, struct txn *txn)
{
        struct drop *d = task_owner(task, struct drop, task);
        struct counts before = counts_before(txn);
        enum err e = batch_drop(txn, d->batch, ROWS_A_SLICE, &d->left);

        if (e == OK)
                counts_after(txn, d->ca_key, before);
        return e;
}

static void drop_done(struct task *task)
{
        struct drop *d = task_owner(task, struct drop, task);

        if (task->result == OK && d->left) {
                writer_submit(&d->engine->writer, &d->task);
                return;
        }
        if (task->result == OK)
                log_info("batch dropped batch=%u", d->batch);
        else
                log_warning("batch not dropped: it stays invisible, and the next start tries again batch=%u error=\"%s\"",
                        d->batch, err_text(task->result));
        free(d);
}

void batch_drop_later(struct engine *e, uint32_t batch, uint32_t ca_key)
{
        struct drop *d = calloc(1, sizeof(*d));

        if (!d)
                return;
        *d = (struct drop){.task = {.priority = TASK_SIGNATURES, .work = drop_work, .done = drop_done},
                .engine = e,
                .batch = batch,
                .ca_key = ca_key};
        writer_submit(&e->writer, &d->task);
}

enum err batch_drop_abandoned(struct engine *e)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct batch batch;
        uint32_t id = 0;
        enum err err = txn_begin_read(e->env, &txn);

        if (err != OK)
                return err;
        while ((err = batch_next(txn, &id, &batch)) == OK) {
                bool is_half_dropped = batch.state == BATCH_DROPPED && batch.n_items > 0;

                if (batch.state != BATCH_STAGED && !is_half_dropped)
                        continue;
                if (!is_half_dropped)
                        log_warning("a batch was never activated: its client or the engine died; it is dropped batch=%u "
                                    "staged=%u",
                                id, batch.n_items);
                batch_drop_later(e, id, batch.ca_key);
        }
        return err == ERR_NOT_FOUND ? OK : err;
}
