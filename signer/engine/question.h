/* question: what responders wait for: who asked, and what it looked like when the vault was asked.
 *
 * A question waits in its lane's list, then is asked (is_asked), then answered or refused, which frees it; or it waits again. One of the
 * truth lane stands in the table from its beginning to its end, so that whoever asks the same meanwhile becomes another asker of it. Main
 * thread.
 */
#pragma once

#include <sys/queue.h>

#include "base/msg.h"
#include "signer/engine/open_window.h"
#include "signer/engine/worker.h"
#include "store/status.h"

#define QUESTION_BUCKETS 1024

struct asker {
        struct asker *next;
        struct worker *worker; /* a reference */
        uint64_t id;
};

struct extras; /* extras.c */

struct question {
        TAILQ_ENTRY(question) link; /* in a lane's queue while it waits */
        struct question *next_in_bucket;
        struct issuer *issuer;
        struct serial serial;
        bool waits_for_window;
        bool is_asked; /* the vault has it */
        struct asker *askers;
        /* As it was when the vault was asked */
        uint32_t generation;
        uint64_t commit;
        struct ocsp_status status;
        struct open_window *window; /* a reference */
        struct extras *extras;      /* NULL: truth lane */
};
TAILQ_HEAD(questions, question);

struct engine;

enum msg_lane question_lane(const struct question *q);
/* Of the truth lane and the same serial, or NULL. One that waits reads the status anyway before it is asked; one at the vault must be of
 * the present generation. */
struct question *question_find(struct engine *engine, uint32_t ca_key, struct bytes serial, uint32_t generation);
/* Without askers, at the end of its lane. NULL: out of memory, or extras that cannot be. */
struct question *question_new(struct engine *engine, struct issuer *issuer, const struct msg_sign_ask *ask, bool is_truth);
/* False: out of memory. */
bool question_add_asker(struct question *q, struct worker *worker, uint64_t id);
/* The vault's answer was of no use: at the head of its lane. */
void question_ask_again(struct engine *engine, struct question *q);
/* To all who asked. Frees it. */
void question_answer(struct engine *engine, struct question *q, const struct msg_sign_answer *answer);
void question_refuse(struct engine *engine, struct question *q, enum msg_outcome outcome);
void question_free(struct engine *engine, struct question *q);
