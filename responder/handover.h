/* handover: what the master keeps across its own replacement by a newer program (SIGUSR2): exec in place, with the same process id, the same
 * children and the same sockets, so that no queue of connections is ever closed.
 *
 * The state stands in a memory file, as text of a version, and TOCSIN_HANDOVER names its descriptor. Whoever changes the format goes on
 * reading the one before. */
#pragma once

#include <sys/types.h>

#include "responder/listener_rows.h"

#define HANDOVER_VARIABLE "TOCSIN_HANDOVER"
#define HANDOVER_PIDS_MAX 2048

struct handover {
        struct listener_rows rows;
        struct listener admin;         /* fd -1: none */
        pid_t serving[HANDOVER_PIDS_MAX]; /* children to be retired once the new ones serve */
        unsigned n_serving;
        unsigned n_draining; /* children that have been told to end */
};

/* Replaces this program by the one at `program`; comes back only if that fails, and then all is as before. */
MUST_CHECK enum err handover_exec(const struct handover *state, const char *program, const char *config);
/* What the program before left us. ERR_NOT_FOUND: we were started afresh; ERR_INVALID: it makes no sense. */
MUST_CHECK enum err handover_take(struct handover *ret_state);
