/* window: rows and their cache. Layout: ca_key u32, signer u32, epoch u32, times 3 x u64, sig_alg u8, five template parts
 * and the range as block16 (certs as block32). */
#include "store/window.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "store/meta.h"
#include "store/row.h"

static void put_window(struct builder *b, const struct window *w)
{
        builder_put_u32(b, w->ca_key);
        builder_put_u32(b, w->signer);
        builder_put_u32(b, w->epoch);
        builder_put_u64(b, (uint64_t)w->this_update_s);
        builder_put_u64(b, (uint64_t)w->next_update_s);
        builder_put_u64(b, (uint64_t)w->produced_at_s);
        builder_put_u8(b, (uint8_t)w->template.sig_alg);
        builder_put_block16(b, w->template.responder);
        builder_put_block16(b, w->template.cert_id);
        builder_put_block16(b, w->template.times);
        builder_put_block16(b, w->template.extensions);
        builder_put_block32(b, w->template.certs);
        builder_put_block16(b, w->range_from);
        builder_put_block16(b, w->range_to);
}

static enum err take_times(struct bytes *in, struct window *w)
{
        uint64_t this_update, next_update, produced_at;

        if (bytes_take_u64(in, &this_update) != OK || bytes_take_u64(in, &next_update) != OK ||
                bytes_take_u64(in, &produced_at) != OK)
                return ERR_CORRUPT;
        w->this_update_s = (int64_t)this_update;
        w->next_update_s = (int64_t)next_update;
        w->produced_at_s = (int64_t)produced_at;
        return OK;
}

static enum err take_template(struct bytes *in, struct ocsp_template *t)
{
        uint8_t alg;

        if (bytes_take_u8(in, &alg) != OK || alg >= SIG_N || bytes_take_block16(in, &t->responder) != OK ||
                bytes_take_block16(in, &t->cert_id) != OK || bytes_take_block16(in, &t->times) != OK ||
                bytes_take_block16(in, &t->extensions) != OK || bytes_take_block32(in, &t->certs) != OK)
                return ERR_CORRUPT;
        t->sig_alg = alg;
        return OK;
}

static enum err read_window(struct bytes in, uint32_t id, struct window *ret_window)
{
        struct window w = {.id = id};

        if (bytes_take_u32(&in, &w.ca_key) != OK || bytes_take_u32(&in, &w.signer) != OK ||
                bytes_take_u32(&in, &w.epoch) != OK || take_times(&in, &w) != OK || take_template(&in, &w.template) != OK ||
                bytes_take_block16(&in, &w.range_from) != OK || bytes_take_block16(&in, &w.range_to) != OK)
                return ERR_CORRUPT;
        *ret_window = w;
        return OK;
}

uint32_t window_put(struct txn *txn, const struct window *w)
{
        _cleanup_(builder_done) struct builder b = {0};
        struct key key;
        uint32_t id;

        /* Built before anything is written: the window may borrow from another row. */
        put_window(&b, w);
        id = meta_next_id(txn, META_WINDOW);
        if (id == 0)
                return 0;
        key = key_id(id);
        row_put_built(txn, TABLE_WINDOW, key_bytes(&key), &b);
        return txn_failed(txn) ? 0 : id;
}

static enum err get_row(struct txn *txn, uint32_t id, struct bytes *ret_value)
{
        struct key key = key_id(id);

        return txn_get(txn, TABLE_WINDOW, key_bytes(&key), ret_value);
}

enum err window_get(struct txn *txn, uint32_t id, struct window *ret_window)
{
        struct bytes value;
        enum err e = get_row(txn, id, &value);

        return e == OK ? read_window(value, id, ret_window) : e;
}

