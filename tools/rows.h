/* rows: the list in memory: gathered in any order, then sorted by serial, duplicates merged, written as a rowfile.
 *
 * 48 bytes a row and what its certinfo takes, so that ten million lines fit where the operator works.
 */
#pragma once

#include "base/rowfile.h"
#include "tools/rejects.h"

struct row {
        uint8_t serial[20]; /* zero-padded */
        uint8_t serial_len;
        uint8_t flags; /* ROWFILE_* */
        uint8_t reason;
        uint8_t known;  /* ROW_* below */
        uint16_t shard; /* 0 = not said */
        uint16_t info_len;
        uint32_t line;
        uint32_t not_after;
        uint32_t revoked_at;
        uint32_t invalidity_date;
        uint32_t info; /* place in `infos`, in units of INFO_UNIT */
};

enum {
        ROW_STATUS = 1, /* the source says what the status is; a certificate alone does not */
};

struct rows {
        struct row *items;
        size_t n, cap;
        struct builder infos;
        enum err err; /* sticky */
};

void rows_done(struct rows *r);
/* `known`: ROW_*. Sticky: rows_sort reports. */
void rows_add(struct rows *r, const struct rowfile_row *row, unsigned known);
/* Ascending, each serial once. Entries that say the same, or complete each other (a certificate and its line in index.txt),
 * become one; those that contradict each other are rejected, both places named. */
MUST_CHECK enum err rows_sort(struct rows *r, struct rejects *rejects, const struct sources *sources);
/* Sorted rows into a sealed memfd, or an unlinked file where they are too many for memory. The caller owns *ret_fd. */
MUST_CHECK enum err rows_write(const struct rows *r, enum rowfile_kind kind, int *ret_fd);
