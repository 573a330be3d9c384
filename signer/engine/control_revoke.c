/* control_revoke: a list of serials becomes true: checked whole, staged in slices, flipped in one commit; or one serial, in
 * one transaction; or nothing at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "signer/engine/batch_dropper.h"
#include "signer/engine/control_list.h"
#include "signer/engine/counts.h"

/* The reader has no transaction of others to hold up, but checks of several clients take turns. */
#define CHECK_SLICE_US 20000
/* What one serial's rows take on the disk, with room for page splits. */
#define BYTES_A_SERIAL 1024

static struct revocation revocation_of(const struct list *list, const struct rowfile_row *row)
{
        return (struct revocation){
                .ca_key = list->issuer->ca_key,
                .serial = bytes_make(row->serial, row->serial_len),
                .reason = row->flags & ROWFILE_HELD ? REASON_CERTIFICATE_HOLD : (enum reason)row->reason,
                .revoked_at = row->revoked_at,
                .invalidity_date = row->invalidity_date,
        };
}

static json_t *effects_json(const struct list *list)
{
        const uint32_t *n = list->effects;

        return json_pack("{s:I,s:I,s:I,s:I}", "new", (json_int_t)n[REVOCATION_NEW], "from_hold",
                (json_int_t)n[REVOCATION_FROM_HOLD], "upgrade", (json_int_t)n[REVOCATION_UPGRADE], "nothing",
                (json_int_t)n[REVOCATION_NOTHING]);
}

static void finish(struct list *list)
{
        char digest[2 * 32 + 1];

        bytes_to_hex(bytes_make(list->digest, 32), digest);
        client_finish(list->client,
                json_pack("{s:s,s:b,s:I,s:I,s:s,s:o,s:I,s:I,s:I,s:o,s:I}", "issuer", list->issuer->conf->name, "dry_run",
                        list->dry_run, "batch", (json_int_t)list->batch, "rows", (json_int_t)list->rows.n_rows, "digest",
                        digest, "effects", effects_json(list), "rejected", (json_int_t)list->n_rejects, "staged_ms",
                        (json_int_t)list->staged_ms, "activated_ms", (json_int_t)list->activated_ms, "activated_at",
                        json_time(list->activated_at_s), "commit", (json_int_t)list->commit));
        list_free(list);
}

static const char *hint_for(enum err e)
{
        if (e == ERR_NOSPC)
                return "nothing was applied: make room on the store's disk; revoking single serials still works";
        if (e == ERR_STALE)
                return "nothing was applied: somebody else changed a serial of the list meanwhile; check it and try again";
        return NULL;
}

static void fail(struct list *list, enum err e, const char *what)
{
        if (list->batch != 0)
                batch_drop_later(list->engine, list->batch, list->issuer->ca_key);
        client_fail(list->client, e, hint_for(e), "%s: %s", what, list->why[0] ? list->why : err_text(e));
        list_free(list);
}

/* ---- the flip ---- */

static void became_true(struct list *list)
{
        live_window_adopt(list->issuer, list->window);
        list->window = NULL;
        list->activated_ms = clock_mono_ms() - list->began_ms - list->staged_ms;
        list->commit = env_newest_commit(list->engine->env);
        log_info("revoked issuer=%s serials=%u batch=%u actor=\"%s\"", list->issuer->conf->name, list->rows.n_rows,
                list->batch, list->client->actor);
        engine_truth_changed(list->engine, list->issuer);
}

static enum err activate_work(struct task *task, struct txn *txn)
{
        struct list *list = list_of(task);
        enum err e;

        /* The time is taken here, where nothing can commit in between: no window of an earlier commit is younger. */
        list->activated_at_s = engine_clock_now_s(&list->engine->clock);
        e = batch_activate(
                txn, list->batch, list->activated_at_s, bytes_str(list->client->actor), issuer_reserve(list->issuer));
        if (e == OK)
                list->window = live_window_put(txn, list->issuer, list->activated_at_s);
        return e;
}

static void activate_done(struct task *task)
{
        struct list *list = list_of(task);

        if (task->result != OK) {
                fail(list, task->result, "the batch was not activated");
                return;
        }
        became_true(list);
        finish(list);
}

/* ---- staging ---- */

static enum err stage_row(struct list *list, struct txn *txn, const struct rowfile_row *row)
{
        struct revocation r = revocation_of(list, row);
        enum revocation_effect effect;
        enum err e = batch_stage(txn, list->batch, &r, issuer_reserve(list->issuer), &effect);

        if (e != OK)
                return e;
        list->effects[effect]++;
        /* Everything was checked before: the serial changed meanwhile. */
        return effect == REVOCATION_UNKNOWN || effect == REVOCATION_REFUSED ? ERR_STALE : OK;
}

static enum err stage_work(struct task *task, struct txn *txn)
{
        struct list *list = list_of(task);
        struct writer_slice slice = writer_slice_begin(&list->engine->writer);
        struct counts before = counts_before(txn);
        struct rowfile_row row;
        enum err e;

