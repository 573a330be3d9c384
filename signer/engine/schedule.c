/* schedule: one tick a second. */
#include "signer/engine/schedule.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "signer/engine/crl_plan.h"
#include "signer/engine/engine.h"

#define SPACE_LOOK_MS 10000
/* A CRL that failed is tried again after 1, 2, 4 ... 60 s. */
#define RETRY_MAX_S 60
/* At most this share of the time goes into making full CRLs again after changes. */
#define FULL_SHARE 20

static struct crl_due *find_due(struct schedule *s, const struct issuer *is, uint16_t shard)
{
        for (unsigned i = 0; i < s->n_crls; i++)
                if (s->crls[i].issuer->ca_key == is->ca_key && s->crls[i].shard == shard)
                        return &s->crls[i];
        return NULL;
}

/* ---- CRLs ---- */

static bool makes_crls(const struct issuer *is)
{
        return issuer_is_served(is) && is->crl.configured && !is->conf->offline;
}

static unsigned n_shards(const struct issuer *is)
{
        return is->conf->crl_shards ? is->conf->crl_shards : 1;
}

static void read_due(struct txn *txn, struct crl_due *due, int64_t now_s)
{
        const struct conf_issuer *conf = due->issuer->conf;

        due->full_s = crl_plan_next_full(txn, due->issuer->ca_key, due->shard, conf->crl_period_s, now_s);
        due->delta_s = INT64_MAX;
        if (conf->crl_delta_period_s > 0)
                due->delta_s = crl_plan_next_delta(txn, due->issuer->ca_key, due->shard, conf->crl_delta_period_s, now_s);
        if (crl_plan_is_behind(txn, due->issuer->ca_key, due->shard))
                due->changed_due_s = now_s;
}

enum err schedule_reset(struct engine *e)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct schedule *s = &e->schedule;
        int64_t now_s = engine_clock_now_s(&e->clock);
        struct crl_due *crls;
        unsigned n = 0;
        enum err err = txn_begin_read(e->env, &txn);

        if (err != OK)
                return err;
        for (unsigned i = 0; i < e->issuers->n; i++)
                n += makes_crls(&e->issuers->items[i]) ? n_shards(&e->issuers->items[i]) : 0;
        crls = calloc(n + 1, sizeof(*crls));
        if (!crls)
                return ERR_NOMEM;
        free(s->crls);
        s->crls = crls;
        s->n_crls = 0;
        for (unsigned i = 0; i < e->issuers->n; i++) {
                struct issuer *is = &e->issuers->items[i];

                for (unsigned k = 0; makes_crls(is) && k < n_shards(is); k++) {
                        struct crl_due *due = &s->crls[s->n_crls++];

                        *due = (struct crl_due){.issuer = is, .shard = (uint16_t)(is->conf->crl_shards ? k + 1 : 0)};
                        read_due(txn, due, now_s);
                }
        }
        return OK;
}

void schedule_truth_changed(struct engine *e, const struct issuer *is)
{
        struct schedule *s = &e->schedule;
        int64_t due_s = engine_clock_now_s(&e->clock) + is->conf->crl_after_revocation_s;

        for (unsigned i = 0; i < s->n_crls; i++)
                if (s->crls[i].issuer->ca_key == is->ca_key &&
                        (s->crls[i].changed_due_s == 0 || due_s < s->crls[i].changed_due_s))
                        s->crls[i].changed_due_s = due_s;
}

/* What a change of status calls for: the full CRL, and the delta where there are deltas. Where the full one takes long to
 * make, it is not made for each change: the delta goes ahead alone, and the full CRL follows at full_earliest_s. */
static unsigned kinds_due(struct crl_due *due, int64_t now_s)
{
        unsigned kinds = 0;
        bool has_deltas = due->issuer->conf->crl_delta_period_s > 0;

        if (now_s >= due->full_s)
                kinds |= CRL_FULL;
        if (has_deltas && now_s >= due->delta_s && due->full_s != 0)
                kinds |= CRL_DELTA;
        if (due->changed_due_s != 0 && now_s >= due->changed_due_s) {
                bool alone = has_deltas && due->full_s != 0 && now_s < due->full_earliest_s;

                kinds |= alone ? CRL_DELTA : CRL_FULL;
                if (alone && due->full_earliest_s < due->full_s)
                        due->full_s = due->full_earliest_s;
        }
        /* Both due: issued together under one number (RFC 5280 5.2.3, req 4.3) */
        if (has_deltas && (kinds & CRL_FULL))
                kinds |= CRL_DELTA;
        return kinds;
}

/* A change that lies in other shards needs nothing of this one. */
static void forget_others_changes(struct engine *e, struct crl_due *due, int64_t now_s)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;

        if (due->changed_due_s == 0 || now_s < due->changed_due_s || txn_begin_read(e->env, &txn) != OK)
                return;
        if (!crl_plan_is_behind(txn, due->issuer->ca_key, due->shard))
                due->changed_due_s = 0;
}

