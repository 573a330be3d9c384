/* crl_entry: what CRLs list. Full CRLs walk the table in key order; deltas come from the events since their base. */
#pragma once

#include "pki/crl.h"
#include "store/txn.h"

struct crl_entry_row {
        uint8_t reason;
        uint32_t revoked_at;      /* 0 = the batch's activated_at */
        uint32_t invalidity_date; /* 0 = none */
        uint32_t batch;           /* listed once this is active; 0 = at once */
        uint32_t not_after;       /* of the certificate; 0 = unknown: never leaves (req 4.11) */
};
MUST_CHECK enum err crl_entry_row_read(struct bytes value, struct crl_entry_row *ret_row);
void crl_entry_row_put(
        struct txn *txn, uint32_t ca_key, uint16_t shard, struct bytes serial, const struct crl_entry_row *row);
void crl_entry_row_delete(struct txn *txn, uint32_t ca_key, uint16_t shard, struct bytes serial);

/* Walks what a full CRL of (ca_key, shard) lists in this snapshot, resolved: active batches only. */
struct crl_walk;
MUST_CHECK enum err crl_walk_full(struct txn *txn, uint32_t ca_key, uint16_t shard, struct crl_walk **ret_walk);
/* Walks what a delta lists: each serial whose status changed after event `since`, sorted by serial, once: revoked or held as
 * they stand, released as removeFromCRL (RFC 5280 5.2.4, req 4.4, 4.5). Costs what the changes cost. */
MUST_CHECK enum err crl_walk_delta(
        struct txn *txn, uint32_t ca_key, uint16_t shard, uint64_t since, struct crl_walk **ret_walk);
/* ERR_NOT_FOUND at the end. The entry's serial borrows until the next call. */
MUST_CHECK enum err crl_walk_next(struct crl_walk *walk, struct crl_entry *ret_entry);
void crl_walk_rewind(struct crl_walk *walk);
/* Before its transaction ends. */
void crl_walk_free(struct crl_walk *walk);
