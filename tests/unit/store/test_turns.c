/* Pins and read turns to the millisecond, by a clock that is the test's; and what happens when the database's own calls go wrong or
 * are overtaken. (test_pins.c tries the same with real processes and real time.) */
#include "store_helper.h"

#include <errno.h>

#include "base/clock.h"
#include "store/env_lmdb.h"

static int64_t now_ms; /* 0: the clock goes */

int64_t __real_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void)
{
        return now_ms ? now_ms : __real_clock_mono_ms();
}

static struct store *overtaking; /* commits once while a reader renews */

int __real_mdb_txn_renew(MDB_txn *txn);
int __wrap_mdb_txn_renew(MDB_txn *txn);
int __wrap_mdb_txn_renew(MDB_txn *txn)
{
        struct store *s = overtaking;
        int rc = __real_mdb_txn_renew(txn);

        overtaking = NULL;
        if (s)
                store_add(s, 1000, 1, 0);
        return rc;
}

static int commit_error; /* 0: commits are real */

int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn)
{
        if (commit_error == 0)
                return __real_mdb_txn_commit(txn);
        mdb_txn_abort(txn);
        errno = commit_error;
        return commit_error;
}

static int setup(void **state)
{
        now_ms = 1000; /* what waits for a later time than this by the real clock does not wait */
        overtaking = NULL;
        commit_error = 0;
        return store_setup(state);
}

static int teardown(void **state)
{
        now_ms = 0;
        return store_teardown(state);
}

/* ---- pins ---- */

/* pin.c: the oldest snapshot was still the newest commit ENV_PIN_MS before each write began, and pins do not pile up. */
static void at_each_write_the_oldest_pin_is_as_old_as_promised_and_not_much_older(void **state)
{
        static const int64_t steps[] = {1, 10, 90, 130, 249, 251, 400, 499, 501};

        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
                struct store *s = *state;
                int64_t began_ms;

                store_reopen(s);
                began_ms = now_ms;
                for (uint32_t n = 0; now_ms < began_ms + 5 * ENV_PIN_MS; n++) {
                        int64_t oldest_ms;

                        store_add(s, n, 1, 0);
                        oldest_ms = s->env->pins[0].opened_ms;
                        if (now_ms >= began_ms + ENV_PIN_MS)
                                assert_true(oldest_ms <= now_ms - ENV_PIN_MS);
                        assert_true(oldest_ms >= now_ms - 2 * ENV_PIN_MS - 2 * steps[i]);
                        assert_true(s->env->n_pins < ENV_PINS);
                        now_ms += steps[i];
                }
        }
}

/* ---- turns ---- */

static void a_turn_counts_for_half_the_pins_time_and_not_a_millisecond_longer(void **state)
{
        struct env *reader = store_reader(*state);
        struct txn *turn;

        assert_int_equal(txn_turn_begin(reader, &turn), OK);
        now_ms += ENV_PIN_MS / 2;
        assert_true(txn_is_sound(turn));
        assert_int_equal(txn_turn_end(turn), OK);
        assert_int_equal(txn_turn_begin(reader, &turn), OK);
        now_ms += ENV_PIN_MS / 2 + 1;
        assert_false(txn_is_sound(turn));
        assert_int_equal(txn_turn_end(turn), ERR_STALE);
        env_close(reader);
}

/* An engine that died while it wrote its meta page may give the same id to another commit. */
static void a_snapshot_is_taken_anew_in_time_though_nothing_was_committed(void **state)
{
        struct env *reader = store_reader(*state);
        struct txn *turn;
        int64_t taken_ms = now_ms;

        assert_int_equal(txn_turn_begin(reader, &turn), OK);
        assert_int_equal(turn->renewed_ms, taken_ms);
        now_ms += ENV_PIN_MS / 2 - 1;
        assert_int_equal(txn_turn_begin(reader, &turn), OK);
        assert_int_equal(turn->renewed_ms, taken_ms);
        now_ms += 1;
        assert_int_equal(txn_turn_begin(reader, &turn), OK);
        assert_int_equal(turn->renewed_ms, now_ms);
        env_close(reader);
}

