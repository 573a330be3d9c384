/* writer: the one thread that begins write transactions. A task is a transaction.
 *
 * Tasks are small: long work is cut into chunks by time (writer_slice), each its own task, so that a revocation waits for
 * one chunk and one commit at most.
 */
#pragma once

#include "signer/engine/engine_clock.h"
#include "signer/engine/task.h"
#include "store/window.h"

#define WRITER_SLICE_US 5000

struct writer {
        struct runner runner; /* first */
        struct env *env;
        struct engine_clock *clock;
        struct window_cache *windows; /* used by write-backs, on the writer's thread only */
        int64_t longest_us;           /* the longest transaction so far, commit included */
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
        unsigned n_rows;
};
struct writer_slice writer_slice_begin(void);
bool writer_slice_over(struct writer_slice *slice);
