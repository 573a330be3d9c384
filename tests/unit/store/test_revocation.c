/* One serial: what a revocation does, what it never does, and what each step answers. */
#include "store_helper.h"

static void good_becomes_revoked_with_the_commit(void **state)
{
        struct store *s = *state;
        struct env *reader = store_reader(s);
        struct status status;
        struct txn *turn;

        store_add(s, 1, 3, 0);
        assert_int_equal(txn_turn_begin(reader, &turn), OK);
        assert_int_equal(status_get(turn, CA, serial(2), &status), OK);
        assert_int_equal(status.ocsp.cert_status, OCSP_GOOD);
        assert_int_equal(txn_turn_end(turn), OK);
        assert_int_equal(store_revoke(s, 2, REASON_SUPERSEDED, 0, T0), REVOCATION_NEW);
        assert_int_equal(txn_turn_begin(reader, &turn), OK);
        assert_int_equal(status_get(turn, CA, serial(2), &status), OK);
        assert_int_equal(status.ocsp.cert_status, OCSP_REVOKED);
        assert_int_equal(status.ocsp.reason, REASON_SUPERSEDED);
        assert_int_equal(status.ocsp.revoked_at_s, T0);
        assert_int_equal(status.changed_at_s, T0);
        assert_int_equal(status.generation, 1);
        assert_int_equal(status_get(turn, CA, serial(1), &status), OK);
        assert_int_equal(status.ocsp.cert_status, OCSP_GOOD);
        env_close(reader);
        store_assert_clean(s);
}

/* req 2.2, 2.3 */
static void a_serial_that_was_not_issued_is_unknown_and_cannot_be_revoked(void **state)
{
        struct store *s = *state;
        struct status status;
        struct txn *txn;

        store_add(s, 1, 1, 0);
        assert_int_equal(store_revoke(s, 2, REASON_SUPERSEDED, 0, T0), REVOCATION_UNKNOWN);
        txn = store_read(s);
        assert_int_equal(status_get(txn, CA, serial(2), &status), ERR_NOT_FOUND);
        assert_int_equal(status_get(txn, CA + 1, serial(1), &status), ERR_NOT_FOUND);
        assert_int_equal(event_last(txn), 0);
        txn_abort(txn);
}

static void the_same_revocation_twice_changes_nothing(void **state)
{
        struct store *s = *state;

        store_add(s, 1, 1, 0);
        store_revoke(s, 1, REASON_SUPERSEDED, T0 - 10, T0);
        assert_int_equal(store_revoke(s, 1, REASON_SUPERSEDED, T0 - 10, T0 + 5), REVOCATION_NOTHING);
        assert_int_equal(store_revoke(s, 1, REASON_SUPERSEDED, 0, T0 + 5), REVOCATION_NOTHING);
        assert_int_equal(store_revoke(s, 1, REASON_SUPERSEDED, T0, T0 + 5), REVOCATION_NOTHING);
        assert_int_equal(store_status(s, 1).generation, 1);
}

/* BR 7.2.2, req 4.10 */
static void a_reason_is_raised_to_key_compromise_and_never_lowered(void **state)
{
        struct store *s = *state;

        store_add(s, 1, 1, 0);
        store_revoke(s, 1, REASON_SUPERSEDED, T0 - 10, T0);
        assert_int_equal(store_revoke(s, 1, REASON_CESSATION_OF_OPERATION, 0, T0 + 5), REVOCATION_REFUSED);
        assert_int_equal(store_revoke(s, 1, REASON_KEY_COMPROMISE, T0 + 5, T0 + 5), REVOCATION_UPGRADE);
        assert_int_equal(store_status(s, 1).ocsp.reason, REASON_KEY_COMPROMISE);
        assert_int_equal(store_status(s, 1).ocsp.revoked_at_s, T0 - 10);
        assert_int_equal(store_status(s, 1).generation, 2);
        assert_int_equal(store_revoke(s, 1, REASON_SUPERSEDED, T0 - 99, T0 + 9), REVOCATION_REFUSED);
        assert_int_equal(store_status(s, 1).ocsp.reason, REASON_KEY_COMPROMISE);
        store_assert_clean(s);
}

