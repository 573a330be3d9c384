/* writer: begin, work, commit; what failed on a full disk fails alone, what failed in the disk ends the engine. */
#include "signer/engine/writer.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/meta.h"

/* A window's template is about 1.5 KB: 6 MB at most. */
#define WINDOWS_KEPT 4096
#define ROWS_BETWEEN_LOOKS 32

/* After a failed fsync the kernel may have thrown the dirty pages away: trying again would pretend that they were written.
 */
static void stop_if_unsafe(enum err e)
{
        if (e != ERR_IO && e != ERR_CORRUPT)
                return;
        log_error("the store cannot be written safely: the engine stops; look at the disk, then run `tocsin check` "
                  "error=\"%s\"",
                err_text(e));
        _exit(2);
}

static enum err transact(struct writer *w, struct task *task)
{
        struct txn *txn;
        enum err e = txn_begin_write(w->env, &txn);

        if (e != OK)
                return e;
        e = task->work(task, txn);
        if (e != OK) {
                txn_abort(txn);
                return e;
        }
        if (!engine_clock_is_frozen(w->clock))
                meta_put_time(txn, engine_clock_now_s(w->clock));
        e = txn_commit(txn);
        if (e == OK)
                w->n_commits++;
        return e;
}

static enum err execute(struct runner *runner, struct task *task)
{
        struct writer *w = (struct writer *)runner;
        int64_t began_us = clock_mono_us(), held_us;
        enum err e;

        if (task->plain)
                return task->work(task, NULL);
        e = transact(w, task);
        stop_if_unsafe(e);
        held_us = clock_mono_us() - began_us;
        if (held_us > w->longest_us)
                w->longest_us = held_us;
        if (task->priority != TASK_TRUTH)
                w->slice_us = writer_next_slice_us(w->slice_us, held_us);
        return e;
}

enum err writer_start(struct writer *w, struct env *env, struct engine_clock *clock)
{
        *w = (struct writer){
                .runner = {.name = "writer", .execute = execute}, .env = env, .clock = clock, .slice_us = WRITER_SLICE_US};
        w->windows = window_cache_new(WINDOWS_KEPT);
        if (!w->windows)
                return ERR_NOMEM;
        return runner_start(&w->runner);
}

void writer_stop(struct writer *w)
{
        runner_stop(&w->runner);
        window_cache_free(w->windows);
        w->windows = NULL;
}

/* Down at once, up slowly. */
unsigned writer_next_slice_us(unsigned slice_us, int64_t held_us)
{
        if (held_us > WRITER_HELD_US)
                return slice_us / 2 > WRITER_SLICE_MIN_US ? slice_us / 2 : WRITER_SLICE_MIN_US;
        return slice_us + slice_us / 8 < WRITER_SLICE_US ? slice_us + slice_us / 8 : WRITER_SLICE_US;
}

struct writer_slice writer_slice_begin(const struct writer *w)
{
        return (struct writer_slice){.began_us = clock_mono_us(), .share_us = w->slice_us};
}

bool writer_slice_over(struct writer_slice *s)
{
        return ++s->n_rows % ROWS_BETWEEN_LOOKS == 0 && clock_mono_us() - s->began_us >= s->share_us;
}
