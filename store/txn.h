/* txn: transactions and cursors: all that the row modules use of LMDB.
 *
 * A write transaction is sticky: puts and deletes return nothing, the first failure is kept, and txn_commit reports it
 * having committed nothing. Reads inside any transaction fail at the call. Bytes got from a transaction live until its next
 * write or its end.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "store/env.h"
#include "store/schema.h"
#include "store/tree.h"

struct txn;

/* The writer thread only; rotates the pins. */
MUST_CHECK enum err txn_begin_write(struct env *env, struct txn **ret_txn);
/* Ends the transaction whatever happens. ERR_NOSPC: nothing changed, the store is whole. ERR_IO: stop the engine. */
MUST_CHECK enum err txn_commit(struct txn *txn);
void txn_abort(struct txn *txn); /* NULL is fine */
static inline void txn_abortp(struct txn **txn)
{
        txn_abort(*txn);
}
bool txn_failed(const struct txn *txn);
/* Makes the transaction fail with `err`: a rule was broken half-way. */
void txn_fail(struct txn *txn, enum err err);

/* Engine: a registered read transaction; any thread, one thread at a time. Keep it shorter than a few seconds: it holds
 * pages. Also on a store opened by env_open_offline, where nobody writes. A worker uses turns. */
MUST_CHECK enum err txn_begin_read(struct env *env, struct txn **ret_txn);

/* Worker: a read turn. Begins at the newest commit; cheap when nothing was committed since the last turn. */
MUST_CHECK enum err txn_turn_begin(struct env *env, struct txn **ret_txn);
/* ERR_STALE: the turn took too long; whatever was read must be thrown away and read again in a new turn. */
MUST_CHECK enum err txn_turn_end(struct txn *txn);

/* Then what it reads may be its own and never be committed. */
bool txn_is_write(const struct txn *txn);
/* May what was read until now be kept? Always but in a turn that took too long. For what outlives a turn, a cache. */
bool txn_is_sound(const struct txn *txn);

/* The id of the commit this transaction sees. */
uint64_t txn_id(const struct txn *txn);

/* ERR_STALE, here and at a cursor's opening: in a turn that took too long LMDB is asked nothing. */
MUST_CHECK enum err txn_get(struct txn *txn, enum table table, struct bytes key, struct bytes *ret_value);
/* The same in steps, between which others may be taken (tree.h). Only a turn gains by it. `key` stays in place until the end. */
struct txn_seek {
        enum table table;
        struct tree_seek tree;
};
void txn_seek_begin(struct txn *txn, enum table table, struct bytes key, struct txn_seek *ret_seek);
/* Of several that begin together, before the first step of any: see tree_seek_fetch. */
static inline void txn_seek_fetch(const struct txn_seek *seek)
{
        tree_seek_fetch(&seek->tree);
}
/* False: no further step is needed. */
static inline bool txn_seek_step(struct txn_seek *seek)
{
        return tree_seek_step(&seek->tree);
}
/* What txn_get says, after whatever steps are left. */
MUST_CHECK enum err txn_seek_end(struct txn *txn, struct txn_seek *seek, struct bytes *ret_value);
void txn_put(struct txn *txn, enum table table, struct bytes key, struct bytes value);
/* Room for `len` octets as the value of `key`, to be filled at once (no further call in between); NULL once failed. When the
 * value there has that length already it is rewritten in place (its old octets are still in it). */
uint8_t *txn_put_room(struct txn *txn, enum table table, struct bytes key, size_t len);
void txn_delete(struct txn *txn, enum table table, struct bytes key);
/* Rows in the table, and (last key) of it. */
uint64_t txn_count(struct txn *txn, enum table table);

/* Walks keys in order from the first at or after `from`, while they begin with `prefix`. */
struct cursor {
        void *mdb;
        uint8_t prefix_memory[KEY_MAX];
        size_t prefix_len;
        bool started, ended;
};
MUST_CHECK enum err cursor_open(
        struct cursor *ret, struct txn *txn, enum table table, struct bytes prefix, struct bytes from);
/* ERR_NOT_FOUND at the end. */
MUST_CHECK enum err cursor_next(struct cursor *c, struct bytes *ret_key, struct bytes *ret_value);
/* The last row of the prefix; and the row before the one it stands on. */
MUST_CHECK enum err cursor_last(struct cursor *c, struct bytes *ret_key, struct bytes *ret_value);
MUST_CHECK enum err cursor_back(struct cursor *c, struct bytes *ret_key, struct bytes *ret_value);
/* Before its transaction ends. */
void cursor_close(struct cursor *c);
