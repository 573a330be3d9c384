/* fixture: an issuer whose certificates stand in data/ (made by data/make.sh with `openssl ca`), and intakes for it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/intake.h"
#include "tools/reader.h"

#define NOW INT64_C(1900000000) /* 2030-03-17, after the fixtures were made */

/* Shards 1..9 at http://crl.example.com/{shard}.crl; private profile. The clock stands at NOW. */
void fixture_open(struct intake *ret, enum rowfile_kind kind);
/* `in`, for as long as the block that it stands in. */
#define OPEN(kind)                                                                                                          \
        __attribute__((cleanup(intake_done))) struct intake in = {0};                                                       \
        fixture_open(&in, kind)

/* The path of a file in data/, in memory of its own that lives until the next call. */
const char *fixture_path(const char *name);
/* Reads text, as if from standard input; OK expected. */
void fixture_read(struct intake *in, const char *text);
/* Reads a file of data/; OK expected. */
void fixture_read_file(struct intake *in, const char *name);
/* Sorts, and asserts on the numbers of rows and rejects. */
void fixture_sort(struct intake *in, size_t n_rows, size_t n_rejects);
/* The row of that serial; fails the test where there is none. */
const struct row *fixture_row(const struct intake *in, const char *serial);
/* Asserts that reject `i` (in the order of lines) stands at that line (1..) and holds these words. */
void fixture_expect_reject(struct intake *in, size_t i, uint32_t line, const char *words);

struct bad_line {
        const char *line, *words;
};
/* Each, up to the one of zeros, imported behind `good` (lines that make one row), is the only reject, in these words. */
void fixture_expect_bad_lines(const char *good, const struct bad_line *bad);
/* The whole content, or the file of data/, is refused in these words, and leaves neither row nor reject. */
void fixture_expect_refused(struct intake *in, const char *name, struct bytes content, const char *words);
void fixture_expect_file_refused(struct intake *in, const char *name, const char *words);

struct certinfo;
void fixture_info(const struct intake *in, const char *serial, struct certinfo *ret);
