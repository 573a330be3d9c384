/* kill -9 of a writer at random points of staging, activation and signing: nothing acknowledged is missing, nothing is half
 * applied, and a writer can go on. */
#include "store_helper.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define POINTS 50
#define ROUNDS 150
#define ROUND_N 20
#define DIRECT_FROM (ROUNDS * ROUND_N)
#define RECORDS (DIRECT_FROM + ROUNDS)

/* What the writer has committed when it says so: a round's number is written to the pipe after its activation returned. */
static void stage_part(struct store *s, uint32_t batch, uint32_t from, uint32_t n, enum reason reason)
{
        struct txn *txn = store_begin(s);

        for (uint32_t i = from; i < from + n; i++) {
                struct revocation r = {.ca_key = CA, .serial = serial(i), .reason = reason};
                enum revocation_effect effect;

                assert_int_equal(batch_stage(txn, batch, &r, RESERVE, &effect), OK);
        }
        store_commit(txn);
}

/* Odd rounds stage the round before once more, so that rows are deferred and handed over; every fifth batch is dropped
 * again. */
static void play_round(struct store *s, uint32_t round, uint32_t window, int fd)
{
        uint32_t batch = store_batch(s), from = round * ROUND_N;
        struct txn *txn;
        bool left;

        if (round % 2)
                stage_part(s, batch, from - ROUND_N, ROUND_N, REASON_KEY_COMPROMISE);
        stage_part(s, batch, from, ROUND_N / 2, REASON_KEY_COMPROMISE);
        store_revoke(s, DIRECT_FROM + round, REASON_SUPERSEDED, 0, T0);
        if (round % 5 == 4) {
                txn = store_begin(s);
                assert_int_equal(batch_drop(txn, batch, 7, &left), OK);
                store_commit(txn);
        } else {
                stage_part(s, batch, from + ROUND_N / 2, ROUND_N / 2, REASON_KEY_COMPROMISE);
                store_activate(s, batch, T0 + 1);
                assert_int_equal(store_sign(s, from, 1, window, 1), OK);
        }
        assert_int_equal(write(fd, &round, sizeof(round)), sizeof(round));
}

static void write_for_ever(struct store *s, int fd)
{
        struct env_config config = store_config(s);
        uint32_t window;

        assert_int_equal(env_open_writer(&config, &s->env, NULL), OK);
        store_add(s, 0, RECORDS, 0);
        window = store_window(s, T0 + 5, T0 + 1000);
        for (uint32_t round = 0; round < ROUNDS; round++)
                play_round(s, round, window, fd);
        for (;;)
                pause();
}

static unsigned count_revoked(struct txn *txn, uint32_t from, uint32_t n)
{
        struct status status;
        unsigned revoked = 0;

        for (uint32_t i = from; i < from + n; i++) {
                assert_int_equal(status_get(txn, CA, serial(i), &status), OK);
                revoked += status.ocsp.cert_status == OCSP_REVOKED;
        }
        return revoked;
}

static void check_round(struct txn *txn, uint32_t round, bool acknowledged)
{
        unsigned revoked = count_revoked(txn, round * ROUND_N, ROUND_N);

        assert_true(revoked == 0 || revoked == ROUND_N);
        if (!acknowledged)
                return;
        assert_int_equal(count_revoked(txn, DIRECT_FROM + round, 1), 1);
        if (round % 5 != 4)
                assert_int_equal(revoked, ROUND_N);
}

static void check_store(struct store *s, int64_t last_round)
{
        struct txn *txn = store_read(s);

        for (uint32_t round = 0; round < ROUNDS; round++)
                check_round(txn, round, (int64_t)round <= last_round);
        assert_int_equal(store_contradictions(txn), 0);
        txn_abort(txn);
}

static int64_t kill_at_random(struct store *s, unsigned *seed)
{
        uint32_t round;
        int64_t last = -1;
        int pipes[2];
        pid_t pid;

        assert_int_equal(pipe(pipes), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                close(pipes[0]);
                write_for_ever(s, pipes[1]);
        }
        close(pipes[1]);
        assert_int_equal(read(pipes[0], &round, sizeof(round)), sizeof(round));
        last = round;
        usleep((unsigned)rand_r(seed) % 30000);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        while (read(pipes[0], &round, sizeof(round)) == sizeof(round))
                last = round;
        close(pipes[0]);
        return last;
}

static void nothing_acknowledged_is_missing_and_nothing_is_half_applied(void **state)
{
        unsigned seed = 20261121;
        int64_t lowest = ROUNDS, highest = -1;

        (void)state;
        for (int point = 0; point < POINTS; point++) {
                struct store *s = calloc(1, sizeof(*s));
                struct env_config config;
                int64_t last;
                void *held = s;

                assert_non_null(s);
                store_path(s);
                last = kill_at_random(s, &seed);
                lowest = last < lowest ? last : lowest;
                highest = last > highest ? last : highest;
                config = store_config(s);
                assert_int_equal(env_open_writer(&config, &s->env, NULL), OK);
                check_store(s, last);
                /* Each waits for the pins that died with its predecessor: a few will do. */
                if (point % 10 == 0) {
                        store_add(s, RECORDS, 1, 0);
                        check_store(s, last);
                }
                store_teardown(&held);
        }
        print_message("killed between round %lld and %lld\n", (long long)lowest, (long long)highest);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_acknowledged_is_missing_and_nothing_is_half_applied),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
