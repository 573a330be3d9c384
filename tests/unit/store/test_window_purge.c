/* Windows that are forgotten, and what must stay whatever else happens meanwhile. */
#include "store/window_purge.h"

#include <stdio.h>

#include "base/clock.h"
#include "store_helper.h"

#define DAY CLOCK_DAY_S
#define N_SERIALS 150
#define MAX_WINDOWS 4000

static bool is_there(struct store *s, uint32_t id)
{
        _cleanup_(txn_abortp) struct txn *txn = store_read(s);
        struct window w;
        enum err e = window_get(txn, id, &w);

        assert_true(e == OK || e == ERR_NOT_FOUND);
        return e == OK;
}

static struct window_purge *begin(struct store *s, int64_t horizon_s, unsigned max)
{
        struct txn *txn = store_begin(s);
        struct window_purge *p;

        assert_int_equal(window_purge_begin(txn, horizon_s, max, &p), OK);
        store_commit(txn);
        return p;
}

static bool look(struct store *s, struct window_purge *p, unsigned n_rows)
{
        _cleanup_(txn_abortp) struct txn *txn = store_read(s);
        bool left;

        assert_int_equal(window_purge_look(p, txn, n_rows, &left), OK);
        return left;
}

static bool delete(struct store *s, struct window_purge *p, unsigned n_windows, unsigned *n_deleted)
{
        struct txn *txn = store_begin(s);
        bool left;

        assert_int_equal(window_purge_delete(p, txn, n_windows, n_deleted, &left), OK);
        store_commit(txn);
        return left;
}

static unsigned purge(struct store *s, int64_t horizon_s)
{
        struct window_purge *p = begin(s, horizon_s, MAX_WINDOWS);
        unsigned n = 0;

        while (look(s, p, 3))
                ;
        while (delete(s, p, 2, &n))
                ;
        window_purge_free(p);
        return n;
}

static void what_no_row_names_goes_once_it_is_over(void **state)
{
        struct store *s = *state;
        uint32_t over = store_window(s, T0, T0 + DAY), valid = store_window(s, T0, T0 + 3 * DAY);

        assert_int_equal(purge(s, T0 + DAY), 1);
        assert_false(is_there(s, over));
        assert_true(is_there(s, valid));
}

static void what_a_record_or_an_exception_names_stays(void **state)
{
        struct store *s = *state;
        uint32_t of_record = store_window(s, T0, T0 + DAY), of_exception = store_window(s, T0 + 10, T0 + DAY);

        store_add(s, 1, 3, 0);
        assert_int_equal(store_sign(s, 1, 0, of_record, 1), OK);
        store_revoke(s, 2, REASON_SUPERSEDED, 0, T0 + 5);
        assert_int_equal(store_sign(s, 2, 1, of_exception, 2), OK);
        assert_int_equal(purge(s, T0 + 9 * DAY), 0);
        assert_true(is_there(s, of_record));
        assert_true(is_there(s, of_exception));
        store_assert_clean(s);
}

static void what_a_staged_row_had_been_signed_under_stays(void **state)
{
        struct store *s = *state;
        uint32_t before = store_window(s, T0, T0 + DAY), batch;

        store_add(s, 1, 1, 0);
        assert_int_equal(store_sign(s, 1, 0, before, 1), OK);
        batch = store_batch(s);
        store_stage(s, batch, 1, REASON_SUPERSEDED);
        assert_int_equal(purge(s, T0 + 9 * DAY), 0);
        assert_true(is_there(s, before)); /* invisible still, the batch may be dropped: good again */
}

static void an_id_is_never_given_again(void **state)
{
        struct store *s = *state;
        uint32_t last = store_window(s, T0, T0 + DAY);

        assert_int_equal(purge(s, T0 + DAY), 1);
        assert_true(store_window(s, T0, T0 + DAY) > last);
}

