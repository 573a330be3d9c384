/* row: how values are laid out. Cold rows are builder_put/bytes_take pairs in memory of the stack or heap; the hot ones
 * (record, exception) are a packed little-endian head, a signature, and free room behind it, so that a later signature fits
 * in place. */
#pragma once

#include "store/txn.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "packed rows are little-endian");

/* Copies a head of `len` octets from the front of `value`. ERR_CORRUPT: shorter. */
MUST_CHECK static inline enum err row_take_head(struct bytes *value, void *ret_head, size_t len)
{
        struct bytes head;

        if (bytes_take(value, len, &head) != OK)
                return ERR_CORRUPT;
        memcpy(ret_head, head.data, len);
        return OK;
}

/* Head, signature, and zeroes up to `reserve` octets of signature. */
void row_put_signed(
        struct txn *txn, enum table table, struct bytes key, struct bytes head, struct bytes signature, size_t reserve);

/* Puts what was built; a builder that failed fails the transaction. */
void row_put_built(struct txn *txn, enum table table, struct bytes key, const struct builder *b);

/* The row whose key is the next id above `id`. The value is the transaction's. ERR_NOT_FOUND at the end. */
MUST_CHECK enum err row_after(struct txn *txn, enum table table, uint32_t id, uint32_t *ret_id, struct bytes *ret_value);

/* A malformed row of our own means that the store contradicts itself. */
MUST_CHECK static inline enum err row_error(enum err e)
{
        return e == ERR_INVALID ? ERR_CORRUPT : e;
}
