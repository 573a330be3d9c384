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

#include "signer/engine/lane_stats.h"
#include "signer/engine/question.h"
#include "signer/engine/vault_client.h"

#define URGENT_BATCH_MAX 16
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

/* ---- between ondemand.c, question.c and extras.c ---- */
/* Reads the present statuses and builds the bytes to be signed. ERR_AGAIN: no window yet; ERR_NOT_FOUND: no such record. */
MUST_CHECK enum err extras_prepare(struct engine *engine, struct txn *txn, struct question *q, struct bytes *ret_tbs);
/* What a question is to be signed with; of the truth lane, too. */
enum sig_alg extras_sig_alg(const struct question *q);
bool extras_is_current(struct txn *txn, const struct question *q);
void extras_finish(struct engine *engine, struct question *q, struct bytes raw_signature);
MUST_CHECK enum err extras_new(const struct msg_sign_ask *ask, struct extras **ret_extras);
void extras_free(struct extras *extras);
