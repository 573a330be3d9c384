/* control_status: what is going on: `status`, `issuer.list`, `batch.list`, `check`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "signer/engine/control_json.h"
#include "signer/engine/counts.h"
#include "signer/engine/engine.h"
#include "store/ca.h"
#include "store/check.h"
#include "store/event.h"
#include "store/meta.h"

#ifndef TOCSIN_VERSION
#define TOCSIN_VERSION "0.1.0"
#endif

static json_t *number(uint64_t n)
{
        return json_integer((json_int_t)n);
}

/* ---- status ---- */

static json_t *engine_json(struct engine *e)
{
        return json_pack("{s:s,s:i,s:o,s:o,s:b,s:o}", "version", TOCSIN_VERSION, "pid", (int)getpid(), "started_at",
                json_time(e->started_at_s), "now", json_time(engine_clock_now_s(&e->clock)), "clock_frozen",
                engine_clock_is_frozen(&e->clock), "longest_write_us", number((uint64_t)e->writer.longest_us));
}

static json_t *store_json(struct engine *e, struct txn *txn)
{
        struct env_space space;

        env_get_space(e->env, &space);
        return json_pack("{s:o,s:i,s:o,s:o,s:o,s:b,s:o}", "commit", number(env_newest_commit(e->env)), "epoch",
                (int)e->epoch, "used", number(space.used), "file", number(space.file), "disk_free", number(space.disk_free),
                "reserve_ok", !e->space_short, "event", number(event_last(txn)));
}

static json_t *token_json(struct engine *e)
{
        const struct vault_client *v = &e->vault;

        return json_pack("{s:s,s:o,s:s,s:o,s:i}", "state", vault_is_up(e) ? "up" : "down", "since", json_time(v->since_s),
                "error", v->error, "retry_at", json_time(v->state == VAULT_DOWN ? v->retry_at_s : 0), "sessions",
                (int)e->conf->token_sessions);
}

static json_t *lane_json(const struct lane_stats *s)
{
        return json_pack("{s:o,s:o,s:o,s:o,s:f}", "queued", number(s->queued), "in_flight", number(s->in_flight), "signed",
                number(s->signed_total), "refused", number(s->refused), "rate", s->rate);
}

static uint64_t count_waiting(const struct questions *list)
{
        const struct question *q;
        uint64_t n = 0;

        TAILQ_FOREACH(q, list, link)
        n++;
        return n;
}

static json_t *lanes_json(struct engine *e)
{
        struct ondemand *o = &e->ondemand;
        struct bulk *b = &e->bulk;

        o->stats[MSG_LANE_TRUTH].queued = count_waiting(&o->waiting[MSG_LANE_TRUTH]);
        o->stats[MSG_LANE_EXTRAS].queued = count_waiting(&o->waiting[MSG_LANE_EXTRAS]);
        b->stats.queued = b->wanted_n;
        for (const struct slice *slice = e->refresh.ready; slice; slice = slice->next)
                b->stats.queued += slice->n - slice->at;
        return json_pack("{s:o,s:o,s:o}", "truth", lane_json(&o->stats[MSG_LANE_TRUTH]), "extras",
                lane_json(&o->stats[MSG_LANE_EXTRAS]), "bulk", lane_json(&b->stats));
}

/* Until a pass has seen everything it is not known that nothing is due: then it is at least 1. */
static json_t *ocsp_json(struct engine *e, const struct issuer *is, struct counts counts)
{
        bool is_sure = !e->refresh.pass_open && !e->refresh.again;
        uint64_t fresh = (e->refresh.pass_open ? is->n_fresh_pass : is->n_fresh) + is->n_signed_pass;
        uint64_t found = e->refresh.pass_open ? is->n_due_pass : is->n_due;
        uint64_t due = found > is->n_signed_pass ? found - is->n_signed_pass : 0;

        if (fresh > counts.records + counts.exceptions)
                fresh = counts.records + counts.exceptions;
        return json_pack(
                "{s:o,s:o}", "signed", number(fresh), "due", number(due == 0 && !is_sure && counts.records > 0 ? 1 : due));
}

/* Only what is amiss has a field. */
static void add_refusals(json_t *object, const struct issuer *is)
{
        const struct {
                const char *field, *why;
        } rows[] = {{"refused", is->refused}, {"ocsp_refused", is->ocsp.refused}, {"crl_refused", is->crl.refused}};

        for (size_t i = 0; object && i < sizeof(rows) / sizeof(*rows); i++)
                if (rows[i].why[0] != '\0')
                        json_object_set_new(object, rows[i].field, json_string(rows[i].why));
}

static json_t *issuer_status_json(struct engine *e, struct txn *txn, const struct issuer *is)
{
        struct counts counts = counts_get(txn, is->ca_key);
        json_t *object = json_pack("{s:s,s:i,s:o,s:o,s:b,s:b,s:o}", "name", is->conf->name, "ca_key", (int)is->ca_key,
                "records", number(counts.records), "exceptions", number(counts.exceptions), "offline", is->conf->offline,
                "served", issuer_is_served(is), "ocsp", ocsp_json(e, is, counts));

        add_refusals(object, is);
        return object;
}

static json_t *issuers_json(struct engine *e, struct txn *txn)
{
        json_t *list = json_array();

        for (unsigned i = 0; list && i < e->issuers->n; i++)
                json_array_append_new(list, issuer_status_json(e, txn, &e->issuers->items[i]));
        return list;
}

