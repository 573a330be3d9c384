/* ceremony: making a key in the token, asking for its certificate, listing keys. What `tocsin key` runs, as root or the
 * vault's user; never part of the serving vault. */
#pragma once

#include "base/conf.h"

#define CEREMONY_EXIT_CONFIG 2
#define CEREMONY_EXIT_SYSTEM 4 /* 3 is serve.h's, and ours: the token failed */
#define CEREMONY_WRONG_USAGE (-1) /* nothing was done: the caller prints the usage */

/* argv[0] is the command: key-new, key-csr, key-list. The process's exit code, or CEREMONY_WRONG_USAGE. Says on standard
 * error what went wrong. */
int ceremony_run(const struct conf *conf, int argc, char **argv);
