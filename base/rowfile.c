/* rowfile: writing and reading the engine's one list format.
 *
 * Writer and reader hold a row to the same rules (check_row), so that what one writes the other takes, and the reader
 * trusts nothing: lengths, flags, reasons, the order and the number of rows are all checked.
 */
#include "base/rowfile.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CERTINFO_MAX 4096
#define HEADER_LEN 13
#define N_ROWS_AT 9
#define ROW_MAX (4 + 1 + 20 + 1 + 4 + 1 + 4 + 4 + 2 + 2 + CERTINFO_MAX)

static const char magic[] = "TOCROW01";

/* Minimal (X.690 8.3.2) and not negative (RFC 5280 4.1.2.2): what pki/serial.h makes. */
static bool serial_is_valid(const uint8_t *serial, size_t len)
{
        if (len < 1 || len > 20 || serial[0] >= 0x80)
                return false;
        return len == 1 || serial[0] != 0 || serial[1] >= 0x80;
}

/* CRLReason (RFC 5280 5.3.1): 0 to 10; 7 is unused and 8, removeFromCRL, is no reason to revoke. */
static bool reason_is_valid(uint8_t reason)
{
        return reason <= 10 && reason != 7 && reason != 8;
}

static enum err check_row(const struct rowfile_row *row, const uint8_t *last_serial, size_t last_len)
{
        if (!serial_is_valid(row->serial, row->serial_len) ||
                row->flags > (ROWFILE_REVOKED | ROWFILE_HELD | ROWFILE_CRL_ONLY) || !reason_is_valid(row->reason) ||
                row->certinfo.len > CERTINFO_MAX)
                return ERR_INVALID;
        if (last_len > 0 && bytes_compare(bytes_make(last_serial, last_len), bytes_make(row->serial, row->serial_len)) >= 0)
                return ERR_RANGE;
        return OK;
}

static bool kind_is_valid(unsigned kind)
{
        return kind == ROWFILE_IMPORT || kind == ROWFILE_REVOKE;
}

static void write_all(struct rowfile_writer *w, const struct builder *b)
{
        if (w->err == OK && builder_failed(b))
                w->err = ERR_NOMEM;
        if (w->err == OK && fwrite(b->data, 1, b->len, w->file) != b->len)
                w->err = err_from_errno(errno);
}

void rowfile_begin(struct rowfile_writer *w, FILE *file, enum rowfile_kind kind)
{
        uint8_t memory[HEADER_LEN];
        struct builder b = builder_fixed(memory, sizeof(memory));

        *w = (struct rowfile_writer){.file = file, .err = kind_is_valid(kind) ? OK : ERR_INVALID};
        builder_put_str(&b, magic);
        builder_put_u8(&b, (uint8_t)kind);
        builder_put_u32(&b, 0);
        write_all(w, &b);
}

void rowfile_put(struct rowfile_writer *w, const struct rowfile_row *row)
{
        uint8_t memory[ROW_MAX];
        struct builder b = builder_fixed(memory, sizeof(memory));

        if (w->err == OK)
                w->err = check_row(row, w->last_serial, w->last_serial_len);
        if (w->err == OK && w->n_rows == UINT32_MAX)
                w->err = ERR_RANGE;
        if (w->err != OK)
                return;
        builder_put_u32(&b, row->line);
        builder_put_u8(&b, row->serial_len);
        builder_put(&b, bytes_make(row->serial, row->serial_len));
        builder_put_u8(&b, row->flags);
        builder_put_u32(&b, row->not_after);
        builder_put_u8(&b, row->reason);
        builder_put_u32(&b, row->revoked_at);
        builder_put_u32(&b, row->invalidity_date);
        builder_put_u16(&b, row->shard);
        builder_put_block16(&b, row->certinfo);
        write_all(w, &b);
        memcpy(w->last_serial, row->serial, row->serial_len);
        w->last_serial_len = row->serial_len;
        w->n_rows++;
}

enum err rowfile_end(struct rowfile_writer *w)
{
        uint8_t memory[4];
        struct builder b = builder_fixed(memory, sizeof(memory));

