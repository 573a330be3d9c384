/* master: starts the workers, replaces those that die, reloads and drains. It parses nothing from the network. */
#pragma once

#include "base/conf.h"

/* Takes `conf`. Returns the exit code. */
int master_run(struct conf *conf);
