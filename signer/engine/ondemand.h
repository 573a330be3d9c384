/* ondemand: the two lanes of questions that responders wait for.
 *
 *  - truth: the pre-produced answer of one serial. The status is read in a transaction begun when the vault is asked, and
 * once more when its signature is back: if the truth moved on in between, that signature is thrown away and the question
 * asked again. So nothing signed for an older status is handed out after the commit of a newer one.
 *  - extras: nonces, other CertID hashes, several CertIDs: capped by a rate, after the truth, never written back.
 *
 * Identical questions of the truth lane (CA key, serial, generation) are asked once. Main thread.
 */
#pragma once

#include <sys/queue.h>

#include "signer/engine/lane_stats.h"
#include "signer/engine/open_window.h"
#include "signer/engine/vault_client.h"
#include "signer/engine/worker.h"
#include "store/status.h"

#define URGENT_BATCH_MAX 16
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

struct rate_bucket {
        double tokens;
        int64_t filled_ms;
};
/* One token, if there is one: `rate` a second, up to a second's worth saved. */
bool rate_bucket_take(struct rate_bucket *bucket, unsigned rate, int64_t now_ms);

struct ondemand {
        struct questions waiting[2]; /* by enum msg_lane */
        struct question *buckets[QUESTION_BUCKETS];
        unsigned n_open;
        struct rate_bucket extras_budget;
        struct lane_stats stats[2];
        bool pumping;
};

void ondemand_init(struct engine *engine);
void ondemand_done(struct engine *engine);
/* One question of a worker, already counted against its credit. */
void ondemand_ask(struct engine *engine, struct worker *worker, const struct msg_sign_ask *ask);
/* Puts as much as fits to the vault. */
void ondemand_pump(struct engine *engine);
void ondemand_vault_changed(struct engine *engine);
/* There is another set of issuers. */
void ondemand_reloaded(struct engine *engine);
void ondemand_window_ready(struct engine *engine, struct issuer *issuer, bool is_there);

/* ---- between ondemand.c and extras.c ---- */
void question_answer(struct engine *engine, struct question *q, const struct msg_sign_answer *answer); /* and frees it */
void question_refuse(struct engine *engine, struct question *q, enum msg_outcome outcome);
/* Reads the present statuses and builds the bytes to be signed. ERR_AGAIN: no window yet; ERR_NOT_FOUND: no such record. */
MUST_CHECK enum err extras_prepare(struct engine *engine, struct txn *txn, struct question *q, struct bytes *ret_tbs);
/* What a question is to be signed with; of the truth lane, too. */
enum sig_alg extras_sig_alg(const struct question *q);
bool extras_is_current(struct txn *txn, const struct question *q);
void extras_finish(struct engine *engine, struct question *q, struct bytes raw_signature);
MUST_CHECK enum err extras_new(const struct msg_sign_ask *ask, struct extras **ret_extras);
void extras_free(struct extras *extras);
