/* test_log: one event is one line, whatever is in it. */
#include "tests/unit/base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static char path[64], moved[80];
static char text[1 << 20];

static int set_up(void **state)
{
        int fd;

        (void)state;
        strcpy(path, "/tmp/tocsin-log-XXXXXX");
        fd = mkstemp(path);
        if (fd < 0)
                return -1;
        close(fd);
        snprintf(moved, sizeof(moved), "%s.1", path);
        clock_freeze_ms(1795252984123);
        log_init("engine", LEVEL_INFO);
        return log_open(path) ? 0 : -1;
}

static int tear_down(void **state)
{
        (void)state;
        log_open("stderr");
        unlink(path);
        unlink(moved);
        return 0;
}

static const char *read_log(const char *file)
{
        int fd = open(file, O_RDONLY);
        ssize_t n = read(fd, text, sizeof(text) - 1);

        close(fd);
        assert_true(n >= 0);
        text[n] = '\0';
        return text;
}

static void a_line_says_when_how_bad_and_who(void **state)
{
        (void)state;
        log_info("batch active batch=%d serials=%d", 3, 100000);
        assert_string_equal(read_log(path), "2026-11-21T09:23:04.123Z info engine: batch active batch=3 serials=100000\n");
}

static void what_is_less_important_than_the_level_is_left_out(void **state)
{
        (void)state;
        log_debug("not this");
        assert_string_equal(read_log(path), "");
        log_error("e");
        log_warning("w");
        log_init("engine", LEVEL_DEBUG);
        log_debug("d");
        assert_string_equal(read_log(path),
                "2026-11-21T09:23:04.123Z error engine: e\n2026-11-21T09:23:04.123Z warning engine: w\n"
                "2026-11-21T09:23:04.123Z debug engine: d\n");
}

static void nobody_can_forge_a_line(void **state)
{
        (void)state;
        log_info("name=%s", "x\n2026 error: gone\r\x1b[2J\x7f\t\xc3\xa9");
        assert_string_equal(read_log(path),
                "2026-11-21T09:23:04.123Z info engine: name=x\\n2026 error: gone\\x0d\\x1b[2J\\x7f\\x09\xc3\xa9\n");
}

static void a_line_too_long_ends_in_dots(void **state)
{
        static char big[9000];
        size_t len;

        (void)state;
        memset(big, 'a', sizeof(big) - 1);
        log_info("%s", big);
        memset(big, '\n', sizeof(big) - 1);
        log_info("%s", big);
        len = strlen(read_log(path));
        assert_true(len <= 2 * 4096);
        assert_string_equal(text + len - 6, "\\n...\n");
        assert_string_equal(strstr(text, "a...") ? "found" : text, "found");
        assert_ptr_equal(strchr(strchr(text, '\n') + 1, '\n'), text + len - 1);
}

static void errno_is_left_as_it_was(void **state)
{
        (void)state;
        errno = ENOSPC;
        log_error("why=%m");
        assert_int_equal(errno, ENOSPC);
        assert_non_null(strstr(read_log(path), strerror(ENOSPC)));
        assert_true(log_open("/dev/full")); /* where every write fails */
        errno = EACCES;
        log_error("lost");
        assert_int_equal(errno, EACCES);
}

static void a_file_moved_away_is_made_anew_on_reopen(void **state)
{
        struct stat st;

        (void)state;
        log_info("one");
        assert_int_equal(rename(path, moved), 0);
        log_info("two");
        log_reopen();
        log_info("three");
        assert_non_null(strstr(read_log(moved), "two"));
        assert_null(strstr(text, "three"));
        assert_non_null(strstr(read_log(path), "three"));
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07, 0); /* not for others to read */
}

static void a_file_that_cannot_be_opened_changes_nothing(void **state)
{
        (void)state;
        assert_false(log_open("/nowhere/at/all.log"));
        assert_int_equal(errno, ENOENT);
        log_info("still here");
        assert_non_null(strstr(read_log(path), "still here"));
}

static void *write_many(void *word)
{
        for (int i = 0; i < 500; i++)
                log_info("%s", (const char *)word);
        return NULL;
}

static void lines_of_threads_never_mix(void **state)
{
        static char words[4][64];
        pthread_t threads[4];
        unsigned n = 0;

        (void)state;
        for (int i = 0; i < 4; i++) {
                memset(words[i], 'a' + i, 60);
                assert_int_equal(pthread_create(&threads[i], NULL, write_many, words[i]), 0);
        }
        for (int i = 0; i < 4; i++)
                pthread_join(threads[i], NULL);
        read_log(path);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), n++) {
                const char *word = strstr(line, ": ") + 2;

                assert_int_equal(strlen(word), 60);
                assert_int_equal(strspn(word, (char[]){word[0], 0}), 60);
        }
        assert_int_equal(n, 2000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_line_says_when_how_bad_and_who, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_less_important_than_the_level_is_left_out, set_up, tear_down),
                cmocka_unit_test_setup_teardown(nobody_can_forge_a_line, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_line_too_long_ends_in_dots, set_up, tear_down),
                cmocka_unit_test_setup_teardown(errno_is_left_as_it_was, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_file_moved_away_is_made_anew_on_reopen, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_file_that_cannot_be_opened_changes_nothing, set_up, tear_down),
                cmocka_unit_test_setup_teardown(lines_of_threads_never_mix, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
