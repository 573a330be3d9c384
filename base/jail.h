/* jail: giving up privileges, step by step, where each process starts.
 *
 * The order in a program is: open what needs root, jail_user, jail_no_new_privileges, then parse anything from outside.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* Is this built with AddressSanitizer? It reads its own process by ptrace and makes system calls of its own, so such a build is dumpable
 * and has no sandbox. */
#if defined(__SANITIZE_ADDRESS__)
#define JAIL_IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define JAIL_IS_SANITIZED 1
#endif
#endif
#ifndef JAIL_IS_SANITIZED
#define JAIL_IS_SANITIZED 0
#endif

/* uid and gid of a user name. "" gives this process's own. ERR_NOT_FOUND. */
MUST_CHECK enum err jail_find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid);
/* Becomes that user for good, with its own groups only. "" or the present user: nothing. Not root and another user:
 * ERR_DENIED. */
MUST_CHECK enum err jail_user(const char *name);
/* No setuid gains, no core dump (keys and PINs), and the process dies when its parent does (PR_SET_PDEATHSIG,
 * `death_signal`; 0 = no). ERR_IO, ERR_DENIED. */
MUST_CHECK enum err jail_no_new_privileges(int death_signal);
/* From now on this thread and those it starts can open files beneath these folders only (NULL-terminated), and only to read; a folder
 * that is not there yet stands for the one above. What is open stays open. After jail_no_new_privileges. ERR_UNSUPPORTED: the kernel has
 * no landlock. */
MUST_CHECK enum err jail_read_only(const char *const *folders);
