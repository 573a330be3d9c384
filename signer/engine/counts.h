/* counts: how many records and exceptions each CA key has, kept in the job table by the transactions that change them, so
 * that no status question walks millions of rows.
 */
#pragma once

#include "store/txn.h"

struct counts {
        uint64_t records, exceptions;
};

/* Before a transaction's changes, all of them of one CA key ... */
struct counts counts_before(struct txn *txn);
/* ... and after them: adds what the tables grew by. */
void counts_after(struct txn *txn, uint32_t ca_key, struct counts before);
struct counts counts_get(struct txn *txn, uint32_t ca_key);