#define STATUS_BATCHES 20

void command_status(struct client *c, json_t *question, int fd)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct engine *e = c->engine;
        enum err err = txn_begin_read(e->env, &txn);

        (void)question, (void)fd;
        if (err != OK) {
                client_fail(c, err, NULL, "the store cannot be read");
                return;
        }
        client_finish(c, json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "engine", engine_json(e), "store", store_json(e, txn),
                                 "token", token_json(e), "lanes", lanes_json(e), "issuers", issuers_json(e, txn), "batches",
                                 json_batches(e, txn, STATUS_BATCHES), "crls", json_crls(e, txn, NULL, false)));
}

/* ---- issuer.list ---- */

static json_t *signer_json(const struct issuer *is)
{
        if (!is->ocsp.configured)
                return json_null();
        return json_pack("{s:o,s:s,s:s}", "not_after", json_time(is->ocsp.not_after_s), "algorithm",
                sig_alg_name(is->ocsp.sig_alg), "by", is->ocsp.certificate.len > 0 ? "delegate" : "ca");
}

static json_t *issuer_json(struct txn *txn, const struct issuer *is)
{
        struct counts counts = counts_get(txn, is->ca_key);
        json_t *object = json_pack("{s:s,s:i,s:o,s:o,s:i,s:o,s:s,s:o,s:s,s:o,s:o,s:b}", "name", is->conf->name, "ca_key",
                (int)is->ca_key, "subject", json_name(is->ca.subject), "key_sha1",
                json_hex(is->hashes.key_hash[HASH_SHA1], 20), "certificates", (int)is->n_certificates, "not_after",
                json_time(is->ca.not_after), "profile", is->conf->profile == CONF_PROFILE_CABF_TLS ? "cabf-tls" : "private",
                "ocsp_signer", signer_json(is), "crl_url", is->conf->crl_url, "records", number(counts.records),
                "exceptions", number(counts.exceptions), "served", issuer_is_served(is));

        add_refusals(object, is);
        return object;
}

void command_issuer_list(struct client *c, json_t *question, int fd)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        json_t *list = json_array();

        (void)question, (void)fd;
        if (txn_begin_read(c->engine->env, &txn) == OK)
                for (unsigned i = 0; i < c->engine->issuers->n; i++)
                        json_array_append_new(list, issuer_json(txn, &c->engine->issuers->items[i]));
        client_finish(c, json_pack("{s:o}", "issuers", list));
}

/* ---- batch.list ---- */

void command_batch_list(struct client *c, json_t *question, int fd)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        enum err e = txn_begin_read(c->engine->env, &txn);

        (void)question, (void)fd;
        if (e != OK)
                client_fail(c, e, NULL, "the store cannot be read");
        else
                client_finish(c, json_pack("{s:o}", "batches", json_batches(c->engine, txn, 0)));
}

/* ---- check: long, so on the reader's thread ---- */

#define PROBLEMS_TOLD 500

struct check_op {
        struct task task;
        struct client *client;
        json_t *problems, *rows;
};

static void add_problem(void *arg, const char *text)
{
        struct check_op *op = arg;

        if (json_array_size(op->problems) < PROBLEMS_TOLD)
                json_array_append_new(op->problems, json_text(text, strlen(text)));
}

static enum err check_work(struct task *task, struct txn *none)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct check_op *op = task_owner(task, struct check_op, task);
        uint64_t n = 0;
        enum err e = txn_begin_read(op->client->engine->env, &txn);

        (void)none;
        if (e != OK)
                return e;
        for (unsigned i = 0; i < TABLE_N; i++)
                json_object_set_new(op->rows, schema_table_name(i), number(txn_count(txn, i)));
        return store_check(txn, add_problem, op, &n);
}

static void check_done(struct task *task)
{
        struct check_op *op = task_owner(task, struct check_op, task);

        if (task->result == OK)
                client_finish(op->client, json_pack("{s:O,s:O}", "problems", op->problems, "rows", op->rows));
        else
                client_fail(op->client, task->result, NULL, "the store could not be walked: %s", err_text(task->result));
        json_decref(op->problems);
        json_decref(op->rows);
        client_unref(op->client);
        free(op);
}

static void add_refused(struct check_op *op, const struct issuers *set)
{
        static const char *const words[] = {"is not served", "gets no OCSP answers signed", "gets no CRLs signed"};
        char text[ISSUER_REFUSED_MAX + 128];

        for (unsigned i = 0; i < set->n; i++) {
                const struct issuer *is = &set->items[i];
                const char *const why[] = {is->refused, is->ocsp.refused, is->crl.refused};

                for (unsigned k = 0; k < sizeof(words) / sizeof(*words); k++) {
                        snprintf(text, sizeof(text), "issuer %s %s: %s", is->conf->name, words[k], why[k]);
                        if (why[k][0] != '\0')
                                add_problem(op, text);
                }
        }
}

void command_check(struct client *c, json_t *question, int fd)
{
        struct check_op *op = calloc(1, sizeof(*op));

        (void)question, (void)fd;
        if (!op) {
                client_fail(c, ERR_NOMEM, NULL, "out of memory");
                return;
        }
        *op = (struct check_op){.task = {.priority = TASK_HOUSEKEEPING, .work = check_work, .done = check_done},
                .client = client_ref(c),
                .problems = json_array(),
                .rows = json_object()};
        add_refused(op, c->engine->issuers);
        runner_submit(&c->engine->reader, &op->task);
}
