/* row: see row.h. */
#include "store/row.h"

#include "base/cleanup.h"

void row_put_signed(
        struct txn *txn, enum table table, struct bytes key, struct bytes head, struct bytes signature, size_t reserve)
{
        size_t room_len = head.len + (signature.len > reserve ? signature.len : reserve);
        uint8_t *room = txn_put_room(txn, table, key, room_len);
        struct builder b = builder_fixed(room, room_len);
        uint8_t *rest;

        if (!room)
                return;
        builder_put(&b, head);
        builder_put(&b, signature);
        rest = builder_extend(&b, room_len - b.len);
        if (rest)
                memset(rest, 0, room_len - head.len - signature.len);
}

void row_put_built(struct txn *txn, enum table table, struct bytes key, const struct builder *b)
{
        if (builder_failed(b))
                txn_fail(txn, ERR_NOMEM);
        else
                txn_put(txn, table, key, builder_bytes(b));
}

enum err row_after(struct txn *txn, enum table table, uint32_t id, uint32_t *ret_id, struct bytes *ret_value)
{
        _cleanup_(cursor_close) struct cursor c = {0};
        struct key from = key_id(id + 1);
        struct bytes key, value;
        enum err e = id == UINT32_MAX ? ERR_NOT_FOUND : cursor_open(&c, txn, table, BYTES_NONE, key_bytes(&from));

        if (e == OK)
                e = cursor_next(&c, &key, &value);
        if (e == OK)
                e = row_error(bytes_take_u32(&key, ret_id));
        if (e == OK)
                *ret_value = value;
        return e;
}
