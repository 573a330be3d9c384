/* ondemand: questions wait, are asked in packets, and are answered. */
#include "signer/engine/ondemand.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "signer/engine/engine.h"

/* One packet for the vault, with the questions whose bytes are in it, in order. */
struct urgent {
        struct vault_call call;
        struct engine *engine;
        unsigned n;
        struct question *questions[URGENT_BATCH_MAX];
};

bool rate_bucket_take(struct rate_bucket *b, unsigned rate, int64_t now_ms)
{
        double cap = rate;

        if (b->filled_ms == 0)
                b->tokens = cap;
        else if (now_ms > b->filled_ms)
                b->tokens += (double)(now_ms - b->filled_ms) * rate / 1000;
        if (b->tokens > cap)
                b->tokens = cap;
        b->filled_ms = now_ms;
        if (b->tokens < 1)
                return false;
        b->tokens -= 1;
        return true;
}

/* ---- taking a question ---- */

static void refuse_ask(struct engine *e, struct worker *w, const struct msg_sign_ask *ask, enum msg_outcome outcome)
{
        e->ondemand.stats[ask->lane == MSG_LANE_TRUTH ? MSG_LANE_TRUTH : MSG_LANE_EXTRAS].refused++;
        worker_answer(w, &(struct msg_sign_answer){.id = ask->id, .outcome = (uint8_t)outcome});
}

static bool can_sign(const struct issuer *is)
{
        return is && issuer_is_served(is) && is->ocsp.configured && is->ocsp.away_until_ms <= clock_mono_ms();
}

/* The generation as it stands now, for merging with a question that is at the vault already. */
static uint32_t present_generation(struct engine *e, uint32_t ca_key, struct bytes serial)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct status status;

        if (txn_begin_read(e->env, &txn) != OK || status_get(txn, ca_key, serial, &status) != OK)
                return UINT32_MAX;
        return status.generation;
}

/* Pre-produced form: the issuer's primary CertID hash, one serial, no nonce. Whatever the worker calls it. */
static bool is_truth(const struct issuer *is, const struct msg_sign_ask *ask)
{
        return ask->lane == MSG_LANE_TRUTH && ask->n_cert_ids == 1 && ask->nonce_len == 0 && ask->preferred == 0 &&
               ask->cert_id_hash == (uint8_t)is->conf->ocsp_cert_id;
}

void ondemand_ask(struct engine *e, struct worker *w, const struct msg_sign_ask *ask)
{
        struct issuer *is = issuers_by_ca_key(e->issuers, ask->cert_ids[0].ca_key);
        struct bytes serial = bytes_make(ask->cert_ids[0].serial, ask->cert_ids[0].serial_len);
        struct question *q = NULL;
        bool truth;

        if (is && is->conf->offline) { /* RFC 6960 2.3: nothing that runs here can ever answer with authority (req 2.2) */
                refuse_ask(e, w, ask, MSG_UNAUTHORIZED);
                return;
        }
        if (!vault_is_coming(e) || !can_sign(is) || e->stopping) {
                refuse_ask(e, w, ask, MSG_TRY_LATER);
                return;
        }
        truth = is_truth(is, ask);
        if (truth)
                q = question_find(e, is->ca_key, serial, present_generation(e, is->ca_key, serial));
        if (!q && (e->ondemand.n_open >= e->conf->sign_in_flight ||
                          (!truth && !rate_bucket_take(
                                             &e->ondemand.extras_budget, e->conf->sign_extras_rate, clock_mono_ms())))) {
                refuse_ask(e, w, ask, MSG_TRY_LATER);
                return;
        }
        if (!q)
                q = question_new(e, is, ask, truth);
        if (!q || !question_add_asker(q, w, ask->id)) {
                if (q && !q->askers)
                        question_free(e, q);
                refuse_ask(e, w, ask, MSG_TRY_LATER);
        }
}

/* ---- the vault's answers ---- */

/* Is what was signed still the truth? Looked up only if anything was committed since. */
static bool is_current(struct engine *e, const struct question *q)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct status status;

        if (env_newest_commit(e->env) == q->commit)
                return true;
        if (txn_begin_read(e->env, &txn) != OK)
                return false;
        if (q->extras)
                return extras_is_current(txn, q);
        return status_get(txn, q->issuer->ca_key, serial_bytes(&q->serial), &status) == OK &&
               status.generation == q->generation;
}

static void finish_truth(struct engine *e, struct question *q, struct bytes raw)
{
        static uint8_t der[MSG_SIGN_ANSWER_MAX];
        const struct window *w = &q->window->row;
        struct msg_sign_answer answer = {
                .outcome = MSG_SIGNED,
                .n_cert_ids = 1,
                .generations = {q->generation},
                .this_update_s = w->this_update_s,
                .next_update_s = w->next_update_s,
        };
        struct bytes serial = serial_bytes(&q->serial);
        size_t len;

        if (ocsp_response_max(&w->template) > sizeof(der) - 512 ||
                ocsp_response_rebuild(&w->template, serial, &q->status, raw, der, &len) != OK) {
                question_refuse(e, q, MSG_TRY_LATER);
                return;
        }
        answer.response = bytes_make(der, len);
        writeback_add(e, q->issuer->ca_key, serial, q->generation, w->id, raw);
        question_answer(e, q, &answer);
}

