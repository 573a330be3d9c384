/* worker: the process that serves. It holds no key that signs, cannot write the store, and is replaced when it dies. */
#pragma once

#include <signal.h>

#include "base/conf.h"

/* A successor serves: like SIGTERM, but whoever holds an idle connection has WORKER_GRACE_MS for one more request on it, so that a client who
 * keeps asking is told `Connection: close` and never meets a closed door. */
#define WORKER_RETIRE SIGUSR1
#define WORKER_GRACE_MS 5000

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

/* Serves until SIGTERM or WORKER_RETIRE, then drains. Returns the exit code. Expects to be a fresh child of the master. */
int worker_run(const struct worker_config *config);
