/* Events, windows, CAs, signers, the store's own facts, and that the check finds what is wrong. */
#include "store_helper.h"

#include "store/ca.h"
#include "store/job.h"
#include "store/signer.h"

/* ---- events ---- */

static void put_events(struct store *s, unsigned n)
{
        struct event event = {.time_s = T0, .kind = EVENT_ENGINE, .actor = ACTOR, .detail = BYTES_LIT("start")};
        struct txn *txn = store_begin(s);

        for (unsigned i = 0; i < n; i++)
                assert_int_equal(event_put(txn, &event), i + 1);
        store_commit(txn);
}

static enum err verify(struct store *s, uint64_t *ret_bad)
{
        struct txn *txn = store_read(s);
        enum err e = event_verify(txn, 1, event_last(txn), ret_bad);

        txn_abort(txn);
        return e;
}

static void a_changed_event_breaks_the_chain_where_it_stands(void **state)
{
        struct store *s = *state;
        struct key key = key_event(5);
        uint8_t row[256];
        struct bytes value;
        uint64_t bad = 0;
        struct txn *txn;

        put_events(s, 10);
        assert_int_equal(verify(s, &bad), OK);
        txn = store_begin(s);
        assert_int_equal(txn_get(txn, TABLE_EVENT, key_bytes(&key), &value), OK);
        memcpy(row, value.data, value.len);
        row[3] ^= 1;
        txn_put(txn, TABLE_EVENT, key_bytes(&key), bytes_make(row, value.len));
        store_commit(txn);
        assert_int_equal(verify(s, &bad), ERR_CORRUPT);
        assert_int_equal(bad, 5);
}

static void an_event_cut_out_breaks_the_chain(void **state)
{
        struct store *s = *state;
        struct key key = key_event(5);
        uint64_t bad = 0;
        struct txn *txn;

        put_events(s, 10);
        txn = store_begin(s);
        txn_delete(txn, TABLE_EVENT, key_bytes(&key));
        store_commit(txn);
        assert_int_equal(verify(s, &bad), ERR_CORRUPT);
        assert_int_equal(bad, 5);
        txn = store_read(s);
        assert_int_not_equal(store_contradictions(txn), 0);
        txn_abort(txn);
}

static void two_events_exchanged_break_the_chain(void **state)
{
        struct store *s = *state;
        struct key five = key_event(5), six = key_event(6);
        uint8_t a[256], b[256];
        struct bytes va, vb;
        uint64_t bad = 0;
        struct txn *txn;

        put_events(s, 10);
        txn = store_begin(s);
        assert_int_equal(txn_get(txn, TABLE_EVENT, key_bytes(&five), &va), OK);
        memcpy(a, va.data, va.len);
        assert_int_equal(txn_get(txn, TABLE_EVENT, key_bytes(&six), &vb), OK);
        memcpy(b, vb.data, vb.len);
        txn_put(txn, TABLE_EVENT, key_bytes(&five), bytes_make(b, vb.len));
        txn_put(txn, TABLE_EVENT, key_bytes(&six), bytes_make(a, va.len));
        store_commit(txn);
        assert_int_equal(verify(s, &bad), ERR_CORRUPT);
        assert_int_equal(bad, 5);
}

/* ---- windows ---- */

static void windows_come_back_as_they_were_and_the_cache_outlives_the_transaction(void **state)
{
        struct store *s = *state;
        struct window_cache *cache = window_cache_new(2);
        uint32_t ids[3];
        const struct window *w;
        struct txn *txn;

        assert_non_null(cache);
        for (int i = 0; i < 3; i++)
                ids[i] = store_window(s, T0 + i, T0 + 100 + i);
        for (int i = 0; i < 3; i++) {
                txn = store_read(s);
                w = window_cache_get(cache, txn, ids[i]);
                txn_abort(txn);
                assert_non_null(w);
                assert_int_equal(w->id, ids[i]);
                assert_int_equal(w->this_update_s, T0 + i);
                assert_int_equal(w->next_update_s, T0 + 100 + i);
                assert_int_equal(w->ca_key, CA);
                assert_int_equal(w->template.sig_alg, SIG_P256_SHA256);
                assert_true(bytes_equal(w->template.responder, BYTES_LIT("responder")));
                assert_true(bytes_equal(w->template.certs, BYTES_LIT("certs")));
        }
        txn = store_read(s);
        assert_null(window_cache_get(cache, txn, ids[2] + 1));
        assert_null(window_cache_get(cache, txn, 0));
        assert_int_equal(window_cache_get(cache, txn, ids[0])->this_update_s, T0);
        txn_abort(txn);
        window_cache_free(cache);
}

static void a_window_that_was_never_committed_is_not_in_the_cache_when_its_id_is_given_again(void **state)
{
        struct store *s = *state;
        struct window_cache *cache = window_cache_new(4);
        struct window w = {.ca_key = CA, .this_update_s = T0};
        struct txn *txn = store_begin(s);
        uint32_t id = window_put(txn, &w);

        assert_non_null(cache);
        assert_int_equal(window_cache_get(cache, txn, id)->this_update_s, T0);
        txn_abort(txn);
        assert_int_equal(store_window(s, T0 + 7, T0 + 100), id);
        txn = store_read(s);
        assert_int_equal(window_cache_get(cache, txn, id)->this_update_s, T0 + 7);
        txn_abort(txn);
        window_cache_free(cache);
}

