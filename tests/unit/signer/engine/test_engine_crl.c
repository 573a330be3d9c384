/* CRLs as the whole engine makes them against a fake vault: what stands in the files that it publishes, and what never. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "engine_fixture.h"
#include "signer/engine/crl_recover.h"
#include "pki/crl.h"
#include "store/crl_history.h"

#define URL "http://crl.test/{shard}.crl"
#define DELTA_URL "http://crl.test/{shard}-delta.crl"

static uint16_t shard_of(const struct fixture *f)
{
        return f->issuer.crl_shards > 0 ? 1 : 0;
}

/* The newest published one. */
static bool find(struct fixture *f, uint16_t shard, bool is_delta, struct crl_row *ret_row)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        bool found;

        assert_int_equal(txn_begin_read(f->engine.env, &txn), OK);
        found = crl_current(txn, f->engine.issuers->items[0].ca_key, shard, is_delta, ret_row) == OK;
        ret_row->file = BYTES_NONE;
        return found;
}

static struct crl_row newest(struct fixture *f, uint16_t shard)
{
        struct crl_row row;

        assert_true(find(f, shard, false, &row));
        return row;
}

static bool has_full(struct fixture *f)
{
        struct crl_row row;

        return find(f, shard_of(f), false, &row) && fixture_is_idle(f);
}

static uint64_t number_before; /* of the newest full one that the test has seen */

static void start(struct fixture *f)
{
        f->issuer.crl_url = (char *)URL;
        f->issuer.crl_delta_url = (char *)DELTA_URL;
        fixture_start(f, N_RECORDS);
        fixture_run_until(f, has_full);
        number_before = newest(f, shard_of(f)).number;
}

static void issue(struct fixture *f, const char *kind, bool ok)
{
        char text[128];

        snprintf(text, sizeof(text), "{\"command\": \"crl.issue\", \"issuer\": \"test-ca\", \"kind\": \"%s\"}", kind);
        assert_int_equal(msg_send(f->control, bytes_str(text), -1), OK);
        fixture_assert_final(f, ok);
}

/* What is asked for is not made: the one before stays the newest. */
static void assert_no_full_is_made(struct fixture *f, uint16_t shard)
{
        uint64_t before = newest(f, shard).number;

        issue(f, "full", false);
        assert_int_equal(newest(f, shard).number, before);
}

/* From here on the vault signs CRLs with this key. */
static void sign_with(struct fixture *f, EVP_PKEY *key)
{
        fake_vault_hold(&f->vault, true); /* its lock is between what is written here and what its thread reads */
        f->vault.keys[0] = key;
        fake_vault_hold(&f->vault, false);
}

/* The file, read; its octets stay in a static buffer. */
static struct crl_info read_file(struct fixture *f, uint16_t shard, bool is_delta)
{
        static uint8_t memory[65536];
        struct bytes tbs, entries, signature;
        struct crl_info info;
        struct crl_row row;
        char path[256];
        FILE *file;
        size_t len;

        assert_true(find(f, shard, is_delta, &row));
        snprintf(path, sizeof(path), "%s/test-ca/%u-%llu%s.crl", f->conf.crl_path, shard, (unsigned long long)row.number,
                is_delta ? "-delta" : "");
        file = fopen(path, "r");
        assert_non_null(file);
        len = fread(memory, 1, sizeof(memory), file);
        fclose(file);
        assert_int_equal(crl_read(bytes_make(memory, len), &tbs, &info, &entries, &signature), OK);
        return info;
}

/* RFC 5280 5.2.4, 5.2.6, req 4.4: it holds what changed since the oldest full CRL that is still valid, and no more. */
static void a_delta_begins_at_its_base_and_has_no_freshest_crl(void **state)
{
        struct fixture *f = *state;
        struct crl_row full, delta;
        struct crl_info info;

        f->issuer.crl_delta_period_s = CLOCK_HOUR_S;
        start(f);
        fixture_revoke_list(f, 1, 1);
        fixture_go_to(f, clock_now_s() + 8 * CLOCK_DAY_S); /* whatever was published before has run out */
        issue(f, "full", true);
        full = newest(f, 0);
        assert_int_equal(full.n_entries, 1);
        fixture_revoke_list(f, 2, 3);
        issue(f, "both", true);
        assert_true(find(f, 0, true, &delta));
        assert_int_equal(delta.base, full.number);
        assert_int_equal(delta.n_entries, 2);
        info = read_file(f, 0, true);
        assert_true(info.is_delta);
        assert_int_equal(info.freshest_url.len, 0);
        info = read_file(f, 0, false);
        assert_false(info.is_delta);
        assert_true(bytes_equal(info.freshest_url, BYTES_LIT("http://crl.test/0-delta.crl")));
        assert_false(info.has_idp); /* it is the whole list */
}

