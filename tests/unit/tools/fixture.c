/* fixture: see fixture.h. */
#include "tests/unit/tools/fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pki/certinfo.h"

const char *fixture_path(const char *name)
{
        static char path[4096];

        snprintf(path, sizeof(path), "%s/%s", getenv("TOOLS_DATA"), name);
        return path;
}

void fixture_open(struct intake *ret, enum rowfile_kind kind)
{
        static char ca_path[4096];
        static char *files[] = {ca_path};
        static const struct conf_issuer issuer = {
                .name = (char *)(uintptr_t) "fixture",
                .certificates = {files, 1},
                .crl_shards = 9,
                .crl_url = (char *)(uintptr_t) "http://crl.example.com/{shard}.crl",
        };
        char bad[256];

        snprintf(ca_path, sizeof(ca_path), "%s", fixture_path("ca.pem"));
        clock_freeze_ms(NOW * 1000);
        *ret = (struct intake){.kind = kind, .issuer = &issuer};
        assert_int_equal(ca_load(&issuer.certificates, &ret->ca, bad), OK);
}

void fixture_read(struct intake *in, const char *text)
{
        char why[INTAKE_WHY_MAX] = "";

        if (intake_content(in, "-", bytes_str(text), why) != OK)
                fail_msg("%s", why);
}

void fixture_read_file(struct intake *in, const char *name)
{
        char why[INTAKE_WHY_MAX] = "";

        if (intake_path(in, fixture_path(name), why) != OK)
                fail_msg("%s", why);
}

void fixture_sort(struct intake *in, size_t n_rows, size_t n_rejects)
{
        assert_int_equal(rows_sort(&in->rows, &in->rejects, &in->sources), OK);
        rejects_sort(&in->rejects);
        if (in->rejects.n != n_rejects)
                rejects_print(&in->rejects, &in->sources, stderr, 20);
        assert_int_equal(in->rejects.n, n_rejects);
        assert_int_equal(in->rows.n, n_rows);
}

const struct row *fixture_row(const struct intake *in, const char *serial)
{
        struct serial s;

        assert_int_equal(serial_from_text(bytes_str(serial), &s), OK);
        for (size_t i = 0; i < in->rows.n; i++)
                if (bytes_equal(serial_bytes(&s), bytes_make(in->rows.items[i].serial, in->rows.items[i].serial_len)))
                        return &in->rows.items[i];
        fail_msg("no row with serial %s", serial);
        return NULL;
}

void fixture_expect_reject(struct intake *in, size_t i, uint32_t line, const char *words)
{
        const char *text;

        assert_true(i < in->rejects.n);
        text = (const char *)in->rejects.texts.data + in->rejects.items[i].text;
        assert_int_equal(in->rejects.items[i].number, line);
        if (!strstr(text, words))
                fail_msg("'%s' does not hold '%s'", text, words);
}

static uint32_t count_lines(const char *text)
{
        uint32_t n = 0;

        for (const char *at = strchr(text, '\n'); at; at = strchr(at + 1, '\n'))
                n++;
        return n;
}

void fixture_expect_bad_lines(const char *good, const struct bad_line *bad)
{
        for (; bad->line; bad++) {
                char text[256];
                OPEN(ROWFILE_IMPORT);

                assert_true(snprintf(text, sizeof(text), "%s%s\n", good, bad->line) < (int)sizeof(text));
                fixture_read(&in, text);
                fixture_sort(&in, 1, 1);
                fixture_expect_reject(&in, 0, count_lines(good) + 1, bad->words);
        }
}

static void expect_refused(const struct intake *in, enum err e, const char *why, const char *words)
{
        assert_int_equal(e, ERR_INVALID);
        if (!strstr(why, words))
                fail_msg("'%s' does not hold '%s'", why, words);
        assert_int_equal(in->rows.n, 0);
        assert_int_equal(in->rejects.n, 0);
}

void fixture_expect_refused(struct intake *in, const char *name, struct bytes content, const char *words)
{
        char why[INTAKE_WHY_MAX] = "";
        enum err e = intake_content(in, name, content, why);

        expect_refused(in, e, why, words);
}

void fixture_expect_file_refused(struct intake *in, const char *name, const char *words)
{
        char why[INTAKE_WHY_MAX] = "";
        enum err e = intake_path(in, fixture_path(name), why);

        expect_refused(in, e, why, words);
}

void fixture_info(const struct intake *in, const char *serial, struct certinfo *ret)
{
        const struct row *row = fixture_row(in, serial);

        assert_int_equal(certinfo_read(bytes_make(in->rows.infos.data + (size_t)row->info * 4, row->info_len), ret), OK);
}