static void what_one_ca_promised_binds_no_other(void **state)
{
        struct store *s = *state;
        struct window other = {.ca_key = CA + 1, .this_update_s = T0, .next_update_s = T0 + 5000};
        int64_t until_s = -1;
        struct txn *txn;

        store_window(s, T0, T0 + 100);
        txn = store_begin(s);
        assert_int_not_equal(window_put(txn, &other), 0);
        store_commit(txn);
        txn = store_read(s);
        assert_int_equal(window_get_promise(txn, CA, serial(1), T0, &until_s), OK);
        assert_int_equal(until_s, T0 + 100);
        assert_int_equal(window_get_promise(txn, CA + 1, serial(1), T0, &until_s), OK);
        assert_int_equal(until_s, T0 + 5000);
        txn_abort(txn);
}

/* ---- CAs and signers ---- */

static uint32_t put_ca(
        struct store *s, const char *label, const char *name, const char *spki, int64_t not_after_s, enum err expected)
{
        struct ca ca = {
                .label = bytes_str(label), .name = bytes_str(name), .spki = bytes_str(spki), .not_after_s = not_after_s};
        uint32_t id = 0;
        struct txn *txn = store_begin(s);

        assert_int_equal(ca_key_init(&ca.key, ca.name, ca.spki), OK);
        assert_int_equal(ca_put(txn, &ca, &id), expected);
        store_commit(txn);
        return id;
}

static uint32_t generation(struct store *s)
{
        struct txn *txn = store_read(s);
        uint32_t g;

        assert_int_equal(meta_get_generation(txn, &g), OK);
        txn_abort(txn);
        return g;
}

static void a_ca_is_its_name_and_key_and_keeps_its_id_when_renewed(void **state)
{
        struct store *s = *state;
        uint32_t a = put_ca(s, "one", "N1", "K1", T0, OK), b = put_ca(s, "two", "N1", "K2", T0, OK), id = 0, g;
        struct ca ca;
        struct txn *txn;

        assert_true(a != 0 && b != 0 && a != b);
        g = generation(s);
        assert_int_equal(put_ca(s, "one", "N1", "K1", T0, OK), a);
        assert_int_equal(generation(s), g);
        assert_int_equal(put_ca(s, "one", "N1", "K1", T0 + 5, OK), a);
        assert_true(generation(s) > g);
        put_ca(s, "one", "N3", "K3", T0, ERR_EXISTS);
        txn = store_read(s);
        assert_int_equal(ca_find(txn, BYTES_LIT("one"), &ca), OK);
        assert_int_equal(ca.id, a);
        assert_int_equal(ca.key.id, a);
        assert_int_equal(ca.not_after_s, T0 + 5);
        assert_true(ca_key_matches(&ca.key, HASH_SHA256, bytes_make(ca.key.name_hash[HASH_SHA256], 32),
                bytes_make(ca.key.key_hash[HASH_SHA256], 32)));
        assert_int_equal(ca_find(txn, BYTES_LIT("three"), &ca), ERR_NOT_FOUND);
        assert_int_equal(ca_next(txn, &id, &ca), OK);
        assert_int_equal(id, a);
        assert_int_equal(ca_next(txn, &id, &ca), OK);
        assert_int_equal(id, b);
        assert_int_equal(ca_next(txn, &id, &ca), ERR_NOT_FOUND);
        txn_abort(txn);
}

static void a_disabled_signer_stays_disabled_and_its_signatures_give_way(void **state)
{
        struct store *s = *state;
        struct signer signer = {.ca_key = CA,
                              .use = SIGNER_OCSP,
                              .sig_alg = SIG_P256_SHA256,
                              .spki = BYTES_LIT("k"),
                              .raw_len = 64},
                      got;
        uint32_t id, again, late, early;
        struct txn *txn = store_begin(s);

        assert_int_equal(signer_put(txn, &signer, &id), OK);
        store_commit(txn);
        assert_int_equal(id, 1);
        store_add(s, 1, 1, 0);
        late = store_window(s, T0 + 5, T0 + 100);
        early = store_window(s, T0, T0 + 100);
        assert_int_equal(store_sign(s, 1, 0, late, 1), OK);
        assert_int_equal(store_sign(s, 1, 0, early, 1), ERR_STALE);
        txn = store_begin(s);
        assert_int_equal(signer_disable(txn, id, T0), OK);
        assert_int_equal(signer_put(txn, &signer, &again), OK);
        assert_int_equal(again, id);
        assert_int_equal(signer_get(txn, id, &got), OK);
        assert_int_equal(got.disabled_at, T0);
        assert_int_equal(got.sig_alg, SIG_P256_SHA256);
        signer.key_label = BYTES_LIT("the same key under another name");
        assert_int_equal(signer_put(txn, &signer, &again), OK);
        assert_int_equal(again, id);
        assert_int_equal(signer_get(txn, id, &got), OK);
        assert_int_equal(got.disabled_at, T0);
        store_commit(txn);
        assert_int_equal(store_sign(s, 1, 0, early, 1), OK);
        txn = store_begin(s);
        signer.spki = BYTES_LIT("k2");
        assert_int_equal(signer_put(txn, &signer, &again), OK);
        assert_int_not_equal(again, id);
        txn_abort(txn);
}

