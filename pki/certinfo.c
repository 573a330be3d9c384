/* certinfo: one table row a field; a later version adds rows with higher tags. */
#include "pki/certinfo.h"

#define SHA256_LEN 32

struct certinfo_row {
        uint8_t tag;
        size_t offset; /* of a struct bytes in struct certinfo */
        size_t len;    /* the only length allowed; 0 = any but 0 */
};

enum { TAG_NOT_BEFORE = 3 };

static const struct certinfo_row rows[] = {
        {1, offsetof(struct certinfo, cert_sha256), SHA256_LEN},
        {2, offsetof(struct certinfo, precert_sha256), SHA256_LEN},
        {4, offsetof(struct certinfo, subject), 0},
        {5, offsetof(struct certinfo, subscriber), 0},
        {6, offsetof(struct certinfo, cdp), 0},
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static struct bytes *field_of(struct certinfo *info, const struct certinfo_row *row)
{
        return (struct bytes *)((char *)info + row->offset);
}

static void put_not_before(struct builder *b, int64_t not_before)
{
        if (not_before == 0)
                return;
        builder_put_u8(b, TAG_NOT_BEFORE);
        builder_put_u16(b, sizeof(uint64_t));
        builder_put_u64(b, (uint64_t)not_before);
}

void certinfo_put(struct builder *b, const struct certinfo *info)
{
        struct certinfo copy = *info;

        for (size_t i = 0; i < N_ROWS; i++) {
                struct bytes value = *field_of(&copy, &rows[i]);

                if (rows[i].tag == TAG_NOT_BEFORE + 1)
                        put_not_before(b, info->not_before);
                if (value.len == 0)
                        continue;
                builder_put_u8(b, rows[i].tag);
                builder_put_block16(b, value);
        }
}

static const struct certinfo_row *find_row(uint8_t tag)
{
        for (size_t i = 0; i < N_ROWS; i++)
                if (rows[i].tag == tag)
                        return &rows[i];
        return NULL;
}

static enum err read_not_before(struct bytes value, int64_t *ret_not_before)
{
        uint64_t v;

        if (value.len != sizeof(v) || bytes_take_u64(&value, &v) != OK)
                return ERR_INVALID;
        *ret_not_before = (int64_t)v;
        return OK;
}

static enum err read_field(uint8_t tag, struct bytes value, struct certinfo *info)
{
        const struct certinfo_row *row = find_row(tag);

        if (tag == TAG_NOT_BEFORE)
                return read_not_before(value, &info->not_before);
        if (!row)
                return OK;
        if (value.len == 0 || (row->len && value.len != row->len))
                return ERR_INVALID;
        *field_of(info, row) = value;
        return OK;
}

enum err certinfo_read(struct bytes row, struct certinfo *ret_info)
{
        struct certinfo info = {0};
        struct bytes value;
        uint8_t tag, last = 0;

        if (row.len > CERTINFO_MAX)
                return ERR_INVALID;
        while (row.len > 0) {
                if (bytes_take_u8(&row, &tag) != OK || bytes_take_block16(&row, &value) != OK)
                        return ERR_INVALID;
                if (tag <= last || read_field(tag, value, &info) != OK)
                        return ERR_INVALID;
                last = tag;
        }
        *ret_info = info;
        return OK;
}
