/* bulk: packets are filled from the sources, sent, and their signatures handed on. */
#include "signer/engine/bulk.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "signer/engine/engine.h"
#include "store/batch.h"

/* The main thread's share for filling packets before other events get their turn. */
#define FEED_US 2000
#define TBS_MAX 2048
/* Between the end of a batch's walk and the look whether anything of it is left. */
#define BATCH_REST_MS 1000

struct feed {
        struct engine *engine;
        struct txn *txn;
        int64_t until_us;
        struct bulk_packet *packet;
        struct vault_question question;
        uint8_t tbs[BULK_PACKET][TBS_MAX];
};

/* ---- packets ---- */

static struct bulk_packet *take_packet(struct bulk *b)
{
        struct bulk_packet *p = b->free;

        if (p)
                b->free = p->next;
        return p;
}

static void give_packet(struct bulk *b, struct bulk_packet *p)
{
        open_window_unref(p->window);
        p->window = NULL;
        p->slice = NULL;
        p->n = 0;
        p->next = b->free;
        b->free = p;
}

static void packet_came_back(struct bulk_packet *p)
{
        struct engine *e = p->engine;
        struct slice *slice = p->slice;

        e->bulk.stats.in_flight -= p->n;
        if (slice) {
                slice->in_flight -= p->n;
                if (slice->in_flight == 0 && slice->at == slice->n)
                        refresh_slice_used(e, slice);
        }
        give_packet(&e->bulk, p);
}

static void on_answer(struct vault_call *call, const struct vault_answer *a)
{
        struct bulk_packet *p = (struct bulk_packet *)call;
        struct engine *e = p->engine;
        struct issuer *is = p->window->issuer;
        bool is_signed = a && a->outcome == VAULT_OK && a->n == p->n;

        if (is_signed) {
                e->bulk.stats.signed_total += p->n;
                for (unsigned i = 0; i < p->n; i++)
                        writeback_add(e, is->ca_key, serial_bytes(&p->items[i].serial), p->items[i].generation,
                                p->window->row.id, a->signatures[i]);
        } else if (a) {
                e->bulk.stats.refused += p->n;
                is->ocsp.away_until_ms = clock_mono_ms() + VAULT_NO_KEY_REST_MS;
                log_error("the vault does not sign: bulk signing of this issuer rests issuer=%s why=\"%.*s\"",
                        is->conf->name, (int)a->text.len, (const char *)a->text.data);
        }
        /* What came back unsigned is found again by the next walk: its row says that it has no signature. */
        packet_came_back(p);
}

/* True: the packet is on its way. */
static bool send_packet(struct feed *f)
{
        struct bulk_packet *p = f->packet;
        struct engine *e = f->engine;
        const struct issuer_signer *s = &p->window->issuer->ocsp;

        f->question.kind = VAULT_SIGN_OCSP;
        f->question.sig_alg = s->sig_alg;
        f->question.n = p->n;
        memcpy(f->question.signer, s->spki_sha256, sizeof(f->question.signer));
        e->bulk.stats.in_flight += p->n;
        if (p->slice)
                p->slice->in_flight += p->n;
        p->call.done = on_answer;
        if (vault_ask(e, VAULT_BULK, &p->call, &f->question, -1, 0) == OK)
                return true;
        packet_came_back(p);
        return false;
}

/* Puts the serial's present status into the packet. False: not signable under this window, or no such row. */
static bool put_serial(struct feed *f, struct open_window *w, struct bytes serial, const struct status *status)
{
        struct bulk_packet *p = f->packet;
        struct bulk_item *item = &p->items[p->n];
        size_t len;

        if (status->changed_at_s > w->row.this_update_s || open_window_tbs_max(w) > TBS_MAX ||
                ocsp_response_tbs(&w->row.template, serial, &status->ocsp, f->tbs[p->n], &len) != OK)
                return false;
        item->serial.len = (uint8_t)serial.len;
        memcpy(item->serial.data, serial.data, serial.len);
        item->generation = status->generation;
        f->question.tbs[p->n] = bytes_make(f->tbs[p->n], len);
        p->n++;
        return true;
}

static bool can_sign(const struct issuer *is)
{
        return is && issuer_is_served(is) && is->ocsp.configured && is->ocsp.away_until_ms <= clock_mono_ms();
}

static void use_window(struct bulk_packet *p, struct open_window *w)
{
        if (!p->window)
                p->window = open_window_ref(w);
}

/* ---- source 1: wanted soon ---- */

