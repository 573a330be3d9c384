/* live_window: for each issuer, the window that on-demand answers are signed under.
 *
 * A status may only be answered under a window whose thisUpdate is at or after the second it changed in. So every
 * transaction that changes a status also puts a fresh window (live_window_put), with the very time of the change; and
 * whoever needs a newer window than there is gets NULL now and is called again once one was committed.
 */
#pragma once

#include "signer/engine/open_window.h"

struct engine;

/* The issuer's window, no new reference; NULL: none that is young enough and still valid; one was asked for, and
 * ondemand_pump runs when it is there. */
struct open_window *live_window_get(struct engine *engine, struct issuer *issuer, int64_t changed_at_s);
/* In a write transaction, on the writer's thread. NULL without an error: the issuer cannot sign; that stops no revocation.
 */
struct open_window *live_window_put(struct txn *txn, struct issuer *issuer, int64_t now_s);
/* Main thread, after the commit: takes over the reference (NULL is fine). */
void live_window_adopt(struct issuer *issuer, struct open_window *window);
void live_windows_drop(struct issuers *issuers);