        while ((e = rowfile_next(&list->rows, &row)) == OK) {
                e = stage_row(list, txn, &row);
                if (e != OK)
                        return e;
                if (writer_slice_over(&slice))
                        break;
        }
        list->ended = e == ERR_NOT_FOUND;
        if (e != OK && !list->ended)
                return e;
        counts_after(txn, list->issuer->ca_key, before);
        return OK;
}

static void stage_done(struct task *task)
{
        struct list *list = list_of(task);

        if (task->result != OK) {
                fail(list, task->result, "the batch was not staged");
        } else if (list->client->gone) {
                log_warning("the client hung up while its batch was staged: dropped batch=%u", list->batch);
                fail(list, ERR_CLOSED, "hung up");
        } else if (list->ended) {
                list->staged_ms = clock_mono_ms() - list->began_ms;
                client_progress(list->client, "activating", list->rows.n_rows, list->rows.n_rows);
                list_submit(list, &list->engine->writer.runner, TASK_TRUTH, activate_work, activate_done);
        } else {
                client_progress(list->client, "staging", list->rows.n_read, list->rows.n_rows);
                list_submit(list, &list->engine->writer.runner, TASK_STAGE, stage_work, stage_done);
        }
}

static enum err begin_work(struct task *task, struct txn *txn)
{
        struct list *list = list_of(task);
        struct batch batch = {
                .state = BATCH_STAGED,
                .ca_key = list->issuer->ca_key,
                .created_at = (uint32_t)engine_clock_now_s(&list->engine->clock),
                .actor = bytes_str(list->client->actor),
                .incident = bytes_str(list->incident),
                .reason = list->reason,
        };

        memcpy(batch.digest, list->digest, sizeof(batch.digest));
        list->batch = batch_put(txn, &batch);
        return OK;
}

static void begin_done(struct task *task)
{
        struct list *list = list_of(task);

        if (task->result != OK) {
                list->batch = 0;
                fail(list, task->result, "no batch could be begun");
        } else {
                list_submit(list, &list->engine->writer.runner, TASK_STAGE, stage_work, stage_done);
        }
}

/* ---- a single serial ---- */

static enum err apply_work(struct task *task, struct txn *txn)
{
        struct list *list = list_of(task);
        struct counts before = counts_before(txn);
        struct rowfile_row row;
        struct revocation r;
        enum err e = rowfile_next(&list->rows, &row);

        if (e != OK)
                return e;
        r = revocation_of(list, &row);
        list->activated_at_s = engine_clock_now_s(&list->engine->clock);
        e = revocation_apply(
                txn, &r, list->activated_at_s, bytes_str(list->client->actor), issuer_reserve(list->issuer), &list->effect);
        if (e != OK)
                return e;
        if (list->effect == REVOCATION_UNKNOWN || list->effect == REVOCATION_REFUSED)
                return ERR_STALE;
        list->effects[list->effect]++;
        counts_after(txn, list->issuer->ca_key, before);
        if (list->effect != REVOCATION_NOTHING)
                list->window = live_window_put(txn, list->issuer, list->activated_at_s);
        return OK;
}

static void apply_done(struct task *task)
{
        struct list *list = list_of(task);
        struct rowfile_row row;

        if (task->result != OK) {
                fail(list, task->result, "the serial was not revoked");
                return;
        }
        if (list->effect != REVOCATION_NOTHING) {
                became_true(list);
                rowfile_rewind(&list->rows);
                if (rowfile_next(&list->rows, &row) == OK)
                        engine_sign_soon(list->engine, list->issuer, bytes_make(row.serial, row.serial_len));
        }
        finish(list);
}

/* ---- checking, before anything is written ---- */

static bool reason_fits(struct list *list, const struct rowfile_row *row, const struct revocation *r)
{
        const char *name = reason_name(r->reason);

        if (!reason_allowed(r->reason)) {
                list_reject(list, row, "%s is no reason to revoke (RFC 5280 5.3.1)", name ? name : "this number");
                return false;
        }
        if (list->issuer->conf->profile == CONF_PROFILE_CABF_TLS && !reason_allowed_cabf(r->reason)) {
                list_reject(list, row, "the cabf-tls profile does not allow the reason %s (BR 7.2.2)", name);
                return false;
        }
        return true;
}

static bool times_fit(struct list *list, const struct rowfile_row *row, const struct revocation *r)
{
        if (r->revoked_at > list->now_s || r->invalidity_date > list->now_s) {
                list_reject(list, row, "the %s lies in the future",
                        r->revoked_at > list->now_s ? "revocation time" : "invalidity date");
                return false;
        }
        return true;
}

static enum err check_row(struct list *list, struct txn *txn, const struct rowfile_row *row)
{
        struct revocation r = revocation_of(list, row);
        enum revocation_effect effect;
        enum err e;

