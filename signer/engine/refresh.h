/* refresh: finds what is not signed, or was signed too long ago, slice by slice in key order, and gives each slice a window
 * of its own. Walking is done on the reader's thread; a slice that has its window is signed by the bulk lane.
 *
 * A pass goes over the records and the exceptions of every issuer that is served. It notes the earliest time at which
 * something becomes due, and no pass begins before it, unless the population changed.
 *
 * What was signed in one burst is not refreshed in one: each slice is due at an age of its own (refresh_walk.h). Passes keep
 * a pace (refresh_pace_s, refresh_walk.h), since each reads the whole population, so that refresh comes in some 30 portions.
 */
#pragma once

#include "signer/engine/open_window.h"
#include "signer/engine/task.h"

#define SLICE_ROWS 4096
/* A pass that found something unsigned or late is followed by another after this at the latest. */
#define REFRESH_AGAIN_S 60

struct engine;

struct slice {
        struct engine *engine;
        struct issuer *issuer;
        struct open_window *window; /* committed */
        unsigned n, at;             /* serials, and those the bulk lane has taken */
        unsigned in_flight;         /* of these, at the vault */
        struct slice *next;
        struct serial serials[SLICE_ROWS];
};

struct refresh_tally {
        uint64_t n_fresh;
        bool has_late;
};

struct refresh {
        struct task task; /* the walk under way, or the window being put */
        bool busy;
        bool pass_open, again; /* a pass is under way; the population changed behind it */
        /* Where the pass stands. */
        struct issuers *set;
        unsigned issuer_at;
        enum table table;
        struct key at;
        bool table_ended;
        int64_t next_due_s;    /* the earliest seen in this pass */
        int64_t began_s;       /* the pass */
        int64_t pace_s;        /* the shortest of the issuers walked */
        bool had_late;         /* something was unsigned, or due for longer than a pace: passes follow each other soon */
        struct slice *walking; /* filled by the task */
        struct open_window *window;
        struct slice *ready; /* waiting for the bulk lane, oldest first */
        unsigned n_slices;
        struct window_cache *windows; /* the reader's thread only */
        int64_t next_pass_s;
        int64_t rest_until_ms; /* monotonic: no new pass before */
        uint32_t epoch;
        struct refresh_tally tally; /* of the step under way */
};

MUST_CHECK enum err refresh_start(struct engine *engine);
void refresh_stop(struct engine *engine);
/* Goes on, or begins a pass that is due. Called when a slice was used up, and once a second. */
void refresh_step(struct engine *engine);
/* There is another set of issuers: what was prepared for the old one is dropped, and all is looked at again. */
void refresh_reloaded(struct engine *engine);
/* New records: begin again as soon as possible. */
void refresh_kick(struct engine *engine);
/* The slice the bulk lane takes from, or NULL. */
struct slice *refresh_slice(struct engine *engine);
/* All of it was sent and came back. */
void refresh_slice_used(struct engine *engine, struct slice *slice);
