/* Words for people: tables, durations, bars; fields and lines; files; the shard in a distribution point's URL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/cdp.h"
#include "tools/files.h"
#include "tools/lines.h"
#include "tools/pem.h"
#include "tools/progress.h"
#include "tools/table.h"

static void a_table_is_aligned_by_characters_and_cannot_move_the_cursor(void **state)
{
        static const char *const titles[] = {"name", "n", "note"};
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);
        struct table t;

        (void)state;
        table_begin(&t, 3, titles);
        t.indent = "  ";
        t.right = 1 << 1;
        table_cell(&t, "Zürich");
        table_cellf(&t, "%d", 5);
        table_cell(&t, NULL);
        table_cell(&t, "a\033[2J");
        table_cellf(&t, "%d", 1000);
        table_cell(&t, "x");
        table_cell(&t, "short");
        table_end(&t, out);
        fclose(out);
        assert_string_equal(text, "  name       n  note\n"
                                  "  Zürich     5  -\n"
                                  "  a?[2J   1000  x\n"
                                  "  short         \n");
        free(text);
}

static void durations_are_told_in_the_unit_that_matters(void **state)
{
        static const struct {
                int64_t ms;
                const char *text;
        } rows[] = {{0, "0 ms"}, {850, "850 ms"}, {12345, "12 s"}, {200000, "3 min 20 s"}, {7500000, "2 h 5 min"}};
        char text[32];

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
                assert_string_equal(progress_duration(text, rows[i].ms), rows[i].text);
}

static void a_bar_is_never_longer_than_its_frame(void **state)
{
        char bar[13];

        (void)state;
        assert_string_equal(progress_bar(bar, 10, 0, 0), "[          ]");
        assert_string_equal(progress_bar(bar, 10, 5, 10), "[#####     ]");
        assert_string_equal(progress_bar(bar, 10, 99, 10), "[##########]");
        assert_string_equal(progress_bar(bar, 10, UINT64_MAX - 1, UINT64_MAX), "[##########]");
}

static void the_last_line_needs_no_end(void **state)
{
        struct lines l;
        struct bytes line;

        (void)state;
        lines_init(&l, bytes_str("a\r\n\nb "));
        assert_true(lines_next(&l, &line) && bytes_equal(line, BYTES_LIT("a")));
        assert_true(lines_next(&l, &line) && line.len == 0);
        assert_true(lines_next(&l, &line) && bytes_equal(line, BYTES_LIT("b")));
        assert_int_equal(l.number, 3);
        assert_false(lines_next(&l, &line));
}

static void words_are_compared_by_letters_and_digits(void **state)
{
        (void)state;
        assert_true(bytes_is_word(BYTES_LIT("Not After"), "notafter"));
        assert_true(bytes_is_word(BYTES_LIT("Is revoked?"), "isrevoked"));
        assert_false(bytes_is_word(BYTES_LIT("notafterx"), "notafter"));
        assert_false(bytes_is_word(BYTES_LIT("notafte"), "notafter"));
        assert_false(bytes_is_word(BYTES_NONE, ""));
        assert_true(bytes_is_one_of(BYTES_LIT("state"), "status state "));
        assert_false(bytes_is_one_of(BYTES_LIT("stat"), "status state "));
}

static void files_are_replaced_whole(void **state)
{
        char folder[] = "/tmp/tocsin-test-XXXXXX", path[64];
        struct builder content = {0};
        struct stat st;

        (void)state;
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof(path), "%s/x", folder);
        assert_int_equal(files_write(path, BYTES_LIT("one"), 0600), OK);
        assert_int_equal(files_write(path, BYTES_LIT("two"), 0644), OK);
        assert_int_equal(files_read(path, &content), OK);
        assert_true(bytes_equal(builder_bytes(&content), BYTES_LIT("two")));
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0644);
        assert_int_equal(files_write("/nowhere/x", BYTES_LIT("x"), 0644), ERR_NOT_FOUND);
        files_remove_folder(folder);
        assert_int_equal(access(folder, F_OK), -1);
        builder_done(&content);
}

static void pem_that_is_written_is_read_again(void **state)
{
        uint8_t der[100];

        (void)state;
        for (size_t len = 1; len < sizeof(der); len++) {
                struct builder text = {0}, back = {0};
                struct pem pem;
                struct pem_block block;

                memset(der, (int)len, len);
                files_put_pem(&text, "X", bytes_make(der, len));
                pem_init(&pem, builder_bytes(&text));
                assert_true(pem_next(&pem, &block) && block.is_whole);
                assert_int_equal(pem_decode(block.base64, &back), OK);
                assert_true(bytes_equal(builder_bytes(&back), bytes_make(der, len)));
                builder_done(&text);
                builder_done(&back);
        }
}

static void a_setting_is_a_path_and_a_value(void **state)
{
        (void)state;
        assert_true(files_is_setting("ocsp.validity=4d"));
        assert_true(files_is_setting("crl.url="));
        assert_false(files_is_setting("crl.url"));
        assert_false(files_is_setting("=x"));
        assert_false(files_is_setting("a\nb=x"));
}

static void the_shard_is_read_from_the_distribution_point(void **state)
{
        static const char pattern[] = "http://c/{shard}.crl";

        (void)state;
        assert_int_equal(cdp_shard(BYTES_LIT("http://c/7.crl"), pattern, 9), 7);
        assert_int_equal(cdp_shard(BYTES_LIT("http://c/9.crl"), pattern, 9), 9);
        assert_int_equal(cdp_shard(BYTES_LIT("http://c/10.crl"), pattern, 9), 0);
        assert_int_equal(cdp_shard(BYTES_LIT("http://c/.crl"), pattern, 9), 0);
        assert_int_equal(cdp_shard(BYTES_LIT("http://c/7x.crl"), pattern, 9), 0);
        assert_int_equal(cdp_shard(BYTES_LIT("http://d/7.crl"), pattern, 9), 0);
        assert_int_equal(cdp_shard(BYTES_LIT("http://c/7"), pattern, 9), 0);
        assert_int_equal(cdp_shard(BYTES_LIT("http://c/7.crl"), "http://c/7.crl", 0), 0);
        assert_int_equal(cdp_shard(BYTES_NONE, pattern, 9), 0);
        assert_int_equal(cdp_find(BYTES_LIT("\x30\x03\x02\x01\x01")).len, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_table_is_aligned_by_characters_and_cannot_move_the_cursor),
                cmocka_unit_test(durations_are_told_in_the_unit_that_matters),
                cmocka_unit_test(a_bar_is_never_longer_than_its_frame),
                cmocka_unit_test(the_last_line_needs_no_end),
                cmocka_unit_test(words_are_compared_by_letters_and_digits),
                cmocka_unit_test(files_are_replaced_whole),
                cmocka_unit_test(pem_that_is_written_is_read_again),
                cmocka_unit_test(a_setting_is_a_path_and_a_value),
                cmocka_unit_test(the_shard_is_read_from_the_distribution_point),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
