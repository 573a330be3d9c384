/* Import: adds, never takes away. */
#include "store_helper.h"

#include "pki/certinfo.h"

static struct rowfile_row row_of(uint32_t i, uint8_t flags)
{
        struct rowfile_row row = {.line = i, .serial_len = 4, .flags = flags, .not_after = T0 + 1000};

        memcpy(row.serial, serial(i).data, 4);
        return row;
}

static enum import_effect import_one(struct store *s, const struct rowfile_row *row)
{
        enum import_effect effect;
        struct txn *txn = store_begin(s);

        assert_int_equal(import_row(txn, CA, row, T0, ACTOR, RESERVE, &effect), OK);
        store_commit(txn);
        return effect;
}

/* memory: of the caller, CERTINFO_MAX. */
static struct bytes info_of(uint8_t *memory, uint8_t cert, uint8_t precert, const char *subscriber)
{
        uint8_t a[32], b[32];
        struct certinfo info = {.subscriber = bytes_str(subscriber)};
        struct builder built = builder_fixed(memory, CERTINFO_MAX);

        memset(a, cert, sizeof(a));
        memset(b, precert, sizeof(b));
        if (cert)
                info.cert_sha256 = BYTES_OF(a);
        if (precert)
                info.precert_sha256 = BYTES_OF(b);
        certinfo_put(&built, &info);
        assert_false(builder_failed(&built));
        return builder_bytes(&built);
}

static void a_new_certificate_is_good_and_known_the_second_time(void **state)
{
        struct store *s = *state;
        struct rowfile_row row = row_of(1, 0);
        struct txn *txn;

        assert_int_equal(import_one(s, &row), IMPORT_NEW);
        assert_int_equal(import_one(s, &row), IMPORT_KNOWN);
        assert_int_equal(store_status(s, 1).ocsp.cert_status, OCSP_GOOD);
        assert_int_equal(store_status(s, 1).not_after, T0 + 1000);
        txn = store_read(s);
        assert_int_equal(txn_count(txn, TABLE_CERTINFO), 0);
        assert_int_equal(event_last(txn), 0);
        txn_abort(txn);
}

/* req 4.11: an entry that left its CRLs by a notAfter that came later would be gone too early. */
static void a_known_not_after_stays_as_it_is(void **state)
{
        struct store *s = *state;
        struct rowfile_row row = row_of(1, 0);

        row.not_after = 0;
        assert_int_equal(import_one(s, &row), IMPORT_NEW);
        row.not_after = T0 + 1000;
        assert_int_equal(import_one(s, &row), IMPORT_UPDATED);
        row.not_after = T0 + 10;
        import_one(s, &row);
        assert_int_equal(store_status(s, 1).not_after, T0 + 1000);
        row.not_after = 0;
        import_one(s, &row);
        assert_int_equal(store_status(s, 1).not_after, T0 + 1000);
}

static void an_import_never_unrevokes_or_weakens(void **state)
{
        struct store *s = *state;
        struct rowfile_row row = row_of(1, 0);

        import_one(s, &row);
        store_revoke(s, 1, REASON_KEY_COMPROMISE, T0 - 5, T0);
        assert_int_equal(import_one(s, &row), IMPORT_KEPT);
        row.flags = ROWFILE_REVOKED;
        row.reason = REASON_SUPERSEDED;
        row.revoked_at = T0 - 100;
        assert_int_equal(import_one(s, &row), IMPORT_KEPT);
        row.flags = ROWFILE_HELD;
        row.reason = REASON_CERTIFICATE_HOLD;
        assert_int_equal(import_one(s, &row), IMPORT_KEPT);
        assert_int_equal(store_status(s, 1).ocsp.reason, REASON_KEY_COMPROMISE);
        assert_int_equal(store_status(s, 1).ocsp.revoked_at_s, T0 - 5);
        assert_int_equal(store_status(s, 1).generation, 1);
        store_assert_clean(s);
}

static void revocations_come_in_for_new_and_known_serials(void **state)
{
        struct store *s = *state;
        struct rowfile_row good = row_of(1, 0), known = row_of(1, ROWFILE_REVOKED), new = row_of(2, ROWFILE_REVOKED),
                           held = row_of(3, ROWFILE_HELD);
        struct event event;
        struct txn *txn;

        known.reason = new.reason = REASON_SUPERSEDED;
        known.revoked_at = new.revoked_at = T0 - 50;
        held.reason = REASON_CERTIFICATE_HOLD;
        import_one(s, &good);
        assert_int_equal(import_one(s, &known), IMPORT_REVOKED);
        assert_int_equal(import_one(s, &new), IMPORT_REVOKED);
        assert_int_equal(import_one(s, &held), IMPORT_REVOKED);
        assert_int_equal(import_one(s, &known), IMPORT_KNOWN);
        assert_int_equal(store_status(s, 1).ocsp.revoked_at_s, T0 - 50);
        assert_int_equal(store_status(s, 2).ocsp.cert_status, OCSP_REVOKED);
        assert_true(store_status(s, 3).held);
        txn = store_read(s);
        assert_int_equal(event_last(txn), 3);
        assert_int_equal(event_get(txn, 3, &event), OK);
        assert_int_equal(event.kind, EVENT_HELD);
        assert_true(bytes_equal(event.actor, ACTOR));
        txn_abort(txn);
        store_assert_clean(s);
}

