/* Opening, refusing, reserving, and what a reader can and cannot do. */
#include "store_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_second_writer_is_refused(void **state)
{
        struct store *s = *state;
        struct env_config config = store_config(s);
        struct env *env = NULL;

        assert_int_equal(env_open_writer(&config, &env, NULL), ERR_BUSY);
        assert_int_equal(env_open_offline(&config, &env, NULL), ERR_BUSY);
        assert_null(env);
        store_add(s, 1, 1, 0);
}

static void a_newer_schema_is_refused_with_its_version(void **state)
{
        struct store *s = *state;
        struct env_config config = store_config(s);
        struct txn *txn = store_begin(s);
        struct env *env;
        unsigned version = 0;

        txn_put(txn, TABLE_META, bytes_str(SCHEMA_META_VERSION), BYTES_LIT("\0\0\0\x09"));
        store_commit(txn);
        assert_int_equal(env_open_reader(&config, &env, &version), ERR_VERSION);
        assert_int_equal(version, 9);
        env_close(s->env);
        s->env = NULL;
        version = 0;
        assert_int_equal(env_open_writer(&config, &env, &version), ERR_VERSION);
        assert_int_equal(version, 9);
        assert_int_equal(env_open_writer(&config, &env, NULL), ERR_VERSION);
}

static void a_store_that_is_not_there_is_not_found(void **state)
{
        struct store *s = *state;
        struct env_config config = {.path = "/nonexistent/store", .map_size = 1 << 20};
        struct env *env;

        (void)s;
        assert_int_equal(env_open_reader(&config, &env, NULL), ERR_NOT_FOUND);
        assert_int_equal(env_open_writer(&config, &env, NULL), ERR_NOT_FOUND);
}

static void what_was_committed_is_there_after_reopening(void **state)
{
        struct store *s = *state;

        store_add(s, 1, 5, 3);
        store_revoke(s, 2, REASON_KEY_COMPROMISE, 0, T0);
        store_reopen(s);
        assert_int_equal(store_status(s, 2).ocsp.cert_status, OCSP_REVOKED);
        assert_int_equal(store_status(s, 1).shard, 3);
        store_add(s, 6, 1, 0);
        store_assert_clean(s);
}

static void readers_read_while_no_writer_runs(void **state)
{
        struct store *s = *state;
        struct env_config config = store_config(s);
        struct env *reader, *offline;
        struct txn *txn;

        store_add(s, 1, 5, 0);
        env_close(s->env);
        s->env = NULL;
        reader = store_reader(s);
        assert_int_equal(txn_turn_begin(reader, &txn), OK);
        assert_int_equal(txn_count(txn, TABLE_RECORD), 5);
        assert_int_equal(txn_turn_end(txn), OK);
        env_close(reader);
        assert_int_equal(env_open_offline(&config, &offline, NULL), OK);
        assert_int_equal(txn_begin_read(offline, &txn), OK);
        assert_int_equal(store_contradictions(txn), 0);
        txn_abort(txn);
        env_close(offline);
}

