/* window_purge: the windows that ended, in order of id, with a mark at each that a row names. */
#include "store/window_purge.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "store/exception.h"
#include "store/meta.h"
#include "store/record.h"
#include "store/window.h"

/* What is looked through, in this order. */
static const enum table places[] = {TABLE_WINDOW, TABLE_RECORD, TABLE_EXCEPTION};
#define N_PLACES (sizeof(places) / sizeof(places[0]))

struct window_purge {
        int64_t horizon_s;
        unsigned n, max, n_considered;
        unsigned place; /* in places; N_PLACES: all was looked through */
        struct key at;  /* the last key that was looked at there */
        uint32_t last_id; /* neighbours are signed in one window */
        bool *is_named;
        uint32_t ids[]; /* ascending */
};

static struct window_purge *purge_new(int64_t horizon_s, unsigned max)
{
        struct window_purge *p = calloc(1, sizeof(*p) + max * sizeof(p->ids[0]));

        if (!p)
                return NULL;
        *p = (struct window_purge){.horizon_s = horizon_s, .max = max, .is_named = calloc(max + 1, sizeof(bool))};
        if (p->is_named)
                return p;
        window_purge_free(p);
        return NULL;
}

enum err window_purge_begin(struct txn *txn, int64_t horizon_s, unsigned max, struct window_purge **ret_purge)
{
        struct window_purge *p;
        struct meta_windows windows;
        enum err e = meta_get_windows(txn, &windows);

        if (e != OK)
                return e;
        p = purge_new(horizon_s, max);
        if (!p)
                return ERR_NOMEM;
        windows.horizon_s = horizon_s;
        if (windows.gone_s < horizon_s)
                windows.gone_s = horizon_s;
        meta_put_windows(txn, &windows);
        *ret_purge = p;
        return OK;
}

void window_purge_free(struct window_purge *p)
{
        if (p)
                free(p->is_named);
        free(p);
}

bool window_purge_has_more(const struct window_purge *p)
{
        return p->n == p->max;
}

/* ---- looking ---- */

static enum err collect(struct window_purge *p, struct bytes key, struct txn *txn)
{
        struct window w;
        uint32_t id;
        enum err e = bytes_take_u32(&key, &id) == OK ? window_get(txn, id, &w) : ERR_CORRUPT;

        if (e == OK && w.next_update_s <= p->horizon_s && p->n < p->max)
                p->ids[p->n++] = id;
        return e;
}

static int compare_ids(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

static void mark(struct window_purge *p, uint32_t id)
{
        const uint32_t *found;

        if (id == p->last_id)
                return;
        p->last_id = id;
        found = bsearch(&id, p->ids, p->n, sizeof(p->ids[0]), compare_ids);
        if (found)
                p->is_named[found - p->ids] = true;
}

static enum err look_at_row(struct window_purge *p, struct txn *txn, struct bytes key, struct bytes value)
{
        struct exception exception;
        struct record record;
        enum err e;

        if (places[p->place] == TABLE_WINDOW)
                return collect(p, key, txn);
        if (places[p->place] == TABLE_RECORD) {
                e = record_read(value, &record);
                if (e == OK)
                        mark(p, record.window);
                return e;
        }
        e = exception_read(value, &exception);
        if (e == OK)
                mark(p, exception.window);
        return e;
}

static void next_place(struct window_purge *p)
{
        p->at.len = 0;
        p->place++;
        if (p->n == 0) /* no window has ended: the rows need not be looked through */
                p->place = N_PLACES;
}

static bool is_seen(const struct window_purge *p, struct bytes key)
{
        return p->at.len > 0 && bytes_equal(key, key_bytes(&p->at));
}

static enum err look_at_next(struct window_purge *p, struct txn *txn, struct cursor *c)
{
        struct bytes key, value;
        enum err e = cursor_next(c, &key, &value);

        if (e == OK && is_seen(p, key)) /* where the last transaction left off */
                e = cursor_next(c, &key, &value);
        if (e == OK)
                e = look_at_row(p, txn, key, value);
        if (e == OK && key.len > KEY_MAX)
                e = ERR_CORRUPT;
        if (e != OK)
                return e;
        p->at.len = (uint8_t)key.len;
        memcpy(p->at.data, key.data, key.len);
        return OK;
}

enum err window_purge_look(struct window_purge *p, struct txn *txn, unsigned n_rows, bool *ret_left)
{
        _cleanup_(cursor_close) struct cursor c = {0};
        enum err e = OK;

        if (p->place < N_PLACES)
                e = cursor_open(&c, txn, places[p->place], BYTES_NONE, key_bytes(&p->at));
        for (unsigned i = 0; e == OK && p->place < N_PLACES && i < n_rows; i++)
                e = look_at_next(p, txn, &c);
        if (e == ERR_NOT_FOUND)
                next_place(p);
        else if (e != OK)
                return e;
        *ret_left = p->place < N_PLACES;
        return OK;
}

/* ---- deleting ---- */

static enum err lift_horizon(struct txn *txn)
{
        struct meta_windows windows;
        enum err e = meta_get_windows(txn, &windows);

        if (e != OK)
                return e;
        windows.horizon_s = 0;
        meta_put_windows(txn, &windows);
        return OK;
}

enum err window_purge_delete(
        struct window_purge *p, struct txn *txn, unsigned n_windows, unsigned *n_deleted, bool *ret_left)
{
        if (p->place < N_PLACES)
                return ERR_INVALID;
        for (unsigned i = 0; i < n_windows && p->n_considered < p->n; i++, p->n_considered++) {
                struct key key = key_id(p->ids[p->n_considered]);

                if (p->is_named[p->n_considered])
                        continue;
                txn_delete(txn, TABLE_WINDOW, key_bytes(&key));
                ++*n_deleted;
        }
        *ret_left = p->n_considered < p->n;
        return *ret_left ? OK : lift_horizon(txn);
}