static void fill_wanted(struct feed *f)
{
        struct bulk *b = &f->engine->bulk;

        while (b->wanted_n > 0 && f->packet->n < BULK_PACKET) {
                struct issuer *is = issuers_by_ca_key(f->engine->issuers, b->wanted[b->wanted_at].ca_key);
                struct bytes serial = serial_bytes(&b->wanted[b->wanted_at].serial);
                struct open_window *w;
                struct status status;

                if (f->packet->window && f->packet->window->issuer != is)
                        return;
                if (can_sign(is) && status_get(f->txn, is->ca_key, serial, &status) == OK) {
                        w = live_window_get(f->engine, is, status.changed_at_s);
                        if (!w || (f->packet->window && f->packet->window != w))
                                return;
                        if (put_serial(f, w, serial, &status))
                                use_window(f->packet, w);
                }
                b->wanted_at = (b->wanted_at + 1) % BULK_WANTED_MAX;
                b->wanted_n--;
        }
}

void bulk_want(struct engine *e, struct issuer *is, struct bytes serial)
{
        struct bulk *b = &e->bulk;
        unsigned at = (b->wanted_at + b->wanted_n) % BULK_WANTED_MAX;

        if (b->wanted_n == BULK_WANTED_MAX) /* refresh finds it */
                return;
        b->wanted[at].ca_key = is->ca_key;
        b->wanted[at].serial.len = (uint8_t)serial.len;
        memcpy(b->wanted[at].serial.data, serial.data, serial.len);
        b->wanted_n++;
}

/* ---- source 2: active batches ---- */

static bool item_needs_signing(struct bytes value)
{
        struct item item;

        return item_read(value, &item) == OK && item.progress != ITEM_SIGNED && item.progress != ITEM_ELSEWHERE;
}

static enum err put_item(struct feed *f, struct bulk_batch *batch, struct open_window *w, struct bytes key)
{
        struct status status;
        struct serial serial;
        enum err e = key_take_serial(key, 8, &serial);

        if (e != OK)
                return e;
        batch->n_found++;
        if (status_get(f->txn, batch->ca_key, serial_bytes(&serial), &status) == OK &&
                put_serial(f, w, serial_bytes(&serial), &status))
                use_window(f->packet, w);
        return OK;
}

static void note_position(struct bulk_batch *batch, struct bytes key)
{
        if (key.len <= KEY_MAX) {
                batch->at.len = (uint8_t)key.len;
                memcpy(batch->at.data, key.data, key.len);
        }
}

static struct bytes batch_prefix(const struct bulk_batch *batch, struct key *memory)
{
        *memory = key_item(batch->id, batch->ca_key, BYTES_NONE);
        return key_bytes(memory);
}

/* Walks on from where the batch stands. The ledger itself is the resumable cursor: what is signed says so. */
static void walk_batch(struct feed *f, struct bulk_batch *batch, struct open_window *w)
{
        _cleanup_(cursor_close) struct cursor cursor = {0};
        struct bytes key = BYTES_NONE, value;
        struct key memory;
        unsigned n = 0;

        if (cursor_open(&cursor, f->txn, TABLE_ITEM, batch_prefix(batch, &memory), key_bytes(&batch->at)) != OK)
                return;
        while (f->packet->n < BULK_PACKET && (++n % 64 != 0 || clock_mono_us() < f->until_us)) {
                if (cursor_next(&cursor, &key, &value) != OK) {
                        batch->ended = true;
                        batch->rest_until_ms = clock_mono_ms() + BATCH_REST_MS;
                        return;
                }
                if (batch->at.len > 0 && bytes_equal(key, key_bytes(&batch->at)))
                        continue;
                if (item_needs_signing(value) && put_item(f, batch, w, key) != OK)
                        return;
                note_position(batch, key);
        }
}

/* The end of a walk: done if it found nothing to sign. Otherwise it is walked again once what it sent had time to be written
 * back, since some may have come back unsigned. */
static bool batch_is_over(struct bulk_batch *batch)
{
        if (!batch->ended || batch->rest_until_ms > clock_mono_ms())
                return false;
        if (batch->n_found == 0)
                return true;
        batch->ended = false;
        batch->n_found = 0;
        batch->at.len = 0;
        return false;
}

static void drop_batch(struct bulk *b, struct bulk_batch *batch)
{
        for (struct bulk_batch **at = &b->batches; *at; at = &(*at)->next)
                if (*at == batch) {
                        *at = batch->next;
                        break;
                }
        log_info("batch signed batch=%u", batch->id);
        free(batch);
}

