/* sandbox: what a worker can still do once it serves: the system calls that serving needs, reading beneath the folders of the store and
 * of the CRLs, and having so much memory. Whoever takes a worker over has no exec, no new process, no socket but Unix ones, no file to write.
 *
 * Any other system call kills the process; the master starts another one and logs the signal (31, SIGSYS). */
#pragma once

#include "base/conf.h"

/* First, while the process has one thread: files. Logs when the kernel has no landlock. */
MUST_CHECK enum err sandbox_files(const struct conf *conf);
/* Last, when everything is open and every thread started: how much memory it can have (conf max_memory; beyond it malloc fails), and, unless
 * conf->sandbox is false, which system calls, of all threads. Nothing in a build with AddressSanitizer. */
MUST_CHECK enum err sandbox_calls(const struct conf *conf);
