/* env_lmdb: what env.c, pin.c and txn.c share. The only header of the project that includes lmdb.h; nobody else includes
 * this one. */
#pragma once

#include <lmdb.h>

#include "store/env.h"
#include "store/schema.h"
#include "store/tree.h"

/* A pin is younger than ENV_PIN_MS / 2 when the next is opened, and the last but one goes at ENV_PIN_MS: four at most. */
#define ENV_PINS 6

struct pin {
        MDB_txn *lmdb;
        int64_t opened_ms; /* monotonic; its snapshot was the newest then */
};

/* Tables whose keys were looked up in this snapshot. */
struct turn_trees {
        struct tree of[TABLE_N];
        bool are_there[TABLE_N];
};

struct txn {
        struct env *env;
        MDB_txn *lmdb;
        MDB_cursor *cursors[TABLE_N]; /* write only: kept, so that puts in order of key stay on their page */
        enum err err;                 /* write only: the first failure */
        bool is_write, is_turn;
        int64_t turn_ms;    /* turn: monotonic, when it began */
        int64_t renewed_ms; /* turn: when this snapshot was taken */
        struct turn_trees *trees; /* turn: of this snapshot; else NULL */
};

struct env {
        MDB_env *lmdb;
        MDB_dbi dbi[TABLE_N];
        MDB_dbi names; /* the table of the tables */
        bool is_writer;
        bool io_failed; /* an EIO of a commit is never tried again */
        int lock_fd;    /* engine.lock, or -1 */
        int data_fd;    /* our own descriptor on data.mdb: fallocate and fstat; writer only, else -1 */
        uint64_t reserve;
        int64_t reserve_tried_ms;
        int64_t first_write_ms;    /* monotonic: no commit before */
        struct pin pins[ENV_PINS]; /* oldest first */
        unsigned n_pins;
        struct txn turn; /* reader: the one that is kept */
};

enum err err_from_lmdb(int rc);

/* A read transaction at the newest commit, whose meta page was not being written while it was copied. *txn: NULL, or reset.
 */
MUST_CHECK int env_renew(struct env *env, MDB_txn **txn);

MUST_CHECK enum err pin_open(struct env *env);
/* Before each write transaction: waits for the first pin to be old enough, opens a new one, lets old ones go. */
MUST_CHECK enum err pin_rotate(struct env *env);
void pin_close_all(struct env *env);
/* Before each write transaction: allocates the reserve anew when half of it is used; failing is no reason not to write. */
void env_reserve_if_low(struct env *env);
/* Was the EIO of a commit a write cut short by a full disk? */
bool env_is_full(struct env *env);
