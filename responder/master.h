/* master: starts the workers, replaces those that die, reloads, drains, and gives way to a newer program. It parses nothing from the
 * network. */
#pragma once

#include "base/conf.h"

/* Takes `conf`. `started_as` is the program's own name, argv[0]. Returns the exit code. */
int master_run(struct conf *conf, const char *started_as);
/* Would it start with `conf`? Returns the exit code. */
int master_check(const struct conf *conf);
