/* meta: the store's own facts: schema version, epoch, time high-water mark, id counters. Written by the engine only. */
#pragma once

#include "store/txn.h"

/* Restores and rollbacks begin a new epoch; windows of older ones no longer vouch for `good`. From 1. */
MUST_CHECK enum err meta_get_epoch(struct txn *txn, uint32_t *ret_epoch);
void meta_bump_epoch(struct txn *txn);

/* Time never goes back: the later of `now_s` and the highest time ever committed. meta_put_time raises the mark. */
MUST_CHECK enum err meta_get_time(struct txn *txn, int64_t now_s, int64_t *ret_time_s);
void meta_put_time(struct txn *txn, int64_t time_s);

/* Rises whenever a CA, signer or batch row changes: workers and the engine drop what they cached of them. */
MUST_CHECK enum err meta_get_generation(struct txn *txn, uint32_t *ret_generation);
void meta_bump_generation(struct txn *txn);

/* What window_purge.h and status_sign agree on. Unix seconds; 0: never. */
struct meta_windows {
        int64_t horizon_s; /* of the purge under way: no row comes to name a window with a nextUpdate at or before it */
        int64_t gone_s;    /* the latest horizon there was: a window that ended by then may be gone; none that ended later is */
};
MUST_CHECK enum err meta_get_windows(struct txn *txn, struct meta_windows *ret_windows);
void meta_put_windows(struct txn *txn, const struct meta_windows *windows);

/* Ids are never used again, not even after the row is gone. 0 is never given. */
enum meta_counter { META_CA_KEY, META_SIGNER, META_WINDOW, META_BATCH, META_COUNTER_N };
uint32_t meta_next_id(struct txn *txn, enum meta_counter counter); /* 0 once the transaction failed */
