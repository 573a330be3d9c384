/* seal: after the token is open, the vault gives up what signing never needs. */
#pragma once

#include "base/err.h"

/* From now on, in every thread: no exec and no tracing (the process dies), no new sockets and no new processes (refused).
 * Threads may still be started. Needs jail_no_new_privileges. */
MUST_CHECK enum err seal(void);
