/* table: cells are collected, measured, then printed. */
#include "tools/table.h"

#include <stdarg.h>

#define CELL_MAX 512

void table_begin(struct table *t, unsigned n_columns, const char *const *titles)
{
        *t = (struct table){.n_columns = n_columns};
        for (unsigned i = 0; titles && i < n_columns; i++)
                table_cell(t, titles[i]);
}

/* UTF-8 passes; C0 controls and DEL do not. */
static void put_clean(struct builder *b, const char *text)
{
        for (; *text; text++)
                builder_put_u8(b, (uint8_t)*text < 0x20 || *text == 0x7f ? '?' : (uint8_t)*text);
        builder_put_u8(b, 0);
}

void table_cell(struct table *t, const char *text)
{
        put_clean(&t->cells, text ? text : "-");
        t->n_cells++;
}

void table_cellf(struct table *t, const char *format, ...)
{
        char text[CELL_MAX];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        table_cell(t, text);
}

static unsigned width_of(const char *text)
{
        unsigned width = 0;

        for (; *text; text++)
                width += ((uint8_t)*text & 0xc0) != 0x80;
        return width;
}

static const char *next_cell(const char *cell)
{
        return cell + strlen(cell) + 1;
}

static void measure(const struct table *t, unsigned widths[TABLE_COLUMNS_MAX])
{
        const char *cell = (const char *)t->cells.data;

        for (size_t i = 0; i < t->n_cells; i++, cell = next_cell(cell)) {
                unsigned width = width_of(cell), column = (unsigned)(i % t->n_columns);

                if (width > widths[column])
                        widths[column] = width;
        }
}

static void print_cell(const struct table *t, FILE *out, const char *cell, unsigned column, unsigned column_width)
{
        int pad = (int)(column_width - width_of(cell));
        bool last = column + 1 == t->n_columns;

        if (column == 0)
                fputs(t->indent ? t->indent : "", out);
        if (t->right >> column & 1)
                fprintf(out, "%*s%s", pad, "", cell);
        else
                fprintf(out, "%s%*s", cell, last ? 0 : pad, "");
        fputs(last ? "\n" : "  ", out);
}

void table_end(struct table *t, FILE *out)
{
        unsigned widths[TABLE_COLUMNS_MAX] = {0};
        const char *cell;

        while (t->n_cells % t->n_columns)
                table_cell(t, "");
        if (!builder_failed(&t->cells)) {
                measure(t, widths);
                cell = (const char *)t->cells.data;
                for (size_t i = 0; i < t->n_cells; i++, cell = next_cell(cell))
                        print_cell(t, out, cell, (unsigned)(i % t->n_columns), widths[i % t->n_columns]);
        }
        builder_done(&t->cells);
        *t = (struct table){0};
}
