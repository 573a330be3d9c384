/* control_show: everything known of one serial; and the release of a hold. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "pki/certinfo.h"
#include "signer/engine/control_json.h"
#include "store/batch.h"
#include "store/event.h"
#include "store/exception.h"
#include "store/status.h"

/* Events are kept by sequence: the newest are looked through for this long at most. */
#define EVENTS_US 500000
#define EVENTS_TOLD 50

struct show {
        struct task task;
        struct client *client;
        struct serial serial;
        struct issuer *only; /* or NULL: all */
        struct issuers *set;
        uint32_t epoch;
        struct window_cache *windows;
        json_t *certificates;
};

static json_t *signature_json(struct show *s, struct txn *txn, const struct issuer *is, const struct status *status)
{
        const struct window *w = status->window ? window_cache_get(s->windows, txn, status->window) : NULL;

        if (!w)
                return json_null();
        return json_pack("{s:i,s:o,s:o,s:o,s:i,s:b}", "window", (int)w->id, "this_update", json_time(w->this_update_s),
                "next_update", json_time(w->next_update_s), "produced_at", json_time(w->produced_at_s), "signer",
                (int)w->signer, "usable",
                status_is_usable(status, w, is->ca_key, s->epoch, engine_clock_now_s(&s->client->engine->clock)));
}

static json_t *certinfo_json(struct txn *txn, uint32_t ca_key, struct bytes serial)
{
        struct key key = key_serial(ca_key, serial);
        struct certinfo info;
        struct bytes row;

        if (txn_get(txn, TABLE_CERTINFO, key_bytes(&key), &row) != OK || certinfo_read(row, &info) != OK)
                return json_object();
        return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "cert_sha256", json_hex(info.cert_sha256.data, info.cert_sha256.len),
                "precert_sha256", json_hex(info.precert_sha256.data, info.precert_sha256.len), "not_before",
                json_time(info.not_before), "subject", json_name(info.subject), "subscriber",
                json_text(info.subscriber.data, info.subscriber.len), "cdp", json_text(info.cdp.data, info.cdp.len));
}

static json_t *good_until_json(struct txn *txn, uint32_t ca_key, struct bytes serial, const struct status *status)
{
        int64_t until_s;

        return json_time(status_get_good_until(txn, ca_key, serial, status, &until_s) == OK ? until_s : 0);
}

/* A row that a batch has staged and that does not count yet. */
static json_t *staged_json(struct txn *txn, uint32_t ca_key, struct bytes serial)
{
        struct exception row;
        struct batch_brief batch;

        if (exception_get(txn, ca_key, serial, &row) != OK || row.batch == 0 ||
                batch_get_brief(txn, row.batch, &batch) != OK || batch.state != BATCH_STAGED)
                return json_null();
        return json_pack("{s:i}", "batch", (int)row.batch);
}

static bool is_about(const struct event *event, const struct status *status, uint32_t ca_key, struct bytes serial)
{
        if (event->ca_key != ca_key)
                return false;
        return bytes_equal(event->serial, serial) || (event->batch != 0 && event->batch == status->batch);
}

static json_t *events_json(struct txn *txn, const struct status *status, uint32_t ca_key, struct bytes serial)
{
        int64_t until_us = clock_mono_us() + EVENTS_US;
        json_t *list = json_array();
        struct event event;

        for (uint64_t at = event_last(txn); at > 0 && json_array_size(list) < EVENTS_TOLD; at--) {
                if (at % 256 == 0 && clock_mono_us() > until_us)
                        break;
                if (event_get(txn, at, &event) == OK && is_about(&event, status, ca_key, serial))
                        json_array_append_new(
                                list, json_pack("{s:I,s:o,s:s,s:o}", "sequence", (json_int_t)event.sequence, "time",
                                              json_time(event.time_s), "kind", event_kind_text(event.kind), "actor",
                                              json_text(event.actor.data, event.actor.len)));
        }
        return list;
}

static const char *status_text(const struct status *status)
{
        return status->held ? "on hold" : status->ocsp.cert_status == OCSP_REVOKED ? "revoked" : "good";
}

static json_t *certificate_json(struct show *s, struct txn *txn, const struct issuer *is, const struct status *status)
{
        struct bytes serial = serial_bytes(&s->serial);
        bool is_revoked = status->ocsp.cert_status == OCSP_REVOKED;
        const char *reason = is_revoked ? reason_name(status->ocsp.reason) : NULL;

        return json_pack("{s:s,s:o,s:s,s:s?,s:o,s:o,s:o,s:i,s:i,s:i,s:o,s:o,s:o,s:o,s:o}", "issuer", is->conf->name,
                "serial", json_serial(serial.data, serial.len), "status", status_text(status), "reason", reason,
                "revoked_at", json_time(is_revoked ? status->ocsp.revoked_at_s : 0), "invalidity_date",
                json_time(status->invalidity_date_s), "not_after", json_time(status->not_after), "generation",
                (int)status->generation, "batch", (int)status->batch, "shard", (int)status->shard, "good_until",
                good_until_json(txn, is->ca_key, serial, status), "signature", signature_json(s, txn, is, status),
                "certinfo", certinfo_json(txn, is->ca_key, serial), "staged", staged_json(txn, is->ca_key, serial), "events",
                events_json(txn, status, is->ca_key, serial));
}

