/* intake: what the operator hands over, on its way to a rowfile: files, directories and standard input, through the reader
 * of each format, into rows or rejects. Used by import, and by revoke for its lists. */
#pragma once

#include "pki/reason.h"
#include "pki/serial.h"
#include "tools/ca.h"
#include "tools/progress.h"
#include "tools/rejects.h"
#include "tools/rows.h"

struct reader;

struct intake {
        enum rowfile_kind kind;
        const struct conf_issuer *issuer;
        struct ca ca;
        const struct reader *reader; /* a format that was named; NULL = recognized from the content */

        /* revoke: for entries that do not say themselves */
        bool has_reason;
        enum reason reason;
        uint32_t revoked_at, invalidity_date; /* 0 = not given */

        struct rows rows;
        struct rejects rejects;
        struct sources sources;
        struct progress progress;
        struct builder unused; /* names of columns that nobody reads, ", " between */
        uint64_t n_skipped;    /* files of a directory that hold no certificate */
};

void intake_done(struct intake *in);
/* A file, a directory or "-". OK also when entries were rejected. Else *ret_why (512) says what is wrong with the file. */
MUST_CHECK enum err intake_path(struct intake *in, const char *path, char *ret_why);
/* Content that has been read already; `name` stands in the rejects. */
MUST_CHECK enum err intake_content(struct intake *in, const char *name, struct bytes content, char *ret_why);
#define INTAKE_WHY_MAX 512

/* For the readers. `line` is counted from 1 in the present file. */
void intake_reject(struct intake *in, uint64_t line, struct bytes serial_text, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* A column that is not used: named once. */
void intake_unused(struct intake *in, struct bytes column);
/* Each line of the content that is not blank, with its number; progress is shown. */
void intake_lines(struct intake *in, struct bytes content, void (*read_line)(struct intake *in, struct bytes line, uint64_t number));
/* Called now and then. */
void intake_progress(struct intake *in, uint64_t done, uint64_t total);
