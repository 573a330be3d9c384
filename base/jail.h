/* jail: giving up privileges, step by step, where each process starts.
 *
 * The order in a program is: open what needs root, jail_user, jail_no_new_privileges, then parse anything from outside.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* uid and gid of a user name. "" gives this process's own. ERR_NOT_FOUND. */
MUST_CHECK enum err jail_find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid);
/* Becomes that user for good, with its own groups only. "" or the present user: nothing. Not root and another user:
 * ERR_DENIED. */
MUST_CHECK enum err jail_user(const char *name);
/* No setuid gains, no core dump (keys and PINs), and the process dies when its parent does (PR_SET_PDEATHSIG,
 * `death_signal`; 0 = no). */
MUST_CHECK enum err jail_no_new_privileges(int death_signal);
