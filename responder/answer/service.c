#include "responder/answer/service.h"

#include <stdlib.h>

#include "base/clock.h"
#include "responder/answer/ocsp_question.h"
#include "store/meta.h"

#define N_WINDOWS 4096
/* Room in the head for everything beside the target. */
#define HEAD_EXTRA 8192

enum err service_init(struct service *s, const struct conf *conf, struct env *env)
{
        *s = (struct service){.conf = conf, .env = env, .client = -1};
        s->limits = (struct request_limits){.max_uri = conf->max_uri, .max_head = conf->max_uri + HEAD_EXTRA, .max_body = conf->max_body};
        s->cas = ca_table_new(conf);
        s->windows = window_cache_new(N_WINDOWS);
        s->crls = crl_files_new(conf->crl_path);
        s->out_memory = malloc(SERVICE_OUT_SIZE);
        s->body_memory = malloc(conf->max_body + 1);
        s->der_memory = malloc(conf->max_uri + 1);
        s->ahead = malloc(SERVICE_AHEAD * sizeof *s->ahead);
        s->ahead_memory = malloc(SERVICE_AHEAD * sizeof *s->ahead_memory);
        if (!s->cas || !s->windows || !s->crls || !s->out_memory || !s->body_memory || !s->der_memory || !s->ahead || !s->ahead_memory) {
                service_done(s);
                return ERR_NOMEM;
        }
        s->out = builder_fixed(s->out_memory, SERVICE_OUT_SIZE);
        return OK;
}

void service_done(struct service *s)
{
        ca_table_free(s->cas);
        window_cache_free(s->windows);
        crl_files_free(s->crls);
        free(s->out_memory);
        free(s->body_memory);
        free(s->der_memory);
        free(s->ahead);
        free(s->ahead_memory);
        *s = (struct service){0};
}

/* What was cached in a stale turn may be torn. (The window cache looks to itself.) */
static void forget(struct service *s)
{
        ca_table_clear(s->cas);
        crl_files_clear(s->crls);
        s->commit = 0;
}

/* Looked at once for each commit, not for each request. */
static enum err look_around(struct service *s, struct txn *txn)
{
        enum err e = ca_table_refresh(s->cas, txn);

        if (e == OK)
                e = meta_get_epoch(txn, &s->epoch);
        if (e == OK)
                e = meta_get_time(txn, 0, &s->time_mark_s);
        return e;
}

enum err turn_begin(struct service *s, struct turn *ret_turn)
{
        struct turn t = {.service = s, .begun_us = clock_mono_us(), .log_mark = access_log_mark(s->access_log)};
        enum err e = txn_turn_begin(s->env, &t.txn);

        if (e != OK)
                return e;
        if (s->commit == 0 || s->commit != txn_id(t.txn)) {
                s->commit = 0;
                e = look_around(s, t.txn);
                if (e != OK)
                        return txn_turn_end(t.txn) == ERR_STALE ? ERR_STALE : e;
                s->commit = txn_id(t.txn);
        }
        t.now_s = clock_now_s();
        if (t.now_s < s->time_mark_s)
                t.now_s = s->time_mark_s;
        t.epoch = s->epoch;
        s->n_in_turn = 0;
        *ret_turn = t;
        return OK;
}

static void count_turn(struct service *s, uint64_t us)
{
        metric_observe(&s->stats.turn_us, us, s->n_in_turn);
        if (us > s->stats.now.longest_turn_us)
                s->stats.now.longest_turn_us = us;
}

enum err turn_end(struct turn *t)
{
        enum err e = txn_turn_end(t->txn);

        count_turn(t->service, (uint64_t)(clock_mono_us() - t->begun_us));
        if (e == OK)
                return OK;
        t->service->stats.n_stale_turns++;
        access_log_rewind(t->service->access_log, t->log_mark);
        forget(t->service);
        return e;
}
