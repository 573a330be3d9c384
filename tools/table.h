/* table: rows of text printed in aligned columns. Widths count UTF-8 characters, not bytes; control characters in a cell
 * are shown as '?', so that what came from outside cannot move the cursor of a terminal. */
#pragma once

#include <stdio.h>

#include "base/bytes.h"
#include "base/err.h"

#define TABLE_COLUMNS_MAX 12

struct table {
        const char *indent; /* before each line; NULL = none */
        unsigned n_columns;
        unsigned right; /* bit i: column i is aligned to the right (numbers) */
        size_t n_cells;
        struct builder cells; /* each NUL-terminated, one after the other */
};

/* `titles` holds n_columns of them; NULL: no head line. */
void table_begin(struct table *t, unsigned n_columns, const char *const *titles);
/* The next cell, row after row. NULL is shown as "-". */
void table_cell(struct table *t, const char *text);
void table_cellf(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints, and frees. Does nothing on an unfinished last row but fill it with "". */
void table_end(struct table *t, FILE *out);