/* Ranges run in the order of the records' keys. */
static bool is_for(const struct window *w, struct bytes serial)
{
        struct key key = key_serial(w->ca_key, serial), from = key_serial(w->ca_key, w->range_from),
                   to = key_serial(w->ca_key, w->range_to);

        return w->range_from.len == 0 || (bytes_compare(key_bytes(&from), key_bytes(&key)) <= 0 &&
                                                 bytes_compare(key_bytes(&key), key_bytes(&to)) <= 0);
}

enum err window_get_promise(
        struct txn *txn, uint32_t ca_key, struct bytes serial, int64_t made_until_s, int64_t *ret_next_update_s)
{
        _cleanup_(cursor_close) struct cursor c = {0};
        int64_t latest_s = 0;
        struct bytes key, value;
        struct window w;
        enum err e = cursor_open(&c, txn, TABLE_WINDOW, BYTES_NONE, BYTES_NONE);

        while (e == OK && (e = cursor_next(&c, &key, &value)) == OK) {
                e = read_window(value, 0, &w);
                if (e == OK && w.ca_key == ca_key && w.this_update_s <= made_until_s && w.next_update_s > latest_s &&
                        is_for(&w, serial))
                        latest_s = w.next_update_s;
        }
        if (e == ERR_NOT_FOUND)
                *ret_next_update_s = latest_s;
        return e == ERR_NOT_FOUND ? OK : e;
}

/* ---- cache: slot id % max; ids are given in sequence, so the newest `max` windows never share one ----
 *
 * What a write transaction reads is not kept: were it one of its own windows, and were it not committed, its id would be
 * given again. */

struct slot {
        struct window window; /* id 0 = empty */
        uint8_t *memory;      /* the row's copy, which the window borrows from */
};

#define CACHE_LINE 64
/* Of a window's row: its times and names stand at the front. */
#define ROW_AHEAD 256

struct window_cache {
        unsigned max;
        struct slot passing; /* of the last miss in a write transaction */
        struct slot slots[];
};

struct window_cache *window_cache_new(unsigned max)
{
        struct window_cache *c;

        if (max == 0)
                max = 1;
        c = calloc(1, sizeof(*c) + max * sizeof(c->slots[0]));
        if (c)
                c->max = max;
        return c;
}

void window_cache_free(struct window_cache *c)
{
        if (!c)
                return;
        for (unsigned i = 0; i < c->max; i++)
                free(c->slots[i].memory);
        free(c->passing.memory);
        free(c);
}

static enum err fill_slot(struct slot *slot, struct txn *txn, uint32_t id)
{
        _cleanup_free_
        uint8_t *memory = NULL;
        struct window window;
        struct bytes value;
        enum err e = get_row(txn, id, &value);

        if (e != OK)
                return e;
        memory = malloc(value.len + 1);
        if (!memory)
                return ERR_NOMEM;
        memcpy(memory, value.data, value.len);
        if (!txn_is_sound(txn))
                return ERR_STALE;
        e = read_window(bytes_make(memory, value.len), id, &window);
        if (e != OK)
                return e;
        free(slot->memory);
        *slot = (struct slot){.window = window, .memory = steal(&memory)};
        return OK;
}

void window_cache_expect(const struct window_cache *c, const uint32_t ids[], unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                for (size_t at = 0; at < sizeof c->slots[0]; at += CACHE_LINE)
                        __builtin_prefetch((const uint8_t *)&c->slots[ids[i] % c->max] + at);
        for (unsigned i = 0; i < n; i++)
                for (size_t at = 0; at < ROW_AHEAD; at += CACHE_LINE)
                        __builtin_prefetch(c->slots[ids[i] % c->max].memory + at);
}

const struct window *window_cache_get(struct window_cache *c, struct txn *txn, uint32_t id)
{
        struct slot *slot = &c->slots[id % c->max];

        if (id == 0)
                return NULL;
        if (slot->window.id == id)
                return &slot->window;
        if (txn_is_write(txn))
                slot = &c->passing;
        return fill_slot(slot, txn, id) == OK ? &slot->window : NULL;
}
