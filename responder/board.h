/* board: where the workers put their counters up for the admin process to read. Shared memory of the master's making.
 *
 *  - A slot has pages of its own and one writer, its worker, which unmaps all other slots: it can neither read nor falsify them.
 *  - When a worker is gone the master adds its slot to the retired ones, so that counters never go back; `sequence` is odd meanwhile. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "responder/answer/stats.h"

#define BOARD_SLOTS 512

struct board;

/* NULL: no memory. */
struct board *board_new(void);
void board_free(struct board *board);

struct stats *board_slot(const struct board *board, unsigned slot);

/* ---- the master ---- */

/* A free slot for a worker about to be started, or BOARD_SLOTS: it goes without. */
unsigned board_take(struct board *board);
void board_set_owner(struct board *board, unsigned slot, pid_t pid);
/* The worker is gone, or (pid 0) was never started. */
void board_give_back(struct board *board, unsigned slot);
unsigned board_find(const struct board *board, pid_t pid);

/* ---- the worker ---- */

/* Unmaps all others. NULL: without a slot. */
struct stats *board_keep_own(struct board *board, unsigned slot);

/* ---- the admin process ---- */

void board_read_only(struct board *board);

struct board_view {
        struct stats sum;    /* counters of all workers, past ones included; n_open and n_questions of the present ones added up */
        unsigned n_workers;  /* present ones */
        unsigned n_silent;   /* of these: nothing published for BOARD_SILENT_MS */
        uint64_t now_ms;
};
#define BOARD_SILENT_MS 3000
void board_read(const struct board *board, struct board_view *ret_view);