/* req 4.10 */
static void a_revocation_date_only_moves_back(void **state)
{
        struct store *s = *state;

        store_add(s, 1, 1, 0);
        store_revoke(s, 1, REASON_KEY_COMPROMISE, T0, T0);
        assert_int_equal(store_revoke(s, 1, REASON_KEY_COMPROMISE, T0 - 100, T0 + 5), REVOCATION_UPGRADE);
        assert_int_equal(store_status(s, 1).ocsp.revoked_at_s, T0 - 100);
        assert_int_equal(store_revoke(s, 1, REASON_KEY_COMPROMISE, T0 - 50, T0 + 6), REVOCATION_NOTHING);
        assert_int_equal(store_status(s, 1).ocsp.revoked_at_s, T0 - 100);
        store_assert_clean(s);
}

/* RFC 5280 5.3.1, req 2.11 */
static void a_hold_is_lifted_or_made_final_and_nothing_else_is_undone(void **state)
{
        struct store *s = *state;
        struct status status;
        struct txn *txn;

        store_add(s, 1, 2, 0);
        assert_int_equal(store_revoke(s, 1, REASON_CERTIFICATE_HOLD, 0, T0), REVOCATION_NEW);
        status = store_status(s, 1);
        assert_true(status.held);
        assert_int_equal(status.ocsp.cert_status, OCSP_REVOKED);
        store_release(s, 1, T0 + 10);
        status = store_status(s, 1);
        assert_int_equal(status.ocsp.cert_status, OCSP_GOOD);
        assert_int_equal(status.generation, 2);
        assert_int_equal(status.changed_at_s, T0 + 10);
        store_assert_clean(s);
        assert_int_equal(store_revoke(s, 1, REASON_CERTIFICATE_HOLD, 0, T0 + 20), REVOCATION_NEW);
        assert_int_equal(store_revoke(s, 1, REASON_SUPERSEDED, 0, T0 + 30), REVOCATION_FROM_HOLD);
        assert_int_equal(store_status(s, 1).ocsp.revoked_at_s, T0 + 20);
        assert_int_equal(store_revoke(s, 1, REASON_CERTIFICATE_HOLD, 0, T0 + 40), REVOCATION_REFUSED);
        txn = store_begin(s);
        assert_int_equal(revocation_release(txn, CA, serial(1), T0 + 50, ACTOR, RESERVE), ERR_NOT_FOUND);
        assert_int_equal(revocation_release(txn, CA, serial(2), T0 + 50, ACTOR, RESERVE), ERR_NOT_FOUND);
        txn_abort(txn);
        store_assert_clean(s);
}

static void reasons_that_no_revocation_has_are_refused(void **state)
{
        struct store *s = *state;
        struct revocation r = {.ca_key = CA, .serial = serial(1), .reason = REASON_REMOVE_FROM_CRL};
        enum revocation_effect effect;
        struct txn *txn;

        store_add(s, 1, 1, 0);
        txn = store_begin(s);
        assert_int_equal(revocation_apply(txn, &r, T0, ACTOR, RESERVE, &effect), ERR_INVALID);
        txn_abort(txn);
}

/* ---- signatures ---- */

static void a_late_signature_of_an_older_generation_is_dropped(void **state)
{
        struct store *s = *state;
        uint32_t w;

        store_add(s, 1, 1, 0);
        w = store_window(s, T0, T0 + 1000);
        assert_int_equal(store_sign(s, 1, 0, w, 1), OK);
        store_revoke(s, 1, REASON_SUPERSEDED, 0, T0);
        assert_int_equal(store_sign(s, 1, 0, w, 2), ERR_STALE);
        assert_int_equal(store_status(s, 1).window, 0);
        assert_int_equal(store_sign(s, 1, 1, w, 3), OK);
        assert_int_equal(store_status(s, 1).window, w);
        store_revoke(s, 1, REASON_KEY_COMPROMISE, 0, T0);
        assert_int_equal(store_status(s, 1).window, 0);
        assert_int_equal(store_sign(s, 1, 1, w, 4), ERR_STALE);
        store_assert_clean(s);
}

static void a_window_older_than_the_change_or_than_the_stored_one_is_refused(void **state)
{
        struct store *s = *state;
        uint32_t early, late;

        store_add(s, 1, 2, 0);
        early = store_window(s, T0 - 1, T0 + 1000);
        late = store_window(s, T0, T0 + 1000);
        store_revoke(s, 1, REASON_SUPERSEDED, 0, T0);
        assert_int_equal(store_sign(s, 1, 1, early, 1), ERR_STALE);
        assert_int_equal(store_sign(s, 2, 0, late, 1), OK);
        assert_int_equal(store_sign(s, 2, 0, early, 2), ERR_STALE);
        assert_int_equal(store_status(s, 2).window, late);
        assert_int_equal(store_sign(s, 9, 0, late, 1), ERR_NOT_FOUND);
}