static void finish_question(struct engine *e, struct question *q, struct bytes raw)
{
        e->ondemand.stats[question_lane(q)].signed_total++;
        if (!is_current(e, q))
                question_ask_again(e, q);
        else if (q->extras)
                extras_finish(e, q, raw);
        else
                finish_truth(e, q, raw);
}

/* The token lacks the key, or the vault's rules say no: asking on and on would not help. */
static void note_refusal(struct question *q, const struct vault_answer *a)
{
        log_error("the vault does not sign issuer=%s outcome=%s why=\"%.*s\"", q->issuer->conf->name,
                a->outcome == VAULT_NO_KEY ? "no-key" : "refused", (int)a->text.len, (const char *)a->text.data);
        if (a->outcome == VAULT_NO_KEY)
                q->issuer->ocsp.away_until_ms = clock_mono_ms() + VAULT_NO_KEY_REST_MS;
}

static void on_answer(struct vault_call *call, const struct vault_answer *a)
{
        struct urgent *u = (struct urgent *)call;
        struct engine *e = u->engine;
        bool is_signed = a && a->outcome == VAULT_OK && a->n == u->n;

        if (a && !is_signed)
                note_refusal(u->questions[0], a);
        for (unsigned i = 0; i < u->n; i++) {
                struct question *q = u->questions[i];

                e->ondemand.stats[question_lane(q)].in_flight--;
                if (is_signed)
                        finish_question(e, q, a->signatures[i]);
                else
                        question_refuse(e, q, MSG_TRY_LATER);
        }
        free(u);
}

/* ---- asking ---- */

#define TBS_MAX 2048

static enum err prepare_truth(struct engine *e, struct txn *txn, struct question *q, uint8_t *memory, struct bytes *ret_tbs)
{
        struct bytes serial = serial_bytes(&q->serial);
        struct open_window *w;
        struct status status;
        size_t len;
        enum err err = status_get(txn, q->issuer->ca_key, serial, &status);

        if (err != OK)
                return err;
        w = live_window_get(e, q->issuer, status.changed_at_s);
        if (!w)
                return ERR_AGAIN;
        if (open_window_tbs_max(w) > TBS_MAX)
                return ERR_RANGE;
        err = ocsp_response_tbs(&w->row.template, serial, &status.ocsp, memory, &len);
        if (err != OK)
                return err;
        q->generation = status.generation;
        q->status = status.ocsp;
        q->window = open_window_ref(w);
        *ret_tbs = bytes_make(memory, len);
        return OK;
}

struct filling {
        struct urgent *urgent;
        struct vault_question packet;
        uint8_t tbs[URGENT_BATCH_MAX][TBS_MAX];
};

/* A reload made another issuer of it, or none. */
static bool is_still_served(struct engine *e, struct question *q)
{
        struct issuer *is = issuers_by_ca_key(e->issuers, q->issuer->ca_key);

        if (is)
                q->issuer = is;
        return is && issuer_is_served(is) && is->ocsp.configured;
}

/* A packet is of one key and one algorithm. */
static bool goes_with(const struct question *a, const struct question *b)
{
        return a->issuer == b->issuer && extras_sig_alg(a) == extras_sig_alg(b);
}

/* False: it cannot go into this packet. */
static bool put_question(struct engine *e, struct txn *txn, struct filling *f, struct question *q)
{
        struct urgent *u = f->urgent;
        struct bytes tbs = BYTES_NONE;
        enum err err;

        if (!is_still_served(e, q)) {
                question_refuse(e, q, MSG_TRY_LATER);
                return false;
        }
        if (q->waits_for_window || (u->n > 0 && !goes_with(u->questions[0], q)))
                return false;
        if (q->extras)
                err = extras_prepare(e, txn, q, &tbs);
        else
                err = prepare_truth(e, txn, q, f->tbs[u->n], &tbs);
        if (err == ERR_AGAIN) {
                q->waits_for_window = true;
                return false;
        }
        if (err != OK) {
                question_refuse(e, q, err == ERR_NOT_FOUND ? MSG_UNAUTHORIZED : MSG_TRY_LATER);
                return false;
        }
        q->commit = txn_id(txn);
        f->packet.tbs[u->n] = tbs;
        u->questions[u->n++] = q;
        return true;
}

static void fill_from(struct engine *e, struct txn *txn, struct filling *f, enum msg_lane lane, unsigned max)
{
        struct question *q, *next;

        for (q = TAILQ_FIRST(&e->ondemand.waiting[lane]); q && f->urgent->n < max; q = next) {
                next = TAILQ_NEXT(q, link);
                put_question(e, txn, f, q);
        }
}

