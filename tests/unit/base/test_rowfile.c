/* test_rowfile: what is written is read back, and nothing else is taken. */
#include "tests/unit/base/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/rowfile.h"
#include "tests/unit/base/fail_alloc.h"

static const struct rowfile_row one_row = {.line = 7,
        .serial_len = 2,
        .serial = {0x01, 0x02},
        .flags = ROWFILE_REVOKED,
        .not_after = 2000000000,
        .reason = 1,
        .revoked_at = 1700000000,
        .invalidity_date = 1600000000,
        .shard = 513,
        .certinfo = {(const uint8_t *)"info", 4}};

static void write_rows(FILE *file, const struct rowfile_row *rows, unsigned n)
{
        struct rowfile_writer w;

        rowfile_begin(&w, file, ROWFILE_REVOKE);
        for (unsigned i = 0; i < n; i++)
                rowfile_put(&w, &rows[i]);
        assert_int_equal(rowfile_end(&w), OK);
}

/* The bytes of a file with one_row, for tests to spoil. */
static size_t make_file(uint8_t *memory, size_t cap)
{
        FILE *file = tmpfile();
        size_t len;

        write_rows(file, &one_row, 1);
        rewind(file);
        len = fread(memory, 1, cap, file);
        fclose(file);
        return len;
}

static void rows_come_back_as_they_were_put(void **state)
{
        struct rowfile_row rows[3] = {
                one_row, {.serial_len = 2, .serial = {0x01, 0x03}}, {.serial_len = 3, .serial = {0x01, 0x03, 0}}};
        _cleanup_(rowfile_done) struct rowfile f = {0};
        struct rowfile_row row;
        FILE *file = tmpfile();

        (void)state;
        write_rows(file, rows, 3);
        assert_int_equal(rowfile_load(&f, fileno(file), 1 << 20), OK);
        fclose(file);
        assert_int_equal(f.kind, ROWFILE_REVOKE);
        assert_int_equal(f.n_rows, 3);
        for (int round = 0; round < 2; round++) {
                assert_int_equal(rowfile_next(&f, &row), OK);
                assert_true(row.line == 7 && row.serial_len == 2 && row.flags == 1 && row.not_after == 2000000000 &&
                            row.reason == 1);
                assert_true(row.revoked_at == 1700000000 && row.invalidity_date == 1600000000 && row.shard == 513);
                assert_memory_equal(row.serial, one_row.serial, 20);
                assert_true(bytes_equal(row.certinfo, BYTES_LIT("info")));
                assert_int_equal(rowfile_next(&f, &row), OK);
                assert_int_equal(rowfile_next(&f, &row), OK);
                assert_int_equal(row.serial_len, 3);
                assert_int_equal(rowfile_next(&f, &row), ERR_NOT_FOUND);
                assert_int_equal(rowfile_next(&f, &row), ERR_NOT_FOUND);
                rowfile_rewind(&f);
        }
}

/* One field of one_row made wrong. */
static void every_field_is_checked_by_writer_and_reader(void **state)
{
        static const struct {
                size_t at; /* in the file */
                uint8_t value;
        } spoiled[] = {
                {0, 'X'},
                {7, '2'},
                {8, 0},
                {8, 3},
                {12, 0},
                {12, 2},
                {17, 0},
                {17, 21},
                {18, 0x00},
                {18, 0x80},
                {20, 8},
                {25, 7},
                {25, 8},
                {25, 11},
                {36, 0xff},
                {37, 3},
                {37, 5},
        };
        uint8_t memory[128];
        size_t len = make_file(memory, sizeof(memory));

        (void)state;
        assert_int_equal(len, 13 + 4 + 1 + 2 + 1 + 4 + 1 + 4 + 4 + 2 + 2 + 4);
        for (size_t i = 0; i < sizeof(spoiled) / sizeof(*spoiled); i++) {
                uint8_t good = memory[spoiled[i].at];
                struct rowfile f;
                struct rowfile_row row;
                enum err e;

                memory[spoiled[i].at] = spoiled[i].value;
                e = rowfile_open(&f, bytes_make(memory, len));
                if (e == OK)
                        e = rowfile_next(&f, &row);
                if (e == OK)
                        e = rowfile_next(&f, &row);
                assert_int_equal(e, ERR_INVALID);
                memory[spoiled[i].at] = good;
        }
}

