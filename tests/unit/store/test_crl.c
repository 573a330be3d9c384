/* What CRLs list, and how they are numbered. */
#include "store_helper.h"

#include "store/crl_history.h"

struct listed {
        unsigned n;
        struct serial serials[64];
        enum reason reasons[64];
        int64_t revoked_at[64];
};

static struct listed take(struct crl_walk *walk)
{
        struct listed l = {0};
        struct crl_entry entry;

        while (crl_walk_next(walk, &entry) == OK) {
                assert_true(l.n < 64);
                assert_int_equal(serial_from_der(entry.serial, &l.serials[l.n]), OK);
                if (l.n > 0)
                        assert_true(bytes_compare(serial_bytes(&l.serials[l.n - 1]), entry.serial) < 0);
                l.revoked_at[l.n] = entry.revoked_at_s;
                l.reasons[l.n++] = entry.reason;
        }
        return l;
}

static struct listed full(struct store *s, uint16_t shard)
{
        struct txn *txn = store_read(s);
        struct crl_walk *walk;
        struct listed once, again;

        assert_int_equal(crl_walk_full(txn, CA, shard, &walk), OK);
        once = take(walk);
        crl_walk_rewind(walk);
        again = take(walk);
        assert_memory_equal(&once, &again, sizeof(once));
        crl_walk_free(walk);
        txn_abort(txn);
        return once;
}

static struct listed delta(struct store *s, uint16_t shard, uint64_t since)
{
        struct txn *txn = store_read(s);
        struct crl_walk *walk;
        struct listed once, again;

        assert_int_equal(crl_walk_delta(txn, CA, shard, since, &walk), OK);
        once = take(walk);
        crl_walk_rewind(walk);
        again = take(walk);
        assert_memory_equal(&once, &again, sizeof(once));
        crl_walk_free(walk);
        txn_abort(txn);
        return once;
}

static uint64_t last_event(struct store *s)
{
        struct txn *txn = store_read(s);
        uint64_t last = event_last(txn);

        txn_abort(txn);
        return last;
}

/* req 4.13 */
static void the_shards_together_list_what_is_revoked_and_nothing_else(void **state)
{
        struct store *s = *state;

        store_add(s, 1, 3, 0);
        store_add(s, 11, 3, 1);
        store_add(s, 21, 3, 2);
        store_revoke(s, 2, REASON_SUPERSEDED, 0, T0);
        store_revoke(s, 12, REASON_SUPERSEDED, 0, T0);
        store_revoke(s, 13, REASON_KEY_COMPROMISE, T0 - 7, T0);
        assert_int_equal(full(s, 0).n, 1);
        assert_int_equal(full(s, 1).n, 2);
        assert_int_equal(full(s, 1).reasons[1], REASON_KEY_COMPROMISE);
        assert_int_equal(full(s, 1).revoked_at[1], T0 - 7);
        assert_int_equal(full(s, 2).n, 0);
}

/* RFC 5280 5.2.4, req 4.4, 4.5 */
static void a_delta_lists_each_change_since_its_base_once_as_it_stands(void **state)
{
        struct store *s = *state;
        struct listed l;
        uint64_t base;

        store_add(s, 1, 9, 0);
        store_revoke(s, 1, REASON_SUPERSEDED, 0, T0);
        store_revoke(s, 2, REASON_CERTIFICATE_HOLD, 0, T0);
        base = last_event(s);
        assert_int_equal(delta(s, 0, base).n, 0);
        store_revoke(s, 5, REASON_SUPERSEDED, 0, T0 + 1);
        store_revoke(s, 5, REASON_KEY_COMPROMISE, 0, T0 + 2);
        store_release(s, 2, T0 + 3);
        store_revoke(s, 3, REASON_CERTIFICATE_HOLD, 0, T0 + 4);
        store_release(s, 3, T0 + 5);
        l = delta(s, 0, base);
        assert_int_equal(l.n, 3);
        assert_int_equal(l.reasons[0], REASON_REMOVE_FROM_CRL);
        assert_int_equal(l.revoked_at[0], T0 + 3);
        assert_int_equal(l.reasons[1], REASON_REMOVE_FROM_CRL);
        assert_int_equal(l.reasons[2], REASON_KEY_COMPROMISE);
        assert_int_equal(full(s, 0).n, 2);
        assert_int_equal(delta(s, 1, base).n, 0);
}