/* BR 7.2.2.1, req 4.12 */
static void each_shard_says_which_it_is(void **state)
{
        struct fixture *f = *state;
        struct crl_info info;

        f->issuer.crl_shards = 2;
        start(f);
        issue(f, "full", true);
        info = read_file(f, 1, false);
        assert_true(bytes_equal(info.idp_url, BYTES_LIT("http://crl.test/1.crl")));
        info = read_file(f, 2, false);
        assert_true(bytes_equal(info.idp_url, BYTES_LIT("http://crl.test/2.crl")));
}

/* req 4.16: clients that hold the old one would take the new one for a list of something else. */
static void a_shard_does_not_change_its_name_while_one_of_the_old_name_is_valid(void **state)
{
        struct fixture *f = *state;

        f->issuer.crl_shards = 1;
        start(f);
        issue(f, "full", true);
        f->issuer.crl_url = (char *)"http://elsewhere.test/{shard}.crl";
        assert_no_full_is_made(f, 1);
}

/* Also when the newest has run out and an older one, made before crl.validity was shortened, has not. */
static void a_shard_keeps_its_name_for_the_oldest_that_is_valid(void **state)
{
        struct fixture *f = *state;

        f->issuer.crl_shards = 1;
        f->issuer.crl_validity_s = 9 * CLOCK_DAY_S;
        start(f);
        f->issuer.crl_validity_s = CLOCK_HOUR_S;
        issue(f, "full", true);
        f->issuer.crl_url = (char *)"http://elsewhere.test/{shard}.crl";
        fixture_go_to(f, newest(f, 1).next_update + CLOCK_MINUTE_S);
        assert_no_full_is_made(f, 1);
}

static void a_crl_ends_with_its_ca(void **state)
{
        struct fixture *f = *state;

        f->issuer.crl_validity_s = 4000 * CLOCK_DAY_S; /* the CA lives 3650 */
        start(f);
        assert_int_equal(newest(f, 0).next_update, f->engine.issuers->items[0].ca.not_after);
}

/* BR 7.2, req 4.7: at most ten days, both ends counted. */
static void a_crl_of_cabf_tls_lasts_ten_days_at_most(void **state)
{
        struct fixture *f = *state;
        struct crl_row row;

        f->issuer.profile = CONF_PROFILE_CABF_TLS;
        f->issuer.crl_validity_s = 20 * CLOCK_DAY_S;
        start(f);
        row = newest(f, 0);
        assert_int_equal(row.next_update - row.this_update, 10 * CLOCK_DAY_S - 1);
}

/* req 4.16: whatever the token says, what is published verifies. */
static void a_crl_whose_signature_does_not_verify_is_never_published(void **state)
{
        struct fixture *f = *state;

        start(f);
        sign_with(f, f->ocsp_key);
        assert_no_full_is_made(f, 0);
        sign_with(f, f->ca_key);
        issue(f, "full", true);
        assert_true(newest(f, 0).number > number_before + 1); /* the number of the one that failed stays used up */
}

static uint8_t state_of(struct fixture *f, uint64_t number)
{
        _cleanup_(txn_abortp) struct txn *txn = NULL;
        struct crl_row row;

        assert_int_equal(txn_begin_read(f->engine.env, &txn), OK);
        assert_int_equal(crl_get(txn, f->engine.issuers->items[0].ca_key, 0, number, false, &row), OK);
        return row.state;
}

static uint64_t reserved;

static bool is_given_up(struct fixture *f)
{
        return state_of(f, reserved) == CRL_FAILED;
}

/* As an engine finds it that was killed while it made one. */
static void a_crl_that_was_being_made_when_the_engine_ended_is_given_up_with_its_number(void **state)
{
        struct fixture *f = *state;
        struct crl_row row = {.this_update = (uint32_t)clock_now_s(), .next_update = (uint32_t)clock_now_s() + 1000};
        struct txn *txn;

        start(f);
        assert_int_equal(txn_begin_write(f->engine.env, &txn), OK);
        reserved = crl_reserve(txn, f->engine.issuers->items[0].ca_key, 0, &row, clock_now_ms() + 5000);
        assert_int_equal(txn_commit(txn), OK);
        assert_int_equal(state_of(f, reserved), CRL_RESERVED);
        assert_int_equal(crl_recover(&f->engine), OK);
        fixture_run_until(f, is_given_up);
        issue(f, "full", true);
        assert_true(newest(f, 0).number > reserved);
}

/* ---- when ---- */

static bool has_newer(struct fixture *f)
{
        struct crl_row row;

        schedule_now(&f->engine);
        return find(f, shard_of(f), false, &row) && row.number > number_before && fixture_is_idle(f);
}

/* By then no other has been made by itself. */
static void assert_none_by(struct fixture *f, int64_t time_s)
{
        fixture_go_to(f, time_s);
        schedule_now(&f->engine);
        fixture_run_until(f, fixture_is_idle);
        assert_int_equal(newest(f, shard_of(f)).number, number_before);
}