static void a_cut_file_is_refused_wherever_it_is_cut(void **state)
{
        uint8_t memory[128];
        size_t len = make_file(memory, sizeof(memory));

        (void)state;
        for (size_t cut = 0; cut < len; cut++) {
                uint8_t *exact = malloc(cut + 1); /* so that ASan sees a read past the end */
                struct rowfile f;
                struct rowfile_row row;
                enum err e;

                memcpy(exact, memory, cut);
                e = rowfile_open(&f, bytes_make(exact, cut));
                if (e == OK)
                        e = rowfile_next(&f, &row);
                assert_int_equal(e, ERR_INVALID);
                free(exact);
        }
}

static void the_writer_refuses_what_the_reader_would(void **state)
{
        static uint8_t big[4097];
        struct rowfile_row bad[8];

        (void)state;
        for (size_t i = 0; i < 8; i++)
                bad[i] = one_row;
        bad[0].serial_len = 0;
        bad[1].serial_len = 21;
        bad[2].serial[0] = 0x80;
        bad[3].serial[0] = 0x00;
        bad[4].flags = 8;
        bad[5].reason = 7;
        bad[6].reason = 8;
        bad[7].certinfo = BYTES_OF(big);
        for (size_t i = 0; i < 8; i++) {
                struct rowfile_writer w;
                FILE *file = tmpfile();

                rowfile_begin(&w, file, ROWFILE_IMPORT);
                rowfile_put(&w, &bad[i]);
                rowfile_put(&w, &one_row);
                assert_int_equal(rowfile_end(&w), ERR_INVALID);
                fclose(file);
        }
}

static void rows_out_of_order_or_twice_are_refused(void **state)
{
        struct rowfile_row second = one_row;
        uint8_t memory[256];
        struct rowfile_writer w;
        struct rowfile_row row;
        struct rowfile f;
        FILE *file = tmpfile();
        size_t len;

        (void)state;
        rowfile_begin(&w, file, ROWFILE_IMPORT);
        rowfile_put(&w, &one_row);
        rowfile_put(&w, &one_row);
        assert_int_equal(rowfile_end(&w), ERR_RANGE);
        rewind(file);
        second.serial[1] = 0x03;
        write_rows(file, (struct rowfile_row[]){one_row, second}, 2);
        rewind(file);
        len = fread(memory, 1, sizeof(memory), file);
        fclose(file);
        memory[13 + 29 + 4 + 1 + 1] = 0x02; /* the second row's serial: now the same as the first */
        assert_int_equal(rowfile_open(&f, bytes_make(memory, len)), OK);
        assert_int_equal(rowfile_next(&f, &row), OK);
        assert_int_equal(rowfile_next(&f, &row), ERR_RANGE);
        memory[13 + 29 + 4 + 1 + 1] = 0x01;
        assert_int_equal(rowfile_next(&f, &row), ERR_RANGE);
}

static void load_takes_plain_files_up_to_a_size(void **state)
{
        struct rowfile f = {0};
        FILE *file = tmpfile();
        int pipes[2], folder;

        (void)state;
        write_rows(file, &one_row, 1);
        assert_int_equal(rowfile_load(&f, fileno(file), 41), ERR_RANGE);
        assert_int_equal(rowfile_load(&f, fileno(file), 42), OK);
        rowfile_done(&f);
        fail_alloc_after(0);
        assert_int_equal(rowfile_load(&f, fileno(file), 42), ERR_NOMEM);
        fail_alloc_after(-1);
        fclose(file);
        assert_int_equal(pipe(pipes), 0);
        assert_int_equal(rowfile_load(&f, pipes[0], 42), ERR_INVALID);
        assert_int_equal(rowfile_load(&f, -1, 42), ERR_IO);
        close(pipes[0]);
        close(pipes[1]);
        folder = open("/tmp", O_RDONLY | O_DIRECTORY);
        assert_int_equal(rowfile_load(&f, folder, 1 << 20), ERR_INVALID);
        close(folder);
}

static void a_full_disk_is_reported_at_the_end(void **state)
{
        FILE *full = fopen("/dev/full", "w");
        struct rowfile_writer w;

        (void)state;
        if (!full)
                skip();
        rowfile_begin(&w, full, ROWFILE_IMPORT);
        rowfile_put(&w, &one_row);
        assert_int_equal(rowfile_end(&w), ERR_NOSPC);
        fclose(full);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rows_come_back_as_they_were_put),
                cmocka_unit_test(every_field_is_checked_by_writer_and_reader),
                cmocka_unit_test(a_cut_file_is_refused_wherever_it_is_cut),
                cmocka_unit_test(the_writer_refuses_what_the_reader_would),
                cmocka_unit_test(rows_out_of_order_or_twice_are_refused),
                cmocka_unit_test(load_takes_plain_files_up_to_a_size),
                cmocka_unit_test(a_full_disk_is_reported_at_the_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
