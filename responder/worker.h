/* worker: the process that serves. It holds no key that signs, cannot write the store, and is replaced when it dies. */
#pragma once

#include "base/conf.h"

struct tls_context;

struct worker_listener {
        int fd;
        bool is_tls;
};

struct worker_config {
        const struct conf *conf;
        unsigned index;
        const struct worker_listener *listeners; /* its own */
        unsigned n_listeners;
        struct access_log *access_log; /* the worker's to free; NULL: off */
        struct stats *published; /* its slot of the board; NULL: none */
        struct tls_context *tls; /* NULL: none of them is with TLS */
};

/* Serves until SIGTERM, then drains. Returns the exit code. Expects to be a fresh child of the master. */
int worker_run(const struct worker_config *config);