static void a_delta_lists_an_activated_batch_in_its_shard_and_not_a_staged_one(void **state)
{
        struct store *s = *state;
        struct listed l;
        uint64_t base;
        uint32_t batch;

        store_add(s, 1, 5, 0);
        store_add(s, 11, 5, 1);
        base = last_event(s);
        batch = store_batch(s);
        for (uint32_t i = 1; i <= 3; i++)
                store_stage(s, batch, i, REASON_KEY_COMPROMISE);
        store_stage(s, batch, 11, REASON_KEY_COMPROMISE);
        store_revoke(s, 2, REASON_SUPERSEDED, 0, T0);
        assert_int_equal(delta(s, 0, base).n, 1);
        store_activate(s, batch, T0 + 9);
        l = delta(s, 0, base);
        assert_int_equal(l.n, 3);
        assert_int_equal(l.reasons[1], REASON_KEY_COMPROMISE);
        assert_int_equal(l.revoked_at[1], T0);
        assert_int_equal(l.revoked_at[0], T0 + 9);
        assert_int_equal(delta(s, 1, base).n, 1);
        assert_int_equal(full(s, 1).n, 1);
        assert_int_equal(full(s, 1).revoked_at[0], T0 + 9);
}

/* req 4.10: whoever has the base has the old reason. */
static void a_delta_lists_what_was_made_stronger_since_its_base(void **state)
{
        struct store *s = *state;
        struct listed l;
        uint64_t base;

        store_add(s, 1, 1, 0);
        store_revoke(s, 1, REASON_SUPERSEDED, 0, T0);
        base = last_event(s);
        store_revoke(s, 1, REASON_KEY_COMPROMISE, 0, T0 + 1);
        l = delta(s, 0, base);
        assert_int_equal(l.n, 1);
        assert_int_equal(l.reasons[0], REASON_KEY_COMPROMISE);
}

static void what_happens_to_another_cas_serial_is_in_no_delta_of_ours(void **state)
{
        struct store *s = *state;
        struct event event = {.time_s = T0, .kind = EVENT_REVOKED, .ca_key = CA + 1, .serial = serial(1)};
        uint64_t base;
        struct txn *txn;

        store_add(s, 1, 1, 0);
        store_revoke(s, 1, REASON_SUPERSEDED, 0, T0);
        base = last_event(s);
        txn = store_begin(s);
        event_put(txn, &event);
        store_commit(txn);
        assert_int_equal(delta(s, 0, base).n, 0);
}

/* Their entries stand between each other, in order of serial. */
static void a_full_crl_lists_each_serial_by_the_state_and_time_of_its_own_batch(void **state)
{
        struct store *s = *state;
        uint32_t batches[3];
        struct listed l;

        store_add(s, 1, 6, 0);
        for (uint32_t i = 0; i < 3; i++)
                batches[i] = store_batch(s);
        for (uint32_t i = 0; i < 6; i++)
                store_stage(s, batches[i % 3], 1 + i, REASON_SUPERSEDED);
        store_activate(s, batches[0], T0 + 1);
        store_activate(s, batches[1], T0 + 2); /* the third is staged only */
        l = full(s, 0);
        assert_int_equal(l.n, 4);
        assert_int_equal(l.revoked_at[0], T0 + 1);
        assert_int_equal(l.revoked_at[1], T0 + 2);
        assert_int_equal(l.revoked_at[2], T0 + 1);
        assert_int_equal(l.revoked_at[3], T0 + 2);
}

/* ---- numbers ---- */

static uint64_t reserve(struct store *s, uint16_t shard, bool is_delta, uint64_t number, int64_t now_ms)
{
        struct crl_row row = {.is_delta = is_delta, .number = number, .file = BYTES_LIT("f")};
        struct txn *txn = store_begin(s);
        uint64_t got = crl_reserve(txn, CA, shard, &row, now_ms);

        if (got)
                store_commit(txn);
        else
                assert_int_equal(txn_commit(txn), ERR_RANGE);
        return got;
}