static void a_signature_that_is_late_names_no_window_that_is_being_forgotten_or_gone(void **state)
{
        struct store *s = *state;
        uint32_t over = store_window(s, T0, T0 + DAY);
        struct window_purge *p;
        struct window_cache *cache = window_cache_new(8); /* as the writer has it */
        struct txn *txn = store_read(s);
        struct window kept = *window_cache_get(cache, txn, over);
        unsigned n = 0;

        txn_abort(txn);
        store_add(s, 1, 3, 0);
        p = begin(s, T0 + DAY, MAX_WINDOWS);
        while (look(s, p, 1))
                assert_int_equal(store_sign(s, 1, 0, over, 1), ERR_STALE);
        assert_int_equal(store_sign(s, 1, 0, over, 1), ERR_STALE);
        while (delete(s, p, 1, &n))
                ;
        window_purge_free(p);
        txn = store_begin(s);
        assert_int_equal(status_sign(txn, CA, serial(1), 0, &kept, BYTES_LIT("late")), ERR_STALE);
        txn_abort(txn);
        window_cache_free(cache);
        store_assert_clean(s);
}

static void a_purge_that_is_over_refuses_nothing(void **state)
{
        struct store *s = *state;
        uint32_t old;

        store_add(s, 1, 3, 0);
        assert_int_equal(purge(s, T0 + 9 * DAY), 0);
        old = store_window(s, T0, T0 + DAY);
        assert_int_equal(store_sign(s, 1, 0, old, 1), OK);
}

static void a_purge_takes_no_more_than_it_may_and_says_so(void **state)
{
        struct store *s = *state;
        struct window_purge *p;
        unsigned n = 0;

        for (unsigned i = 0; i < 5; i++)
                store_window(s, T0, T0 + DAY);
        p = begin(s, T0 + DAY, 3);
        while (look(s, p, 100))
                ;
        assert_true(window_purge_has_more(p));
        while (delete(s, p, 100, &n))
                ;
        window_purge_free(p);
        assert_int_equal(n, 3);
        assert_int_equal(purge(s, T0 + DAY), 2);
}

/* ---- anything, in any order ---- */

struct model {
        struct store *s;
        unsigned seed;
        int64_t now_s;
        uint32_t windows[MAX_WINDOWS];
        int64_t next_updates[MAX_WINDOWS];
        unsigned n;
        struct window_purge *purge;
        bool is_looked;
        int64_t horizon_s;
        unsigned n_before, n_deleted, n_purges;
};

static unsigned chance(struct model *m, unsigned n)
{
        m->seed = m->seed * 1103515245u + 12345u;
        return (m->seed >> 16) % n;
}

static void put_window(struct model *m)
{
        if (m->n == MAX_WINDOWS)
                return;
        m->next_updates[m->n] = m->now_s + (1 + chance(m, 8)) * DAY / 4;
        m->windows[m->n] = store_window(m->s, m->now_s, m->next_updates[m->n]);
        m->n++;
}

/* With a window of any age: what comes late is refused or fits. */
static void sign_any(struct model *m)
{
        uint32_t i = 1 + chance(m, N_SERIALS), window;
        struct status status = store_status(m->s, i);
        enum err e;

        if (m->n == 0)
                return;
        window = m->windows[m->n - 1 - chance(m, m->n < 12 ? m->n : 12)];
        if (!is_there(m->s, window))
                return;
        e = store_sign(m->s, i, status.generation, window, (uint8_t)m->seed);
        assert_true(e == OK || e == ERR_STALE);
}

static void change_any(struct model *m)
{
        uint32_t i = 1 + chance(m, N_SERIALS);

        if (store_status(m->s, i).held)
                store_release(m->s, i, m->now_s);
        else
                store_revoke(m->s, i, chance(m, 20) ? REASON_CERTIFICATE_HOLD : REASON_KEY_COMPROMISE, 0, m->now_s);
}

static void stage_any(struct model *m)
{
        uint32_t batch, from = 1 + chance(m, N_SERIALS - 2);

        if (chance(m, 8) != 0)
                return;
        batch = store_batch(m->s);
        for (uint32_t i = from; i < from + 3; i++)
                store_stage(m->s, batch, i, REASON_SUPERSEDED);
        if (chance(m, 2))
                store_activate(m->s, batch, m->now_s);
}