static void the_lock_file_is_the_writers_alone(void **state)
{
        struct store *s = *state;
        char path[128];
        struct stat st;

        snprintf(path, sizeof(path), "%s/lock.mdb", s->path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        snprintf(path, sizeof(path), "%s/engine.lock", s->path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        snprintf(path, sizeof(path), "%s/data.mdb", s->path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0022, 0);
}

/* ---- in a process that opened the store as a worker does ---- */

/* Mappings of the store that can be written, or become so; *ret_mapped: any at all. */
static bool has_writable_map(const char *path, bool *ret_mapped)
{
        FILE *maps = fopen("/proc/self/maps", "r");
        char line[512];
        bool writable = false;

        while (maps && fgets(line, sizeof(line), maps)) {
                const char *space = strchr(line, ' ');

                if (!strstr(line, path) || !space)
                        continue;
                *ret_mapped = true;
                writable |= space[2] == 'w';
        }
        if (maps)
                fclose(maps);
        return writable;
}

/* Descriptors on files of the store that can write, or that are the lock file's. */
static unsigned count_bad_fds(const char *path)
{
        DIR *dir = opendir("/proc/self/fd");
        struct dirent *entry;
        unsigned bad = 0;

        while (dir && (entry = readdir(dir))) {
                char target[256] = "";
                int fd = atoi(entry->d_name);

                if (readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) < 0 || !strstr(target, path))
                        continue;
                bad += strstr(target, "lock") != NULL || (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY ||
                       !(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        }
        if (dir)
                closedir(dir);
        return bad;
}

static void act_as_worker(const struct store *s)
{
        struct env *env = store_reader(s);
        bool mapped = false;
        struct txn *txn;

        if (txn_begin_write(env, &txn) != ERR_DENIED)
                _exit(1);
        if (has_writable_map(s->path, &mapped) || !mapped)
                _exit(2);
        if (count_bad_fds(s->path) != 0)
                _exit(3);
        if (txn_turn_begin(env, &txn) != OK)
                _exit(4);
        txn_put(txn, TABLE_META, bytes_str("x"), BYTES_LIT("y"));
        _exit(0);
}

static void a_reader_cannot_write_and_never_opens_the_lock_file(void **state)
{
        struct store *s = *state;
        int status;
        pid_t pid;

        /* The writer's own descriptors would be inherited: it is closed first. */
        env_close(s->env);
        s->env = NULL;
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                act_as_worker(s);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- space ---- */

static void the_reserve_is_allocated_and_the_store_opens_with_it(void **state)
{
        struct store *s = *state;
        struct env_config config = store_config(s);
        struct env_space space;

        store_add(s, 1, 10, 0);
        env_close(s->env);
        config.reserve = 8 << 20;
        assert_int_equal(env_open_writer(&config, &s->env, NULL), OK);
        env_get_space(s->env, &space);
        assert_true(space.file >= space.used + (8 << 20));
        assert_true(space.disk_free > 0);
        store_add(s, 11, 10, 0);
        store_reopen(s);
        assert_int_equal(store_status(s, 15).ocsp.cert_status, OCSP_GOOD);
}

static enum err add_many(struct store *s, uint32_t from, uint32_t n)
{
        struct record record = {0};
        struct txn *txn = store_begin(s);

        for (uint32_t i = from; i < from + n; i++)
                record_put(txn, CA, serial(i), &record, RESERVE);
        return txn_commit(txn);
}

/* A disk of 12 MiB; *state NULL where it cannot be had. */
static int disk_setup(void **state)
{
        struct store *s = calloc(1, sizeof(*s));

        assert_non_null(s);
        store_path(s);
        if (mount("tmpfs", s->path, "tmpfs", 0, "size=12m") == 0) {
                *state = s;
                return 0;
        }
        print_message("cannot mount a tmpfs (needs root): %s\n", strerror(errno));
        rmdir(s->path);
        free(s);
        *state = NULL;
        return 0;
}

static int disk_teardown(void **state)
{
        struct store *s = *state;

        if (!s)
                return 0;
        env_close(s->env);
        umount2(s->path, MNT_DETACH);
        rmdir(s->path);
        free(s);
        return 0;
}

static void on_a_full_disk_the_store_stays_whole_and_single_revocations_go_on(void **state)
{
        struct store *s = *state;
        struct env_config config;
        uint32_t from = 1000;
        struct txn *txn;

        if (!s)
                skip();
        config = store_config(s);
        config.reserve = 2 << 20;
        assert_int_equal(env_open_writer(&config, &s->env, NULL), OK);
        store_add(s, 0, 1000, 0);
        /* Bulk goes on while the reserve can be had, in transactions smaller than it; then one that is larger than all that
         * is left. */
        for (; env_reserve(s->env) == OK; from += 2000)
                assert_int_equal(add_many(s, from, 2000), OK);
        assert_int_equal(env_reserve(s->env), ERR_NOSPC);
        assert_int_equal(add_many(s, from, 60000), ERR_NOSPC);
        for (uint32_t i = 0; i < 20; i++)
                assert_int_equal(store_revoke(s, i, REASON_KEY_COMPROMISE, 0, T0), REVOCATION_NEW);
        store_assert_clean(s);
        env_close(s->env);
        s->env = NULL;
        assert_int_equal(env_open_writer(&config, &s->env, NULL), OK);
        assert_int_equal(store_status(s, 5).ocsp.cert_status, OCSP_REVOKED);
        assert_int_equal(store_status(s, 500).ocsp.cert_status, OCSP_GOOD);
        txn = store_read(s);
        assert_int_equal(txn_count(txn, TABLE_EXCEPTION), 20);
        txn_abort(txn);
}

/* The map is full rather than the disk: the same answer, and the next transaction works. */
static void a_full_map_fails_the_transaction_only(void **state)
{
        struct store *s = *state;
        struct env_config config = store_config(s);

        env_close(s->env);
        config.map_size = 4 << 20;
        assert_int_equal(env_open_writer(&config, &s->env, NULL), OK);
        store_add(s, 1, 10, 0);
        assert_int_equal(add_many(s, 100, 60000), ERR_NOSPC);
        assert_int_equal(store_revoke(s, 1, REASON_KEY_COMPROMISE, 0, T0), REVOCATION_NEW);
        store_assert_clean(s);
}

/* ---- transactions ---- */

static void a_failed_transaction_commits_nothing(void **state)
{
        struct store *s = *state;
        struct record record = {0};
        struct txn *txn = store_begin(s);

        record_put(txn, CA, serial(1), &record, RESERVE);
        txn_fail(txn, ERR_RANGE);
        txn_fail(txn, ERR_INVALID);
        record_put(txn, CA, serial(2), &record, RESERVE);
        assert_true(txn_failed(txn));
        assert_null(txn_put_room(txn, TABLE_JOB, BYTES_LIT("a"), 4));
        assert_int_equal(txn_commit(txn), ERR_RANGE);
        txn = store_read(s);
        assert_int_equal(txn_count(txn, TABLE_RECORD), 0);
        txn_abort(txn);
}

static void cursors_stay_inside_their_prefix_in_both_directions(void **state)
{
        static const char *const keys[] = {"a", "b", "b1", "b2", "b\xff", "b\xff\xff", "c"};
        struct store *s = *state;
        struct bytes key, value;
        struct txn *txn = store_begin(s);
        struct cursor c;
        unsigned n = 0;

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
                txn_put(txn, TABLE_JOB, bytes_str(keys[i]), BYTES_LIT("v"));
        assert_int_equal(cursor_open(&c, txn, TABLE_JOB, BYTES_LIT("b"), BYTES_NONE), OK);
        while (cursor_next(&c, &key, &value) == OK)
                assert_int_equal(key.data[0], 'b'), n++;
        assert_int_equal(n, 5);
        assert_int_equal(cursor_next(&c, &key, &value), ERR_NOT_FOUND);
        assert_int_equal(cursor_last(&c, &key, &value), OK);
        assert_true(bytes_equal(key, BYTES_LIT("b\xff\xff")));
        for (n = 0; cursor_back(&c, &key, &value) == OK; n++)
                ;
        assert_int_equal(n, 4);
        cursor_close(&c);
        assert_int_equal(cursor_open(&c, txn, TABLE_JOB, BYTES_LIT("b\xff"), BYTES_NONE), OK);
        assert_int_equal(cursor_last(&c, &key, &value), OK);
        assert_true(bytes_equal(key, BYTES_LIT("b\xff\xff")));
        cursor_close(&c);
        assert_int_equal(cursor_open(&c, txn, TABLE_JOB, BYTES_LIT("b"), BYTES_LIT("b15")), OK);
        assert_int_equal(cursor_next(&c, &key, &value), OK);
        assert_true(bytes_equal(key, BYTES_LIT("b2")));
        cursor_close(&c);
        assert_int_equal(cursor_open(&c, txn, TABLE_JOB, BYTES_LIT("d"), BYTES_NONE), OK);
        assert_int_equal(cursor_next(&c, &key, &value), ERR_NOT_FOUND);
        assert_int_equal(cursor_last(&c, &key, &value), ERR_NOT_FOUND);
        cursor_close(&c);
        txn_abort(txn);
}

static void a_value_of_the_same_length_is_rewritten_in_place(void **state)
{
        struct store *s = *state;
        struct txn *txn = store_begin(s);
        uint8_t *room;

        txn_put(txn, TABLE_JOB, BYTES_LIT("k"), BYTES_LIT("0123456789"));
        store_commit(txn);
        txn = store_begin(s);
        room = txn_put_room(txn, TABLE_JOB, BYTES_LIT("k"), 10);
        assert_non_null(room);
        assert_memory_equal(room, "0123456789", 10);
        txn_abort(txn);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(a_second_writer_is_refused),
                CASE(a_newer_schema_is_refused_with_its_version),
                CASE(a_store_that_is_not_there_is_not_found),
                CASE(what_was_committed_is_there_after_reopening),
                CASE(readers_read_while_no_writer_runs),
                CASE(the_lock_file_is_the_writers_alone),
                CASE(a_reader_cannot_write_and_never_opens_the_lock_file),
                CASE(the_reserve_is_allocated_and_the_store_opens_with_it),
                cmocka_unit_test_setup_teardown(
                        on_a_full_disk_the_store_stays_whole_and_single_revocations_go_on, disk_setup, disk_teardown),
                CASE(a_full_map_fails_the_transaction_only),
                CASE(a_failed_transaction_commits_nothing),
                CASE(cursors_stay_inside_their_prefix_in_both_directions),
                CASE(a_value_of_the_same_length_is_rewritten_in_place),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
