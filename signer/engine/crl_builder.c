/* crl_builder: one order after the other, each in five steps. */
#include "signer/engine/crl_builder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "signer/engine/crl_file.h"
#include "signer/engine/crl_plan.h"
#include "signer/engine/engine.h"
#include "store/event.h"
#include "store/job.h"

#define URL_MAX 1024
/* Files of CRLs that ran out stay this long, for downloads under way and for people. */
#define KEEP_AFTER_S CLOCK_DAY_S
/* BR 7.2, req 4.7: at most 10 days, both ends counted. */
#define CABF_VALIDITY_MAX_S (10 * CLOCK_DAY_S - 1)

struct crl_part {
        bool wanted;
        struct crl_row row;
        uint64_t base_event;
        int tbs_fd;
        uint64_t tbs_len;
        uint8_t raw[SIG_RAW_MAX];
        size_t raw_len;
        char file[256]; /* below the CRL folder */
};

struct crl_work {
        struct task task;
        struct vault_call call;
        struct engine *engine;
        struct issuer *issuer;
        struct crl_order *order;
        struct crl_part parts[2]; /* full, delta */
        unsigned signing;         /* the part at the vault */
        int64_t now_ms;
        char url[URL_MAX], delta_url[URL_MAX], folder[4096];
        char why[300];
        bool reserved;
        enum err result;
};

static void submit(
        struct crl_work *w, struct runner *r, enum err (*work)(struct task *, struct txn *), void (*done)(struct task *))
{
        w->task = (struct task){.priority = TASK_SIGNATURES, .work = work, .done = done};
        runner_submit(r, &w->task);
}

static struct crl_work *work_of(struct task *task)
{
        return task_owner(task, struct crl_work, task);
}

/* ---- the end, good or bad ---- */

static void finish(struct crl_work *w)
{
        struct engine *e = w->engine;
        struct crl_order *order = w->order;

        for (unsigned i = 0; i < 2; i++)
                if (w->parts[i].tbs_fd >= 0)
                        close(w->parts[i].tbs_fd);
        if (w->result != OK)
                log_error("no CRL was issued issuer=%s shard=%u error=\"%s\" why=\"%s\"", order->issuer->conf->name,
                        order->shard, err_text(w->result), w->why);
        schedule_crl_done(e, order->issuer, order->shard,
                (w->parts[0].wanted ? CRL_FULL : 0u) | (w->parts[1].wanted ? CRL_DELTA : 0u),
                engine_clock_now_ms(&e->clock) - w->now_ms, w->result == OK);
        e->crls.work = NULL;
        if (order->done)
                order->done(order->arg, w->result);
        free(order);
        free(w);
        crl_builder_pump(e);
}

/* The number stays used up: it is never given to another CRL. */
static enum err fail_work(struct task *task, struct txn *txn)
{
        struct crl_work *w = work_of(task);

        for (unsigned i = 0; i < 2; i++) {
                if (!w->parts[i].wanted)
                        continue;
                w->parts[i].row.state = CRL_FAILED;
                w->parts[i].row.file = BYTES_NONE;
                crl_put(txn, w->order->issuer->ca_key, w->order->shard, &w->parts[i].row);
        }
        return OK;
}

static void fail_done(struct task *task)
{
        finish(work_of(task));
}

static void fail(struct crl_work *w, enum err e)
{
        w->result = e;
        if (w->reserved)
                submit(w, &w->engine->writer.runner, fail_work, fail_done);
        else
                finish(w);
}

/* ---- 5: published in the store ---- */

static void put_crl_event(struct crl_work *w, struct txn *txn, const struct crl_row *row)
{
        char detail[128];

        snprintf(detail, sizeof(detail), "%s number=%llu entries=%u", row->is_delta ? "delta" : "full",
                (unsigned long long)row->number, row->n_entries);
        event_put(txn, &(struct event){.time_s = w->now_ms / 1000,
                               .kind = EVENT_CRL,
                               .ca_key = w->order->issuer->ca_key,
                               .shard = w->order->shard,
                               .actor = BYTES_LIT("engine"),
                               .detail = bytes_str(detail)});
}

static const char *idp_row(const struct crl_work *w, char name[48])
{
        snprintf(name, 48, "crl.idp/%u/%u", w->order->issuer->ca_key, w->order->shard);
        return name;
}

static enum err publish_work(struct task *task, struct txn *txn)
{
        struct crl_work *w = work_of(task);
        char name[48];

        for (unsigned i = 0; i < 2; i++) {
                if (!w->parts[i].wanted)
                        continue;
                w->parts[i].row.state = CRL_PUBLISHED;
                w->parts[i].row.file = bytes_str(w->parts[i].file);
                crl_put(txn, w->order->issuer->ca_key, w->order->shard, &w->parts[i].row);
                put_crl_event(w, txn, &w->parts[i].row);
        }
        job_put(txn, idp_row(w, name), bytes_str(w->url));
        return OK;
}