static void order_crls(struct engine *e, int64_t now_s)
{
        struct schedule *s = &e->schedule;

        if (!vault_is_up(e))
                return;
        for (unsigned i = 0; i < s->n_crls; i++) {
                struct crl_due *due = &s->crls[i];
                unsigned kinds;

                forget_others_changes(e, due, now_s);
                kinds = kinds_due(due, now_s);
                if (kinds == 0 || due->retry_s > now_s || crl_is_ordered(e, due->issuer, due->shard))
                        continue;
                due->changed_due_s = 0;
                if (crl_order(e, due->issuer, due->shard, kinds, NULL, NULL) != OK)
                        log_error("a CRL could not be ordered issuer=%s shard=%u", due->issuer->conf->name, due->shard);
        }
}

static int64_t retry_pause_s(unsigned failures)
{
        int64_t pause = failures > 6 ? RETRY_MAX_S : INT64_C(1) << (failures - 1);

        return pause < RETRY_MAX_S ? pause : RETRY_MAX_S;
}

void schedule_crl_done(struct engine *e, const struct issuer *is, uint16_t shard, unsigned kinds, int64_t took_ms, bool ok)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct crl_due *due = find_due(&e->schedule, is, shard);
        int64_t now_s = engine_clock_now_s(&e->clock), full_was_s = due ? due->full_s : 0;

        if (!due)
                return;
        if (!ok) {
                due->failures++;
                due->retry_s = now_s + retry_pause_s(due->failures);
                due->changed_due_s = now_s;
                return;
        }
        due->failures = 0;
        due->retry_s = 0;
        if (kinds & CRL_FULL)
                due->full_earliest_s = now_s + FULL_SHARE * took_ms / 1000;
        if (txn_begin_read(e->env, &txn) == OK)
                read_due(txn, due, now_s);
        if (!(kinds & CRL_FULL) && full_was_s < due->full_s)
                due->full_s = full_was_s;
        /* What changed while it was built waits its turn, not longer than asked for. */
        if (due->changed_due_s == now_s)
                due->changed_due_s = now_s + is->conf->crl_after_revocation_s;
}

/* ---- space and clocks ---- */

struct space_op {
        struct task task;
        struct engine *engine;
};

static enum err space_work(struct task *task, struct txn *txn)
{
        (void)txn;
        return env_reserve(task_owner(task, struct space_op, task)->engine->env);
}

static void space_done(struct task *task)
{
        struct space_op *op = task_owner(task, struct space_op, task);
        struct engine *e = op->engine;
        bool is_short = task->result == ERR_NOSPC;

        if (is_short && !e->space_short)
                log_error("the disk is full: bulk signing and batches stop, single revocations go on; make room on the "
                          "store's disk");
        if (!is_short && e->space_short)
                log_info("the disk has room again: bulk signing goes on");
        e->space_short = is_short;
        free(op);
}

static void look_at_space(struct engine *e)
{
        struct space_op *op;

        if (clock_mono_ms() - e->schedule.space_looked_ms < SPACE_LOOK_MS)
                return;
        e->schedule.space_looked_ms = clock_mono_ms();
        op = calloc(1, sizeof(*op));
        if (!op)
                return;
        *op = (struct space_op){
                .task = {.priority = TASK_HOUSEKEEPING, .plain = true, .work = space_work, .done = space_done}, .engine = e};
        writer_submit(&e->writer, &op->task);
}

static void look_at_clock(struct engine *e)
{
        if (!engine_clock_look(&e->clock))
                return;
        if (engine_clock_is_frozen(&e->clock))
                log_error("the wall clock jumped by more than %d s: refresh and CRL schedules stand still; set it right, or "
                          "run "
                          "`tocsin reload` if it is right now",
                        ENGINE_CLOCK_JUMP_S);
        else
                log_info("the wall clock is back: schedules go on");
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
        struct engine *e = arg;

        (void)fd, (void)what;
        look_at_clock(e);
        look_at_space(e);
        lane_stats_tick(&e->ondemand.stats[0]);
        lane_stats_tick(&e->ondemand.stats[1]);
        lane_stats_tick(&e->bulk.stats);
        if (!engine_clock_is_frozen(&e->clock))
                order_crls(e, engine_clock_now_s(&e->clock));
        crl_builder_pump(e);
        refresh_step(e);
        window_purger_step(e);
        engine_feed_vault(e);
}

enum err schedule_start(struct engine *e)
{
        static const struct timeval tick = {.tv_sec = 1};

        e->schedule.timer = event_new(e->base, -1, EV_PERSIST, on_tick, e);
        if (!e->schedule.timer || event_add(e->schedule.timer, &tick) != 0)
                return ERR_NOMEM;
        return schedule_reset(e);
}

void schedule_now(struct engine *e)
{
        if (!engine_clock_is_frozen(&e->clock))
                order_crls(e, engine_clock_now_s(&e->clock));
}

void schedule_stop(struct engine *e)
{
        if (e->schedule.timer)
                event_free(e->schedule.timer);
        free(e->schedule.crls);
        e->schedule = (struct schedule){0};
}
