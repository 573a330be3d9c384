/* Batches: invisible while staged, true at once when activated, gone when dropped; and what happens between two that
 * overlap. */
#include "store_helper.h"

#include <sys/wait.h>
#include <unistd.h>

static uint32_t stage_range(struct store *s, uint32_t from, uint32_t n, enum reason reason)
{
        uint32_t batch = store_batch(s);
        struct txn *txn = store_begin(s);

        for (uint32_t i = from; i < from + n; i++) {
                struct revocation r = {.ca_key = CA, .serial = serial(i), .reason = reason};
                enum revocation_effect effect;

                assert_int_equal(batch_stage(txn, batch, &r, RESERVE, &effect), OK);
                assert_int_equal(effect, REVOCATION_NEW);
        }
        store_commit(txn);
        return batch;
}

static unsigned count_revoked(struct txn *txn, uint32_t from, uint32_t n)
{
        struct status status;
        unsigned revoked = 0;

        for (uint32_t i = from; i < from + n; i++) {
                if (status_get(txn, CA, serial(i), &status) == OK && status.ocsp.cert_status == OCSP_REVOKED)
                        revoked++;
        }
        return revoked;
}

static unsigned count_listed(struct txn *txn)
{
        struct crl_entry entry;
        struct crl_walk *walk;
        unsigned n = 0;

        assert_int_equal(crl_walk_full(txn, CA, 0, &walk), OK);
        while (crl_walk_next(walk, &entry) == OK)
                n++;
        crl_walk_free(walk);
        return n;
}

static void a_staged_batch_is_invisible_and_activation_flips_all_of_it(void **state)
{
        struct store *s = *state;
        uint32_t batch;
        struct status status;
        struct txn *txn;

        store_add(s, 0, 5000, 0);
        batch = stage_range(s, 100, 3000, REASON_KEY_COMPROMISE);
        txn = store_read(s);
        assert_int_equal(count_revoked(txn, 0, 5000), 0);
        assert_int_equal(count_listed(txn), 0);
        txn_abort(txn);
        store_activate(s, batch, T0 + 5);
        txn = store_read(s);
        assert_int_equal(count_revoked(txn, 0, 5000), 3000);
        assert_int_equal(count_listed(txn), 3000);
        assert_int_equal(status_get(txn, CA, serial(100), &status), OK);
        assert_int_equal(status.ocsp.revoked_at_s, T0 + 5);
        assert_int_equal(status.changed_at_s, T0 + 5);
        assert_int_equal(status.ocsp.reason, REASON_KEY_COMPROMISE);
        txn_abort(txn);
        assert_int_equal(store_get_batch(s, batch).n_items, 3000);
        store_assert_clean(s);
}

/* In a process of its own, without a lock: sees none, then all, never a part. Exits 0 when it has seen all. */
static void watch(const struct store *s, uint32_t n)
{
        struct env *env = store_reader(s);
        struct txn *turn;
        unsigned revoked = 0;

        while (revoked != n) {
                if (txn_turn_begin(env, &turn) != OK)
                        _exit(2);
                revoked = count_revoked(turn, 0, n);
                if (txn_turn_end(turn) == OK && revoked != 0 && revoked != n)
                        _exit(1);
        }
        _exit(0);
}