static void publish_done(struct task *task)
{
        struct crl_work *w = work_of(task);

        if (task->result != OK) {
                fail(w, task->result);
                return;
        }
        for (unsigned i = 0; i < 2; i++)
                if (w->parts[i].wanted)
                        log_info("crl published issuer=%s shard=%u kind=%s number=%llu entries=%u octets=%llu ms=%lld",
                                w->order->issuer->conf->name, w->order->shard, i ? "delta" : "full",
                                (unsigned long long)w->parts[i].row.number, w->parts[i].row.n_entries,
                                (unsigned long long)w->parts[i].row.size,
                                (long long)(engine_clock_now_ms(&w->engine->clock) - w->now_ms));
        finish(w);
}

/* ---- 4: the file ---- */

static void remove_old_files(struct crl_work *w, struct txn *txn)
{
        uint64_t position = UINT64_MAX;
        struct crl_row row;
        char path[4096];

        while (crl_before(txn, w->order->issuer->ca_key, w->order->shard, &position, &row) == OK) {
                if (row.file.len == 0 || (int64_t)row.next_update + KEEP_AFTER_S > w->now_ms / 1000)
                        continue;
                snprintf(path, sizeof(path), "%s/%.*s", w->engine->conf->crl_path, (int)row.file.len,
                        (const char *)row.file.data);
                if (unlink(path) != 0 && errno == ENOENT)
                        return; /* the older ones went before */
        }
}

static enum err file_work(struct task *task, struct txn *none)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct crl_work *w = work_of(task);

        (void)none;
        for (unsigned i = 0; i < 2; i++) {
                struct crl_part *p = &w->parts[i];
                enum err e;

                if (!p->wanted)
                        continue;
                e = crl_file_publish(w->folder, strrchr(p->file, '/') + 1, p->tbs_fd, p->tbs_len, w->issuer->crl.sig_alg,
                        bytes_make(p->raw, p->raw_len), w->issuer->crl.spki, &p->row.size, p->row.digest);
                if (e != OK)
                        return e;
        }
        if (txn_begin_read(w->engine->env, &txn) == OK)
                remove_old_files(w, txn);
        return OK;
}

static void file_done(struct task *task)
{
        struct crl_work *w = work_of(task);

        if (task->result != OK) {
                snprintf(w->why, sizeof(w->why), "the file could not be written, or its signature does not verify");
                fail(w, task->result);
        } else {
                submit(w, &w->engine->writer.runner, publish_work, publish_done);
        }
}

/* ---- 3: signed by the vault ---- */

static void sign_next(struct crl_work *w);

static void on_signed(struct vault_call *call, const struct vault_answer *a)
{
        struct crl_work *w = task_owner(call, struct crl_work, call);
        struct crl_part *p = &w->parts[w->signing];

        if (!a) {
                snprintf(w->why, sizeof(w->why), "the token went away");
                fail(w, ERR_TOKEN);
                return;
        }
        if (a->outcome != VAULT_OK || a->n != 1 || a->signatures[0].len > sizeof(p->raw)) {
                snprintf(w->why, sizeof(w->why), "the vault: %.*s", (int)a->text.len, (const char *)a->text.data);
                fail(w, a->outcome == VAULT_NO_KEY ? ERR_NOT_FOUND : ERR_DENIED);
                return;
        }
        p->raw_len = a->signatures[0].len;
        memcpy(p->raw, a->signatures[0].data, p->raw_len);
        w->signing++;
        sign_next(w);
}

static void sign_next(struct crl_work *w)
{
        struct engine *e = w->engine;
        static struct vault_question q;
        struct crl_part *p;
        enum err err;

        while (w->signing < 2 && !w->parts[w->signing].wanted)
                w->signing++;
        if (w->signing == 2) {
                submit(w, &e->crl_runner, file_work, file_done);
                return;
        }
        p = &w->parts[w->signing];
        q = (struct vault_question){.kind = VAULT_SIGN_CRL, .sig_alg = w->issuer->crl.sig_alg, .crl_len = p->tbs_len};
        memcpy(q.signer, w->issuer->crl.spki_sha256, sizeof(q.signer));
        w->call.done = on_signed;
        /* It reads and parses the whole list first: a second more for each MB. */
        err = vault_ask(
                e, VAULT_BULK, &w->call, &q, p->tbs_fd, e->conf->token_timeout_s * 1000 + (int64_t)(p->tbs_len / 1000));
        if (err != OK) {
                snprintf(w->why, sizeof(w->why), "the vault could not be asked");
                fail(w, err);
        }
}

