/* Which full CRL a delta is based on, and when CRLs are due (RFC 5280 5.2.4, req 4.4, 4.8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine_fixture.h"
#include "signer/engine/crl_plan.h"
#include "store/event.h"

#define CA 3
#define NOW INT64_C(1800000000)
#define DAY 86400

static void put(
        struct txn *txn, uint64_t number, bool is_delta, enum crl_state state, int64_t this_update, int64_t next_update)
{
        struct crl_row row = {.number = number,
                .is_delta = is_delta,
                .state = (uint8_t)state,
                .this_update = (uint32_t)this_update,
                .next_update = (uint32_t)next_update};

        crl_put(txn, CA, 0, &row);
}

static struct txn *begin(struct fixture_store *s)
{
        struct txn *txn;

        fixture_store_open(s);
        assert_int_equal(txn_begin_write(s->env, &txn), OK);
        return txn;
}

static void end(struct fixture_store *s, struct txn *txn)
{
        txn_abort(txn);
        fixture_store_close(s);
}

static void the_base_is_the_oldest_full_crl_a_client_may_still_hold(void **state)
{
        struct fixture_store s;
        struct txn *txn = begin(&s);
        struct crl_row base;

        (void)state;
        put(txn, 10, false, CRL_PUBLISHED, NOW - 9 * DAY, NOW - 2 * DAY); /* ran out */
        put(txn, 20, false, CRL_PUBLISHED, NOW - 6 * DAY, NOW + DAY);
        put(txn, 30, false, CRL_PUBLISHED, NOW - 1 * DAY, NOW + 6 * DAY);
        assert_int_equal(crl_plan_base(txn, CA, 0, NOW, &base), OK);
        assert_int_equal(base.number, 20);
        end(&s, txn);
}

/* Whoever fetched one of a month keeps it, though crl.validity was made a day since, and that day is over. */
static void a_crl_that_ran_out_hides_no_older_one_that_did_not(void **state)
{
        struct fixture_store s;
        struct txn *txn = begin(&s);
        struct crl_row base;

        (void)state;
        put(txn, 10, false, CRL_PUBLISHED, NOW - 9 * DAY, NOW + 21 * DAY);
        put(txn, 20, false, CRL_PUBLISHED, NOW - 6 * DAY, NOW - 5 * DAY);
        put(txn, 30, false, CRL_PUBLISHED, NOW - DAY / 2, NOW + DAY / 2);
        assert_int_equal(crl_plan_base(txn, CA, 0, NOW, &base), OK);
        assert_int_equal(base.number, 10);
        end(&s, txn);
}

/* What a client may still hold only ever grows younger: what lies behind an earlier delta's base is not looked at. */
static void no_base_is_older_than_that_of_the_delta_before(void **state)
{
        struct fixture_store s;
        struct txn *txn = begin(&s);
        struct crl_row base, delta = {.number = 40, .is_delta = true, .state = CRL_PUBLISHED, .base = 20};

        (void)state;
        put(txn, 10, false, CRL_PUBLISHED, NOW - 9 * DAY, NOW + DAY);
        put(txn, 20, false, CRL_PUBLISHED, NOW - 6 * DAY, NOW + DAY);
        put(txn, 30, false, CRL_PUBLISHED, NOW - 3 * DAY, NOW + DAY);
        crl_put(txn, CA, 0, &delta);
        assert_int_equal(crl_plan_base(txn, CA, 0, NOW, &base), OK);
        assert_int_equal(base.number, 20);
        end(&s, txn);
}

