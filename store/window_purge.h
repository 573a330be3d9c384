/* window_purge: forgets windows that nothing refers to any more, a few rows at a time.
 *
 * A window goes when both of these hold:
 *  1. its nextUpdate lies at or before the horizon of this purge, which the caller puts WINDOW_KEEP_S into the past: no answer under it
 *     is valid anywhere, and the promise it was is over;
 *  2. no record and no exception names it.
 * Once seen, 2 stays true: a row comes to name a window in one place only, status_sign, which refuses a window at or before the horizon
 * while the purge lasts, and one that is gone ever after; the horizon is committed before the rows are looked through; and no row takes a
 * window over from another row.
 * An id is never given again (meta.h). Left off anywhere, by a crash too, a purge has done no harm: what it deleted was free to go, and
 * the next one looks through everything again.
 *
 * What window_get_promise says of the future is as before. Of what ended before the horizon it may say less, or 0.
 */
#pragma once

#include "store/txn.h"

/* Past its nextUpdate a window is kept this long: reports of an incident tell from it until when a lost `good` lived (req 5.7: 14 d). */
#define WINDOW_KEEP_S (30 * INT64_C(86400))

struct window_purge;

/* In a write transaction of its own: what follows begins once that is committed. `horizon_s`: Unix seconds. `max`: windows that are
 * looked at in this purge, the oldest first; each takes 5 octets of memory. One purge at a time. */
MUST_CHECK enum err window_purge_begin(struct txn *txn, int64_t horizon_s, unsigned max, struct window_purge **ret_purge);
/* Any thread; a fresh transaction each time, so that none grows old. Looks at `n_rows` rows; again until *ret_left is false. */
MUST_CHECK enum err window_purge_look(struct window_purge *purge, struct txn *txn, unsigned n_rows, bool *ret_left);
/* Then, in write transactions: considers `n_windows`, deletes those that may go, adds their number to *n_deleted; until *ret_left is
 * false, with which the purge is over. After a transaction that failed: window_purge_free, nothing more. */
MUST_CHECK enum err window_purge_delete(
        struct window_purge *purge, struct txn *txn, unsigned n_windows, unsigned *n_deleted, bool *ret_left);
/* There may be more windows that ended before the horizon than were looked at. */
bool window_purge_has_more(const struct window_purge *purge);
void window_purge_free(struct window_purge *purge); /* NULL is fine */