/* The meta page that it copied may have been half written. */
static void a_turn_that_was_overtaken_while_it_began_begins_again(void **state)
{
        struct store *s = *state;
        struct env *reader = store_reader(s);
        struct txn *turn;

        store_add(s, 1, 1, 0);
        overtaking = s;
        assert_int_equal(txn_turn_begin(reader, &turn), OK);
        assert_null(overtaking);
        assert_int_equal(txn_id(turn), env_newest_commit(s->env));
        assert_int_equal(txn_count(turn, TABLE_RECORD), 2);
        env_close(reader);
}

static void what_a_stale_turn_read_is_in_no_cache(void **state)
{
        struct store *s = *state;
        struct window_cache *cache = window_cache_new(4);
        struct env *reader = store_reader(s);
        uint32_t id = store_window(s, T0, T0 + 100);
        struct txn *turn;

        assert_int_equal(txn_turn_begin(reader, &turn), OK);
        now_ms += ENV_PIN_MS / 2 + 1;
        assert_null(window_cache_get(cache, turn, id));
        assert_int_equal(txn_turn_begin(reader, &turn), OK);
        assert_non_null(window_cache_get(cache, turn, id));
        now_ms += ENV_PIN_MS;
        assert_non_null(window_cache_get(cache, turn, id)); /* read while the turn was young: it never changes */
        window_cache_free(cache);
        env_close(reader);
}

/* LMDB trusts its pages, and those of an old turn may be written over. */
static void an_old_turn_asks_lmdb_nothing(void **state)
{
        static const uint8_t large[9000]; /* on pages of its own */
        struct store *s = *state;
        struct env *reader = store_reader(s);
        struct txn *turn, *txn = store_begin(s);
        struct cursor cursor;
        struct bytes value;

        txn_put(txn, TABLE_CERTINFO, BYTES_LIT("large"), BYTES_OF(large));
        txn_put(txn, TABLE_CERTINFO, BYTES_LIT("small"), BYTES_LIT("row"));
        store_commit(txn);
        assert_int_equal(txn_turn_begin(reader, &turn), OK);
        assert_int_equal(txn_get(turn, TABLE_CERTINFO, BYTES_LIT("small"), &value), OK);
        now_ms += ENV_PIN_MS / 2;
        assert_int_equal(txn_get(turn, TABLE_CERTINFO, BYTES_LIT("large"), &value), OK);
        now_ms += 1;
        assert_int_equal(txn_get(turn, TABLE_CERTINFO, BYTES_LIT("large"), &value), ERR_STALE);
        assert_int_equal(txn_get(turn, TABLE_META, BYTES_LIT(SCHEMA_META_VERSION), &value), ERR_STALE); /* not even where the table is */
        assert_int_equal(cursor_open(&cursor, turn, TABLE_CERTINFO, BYTES_NONE, BYTES_NONE), ERR_STALE);
        assert_int_equal(txn_turn_begin(reader, &turn), OK);
        assert_int_equal(txn_get(turn, TABLE_CERTINFO, BYTES_LIT("large"), &value), OK);
        assert_int_equal(txn_get(turn, TABLE_META, BYTES_LIT(SCHEMA_META_VERSION), &value), OK);
        env_close(reader);
}

/* ---- a disk that fails ---- */

/* DESIGN: an EIO from fsync ends the engine; it is never retried. */
static void after_an_io_error_nothing_is_written_any_more(void **state)
{
        struct store *s = *state;
        struct record record = {.not_after = T0};
        struct txn *txn = store_begin(s);

        record_put(txn, CA, serial(1), &record, RESERVE);
        commit_error = EIO;
        assert_int_equal(txn_commit(txn), ERR_IO);
        commit_error = 0;
        assert_int_equal(txn_begin_write(s->env, &txn), ERR_IO);
        txn = store_read(s); /* what was there can be read */
        assert_int_equal(txn_count(txn, TABLE_RECORD), 0);
        txn_abort(txn);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(at_each_write_the_oldest_pin_is_as_old_as_promised_and_not_much_older),
                CASE(a_turn_counts_for_half_the_pins_time_and_not_a_millisecond_longer),
                CASE(a_snapshot_is_taken_anew_in_time_though_nothing_was_committed),
                CASE(a_turn_that_was_overtaken_while_it_began_begins_again),
                CASE(what_a_stale_turn_read_is_in_no_cache),
                CASE(an_old_turn_asks_lmdb_nothing),
                CASE(after_an_io_error_nothing_is_written_any_more),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