static enum err sign_under(struct store *s, uint32_t i, struct window *w)
{
        struct txn *txn = store_begin(s);
        enum err e;

        w->id = window_put(txn, w);
        e = status_sign(txn, CA, serial(i), 0, w, BYTES_LIT("0123456789012345678901234567890123456789012345678901234567890123"));
        store_commit(txn);
        return e;
}

/* A restored backup: what an earlier epoch signed as good is void, though its window may be the newer one. */
static void a_signature_of_an_earlier_epoch_gives_way(void **state)
{
        struct store *s = *state;
        struct window w = {.ca_key = CA, .signer = 1, .epoch = 1, .this_update_s = T0 + 50, .next_update_s = T0 + 1000};

        store_add(s, 1, 1, 0);
        assert_int_equal(sign_under(s, 1, &w), OK);
        w.this_update_s = T0;
        assert_int_equal(sign_under(s, 1, &w), ERR_STALE);
        w.epoch = 2;
        assert_int_equal(sign_under(s, 1, &w), OK);
        assert_int_equal(store_status(s, 1).window, w.id);
}

static void a_window_of_another_ca_signs_nothing(void **state)
{
        struct store *s = *state;
        struct window w = {.ca_key = CA + 1, .signer = 1, .epoch = 1, .this_update_s = T0, .next_update_s = T0 + 1000};

        store_add(s, 1, 1, 0);
        assert_int_equal(sign_under(s, 1, &w), ERR_INVALID);
        assert_int_equal(store_status(s, 1).window, 0);
}

static uint32_t good_until(struct store *s, uint32_t i)
{
        struct txn *txn = store_read(s);
        struct record record;

        assert_int_equal(record_get(txn, CA, serial(i), &record), OK);
        txn_abort(txn);
        return record.good_until;
}

/* req 2.11: a good that stands in the exception row is promised all the same. */
static void the_good_of_a_released_hold_counts_among_the_promises(void **state)
{
        struct store *s = *state;

        store_add(s, 1, 1, 0);
        store_revoke(s, 1, REASON_CERTIFICATE_HOLD, 0, T0);
        assert_int_equal(store_sign(s, 1, 1, store_window(s, T0, T0 + 900), 1), OK);
        assert_int_equal(good_until(s, 1), 0);
        store_release(s, 1, T0 + 1);
        assert_int_equal(store_sign(s, 1, 2, store_window(s, T0 + 1, T0 + 1000), 2), OK);
        assert_int_equal(good_until(s, 1), T0 + 1000);
        assert_int_equal(store_sign(s, 1, 2, store_window(s, T0 + 2, T0 + 500), 3), OK);
        assert_int_equal(good_until(s, 1), T0 + 1000);
}

/* By a clock that stands before it: no window of between may vouch for the new status. */
static void the_time_of_a_change_never_goes_back(void **state)
{
        struct store *s = *state;

        store_add(s, 1, 2, 0);
        store_revoke(s, 1, REASON_SUPERSEDED, 0, T0);
        store_revoke(s, 1, REASON_KEY_COMPROMISE, 0, T0 - 100);
        assert_int_equal(store_status(s, 1).changed_at_s, T0);
        store_revoke(s, 2, REASON_CERTIFICATE_HOLD, 0, T0);
        store_release(s, 2, T0 - 100);
        assert_int_equal(store_status(s, 2).changed_at_s, T0);
}

/* In one second with the hold's signature: it would be put under a good that it was not made for. */
static void a_release_takes_the_holds_signature_along(void **state)
{
        struct store *s = *state;
        uint32_t w;

        store_add(s, 1, 1, 0);
        store_revoke(s, 1, REASON_CERTIFICATE_HOLD, 0, T0);
        w = store_window(s, T0, T0 + 900);
        assert_int_equal(store_sign(s, 1, 1, w, 1), OK);
        assert_int_equal(store_status(s, 1).window, w);
        store_release(s, 1, T0);
        assert_int_equal(store_status(s, 1).window, 0);
        assert_int_equal(store_status(s, 1).signature.len, 0);
        assert_int_equal(store_sign(s, 1, 1, w, 1), ERR_STALE); /* late */
}

