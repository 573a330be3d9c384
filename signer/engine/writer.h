/* writer: the one thread that begins write transactions. A task is a transaction.
 *
 * Tasks are small: long work is cut into chunks by time (writer_slice), each its own task, so that a revocation waits for
 * one chunk and one commit at most. A chunk's share of the time follows what the last one took with its commit: a slow disk
 * gets smaller ones.
 */
#pragma once

#include "signer/engine/engine_clock.h"
#include "signer/engine/task.h"
#include "store/window.h"

#define WRITER_SLICE_US 5000
#define WRITER_SLICE_MIN_US 2000 /* less would spend nearly all of the time in commits */
/* The work of a chunk with its commit is to stay under this. */
#define WRITER_HELD_US 15000

struct writer {
        struct runner runner; /* first */
        struct env *env;
        struct engine_clock *clock;
        struct window_cache *windows; /* used by write-backs, on the writer's thread only */
        int64_t longest_us;           /* the longest transaction so far, commit included */
        unsigned slice_us;            /* the next chunk's share; the writer's thread only */
        uint64_t n_commits;
};

MUST_CHECK enum err writer_start(struct writer *writer, struct env *env, struct engine_clock *clock);
static inline void writer_submit(struct writer *writer, struct task *task)
{
        runner_submit(&writer->runner, task);
}
void writer_stop(struct writer *writer);

/* The share of a chunk: begins when the work begins; writer_slice_over looks at the clock every few rows. */
struct writer_slice {
        int64_t began_us;
        unsigned share_us, n_rows;
};
/* On the writer's thread. */
struct writer_slice writer_slice_begin(const struct writer *writer);
/* The share after one of `slice_us` that held the writer for `held_us` in all. */
unsigned writer_next_slice_us(unsigned slice_us, int64_t held_us);
bool writer_slice_over(struct writer_slice *slice);