static void send_filling(struct engine *e, struct filling *f)
{
        struct urgent *u = f->urgent;
        const struct issuer_signer *s = &u->questions[0]->issuer->ocsp;
        enum err err;

        f->packet.kind = VAULT_SIGN_OCSP;
        f->packet.sig_alg = extras_sig_alg(u->questions[0]);
        f->packet.n = u->n;
        memcpy(f->packet.signer, s->spki_sha256, sizeof(f->packet.signer));
        for (unsigned i = 0; i < u->n; i++) {
                struct question *q = u->questions[i];

                TAILQ_REMOVE(&e->ondemand.waiting[question_lane(q)], q, link);
                q->is_asked = true;
                e->ondemand.stats[question_lane(q)].in_flight++;
        }
        err = vault_ask(e, VAULT_URGENT, &u->call, &f->packet, -1, 0);
        if (err == OK)
                return;
        for (unsigned i = u->n; i > 0; i--) {
                struct question *q = u->questions[i - 1];

                e->ondemand.stats[question_lane(q)].in_flight--;
                question_ask_again(e, q);
                if (err != ERR_AGAIN)
                        question_refuse(e, q, MSG_TRY_LATER);
        }
        free(u);
}

/* More in one packet only when they pile up: each packet is worked off by one of the token's sessions. */
static unsigned share(const struct engine *e)
{
        unsigned n = 0, sessions = e->conf->token_sessions;

        for (unsigned lane = 0; lane < 2; lane++) {
                const struct question *q;

                TAILQ_FOREACH(q, &e->ondemand.waiting[lane], link)
                n++;
        }
        n = (n + sessions - 1) / sessions;
        return n < 1 ? 1 : n < URGENT_BATCH_MAX ? n : URGENT_BATCH_MAX;
}

/* False: nothing was sent. */
static bool send_one(struct engine *e)
{
        static struct filling f;
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        unsigned max = share(e), n_calls = e->vault.n_calls[VAULT_URGENT];

        f.urgent = calloc(1, sizeof(*f.urgent));
        if (!f.urgent || txn_begin_read(e->env, &txn) != OK) {
                free(f.urgent);
                return false;
        }
        f.urgent->engine = e;
        f.urgent->call.done = on_answer;
        fill_from(e, txn, &f, MSG_LANE_TRUTH, max);
        fill_from(e, txn, &f, MSG_LANE_EXTRAS, max);
        if (f.urgent->n == 0) {
                free(f.urgent);
                return false;
        }
        send_filling(e, &f);
        return e->vault.n_calls[VAULT_URGENT] > n_calls;
}

void ondemand_pump(struct engine *e)
{
        struct ondemand *o = &e->ondemand;

        if (o->pumping)
                return;
        o->pumping = true;
        while (vault_is_up(e) && e->vault.n_calls[VAULT_URGENT] < 2 * e->conf->token_sessions &&
                !(TAILQ_EMPTY(&o->waiting[0]) && TAILQ_EMPTY(&o->waiting[1])))
                if (!send_one(e))
                        break;
        o->pumping = false;
}

static void refuse_waiting(struct engine *e, const struct issuer *only)
{
        for (unsigned lane = 0; lane < 2; lane++) {
                struct question *q, *next;

                for (q = TAILQ_FIRST(&e->ondemand.waiting[lane]); q; q = next) {
                        next = TAILQ_NEXT(q, link);
                        if (!only || (q->issuer == only && q->waits_for_window))
                                question_refuse(e, q, MSG_TRY_LATER);
                }
        }
}

/* Nobody is kept waiting for a token that is away. */
void ondemand_vault_changed(struct engine *e)
{
        if (!vault_is_up(e))
                refuse_waiting(e, NULL);
}

/* Windows that were asked for belong to the issuers of before. */
void ondemand_reloaded(struct engine *e)
{
        for (unsigned lane = 0; lane < 2; lane++) {
                struct question *q;

                TAILQ_FOREACH(q, &e->ondemand.waiting[lane], link)
                q->waits_for_window = false;
        }
}

void ondemand_window_ready(struct engine *e, struct issuer *is, bool is_there)
{
        if (!is_there)
                refuse_waiting(e, is);
        for (unsigned lane = 0; lane < 2; lane++) {
                struct question *q;

                TAILQ_FOREACH(q, &e->ondemand.waiting[lane], link)
                if (q->issuer == is)
                        q->waits_for_window = false;
        }
        ondemand_pump(e);
}

void ondemand_init(struct engine *e)
{
        TAILQ_INIT(&e->ondemand.waiting[0]);
        TAILQ_INIT(&e->ondemand.waiting[1]);
}

void ondemand_done(struct engine *e)
{
        refuse_waiting(e, NULL);
}