/* ---- 2: the bytes to be signed ---- */

static struct crl_params params_of(const struct crl_work *w, const struct crl_part *p, uint8_t *digest)
{
        struct crl_params params = {
                .sig_alg = w->issuer->crl.sig_alg,
                .issuer = w->issuer->ca.subject,
                .this_update_s = p->row.this_update,
                .next_update_s = p->row.next_update,
                .aki = w->issuer->ca.ski,
                .number = p->row.number,
                .is_delta = p->row.is_delta,
                .base_number = p->row.base,
                .idp_url = bytes_str(w->url),
        };

        /* RFC 5280 4.2.1.2 (1): the SHA-1 of the key, where the CA certificate names none */
        if (params.aki.len == 0 && hash_digest(HASH_SHA1, w->issuer->ca.key, digest) == OK)
                params.aki = bytes_make(digest, hash_alg_len(HASH_SHA1));
        if (!p->row.is_delta)
                params.freshest_url = bytes_str(w->delta_url);
        return params;
}

static enum err build_part(struct crl_work *w, struct txn *txn, struct crl_part *p)
{
        uint8_t digest[HASH_LEN_MAX];
        struct crl_params params = params_of(w, p, digest);
        struct crl_walk *walk;
        enum err e;

        if (p->row.is_delta)
                e = crl_walk_delta(txn, w->issuer->ca_key, w->order->shard, p->base_event, &walk);
        else
                e = crl_walk_full(txn, w->issuer->ca_key, w->order->shard, &walk);
        if (e != OK)
                return e;
        p->row.event = event_last(txn);
        e = crl_file_write_tbs(w->folder, &params, walk, &p->tbs_fd, &p->tbs_len, &p->row.n_entries);
        crl_walk_free(walk);
        return e;
}

/* Full and delta come from one snapshot, so that they agree. */
static enum err build_work(struct task *task, struct txn *none)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct crl_work *w = work_of(task);
        enum err e = txn_begin_read(w->engine->env, &txn);

        (void)none;
        if (e == OK && mkdir(w->folder, 0755) != 0 && errno != EEXIST)
                e = err_from_errno(errno);
        for (unsigned i = 0; e == OK && i < 2; i++)
                if (w->parts[i].wanted)
                        e = build_part(w, txn, &w->parts[i]);
        return e;
}

static void build_done(struct task *task)
{
        struct crl_work *w = work_of(task);

        if (task->result != OK) {
                snprintf(w->why, sizeof(w->why), "the list could not be written to %.200s", w->folder);
                fail(w, task->result);
        } else {
                sign_next(w);
        }
}

/* ---- 1: the number ---- */

static int64_t next_update(const struct crl_work *w, bool is_delta)
{
        const struct conf_issuer *conf = w->issuer->conf;
        int64_t validity = conf->crl_validity_s, next;

        /* A delta is of use until the next one, with as much again for late ones. */
        if (is_delta && conf->crl_delta_period_s > 0 && 2 * conf->crl_delta_period_s + CLOCK_HOUR_S < validity)
                validity = 2 * conf->crl_delta_period_s + CLOCK_HOUR_S;
        if (conf->profile == CONF_PROFILE_CABF_TLS && validity > CABF_VALIDITY_MAX_S)
                validity = CABF_VALIDITY_MAX_S;
        next = w->now_ms / 1000 + validity;
        return next < w->issuer->ca.not_after ? next : w->issuer->ca.not_after;
}

static enum err reserve_part(struct crl_work *w, struct txn *txn, struct crl_part *p, bool is_delta, uint64_t number)
{
        p->wanted = true;
        p->row.number = number;
        p->row.state = CRL_RESERVED;
        p->row.is_delta = is_delta;
        p->row.this_update = (uint32_t)(w->now_ms / 1000);
        p->row.next_update = (uint32_t)next_update(w, is_delta);
        p->row.signer = w->issuer->crl.id;
        p->row.number = crl_reserve(txn, w->issuer->ca_key, w->order->shard, &p->row, w->now_ms);
        if (p->row.number == 0)
                return ERR_RANGE;
        snprintf(p->file, sizeof(p->file), "%s/%u-%llu%s.crl", w->issuer->conf->name, w->order->shard,
                (unsigned long long)p->row.number, is_delta ? "-delta" : "");
        return OK;
}

