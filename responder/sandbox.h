/* sandbox: what a worker can still do once it serves: the system calls that serving needs, and reading beneath the folders of the store and
 * of the CRLs. Whoever takes a worker over has no exec, no new process, no socket but Unix ones, no file to write.
 *
 * Any other system call kills the process; the master starts another one and logs the signal (31, SIGSYS). */
#pragma once

#include "base/conf.h"

/* First, while the process has one thread: files. Logs when the kernel has no landlock. */
MUST_CHECK enum err sandbox_files(const struct conf *conf);
/* Last, when everything is open and every thread started: system calls, of all threads. Nothing in a build with AddressSanitizer, or
 * where conf->sandbox is false. */
MUST_CHECK enum err sandbox_calls(const struct conf *conf);