/* RFC 5280 5.2.3, req 4.2, 4.3 */
static void numbers_grow_even_when_the_clock_steps_back_or_the_store_is_reopened(void **state)
{
        struct store *s = *state;

        assert_int_equal(reserve(s, 0, false, 0, 5000), 5000);
        assert_int_equal(reserve(s, 0, false, 0, 4000), 5001);
        assert_int_equal(reserve(s, 0, true, 0, 4000), 5002);
        assert_int_equal(reserve(s, 1, true, 0, 4000), 4000);
        store_reopen(s);
        assert_int_equal(reserve(s, 0, false, 0, -1), 5003);
        assert_int_equal(reserve(s, 0, false, 0, 9000), 9000);
}

static void a_full_and_a_delta_issued_together_carry_one_number(void **state)
{
        struct store *s = *state;

        assert_int_equal(reserve(s, 0, false, 0, 5000), 5000);
        assert_int_equal(reserve(s, 0, true, 5000, 5000), 5000);
        assert_int_equal(reserve(s, 0, true, 5000, 5000), 0);
        assert_int_equal(reserve(s, 0, false, 5000, 5000), 0);
        assert_int_equal(reserve(s, 0, true, 4999, 5000), 0);
        assert_int_equal(reserve(s, 0, true, 0, 5000), 5001);
        assert_int_equal(reserve(s, 0, false, 5000, 5000), 0);
        assert_int_equal(reserve(s, 0, false, 5001, 5000), 5001);
        assert_int_equal(reserve(s, 2, false, 0, 5000), 5000);
        assert_int_equal(reserve(s, 2, true, 4999, 5000), 0); /* the first of its kind, and yet behind */
}

static void the_current_crl_is_the_newest_published_one_of_its_kind(void **state)
{
        struct store *s = *state;
        struct crl_row row = {.state = CRL_PUBLISHED, .n_entries = 3, .file = BYTES_LIT("full-1.crl"), .digest = {9}}, got;
        uint64_t position = UINT64_MAX;
        struct txn *txn = store_begin(s);

        row.number = 10;
        crl_put(txn, CA, 0, &row);
        row.number = 11;
        row.state = CRL_SIGNED;
        crl_put(txn, CA, 0, &row);
        row.is_delta = true;
        row.state = CRL_PUBLISHED;
        crl_put(txn, CA, 0, &row);
        row.number = 99;
        crl_put(txn, CA, 1, &row);
        store_commit(txn);
        txn = store_read(s);
        assert_int_equal(crl_current(txn, CA, 0, false, &got), OK);
        assert_int_equal(got.number, 10);
        assert_int_equal(got.n_entries, 3);
        assert_int_equal(got.digest[0], 9);
        assert_true(bytes_equal(got.file, BYTES_LIT("full-1.crl")));
        assert_int_equal(crl_current(txn, CA, 0, true, &got), OK);
        assert_int_equal(got.number, 11);
        assert_int_equal(crl_current(txn, CA, 1, false, &got), ERR_NOT_FOUND);
        assert_int_equal(crl_before(txn, CA, 0, &position, &got), OK);
        assert_true(got.number == 11 && got.is_delta);
        assert_int_equal(crl_before(txn, CA, 0, &position, &got), OK);
        assert_true(got.number == 11 && !got.is_delta);
        assert_int_equal(crl_before(txn, CA, 0, &position, &got), OK);
        assert_int_equal(got.number, 10);
        assert_int_equal(crl_before(txn, CA, 0, &position, &got), ERR_NOT_FOUND);
        txn_abort(txn);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(the_shards_together_list_what_is_revoked_and_nothing_else),
                CASE(a_delta_lists_each_change_since_its_base_once_as_it_stands),
                CASE(a_delta_lists_an_activated_batch_in_its_shard_and_not_a_staged_one),
                CASE(a_delta_lists_what_was_made_stronger_since_its_base),
                CASE(what_happens_to_another_cas_serial_is_in_no_delta_of_ours),
                CASE(a_full_crl_lists_each_serial_by_the_state_and_time_of_its_own_batch),
                CASE(numbers_grow_even_when_the_clock_steps_back_or_the_store_is_reopened),
                CASE(a_full_and_a_delta_issued_together_carry_one_number),
                CASE(the_current_crl_is_the_newest_published_one_of_its_kind),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