/* Clients that hold a CRL of another distribution point would take the new one for a list of something else (req 4.16). */
static bool idp_is_same(struct crl_work *w, struct txn *txn)
{
        struct bytes before;
        struct crl_row row;
        char name[48];

        if (job_get(txn, idp_row(w, name), &before) != OK || bytes_equal(before, bytes_str(w->url)))
                return true;
        if (crl_plan_base(txn, w->issuer->ca_key, w->order->shard, w->now_ms / 1000, &row) != OK) /* nobody holds one */
                return true;
        snprintf(w->why, sizeof(w->why), "crl.url changed from \"%.*s\" while a CRL with that name is still valid",
                (int)before.len, (const char *)before.data);
        return false;
}

static enum err reserve_work(struct task *task, struct txn *txn)
{
        struct crl_work *w = work_of(task);
        unsigned kinds = w->order->kinds;
        struct crl_row base = {0};
        enum err e = OK;

        w->now_ms = engine_clock_now_ms(&w->engine->clock);
        if (!idp_is_same(w, txn))
                return ERR_DENIED;
        if ((kinds & CRL_DELTA) && crl_plan_base(txn, w->issuer->ca_key, w->order->shard, w->now_ms / 1000, &base) != OK)
                kinds = CRL_FULL; /* a delta needs a full CRL that was published before */
        if (kinds & CRL_FULL)
                e = reserve_part(w, txn, &w->parts[0], false, 0);
        if (e == OK && (kinds & CRL_DELTA)) {
                w->parts[1].row.base = base.number;
                w->parts[1].base_event = base.event;
                e = reserve_part(w, txn, &w->parts[1], true, w->parts[0].row.number);
        }
        return e;
}

static void reserve_done(struct task *task)
{
        struct crl_work *w = work_of(task);

        if (task->result != OK) {
                fail(w, task->result);
                return;
        }
        w->reserved = true;
        submit(w, &w->engine->crl_runner, build_work, build_done);
}

/* ---- orders ---- */

/* "{shard}" in the configured URL stands for the number. */
static void put_url(char *to, size_t cap, const char *pattern, uint16_t shard)
{
        const char *at = strstr(pattern, "{shard}");

        if (at)
                snprintf(to, cap, "%.*s%u%s", (int)(at - pattern), pattern, shard, at + strlen("{shard}"));
        else
                snprintf(to, cap, "%s", pattern);
}

static bool begin(struct engine *e, struct crl_order *order)
{
        struct crl_work *w = calloc(1, sizeof(*w));
        const struct conf_issuer *conf = order->issuer->conf;

        if (!w)
                return false;
        w->engine = e;
        w->issuer = order->issuer;
        w->order = order;
        w->parts[0].tbs_fd = w->parts[1].tbs_fd = -1;
        if (order->shard != 0) /* req 4.12: a shard says what it is; the one full CRL needs no IDP */
                put_url(w->url, sizeof(w->url), conf->crl_url, order->shard);
        put_url(w->delta_url, sizeof(w->delta_url), conf->crl_delta_url, order->shard);
        snprintf(w->folder, sizeof(w->folder), "%s/%s", e->conf->crl_path, conf->name);
        e->crls.work = w;
        submit(w, &e->writer.runner, reserve_work, reserve_done);
        return true;
}

void crl_builder_pump(struct engine *e)
{
        struct crl_builder *b = &e->crls;
        struct crl_order *order = b->orders;

        if (!order || b->work || !vault_is_up(e) || e->stopping)
                return;
        b->orders = order->next;
        if (!b->orders)
                b->last = &b->orders;
        if (!begin(e, order))
                free(order);
}

enum err crl_order(
        struct engine *e, struct issuer *is, uint16_t shard, unsigned kinds, void (*done)(void *, enum err), void *arg)
{
        struct crl_order *order = calloc(1, sizeof(*order));

        if (!order)
                return ERR_NOMEM;
        *order = (struct crl_order){.issuer = is, .shard = shard, .kinds = kinds, .done = done, .arg = arg};
        *e->crls.last = order;
        e->crls.last = &order->next;
        crl_builder_pump(e);
        return OK;
}

bool crl_is_ordered(const struct engine *e, const struct issuer *is, uint16_t shard)
{
        const struct crl_work *w = e->crls.work;

        if (w && w->issuer->ca_key == is->ca_key && w->order->shard == shard)
                return true;
        for (const struct crl_order *o = e->crls.orders; o; o = o->next)
                if (o->issuer->ca_key == is->ca_key && o->shard == shard)
                        return true;
        return false;
}

void crl_builder_init(struct engine *e)
{
        e->crls = (struct crl_builder){.last = &e->crls.orders};
}

void crl_builder_done(struct engine *e)
{
        while (e->crls.orders) {
                struct crl_order *order = e->crls.orders;

                e->crls.orders = order->next;
                free(order);
        }
        if (e->crls.work)
                free(e->crls.work->order);
        free(e->crls.work);
        e->crls = (struct crl_builder){0};
}
