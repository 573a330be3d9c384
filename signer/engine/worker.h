/* worker: the engine's end of a responder's worker: questions in, answers out, a credit for each. No worker is trusted. */
#pragma once

#include <event2/event.h>
#include <stdbool.h>

#include "base/msg.h"
#include "signer/engine/outbox.h"

struct engine;

struct worker {
        struct engine *engine;
        int fd;
        struct event *readable, *writable;
        struct outbox out;
        unsigned n_refs, n_open; /* questions not answered yet */
        bool gone;
        struct worker *next;
};

struct workers {
        int fd;
        struct event *listener;
        struct worker *first;
        char *path;
};

MUST_CHECK enum err workers_start(struct engine *engine);
void workers_stop(struct engine *engine);
struct worker *worker_ref(struct worker *worker);
void worker_unref(struct worker *worker);
/* Gives the credit back. To a worker that is gone: nothing. */
void worker_answer(struct worker *worker, const struct msg_sign_answer *answer);
