/* window: what all responses signed together share. Committed before its first signature; immutable; its id is never used
 * again. */
#pragma once

#include "pki/ocsp_response.h"
#include "store/txn.h"

struct window {
        uint32_t id;
        uint32_t ca_key;
        uint32_t signer;
        uint32_t epoch; /* of the store when it was made */
        int64_t this_update_s, next_update_s, produced_at_s;
        struct ocsp_template template; /* borrows from the row, or from the cache's copy */
        struct bytes range_from,
                range_to; /* the key slice a refresh signs with it ([from, to]); both empty: any serial of ca_key */
};

/* Gives it an id and writes it. `w->id` is ignored. 0 in the result once the transaction failed. */
uint32_t window_put(struct txn *txn, const struct window *w);
MUST_CHECK enum err window_get(struct txn *txn, uint32_t id, struct window *ret_window);

/* Windows by id, copied once and kept: ids are never reused and rows never change. Bounded; evicts. Not thread safe: one a
 * thread. */
struct window_cache;
struct window_cache *window_cache_new(unsigned max);
void window_cache_free(struct window_cache *c);
/* NULL: no such window (or out of memory). The pointer lives until the next call. */
const struct window *window_cache_get(struct window_cache *c, struct txn *txn, uint32_t id);
