/* ceremony: making a key in the token, asking for its certificate, listing keys. What `tocsin key` runs, as root or the
 * vault's user; never part of the serving vault. */
#pragma once

#include "base/conf.h"

#define CEREMONY_EXIT_USAGE 2

/* argv[0] is the command: key-new, key-csr, key-list. The process's exit code. Says on standard error what went wrong. */
int ceremony_run(const struct conf *conf, int argc, char **argv);