static void another_process_sees_none_or_all(void **state)
{
        struct store *s = *state;
        uint32_t batch, n = 2000;
        int status;
        pid_t pid;

        store_add(s, 0, n, 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                watch(s, n);
        batch = stage_range(s, 0, n, REASON_KEY_COMPROMISE);
        store_activate(s, batch, T0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_batch_is_activated_once(void **state)
{
        struct store *s = *state;
        uint32_t batch;
        struct txn *txn;

        store_add(s, 1, 1, 0);
        batch = stage_range(s, 1, 1, REASON_SUPERSEDED);
        store_activate(s, batch, T0);
        txn = store_begin(s);
        assert_int_equal(batch_activate(txn, batch, T0, ACTOR, RESERVE), ERR_STALE);
        txn_abort(txn);
        txn = store_begin(s);
        assert_int_equal(batch_activate(txn, batch + 1, T0, ACTOR, RESERVE), ERR_NOT_FOUND);
        txn_abort(txn);
}

static void a_staged_row_is_not_signed_but_the_good_record_under_it_is(void **state)
{
        struct store *s = *state;
        uint32_t w = store_window(s, T0, T0 + 1000);

        store_add(s, 1, 1, 0);
        stage_range(s, 1, 1, REASON_SUPERSEDED);
        assert_int_equal(store_sign(s, 1, 1, w, 1), ERR_STALE);
        assert_int_equal(store_sign(s, 1, 0, w, 1), OK);
        assert_int_equal(store_status(s, 1).window, w);
        store_assert_clean(s);
}

static void the_ledger_counts_each_signature_once_and_again_after_a_change(void **state)
{
        struct store *s = *state;
        uint32_t w = store_window(s, T0, T0 + 1000), batch;

        store_add(s, 1, 2, 0);
        batch = stage_range(s, 1, 2, REASON_SUPERSEDED);
        store_activate(s, batch, T0);
        assert_int_equal(store_sign(s, 1, 1, w, 1), OK);
        assert_int_equal(store_sign(s, 1, 1, w, 1), OK);
        assert_int_equal(store_get_batch(s, batch).n_signed, 1);
        assert_int_equal(store_revoke(s, 1, REASON_KEY_COMPROMISE, 0, T0), REVOCATION_UPGRADE);
        assert_int_equal(store_get_batch(s, batch).n_signed, 0);
        assert_int_equal(store_sign(s, 1, 2, w, 2), OK);
        assert_int_equal(store_sign(s, 2, 1, w, 2), OK);
        assert_int_equal(store_get_batch(s, batch).n_signed, 2);
        store_assert_clean(s);
}

static void a_direct_revocation_over_a_staged_row_defers_it_and_activation_applies_the_rules(void **state)
{
        struct store *s = *state;
        uint32_t batch;

        store_add(s, 1, 3, 0);
        batch = stage_range(s, 1, 3, REASON_KEY_COMPROMISE);
        assert_int_equal(store_revoke(s, 2, REASON_SUPERSEDED, 0, T0), REVOCATION_NEW);
        assert_int_equal(store_status(s, 2).ocsp.reason, REASON_SUPERSEDED);
        assert_int_equal(store_status(s, 2).generation, 1);
        assert_int_equal(store_get_batch(s, batch).n_deferred, 1);
        store_assert_clean(s);
        store_activate(s, batch, T0 + 9);
        assert_int_equal(store_status(s, 2).ocsp.reason, REASON_KEY_COMPROMISE);
        assert_int_equal(store_status(s, 2).ocsp.revoked_at_s, T0);
        assert_int_equal(store_status(s, 2).changed_at_s, T0 + 9);
        assert_int_equal(store_status(s, 2).generation, 2);
        assert_int_equal(store_status(s, 2).batch, batch);
        store_assert_clean(s);
}

static void what_was_made_stronger_meanwhile_is_not_weakened_by_the_activation(void **state)
{
        struct store *s = *state;
        uint32_t w = store_window(s, T0, T0 + 1000), batch;

        store_add(s, 1, 3, 0);
        batch = stage_range(s, 1, 3, REASON_SUPERSEDED);
        store_revoke(s, 1, REASON_KEY_COMPROMISE, 0, T0);
        store_revoke(s, 2, REASON_KEY_COMPROMISE, 0, T0);
        assert_int_equal(store_sign(s, 2, 1, w, 5), OK);
        store_activate(s, batch, T0 + 9);
        assert_int_equal(store_status(s, 1).ocsp.reason, REASON_KEY_COMPROMISE);
        assert_int_equal(store_status(s, 1).generation, 1);
        assert_int_equal(store_status(s, 2).window, w);
        /* The ledger keeps what nobody else's does: 2 is signed, 1 and 3 are not yet. */
        assert_int_equal(store_get_batch(s, batch).n_signed, 1);
        w = store_window(s, T0 + 9, T0 + 1000);
        assert_int_equal(store_sign(s, 1, 1, w, 5), OK);
        assert_int_equal(store_sign(s, 3, 1, w, 5), OK);
        assert_int_equal(store_get_batch(s, batch).n_signed, 3);
        store_assert_clean(s);
}

static void two_batches_over_the_same_serials_both_complete(void **state)
{
        struct store *s = *state;
        uint32_t a, b, w;

        store_add(s, 1, 4, 0);
        a = stage_range(s, 1, 3, REASON_SUPERSEDED);
        b = stage_range(s, 2, 3, REASON_KEY_COMPROMISE);
        assert_int_equal(store_get_batch(s, b).n_deferred, 2);
        store_assert_clean(s);
        store_activate(s, b, T0 + 1);
        assert_int_equal(store_get_batch(s, a).n_deferred, 2);
        assert_int_equal(store_status(s, 1).ocsp.cert_status, OCSP_GOOD);
        assert_int_equal(store_status(s, 2).ocsp.reason, REASON_KEY_COMPROMISE);
        store_assert_clean(s);
        store_activate(s, a, T0 + 2);
        assert_int_equal(store_status(s, 1).ocsp.reason, REASON_SUPERSEDED);
        assert_int_equal(store_status(s, 2).ocsp.reason, REASON_KEY_COMPROMISE);
        store_assert_clean(s);
        w = store_window(s, T0 + 5, T0 + 1000);
        for (uint32_t i = 1; i <= 4; i++)
                assert_int_equal(store_sign(s, i, 1, w, 1), OK);
        assert_int_equal(store_get_batch(s, a).n_signed, 3);
        assert_int_equal(store_get_batch(s, b).n_signed, 3);
        store_assert_clean(s);
}

static void an_upgrade_by_a_later_batch_takes_the_row_over(void **state)
{
        struct store *s = *state;
        uint32_t a, b, w = store_window(s, T0 + 5, T0 + 1000);

        store_add(s, 1, 2, 0);
        a = stage_range(s, 1, 2, REASON_SUPERSEDED);
        store_activate(s, a, T0 + 1);
        b = store_batch(s);
        assert_int_equal(store_stage(s, b, 1, REASON_KEY_COMPROMISE), REVOCATION_UPGRADE);
        assert_int_equal(store_stage(s, b, 2, REASON_SUPERSEDED), REVOCATION_NOTHING);
        assert_int_equal(store_get_batch(s, b).n_items, 1);
        store_activate(s, b, T0 + 2);
        assert_int_equal(store_status(s, 1).batch, b);
        assert_int_equal(store_sign(s, 1, 2, w, 1), OK);
        assert_int_equal(store_sign(s, 2, 1, w, 1), OK);
        assert_int_equal(store_get_batch(s, a).n_signed, 2);
        assert_int_equal(store_get_batch(s, b).n_signed, 1);
        store_assert_clean(s);
}

static void a_dropped_batch_leaves_nothing_behind_and_cannot_be_activated_half_way(void **state)
{
        struct store *s = *state;
        uint32_t batch, calls = 0;
        bool left = true;
        struct txn *txn;

        store_add(s, 1, 100, 0);
        batch = stage_range(s, 1, 100, REASON_SUPERSEDED);
        store_revoke(s, 50, REASON_KEY_COMPROMISE, 0, T0);
        while (left) {
                txn = store_begin(s);
                assert_int_equal(batch_drop(txn, batch, 30, &left), OK);
                store_commit(txn);
                store_assert_clean(s);
                calls++;
                txn = store_read(s); /* what is left of it has no effect */
                assert_int_equal(count_revoked(txn, 1, 100), 1);
                assert_int_equal(count_listed(txn), 1);
                txn_abort(txn);
                txn = store_begin(s);
                assert_int_equal(batch_activate(txn, batch, T0, ACTOR, RESERVE), ERR_STALE);
                txn_abort(txn);
        }
        assert_int_equal(calls, 4);
        txn = store_read(s);
        assert_int_equal(count_revoked(txn, 1, 100), 1);
        assert_int_equal(txn_count(txn, TABLE_ITEM), 0);
        assert_int_equal(txn_count(txn, TABLE_EXCEPTION), 1);
        assert_int_equal(txn_count(txn, TABLE_CRL_ENTRY), 1);
        txn_abort(txn);
        assert_int_equal(store_get_batch(s, batch).state, BATCH_DROPPED);
        assert_int_equal(store_get_batch(s, batch).n_items, 0);
        store_activate(s, stage_range(s, 1, 10, REASON_SUPERSEDED), T0);
        store_assert_clean(s);
}

static void a_batch_that_was_deferred_behind_a_dropped_one_still_revokes(void **state)
{
        struct store *s = *state;
        uint32_t a, b;
        bool left;
        struct txn *txn;

        store_add(s, 1, 1, 0);
        a = stage_range(s, 1, 1, REASON_SUPERSEDED);
        b = stage_range(s, 1, 1, REASON_KEY_COMPROMISE);
        txn = store_begin(s);
        assert_int_equal(batch_drop(txn, a, 10, &left), OK);
        assert_false(left);
        store_commit(txn);
        store_activate(s, b, T0);
        assert_int_equal(store_status(s, 1).ocsp.reason, REASON_KEY_COMPROMISE);
        store_assert_clean(s);
}

static void what_is_active_is_never_dropped(void **state)
{
        struct store *s = *state;
        bool left = false;
        uint32_t batch;
        struct txn *txn;

        store_add(s, 1, 10, 0);
        batch = stage_range(s, 1, 10, REASON_SUPERSEDED);
        store_activate(s, batch, T0);
        txn = store_begin(s);
        assert_int_equal(batch_drop(txn, batch, 100, &left), ERR_STALE);
        store_commit(txn);
        txn = store_read(s);
        assert_int_equal(count_revoked(txn, 1, 10), 10);
        txn_abort(txn);
}

static void staging_refuses_unknown_serials_doubles_and_other_cas(void **state)
{
        struct store *s = *state;
        struct revocation r = {.ca_key = CA, .serial = serial(1), .reason = REASON_SUPERSEDED};
        enum revocation_effect effect;
        uint32_t batch;
        struct txn *txn;

        store_add(s, 1, 1, 0);
        batch = store_batch(s);
        assert_int_equal(store_stage(s, batch, 9, REASON_SUPERSEDED), REVOCATION_UNKNOWN);
        assert_int_equal(store_stage(s, batch, 1, REASON_SUPERSEDED), REVOCATION_NEW);
        txn = store_begin(s);
        assert_int_equal(batch_stage(txn, batch, &r, RESERVE, &effect), ERR_EXISTS);
        r.ca_key = CA + 1;
        assert_int_equal(batch_stage(txn, batch, &r, RESERVE, &effect), ERR_INVALID);
        txn_abort(txn);
        assert_int_equal(store_get_batch(s, batch).n_items, 1);
}

static void activation_never_takes_a_time_behind_the_mark(void **state)
{
        struct store *s = *state;
        struct txn *txn;

        store_add(s, 1, 1, 0);
        txn = store_begin(s);
        meta_put_time(txn, T0 + 100);
        store_commit(txn);
        store_activate(s, stage_range(s, 1, 1, REASON_SUPERSEDED), T0);
        assert_int_equal(store_status(s, 1).changed_at_s, T0 + 100);
}

static void activation_sets_the_mark(void **state)
{
        struct store *s = *state;
        struct txn *txn;
        int64_t time_s;

        store_add(s, 1, 1, 0);
        store_activate(s, stage_range(s, 1, 1, REASON_SUPERSEDED), T0 + 50);
        txn = store_read(s);
        assert_int_equal(meta_get_time(txn, T0, &time_s), OK);
        assert_int_equal(time_s, T0 + 50);
        txn_abort(txn);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(a_staged_batch_is_invisible_and_activation_flips_all_of_it),
                CASE(another_process_sees_none_or_all),
                CASE(a_batch_is_activated_once),
                CASE(a_staged_row_is_not_signed_but_the_good_record_under_it_is),
                CASE(the_ledger_counts_each_signature_once_and_again_after_a_change),
                CASE(a_direct_revocation_over_a_staged_row_defers_it_and_activation_applies_the_rules),
                CASE(what_was_made_stronger_meanwhile_is_not_weakened_by_the_activation),
                CASE(two_batches_over_the_same_serials_both_complete),
                CASE(an_upgrade_by_a_later_batch_takes_the_row_over),
                CASE(a_dropped_batch_leaves_nothing_behind_and_cannot_be_activated_half_way),
                CASE(a_batch_that_was_deferred_behind_a_dropped_one_still_revokes),
                CASE(what_is_active_is_never_dropped),
                CASE(staging_refuses_unknown_serials_doubles_and_other_cas),
                CASE(activation_never_takes_a_time_behind_the_mark),
                CASE(activation_sets_the_mark),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
