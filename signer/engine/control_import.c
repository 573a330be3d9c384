/* control_import: certificates come in, in slices of a few milliseconds of the writer's time. */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "signer/engine/control_list.h"
#include "signer/engine/counts.h"
#include "store/event.h"

static void finish(struct list *list)
{
        const uint32_t *n = list->imported;

        engine_population_changed(list->engine, list->issuer);
        if (n[IMPORT_REVOKED] > 0)
                engine_truth_changed(list->engine, list->issuer);
        log_info("imported issuer=%s rows=%u new=%u known=%u updated=%u revoked=%u conflict=%u kept=%u rejected=%u "
                 "actor=\"%s\"",
                list->issuer->conf->name, list->rows.n_rows, n[IMPORT_NEW], n[IMPORT_KNOWN], n[IMPORT_UPDATED],
                n[IMPORT_REVOKED], n[IMPORT_CONFLICT], n[IMPORT_KEPT], list->n_rejects - n[IMPORT_CONFLICT],
                list->client->actor);
        client_finish(list->client,
                json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "issuer", list->issuer->conf->name, "rows",
                        (json_int_t)list->rows.n_rows, "new", (json_int_t)n[IMPORT_NEW], "known",
                        (json_int_t)n[IMPORT_KNOWN], "updated", (json_int_t)n[IMPORT_UPDATED], "revoked",
                        (json_int_t)n[IMPORT_REVOKED], "conflict", (json_int_t)n[IMPORT_CONFLICT], "kept",
                        (json_int_t)n[IMPORT_KEPT], "rejected", (json_int_t)(list->n_rejects - n[IMPORT_CONFLICT]),
                        "elapsed_ms", (json_int_t)(clock_mono_ms() - list->began_ms)));
        list_free(list);
}

static void fail(struct list *list, enum err e)
{
        const char *hint =
                e == ERR_NOSPC ? "make room on the store's disk, then import again: what is in already is kept" : NULL;

        client_fail(list->client, e, hint, "the import stopped at row %u of %u: %s", list->rows.n_read, list->rows.n_rows,
                list->why[0] ? list->why : err_text(e));
        list_free(list);
}

/* The same serial with another certificate is a CA's nightmare: it is told aloud, and nothing is changed. */
static void alarm_conflict(struct list *list, const struct rowfile_row *row)
{
        char text[SERIAL_TEXT_LEN];

        list_reject(list, row, "ALARM: this serial is known with another certificate; nothing was changed");
        log_warning("ALARM: the same serial with another certificate issuer=%s serial=%s line=%u", list->issuer->conf->name,
                serial_to_text(bytes_make(row->serial, row->serial_len), text), row->line);
}

static enum err put_row(struct list *list, struct txn *txn, const struct rowfile_row *row)
{
        enum import_effect effect;
        enum err e;

        if (!issuer_has_shard(list->issuer, row->shard)) {
                list_reject(list, row, "CRL shard %u is not one of this issuer's (crl.shards is %u)", row->shard,
                        list->issuer->conf->crl_shards);
                return OK;
        }
        e = import_row(txn, list->issuer->ca_key, row, engine_clock_now_s(&list->engine->clock),
                bytes_str(list->client->actor), issuer_reserve(list->issuer), &effect);
        if (e != OK)
                return e;
        list->imported[effect]++;
        if (effect == IMPORT_CONFLICT)
                alarm_conflict(list, row);
        return OK;
}

static void put_event(struct list *list, struct txn *txn)
{
        char detail[256];

        snprintf(detail, sizeof(detail), "rows=%u new=%u updated=%u revoked=%u conflict=%u kept=%u", list->rows.n_rows,
                list->imported[IMPORT_NEW], list->imported[IMPORT_UPDATED], list->imported[IMPORT_REVOKED],
                list->imported[IMPORT_CONFLICT], list->imported[IMPORT_KEPT]);
        event_put(txn, &(struct event){.time_s = engine_clock_now_s(&list->engine->clock),
                               .kind = EVENT_IMPORT,
                               .ca_key = list->issuer->ca_key,
                               .actor = bytes_str(list->client->actor),
                               .detail = bytes_str(detail)});
}

static enum err import_work(struct task *task, struct txn *txn)
{
        struct list *list = list_of(task);
        struct writer_slice slice = writer_slice_begin(&list->engine->writer);
        struct counts before = counts_before(txn);
        uint32_t revoked = list->imported[IMPORT_REVOKED];
        struct rowfile_row row;
        enum err e;

        while ((e = rowfile_next(&list->rows, &row)) == OK) {
                e = put_row(list, txn, &row);
                if (e != OK)
                        return e;
                if (writer_slice_over(&slice))
                        break;
        }
        list->ended = e == ERR_NOT_FOUND;
        if (list->ended)
                put_event(list, txn);
        else if (e != OK)
                return e;
        counts_after(txn, list->issuer->ca_key, before);
        /* Answers about what became revoked need a window that is not older. */
        if (list->imported[IMPORT_REVOKED] != revoked)
                list->window = live_window_put(txn, list->issuer, engine_clock_now_s(&list->engine->clock));
        return OK;
}

static void import_done(struct task *task)
{
        struct list *list = list_of(task);

        list_send_rejects(list);
        live_window_adopt(list->issuer, task->result == OK ? list->window : NULL);
        if (task->result != OK)
                open_window_unref(list->window);
        list->window = NULL;
        client_progress(list->client, "importing", list->rows.n_read, list->rows.n_rows);
        if (task->result != OK)
                fail(list, task->result);
        else if (list->ended)
                finish(list);
        else
                list_submit(list, &list->engine->writer.runner, TASK_STAGE, import_work, import_done);
}

/* A list whose end is missing is refused before its first row goes in. */
static enum err load_work(struct task *task, struct txn *txn)
{
        struct list *list = list_of(task);
        struct rowfile_row row;
        enum err e = list_load(list);

        (void)txn;
        if (e != OK)
                return e;
        while ((e = rowfile_next(&list->rows, &row)) == OK)
                ;
        if (e != ERR_NOT_FOUND) {
                snprintf(list->why, sizeof(list->why), "it is not a well-formed list");
                return e;
        }
        rowfile_rewind(&list->rows);
        return OK;
}

static void load_done(struct task *task)
{
        struct list *list = list_of(task);

        if (task->result != OK)
                fail(list, task->result);
        else
                list_submit(list, &list->engine->writer.runner, TASK_STAGE, import_work, import_done);
}

void command_import(struct client *c, json_t *question, int fd)
{
        struct list *list = list_new(c, question, fd, ROWFILE_IMPORT);

        if (list)
                list_submit(list, &c->engine->reader, TASK_STAGE, load_work, load_done);
}
