/* window: what all responses signed together share. Committed before its first signature; immutable; its id is never used
 * again.
 *
 * The row is also the promise: it names nextUpdate, and the range of serials or none for all of the CA key's, before any
 * answer under it can be out. So an answer that was handed out and whose signature was lost (a crash before the write-back)
 * is still accounted for: no `good` was ever promised for longer than the rows say (window_get_promise). A record's
 * good_until says the same of stored signatures alone, and exactly. Long after its end, when no row names it any more, a
 * window is forgotten (window_purge.h).
 */
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
/* The latest nextUpdate of the windows under which `serial` may have been signed and which were made at or before
 * `made_until_s`; 0: none. An upper bound, and never less than what was signed, but for what ended
 * longer ago than WINDOW_KEEP_S. Looks at every window of the store. */
MUST_CHECK enum err window_get_promise(
        struct txn *txn, uint32_t ca_key, struct bytes serial, int64_t made_until_s, int64_t *ret_next_update_s);

/* Windows by id, copied once and kept: ids are never reused and rows never change. Bounded; evicts. Not thread safe: one a
 * thread. */
struct window_cache;
struct window_cache *window_cache_new(unsigned max);
void window_cache_free(struct window_cache *c);
/* These will be asked for next (0: none): what is kept of them comes nearer, all at once. */
void window_cache_expect(const struct window_cache *c, const uint32_t ids[], unsigned n);
/* NULL: no such window (or out of memory). The pointer lives until the next call. */
const struct window *window_cache_get(struct window_cache *c, struct txn *txn, uint32_t id);
