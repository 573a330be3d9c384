/* record: the population. One row for each certificate issued; touched by import and refresh only. */
#pragma once

#include "store/txn.h"

struct record {
        uint32_t window;        /* 0 = never signed */
        uint32_t not_after;     /* 0 = unknown: never expires */
        uint32_t good_until;    /* the latest nextUpdate promised as good by a stored signature */
        uint16_t shard;         /* CRL shard, 0 = the full CRL */
        struct bytes signature; /* raw; empty while window is 0 */
};

MUST_CHECK enum err record_get(struct txn *txn, uint32_t ca_key, struct bytes serial, struct record *ret_record);
MUST_CHECK enum err record_read(struct bytes value, struct record *ret_record);
/* Writes a row with room for a signature of `reserve` octets, so that signing rewrites its page in place.
 * `record->signature` must not lie in the row that is rewritten. */
void record_put(struct txn *txn, uint32_t ca_key, struct bytes serial, const struct record *record, size_t reserve);
/* The octets a row has for a signature: put with this `reserve`, it is rewritten in place. */
size_t record_room(struct bytes value);