/* A revoked serial that has lost its record is a broken store, not one that was never issued. */
static void a_revocation_without_its_record_is_told_as_corrupt(void **state)
{
        struct store *s = *state;
        struct key key = key_serial(CA, serial(1));
        struct status status;
        struct txn *txn;

        store_add(s, 1, 1, 0);
        store_revoke(s, 1, REASON_SUPERSEDED, 0, T0);
        txn = store_begin(s);
        txn_delete(txn, TABLE_RECORD, key_bytes(&key));
        store_commit(txn);
        txn = store_read(s);
        assert_int_equal(status_get(txn, CA, serial(1), &status), ERR_CORRUPT);
        txn_abort(txn);
}

static void good_until_is_the_latest_promise_and_signing_rewrites_in_place(void **state)
{
        struct store *s = *state;
        struct key key = key_serial(CA, serial(1));
        struct record record;
        struct bytes before, after;
        struct txn *txn;
        size_t len;

        store_add(s, 1, 1, 0);
        txn = store_read(s);
        assert_int_equal(txn_get(txn, TABLE_RECORD, key_bytes(&key), &before), OK);
        len = before.len;
        txn_abort(txn);
        assert_int_equal(store_sign(s, 1, 0, store_window(s, T0, T0 + 1000), 1), OK);
        assert_int_equal(store_sign(s, 1, 0, store_window(s, T0 + 1, T0 + 500), 2), OK);
        txn = store_read(s);
        assert_int_equal(txn_get(txn, TABLE_RECORD, key_bytes(&key), &after), OK);
        assert_int_equal(after.len, len);
        assert_int_equal(record_read(after, &record), OK);
        assert_int_equal(record.good_until, T0 + 1000);
        assert_int_equal(record.signature.len, 64);
        assert_int_equal(record.signature.data[0], 2);
        txn_abort(txn);
}

static void a_signature_is_usable_inside_its_window_epoch_and_ca_only(void **state)
{
        struct store *s = *state;
        uint32_t id = store_window(s, T0, T0 + 1000);
        struct status status;
        struct window w;
        struct txn *txn;

        store_add(s, 1, 1, 0);
        assert_int_equal(store_sign(s, 1, 0, id, 1), OK);
        txn = store_read(s);
        assert_int_equal(status_get(txn, CA, serial(1), &status), OK);
        assert_int_equal(window_get(txn, id, &w), OK);
        assert_true(status_is_usable(&status, &w, CA, 1, T0));
        assert_true(status_is_usable(&status, &w, CA, 1, T0 + 999));
        assert_false(status_is_usable(&status, &w, CA, 1, T0 - 1));
        assert_false(status_is_usable(&status, &w, CA, 1, T0 + 1000));
        assert_false(status_is_usable(&status, &w, CA + 1, 1, T0));
        assert_false(status_is_usable(&status, &w, CA, 2, T0));
        w.id++;
        assert_false(status_is_usable(&status, &w, CA, 1, T0));
        w.id--;
        status.ocsp.cert_status = OCSP_REVOKED;
        assert_true(status_is_usable(&status, &w, CA, 2, T0));
        status.changed_at_s = T0 + 1;
        assert_false(status_is_usable(&status, &w, CA, 1, T0 + 1));
        txn_abort(txn);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(good_becomes_revoked_with_the_commit),
                CASE(a_serial_that_was_not_issued_is_unknown_and_cannot_be_revoked),
                CASE(the_same_revocation_twice_changes_nothing),
                CASE(a_reason_is_raised_to_key_compromise_and_never_lowered),
                CASE(a_revocation_date_only_moves_back),
                CASE(a_hold_is_lifted_or_made_final_and_nothing_else_is_undone),
                CASE(reasons_that_no_revocation_has_are_refused),
                CASE(a_late_signature_of_an_older_generation_is_dropped),
                CASE(a_window_older_than_the_change_or_than_the_stored_one_is_refused),
                CASE(a_signature_of_an_earlier_epoch_gives_way),
                CASE(a_window_of_another_ca_signs_nothing),
                CASE(the_good_of_a_released_hold_counts_among_the_promises),
                CASE(the_time_of_a_change_never_goes_back),
                CASE(a_release_takes_the_holds_signature_along),
                CASE(a_revocation_without_its_record_is_told_as_corrupt),
                CASE(good_until_is_the_latest_promise_and_signing_rewrites_in_place),
                CASE(a_signature_is_usable_inside_its_window_epoch_and_ca_only),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