/* req 4.11: an unknown notAfter never expires. */
static void what_only_a_crl_knows_is_revoked_and_learns_its_not_after_later(void **state)
{
        struct store *s = *state;
        struct rowfile_row crl = row_of(1, ROWFILE_REVOKED | ROWFILE_CRL_ONLY), full = row_of(1, 0);
        struct key key = key_crl_entry(CA, 0, serial(1));
        struct crl_entry_row entry;
        struct bytes value;
        struct txn *txn;

        crl.not_after = 0;
        crl.reason = REASON_KEY_COMPROMISE;
        crl.revoked_at = T0 - 9;
        assert_int_equal(import_one(s, &crl), IMPORT_REVOKED);
        assert_int_equal(store_status(s, 1).not_after, 0);
        assert_int_equal(import_one(s, &full), IMPORT_KEPT);
        assert_int_equal(store_status(s, 1).not_after, T0 + 1000);
        assert_int_equal(store_status(s, 1).ocsp.cert_status, OCSP_REVOKED);
        txn = store_read(s);
        assert_int_equal(txn_get(txn, TABLE_CRL_ENTRY, key_bytes(&key), &value), OK);
        assert_int_equal(crl_entry_row_read(value, &entry), OK);
        assert_int_equal(entry.not_after, T0 + 1000);
        txn_abort(txn);
        store_assert_clean(s);
}

static void another_certificate_under_a_known_serial_is_a_conflict_and_changes_nothing(void **state)
{
        struct store *s = *state;
        uint8_t memory[CERTINFO_MAX];
        struct rowfile_row row = row_of(1, 0);

        row.certinfo = info_of(memory, 1, 0, "acme");
        assert_int_equal(import_one(s, &row), IMPORT_NEW);
        row.flags = ROWFILE_REVOKED;
        row.reason = REASON_SUPERSEDED;
        row.certinfo = info_of(memory, 2, 0, "acme");
        assert_int_equal(import_one(s, &row), IMPORT_CONFLICT);
        assert_int_equal(store_status(s, 1).ocsp.cert_status, OCSP_GOOD);
}

/* RFC 6962 3.1 */
static void a_precertificate_and_its_certificate_are_one_and_facts_are_only_added(void **state)
{
        struct store *s = *state;
        uint8_t memory[CERTINFO_MAX];
        struct rowfile_row row = row_of(1, 0);
        struct key key = key_serial(CA, serial(1));
        struct certinfo info;
        struct bytes value;
        struct txn *txn;

        row.certinfo = info_of(memory, 0, 9, "acme");
        assert_int_equal(import_one(s, &row), IMPORT_NEW);
        row.certinfo = info_of(memory, 1, 0, "other");
        assert_int_equal(import_one(s, &row), IMPORT_UPDATED);
        assert_int_equal(import_one(s, &row), IMPORT_KNOWN);
        txn = store_read(s);
        assert_int_equal(txn_get(txn, TABLE_CERTINFO, key_bytes(&key), &value), OK);
        assert_int_equal(certinfo_read(value, &info), OK);
        assert_int_equal(info.cert_sha256.data[0], 1);
        assert_int_equal(info.precert_sha256.data[0], 9);
        assert_true(bytes_equal(info.subscriber, BYTES_LIT("acme")));
        txn_abort(txn);
}

static void a_shard_is_learned_while_good_and_stays_once_revoked_and_signatures_survive(void **state)
{
        struct store *s = *state;
        uint8_t memory[CERTINFO_MAX];
        struct rowfile_row row = row_of(1, 0), two = row_of(2, 0);
        uint32_t w = store_window(s, T0, T0 + 1000);

        import_one(s, &row);
        import_one(s, &two);
        assert_int_equal(store_sign(s, 1, 0, w, 7), OK);
        row.shard = two.shard = 4;
        row.certinfo = info_of(memory, 1, 2, "acme");
        assert_int_equal(import_one(s, &row), IMPORT_UPDATED);
        assert_int_equal(store_status(s, 1).shard, 4);
        assert_int_equal(store_status(s, 1).window, w);
        assert_int_equal(store_status(s, 1).signature.len, 64);
        store_revoke(s, 2, REASON_SUPERSEDED, 0, T0);
        assert_int_equal(import_one(s, &two), IMPORT_KEPT);
        assert_int_equal(store_status(s, 2).shard, 0);
        store_assert_clean(s);
}

/* The revocation takes the place of the staged row, and the batch finds it at its activation. */
static void a_revocation_imported_over_a_staged_row_counts_at_once(void **state)
{
        struct store *s = *state;
        struct rowfile_row row = row_of(1, ROWFILE_REVOKED);
        uint32_t batch;

        row.reason = REASON_SUPERSEDED;
        store_add(s, 1, 1, 0);
        batch = store_batch(s);
        store_stage(s, batch, 1, REASON_KEY_COMPROMISE);
        assert_int_equal(import_one(s, &row), IMPORT_REVOKED);
        assert_int_equal(store_status(s, 1).ocsp.reason, REASON_SUPERSEDED);
        store_activate(s, batch, T0 + 5);
        assert_int_equal(store_status(s, 1).ocsp.reason, REASON_KEY_COMPROMISE);
        store_assert_clean(s);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(a_new_certificate_is_good_and_known_the_second_time),
                CASE(a_known_not_after_stays_as_it_is),
                CASE(an_import_never_unrevokes_or_weakens),
                CASE(revocations_come_in_for_new_and_known_serials),
                CASE(what_only_a_crl_knows_is_revoked_and_learns_its_not_after_later),
                CASE(another_certificate_under_a_known_serial_is_a_conflict_and_changes_nothing),
                CASE(a_precertificate_and_its_certificate_are_one_and_facts_are_only_added),
                CASE(a_shard_is_learned_while_good_and_stays_once_revoked_and_signatures_survive),
                CASE(a_revocation_imported_over_a_staged_row_counts_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