static void fill_batches(struct feed *f)
{
        struct engine *e = f->engine;
        struct bulk_batch *next;

        for (struct bulk_batch *batch = e->bulk.batches; batch && f->packet->n == 0; batch = next) {
                struct issuer *is = issuers_by_ca_key(e->issuers, batch->ca_key);
                struct open_window *w;

                next = batch->next;
                if (batch_is_over(batch)) {
                        drop_batch(&e->bulk, batch);
                        continue;
                }
                if (batch->ended || batch->rest_until_ms > clock_mono_ms() || !can_sign(is))
                        continue;
                w = live_window_get(e, is, batch->activated_at_s);
                if (w)
                        walk_batch(f, batch, w);
        }
}

static void add_batch(struct bulk *b, const struct batch *row)
{
        struct bulk_batch **at = &b->batches;
        struct bulk_batch *batch;

        for (; *at; at = &(*at)->next)
                if ((*at)->id == row->id)
                        return;
        batch = calloc(1, sizeof(*batch));
        if (!batch)
                return;
        *batch = (struct bulk_batch){.id = row->id, .ca_key = row->ca_key, .activated_at_s = row->activated_at};
        *at = batch;
}

void bulk_find_batches(struct engine *e)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct batch row;
        uint32_t id = 0;

        if (txn_begin_read(e->env, &txn) != OK)
                return;
        while (batch_next(txn, &id, &row) == OK)
                if (row.state == BATCH_ACTIVE && row.n_signed < row.n_items)
                        add_batch(&e->bulk, &row);
}

/* ---- source 3: refresh slices ---- */

static void fill_slice(struct feed *f)
{
        struct slice *slice = refresh_slice(f->engine);

        if (!slice || !can_sign(slice->issuer))
                return;
        f->packet->slice = slice;
        use_window(f->packet, slice->window);
        while (slice->at < slice->n && f->packet->n < BULK_PACKET) {
                struct bytes serial = serial_bytes(&slice->serials[slice->at++]);
                struct status status;

                if (status_get(f->txn, slice->issuer->ca_key, serial, &status) == OK)
                        put_serial(f, slice->window, serial, &status);
        }
        if (f->packet->n == 0 && slice->at == slice->n && slice->in_flight == 0)
                refresh_slice_used(f->engine, slice);
}

/* ---- feeding ---- */

static unsigned packets_wanted(const struct engine *e)
{
        unsigned n = e->conf->token_sessions * BULK_PACKETS_A_SESSION;

        return n < BULK_PACKETS_MAX ? n : BULK_PACKETS_MAX;
}

static bool may_feed(const struct engine *e)
{
        return vault_is_up(e) && !e->space_short && !e->stopping && e->vault.n_calls[VAULT_BULK] < packets_wanted(e) &&
               writeback_has_room(e);
}

/* False: nothing to sign for now. */
static bool feed_one(struct feed *f)
{
        struct bulk *b = &f->engine->bulk;

        f->packet = take_packet(b);
        if (!f->packet)
                return false;
        f->packet->engine = f->engine;
        fill_wanted(f);
        if (f->packet->n == 0)
                fill_batches(f);
        if (f->packet->n == 0)
                fill_slice(f);
        if (f->packet->n == 0) {
                give_packet(b, f->packet);
                return false;
        }
        return send_packet(f);
}

void bulk_feed(struct engine *e)
{
        static struct feed f;
        _cleanup_(txn_abortp) struct txn *txn = NULL;

        if (e->bulk.feeding || !may_feed(e) || txn_begin_read(e->env, &txn) != OK)
                return;
        e->bulk.feeding = true;
        f.engine = e;
        f.txn = txn;
        f.until_us = clock_mono_us() + FEED_US;
        while (may_feed(e) && clock_mono_us() < f.until_us)
                if (!feed_one(&f))
                        break;
        e->bulk.feeding = false;
}

void bulk_written_back(struct engine *e)
{
        bulk_feed(e);
        refresh_step(e);
}

enum err bulk_start(struct engine *e)
{
        struct bulk *b = &e->bulk;

        b->packets = calloc(BULK_PACKETS_MAX, sizeof(*b->packets));
        if (!b->packets)
                return ERR_NOMEM;
        for (unsigned i = 0; i < BULK_PACKETS_MAX; i++)
                give_packet(b, &b->packets[i]);
        bulk_find_batches(e);
        return OK;
}

void bulk_stop(struct engine *e)
{
        while (e->bulk.batches) {
                struct bulk_batch *batch = e->bulk.batches;

                e->bulk.batches = batch->next;
                free(batch);
        }
        for (unsigned i = 0; e->bulk.packets && i < BULK_PACKETS_MAX; i++)
                open_window_unref(e->bulk.packets[i].window);
        free(e->bulk.packets);
        e->bulk = (struct bulk){0};
}
