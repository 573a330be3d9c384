/* read_csv: a list of lines: with a header (columns by name, any order), or without (serial and one more).
 *
 * Fields may be quoted (RFC 4180), but end on their line: an unclosed quote cannot swallow the rest of a revocation list.
 * The delimiter is a comma, or what the first line shows: a tab or a semicolon.
 */
#include "base/cleanup.h"
#include "tools/facts.h"
#include "tools/lines.h"
#include "tools/pem.h"
#include "tools/reader.h"

#include <stdio.h>

#define COLUMNS_MAX 64

struct csv {
        struct intake *in;
        char delimiter;
        bool has_header;
        unsigned n_columns;
        const struct fact_row *columns[COLUMNS_MAX]; /* NULL = not used */
        struct builder scratch;
};

static void csv_done(struct csv *c)
{
        builder_done(&c->scratch);
}

static bool is_text(struct bytes content)
{
        size_t len = content.len < 4096 ? content.len : 4096;

        return !memchr(content.data, 0, len);
}

bool read_csv_recognize(struct bytes content)
{
        return content.len == 0 || is_text(content);
}

static char find_delimiter(struct bytes line)
{
        if (memchr(line.data, '\t', line.len))
                return '\t';
        return memchr(line.data, ';', line.len) && !memchr(line.data, ',', line.len) ? ';' : ',';
}

static void use_column(struct csv *c, struct bytes name)
{
        const struct fact_row *row = facts_find(name);
        bool used = row && (c->in->kind == ROWFILE_IMPORT || row->revokes);

        for (unsigned i = 0; used && i < c->n_columns; i++)
                used = c->columns[i] != row; /* the first of two with one meaning */
        c->columns[c->n_columns++] = used ? row : NULL;
        if (!used)
                intake_unused(c->in, name);
}

/* Is there a column's name among the fields? */
static bool is_header(struct csv *c, struct bytes line)
{
        struct bytes field;
        bool more = true;

        builder_reset(&c->scratch);
        while (more && field_next(&line, c->delimiter, &c->scratch, &field, &more) == OK)
                if (facts_find(field))
                        return true;
        return false;
}

static enum err read_header(struct csv *c, struct bytes line, char *ret_why)
{
        bool more = true, has_serial = false;
        struct bytes field;

        builder_reset(&c->scratch);
        while (more && c->n_columns < COLUMNS_MAX) {
                if (field_next(&line, c->delimiter, &c->scratch, &field, &more) != OK)
                        break;
                use_column(c, field);
                has_serial |= facts_is_serial(c->columns[c->n_columns - 1]);
        }
        c->has_header = true;
        if (!has_serial) {
                snprintf(ret_why, INTAKE_WHY_MAX, "its first line names columns, but none of them is 'serial'");
                return ERR_INVALID;
        }
        return OK;
}

static void assume_columns(struct csv *c)
{
        c->columns[0] = facts_named("serial");
        c->columns[1] = facts_named(c->in->kind == ROWFILE_REVOKE ? "reason" : "notafter");
        c->n_columns = 2;
}

/* One field more than there are columns is allowed when it is empty: a delimiter at the end. */
static const char *put_field(struct csv *c, struct facts *f, unsigned column, struct bytes field)
{
        if (column >= c->n_columns)
                return field.len == 0  ? NULL
                       : c->has_header ? "more fields than the header has columns"
                                       : "more than two fields, and no header that names them";
        if (c->columns[column] && !facts_set(c->in, f, c->columns[column], field))
                return f->why;
        return NULL;
}

static void read_line(struct csv *c, struct bytes line, uint64_t number)
{
        struct facts f = {0};
        struct bytes field;
        const char *why = NULL;
        bool more = true;

        builder_reset(&c->scratch);
        for (unsigned column = 0; more && !why; column++) {
                if (field_next(&line, c->delimiter, &c->scratch, &field, &more) != OK)
                        why = "a quoted field that does not end on its line";
                else
                        why = put_field(c, &f, column, field);
        }
        if (why)
                intake_reject(c->in, number, f.row.serial_len ? f.serial_text : BYTES_NONE, "%s", why);
        else
                facts_finish(c->in, &f, number);
}

/* `scratch` must not move while a line's fields point into it. */
static enum err reserve_scratch(struct csv *c, size_t len)
{
        builder_reset(&c->scratch);
        if (len > c->scratch.cap && !builder_extend(&c->scratch, len))
                return ERR_NOMEM;
        return OK;
}

/* A key, a request, mail: PEM without any certificate is not taken for a list, of which every line would be refused. */
static bool is_other_pem(struct bytes content, char *ret_why)
{
        struct pem pem;
        struct pem_block block;

        pem_init(&pem, content);
        if (!pem_next(&pem, &block))
                return false;
        snprintf(ret_why, INTAKE_WHY_MAX, "it holds a PEM %.*s, and neither a certificate nor a CRL",
                block.label.len < 40 ? (int)block.label.len : 40, (const char *)block.label.data);
        return true;
}

enum err read_csv(struct intake *in, struct bytes content, char *ret_why)
{
        _cleanup_(csv_done) struct csv c = {.in = in};
        struct lines lines;
        struct bytes line;
        enum err e = OK;

        if (is_other_pem(content, ret_why))
                return ERR_INVALID;
        lines_init(&lines, content);
        while (e == OK && lines_next(&lines, &line)) {
                if (lines_is_time(&lines))
                        intake_progress(in, lines.total - lines.rest.len, lines.total);
                if (lines_is_blank(line))
                        continue;
                e = reserve_scratch(&c, line.len);
                if (e != OK || c.delimiter) {
                        if (e == OK)
                                read_line(&c, line, lines.number);
                        continue;
                }
                c.delimiter = find_delimiter(line);
                if (is_header(&c, line)) {
                        e = read_header(&c, line, ret_why);
                } else {
                        assume_columns(&c);
                        read_line(&c, line, lines.number);
                }
        }
        return e;
}
