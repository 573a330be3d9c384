/* window_purger: once a day has the windows forgotten that ended WINDOW_KEEP_S ago and that no row names (store/window_purge.h).
 *
 * Looking is done on the reader's thread, a few thousand rows a step; deleting on the writer's, in transactions of a few milliseconds
 * behind everything else. A frozen clock or a full disk begins no purge. Main thread.
 */
#pragma once

#include "signer/engine/task.h"

struct engine;
struct window_purge;

struct window_purger {
        struct task task;
        struct window_purge *purge; /* the one under way */
        bool busy, is_looking;
        int64_t horizon_s, next_s;  /* wall: of the purge under way; of the next */
        unsigned n_deleted, n_uncommitted;
        bool left; /* of what it is doing */
};

void window_purger_start(struct engine *engine);
void window_purger_stop(struct engine *engine);
/* Begins a purge that is due. Once a second. */
void window_purger_step(struct engine *engine);