static void a_crl_that_was_never_published_is_no_base(void **state)
{
        struct fixture_store s;
        struct txn *txn = begin(&s);
        struct crl_row base;

        (void)state;
        put(txn, 20, false, CRL_FAILED, NOW - 6 * DAY, NOW + DAY);
        put(txn, 25, true, CRL_PUBLISHED, NOW - 5 * DAY, NOW + DAY);
        put(txn, 26, false, CRL_RESERVED, NOW - 4 * DAY, NOW + DAY);
        assert_int_equal(crl_plan_base(txn, CA, 0, NOW, &base), ERR_NOT_FOUND);
        put(txn, 30, false, CRL_PUBLISHED, NOW - DAY, NOW + 6 * DAY);
        assert_int_equal(crl_plan_base(txn, CA, 0, NOW, &base), OK);
        assert_int_equal(base.number, 30);
        end(&s, txn);
}

static void the_first_crl_and_one_that_ran_out_are_due_at_once(void **state)
{
        struct fixture_store s;
        struct txn *txn = begin(&s);

        (void)state;
        assert_int_equal(crl_plan_next_full(txn, CA, 0, DAY, NOW), 0);
        put(txn, 10, false, CRL_PUBLISHED, NOW - 9 * DAY, NOW);
        assert_int_equal(crl_plan_next_full(txn, CA, 0, DAY, NOW), 0);
        put(txn, 20, false, CRL_PUBLISHED, NOW - 100, NOW + DAY);
        assert_int_equal(crl_plan_next_full(txn, CA, 0, DAY, NOW), NOW - 100 + DAY);
        end(&s, txn);
}

/* The newest CRL covers all there is; then comes this. */
static bool is_behind_after(struct txn *txn, uint16_t shard, const struct event *event)
{
        struct crl_row row = {
                .number = 5, .state = CRL_PUBLISHED, .event = event_last(txn), .this_update = NOW, .next_update = NOW + DAY};

        crl_put(txn, CA, shard, &row);
        assert_false(crl_plan_is_behind(txn, CA, shard));
        event_put(txn, event);
        return crl_plan_is_behind(txn, CA, shard);
}

static void a_change_after_the_newest_crl_puts_it_behind(void **state)
{
        struct fixture_store s;
        struct txn *txn = begin(&s);

        (void)state;
        assert_true(is_behind_after(txn, 0, &(struct event){.kind = EVENT_REVOKED, .ca_key = CA}));
        assert_false(is_behind_after(txn, 0, &(struct event){.kind = EVENT_IMPORT, .ca_key = CA}));
        assert_false(is_behind_after(txn, 0, &(struct event){.kind = EVENT_REVOKED, .ca_key = CA + 1}));
        assert_false(is_behind_after(txn, 0, &(struct event){.kind = EVENT_REVOKED, .ca_key = CA, .shard = 4}));
        assert_true(is_behind_after(txn, 0, &(struct event){.kind = EVENT_HELD, .ca_key = CA}));
        end(&s, txn);
}

static void a_batch_that_became_active_after_the_newest_crl_puts_every_shard_behind(void **state)
{
        struct fixture_store s;
        struct txn *txn = begin(&s);

        (void)state;
        assert_false(is_behind_after(txn, 4, &(struct event){.kind = EVENT_BATCH_STAGED, .ca_key = CA}));
        assert_false(is_behind_after(txn, 4, &(struct event){.kind = EVENT_BATCH_ACTIVE, .ca_key = CA + 1}));
        assert_true(is_behind_after(txn, 4, &(struct event){.kind = EVENT_BATCH_ACTIVE, .ca_key = CA}));
        end(&s, txn);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_base_is_the_oldest_full_crl_a_client_may_still_hold),
                cmocka_unit_test(a_crl_that_ran_out_hides_no_older_one_that_did_not),
                cmocka_unit_test(no_base_is_older_than_that_of_the_delta_before),
                cmocka_unit_test(a_crl_that_was_never_published_is_no_base),
                cmocka_unit_test(the_first_crl_and_one_that_ran_out_are_due_at_once),
                cmocka_unit_test(a_change_after_the_newest_crl_puts_it_behind),
                cmocka_unit_test(a_batch_that_became_active_after_the_newest_crl_puts_every_shard_behind),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
