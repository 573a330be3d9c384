/* Sorting, merging, the rowfile that comes out. */
#include "tests/unit/tools/fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "pki/certinfo.h"
#include "tests/unit/base/fail_alloc.h"

static void serials_are_sorted_as_the_rowfile_wants_them(void **state)
{
        struct rowfile file;
        struct rowfile_row row;
        unsigned n = 0;
        int fd;
        OPEN(ROWFILE_IMPORT);

        (void)state;
        /* 0080 (a sign octet), serials of which one begins the other, and some that differ after eight octets only */
        fixture_read(&in, "80\n7F\n0102\n01\n010203\n0102030405060708090A\n01020304050607080909\nFFFFFFFFFFFFFFFFFFFFFFFFFFF"
                          "FFFFFFFFFFF\n");
        fixture_sort(&in, 8, 0);
        assert_int_equal(rows_write(&in.rows, ROWFILE_IMPORT, &fd), OK);
        assert_int_equal(rowfile_load(&file, fd, 1 << 20), OK); /* rowfile_next refuses any other order */
        while (rowfile_next(&file, &row) == OK)
                n++;
        assert_int_equal(n, 8);
        assert_int_equal(file.n_read, file.n_rows);
        rowfile_done(&file);
        close(fd);
}

static void what_is_written_cannot_be_changed_afterwards(void **state)
{
        int fd;
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "01\n");
        fixture_sort(&in, 1, 0);
        assert_int_equal(rows_write(&in.rows, ROWFILE_IMPORT, &fd), OK);
        assert_int_equal(pwrite(fd, "x", 1, 0), -1);
        assert_int_equal(ftruncate(fd, 0), -1);
        close(fd);
}

static void every_fact_of_a_row_arrives(void **state)
{
        struct rowfile file;
        struct rowfile_row row;
        struct certinfo info;
        int fd;
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "serial,notAfter,status,reason,revoked_at,invalidity_date,shard,subscriber\n"
                          "0B,2031-01-02,revoked,superseded,2029-01-01,2028-01-01,3,acme\n0A,2031-01-01,good,,,,,bcme\n");
        fixture_sort(&in, 2, 0);
        assert_int_equal(rows_write(&in.rows, ROWFILE_IMPORT, &fd), OK);
        assert_int_equal(rowfile_load(&file, fd, 1 << 20), OK);
        assert_int_equal(rowfile_next(&file, &row), OK);
        assert_int_equal(row.line, 3);
        assert_int_equal(rowfile_next(&file, &row), OK);
        assert_int_equal(row.line, 2);
        assert_int_equal(row.not_after, 1925078400);
        assert_int_equal(row.flags, ROWFILE_REVOKED);
        assert_int_equal(row.reason, REASON_SUPERSEDED);
        assert_int_equal(row.revoked_at, 1861920000);
        assert_int_equal(row.invalidity_date, 1830297600);
        assert_int_equal(row.shard, 3);
        assert_int_equal(certinfo_read(row.certinfo, &info), OK);
        assert_true(bytes_equal(info.subscriber, BYTES_LIT("acme")));
        rowfile_done(&file);
        close(fd);
}

static void the_same_line_twice_is_one(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "serial,notAfter,status\n02,2031-01-01,good\n01,2031-01-01,good\n02,2031-01-01,good\n0002,2031-01-"
                          "01,good\n");
        fixture_sort(&in, 2, 0);
}

static void sorted_input_is_checked_for_duplicates_too(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "01\n02\n02\n03\n");
        fixture_sort(&in, 3, 0);
}

