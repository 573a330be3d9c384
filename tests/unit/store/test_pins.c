/* A reader without a lock, in a process of its own, against a writer that commits as fast as it can: whatever a turn hands
 * out is one snapshot. */
#include "store_helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define ROWS 2000
#define COMMITS 25000
#define EACH 1000

/* Amounts move between rows: their sum and their number are the same in every snapshot. */
static void put_amount(struct txn *txn, uint32_t i, uint32_t amount)
{
        uint8_t *room = txn_put_room(txn, TABLE_RECORD, serial(i), 60);

        assert_non_null(room);
        memset(room, 0, 60);
        memcpy(room, &amount, sizeof(amount));
}

static uint32_t get_amount(struct txn *txn, uint32_t i)
{
        struct bytes value;
        uint32_t amount;

        assert_int_equal(txn_get(txn, TABLE_RECORD, serial(i), &value), OK);
        memcpy(&amount, value.data, sizeof(amount));
        return amount;
}

static void fill(struct store *s)
{
        struct txn *txn = store_begin(s);

        for (uint32_t i = 0; i < ROWS; i++)
                put_amount(txn, i, EACH);
        store_commit(txn);
}

static void move_one(struct store *s, uint32_t from, uint32_t to)
{
        struct txn *txn = store_begin(s);
        uint32_t a = get_amount(txn, from), b = get_amount(txn, to);

        if (a > 0 && from != to) {
                put_amount(txn, from, a - 1);
                put_amount(txn, to, b + 1);
        }
        store_commit(txn);
}

/* ERR_CORRUPT: not a snapshot. */
static enum err walk_all(struct txn *turn)
{
        struct cursor c;
        struct bytes key, value;
        uint64_t sum = 0, n = 0;
        enum err e = cursor_open(&c, turn, TABLE_RECORD, BYTES_NONE, BYTES_NONE);

        while (e == OK && (e = cursor_next(&c, &key, &value)) == OK) {
                uint32_t amount = 0;

                if (value.len == 60)
                        memcpy(&amount, value.data, sizeof(amount));
                sum += amount;
                n++;
        }
        cursor_close(&c);
        return n == ROWS && sum == (uint64_t)ROWS * EACH ? OK : ERR_CORRUPT;
}

/* Until the pipe is closed. The exit code says whether a turn that counted was wrong, and that some counted. */
static void read_until_closed(const struct store *s, int fd)
{
        struct env *env = store_reader(s);
        unsigned counted = 0, wrong = 0;
        struct txn *turn;
        char c;

        while (read(fd, &c, 1) != 0) {
                enum err e;

                if (txn_turn_begin(env, &turn) != OK)
                        _exit(3);
                e = walk_all(turn);
                if (txn_turn_end(turn) != OK)
                        continue;
                counted++;
                wrong += e != OK;
        }
        fprintf(stderr, "reader: %u turns counted, %u wrong\n", counted, wrong);
        _exit(wrong ? 1 : counted < 100 ? 2 : 0);
}

static void no_turn_that_counts_ever_sees_a_page_that_was_reused(void **state)
{
        struct store *s = *state;
        unsigned seed = 1;
        int pipes[2], status;
        pid_t pid;

        fill(s);
        assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                close(pipes[1]);
                read_until_closed(s, pipes[0]);
        }
        close(pipes[0]);
        for (int i = 0; i < COMMITS; i++)
                move_one(s, (uint32_t)rand_r(&seed) % ROWS, (uint32_t)rand_r(&seed) % ROWS);
        close(pipes[1]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void pages_are_reused_in_the_end_so_the_file_does_not_grow_for_ever(void **state)
{
        struct store *s = *state;
        struct env_space before, after;
        uint64_t growth;

        fill(s);
        for (int round = 0; round < 2; round++) {
                for (int i = 0; i < 300; i++)
                        move_one(s, 1, 2);
                usleep((ENV_PIN_MS + 100) * 1000);
        }
        env_get_space(s->env, &before);
        growth = before.used;
        for (int i = 0; i < 100; i++)
                move_one(s, 1, 2);
        env_get_space(s->env, &after);
        assert_true(after.used <= growth + 64 * 4096);
}

static void a_turn_that_took_too_long_is_stale_and_the_next_is_not(void **state)
{
        struct store *s = *state;
        struct env *reader = store_reader(s);
        struct txn *turn;

        assert_int_equal(txn_turn_begin(reader, &turn), OK);
        assert_true(txn_is_sound(turn));
        usleep((ENV_PIN_MS / 2 + 50) * 1000);
        assert_int_equal(txn_turn_end(turn), ERR_STALE);
        assert_false(txn_is_sound(turn));
        assert_int_equal(txn_turn_begin(reader, &turn), OK);
        assert_int_equal(txn_turn_end(turn), OK);
        env_close(reader);
}

static void a_turn_begins_at_the_newest_commit(void **state)
{
        struct store *s = *state;
        struct env *reader = store_reader(s);
        struct txn *turn;

        for (uint32_t i = 0; i < 200; i++) {
                store_add(s, i, 1, 0);
                assert_int_equal(txn_turn_begin(reader, &turn), OK);
                assert_int_equal(txn_id(turn), env_newest_commit(s->env));
                assert_int_equal(txn_count(turn, TABLE_RECORD), i + 1);
        }
        env_close(reader);
}

/* The pins of the writer before died with it: its readers may still be in their last turn. */
static void a_writer_that_takes_over_commits_nothing_before_old_turns_have_ended(void **state)
{
        struct store *s = *state;
        int64_t opened_ms;

        store_add(s, 1, 1, 0);
        env_close(s->env);
        s->env = NULL;
        opened_ms = clock_mono_ms();
        store_reopen(s);
        store_add(s, 2, 1, 0);
        assert_true(clock_mono_ms() - opened_ms >= ENV_PIN_MS);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(no_turn_that_counts_ever_sees_a_page_that_was_reused),
                CASE(pages_are_reused_in_the_end_so_the_file_does_not_grow_for_ever),
                CASE(a_turn_that_took_too_long_is_stale_and_the_next_is_not),
                CASE(a_turn_begins_at_the_newest_commit),
                CASE(a_writer_that_takes_over_commits_nothing_before_old_turns_have_ended),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