/* ---- meta and jobs ---- */

static void time_never_goes_back_and_epochs_and_ids_only_grow(void **state)
{
        struct store *s = *state;
        uint32_t epoch, first;
        int64_t time_s;
        struct txn *txn = store_begin(s);

        assert_int_equal(meta_get_epoch(txn, &epoch), OK);
        assert_int_equal(epoch, 1);
        meta_bump_epoch(txn);
        meta_put_time(txn, T0);
        meta_put_time(txn, T0 - 100);
        first = meta_next_id(txn, META_WINDOW);
        assert_int_equal(meta_next_id(txn, META_WINDOW), first + 1);
        store_commit(txn);
        txn = store_begin(s);
        assert_int_equal(meta_get_epoch(txn, &epoch), OK);
        assert_int_equal(epoch, 2);
        assert_int_equal(meta_get_time(txn, T0 - 50, &time_s), OK);
        assert_int_equal(time_s, T0);
        assert_int_equal(meta_get_time(txn, T0 + 50, &time_s), OK);
        assert_int_equal(time_s, T0 + 50);
        assert_int_equal(meta_next_id(txn, META_WINDOW), first + 2);
        txn_abort(txn);
}

static void a_job_is_kept_by_name(void **state)
{
        struct store *s = *state;
        struct bytes value;
        struct txn *txn = store_begin(s);

        job_put(txn, "counts/1", BYTES_LIT("before"));
        job_put(txn, "counts/1", BYTES_LIT("here"));
        store_commit(txn);
        txn = store_read(s);
        assert_int_equal(job_get(txn, "counts/1", &value), OK);
        assert_true(bytes_equal(value, BYTES_LIT("here")));
        assert_int_equal(job_get(txn, "counts/2", &value), ERR_NOT_FOUND);
        txn_abort(txn);
}

/* ---- the check ---- */

static uint64_t contradictions_after(struct store *s, enum table table, struct bytes key)
{
        struct txn *txn = store_begin(s);
        uint64_t n;

        txn_delete(txn, table, key);
        n = store_contradictions(txn);
        txn_abort(txn);
        return n;
}

static void the_check_finds_each_row_that_is_missing(void **state)
{
        struct store *s = *state;
        struct key record = key_serial(CA, serial(1)), listed = key_crl_entry(CA, 0, serial(1)), window, batch_key, item,
                   index;
        uint32_t w = store_window(s, T0 + 5, T0 + 100), batch, staged;

        store_add(s, 1, 3, 0);
        batch = store_batch(s);
        store_stage(s, batch, 1, REASON_KEY_COMPROMISE);
        store_activate(s, batch, T0);
        assert_int_equal(store_sign(s, 1, 1, w, 1), OK);
        staged = store_batch(s);
        store_stage(s, staged, 2, REASON_KEY_COMPROMISE);
        store_revoke(s, 2, REASON_SUPERSEDED, 0, T0);
        store_assert_clean(s);
        window = key_id(w);
        batch_key = key_id(batch);
        item = key_item(batch, CA, serial(1));
        index = key_item_deferred(staged, CA, serial(2));
        assert_int_not_equal(contradictions_after(s, TABLE_RECORD, key_bytes(&record)), 0);
        assert_int_not_equal(contradictions_after(s, TABLE_EXCEPTION, key_bytes(&record)), 0);
        assert_int_not_equal(contradictions_after(s, TABLE_CRL_ENTRY, key_bytes(&listed)), 0);
        assert_int_not_equal(contradictions_after(s, TABLE_WINDOW, key_bytes(&window)), 0);
        assert_int_not_equal(contradictions_after(s, TABLE_BATCH, key_bytes(&batch_key)), 0);
        assert_int_not_equal(contradictions_after(s, TABLE_ITEM, key_bytes(&item)), 0);
        assert_int_not_equal(contradictions_after(s, TABLE_ITEM, key_bytes(&index)), 0);
        store_assert_clean(s);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(a_changed_event_breaks_the_chain_where_it_stands),
                CASE(an_event_cut_out_breaks_the_chain),
                CASE(two_events_exchanged_break_the_chain),
                CASE(windows_come_back_as_they_were_and_the_cache_outlives_the_transaction),
                CASE(a_window_that_was_never_committed_is_not_in_the_cache_when_its_id_is_given_again),
                CASE(what_one_ca_promised_binds_no_other),
                CASE(a_ca_is_its_name_and_key_and_keeps_its_id_when_renewed),
                CASE(a_disabled_signer_stays_disabled_and_its_signatures_give_way),
                CASE(time_never_goes_back_and_epochs_and_ids_only_grow),
                CASE(a_job_is_kept_by_name),
                CASE(the_check_finds_each_row_that_is_missing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