        if (!reason_fits(list, row, &r) || !times_fit(list, row, &r))
                return OK;
        e = revocation_check(txn, &r, &effect);
        if (e != OK)
                return e;
        list->effects[effect]++;
        if (list->rows.n_read == 1)
                list->reason = (uint8_t)r.reason;
        else if (list->reason != (uint8_t)r.reason)
                list->reason = BATCH_REASON_MIXED;
        if (effect == REVOCATION_UNKNOWN)
                list_reject(list, row, "no certificate with this serial was issued by %s", list->issuer->conf->name);
        else if (effect == REVOCATION_REFUSED)
                list_reject(list, row, "%s", revocation_effect_text(effect));
        return OK;
}

static enum err check_work(struct task *task, struct txn *none)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct list *list = list_of(task);
        int64_t until_us = clock_mono_us() + CHECK_SLICE_US;
        struct rowfile_row row;
        enum err e = txn_begin_read(list->engine->env, &txn);

        (void)none;
        if (e != OK)
                return e;
        while ((e = rowfile_next(&list->rows, &row)) == OK) {
                e = check_row(list, txn, &row);
                if (e != OK)
                        return e;
                if (list->rows.n_read % 64 == 0 && clock_mono_us() > until_us)
                        break;
        }
        list->ended = e == ERR_NOT_FOUND;
        if (e == ERR_INVALID || e == ERR_RANGE)
                snprintf(list->why, sizeof(list->why), "it is not a well-formed list at row %u", list->rows.n_read + 1);
        return e == ERR_NOT_FOUND ? OK : e;
}

/* Bulk work stops before the disk is full; single revocations go on in what is kept for them. */
static bool has_room(struct list *list)
{
        struct env_space space;

        env_get_space(list->engine->env, &space);
        if (!list->engine->space_short && space.disk_free > (uint64_t)list->rows.n_rows * BYTES_A_SERIAL)
                return true;
        snprintf(list->why, sizeof(list->why), "the store's disk has no room for %u serials", list->rows.n_rows);
        return false;
}

static void apply_list(struct list *list)
{
        struct engine *e = list->engine;

        rowfile_rewind(&list->rows);
        memset(list->effects, 0, sizeof(list->effects));
        list->ended = false;
        list->began_ms = clock_mono_ms();
        if (list->rows.n_rows == 1)
                list_submit(list, &e->writer.runner, TASK_TRUTH, apply_work, apply_done);
        else if (!has_room(list))
                fail(list, ERR_NOSPC, "the batch was refused");
        else
                list_submit(list, &e->writer.runner, TASK_STAGE, begin_work, begin_done);
}

static void check_done(struct task *task)
{
        struct list *list = list_of(task);

        list_send_rejects(list);
        client_progress(list->client, "checking", list->rows.n_read, list->rows.n_rows);
        if (task->result != OK) {
                fail(list, task->result, "the list was refused");
        } else if (list->client->gone) {
                list_free(list);
        } else if (!list->ended) {
                list_submit(list, &list->engine->reader, TASK_STAGE, check_work, check_done);
        } else if (list->n_rejects > 0) {
                client_fail(list->client, ERR_INVALID, "correct the list and try again",
                        "%u of %u lines were rejected: nothing was applied", list->n_rejects, list->rows.n_rows);
                list_free(list);
        } else if (list->dry_run || list->rows.n_rows == 0) {
                finish(list);
        } else {
                apply_list(list);
        }
}

static enum err load_work(struct task *task, struct txn *txn)
{
        (void)txn;
        return list_load(list_of(task));
}

static bool digest_fits(const struct list *list, const char *wanted)
{
        uint8_t digest[32];
        size_t len;

        return wanted[0] == '\0' || (bytes_from_hex(bytes_str(wanted), digest, sizeof(digest), &len) == OK &&
                                            len == sizeof(digest) && memcmp(digest, list->digest, sizeof(digest)) == 0);
}

static void load_done(struct task *task)
{
        struct list *list = list_of(task);

        if (task->result != OK) {
                snprintf(list->why, sizeof(list->why), "it is not a list of serials to revoke (%s)", err_text(task->result));
                fail(list, task->result, "the list was refused");
        } else if (!digest_fits(list, list->wanted_digest)) {
                client_fail(list->client, ERR_STALE, "look at the list again",
                        "the list is not the one that was approved: its digest differs");
                list_free(list);
        } else {
                list_submit(list, &list->engine->reader, TASK_STAGE, check_work, check_done);
        }
}

void command_revoke(struct client *c, json_t *question, int fd)
{
        struct list *list = list_new(c, question, fd, ROWFILE_REVOKE);
        const char *incident = json_field(question, "incident"), *digest = json_field(question, "digest");

        if (!list)
                return;
        list->dry_run = json_is_true(json_object_get(question, "dry_run"));
        list->incident = strdup(incident ? incident : "");
        snprintf(list->wanted_digest, sizeof(list->wanted_digest), "%s", digest ? digest : "");
        if (incident && strlen(incident) > 200) {
                client_fail(c, ERR_RANGE, NULL, "the incident's name is longer than 200 octets");
                list_free(list);
        } else {
                list_submit(list, &c->engine->reader, TASK_STAGE, load_work, load_done);
        }
}
