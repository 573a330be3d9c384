/* sign_client: a worker's line to the engine. A question is asked once however many requests wait for it; each waits as a
 * `sign_waiter`. The engine gives a credit of open questions; beyond it, or with the engine away, asking is refused and the request
 * gets tryLater at once. Whoever is answered must read its rows again before using the answer. One thread. */
#pragma once

#include <event2/event.h>

#include "base/msg.h"

struct sign_question;

struct sign_waiter {
        struct sign_waiter *next, *previous;
        struct sign_question *question; /* NULL: waits for nothing */
};

struct sign_client;

struct sign_client_config {
        struct event_base *base;
        const char *path;         /* conf sign_socket; kept by the caller */
        unsigned max_questions;   /* credit: conf sign_per_worker */
        int64_t patience_ms;      /* a question unanswered this long: the engine hangs, the line is cut */
        /* `answer` borrows; NULL: refused, or the engine went away. The waiter waits for nothing by then and may ask again. */
        void (*on_answer)(struct sign_waiter *waiter, const struct msg_sign_answer *answer);
};

struct sign_client *sign_client_new(const struct sign_client_config *config);
/* No on_answer is called any more. */
void sign_client_free(struct sign_client *client);
/* `waiter` waits from now on. `ask->id` is ignored. ERR_AGAIN: no credit left; ERR_CLOSED: the engine is away. */
MUST_CHECK enum err sign_client_ask(struct sign_client *client, const struct msg_sign_ask *ask, struct sign_waiter *waiter);
/* The waiter gave up; fine when it waits for nothing. */
void sign_client_leave(struct sign_waiter *waiter);
/* Call now and then: cuts the line to an engine that hangs. */
void sign_client_tick(struct sign_client *client, int64_t now_ms);
/* Since the start. */
struct sign_counts {
        uint64_t n_asked, n_coalesced, n_refused, n_lost;
};
const struct sign_counts *sign_client_counts(const struct sign_client *client);
/* Open questions, for tests and metrics. */
unsigned sign_client_open(const struct sign_client *client);
