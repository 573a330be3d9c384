/* worker: the process that serves. It holds no key, cannot write the store, and is replaced when it dies. */
#pragma once

#include "base/conf.h"

struct worker_config {
        const struct conf *conf;
        unsigned index;
        const int *listeners; /* its own */
        unsigned n_listeners;
};

/* Serves until SIGTERM, then drains. Returns the exit code. Expects to be a fresh child of the master. */
int worker_run(const struct worker_config *config);