/* The next one, which is made by itself by then. */
static struct crl_row made_by(struct fixture *f, int64_t time_s)
{
        fixture_go_to(f, time_s);
        fixture_run_until(f, has_newer);
        return newest(f, shard_of(f));
}

/* Five serials, 100 s after the engine's start, whose second is returned. */
static int64_t start_and_revoke_five(struct fixture *f)
{
        int64_t start_s = clock_now_s();

        start(f);
        fixture_go_to(f, start_s + 100);
        fixture_revoke_list(f, 1, 5);
        return start_s;
}

/* req 4.8; crl.after_revocation is 60 s here. */
static void a_revocation_reaches_the_crl_in_its_time_and_not_before(void **state)
{
        struct fixture *f = *state;
        int64_t start_s = start_and_revoke_five(f);

        assert_none_by(f, start_s + 159);
        assert_int_equal(made_by(f, start_s + 161).n_entries, 5);
}

static void a_crl_is_made_anew_each_period_though_nothing_changed(void **state)
{
        struct fixture *f = *state;
        int64_t this_update_s;

        start(f);
        this_update_s = newest(f, 0).this_update;
        assert_none_by(f, this_update_s + CLOCK_DAY_S - 1);
        made_by(f, this_update_s + CLOCK_DAY_S);
}

/* RFC 5280 5.2.3, req 4.3: whoever has the full one has no use for an older delta. */
static void a_full_crl_that_is_due_brings_its_delta_along(void **state)
{
        struct fixture *f = *state;
        struct crl_row full, delta;
        int64_t this_update_s;

        f->issuer.crl_delta_period_s = 3 * CLOCK_DAY_S; /* not due by itself */
        start(f);
        this_update_s = newest(f, 0).this_update;
        fixture_go_to(f, this_update_s + 100);
        issue(f, "delta", true);
        fixture_run_until(f, fixture_is_idle);
        full = made_by(f, this_update_s + CLOCK_DAY_S);
        assert_true(find(f, 0, true, &delta));
        assert_int_equal(delta.number, full.number);
}

/* Records of the fixture are in no shard: their changes lie outside of both. */
static void a_change_in_another_shard_makes_no_crl_of_this_one(void **state)
{
        struct fixture *f = *state;
        int64_t start_s = clock_now_s();

        f->issuer.crl_shards = 1;
        start(f);
        fixture_go_to(f, start_s + 100);
        fixture_revoke_list(f, 1, 1); /* one alone is an event with its shard */
        assert_none_by(f, start_s + 200);
}

/* As an engine finds it that was stopped between the change and its CRL. */
static void what_changed_after_the_newest_crl_is_found_at_the_start(void **state)
{
        struct fixture *f = *state;
        int64_t start_s = start_and_revoke_five(f);

        fixture_run_until(f, fixture_is_idle);
        f->engine.schedule.crls[0].changed_due_s = 0; /* what it knew is gone */
        assert_int_equal(schedule_reset(&f->engine), OK);
        assert_int_equal(made_by(f, start_s + 100).n_entries, 5);
}

static bool has_failed(struct fixture *f)
{
        schedule_now(&f->engine);
        return f->engine.schedule.crls[0].failures > 0;
}

static void a_crl_that_is_due_and_failed_is_tried_again(void **state)
{
        struct fixture *f = *state;
        int64_t start_s = start_and_revoke_five(f);

        fixture_run_until(f, fixture_is_idle);
        sign_with(f, f->ocsp_key);
        fixture_go_to(f, start_s + 200);
        fixture_run_until(f, has_failed);
        assert_int_equal(newest(f, 0).number, number_before);
        sign_with(f, f->ca_key);
        assert_int_equal(made_by(f, start_s + 300).n_entries, 5); /* past the pause before it is tried again */
        assert_int_equal(f->engine.schedule.crls[0].failures, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_unstarted, fixture_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_delta_begins_at_its_base_and_has_no_freshest_crl),
                TEST(each_shard_says_which_it_is),
                TEST(a_shard_does_not_change_its_name_while_one_of_the_old_name_is_valid),
                TEST(a_shard_keeps_its_name_for_the_oldest_that_is_valid),
                TEST(a_crl_ends_with_its_ca),
                TEST(a_crl_of_cabf_tls_lasts_ten_days_at_most),
                TEST(a_crl_whose_signature_does_not_verify_is_never_published),
                TEST(a_crl_that_was_being_made_when_the_engine_ended_is_given_up_with_its_number),
                TEST(a_revocation_reaches_the_crl_in_its_time_and_not_before),
                TEST(a_crl_is_made_anew_each_period_though_nothing_changed),
                TEST(a_full_crl_that_is_due_brings_its_delta_along),
                TEST(a_change_in_another_shard_makes_no_crl_of_this_one),
                TEST(what_changed_after_the_newest_crl_is_found_at_the_start),
                TEST(a_crl_that_is_due_and_failed_is_tried_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