static enum err show_work(struct task *task, struct txn *none)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct show *s = task_owner(task, struct show, task);
        enum err e = txn_begin_read(s->client->engine->env, &txn);

        (void)none;
        if (e != OK)
                return e;
        for (unsigned i = 0; i < s->set->n; i++) {
                struct issuer *is = &s->set->items[i];
                struct status status;

                if ((s->only && s->only != is) || is->ca_key == 0)
                        continue;
                if (status_get(txn, is->ca_key, serial_bytes(&s->serial), &status) == OK)
                        json_array_append_new(s->certificates, certificate_json(s, txn, is, &status));
        }
        return OK;
}

static void show_done(struct task *task)
{
        struct show *s = task_owner(task, struct show, task);

        if (task->result != OK)
                client_fail(s->client, task->result, NULL, "the store cannot be read");
        else if (json_array_size(s->certificates) == 0)
                client_fail(s->client, ERR_NOT_FOUND,
                        "`tocsin import` brings in what the CA has issued; until then it is answered unauthorized",
                        "no certificate with this serial is known");
        else
                client_finish(s->client, json_pack("{s:O}", "certificates", s->certificates));
        json_decref(s->certificates);
        window_cache_free(s->windows);
        client_unref(s->client);
        free(s);
}

/* The issuer named in the question; false: the client was told that there is none. */
static bool find_issuer(struct client *c, json_t *question, struct issuer **ret_issuer)
{
        const char *name = json_field(question, "issuer");

        *ret_issuer = name ? issuers_find(c->engine->issuers, name) : NULL;
        if (name && (!*ret_issuer || (*ret_issuer)->ca_key == 0)) {
                client_fail(
                        c, ERR_NOT_FOUND, "`tocsin issuer list` shows the issuers", "there is no issuer \"%.64s\"", name);
                return false;
        }
        return true;
}

static bool find_serial(struct client *c, json_t *question, struct serial *ret_serial)
{
        const char *text = json_field(question, "serial");

        if (serial_from_text(bytes_str(text), ret_serial) == OK)
                return true;
        client_fail(c, ERR_INVALID, "a serial is up to 20 octets in hex, as openssl prints it", "\"%.64s\" is not a serial",
                text);
        return false;
}

void command_show(struct client *c, json_t *question, int fd)
{
        struct issuer *only;
        struct serial serial;
        struct show *s;

        (void)fd;
        if (!find_issuer(c, question, &only) || !find_serial(c, question, &serial))
                return;
        s = calloc(1, sizeof(*s));
        if (!s) {
                client_fail(c, ERR_NOMEM, NULL, "out of memory");
                return;
        }
        *s = (struct show){.task = {.priority = TASK_TRUTH, .work = show_work, .done = show_done},
                .client = client_ref(c),
                .serial = serial,
                .only = only,
                .set = c->engine->issuers,
                .epoch = c->engine->epoch,
                .windows = window_cache_new(4),
                .certificates = json_array()};
        runner_submit(&c->engine->reader, &s->task);
}

/* ---- release ---- */

struct release {
        struct task task;
        struct client *client;
        struct issuer *issuer;
        struct serial serial;
        struct open_window *window;
};

static enum err release_work(struct task *task, struct txn *txn)
{
        struct release *r = task_owner(task, struct release, task);
        int64_t now_s = engine_clock_now_s(&r->client->engine->clock);
        enum err e = revocation_release(txn, r->issuer->ca_key, serial_bytes(&r->serial), now_s, bytes_str(r->client->actor),
                issuer_reserve(r->issuer));

        if (e == OK)
                r->window = live_window_put(txn, r->issuer, now_s);
        return e;
}

static void release_done(struct task *task)
{
        struct release *r = task_owner(task, struct release, task);
        struct engine *e = r->client->engine;

        if (task->result != OK) {
                open_window_unref(r->window);
                if (task->result == ERR_NOT_FOUND)
                        client_fail(r->client, ERR_NOT_FOUND,
                                "only a certificate on hold can be released; `tocsin show` tells how this one stands",
                                "it is not on hold, so nothing was changed");
                else
                        client_fail(r->client, task->result, NULL, "it was not released: %s", err_text(task->result));
        } else {
                live_window_adopt(r->issuer, r->window);
                engine_truth_changed(e, r->issuer);
                engine_sign_soon(e, r->issuer, serial_bytes(&r->serial));
                client_finish(r->client,
                        json_pack("{s:o,s:s}", "serial", json_serial(r->serial.data, r->serial.len), "status", "good"));
        }
        client_unref(r->client);
        free(r);
}

void command_release(struct client *c, json_t *question, int fd)
{
        struct issuer *is;
        struct serial serial;
        struct release *r;

        (void)fd;
        if (!find_issuer(c, question, &is) || !find_serial(c, question, &serial))
                return;
        r = calloc(1, sizeof(*r));
        if (!r) {
                client_fail(c, ERR_NOMEM, NULL, "out of memory");
                return;
        }
        *r = (struct release){.task = {.priority = TASK_TRUTH, .work = release_work, .done = release_done},
                .client = client_ref(c),
                .issuer = is,
                .serial = serial};
        writer_submit(&c->engine->writer, &r->task);
}