        builder_put_u32(&b, w->n_rows);
        if (w->err == OK && fseek(w->file, N_ROWS_AT, SEEK_SET) != 0)
                w->err = err_from_errno(errno);
        write_all(w, &b);
        if (w->err == OK && fflush(w->file) != 0)
                w->err = err_from_errno(errno);
        return w->err;
}

enum err rowfile_open(struct rowfile *ret, struct bytes file)
{
        struct bytes head;
        uint32_t n_rows;
        uint8_t kind;

        if (bytes_take(&file, strlen(magic), &head) != OK || !bytes_equal(head, bytes_str(magic)) ||
                bytes_take_u8(&file, &kind) != OK || !kind_is_valid(kind) || bytes_take_u32(&file, &n_rows) != OK)
                return ERR_INVALID;
        *ret = (struct rowfile){.kind = kind, .n_rows = n_rows, .rows = file, .rest = file};
        return OK;
}

static enum err read_exactly(int fd, uint8_t *memory, size_t len)
{
        for (size_t done = 0; done < len;) {
                ssize_t n = pread(fd, memory + done, len - done, (off_t)done);

                if (n == 0)
                        return ERR_INVALID; /* it shrank while we read */
                if (n < 0 && errno != EINTR)
                        return err_from_errno(errno);
                if (n > 0)
                        done += (size_t)n;
        }
        return OK;
}

/* A plain file or memfd only: a pipe could keep the engine waiting. */
enum err rowfile_load(struct rowfile *ret, int fd, size_t max)
{
        _cleanup_free_
        uint8_t *memory = NULL;
        struct stat st;
        size_t len;
        enum err e;

        if (fstat(fd, &st) != 0)
                return err_from_errno(errno);
        if (!S_ISREG(st.st_mode) || st.st_size < HEADER_LEN)
                return ERR_INVALID;
        len = (size_t)st.st_size;
        if (len > max)
                return ERR_RANGE;
        memory = malloc(len);
        if (!memory)
                return ERR_NOMEM;
        e = read_exactly(fd, memory, len);
        if (e == OK)
                e = rowfile_open(ret, bytes_make(memory, len));
        if (e == OK)
                ret->memory = steal(&memory);
        return e;
}

void rowfile_done(struct rowfile *f)
{
        free(f->memory);
        *f = (struct rowfile){0};
}

static enum err take_row(struct bytes *in, struct rowfile_row *row, const uint8_t **ret_serial)
{
        struct bytes serial;

        if (bytes_take_u32(in, &row->line) != OK || bytes_take_u8(in, &row->serial_len) != OK ||
                row->serial_len > sizeof(row->serial) || bytes_take(in, row->serial_len, &serial) != OK ||
                bytes_take_u8(in, &row->flags) != OK || bytes_take_u32(in, &row->not_after) != OK ||
                bytes_take_u8(in, &row->reason) != OK || bytes_take_u32(in, &row->revoked_at) != OK ||
                bytes_take_u32(in, &row->invalidity_date) != OK || bytes_take_u16(in, &row->shard) != OK ||
                bytes_take_block16(in, &row->certinfo) != OK)
                return ERR_INVALID;
        memcpy(row->serial, serial.data, serial.len);
        *ret_serial = serial.data;
        return OK;
}

enum err rowfile_next(struct rowfile *f, struct rowfile_row *ret_row)
{
        struct rowfile_row row = {0};
        struct bytes rest = f->rest;
        const uint8_t *serial;
        enum err e;

        if (f->n_read == f->n_rows)
                return rest.len == 0 ? ERR_NOT_FOUND : ERR_INVALID;
        e = take_row(&rest, &row, &serial);
        if (e == OK)
                e = check_row(&row, f->last_serial, f->last_serial_len);
        if (e != OK)
                return e;
        f->rest = rest;
        f->n_read++;
        f->last_serial = serial;
        f->last_serial_len = row.serial_len;
        *ret_row = row;
        return OK;
}

void rowfile_rewind(struct rowfile *f)
{
        f->rest = f->rows;
        f->n_read = 0;
        f->last_serial = NULL;
        f->last_serial_len = 0;
}
