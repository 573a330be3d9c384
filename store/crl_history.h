/* crl_history: every CRL made: its number is reserved (committed) before it is signed, so that no number is used twice. Full
 * and delta CRLs of one (CA key, shard) share one sequence (RFC 5280 5.2.3, req 4.3). Numbers are at least the milliseconds
 * of Unix time, so that a restored backup cannot go back behind what was published. */
#pragma once

#include "store/txn.h"

enum crl_state { CRL_RESERVED = 1, CRL_SIGNED = 2, CRL_PUBLISHED = 3, CRL_FAILED = 4 };

struct crl_row {
        uint64_t number;
        uint8_t state;
        bool is_delta;
        uint64_t base;  /* delta: the base CRL's number */
        uint64_t event; /* covers the events up to this one */
        uint32_t this_update, next_update;
        uint32_t signer;
        uint32_t n_entries;
        uint64_t size;      /* octets of the file */
        uint8_t digest[32]; /* SHA-256 of the file */
        struct bytes file;  /* name inside the CRL folder */
};

/* The next number: max(last + 1, now_ms). Writes the row as reserved. Returns the number, 0 once failed. With `number` given
 * (not 0) that number is used (full and delta issued together carry one number): ERR_RANGE via txn_fail if it does not grow
 * for that kind, or lies behind the newest number of either. */
uint64_t crl_reserve(struct txn *txn, uint32_t ca_key, uint16_t shard, const struct crl_row *row, int64_t now_ms);
void crl_put(struct txn *txn, uint32_t ca_key, uint16_t shard, const struct crl_row *row);
MUST_CHECK enum err crl_get(
        struct txn *txn, uint32_t ca_key, uint16_t shard, uint64_t number, bool is_delta, struct crl_row *ret_row);
/* The newest published one of the kind. */
MUST_CHECK enum err crl_current(struct txn *txn, uint32_t ca_key, uint16_t shard, bool is_delta, struct crl_row *ret_row);
/* Newest first: start with *position = UINT64_MAX; the number is ret_row->number. ERR_NOT_FOUND at the end. */
MUST_CHECK enum err crl_before(
        struct txn *txn, uint32_t ca_key, uint16_t shard, uint64_t *position, struct crl_row *ret_row);