static bool is_named(struct model *m, uint32_t window)
{
        _cleanup_(txn_abortp) struct txn *txn = store_read(m->s);

        for (uint32_t i = 1; i <= N_SERIALS; i++) {
                struct exception x;
                struct record r;

                assert_int_equal(record_get(txn, CA, serial(i), &r), OK);
                if (r.window == window || (exception_get(txn, CA, serial(i), &x) == OK && x.window == window))
                        return true;
        }
        return false;
}

/* All that were over when it began are gone, but those that are named; nothing else is. (A named one may have come loose meanwhile.) */
static void assert_purged(struct model *m)
{
        unsigned n_kept = 0, n_named = 0;

        for (unsigned k = 0; k < m->n; k++) {
                bool over = m->next_updates[k] <= m->horizon_s, there = is_there(m->s, m->windows[k]);

                if (is_named(m, m->windows[k])) {
                        assert_true(there);
                        n_named += over;
                }
                if (!over)
                        assert_true(there);
                n_kept += over && there && k < m->n_before;
        }
        assert_true(n_kept <= n_named + N_SERIALS);
}

static void step_purge(struct model *m)
{
        if (!m->purge) {
                m->horizon_s = m->now_s - DAY / 2;
                m->n_before = m->n;
                m->purge = begin(m->s, m->horizon_s, MAX_WINDOWS);
                m->is_looked = false;
        } else if (!m->is_looked) {
                m->is_looked = !look(m->s, m->purge, 1 + chance(m, 40));
        } else if (!delete(m->s, m->purge, 1 + chance(m, 5), &m->n_deleted)) {
                window_purge_free(m->purge);
                m->purge = NULL;
                m->n_purges++;
                assert_purged(m);
        }
        if (m->purge && chance(m, 60) == 0) { /* a crash: nothing of it is remembered */
                window_purge_free(m->purge);
                m->purge = NULL;
        }
}

/* What is promised from now on is what all windows ever made would promise. */
static void assert_promise(struct model *m)
{
        _cleanup_(txn_abortp) struct txn *txn = store_read(m->s);
        int64_t promised_s, latest_s = 0;

        for (unsigned k = 0; k < m->n; k++)
                latest_s = m->next_updates[k] > latest_s ? m->next_updates[k] : latest_s;
        assert_int_equal(window_get_promise(txn, CA, serial(1), m->now_s, &promised_s), OK);
        if (latest_s >= m->now_s)
                assert_int_equal(promised_s, latest_s);
}

static void step(struct model *m)
{
        static void (*const steps[])(struct model *) = {
                put_window, put_window, sign_any, sign_any, sign_any, sign_any, change_any, stage_any, step_purge, step_purge, step_purge, step_purge};

        steps[chance(m, sizeof(steps) / sizeof(steps[0]))](m);
        m->now_s += chance(m, 4 * 3600);
}

static void whatever_happens_no_row_names_a_window_that_is_gone(void **state)
{
        struct model m = {.s = *state, .now_s = T0, .seed = 20261121};

        store_add(m.s, 1, N_SERIALS, 0);
        for (unsigned i = 0; i < 12000; i++) {
                step(&m);
                if (i % 50 == 0) {
                        store_assert_clean(m.s);
                        assert_promise(&m);
                }
        }
        window_purge_free(m.purge);
        store_assert_clean(m.s);
        assert_true(m.n_purges > 10 && m.n_deleted > 1000); /* it did happen */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_no_row_names_goes_once_it_is_over),
                TEST(what_a_record_or_an_exception_names_stays),
                TEST(what_a_staged_row_had_been_signed_under_stays),
                TEST(an_id_is_never_given_again),
                TEST(a_signature_that_is_late_names_no_window_that_is_being_forgotten_or_gone),
                TEST(a_purge_that_is_over_refuses_nothing),
                TEST(a_purge_takes_no_more_than_it_may_and_says_so),
                TEST(whatever_happens_no_row_names_a_window_that_is_gone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
