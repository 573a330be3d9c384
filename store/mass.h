/* mass: what the modules behind batch.h share and nobody else needs. */
#pragma once

#include "store/batch.h"
#include "store/exception.h"

/* Writes a batch's row; actor and incident may lie in the row itself. */
void batch_write(struct txn *txn, const struct batch *batch);
/* Adds to its counts. */
void batch_add(struct txn *txn, uint32_t id, int n_items, int n_deferred, int n_signed);

/* Does it change anything? */
bool revocation_changes(enum revocation_effect effect);
/* Applies `r` for a batch that is being activated: its exception and crl_entry. No event. */
MUST_CHECK enum err revocation_write(struct txn *txn, const struct revocation *r, uint32_t batch, int64_t now_s,
        size_t reserve, enum revocation_effect *ret_effect);

/* The exception row's present status has a signature now / has none any more. */
void item_mark_signed(struct txn *txn, uint32_t batch, uint32_t ca_key, struct bytes serial, bool is_signed);
