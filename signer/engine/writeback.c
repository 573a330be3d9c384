/* writeback: chunks filled on the main thread, written on the writer's. */
#include "signer/engine/writeback.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "signer/engine/engine.h"

static void take_free(struct writeback *wb)
{
        struct writeback_chunk *c = wb->free;

        if (!c)
                return;
        wb->free = c->next;
        c->n = c->done = c->n_written = c->n_stale = 0;
        c->n_octets = 0;
        c->next = NULL;
        wb->filling = c;
}

static void hand_over(struct engine *e)
{
        struct writeback *wb = &e->writeback;
        struct writeback_chunk *c = wb->filling;

        wb->filling = NULL;
        writer_submit(&e->writer, &c->task);
        take_free(wb);
}

static int compare_items(const void *a, const void *b)
{
        const struct writeback_item *x = a, *y = b;

        if (x->ca_key != y->ca_key)
                return x->ca_key < y->ca_key ? -1 : 1;
        return bytes_compare(serial_bytes(&x->serial), serial_bytes(&y->serial));
}

static enum err write_item(struct writeback_chunk *c, struct txn *txn, struct writeback_item *it)
{
        const struct window *w = window_cache_get(c->engine->writer.windows, txn, it->window);
        enum err e;

        if (!w)
                return ERR_NOT_FOUND;
        e = status_sign(txn, it->ca_key, serial_bytes(&it->serial), it->generation, w,
                bytes_make(c->octets + it->signature_at, it->signature_len));
        it->is_written = e == OK;
        if (e == OK)
                c->n_written++;
        else if (e == ERR_STALE || e == ERR_NOT_FOUND)
                c->n_stale++; /* the truth moved on: this signature is of no use any more */
        else
                return e;
        return OK;
}

/* What a slice of the writer's time allows; the rest follows in the next transaction. */
static enum err chunk_work(struct task *task, struct txn *txn)
{
        struct writeback_chunk *c = task_owner(task, struct writeback_chunk, task);
        struct writer_slice slice = writer_slice_begin(&c->engine->writer);

        if (c->done == 0)
                qsort(c->items, c->n, sizeof(c->items[0]), compare_items);
        while (c->done < c->n) {
                enum err e = write_item(c, txn, &c->items[c->done]);

                if (e != OK && e != ERR_NOT_FOUND)
                        return e;
                c->done++;
                if (writer_slice_over(&slice))
                        break;
        }
        return OK;
}

/* For `tocsin status`. */
static void count_written(struct engine *e, const struct writeback_chunk *c)
{
        struct issuer *is = NULL;

        for (unsigned i = 0; i < c->n; i++) {
                if (!is || is->ca_key != c->items[i].ca_key)
                        is = issuers_by_ca_key(e->issuers, c->items[i].ca_key);
                if (is && c->items[i].is_written)
                        is->n_signed_pass++;
        }
}

static void chunk_done(struct task *task)
{
        struct writeback_chunk *c = task_owner(task, struct writeback_chunk, task);
        struct engine *e = c->engine;
        struct writeback *wb = &e->writeback;

        if (task->result == OK && c->done < c->n) {
                writer_submit(&e->writer, task);
                return;
        }
        if (task->result != OK)
                log_warning(
                        "signatures were not written back: they are made again when they are asked for n=%u error=\"%s\"",
                        c->n, err_text(task->result));
        if (task->result == ERR_NOSPC)
                e->space_short = true;
        if (task->result == OK)
                count_written(e, c);
        wb->n_written += c->n_written;
        wb->n_stale += c->n_stale;
        c->next = wb->free;
        wb->free = c;
        if (!wb->filling)
                take_free(wb);
        bulk_written_back(e);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
        struct engine *e = arg;

        (void)fd, (void)what;
        if (e->writeback.filling && e->writeback.filling->n > 0)
                hand_over(e);
}

enum err writeback_start(struct engine *e)
{
        struct writeback *wb = &e->writeback;

        wb->chunks = calloc(WRITEBACK_CHUNKS, sizeof(*wb->chunks));
        wb->timer = event_new(e->base, -1, 0, on_timer, e);
        if (!wb->chunks || !wb->timer)
                return ERR_NOMEM;
        for (unsigned i = 0; i < WRITEBACK_CHUNKS; i++) {
                struct writeback_chunk *c = &wb->chunks[i];

                c->engine = e;
                c->task = (struct task){.priority = TASK_SIGNATURES, .work = chunk_work, .done = chunk_done};
                c->next = wb->free;
                wb->free = c;
        }
        take_free(wb);
        return OK;
}

void writeback_stop(struct engine *e)
{
        if (e->writeback.timer)
                event_free(e->writeback.timer);
        free(e->writeback.chunks);
        e->writeback = (struct writeback){0};
}

bool writeback_has_room(const struct engine *e)
{
        const struct writeback *wb = &e->writeback;

        /* One chunk stays for the truth lane. */
        return wb->filling && wb->free;
}

static bool fits(const struct writeback_chunk *c, size_t len)
{
        return c->n < WRITEBACK_ITEMS && c->n_octets + len <= WRITEBACK_OCTETS;
}

void writeback_add(
        struct engine *e, uint32_t ca_key, struct bytes serial, uint32_t generation, uint32_t window, struct bytes raw)
{
        static const struct timeval soon = {.tv_usec = WRITEBACK_MS * 1000};
        struct writeback *wb = &e->writeback;
        struct writeback_chunk *c;

        if (wb->filling && !fits(wb->filling, raw.len))
                hand_over(e);
        c = wb->filling;
        if (!c || raw.len > SIG_RAW_MAX || serial.len > SERIAL_MAX) {
                wb->n_lost++;
                return;
        }
        if (c->n == 0)
                event_add(wb->timer, &soon);
        c->items[c->n] = (struct writeback_item){.ca_key = ca_key,
                .window = window,
                .generation = generation,
                .signature_at = (uint32_t)c->n_octets,
                .signature_len = (uint16_t)raw.len,
                .serial.len = (uint8_t)serial.len};
        memcpy(c->items[c->n].serial.data, serial.data, serial.len);
        memcpy(c->octets + c->n_octets, raw.data, raw.len);
        c->n_octets += raw.len;
        c->n++;
}
