/* Fuzz: a list as an operator hands it over (CSV, NDJSON, index.txt, PEM, CRL), for import and for revocation. Whatever is
 * accepted becomes a row file that its reader accepts whole; whatever is rejected says where and why. */
#include <unistd.h>

#include "base/clock.h"
#include "tests/fuzz/fuzz.h"
#include "tools/reader.h"

#define NOW_MS INT64_C(1900000000000)
#define FILE_MAX ((size_t)64 << 20)

static const struct conf_issuer issuer = {
        .name = (char *)(uintptr_t) "fuzz",
        .crl_shards = 9,
        .crl_url = (char *)(uintptr_t) "http://crl.example.com/{shard}.crl",
};

/* One certificate or line yields one row or one reject at most, and none that it did not hold. */
static void check_rowfile(const struct intake *in)
{
        struct rowfile file;
        struct rowfile_row row;
        enum err e;
        int fd;

        HOLDS(rows_write(&in->rows, in->kind, &fd) == OK);
        HOLDS(rowfile_load(&file, fd, FILE_MAX) == OK);
        HOLDS(file.n_rows == in->rows.n);
        while ((e = rowfile_next(&file, &row)) == OK) {
                HOLDS(row.line <= in->sources.n_lines);
                HOLDS(in->kind == ROWFILE_IMPORT || row.flags == 0);
                HOLDS(row.shard <= issuer.crl_shards);
        }
        HOLDS(e == ERR_NOT_FOUND);
        rowfile_done(&file);
        close(fd);
}

static void check_rejects(struct intake *in)
{
        char place[256];

        rejects_sort(&in->rejects);
        for (size_t i = 0; i < in->rejects.n; i++) {
                const char *text = (const char *)in->rejects.texts.data + in->rejects.items[i].text;

                HOLDS(in->rejects.items[i].text < in->rejects.texts.len && text[0] != '\0');
                sources_place(&in->sources, in->rejects.items[i].number, place, sizeof(place));
        }
}

static void run(struct bytes content, enum rowfile_kind kind)
{
        __attribute__((cleanup(intake_done))) struct intake in = {
                .kind = kind, .issuer = &issuer, .has_reason = content.len % 2};
        char why[INTAKE_WHY_MAX] = "";

        if (intake_content(&in, "fuzz", content, why) != OK) {
                HOLDS(why[0] != '\0');
                return;
        }
        HOLDS(rows_sort(&in.rows, &in.rejects, &in.sources) == OK);
        check_rejects(&in);
        check_rowfile(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        clock_freeze_ms(NOW_MS);
        run(bytes_make(data, size), ROWFILE_IMPORT);
        run(bytes_make(data, size), ROWFILE_REVOKE);
        return 0;
}
