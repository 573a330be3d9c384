/* serve: the vault at work: opens the token, seals itself, and answers until its pairs close. */
#pragma once

#include "base/conf.h"

#define SERVE_EXIT_TOKEN 3 /* the token failed; whoever reads exit codes can tell it from a bug */

/* Takes the pairs' ends at SUPERVISOR_URGENT_FD and SUPERVISOR_BULK_FD. Never returns: the process ends without exit
 * handlers, for PKCS#11 modules do not survive those while threads still sign. */
_Noreturn void serve_run(const struct conf *conf);