static void lines_that_contradict_each_other_are_rejected_with_both_places(void **state)
{
        static const struct {
                const char *a, *b, *words;
        } pairs[] = {
                {"02,2031-01-01,good,,,,", "02,2031-01-02,good,,,,", "another notAfter than at -:2"},
                {"02,,good,,,,", "02,,revoked,,,,", "another status than at -:2"},
                {"02,,revoked,superseded,,,", "02,,revoked,keyCompromise,,,", "another reason than at -:2"},
                {"02,,revoked,,2029-01-01,,", "02,,revoked,,2029-01-02,,", "another date of revocation"},
                {"02,,good,,,1,", "02,,good,,,2,", "another CRL shard than at -:2"},
                {"02,,good,,,,a", "02,,good,,,,b", "another subject, subscriber"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
                char text[256];
                OPEN(ROWFILE_IMPORT);

                snprintf(text, sizeof(text), "serial,notAfter,status,reason,revoked_at,shard,subscriber\n%s\n01,,,,,,\n%s\n",
                        pairs[i].a, pairs[i].b);
                fixture_read(&in, text);
                fixture_sort(&in, 2, 1);
                fixture_expect_reject(&in, 0, 4, pairs[i].words);
        }
}

static void lines_that_complete_each_other_become_one(void **state)
{
        OPEN(ROWFILE_IMPORT);

        (void)state;
        fixture_read(&in, "serial,notAfter,status,shard\n02,2031-01-01,,\n02,,good,3\n");
        fixture_sort(&in, 1, 0);
        assert_int_equal(fixture_row(&in, "02")->not_after, 1924992000);
        assert_int_equal(fixture_row(&in, "02")->shard, 3);
}

/* A fixed generator: the same million serials in every run. */
static uint64_t next_random(uint64_t *state)
{
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return *state >> 11;
}

static void a_million_lines_keep_their_order_and_their_number(void **state)
{
        struct builder text = {0};
        struct rowfile file;
        struct rowfile_row row;
        char why[INTAKE_WHY_MAX];
        uint64_t random = 7;
        uint32_t n = 0;
        enum err e;
        int fd;
        OPEN(ROWFILE_IMPORT);

        (void)state;
        builder_put_str(&text, "serial,not_after\n");
        for (unsigned i = 0; i < 1000000;
                i++) { /* the counter makes each unique; a third shares its first octets with others */
                uint64_t high = i % 3 ? next_random(&random) : 0x55;

                builder_printf(&text, "%016llX%08X,2031-01-01\n", (unsigned long long)high, i);
        }
        assert_false(builder_failed(&text));
        assert_int_equal(intake_content(&in, "big.csv", builder_bytes(&text), why), OK);
        fixture_sort(&in, 1000000, 0);
        assert_int_equal(rows_write(&in.rows, ROWFILE_IMPORT, &fd), OK);
        assert_int_equal(rowfile_load(&file, fd, (size_t)1 << 30), OK);
        while ((e = rowfile_next(&file, &row)) == OK)
                n++;
        assert_int_equal(e, ERR_NOT_FOUND);
        assert_int_equal(n, 1000000);
        rowfile_done(&file);
        builder_done(&text);
        close(fd);
}

/* Reads, sorts and writes; fails whichever allocation it is told to. */
static enum err try_all(struct intake *in, bool *ret_happened)
{
        static const char text[] =
                "serial,subscriber,status\n03,\"a, \"\"b\"\"\",good\n02,b,good\nzz,c,\n02,b,good\n01,d,revoked\n";
        char why[INTAKE_WHY_MAX] = "";
        int fd = -1;
        enum err e = intake_content(in, "list", BYTES_LIT(text), why);

        if (e == OK)
                e = rows_sort(&in->rows, &in->rejects, &in->sources);
        if (e == OK)
                e = rows_write(&in->rows, in->kind, &fd);
        *ret_happened = fail_alloc_happened();
        fail_alloc_after(-1);
        if (fd >= 0)
                close(fd);
        return e;
}

static void whichever_allocation_fails_the_list_is_whole_or_refused(void **state)
{
        bool happened = true;

        (void)state;
        for (int n = 0; happened; n++) {
                OPEN(ROWFILE_IMPORT);
                enum err e;

                fail_alloc_after(n);
                e = try_all(&in, &happened);
                assert_true(e == OK || e == ERR_NOMEM);
                assert_true(n < 100);
                if (e == OK) { /* what is lost may be the words of a reject, never a row, and never that there was one */
                        assert_int_equal(in.rows.n, 3);
                        assert_true(in.rejects.n == 1 || builder_failed(&in.rejects.texts));
                }
        }
}

static void a_line_of_any_of_several_files_is_found_again(void **state)
{
        struct sources s = {0};
        char place[64];
        uint32_t a, b, c;

        (void)state;
        assert_int_equal(sources_add(&s, "a"), OK);
        (void)sources_number(&s, 1);
        a = sources_number(&s, 17);
        assert_int_equal(a, 17);
        assert_int_equal(sources_add(&s, "empty"), OK);
        assert_int_equal(sources_add(&s, "b"), OK);
        b = sources_number(&s, 1);
        c = sources_number(&s, 40);
        assert_string_equal(sources_place(&s, a, place, sizeof(place)), "a:17");
        assert_string_equal(sources_place(&s, b, place, sizeof(place)), "b:1");
        assert_string_equal(sources_place(&s, c, place, sizeof(place)), "b:40");
        assert_int_equal(sources_number(&s, UINT64_C(1) << 33), 0);
        assert_string_equal(sources_place(&s, 0, place, sizeof(place)), "somewhere");
        sources_done(&s);
}

static void rejects_are_capped_on_screen_and_whole_in_the_file(void **state)
{
        struct sources s = {0};
        struct rejects r = {0};
        char path[] = "/tmp/tocsin-test-XXXXXX", line[256], *screen = NULL;
        size_t len, n = 0;
        FILE *out = open_memstream(&screen, &len), *file;
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        assert_int_equal(sources_add(&s, "list"), OK);
        for (unsigned i = 30; i > 0; i--)
                rejects_add(&r, i, "0A", "bad \033[2J thing %u", i);
        rejects_sort(&r);
        rejects_print(&r, &s, out, 20);
        fclose(out);
        assert_non_null(strstr(screen, "list:1: 0A: bad ?[2J thing 1\n"));
        assert_null(strstr(screen, "list:21:"));
        assert_non_null(strstr(screen, "10 more"));
        assert_int_equal(rejects_write(&r, &s, path), OK);
        file = fopen(path, "r");
        while (fgets(line, sizeof(line), file))
                n++;
        assert_int_equal(n, 30);
        fclose(file);
        close(fd);
        unlink(path);
        free(screen);
        rejects_done(&r);
        sources_done(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(serials_are_sorted_as_the_rowfile_wants_them),
                cmocka_unit_test(what_is_written_cannot_be_changed_afterwards),
                cmocka_unit_test(every_fact_of_a_row_arrives),
                cmocka_unit_test(the_same_line_twice_is_one),
                cmocka_unit_test(sorted_input_is_checked_for_duplicates_too),
                cmocka_unit_test(lines_that_contradict_each_other_are_rejected_with_both_places),
                cmocka_unit_test(lines_that_complete_each_other_become_one),
                cmocka_unit_test(a_million_lines_keep_their_order_and_their_number),
                cmocka_unit_test(whichever_allocation_fails_the_list_is_whole_or_refused),
                cmocka_unit_test(a_line_of_any_of_several_files_is_found_again),
                cmocka_unit_test(rejects_are_capped_on_screen_and_whole_in_the_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
